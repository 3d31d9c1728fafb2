// The rows of `values` as 16-bit floats, with zeros after the last column and the last row, so that the kernels that read
// them meet whole tiles only. Two numbers to a word, the first in its low half. No feature is needed.

struct Sizes {
    rows: u32,
    columns: u32,
    padded_rows: u32,
    padded_columns: u32, // even
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> values: array<f32>;     // [rows, columns]
@group(0) @binding(2) var<storage, read_write> out: array<u32>; // [padded_rows, padded_columns / 2]

fn value(row: u32, column: u32) -> f32 {
    if row < sizes.rows && column < sizes.columns {
        return values[row * sizes.columns + column];
    }
    return 0.0;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let word = (group.y * groups.x + group.x) * 256u + index;
    let words = sizes.padded_columns / 2u;
    if word >= sizes.padded_rows * words {
        return;
    }
    let row = word / words;
    let column = word % words * 2u;
    out[word] = pack2x16float(vec2<f32>(value(row, column), value(row, column + 1u)));
}
