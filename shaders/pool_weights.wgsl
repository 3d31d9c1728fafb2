// Pooling weights by distance to the target word: w_i = e^θ[b_i] / Σ_j e^θ[b_j] over the tokens of a text.

struct Sizes {
    texts: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> theta: array<f32>;          // [buckets]
@group(0) @binding(2) var<storage, read> buckets: array<u32>;        // [tokens]
@group(0) @binding(3) var<storage, read> starts: array<u32>;         // [texts + 1]
@group(0) @binding(4) var<storage, read_write> weights: array<f32>;  // [tokens]

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let text = (group.y * groups.x + group.x) * 64u + index;
    if text >= sizes.texts {
        return;
    }
    var sum = 0.0;
    for (var i = starts[text]; i < starts[text + 1u]; i += 1u) {
        sum += exp(theta[buckets[i]]);
    }
    for (var i = starts[text]; i < starts[text + 1u]; i += 1u) {
        weights[i] = exp(theta[buckets[i]]) / sum;
    }
}
