//! The encoder's output: what leaves the head, and the pooled vector where it counts, at unit length.
//!
//! Twin of `shaders/normalise.wgsl`.

use super::table::{Argument, Uniform, bind, problem, uniform};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub width: u32,
    /// 1: values and bias count.
    pub head: u32,
    /// 1: pooled counts.
    pub residual: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { rows, width, head, residual });

problem!(normalise, groups: |s| u64::from(s.rows));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("normalise", arguments: Uniform(sizes), Read(values), Read(bias), Read(pooled), ReadWrite(unit), ReadWrite(norms));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let width = sizes.width as usize;
    for (row, norm) in norms.iter_mut().take(sizes.rows as usize).enumerate() {
        let value = |k: usize| {
            let head = if sizes.head == 1 { f64::from(values[row * width + k]) + f64::from(bias[k]) } else { 0.0 };
            head + if sizes.residual == 1 { f64::from(pooled[row * width + k]) } else { 0.0 }
        };
        let length = (0..width).map(|k| value(k) * value(k)).sum::<f64>().sqrt();
        let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
        (0..width).for_each(|k| unit[row * width + k] = (value(k) * scale) as f32);
        *norm = length as f32;
    }
}
