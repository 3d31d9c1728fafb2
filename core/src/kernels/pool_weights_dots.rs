//! Gradient of each token's pooling weight: its row times the gradient of its text's pooled vector.
//!
//! Twin of `shaders/pool_weights_dots.wgsl`.

use super::table::{Argument, Uniform, bind, problem, uniform, words};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Tokens.
    pub tokens: u32,
    /// Columns.
    pub dim: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { tokens, dim });

problem!(pool_weights_dots, groups: |s| u64::from(s.tokens));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("pool_weights_dots", arguments: Uniform(sizes), Read(table), Read(ids), Read(text_of), Read(d_pooled), ReadWrite(d_weights));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let (dim, ids, text_of) = (sizes.dim as usize, words(ids), words(text_of));
    for (i, out) in d_weights.iter_mut().take(sizes.tokens as usize).enumerate() {
        let (row, d) = (&table[ids[i] as usize * dim..][..dim], &d_pooled[text_of[i] as usize * dim..][..dim]);
        *out = row.iter().zip(d).map(|(x, d)| f64::from(*x) * f64::from(*d)).sum::<f64>() as f32;
    }
}
