// What each bundle's anchor makes of its positive and its negatives: the two cosines that decide, their difference, the
// winner among the negatives and the positive's rank. Cosines divide by both norms. A workgroup a bundle.

struct Sizes {
    bundles: u32,
    dim: u32,
    slack: f32, // cosines no further apart than this may be in another order when computed more exactly
}

const LANES = 64u;
// What `verdicts` says of itself.
const SURE = 0u;
const NEAR = 1u;
const ZERO = 2u;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> vectors: array<f32>;             // [texts, dim]
@group(0) @binding(2) var<storage, read> anchors: array<u32>;             // [bundles]: rows of vectors
@group(0) @binding(3) var<storage, read> positives: array<u32>;           // [bundles]
@group(0) @binding(4) var<storage, read> starts: array<u32>;              // [bundles + 1]: where a bundle's negatives begin
@group(0) @binding(5) var<storage, read> negatives: array<u32>;           // [starts[bundles]]
@group(0) @binding(6) var<storage, read_write> similarities: array<f32>;  // [bundles, 3]: positive, largest negative, danger
@group(0) @binding(7) var<storage, read_write> verdicts: array<u32>;      // [bundles, 3]: winner, rank, SURE or not

var<workgroup> parts: array<vec2<f32>, LANES>;

// The sum of every invocation's `value`, in a fixed order; all get it.
fn total(index: u32, value: vec2<f32>) -> vec2<f32> {
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

// The dot product of two rows, and of the second with itself.
fn dot_and_square(index: u32, a: u32, b: u32) -> vec2<f32> {
    var sum = vec2<f32>();
    for (var k = index; k < sizes.dim; k += LANES) {
        let y = vectors[b * sizes.dim + k];
        sum += vec2<f32>(vectors[a * sizes.dim + k], y) * y;
    }
    return total(index, sum);
}

// Above zero and finite. By the bits: a shader may assume that what is not finite never occurs.
fn usable(scale: f32) -> bool {
    let bits = bitcast<u32>(scale);
    return bits > 0u && bits < 0x7f800000u;
}

@compute @workgroup_size(LANES, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let bundle = group.y * groups.x + group.x;
    // The whole group leaves, so no barrier is missed.
    if bundle >= sizes.bundles {
        return;
    }
    let anchor = anchors[bundle];
    let first = starts[bundle];
    let count = starts[bundle + 1u] - first;
    let norm = sqrt(dot_and_square(index, anchor, anchor).y);
    let own = dot_and_square(index, anchor, positives[bundle]);
    let own_scale = norm * sqrt(own.y);
    let positive = clamp(own.x / own_scale, -1.0, 1.0);
    var sound = usable(own_scale) && count > 0u;
    var near = false;
    // Below every cosine.
    var largest = -4.0;
    var second = -4.0;
    var winner = 0u;
    var rank = 1u;
    // Nobody leaves this loop early: its sums have barriers.
    for (var i = 0u; i < count; i += 1u) {
        let sum = dot_and_square(index, anchor, negatives[first + i]);
        let scale = norm * sqrt(sum.y);
        if usable(scale) {
            let cosine = clamp(sum.x / scale, -1.0, 1.0);
            near = near || abs(cosine - positive) <= sizes.slack;
            if cosine > positive { rank += 1u; }
            if cosine > largest {
                second = largest;
                largest = cosine;
                winner = i;
            } else {
                second = max(second, cosine);
            }
        } else {
            sound = false;
        }
    }
    near = near || largest - second <= sizes.slack;
    if index == 0u {
        let at = bundle * 3u;
        similarities[at] = select(-1.0, positive, sound);
        similarities[at + 1u] = select(1.0, largest, sound);
        similarities[at + 2u] = select(2.0, largest - positive, sound);
        verdicts[at] = select(0u, winner, sound);
        verdicts[at + 1u] = select(1u + count, rank, sound);
        verdicts[at + 2u] = select(ZERO, select(SURE, NEAR, near), sound);
    }
}
