// AdamW (Loshchilov & Hutter 2019, algorithm 2) for a whole tensor.

struct Sizes {
    n: u32,
    rate: f32,       // learning rate / (1 − β₁^t)
    correction: f32, // 1 / (1 − β₂^t)
    decay: f32,      // 1 − learning rate · λ
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> g: array<f32>;        // [n]
@group(0) @binding(2) var<storage, read> factor: array<f32>;   // [1]: of the gradient
@group(0) @binding(3) var<storage, read_write> p: array<f32>;  // [n]
@group(0) @binding(4) var<storage, read_write> m: array<f32>;  // [n]
@group(0) @binding(5) var<storage, read_write> v: array<f32>;  // [n]

@compute @workgroup_size(256, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let cell = (group.y * groups.x + group.x) * 256u + index;
    if cell >= sizes.n {
        return;
    }
    let decay = sizes.decay;
    let gradient = g[cell] * factor[0];
    let m_new = 0.9 * m[cell] + 0.1 * gradient;
    let v_new = 0.999 * v[cell] + 0.001 * gradient * gradient;
    m[cell] = m_new;
    v[cell] = v_new;
    p[cell] = p[cell] * decay - sizes.rate * m_new / (sqrt(v_new * sizes.correction) + 1e-8);
}
