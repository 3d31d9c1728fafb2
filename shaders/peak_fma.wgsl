// The most multiplications and additions that a device does: eight vectors of four in registers, x = x · factor + step,
// again and again, independent of each other. `bench kernels` measures the others against it.

struct Sizes {
    n: u32,      // invocations
    rounds: u32,
    factor: f32, // below 1: the numbers stay finite
    step: f32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [n]

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + index;
    if at >= sizes.n {
        return;
    }
    // Each invocation and each number begins elsewhere, so that none can be left out.
    let start = f32(at % 64u) * 0.0625;
    let factor = vec4<f32>(sizes.factor);
    let step = vec4<f32>(sizes.step);
    var x0 = vec4<f32>(0.0, 0.03125, 0.0625, 0.09375) + start;
    var x1 = x0 + 0.125;
    var x2 = x0 + 0.25;
    var x3 = x0 + 0.375;
    var x4 = x0 + 0.5;
    var x5 = x0 + 0.625;
    var x6 = x0 + 0.75;
    var x7 = x0 + 0.875;
    for (var round = 0u; round < sizes.rounds; round += 1u) {
        x0 = fma(x0, factor, step);
        x1 = fma(x1, factor, step);
        x2 = fma(x2, factor, step);
        x3 = fma(x3, factor, step);
        x4 = fma(x4, factor, step);
        x5 = fma(x5, factor, step);
        x6 = fma(x6, factor, step);
        x7 = fma(x7, factor, step);
        x0 = fma(x0, factor, step);
        x1 = fma(x1, factor, step);
        x2 = fma(x2, factor, step);
        x3 = fma(x3, factor, step);
        x4 = fma(x4, factor, step);
        x5 = fma(x5, factor, step);
        x6 = fma(x6, factor, step);
        x7 = fma(x7, factor, step);
    }
    let sums = (x0 + x1) + (x2 + x3) + ((x4 + x5) + (x6 + x7));
    out[at] = dot(sums, vec4<f32>(0.03125));
}
