// d_theta[b] = Σ of d_logits over the tokens of bucket b. A workgroup a bucket.

struct Sizes {
    buckets: u32,
    tokens: u32,
}

const LANES = 256u;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> buckets: array<u32>;        // [tokens]
@group(0) @binding(2) var<storage, read> d_logits: array<f32>;       // [tokens]
@group(0) @binding(3) var<storage, read_write> d_theta: array<f32>;  // [buckets]

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
    let bucket = group.y * groups.x + group.x;
    // The whole group leaves, so no barrier is missed.
    if bucket >= sizes.buckets {
        return;
    }
    var sum = 0.0;
    for (var i = index; i < sizes.tokens; i += LANES) {
        if buckets[i] == bucket { sum += d_logits[i]; }
    }
    let all = total(index, sum);
    if index == 0u { d_theta[bucket] = all; }
}
