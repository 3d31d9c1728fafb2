// The encoder's output: unit[t] = y / |y|, where y is the last layer's product with its bias (if there is a head), plus
// the pooled vector (if it passes the head by, or there is none). A zero vector stays zero. A workgroup a text.

struct Sizes {
    rows: u32,
    width: u32,
    head: u32,     // 1: values and bias count
    residual: u32, // 1: pooled counts
}

const LANES = 64u;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> values: array<f32>;       // [rows, width], or anything without a head
@group(0) @binding(2) var<storage, read> bias: array<f32>;         // [width], or anything without a head
@group(0) @binding(3) var<storage, read> pooled: array<f32>;       // [rows, width], or anything without a residual
@group(0) @binding(4) var<storage, read_write> unit: array<f32>;   // [rows, width]
@group(0) @binding(5) var<storage, read_write> norms: array<f32>;  // [rows]

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
    var y = 0.0;
    if sizes.head == 1u { y = values[at] + bias[k]; }
    if sizes.residual == 1u { y += pooled[at]; }
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
    var squares = 0.0;
    for (var k = index; k < sizes.width; k += LANES) {
        let y = value(row, k);
        squares += y * y;
    }
    let norm = sqrt(total(index, squares));
    let scale = select(0.0, 1.0 / norm, norm > 0.0);
    for (var k = index; k < sizes.width; k += LANES) {
        unit[row * sizes.width + k] = value(row, k) * scale;
    }
    if index == 0u { norms[row] = norm; }
}
