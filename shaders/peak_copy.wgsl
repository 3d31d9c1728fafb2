// The most that a device reads and writes: a copy, four numbers an invocation. `bench kernels` measures the others against
// it.

struct Sizes {
    n: u32, // vectors of four
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> values: array<vec4<f32>>;    // [n]
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>; // [n]

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + index;
    if at < sizes.n {
        out[at] = values[at];
    }
}
