// AdamW for the rows of a table that have a gradient; `decays` is what each row's weight decay has come to since it last
// moved.

struct Sizes {
    rows: u32,
    dim: u32,
    rate: f32,       // learning rate / (1 − β₁^t)
    correction: f32, // 1 / (1 − β₂^t)
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> rows: array<u32>;     // [rows]
@group(0) @binding(2) var<storage, read> decays: array<f32>;   // [rows]
@group(0) @binding(3) var<storage, read> g: array<f32>;        // [rows, dim]
@group(0) @binding(4) var<storage, read> factor: array<f32>;   // [1]: of the gradient
@group(0) @binding(5) var<storage, read_write> p: array<f32>;  // [vocabulary, dim]
@group(0) @binding(6) var<storage, read_write> m: array<f32>;  // [vocabulary, dim]
@group(0) @binding(7) var<storage, read_write> v: array<f32>;  // [vocabulary, dim]

@compute @workgroup_size(256, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + index;
    let row = at / sizes.dim;
    if row >= sizes.rows {
        return;
    }
    let cell = rows[row] * sizes.dim + at % sizes.dim;
    let decay = decays[row];
    let gradient = g[at] * factor[0];
    let m_new = 0.9 * m[cell] + 0.1 * gradient;
    let v_new = 0.999 * v[cell] + 0.001 * gradient * gradient;
    m[cell] = m_new;
    v[cell] = v_new;
    p[cell] = p[cell] * decay - sizes.rate * m_new / (sqrt(v_new * sizes.correction) + 1e-8);
}
