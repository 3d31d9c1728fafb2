// Gradient of table rows: d_rows[r] = Σ_o weights[o] · d_pooled[text_of[o]] over the row's occurrences. Occurrences come
// sorted by row, so no two invocations add to one number.

struct Sizes {
    rows: u32,
    dim: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> segments: array<u32>;      // [rows + 1]: where a row's occurrences begin
@group(0) @binding(2) var<storage, read> occurrences: array<u32>;   // [tokens]: token positions by row
@group(0) @binding(3) var<storage, read> text_of: array<u32>;       // [tokens]
@group(0) @binding(4) var<storage, read> weights: array<f32>;       // [tokens]
@group(0) @binding(5) var<storage, read> d_pooled: array<f32>;      // [texts, dim]
@group(0) @binding(6) var<storage, read_write> d_rows: array<f32>;  // [rows, dim]

@compute @workgroup_size(256, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + index;
    let row = at / sizes.dim;
    if row >= sizes.rows {
        return;
    }
    let column = at % sizes.dim;
    var sum = 0.0;
    for (var i = segments[row]; i < segments[row + 1u]; i += 1u) {
        let token = occurrences[i];
        sum += weights[token] * d_pooled[text_of[token] * sizes.dim + column];
    }
    d_rows[at] = sum;
}
