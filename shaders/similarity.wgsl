// out[i, j] = Σ_k a[i, k] · b[j, k]: dot products of the rows of `a` and `b`; the cosine where rows are of unit length.
//
// A workgroup makes one TILE × TILE tile of `out`, each of its 256 invocations four 4 × 4 patches: 64 products for every
// 16 numbers read from workgroup memory. Slices of DEPTH columns of both inputs go through it, transposed, so that an
// invocation reads four rows of one column as one vector. The next slice is fetched while this one is multiplied.
// Groups are numbered over the grid's x and y together: there may be more than 65535 of them.

struct Sizes {
    n: u32,            // rows of a
    m: u32,            // rows of b
    d: u32,            // columns of both
    column_tiles: u32, // ceil(m / TILE)
}

const TILE = 128u;
const DEPTH = 16u;
const QUADS = 32u;  // TILE / 4: fours of rows
const SLICE = 512u; // DEPTH * QUADS vectors: 8 KiB, twice; all that WebGPU promises

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> a: array<f32>;        // [n, d]
@group(0) @binding(2) var<storage, read> b: array<f32>;        // [m, d]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [n, m]

var<workgroup> a_slice: array<vec4<f32>, SLICE>; // [DEPTH, QUADS]
var<workgroup> b_slice: array<vec4<f32>, SLICE>;

// Where the four rows `quad` of column k lie. Turning the order with k lets eight neighbouring invocations, which write
// two quads of four columns, meet all 32 banks.
fn place(k: u32, quad: u32) -> u32 {
    return k * QUADS + (quad ^ (k / 4u * 2u));
}

// Columns k to k + 3 of a row of `a`, or of `b`; zeros past the last one. Rows past the last one repeat it: what comes
// of them is not stored.
fn fetch(of_b: bool, row: u32, k: u32) -> vec4<f32> {
    var values = vec4<f32>();
    if of_b {
        let at = min(row, sizes.m - 1u) * sizes.d + k;
        if k + 3u < sizes.d { return vec4<f32>(b[at], b[at + 1u], b[at + 2u], b[at + 3u]); }
        if k < sizes.d { values.x = b[at]; }
        if k + 1u < sizes.d { values.y = b[at + 1u]; }
        if k + 2u < sizes.d { values.z = b[at + 2u]; }
    } else {
        let at = min(row, sizes.n - 1u) * sizes.d + k;
        if k + 3u < sizes.d { return vec4<f32>(a[at], a[at + 1u], a[at + 2u], a[at + 3u]); }
        if k < sizes.d { values.x = a[at]; }
        if k + 1u < sizes.d { values.y = a[at + 1u]; }
        if k + 2u < sizes.d { values.z = a[at + 2u]; }
    }
    return values;
}

fn put(of_b: bool, k: u32, quad: u32, values: vec4<f32>) {
    if of_b {
        b_slice[place(k, quad)] = values;
    } else {
        a_slice[place(k, quad)] = values;
    }
}

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

    // What this invocation brings of each slice: four columns of four rows, one half of them of `a`, the other of `b`.
    let of_b = index >= 128u;
    let quad = index / 4u % QUADS;
    let column = index % 4u * 4u;
    let row = select(first_row, first_column, of_b) + quad * 4u;
    var next0 = fetch(of_b, row, column);
    var next1 = fetch(of_b, row + 1u, column);
    var next2 = fetch(of_b, row + 2u, column);
    var next3 = fetch(of_b, row + 3u, column);

    // Rows 0 to 3 and 4 to 7 of this invocation, each over its two fours of columns.
    var left0 = vec4<f32>();
    var left1 = vec4<f32>();
    var left2 = vec4<f32>();
    var left3 = vec4<f32>();
    var left4 = vec4<f32>();
    var left5 = vec4<f32>();
    var left6 = vec4<f32>();
    var left7 = vec4<f32>();
    var right0 = vec4<f32>();
    var right1 = vec4<f32>();
    var right2 = vec4<f32>();
    var right3 = vec4<f32>();
    var right4 = vec4<f32>();
    var right5 = vec4<f32>();
    var right6 = vec4<f32>();
    var right7 = vec4<f32>();
    for (var depth = 0u; depth < sizes.d; depth += DEPTH) {
        put(of_b, column, quad, vec4<f32>(next0.x, next1.x, next2.x, next3.x));
        put(of_b, column + 1u, quad, vec4<f32>(next0.y, next1.y, next2.y, next3.y));
        put(of_b, column + 2u, quad, vec4<f32>(next0.z, next1.z, next2.z, next3.z));
        put(of_b, column + 3u, quad, vec4<f32>(next0.w, next1.w, next2.w, next3.w));
        // The slices are complete before anyone reads them.
        workgroupBarrier();
        let ahead = depth + DEPTH + column;
        next0 = fetch(of_b, row, ahead);
        next1 = fetch(of_b, row + 1u, ahead);
        next2 = fetch(of_b, row + 2u, ahead);
        next3 = fetch(of_b, row + 3u, ahead);
        for (var k = 0u; k < DEPTH; k += 1u) {
            let upper = a_slice[place(k, local.y)];
            let lower = a_slice[place(k, local.y + 16u)];
            let left = b_slice[place(k, local.x)];
            let right = b_slice[place(k, local.x + 16u)];
            left0 += upper.x * left;
            left1 += upper.y * left;
            left2 += upper.z * left;
            left3 += upper.w * left;
            left4 += lower.x * left;
            left5 += lower.y * left;
            left6 += lower.z * left;
            left7 += lower.w * left;
            right0 += upper.x * right;
            right1 += upper.y * right;
            right2 += upper.z * right;
            right3 += upper.w * right;
            right4 += lower.x * right;
            right5 += lower.y * right;
            right6 += lower.z * right;
            right7 += lower.w * right;
        }
        // Everyone has read them before the next round writes over them.
        workgroupBarrier();
    }

    let top = first_row + local.y * 4u;
    let here = first_column + local.x * 4u;
    store(top, here, left0);
    store(top + 1u, here, left1);
    store(top + 2u, here, left2);
    store(top + 3u, here, left3);
    store(top + 64u, here, left4);
    store(top + 65u, here, left5);
    store(top + 66u, here, left6);
    store(top + 67u, here, left7);
    store(top, here + 64u, right0);
    store(top + 1u, here + 64u, right1);
    store(top + 2u, here + 64u, right2);
    store(top + 3u, here + 64u, right3);
    store(top + 64u, here + 64u, right4);
    store(top + 65u, here + 64u, right5);
    store(top + 66u, here + 64u, right6);
    store(top + 67u, here + 64u, right7);
}
