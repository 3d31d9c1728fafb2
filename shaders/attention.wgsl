// Self-attention of texts that lie end to end: each token's query against the keys of its own text, softmax, and the
// mean of the values by it. Nothing is padded. A workgroup a token and head; keys come in slices of LANES, and sums are
// scaled down whenever a slice has a larger score than all before it.
//
// The keys' bias is left out: it adds the same to every score of a query, and softmax takes that away.

struct Sizes {
    tokens: u32,
    heads: u32,
    size: u32,  // numbers a head, at most MOST
    scale: f32, // of scores: 1 / √size
}

const LANES = 64u;
const MOST = 128u;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;       // [tokens, 3, heads, size]
@group(0) @binding(2) var<storage, read> bias: array<f32>;      // [3, heads, size]
@group(0) @binding(3) var<storage, read> starts: array<u32>;    // [texts + 1]
@group(0) @binding(4) var<storage, read> text_of: array<u32>;   // [tokens]
@group(0) @binding(5) var<storage, read_write> out: array<f32>; // [tokens, heads, size]

var<workgroup> query: array<f32, MOST>;
var<workgroup> weights: array<f32, LANES>;
var<workgroup> parts: array<f32, LANES>;

// The sum of every invocation's `value`, in a fixed order; all get it.
fn total(index: u32, value: f32) -> f32 {
    parts[index] = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if index < half { parts[index] += parts[index + half]; }
        workgroupBarrier();
    }
    let sum = parts[0];
    // Everyone has read it before the next sum writes.
    workgroupBarrier();
    return sum;
}

fn largest_of(index: u32, value: f32) -> f32 {
    parts[index] = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if index < half { parts[index] = max(parts[index], parts[index + half]); }
        workgroupBarrier();
    }
    let largest = parts[0];
    workgroupBarrier();
    return largest;
}

@compute @workgroup_size(LANES, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let item = group.y * groups.x + group.x;
    let token = item / sizes.heads;
    // The whole group leaves, so no barrier is missed.
    if token >= sizes.tokens {
        return;
    }
    let width = sizes.heads * sizes.size;
    let head = item % sizes.heads * sizes.size;
    let text = text_of[token];
    let first = starts[text];
    let end = starts[text + 1u];
    for (var k = index; k < sizes.size; k += LANES) {
        query[k] = (qkv[token * 3u * width + head + k] + bias[head + k]) * sizes.scale;
    }
    // The query is complete before anyone reads it.
    workgroupBarrier();

    var largest = -3.0e38;
    var sum = 0.0;
    // Numbers `index` and `index + LANES` of the head.
    var near = 0.0;
    var far = 0.0;
    for (var slice = first; slice < end; slice += LANES) {
        var score = -3.0e38;
        if slice + index < end {
            let key = (slice + index) * 3u * width + width + head;
            score = 0.0;
            for (var k = 0u; k < sizes.size; k += 1u) { score += query[k] * qkv[key + k]; }
        }
        let before = largest;
        largest = max(before, largest_of(index, score));
        var weight = 0.0;
        if slice + index < end { weight = exp(score - largest); }
        weights[index] = weight;
        // Its barriers also make the weights complete, as those of the next largest score keep them until all have read them.
        let added = total(index, weight);
        let kept = exp(before - largest);
        sum = sum * kept + added;
        near *= kept;
        far *= kept;
        let keys = min(LANES, end - slice);
        for (var j = 0u; j < keys; j += 1u) {
            let value = (slice + j) * 3u * width + 2u * width + head;
            if index < sizes.size { near += weights[j] * qkv[value + index]; }
            if index + LANES < sizes.size { far += weights[j] * qkv[value + index + LANES]; }
        }
    }
    if index < sizes.size { out[token * width + head + index] = near / sum + bias[2u * width + head + index]; }
    if index + LANES < sizes.size {
        out[token * width + head + index + LANES] = far / sum + bias[2u * width + head + index + LANES];
    }
}
