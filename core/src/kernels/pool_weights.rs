//! Pooling weights by distance to the target word: `w_i = e^{θ[b_i]} / Σ_j e^{θ[b_j]}` over the tokens of a text.

use super::simd::exp;
use super::table::{Argument, Uniform, bind, problem, uniform, words};

/// Bucket of a token. With a window of `w`: 0 target; 1..=w left at that distance; w+1 further left;
/// w+2..=2w+1 right at distance 1..=w; 2w+2 further right; 2w+3 for texts without a span.
#[must_use]
pub fn bucket(window: usize, token: usize, span: Option<(u32, u32)>) -> u8 {
    let Some((start, end)) = span.map(|(s, e)| (s as usize, e as usize)) else { return (2 * window + 3) as u8 };
    if token < start {
        (start - token).min(window + 1) as u8
    } else if token >= end {
        (window + 1 + (token - end + 1).min(window + 1)) as u8
    } else {
        0
    }
}

/// Buckets for a window.
#[must_use]
pub fn bucket_count(window: usize) -> usize {
    2 * window + 4
}

/// The weights of one text; `buckets` and `out: [tokens]`.
#[inline(always)]
pub fn forward(theta: &[f32], buckets: &[u8], out: &mut [f32]) {
    let mut total = 0.0;
    for (w, b) in out.iter_mut().zip(buckets) {
        *w = exp(theta[*b as usize]);
        total += *w;
    }
    let scale = if total > 0.0 { 1.0 / total } else { 0.0 };
    out.iter_mut().for_each(|w| *w *= scale);
}

/// Adds the gradient of θ: `dθ_b = Σ_{i in b} w_i (dw_i − Σ_j w_j dw_j)`, in `f64`.
pub fn backward(buckets: &[u8], weights: &[f32], d_weights: &[f32], d_theta: &mut [f64]) {
    let mean: f64 = weights.iter().zip(d_weights).map(|(w, d)| f64::from(*w) * f64::from(*d)).sum();
    for ((b, w), d) in buckets.iter().zip(weights).zip(d_weights) {
        d_theta[*b as usize] += f64::from(*w) * (f64::from(*d) - mean);
    }
}

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Texts.
    pub texts: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { texts });

problem!(pool_weights, items: |s| u64::from(s.texts));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("pool_weights", arguments: Uniform(sizes), Read(theta), Read(buckets), Read(starts), ReadWrite(weights));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let (buckets, starts) = (words(buckets), words(starts));
    for range in starts.windows(2).take(sizes.texts as usize).map(|s| s[0] as usize..s[1] as usize) {
        let logit = |i: usize| f64::from(theta[buckets[i] as usize]).exp();
        let total: f64 = range.clone().map(logit).sum();
        range.for_each(|i| weights[i] = (logit(i) / total) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn buckets_follow_the_distance_to_the_word() {
        let of = |span| (0..8).map(|token| bucket(2, token, span)).collect::<Vec<_>>();
        assert_eq!(of(Some((3, 5))), [3, 2, 1, 0, 0, 4, 5, 6]);
        assert_eq!(of(Some((0, 1))), [0, 4, 5, 6, 6, 6, 6, 6]);
        assert_eq!(of(None), [7; 8]);
        assert_eq!(bucket_count(2), 8);
    }

    #[test]
    fn weights_and_their_gradient_follow_the_formula() {
        let mut stream = Stream::new(5, "pool weights", 0);
        let theta: Vec<f32> = (0..8).map(|_| stream.symmetric(2.0)).collect();
        for tokens in [0, 1, 2, 30] {
            let buckets: Vec<u8> = (0..tokens).map(|_| stream.below(8) as u8).collect();
            let d: Vec<f32> = (0..tokens).map(|_| stream.symmetric(1.0)).collect();
            let plain = |theta: &[f64]| {
                let e: Vec<f64> = buckets.iter().map(|b| theta[*b as usize].exp()).collect();
                let total: f64 = e.iter().sum();
                e.into_iter().map(|e| e / total).collect::<Vec<_>>()
            };
            let wide: Vec<f64> = theta.iter().map(|x| f64::from(*x)).collect();
            let mut weights = vec![0.0; tokens];
            forward(&theta, &buckets, &mut weights);
            for (got, want) in weights.iter().zip(plain(&wide)) {
                assert!((f64::from(*got) - want).abs() < 1e-6, "{got}, expected {want}");
            }
            // Added to what is there.
            let mut d_theta = vec![1.0; 8];
            backward(&buckets, &weights, &d, &mut d_theta);
            let value = |theta: &[f64]| plain(theta).iter().zip(&d).map(|(w, d)| w * f64::from(*d)).sum::<f64>();
            for b in 0..8 {
                let at = |h: f64| {
                    let mut moved = wide.clone();
                    moved[b] += h;
                    value(&moved)
                };
                let want = 1.0 + (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((d_theta[b] - want).abs() < 1e-5, "bucket {b}: {}, expected {want}", d_theta[b]);
            }
        }
    }
}
