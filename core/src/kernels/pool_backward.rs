//! Gradient of the table rows of a batch: the transpose of [`super::pool`].
//!
//! Twin of `shaders/pool_backward.wgsl`.

use super::table::{Argument, Uniform, bind, problem, uniform, words};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub dim: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { rows, dim });

problem!(pool_backward, items: |s| u64::from(s.rows) * u64::from(s.dim));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("pool_backward", arguments: Uniform(sizes), Read(segments), Read(occurrences), Read(text_of), Read(weights), Read(d_pooled), ReadWrite(d_rows));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let (dim, segments, text_of) = (sizes.dim as usize, words(segments), words(text_of));
    for (r, out) in d_rows.chunks_exact_mut(dim.max(1)).take(sizes.rows as usize).enumerate() {
        let own = &words(occurrences)[segments[r] as usize..segments[r + 1] as usize];
        for (k, o) in out.iter_mut().enumerate() {
            let d = |t: u32| f64::from(d_pooled[text_of[t as usize] as usize * dim + k]);
            *o = own.iter().map(|t| f64::from(weights[*t as usize]) * d(*t)).sum::<f64>() as f32;
        }
    }
}
