// A matrix product of parts of two buffers with any strides: out[i, j] = Σ_k a[i, k] · b[k, j]. Strides make a transpose,
// starts a part.
//
// Tiled as `similarity.wgsl` is, which stands apart because its rows lie side by side.

struct Sizes {
    n: u32,            // rows of a
    m: u32,            // columns of b
    d: u32,            // columns of a, rows of b
    column_tiles: u32, // ceil(m / TILE)
    a_start: u32,
    a_row: u32,        // from one row of a to the next
    a_column: u32,     // from one column of a to the next
    b_start: u32,
    b_row: u32,
    b_column: u32,
    out_start: u32,    // where out begins
    out_row: u32,      // from one row of out to the next
}

const TILE = 64u;
const DEPTH = 16u;
const STRIDE = 66u;
const SLICE = 1056u;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

var<workgroup> a_slice: array<f32, SLICE>; // [DEPTH, STRIDE]
var<workgroup> b_slice: array<f32, SLICE>;

fn store(row: u32, column: u32, values: vec4<f32>) {
    if row >= sizes.n {
        return;
    }
    for (var i = 0u; i < 4u; i += 1u) {
        if column + i < sizes.m { out[sizes.out_start + row * sizes.out_row + column + i] = values[i]; }
    }
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
    let b_column = first_column + load_row;

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
            if a_row < sizes.n && k < sizes.d { a_value = a[sizes.a_start + a_row * sizes.a_row + k * sizes.a_column]; }
            if b_column < sizes.m && k < sizes.d { b_value = b[sizes.b_start + k * sizes.b_row + b_column * sizes.b_column]; }
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
