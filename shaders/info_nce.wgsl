// InfoNCE over rows of similarities: loss = log Σ_j e^(s_j/τ) − s_p/τ, and its gradient in place. Candidate i is anchor i's
// positive. Hidden are other candidates of the anchor's sense, its own text, and without in-batch candidates all but the
// bundle's own. A workgroup an anchor.

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

fn hidden(anchor: u32, j: u32) -> bool {
    let other = sizes.anchors + j;
    let own = j >= negatives[anchor] && j < negatives[anchor + 1u];
    let alike = senses[other] == senses[anchor] || texts[other] == texts[anchor];
    return j != anchor && (alike || !(sizes.in_batch == 1u || own));
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
    var best = positive;
    for (var j = index; j < sizes.candidates; j += LANES) {
        if !hidden(anchor, j) { best = max(best, similarities[first + j]); }
    }
    let largest = largest_of(index, best);
    var sum = 0.0;
    for (var j = index; j < sizes.candidates; j += LANES) {
        if !hidden(anchor, j) { sum += exp((similarities[first + j] - largest) * sizes.inverse_temperature); }
    }
    let all = total(index, sum);
    let factor = sizes.scale * sizes.inverse_temperature;
    for (var j = index; j < sizes.candidates; j += LANES) {
        var d = 0.0;
        if !hidden(anchor, j) { d = factor / all * exp((similarities[first + j] - largest) * sizes.inverse_temperature); }
        if j == anchor { d -= factor; }
        similarities[first + j] = d;
    }
    if index == 0u { losses[anchor] = log(all) + (largest - positive) * sizes.inverse_temperature; }
}
