//! From the gradient by pooling weights to that by their logits: backward through the softmax of each text.
//!
//! Twin of `shaders/pool_weights_backward.wgsl`.

use super::table::{Argument, Uniform, bind, problem, uniform, words};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Texts.
    pub texts: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { texts });

problem!(pool_weights_backward, items: |s| u64::from(s.texts));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("pool_weights_backward", arguments: Uniform(sizes), Read(starts), Read(weights), ReadWrite(d_weights));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let starts = words(starts);
    for range in starts.windows(2).take(sizes.texts as usize).map(|s| s[0] as usize..s[1] as usize) {
        let mean: f64 = range.clone().map(|i| f64::from(weights[i]) * f64::from(d_weights[i])).sum();
        range.for_each(|i| d_weights[i] = (f64::from(weights[i]) * (f64::from(d_weights[i]) - mean)) as f32);
    }
}
