// The end of a step's sums: mean loss, gradient norm, and the factor that brings the norm down to the bound. One
// workgroup.

struct Sizes {
    anchors: u32,
    count: u32,     // sums of squares
    stats_start: u32,
    bound: f32,     // 0: none
}

const LANES = 256u;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> losses: array<f32>;        // [anchors]
@group(0) @binding(2) var<storage, read> sums: array<f32>;          // [count]
@group(0) @binding(3) var<storage, read_write> stats: array<f32>;   // from stats_start: mean loss, norm
@group(0) @binding(4) var<storage, read_write> factor: array<f32>;  // [1]

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
    let one = group.y * groups.x + group.x;
    // The whole group leaves, so no barrier is missed.
    if one >= 1u {
        return;
    }
    var loss = 0.0;
    for (var i = index; i < sizes.anchors; i += LANES) {
        loss += losses[i];
    }
    var squares = 0.0;
    for (var i = index; i < sizes.count; i += LANES) {
        squares += sums[i];
    }
    let mean = total(index, loss) / f32(max(sizes.anchors, 1u));
    let norm = sqrt(total(index, squares));
    if index == 0u {
        stats[sizes.stats_start] = mean;
        stats[sizes.stats_start + 1u] = norm;
        factor[0] = select(1.0, sizes.bound / norm, sizes.bound > 0.0 && norm > sizes.bound);
    }
}
