// `similarity.wgsl` over 16-bit floats: half of the memory is read, sums stay in 32 bits. The inputs are what `to_f16.wgsl`
// makes, with whole tiles and slices.

enable f16;

struct Sizes {
    n: u32,            // rows of a
    m: u32,            // rows of b
    quads: u32,        // columns of both, in fours; a multiple of DEPTH / 4
    column_tiles: u32, // ceil(m / TILE)
}

const TILE = 128u;
const DEPTH = 16u;
const QUADS = 32u;  // TILE / 4: fours of rows
const SLICE = 512u; // DEPTH * QUADS vectors: 8 KiB, twice; all that WebGPU promises

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> a: array<vec4<f16>>;  // [n to whole tiles, quads]
@group(0) @binding(2) var<storage, read> b: array<vec4<f16>>;  // [m to whole tiles, quads]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [n, m]

var<workgroup> a_slice: array<vec4<f32>, SLICE>; // [DEPTH, QUADS]
var<workgroup> b_slice: array<vec4<f32>, SLICE>;

// Where the four rows `quad` of column k lie. Turning the order with k lets eight neighbouring invocations, which write
// two quads of four columns, meet all 32 banks.
fn place(k: u32, quad: u32) -> u32 {
    return k * QUADS + (quad ^ (k / 4u * 2u));
}

// Columns 4 · k to 4 · k + 3 of a row of `a`, or of `b`.
fn fetch(of_b: bool, row: u32, k: u32) -> vec4<f32> {
    // Past the last slice nothing is there, and what is fetched is not used.
    if k >= sizes.quads {
        return vec4<f32>();
    }
    if of_b {
        return vec4<f32>(b[row * sizes.quads + k]);
    }
    return vec4<f32>(a[row * sizes.quads + k]);
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
    let column = index % 4u;
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
    for (var depth = 0u; depth < sizes.quads; depth += DEPTH / 4u) {
        put(of_b, column * 4u, quad, vec4<f32>(next0.x, next1.x, next2.x, next3.x));
        put(of_b, column * 4u + 1u, quad, vec4<f32>(next0.y, next1.y, next2.y, next3.y));
        put(of_b, column * 4u + 2u, quad, vec4<f32>(next0.z, next1.z, next2.z, next3.z));
        put(of_b, column * 4u + 3u, quad, vec4<f32>(next0.w, next1.w, next2.w, next3.w));
        // The slices are complete before anyone reads them.
        workgroupBarrier();
        let ahead = depth + DEPTH / 4u + column;
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
