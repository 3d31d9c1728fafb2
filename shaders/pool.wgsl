// Token gather and weighted pooling: pooled[t] = Σ_i w_i · table[id_i] over the tokens of text t. One invocation a number.

struct Sizes {
    texts: u32,
    dim: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> table: array<f32>;         // [vocabulary, dim]
@group(0) @binding(2) var<storage, read> ids: array<u32>;           // [tokens]
@group(0) @binding(3) var<storage, read> starts: array<u32>;        // [texts + 1]
@group(0) @binding(4) var<storage, read> weights: array<f32>;       // [tokens]
@group(0) @binding(5) var<storage, read_write> pooled: array<f32>;  // [texts, dim]

@compute @workgroup_size(256, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + index;
    let text = at / sizes.dim;
    if text >= sizes.texts {
        return;
    }
    let column = at % sizes.dim;
    var sum = 0.0;
    for (var i = starts[text]; i < starts[text + 1u]; i += 1u) {
        sum += weights[i] * table[ids[i] * sizes.dim + column];
    }
    pooled[at] = sum;
}
