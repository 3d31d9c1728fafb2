// BERT's activation after its product: values = gelu(values + bias), gelu(x) = x · Φ(x).

struct Sizes {
    rows: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> bias: array<f32>;          // [width]
@group(0) @binding(2) var<storage, read_write> values: array<f32>;  // [rows, width]

// erf(x / √2): the rational function of `kernels/gelu.rs`.
fn erf_of_root_half(value: f32) -> f32 {
    let x = clamp(value, -5.6, 5.6);
    let z = x * x;
    let p = ((((((2.1548344e-10 * z - 4.306538e-8) * z + 6.384573e-6) * z + 3.3967168e-4) * z + 9.022485e-3) * z
        + 7.193349e-2) * z + 0.7978845);
    let q = (((6.173388e-5 * z + 1.8311563e-3) * z + 2.9113976e-2) * z + 0.256821) * z + 1.0;
    return x * p / q;
}

@compute @workgroup_size(256, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + index;
    if at >= sizes.rows * sizes.width {
        return;
    }
    let x = values[at] + bias[at % sizes.width];
    values[at] = 0.5 * x * (1.0 + erf_of_root_half(x));
}
