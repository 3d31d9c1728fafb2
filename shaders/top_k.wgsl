// The k rows of `base` that have the largest dot products with each row of `queries`, without storing the products. Of
// equal products the lower row is the better one; one that is not finite is never found.
//
// A workgroup has TILE queries and walks over a part of the base, TILE rows at a time. The product is tiled as in
// `similarity.wgsl`, with patches of 8 × 8. What beats a query's threshold, the k-th best so far, goes into its list; few
// do once the threshold is good. When a list may not have room for another tile, the lists are sorted and cut to k, which
// raises the thresholds. In what order a list fills is chance; what it holds after a cut is not.

struct Sizes {
    queries: u32,     // rows of queries
    rows: u32,        // rows of base
    dim: u32,         // columns of both
    k: u32,           // at most MOST
    query_tiles: u32, // ceil(queries / TILE)
    splits: u32,      // parts of the base; each has results of its own
    split_rows: u32,  // rows of a part, a multiple of TILE
    first_row: u32,   // the number of the base's first row
    modes: u32,       // SAME, APART, both or 0
    carry: u32,       // 1: what `scores` and `places` hold stays in the running
}

const TILE = 128u;
const DEPTH = 8u;
// Vectors from one column of a slice to the next: odd, so that the writes of eight neighbours fall into different banks.
const STRIDE = 33u;
const SLICE = 264u; // DEPTH * STRIDE: 4,224 bytes, twice
const LANES = 256u;
// Places in a query's list. It is cut when a tile might not fit in any more, so k may be up to ROOM - TILE.
const ROOM = 512u;
const MOST = 256u;
const LOWEST = -3.4028234e38;
const HIGHEST = 3.4028234e38;
const MISSING = 0xffffffffu;
const SAME = 1u;
const APART = 2u;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> queries: array<f32>;                // [queries, dim]
@group(0) @binding(2) var<storage, read> base: array<f32>;                   // [rows, dim]
@group(0) @binding(3) var<storage, read> query_keys: array<vec2<u32>>;       // [queries]: must be the same, must differ
@group(0) @binding(4) var<storage, read> base_keys: array<vec2<u32>>;        // [rows]
@group(0) @binding(5) var<storage, read_write> lists: array<vec2<u32>>;      // [query_tiles * splits, TILE, ROOM]: scratch
@group(0) @binding(6) var<storage, read_write> scores: array<f32>;           // [splits, queries, k], best first
@group(0) @binding(7) var<storage, read_write> places: array<u32>;           // [splits, queries, k]: rows; MISSING past the last

var<workgroup> query_slice: array<vec4<f32>, SLICE>; // [DEPTH, STRIDE]: four rows a vector
var<workgroup> base_slice: array<vec4<f32>, SLICE>;
var<workgroup> sorted_keys: array<u32, ROOM>;
var<workgroup> sorted_places: array<u32, ROOM>;
var<workgroup> thresholds: array<f32, TILE>;
var<workgroup> counts: array<atomic<u32>, TILE>;
var<workgroup> full: atomic<u32>;
var<workgroup> shared_number: u32;

// A number whose order among `u32`s is that of the score among `f32`s. Never 0 for a finite score.
fn key_of(score: f32) -> u32 {
    var bits = bitcast<u32>(score);
    // The two zeros are equal.
    if bits == 0x80000000u { bits = 0u; }
    return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn score_of(key: u32) -> f32 {
    return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
}

fn accepted(query: u32, row: u32) -> bool {
    if sizes.modes == 0u {
        return true;
    }
    let equal = query_keys[query] == base_keys[row];
    return (equal.x || (sizes.modes & SAME) == 0u) && !(equal.y && (sizes.modes & APART) != 0u);
}

// Column `column` of rows `first` to `first + 3`; zeros past the end.
fn four_queries(first: u32, column: u32) -> vec4<f32> {
    var four = vec4<f32>();
    if column < sizes.dim {
        let at = first * sizes.dim + column;
        if first < sizes.queries { four.x = queries[at]; }
        if first + 1u < sizes.queries { four.y = queries[at + sizes.dim]; }
        if first + 2u < sizes.queries { four.z = queries[at + 2u * sizes.dim]; }
        if first + 3u < sizes.queries { four.w = queries[at + 3u * sizes.dim]; }
    }
    return four;
}

fn four_rows(first: u32, column: u32) -> vec4<f32> {
    var four = vec4<f32>();
    if column < sizes.dim {
        let at = first * sizes.dim + column;
        if first < sizes.rows { four.x = base[at]; }
        if first + 1u < sizes.rows { four.y = base[at + sizes.dim]; }
        if first + 2u < sizes.rows { four.z = base[at + 2u * sizes.dim]; }
        if first + 3u < sizes.rows { four.w = base[at + 3u * sizes.dim]; }
    }
    return four;
}

// Puts the score of local query `own` and row `row` into the query's list, if it may be found.
fn push(group_lists: u32, first_query: u32, own: u32, row: u32, score: f32) {
    // By the bits: a shader may assume that what is not finite never occurs.
    let finite = (bitcast<u32>(score) & 0x7f800000u) != 0x7f800000u;
    if row >= sizes.rows || !finite || !accepted(first_query + own, row) {
        return;
    }
    let slot = atomicAdd(&counts[own], 1u);
    lists[group_lists + own * ROOM + slot] = vec2<u32>(key_of(score), sizes.first_row + row);
    if slot >= ROOM - TILE { atomicStore(&full, 1u); }
}

fn offer(group_lists: u32, first_query: u32, own: u32, row: u32, values: vec4<f32>) {
    let threshold = thresholds[own];
    // Later rows lose ties. Few pass, so the loop is seldom entered.
    if any(values > vec4<f32>(threshold)) {
        for (var i = 0u; i < 4u; i += 1u) {
            if values[i] > threshold { push(group_lists, first_query, own, row + i, values[i]); }
        }
    }
}

// Whether entry `a` of what is being sorted goes before entry `b`.
fn better(a: u32, b: u32) -> bool {
    let equal = sorted_keys[a] == sorted_keys[b];
    return sorted_keys[a] > sorted_keys[b] || (equal && sorted_places[a] < sorted_places[b]);
}

// Sorts the `count` entries of the list at `list`, best first, into `sorted_keys` and `sorted_places`: bitonic, with
// entries that lose to all filling up to a power of two.
fn sort(index: u32, list: u32, count: u32) {
    var size = 2u;
    while size < count {
        size *= 2u;
    }
    for (var i = index; i < size; i += LANES) {
        var entry = vec2<u32>(0u, MISSING);
        if i < count { entry = lists[list + i]; }
        sorted_keys[i] = entry.x;
        sorted_places[i] = entry.y;
    }
    // All entries are there before they are compared.
    workgroupBarrier();
    for (var width = 2u; width <= size; width *= 2u) {
        for (var gap = width / 2u; gap > 0u; gap /= 2u) {
            if index < size / 2u {
                let i = index / gap * 2u * gap + index % gap;
                let j = i + gap;
                // Every second run is sorted the other way round.
                let forward = (i & width) == 0u;
                if select(better(i, j), better(j, i), forward) {
                    let key = sorted_keys[i];
                    let place = sorted_places[i];
                    sorted_keys[i] = sorted_keys[j];
                    sorted_places[i] = sorted_places[j];
                    sorted_keys[j] = key;
                    sorted_places[j] = place;
                }
            }
            // A round is over before the next one compares what it moved.
            workgroupBarrier();
        }
    }
}

// How many entries local query `own` has, the same for all.
fn entries(index: u32, own: u32) -> u32 {
    if index == 0u { shared_number = atomicLoad(&counts[own]); }
    return workgroupUniformLoad(&shared_number);
}

// Cuts every list of more than k entries to its k best.
fn cut(index: u32, group_lists: u32) {
    // Entries that others pushed are seen.
    storageBarrier();
    for (var own = 0u; own < TILE; own += 1u) {
        let count = entries(index, own);
        if count > sizes.k {
            let list = group_lists + own * ROOM;
            sort(index, list, count);
            for (var i = index; i < sizes.k; i += LANES) {
                lists[list + i] = vec2<u32>(sorted_keys[i], sorted_places[i]);
            }
            if index == 0u {
                atomicStore(&counts[own], sizes.k);
                thresholds[own] = score_of(sorted_keys[sizes.k - 1u]);
            }
        }
    }
    if index == 0u { atomicStore(&full, 0u); }
    // Thresholds, counts and lists are whole before anyone goes on.
    workgroupBarrier();
    storageBarrier();
}

@compute @workgroup_size(16, 16, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let number = group.y * groups.x + group.x;
    let split = number / sizes.query_tiles;
    // The last line of groups may reach past the end. The whole group leaves, so no barrier is missed.
    if split >= sizes.splits {
        return;
    }
    let first_query = number % sizes.query_tiles * TILE;
    let group_lists = number * TILE * ROOM;

    if index < TILE {
        // Nothing beats the threshold of a query that is not there.
        thresholds[index] = select(HIGHEST, LOWEST, first_query + index < sizes.queries);
        atomicStore(&counts[index], 0u);
    }
    if index == 0u { atomicStore(&full, 0u); }
    workgroupBarrier();
    if sizes.carry == 1u {
        for (var i = index; i < TILE * sizes.k; i += LANES) {
            let own = i / sizes.k;
            let rank = i % sizes.k;
            if first_query + own < sizes.queries {
                let at = (split * sizes.queries + first_query + own) * sizes.k + rank;
                if places[at] != MISSING {
                    lists[group_lists + own * ROOM + rank] = vec2<u32>(key_of(scores[at]), places[at]);
                    atomicAdd(&counts[own], 1u);
                    if rank + 1u == sizes.k { thresholds[own] = scores[at]; }
                }
            }
        }
    }
    // Thresholds are there before they are compared with, whatever dim is.
    workgroupBarrier();

    // What this invocation loads of each slice: one column of four rows.
    let load_column = index % DEPTH;
    let load_quad = index / DEPTH;
    let end = min((split + 1u) * sizes.split_rows, sizes.rows);
    for (var first_row = split * sizes.split_rows; first_row < end; first_row += TILE) {
        // Patches of 4 × 4: rows y and 16 + y, columns x and 16 + x, counted in fours.
        var s00 = vec4<f32>(); var s01 = vec4<f32>(); var s02 = vec4<f32>(); var s03 = vec4<f32>();
        var s10 = vec4<f32>(); var s11 = vec4<f32>(); var s12 = vec4<f32>(); var s13 = vec4<f32>();
        var s20 = vec4<f32>(); var s21 = vec4<f32>(); var s22 = vec4<f32>(); var s23 = vec4<f32>();
        var s30 = vec4<f32>(); var s31 = vec4<f32>(); var s32 = vec4<f32>(); var s33 = vec4<f32>();
        for (var depth = 0u; depth < sizes.dim; depth += DEPTH) {
            let slot = load_column * STRIDE + load_quad;
            query_slice[slot] = four_queries(first_query + load_quad * 4u, depth + load_column);
            base_slice[slot] = four_rows(first_row + load_quad * 4u, depth + load_column);
            // The slices are complete before anyone reads them.
            workgroupBarrier();
            for (var k = 0u; k < DEPTH; k += 1u) {
                let a = query_slice[k * STRIDE + local.y];
                let c = query_slice[k * STRIDE + 16u + local.y];
                let b = base_slice[k * STRIDE + local.x];
                let d = base_slice[k * STRIDE + 16u + local.x];
                s00 += a.x * b; s01 += a.y * b; s02 += a.z * b; s03 += a.w * b;
                s10 += a.x * d; s11 += a.y * d; s12 += a.z * d; s13 += a.w * d;
                s20 += c.x * b; s21 += c.y * b; s22 += c.z * b; s23 += c.w * b;
                s30 += c.x * d; s31 += c.y * d; s32 += c.z * d; s33 += c.w * d;
            }
            // Everyone has read them before the next round writes over them.
            workgroupBarrier();
        }
        let low = local.y * 4u;
        let high = low + 64u;
        let left = first_row + local.x * 4u;
        let right = left + 64u;
        offer(group_lists, first_query, low, left, s00);
        offer(group_lists, first_query, low, right, s10);
        offer(group_lists, first_query, low + 1u, left, s01);
        offer(group_lists, first_query, low + 1u, right, s11);
        offer(group_lists, first_query, low + 2u, left, s02);
        offer(group_lists, first_query, low + 2u, right, s12);
        offer(group_lists, first_query, low + 3u, left, s03);
        offer(group_lists, first_query, low + 3u, right, s13);
        offer(group_lists, first_query, high, left, s20);
        offer(group_lists, first_query, high, right, s30);
        offer(group_lists, first_query, high + 1u, left, s21);
        offer(group_lists, first_query, high + 1u, right, s31);
        offer(group_lists, first_query, high + 2u, left, s22);
        offer(group_lists, first_query, high + 2u, right, s32);
        offer(group_lists, first_query, high + 3u, left, s23);
        offer(group_lists, first_query, high + 3u, right, s33);
        // Everyone has pushed before it is asked whether a list is full.
        workgroupBarrier();
        if index == 0u { shared_number = atomicLoad(&full); }
        if workgroupUniformLoad(&shared_number) != 0u { cut(index, group_lists); }
    }

    // Carried entries and those of the last tiles are seen.
    workgroupBarrier();
    storageBarrier();
    for (var own = 0u; own < TILE; own += 1u) {
        let count = entries(index, own);
        // The same for all: queries past the end have no results.
        if first_query + own < sizes.queries {
            sort(index, group_lists + own * ROOM, count);
            for (var i = index; i < sizes.k; i += LANES) {
                let at = (split * sizes.queries + first_query + own) * sizes.k + i;
                scores[at] = LOWEST;
                places[at] = MISSING;
                if i < count {
                    scores[at] = score_of(sorted_keys[i]);
                    places[at] = sorted_places[i];
                }
            }
        }
    }
}
