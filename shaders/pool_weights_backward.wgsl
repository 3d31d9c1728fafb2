// From the gradient by each token's weight to that by its logit θ[b_i], in place: d_i ← w_i · (d_i − Σ_j w_j d_j).

struct Sizes {
    texts: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> starts: array<u32>;           // [texts + 1]
@group(0) @binding(2) var<storage, read> weights: array<f32>;          // [tokens]
@group(0) @binding(3) var<storage, read_write> d_weights: array<f32>;  // [tokens]

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
    var mean = 0.0;
    for (var i = starts[text]; i < starts[text + 1u]; i += 1u) {
        mean += weights[i] * d_weights[i];
    }
    for (var i = starts[text]; i < starts[text + 1u]; i += 1u) {
        d_weights[i] = weights[i] * (d_weights[i] - mean);
    }
}
