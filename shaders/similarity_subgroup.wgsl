// `similarity.wgsl` with subgroups: only `b` goes through workgroup memory; numbers of `a` stay in registers and are handed
// around by shuffles. For adapters whose shuffles cost less than workgroup memory.
//
// Native only: `naga` knows subgroups without an `enable`, which browsers ask for.
//
// Eight neighbouring lanes are a team. A team makes 8 rows × 32 columns, each lane all rows of four columns, and each lane
// holds the numbers of one row of `a`. Teams are counted by subgroup, so they don't depend on its size, which must be a
// multiple of 8.

struct Sizes {
    n: u32,            // rows of a
    m: u32,            // rows of b
    d: u32,            // columns of both
    column_tiles: u32, // ceil(m / TILE_COLUMNS)
}

const TILE_ROWS = 64u;     // 8 teams of 8 rows
const TILE_COLUMNS = 128u; // 4 teams of 32 columns
const DEPTH = 16u;
const QUADS = 32u;  // TILE_COLUMNS / 4
const SLICE = 512u; // DEPTH * QUADS vectors: 8 KiB

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> a: array<f32>;        // [n, d]
@group(0) @binding(2) var<storage, read> b: array<f32>;        // [m, d]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [n, m]

var<workgroup> b_slice: array<vec4<f32>, SLICE>; // [DEPTH, QUADS]

// Where the four columns `quad` lie at depth k; turned with k, so that neighbours write to different banks.
fn place(k: u32, quad: u32) -> u32 {
    return k * QUADS + (quad ^ (k / 2u));
}

// Columns k to k + 3 of a row of `a`; zeros past the last one. Rows past the last one repeat it and are not stored.
fn fetch_a(row: u32, k: u32) -> vec4<f32> {
    let at = min(row, sizes.n - 1u) * sizes.d + k;
    if k + 3u < sizes.d { return vec4<f32>(a[at], a[at + 1u], a[at + 2u], a[at + 3u]); }
    var values = vec4<f32>();
    if k < sizes.d { values.x = a[at]; }
    if k + 1u < sizes.d { values.y = a[at + 1u]; }
    if k + 2u < sizes.d { values.z = a[at + 2u]; }
    return values;
}

// Columns k and k + 1 of a row of `b`, likewise.
fn fetch_b(row: u32, k: u32) -> vec2<f32> {
    let at = min(row, sizes.m - 1u) * sizes.d + k;
    if k + 1u < sizes.d { return vec2<f32>(b[at], b[at + 1u]); }
    var values = vec2<f32>();
    if k < sizes.d { values.x = b[at]; }
    return values;
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

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_size) subgroup_size: u32,
    @builtin(subgroup_invocation_id) invocation: u32,
) {
    let tile = group.y * groups.x + group.x;
    let first_row = tile / sizes.column_tiles * TILE_ROWS;
    let first_column = tile % sizes.column_tiles * TILE_COLUMNS;
    // The last line of groups may reach past the end. The whole group leaves, so no barrier is missed.
    if first_row >= sizes.n {
        return;
    }
    let lane = invocation % 8u;
    let leader = invocation - lane;
    let team = subgroup * (subgroup_size / 8u) + invocation / 8u;
    let top = first_row + team / 4u * 8u;
    let quad = team % 4u * 8u + lane;

    // What this invocation brings of each slice: two columns of four rows of `b`.
    let load_quad = index / 8u;
    let load_k = index % 8u * 2u;
    let load_row = first_column + load_quad * 4u;

    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    var sum4 = vec4<f32>();
    var sum5 = vec4<f32>();
    var sum6 = vec4<f32>();
    var sum7 = vec4<f32>();
    for (var depth = 0u; depth < sizes.d; depth += DEPTH) {
        let b0 = fetch_b(load_row, depth + load_k);
        let b1 = fetch_b(load_row + 1u, depth + load_k);
        let b2 = fetch_b(load_row + 2u, depth + load_k);
        let b3 = fetch_b(load_row + 3u, depth + load_k);
        b_slice[place(load_k, load_quad)] = vec4<f32>(b0.x, b1.x, b2.x, b3.x);
        b_slice[place(load_k + 1u, load_quad)] = vec4<f32>(b0.y, b1.y, b2.y, b3.y);
        // The slice is complete before anyone reads it.
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k += 4u) {
            let own = fetch_a(top + lane, depth + k);
            let right0 = b_slice[place(k, quad)];
            let right1 = b_slice[place(k + 1u, quad)];
            let right2 = b_slice[place(k + 2u, quad)];
            let right3 = b_slice[place(k + 3u, quad)];
            let row0 = subgroupShuffle(own, leader);
            let row1 = subgroupShuffle(own, leader + 1u);
            let row2 = subgroupShuffle(own, leader + 2u);
            let row3 = subgroupShuffle(own, leader + 3u);
            let row4 = subgroupShuffle(own, leader + 4u);
            let row5 = subgroupShuffle(own, leader + 5u);
            let row6 = subgroupShuffle(own, leader + 6u);
            let row7 = subgroupShuffle(own, leader + 7u);
            sum0 += row0.x * right0;
            sum0 += row0.y * right1;
            sum0 += row0.z * right2;
            sum0 += row0.w * right3;
            sum1 += row1.x * right0;
            sum1 += row1.y * right1;
            sum1 += row1.z * right2;
            sum1 += row1.w * right3;
            sum2 += row2.x * right0;
            sum2 += row2.y * right1;
            sum2 += row2.z * right2;
            sum2 += row2.w * right3;
            sum3 += row3.x * right0;
            sum3 += row3.y * right1;
            sum3 += row3.z * right2;
            sum3 += row3.w * right3;
            sum4 += row4.x * right0;
            sum4 += row4.y * right1;
            sum4 += row4.z * right2;
            sum4 += row4.w * right3;
            sum5 += row5.x * right0;
            sum5 += row5.y * right1;
            sum5 += row5.z * right2;
            sum5 += row5.w * right3;
            sum6 += row6.x * right0;
            sum6 += row6.y * right1;
            sum6 += row6.z * right2;
            sum6 += row6.w * right3;
            sum7 += row7.x * right0;
            sum7 += row7.y * right1;
            sum7 += row7.z * right2;
            sum7 += row7.w * right3;
        }
        // Everyone has read it before the next round writes over it.
        workgroupBarrier();
    }

    let column = first_column + quad * 4u;
    store(top, column, sum0);
    store(top + 1u, column, sum1);
    store(top + 2u, column, sum2);
    store(top + 3u, column, sum3);
    store(top + 4u, column, sum4);
    store(top + 5u, column, sum5);
    store(top + 6u, column, sum6);
    store(top + 7u, column, sum7);
}
