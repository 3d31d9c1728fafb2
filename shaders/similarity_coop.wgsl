// `similarity_f16.wgsl` on matrix units (tensor cores): a subgroup multiplies tiles of 16 × 16, 16-bit floats in, 32-bit
// sums out. The inputs are what `to_f16.wgsl` makes, with whole tiles and slices.
//
// Native only, and experimental in `wgpu`. Subgroups must have 32 invocations: a workgroup's eight of them make a tile of
// TILE × TILE, two by four, each 64 × 32 of it in eight matrices. The next slice is fetched while this one is multiplied.

enable f16;
enable wgpu_cooperative_matrix;

struct Sizes {
    n: u32,            // rows of a
    m: u32,            // rows of b
    quads: u32,        // columns of both, in fours; a multiple of DEPTH / 4
    column_tiles: u32, // ceil(m / TILE)
}

const TILE = 128u;
const DEPTH = 32u;
// Vectors of four from one row of a slice to the next: two more than DEPTH / 4, so that eight rows of a matrix meet all
// 32 banks.
const STRIDE = 10u;
const SLICE = 1280u; // TILE * STRIDE vectors: 10 KiB, twice
const EDGE = 2048u;  // a matrix of 32-bit floats for each of 8 subgroups: 8 KiB

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> a: array<vec4<f16>>;  // [n to whole tiles, quads]
@group(0) @binding(2) var<storage, read> b: array<vec4<f16>>;  // [m to whole tiles, quads]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [n, m]

var<workgroup> a_slice: array<vec4<f16>, SLICE>; // [TILE, STRIDE]
var<workgroup> b_slice: array<vec4<f16>, SLICE>;
var<workgroup> edge: array<f32, EDGE>;           // [8, 16, 16]

// Four numbers of a row; past the last slice nothing is there, and what is fetched is not used.
fn fetch_a(row: u32, k: u32) -> vec4<f16> {
    if k >= sizes.quads { return vec4<f16>(); }
    return a[row * sizes.quads + k];
}

fn fetch_b(row: u32, k: u32) -> vec4<f16> {
    if k >= sizes.quads { return vec4<f16>(); }
    return b[row * sizes.quads + k];
}

// A matrix at `row`, `column` of `out`. Whole rows that are aligned to 16 bytes, as the instruction asks, are stored at
// once; others through workgroup memory, number by number. `whole` is the same for the workgroup.
fn store(matrix: coop_mat16x16<f32, C>, row: u32, column: u32, whole: bool, subgroup: u32, lane: u32) {
    // Named first: `naga` 30 loses what is computed inside the arguments of a store.
    let at = row * sizes.m + column;
    let stride = sizes.m;
    let start = subgroup * 256u;
    if whole {
        coopStoreT(matrix, &out[at], stride);
    } else {
        coopStoreT(matrix, &edge[start], 16u);
        // The matrix is complete before its numbers are read.
        workgroupBarrier();
        for (var i = lane; i < 256u; i += 32u) {
            let to_row = row + i / 16u;
            let to_column = column + i % 16u;
            if to_row < sizes.n && to_column < sizes.m {
                out[to_row * sizes.m + to_column] = edge[start + i];
            }
        }
        // All are read before the next matrix takes their place.
        workgroupBarrier();
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let tile = group.y * groups.x + group.x;
    let first_row = tile / sizes.column_tiles * TILE;
    let first_column = tile % sizes.column_tiles * TILE;
    // The last line of groups may reach past the end. The whole group leaves, so no barrier is missed.
    if first_row >= sizes.n {
        return;
    }

    // What this invocation brings of each slice: one four of a row, in every 32nd row.
    let load_row = index / 8u;
    let load_quad = index % 8u;
    let a_row = first_row + load_row;
    let b_row = first_column + load_row;
    var a0 = fetch_a(a_row, load_quad);
    var a1 = fetch_a(a_row + 32u, load_quad);
    var a2 = fetch_a(a_row + 64u, load_quad);
    var a3 = fetch_a(a_row + 96u, load_quad);
    var b0 = fetch_b(b_row, load_quad);
    var b1 = fetch_b(b_row + 32u, load_quad);
    var b2 = fetch_b(b_row + 64u, load_quad);
    var b3 = fetch_b(b_row + 96u, load_quad);

    // Where this subgroup's part begins in the tile.
    let top = subgroup / 4u * 64u;
    let left = subgroup % 4u * 32u;
    var sum00 = coop_mat16x16<f32, C>();
    var sum01 = coop_mat16x16<f32, C>();
    var sum10 = coop_mat16x16<f32, C>();
    var sum11 = coop_mat16x16<f32, C>();
    var sum20 = coop_mat16x16<f32, C>();
    var sum21 = coop_mat16x16<f32, C>();
    var sum30 = coop_mat16x16<f32, C>();
    var sum31 = coop_mat16x16<f32, C>();
    for (var depth = 0u; depth < sizes.quads; depth += DEPTH / 4u) {
        let to = load_row * STRIDE + load_quad;
        a_slice[to] = a0;
        a_slice[to + 32u * STRIDE] = a1;
        a_slice[to + 64u * STRIDE] = a2;
        a_slice[to + 96u * STRIDE] = a3;
        b_slice[to] = b0;
        b_slice[to + 32u * STRIDE] = b1;
        b_slice[to + 64u * STRIDE] = b2;
        b_slice[to + 96u * STRIDE] = b3;
        // The slices are complete before anyone reads them.
        workgroupBarrier();
        let ahead = depth + DEPTH / 4u + load_quad;
        a0 = fetch_a(a_row, ahead);
        a1 = fetch_a(a_row + 32u, ahead);
        a2 = fetch_a(a_row + 64u, ahead);
        a3 = fetch_a(a_row + 96u, ahead);
        b0 = fetch_b(b_row, ahead);
        b1 = fetch_b(b_row + 32u, ahead);
        b2 = fetch_b(b_row + 64u, ahead);
        b3 = fetch_b(b_row + 96u, ahead);
        for (var k = 0u; k < DEPTH / 4u; k += 4u) {
            // `b` lies transposed: its rows are the columns of the right-hand matrix.
            let right0 = coopLoad<coop_mat16x16<f16, B>>(&b_slice[left * STRIDE + k], STRIDE);
            let right1 = coopLoad<coop_mat16x16<f16, B>>(&b_slice[(left + 16u) * STRIDE + k], STRIDE);
            let rows0 = coopLoadT<coop_mat16x16<f16, A>>(&a_slice[top * STRIDE + k], STRIDE);
            sum00 = coopMultiplyAdd(rows0, right0, sum00);
            sum01 = coopMultiplyAdd(rows0, right1, sum01);
            let rows1 = coopLoadT<coop_mat16x16<f16, A>>(&a_slice[(top + 16u) * STRIDE + k], STRIDE);
            sum10 = coopMultiplyAdd(rows1, right0, sum10);
            sum11 = coopMultiplyAdd(rows1, right1, sum11);
            let rows2 = coopLoadT<coop_mat16x16<f16, A>>(&a_slice[(top + 32u) * STRIDE + k], STRIDE);
            sum20 = coopMultiplyAdd(rows2, right0, sum20);
            sum21 = coopMultiplyAdd(rows2, right1, sum21);
            let rows3 = coopLoadT<coop_mat16x16<f16, A>>(&a_slice[(top + 48u) * STRIDE + k], STRIDE);
            sum30 = coopMultiplyAdd(rows3, right0, sum30);
            sum31 = coopMultiplyAdd(rows3, right1, sum31);
        }
        // Everyone has read them before the next round writes over them.
        workgroupBarrier();
    }

    let whole = first_row + TILE <= sizes.n && first_column + TILE <= sizes.m && sizes.m % 4u == 0u;
    let row = first_row + top;
    let column = first_column + left;
    store(sum00, row, column, whole, subgroup, lane);
    store(sum01, row, column + 16u, whole, subgroup, lane);
    store(sum10, row + 16u, column, whole, subgroup, lane);
    store(sum11, row + 16u, column + 16u, whole, subgroup, lane);
    store(sum20, row + 32u, column, whole, subgroup, lane);
    store(sum21, row + 32u, column + 16u, whole, subgroup, lane);
    store(sum30, row + 48u, column, whole, subgroup, lane);
    store(sum31, row + 48u, column + 16u, whole, subgroup, lane);
}
