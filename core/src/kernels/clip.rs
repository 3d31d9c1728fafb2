//! The end of a step's sums: mean loss, gradient norm, and the factor that brings the norm down to a bound.
//!
//! Twin of `shaders/clip.wgsl`.

use super::table::{Argument, Uniform, bind, problem, uniform};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Anchors.
    pub anchors: u32,
    /// Sums of squares.
    pub count: u32,
    /// Where loss and norm go.
    pub stats_start: u32,
    /// Largest norm; 0: any.
    pub bound: f32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { anchors, count, stats_start, bound });

problem!(clip, groups: |_| 1);

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("clip", arguments: Uniform(sizes), Read(losses), Read(sums), ReadWrite(stats), ReadWrite(factor));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let sum = |x: &[f32], n: u32| x[..n as usize].iter().map(|x| f64::from(*x)).sum::<f64>();
    let norm = sum(sums, sizes.count).sqrt();
    let at = sizes.stats_start as usize;
    stats[at] = (sum(losses, sizes.anchors) / f64::from(sizes.anchors.max(1))) as f32;
    stats[at + 1] = norm as f32;
    let bound = f64::from(sizes.bound);
    factor[0] = if bound > 0.0 && norm > bound { (bound / norm) as f32 } else { 1.0 };
}
