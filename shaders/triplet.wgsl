// Triplet loss over rows of similarities: the mean over the bundle's negatives of max(0, margin − s_p + s_n), and its
// gradient in place. Candidate i is anchor i's positive. A workgroup an anchor.

struct Sizes {
    anchors: u32,
    candidates: u32,
    in_batch: u32,            // 1: other bundles' texts are candidates
    inverse_temperature: f32, // InfoNCE
    margin: f32,              // triplet
    scale: f32,               // of the gradient
}

const LANES = 64u;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> senses: array<u32>;              // [anchors + candidates]
@group(0) @binding(2) var<storage, read> texts: array<u32>;               // [anchors + candidates]
@group(0) @binding(3) var<storage, read> negatives: array<u32>;           // [anchors + 1]: where a bundle's begin
@group(0) @binding(4) var<storage, read_write> similarities: array<f32>;  // [anchors, candidates]; then the gradient
@group(0) @binding(5) var<storage, read_write> losses: array<f32>;        // [anchors]

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

@compute @workgroup_size(LANES, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let anchor = group.y * groups.x + group.x;
    // The whole group leaves, so no barrier is missed.
    if anchor >= sizes.anchors {
        return;
    }
    let first = anchor * sizes.candidates;
    let positive = similarities[first + anchor];
    let own = vec2<u32>(negatives[anchor], negatives[anchor + 1u]);
    let share = 1.0 / f32(max(own.y - own.x, 1u));
    var loss = 0.0;
    var active_ones = 0.0;
    // All have read the positive before its place is written.
    workgroupBarrier();
    for (var j = index; j < sizes.candidates; j += LANES) {
        let excess = sizes.margin - positive + similarities[first + j];
        let counts = j >= own.x && j < own.y && excess > 0.0;
        if counts {
            loss += excess * share;
            active_ones += 1.0;
        }
        similarities[first + j] = select(0.0, sizes.scale * share, counts);
    }
    let all = total(index, loss);
    let count = total(index, active_ones);
    if index == anchor % LANES { similarities[first + anchor] = -sizes.scale * share * count; }
    if index == 0u { losses[anchor] = all; }
}
