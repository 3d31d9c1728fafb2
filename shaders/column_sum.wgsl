// out[j] = Σ_i x[i, j]: the gradient of a bias.

struct Sizes {
    rows: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<f32>;          // [rows, width]
@group(0) @binding(2) var<storage, read_write> out: array<f32>;  // [width]

@compute @workgroup_size(64, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let column = (group.y * groups.x + group.x) * 64u + index;
    if column >= sizes.width {
        return;
    }
    var sum = 0.0;
    for (var row = 0u; row < sizes.rows; row += 1u) {
        sum += x[row * sizes.width + column];
    }
    out[column] = sum;
}
