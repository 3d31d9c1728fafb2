//! Triplet loss over a row of similarities: the mean over the bundle's negatives of `max(0, margin − s_p + s_n)`.

use super::table::{Argument, Uniform, bind, problem, uniform, words};

/// One anchor. On entry `row` holds similarities; on exit the gradient of `scale · loss` by them: zero for all but the
/// positive and those of the bundle's own `negatives` inside the margin. Returns the loss.
#[inline(always)]
pub fn row(row: &mut [f32], positive: usize, negatives: std::ops::Range<usize>, margin: f32, scale: f32) -> f32 {
    let share = 1.0 / negatives.len().max(1) as f32;
    let anchor_positive = row[positive];
    let own = negatives.start;
    let mut loss = 0.0;
    let mut active = 0.0;
    for (j, s) in row.iter_mut().enumerate() {
        let excess = margin - anchor_positive + *s;
        if negatives.contains(&j) && excess > 0.0 {
            loss += excess * share;
            active += 1.0;
            *s = scale * share;
        } else {
            *s = 0.0;
        }
    }
    debug_assert!(own != positive, "the positive is no negative");
    row[positive] = -scale * share * active;
    loss
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

problem!(triplet, groups: |s| u64::from(s.anchors));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("triplet", arguments: Uniform(sizes), Read(_), Read(_), Read(negatives), ReadWrite(similarities), ReadWrite(losses));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let (negatives, candidates) = (words(negatives), sizes.candidates as usize);
    for (anchor, loss) in losses.iter_mut().take(sizes.anchors as usize).enumerate() {
        let own = negatives[anchor] as usize..negatives[anchor + 1] as usize;
        *loss = row(&mut similarities[anchor * candidates..][..candidates], anchor, own, sizes.margin, sizes.scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn equals_the_plain_formula() {
        let mut stream = Stream::new(5, "triplet", 0);
        for _ in 0..200 {
            let s: Vec<f32> = (0..12).map(|_| stream.symmetric(1.0)).collect();
            let (positive, first) = (stream.below(3), 3 + stream.below(5));
            let own = first..first + 1 + stream.below(4);
            let (margin, scale) = (0.3, 0.5);
            let share = 1.0 / own.len() as f32;
            let excess = |n: usize| margin - s[positive] + s[n];
            let want: f32 = own.clone().map(|n| excess(n).max(0.0) * share).sum();
            let mut got = s.clone();
            let loss = row(&mut got, positive, own.clone(), margin, scale);
            assert!((loss - want).abs() < 1e-6, "{loss}, expected {want}");
            for (j, got) in got.iter().enumerate() {
                let active = own.clone().filter(|n| excess(*n) > 0.0 && (j == positive || j == *n)).count() as f32;
                let want = active * share * scale * if j == positive { -1.0 } else { 1.0 };
                assert!((got - want).abs() < 1e-6, "d[{j}] is {got}, expected {want}");
            }
        }
    }
}
