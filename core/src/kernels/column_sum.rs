//! Gradient of a bias: sums over the rows of each column.
//!
//! Twin of `shaders/column_sum.wgsl`.

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

problem!(column_sum, items: |s| u64::from(s.width));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("column_sum", arguments: Uniform(sizes), Read(x), ReadWrite(out));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let width = sizes.width as usize;
    for (column, out) in out.iter_mut().take(width).enumerate() {
        *out = (0..sizes.rows as usize).map(|row| f64::from(x[row * width + column])).sum::<f64>() as f32;
    }
}
