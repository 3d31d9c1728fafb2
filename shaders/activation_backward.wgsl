// Gradient through dropout and activation, in place: d ← d · mask · f'(x), where x is the layer's value before f.

struct Sizes {
    rows: u32,
    width: u32,
    kind: u32,      // 0 ReLU, 1 tanh, 2 GELU
    seed: u32,
    threshold: u32, // units whose hash is below it are dropped; 0: none
    scale: f32,     // of those that are kept
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> values: array<f32>;   // [rows, width]
@group(0) @binding(2) var<storage, read_write> d: array<f32>;  // [rows, width]

// A 32-bit mixer (the finaliser of MurmurHash3, public domain), twice.
fn mix(value: u32) -> u32 {
    var x = (value ^ (value >> 16u)) * 0x85ebca6bu;
    x = (x ^ (x >> 13u)) * 0xc2b2ae35u;
    return x ^ (x >> 16u);
}

fn kept(unit: u32) -> bool {
    return mix(mix(unit ^ sizes.seed) + 0x9e3779b9u) >= sizes.threshold;
}

// tanh by its definition, which no driver gets wrong for large arguments.
fn tanh_of(x: f32) -> f32 {
    let y = clamp(x, -15.0, 15.0);
    return 1.0 - 2.0 / (exp(2.0 * y) + 1.0);
}

fn gelu_tanh(x: f32) -> f32 {
    let y = clamp(x, -10.0, 10.0);
    return tanh_of(0.7978846 * (y + 0.044715 * y * y * y));
}

fn gelu_slope(x: f32) -> f32 {
    let y = clamp(x, -10.0, 10.0);
    let t = gelu_tanh(y);
    return 0.5 * (1.0 + t) + 0.5 * y * (1.0 - t * t) * 0.7978846 * (1.0 + 0.134145 * y * y);
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
    let x = values[at];
    var slope = select(1.0, 0.0, x <= 0.0);
    if sizes.kind == 1u {
        let t = tanh_of(x);
        slope = 1.0 - t * t;
    }
    if sizes.kind == 2u { slope = gelu_slope(x); }
    d[at] = select(0.0, d[at] * sizes.scale * slope, kept(at));
}
