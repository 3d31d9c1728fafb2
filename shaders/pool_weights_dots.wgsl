// Gradient of each token's pooling weight: d_weights[i] = table[id_i] · d_pooled[text of i]. A workgroup a token.

struct Sizes {
    tokens: u32,
    dim: u32,
}

const LANES = 64u;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> table: array<f32>;            // [vocabulary, dim]
@group(0) @binding(2) var<storage, read> ids: array<u32>;              // [tokens]
@group(0) @binding(3) var<storage, read> text_of: array<u32>;          // [tokens]
@group(0) @binding(4) var<storage, read> d_pooled: array<f32>;         // [texts, dim]
@group(0) @binding(5) var<storage, read_write> d_weights: array<f32>;  // [tokens]

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
    let token = group.y * groups.x + group.x;
    // The whole group leaves, so no barrier is missed.
    if token >= sizes.tokens {
        return;
    }
    var sum = 0.0;
    for (var k = index; k < sizes.dim; k += LANES) {
        sum += table[ids[token] * sizes.dim + k] * d_pooled[text_of[token] * sizes.dim + k];
    }
    let dot = total(index, sum);
    if index == 0u { d_weights[token] = dot; }
}
