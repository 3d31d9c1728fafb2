//! AdamW for the rows of a table that have a gradient.
//!
//! Twin of `shaders/adamw_rows.wgsl`.

use super::adamw::move_one;
use super::table::{Argument, Uniform, bind, problem, uniform, words};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub dim: u32,
    /// Learning rate over `1 − β₁^t`.
    pub rate: f32,
    /// `1 / (1 − β₂^t)`.
    pub correction: f32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { rows, dim, rate, correction });

problem!(adamw_rows, items: |s| u64::from(s.rows) * u64::from(s.dim));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("adamw_rows", arguments: Uniform(sizes), Read(rows), Read(decays), Read(g), Read(factor), ReadWrite(p), ReadWrite(m), ReadWrite(v));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let dim = sizes.dim as usize;
    for (r, row) in words(rows).iter().take(sizes.rows as usize).enumerate() {
        for k in 0..dim {
            let at = *row as usize * dim + k;
            let (g, cell) = (g[r * dim + k] * factor[0], (&mut p[at], &mut m[at], &mut v[at]));
            move_one(sizes.rate, sizes.correction, decays[r], g, cell);
        }
    }
}
