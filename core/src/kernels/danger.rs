//! Danger, rank and winner of every bundle (SPEC §2) over rows of vectors.
//!
//! Twin of `shaders/danger.wgsl`. `eval::score` is the exact form; [`slack`] says how far from it the WGSL may be.

use super::table::{Argument, Uniform, bind, problem, uniform, words};

pub use super::interfaces::danger::{NEAR, SURE, ZERO};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Bundles.
    pub bundles: u32,
    /// Columns of the vectors.
    pub dim: u32,
    /// A bundle is [`NEAR`] where cosines that are compared are no further apart.
    pub slack: f32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { bundles, dim, slack });

problem!(danger, groups: |s| u64::from(s.bundles));

/// The most by which a difference of two of the WGSL's cosines of `dim` numbers may be wrong, in cosine units.
///
/// An invocation adds `dim / 64` products, six more additions fold the lanes: as many roundings of at most 2⁻²⁴ of the sum
/// of absolute products, which no product of norms falls below. The same for each squared norm, of which the root is taken;
/// a few more for roots, product and quotient, which WGSL allows 2.5 units each.
#[must_use]
pub fn slack(dim: usize) -> f32 {
    let sum = dim.div_ceil(64) as f32 + 7.0;
    let cosine = 2.0 * sum + 16.0;
    2.0 * cosine * f32::EPSILON / 2.0
}

/// The WGSL's twin, in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("danger", arguments: Uniform(sizes), Read(vectors), Read(anchors), Read(positives), Read(starts), Read(negatives), ReadWrite(similarities), ReadWrite(verdicts));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let dim = sizes.dim as usize;
    let (anchors, positives, starts, negatives) = (words(anchors), words(positives), words(starts), words(negatives));
    let verdicts: &mut [u32] = bytemuck::cast_slice_mut(verdicts);
    let dot = |a: u32, b: u32| -> f64 {
        let row = |r: u32| &vectors[r as usize * dim..][..dim];
        row(a).iter().zip(row(b)).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    let slack = f64::from(sizes.slack);
    for bundle in 0..sizes.bundles as usize {
        let anchor = anchors[bundle];
        let cosine = |text: u32| {
            let scale = dot(anchor, anchor).sqrt() * dot(text, text).sqrt();
            (scale > 0.0 && scale.is_finite()).then(|| (dot(anchor, text) / scale).clamp(-1.0, 1.0))
        };
        let own = &negatives[starts[bundle] as usize..starts[bundle + 1] as usize];
        let positive = cosine(positives[bundle]);
        let cosines: Option<Vec<f64>> = own.iter().map(|n| cosine(*n)).collect();
        let (similar, verdict) = match (positive, cosines) {
            (Some(positive), Some(cosines)) if !cosines.is_empty() => {
                let largest = cosines.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let winner = cosines.iter().position(|c| *c == largest).unwrap_or(0);
                let rank = 1 + cosines.iter().filter(|c| **c > positive).count();
                let others = cosines.iter().enumerate().filter(|(i, _)| *i != winner);
                let near = cosines.iter().any(|c| (c - positive).abs() <= slack)
                    || others.into_iter().any(|(_, c)| largest - c <= slack);
                let similar = [positive as f32, largest as f32, (largest - positive) as f32];
                (similar, [winner as u32, rank as u32, if near { NEAR } else { SURE }])
            }
            _ => ([-1.0, 1.0, 2.0], [0, 1 + own.len() as u32, ZERO]),
        };
        similarities[3 * bundle..][..3].copy_from_slice(&similar);
        verdicts[3 * bundle..][..3].copy_from_slice(&verdict);
    }
}
