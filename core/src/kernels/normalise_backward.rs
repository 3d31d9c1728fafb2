//! Gradient through the division by the norm.
//!
//! Twin of `shaders/normalise_backward.wgsl`.

use super::table::{Argument, Uniform, bind, problem, uniform};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub width: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { rows, width });

problem!(normalise_backward, groups: |s| u64::from(s.rows));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("normalise_backward", arguments: Uniform(sizes), Read(unit), Read(norms), ReadWrite(d));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let width = sizes.width as usize;
    for (row, d) in d.chunks_exact_mut(width.max(1)).take(sizes.rows as usize).enumerate() {
        let unit = &unit[row * width..][..width];
        let along: f64 = unit.iter().zip(&*d).map(|(u, d)| f64::from(*u) * f64::from(*d)).sum();
        let scale = if norms[row] > 0.0 { 1.0 / f64::from(norms[row]) } else { 0.0 };
        d.iter_mut().zip(unit).for_each(|(d, u)| *d = ((f64::from(*d) - along * f64::from(*u)) * scale) as f32);
    }
}
