// Sums of squares of blocks of BLOCK numbers: the first half of a norm.

struct Sizes {
    n: u32,
    out_start: u32, // where the sums go
}

const LANES = 256u;
const BLOCK = 4096u;

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<f32>;          // [n]
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

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
    let block = group.y * groups.x + group.x;
    // The whole group leaves, so no barrier is missed.
    if block >= (sizes.n + BLOCK - 1u) / BLOCK {
        return;
    }
    let end = min(sizes.n, (block + 1u) * BLOCK);
    var sum = 0.0;
    for (var i = block * BLOCK + index; i < end; i += LANES) {
        sum += x[i] * x[i];
    }
    let all = total(index, sum);
    if index == 0u { sums[sizes.out_start + block] = all; }
}
