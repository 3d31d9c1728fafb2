//! Gradient of θ: sums over the tokens of each bucket.
//!
//! Twin of `shaders/bucket_sum.wgsl`.

use super::table::{Argument, Uniform, bind, problem, uniform, words};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Buckets.
    pub buckets: u32,
    /// Tokens.
    pub tokens: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { buckets, tokens });

problem!(bucket_sum, groups: |s| u64::from(s.buckets));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("bucket_sum", arguments: Uniform(sizes), Read(buckets), Read(d_logits), ReadWrite(d_theta));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let mut sums = vec![0f64; sizes.buckets as usize];
    for (bucket, d) in words(buckets).iter().zip(&**d_logits).take(sizes.tokens as usize) {
        sums[*bucket as usize] += f64::from(*d);
    }
    d_theta.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum as f32);
}
