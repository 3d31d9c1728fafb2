//! InfoNCE over a row of similarities: `loss = log Σ_j e^{s_j/τ} − s_p/τ`, and its gradient in place.

use super::simd::{exp, max, sum};
use super::table::{Argument, Uniform, bind, problem, uniform, words};

/// One anchor. On entry `row` holds similarities, with `-∞` for masked candidates; on exit the gradient of
/// `scale · loss` by them. Returns the loss. `inverse_temperature` is 1/τ; `positive` must not be masked.
#[inline(always)]
pub fn row(row: &mut [f32], positive: usize, inverse_temperature: f32, scale: f32) -> f32 {
    let positive_similarity = row[positive];
    let largest = max(row);
    for s in row.iter_mut() {
        *s = exp((*s - largest) * inverse_temperature);
    }
    let total = sum(row);
    let factor = scale * inverse_temperature / total;
    for s in row.iter_mut() {
        *s *= factor;
    }
    row[positive] -= scale * inverse_temperature;
    total.ln() + (largest - positive_similarity) * inverse_temperature
}

/// Scalar reference of [`row`], in `f64`: the loss and its gradient.
#[must_use]
pub fn reference(similarities: &[f32], positive: usize, temperature: f64) -> (f64, Vec<f64>) {
    let logits: Vec<f64> = similarities.iter().map(|s| f64::from(*s) / temperature).collect();
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.iter().map(|l| (l - largest).exp()).sum();
    let gradient =
        |(j, l): (usize, &f64)| ((l - largest).exp() / total - f64::from(u8::from(j == positive))) / temperature;
    (total.ln() + largest - logits[positive], logits.iter().enumerate().map(gradient).collect())
}

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Anchors.
    pub anchors: u32,
    /// Candidates.
    pub candidates: u32,
    /// 1: other bundles' texts are candidates.
    pub in_batch: u32,
    /// 1/τ of InfoNCE.
    pub inverse_temperature: f32,
    /// Of the triplet loss.
    pub margin: f32,
    /// Of the gradient.
    pub scale: f32,
}

pub(super) const UNIFORM: Uniform =
    uniform!(Sizes { anchors, candidates, in_batch, inverse_temperature, margin, scale });

problem!(info_nce, groups: |s| u64::from(s.anchors));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("info_nce", arguments: Uniform(sizes), Read(senses), Read(texts), Read(negatives), ReadWrite(similarities), ReadWrite(losses));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let (senses, texts, negatives) = (words(senses), words(texts), words(negatives));
    let candidates = sizes.candidates as usize;
    for (anchor, loss) in losses.iter_mut().take(sizes.anchors as usize).enumerate() {
        let row = &mut similarities[anchor * candidates..][..candidates];
        let own = negatives[anchor] as usize..negatives[anchor + 1] as usize;
        for (j, s) in row.iter_mut().enumerate() {
            let other = sizes.anchors as usize + j;
            let alike = senses[other] == senses[anchor] || texts[other] == texts[anchor];
            if j != anchor && (alike || !(sizes.in_batch == 1 || own.contains(&j))) {
                *s = f32::NEG_INFINITY;
            }
        }
        let (value, gradient) = reference(row, anchor, 1.0 / f64::from(sizes.inverse_temperature));
        *loss = value as f32;
        row.iter_mut().zip(gradient).for_each(|(s, d)| *s = (d * f64::from(sizes.scale)) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::widest;
    use crate::rng::Stream;

    #[test]
    fn equals_the_reference_with_hidden_candidates() {
        let mut stream = Stream::new(5, "info_nce", 0);
        for n in [1, 2, 15, 16, 17, 1000] {
            for temperature in [1.0, 0.05, 0.01] {
                for hidden in [0, 2, 10] {
                    let positive = stream.below(n);
                    let mut similarities: Vec<f32> = (0..n).map(|_| stream.symmetric(1.0)).collect();
                    for (j, s) in similarities.iter_mut().enumerate().filter(|(j, _)| *j != positive) {
                        if hidden == 10 || (hidden > 0 && j % hidden == 0) {
                            *s = f32::NEG_INFINITY;
                        }
                    }
                    let case = format!("{n} candidates at {temperature}, hiding {hidden}");
                    let mut got = similarities.clone();
                    let loss = widest!(row(&mut got, positive, 1.0 / temperature, 0.25));
                    let (want, gradient) = reference(&similarities, positive, f64::from(temperature));
                    assert!((f64::from(loss) - want).abs() < 1e-5 * (1.0 + want), "{case}: {loss}, expected {want}");
                    for (j, (got, want)) in got.iter().zip(gradient).enumerate() {
                        let want = 0.25 * want;
                        let close = (f64::from(*got) - want).abs() < 2e-5 / f64::from(temperature);
                        assert!(close, "{case}: d[{j}] is {got}, expected {want}");
                        let hidden = similarities[j] == f32::NEG_INFINITY;
                        assert!(!hidden || *got == 0.0, "{case}: a hidden candidate has no gradient");
                    }
                }
            }
        }
    }
}
