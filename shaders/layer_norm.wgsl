// Layer norm: out = (y − mean) / √(variance + ε) · scale + shift along each row of y = values + bias, plus what passes by.
// A workgroup a row.

struct Sizes {
    rows: u32,
    width: u32,
    residual: u32, // 1: what passes by counts
    epsilon: f32,
}

const LANES = 64u;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> values: array<f32>;    // [rows, width]
@group(0) @binding(2) var<storage, read> bias: array<f32>;      // [width]
@group(0) @binding(3) var<storage, read> residual: array<f32>;  // [rows, width], or anything
@group(0) @binding(4) var<storage, read> scale: array<f32>;     // [width]
@group(0) @binding(5) var<storage, read> shift: array<f32>;     // [width]
@group(0) @binding(6) var<storage, read_write> out: array<f32>; // [rows, width]

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

fn value(row: u32, k: u32) -> f32 {
    let at = row * sizes.width + k;
    var y = values[at] + bias[k];
    if sizes.residual == 1u { y += residual[at]; }
    return y;
}

@compute @workgroup_size(LANES, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let row = group.y * groups.x + group.x;
    // The whole group leaves, so no barrier is missed.
    if row >= sizes.rows {
        return;
    }
    var sum = 0.0;
    for (var k = index; k < sizes.width; k += LANES) { sum += value(row, k); }
    let mean = total(index, sum) / f32(sizes.width);
    var squares = 0.0;
    for (var k = index; k < sizes.width; k += LANES) {
        let apart = value(row, k) - mean;
        squares += apart * apart;
    }
    let factor = 1.0 / sqrt(total(index, squares) / f32(sizes.width) + sizes.epsilon);
    for (var k = index; k < sizes.width; k += LANES) {
        out[row * sizes.width + k] = (value(row, k) - mean) * factor * scale[k] + shift[k];
    }
}
