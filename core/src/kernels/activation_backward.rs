//! Gradient through dropout and activation of a hidden layer.
//!
//! Twin of `shaders/activation_backward.wgsl`.

use super::activation::{KINDS, reference_slope};
use super::dropout;
use super::table::{Argument, Uniform, bind, problem, uniform};

/// The uniform of the WGSL: the same as the activation's.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub width: u32,
    /// 0 ReLU, 1 tanh, 2 GELU.
    pub kind: u32,
    /// Of the dropout's hash.
    pub seed: u32,
    /// Units whose hash is below it are dropped.
    pub threshold: u32,
    /// Of those that are kept.
    pub scale: f32,
}

impl From<super::activation::Sizes> for Sizes {
    fn from(forward: super::activation::Sizes) -> Self {
        bytemuck::cast(forward)
    }
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { rows, width, kind, seed, threshold, scale });

problem!(activation_backward, items: |s| u64::from(s.rows) * u64::from(s.width));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("activation_backward", arguments: Uniform(sizes), Read(values), ReadWrite(d));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    for i in 0..sizes.rows as usize * sizes.width as usize {
        let slope = reference_slope(KINDS[sizes.kind as usize], f64::from(values[i])) * f64::from(sizes.scale);
        let kept = dropout::kept(i as u32, sizes.seed, sizes.threshold);
        d[i] = if kept { (f64::from(d[i]) * slope) as f32 } else { 0.0 };
    }
}
