// Gradient through y / |y|, in place: d ← (d − (u · d) u) / |y|; zero for a zero vector. A workgroup a text.

struct Sizes {
    rows: u32,
    width: u32,
}

const LANES = 64u;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> unit: array<f32>;     // [rows, width]
@group(0) @binding(2) var<storage, read> norms: array<f32>;    // [rows]
@group(0) @binding(3) var<storage, read_write> d: array<f32>;  // [rows, width]

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
    let row = group.y * groups.x + group.x;
    // The whole group leaves, so no barrier is missed.
    if row >= sizes.rows {
        return;
    }
    let first = row * sizes.width;
    var sum = 0.0;
    for (var k = index; k < sizes.width; k += LANES) {
        sum += unit[first + k] * d[first + k];
    }
    let along = total(index, sum);
    let scale = select(0.0, 1.0 / norms[row], norms[row] > 0.0);
    for (var k = index; k < sizes.width; k += LANES) {
        d[first + k] = (d[first + k] - along * unit[first + k]) * scale;
    }
}
