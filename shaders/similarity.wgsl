// out[i, j] = Σ_k a[i, k] · b[j, k]: dot products of the rows of `a` and `b`; the cosine where rows are of unit length.
//
// A workgroup makes one TILE × TILE tile of `out`, each of its 256 invocations a 4 × 4 patch. Slices of DEPTH columns
// of both inputs go through workgroup memory, transposed, so that an invocation reads its four rows side by side.
// Groups are numbered over the grid's x and y together: there may be more than 65535 of them.

struct Sizes {
    n: u32,            // rows of a
    m: u32,            // rows of b
    d: u32,            // columns of both
    column_tiles: u32, // ceil(m / TILE)
}

const TILE = 64u;
const DEPTH = 16u;
// Floats from one column of a slice to the next. Two more than TILE spreads the writes of 32 neighbouring invocations
// (8 rows of 4 column groups) over 32 different banks.
const STRIDE = 66u;
const SLICE = 1056u; // DEPTH * STRIDE: 4,224 bytes, twice

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> a: array<f32>;        // [n, d]
@group(0) @binding(2) var<storage, read> b: array<f32>;        // [m, d]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [n, m]

var<workgroup> a_slice: array<f32, SLICE>; // [DEPTH, STRIDE]
var<workgroup> b_slice: array<f32, SLICE>;

fn store(row: u32, column: u32, values: vec4<f32>) {
    if row >= sizes.n {
        return;
    }
    let at = row * sizes.m + column;
    if column < sizes.m { out[at] = values.x; }
    if column + 1u < sizes.m { out[at + 1u] = values.y; }
    if column + 2u < sizes.m { out[at + 2u] = values.z; }
    if column + 3u < sizes.m { out[at + 3u] = values.w; }
}

@compute @workgroup_size(16, 16, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let tile = group.y * groups.x + group.x;
    let first_row = tile / sizes.column_tiles * TILE;
    let first_column = tile % sizes.column_tiles * TILE;
    // The last line of groups may reach past the end. The whole group leaves, so no barrier is missed.
    if first_row >= sizes.n {
        return;
    }

    // What this invocation loads of each slice: four columns of one row.
    let load_row = index / 4u;
    let load_column = index % 4u * 4u;
    let a_row = first_row + load_row;
    let b_row = first_column + load_row;

    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    for (var depth = 0u; depth < sizes.d; depth += DEPTH) {
        for (var i = 0u; i < 4u; i += 1u) {
            let column = load_column + i;
            let k = depth + column;
            var a_value = 0.0;
            var b_value = 0.0;
            if a_row < sizes.n && k < sizes.d { a_value = a[a_row * sizes.d + k]; }
            if b_row < sizes.m && k < sizes.d { b_value = b[b_row * sizes.d + k]; }
            a_slice[column * STRIDE + load_row] = a_value;
            b_slice[column * STRIDE + load_row] = b_value;
        }
        // The slices are complete before anyone reads them.
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k += 1u) {
            let at_a = k * STRIDE + local.y * 4u;
            let at_b = k * STRIDE + local.x * 4u;
            let right = vec4<f32>(b_slice[at_b], b_slice[at_b + 1u], b_slice[at_b + 2u], b_slice[at_b + 3u]);
            sum0 += a_slice[at_a] * right;
            sum1 += a_slice[at_a + 1u] * right;
            sum2 += a_slice[at_a + 2u] * right;
            sum3 += a_slice[at_a + 3u] * right;
        }
        // Everyone has read them before the next round writes over them.
        workgroupBarrier();
    }

    let row = first_row + local.y * 4u;
    let column = first_column + local.x * 4u;
    store(row, column, sum0);
    store(row + 1u, column, sum1);
    store(row + 2u, column, sum2);
    store(row + 3u, column, sum3);
}
