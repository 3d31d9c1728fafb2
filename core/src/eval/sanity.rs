//! How far a pass rate can be believed: chance, ties, zero vectors, the state of the space, the order of tiers.
//!
//! A model can pass 96 % of its bundles with every similarity at 0.9999, or because each bundle has one negative only.
//! What stands here is printed beside every pass rate; each suspicion is also a [`Warning`] in words.

use super::numeric::dot;
use super::score::Score;
use super::summary::Summary;
use crate::data::{BundleSet, Tier};
use crate::embeddings::Embeddings;
use crate::estimate::quantile;
use crate::kernels::simd::widest;
use crate::parallel;
use crate::rng::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Vectors that the space's numbers are computed from, at most. A thousand bound the bias of the effective rank and
/// cost a few milliseconds at 256 dimensions.
const SAMPLE: usize = 1000;
/// Similarities (10th to 90th percentile) nearer together than this are near to one number.
pub(crate) const NARROW_SPREAD: f64 = 0.01;
/// Texts at random are taken to be in one narrow cone from this mean cosine on.
pub(crate) const NARROW_CONE: f64 = 0.9;
/// Below this effective rank a space has next to no directions left.
const FLAT_RANK: f64 = 2.0;
/// Fewer dimensions than this are not blamed for a low effective rank.
pub(crate) const FLAT_RANK_MIN_DIM: usize = 8;
/// A share of ties from here on is worth a word: real-valued similarities hardly ever tie.
const MANY_TIES: f64 = 0.01;

/// What guessing would pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChanceLevel {
    /// Mean of `1 / (1 + negatives)`; null for an empty group.
    pub level: Option<f64>,
    /// The pass rate's interval reaches down to this level or lies below it.
    pub at_chance: bool,
}

/// Chance levels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Chance {
    /// Of all bundles.
    pub overall: ChanceLevel,
    /// Of the tiers that occur.
    pub by_tier: BTreeMap<Tier, ChanceLevel>,
}

/// Zero and non-finite vectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ZeroVectors {
    /// Bundles that hold one, and failed for it.
    pub items: usize,
    /// Texts that have one.
    pub texts: usize,
}

/// Mean and spread of some numbers; null where there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Mean.
    pub mean: Option<f64>,
    /// Standard deviation (divisor n).
    pub sd: Option<f64>,
    /// Least.
    pub min: Option<f64>,
    /// Greatest.
    pub max: Option<f64>,
}

/// Similarities that decided the bundles: each one's `pos_sim` and `max_neg_sim`, without those of zero vectors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Similarity {
    /// 10th percentile.
    pub q10: Option<f64>,
    /// 90th percentile.
    pub q90: Option<f64>,
    /// `q90 − q10`. Near 0 the model gives everything the same similarity.
    pub spread: Option<f64>,
}

/// The state of the embedding space, from a seeded sample of the texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Space {
    /// Dimensions.
    pub dim: usize,
    /// Vectors in the sample; zero vectors are never in it.
    pub sample: usize,
    /// Mean cosine over all pairs of two different texts of the sample; null for fewer than two.
    pub mean_cosine: Option<f64>,
    /// Standard deviation of those cosines.
    pub sd_cosine: Option<f64>,
    /// Participation ratio of the unit vectors' covariance about their mean, see [`sanity()`]. 1: a line; `dim`: all
    /// directions alike; 0: one point.
    pub effective_rank: Option<f64>,
    /// Norms before normalisation, of all texts but zero and non-finite ones.
    pub norms: Spread,
}

/// Whether tier1 is easier than tier3 for this model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TierOrder {
    /// Tier1's pass rate is at least tier3's.
    AsExpected,
    /// Tier3's is higher, but the intervals overlap.
    Unclear,
    /// Tier3's is higher and the intervals do not overlap.
    Reversed,
    /// One of the two tiers is missing.
    Unknown,
}

/// A suspicion in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// Stable name: `at_chance`, `ties`, `zero_vectors`, `narrow_similarities`, `narrow_cone`, `flat_space`,
    /// `tier_order`.
    pub code: String,
    /// What was seen and what it means.
    pub message: String,
}

/// What stands beside every pass rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sanity {
    /// What guessing would pass.
    pub chance: Chance,
    /// Bundles whose positive and winning negative are exactly as similar; they failed.
    pub ties: usize,
    /// Zero and non-finite vectors.
    pub zero_vectors: ZeroVectors,
    /// Similarities that decided.
    pub similarity: Similarity,
    /// State of the space.
    pub space: Space,
    /// Whether tier1 is easier than tier3.
    pub tier_order: TierOrder,
    /// Suspicions; empty is good.
    pub warnings: Vec<Warning>,
}

/// Examines `scores` of `set` under `embeddings`, beside the pass rates in `overall` and `by_tier`.
///
/// The space's numbers come from up to 1000 texts, drawn by `seed`; where there are no more, from all. Mean and
/// deviation of the cosine are exact over all pairs of the sample. The effective rank is the participation ratio
/// `tr(C)² / tr(C²)` of the covariance `C` about the mean (P. Gao et al., bioRxiv 214262, 2017): a direction that all
/// vectors share shows in the mean cosine, and about the origin the ratio would follow from the cosines alone. It is the
/// exponential of the order-2 Rényi entropy of `C`'s normalised eigenvalues, hence at most the entropy-based effective rank
/// of O. Roy and M. Vetterli (EUSIPCO 2007), and needs no eigenvalues. A sample of n vectors shows at most n − 1, and somewhat too little when
/// the true value is not far below n.
///
/// # Panics
/// When scores and bundles, or embeddings and events, differ in number.
#[must_use]
pub fn sanity(
    set: &BundleSet,
    embeddings: &Embeddings,
    scores: &[Score],
    overall: &Summary,
    by_tier: &BTreeMap<Tier, Summary>,
    seed: u64,
) -> Sanity {
    assert_eq!(set.bundles.len(), scores.len(), "one score for each bundle is needed");
    assert_eq!(set.events.len(), embeddings.len(), "one embedding for each event is needed");
    let (similarity, space) = parallel::join(|| similarity(scores), || space(embeddings, seed));
    let mut out = Sanity {
        chance: chance(set, overall, by_tier),
        ties: scores.iter().filter(|s| s.ties()).count(),
        zero_vectors: ZeroVectors {
            items: scores.iter().filter(|s| s.zero_vector).count(),
            texts: embeddings.norms.iter().filter(|norm| !usable(**norm)).count(),
        },
        similarity,
        space,
        tier_order: tier_order(by_tier),
        warnings: Vec::new(),
    };
    out.warnings = warnings(&out, overall, by_tier);
    out
}

fn usable(norm: f32) -> bool {
    norm > 0.0 && norm.is_finite()
}

fn chance(set: &BundleSet, overall: &Summary, by_tier: &BTreeMap<Tier, Summary>) -> Chance {
    let level = |tier: Option<Tier>, summary: &Summary| {
        let bundles = set.bundles.iter().filter(|b| tier.is_none() || b.metadata.tier == tier);
        let sum: f64 = bundles.map(|b| 1.0 / (1 + b.negatives.len()) as f64).sum();
        let level = (summary.n > 0).then(|| sum / summary.n as f64);
        let at_chance = level.zip(summary.ci95.as_ref()).is_some_and(|(level, ci)| ci.low <= level);
        ChanceLevel { level, at_chance }
    };
    Chance {
        overall: level(None, overall),
        by_tier: by_tier.iter().map(|(tier, summary)| (*tier, level(Some(*tier), summary))).collect(),
    }
}

fn similarity(scores: &[Score]) -> Similarity {
    let scored = scores.iter().filter(|s| !s.zero_vector);
    let mut sims: Vec<f64> = scored.flat_map(|s| [s.pos_sim, s.max_neg_sim]).collect();
    sims.sort_unstable_by(f64::total_cmp);
    let (q10, q90) = (quantile(&sims, 0.1), quantile(&sims, 0.9));
    Similarity { q10, q90, spread: q10.zip(q90).map(|(low, high)| high - low) }
}

fn tier_order(by_tier: &BTreeMap<Tier, Summary>) -> TierOrder {
    let of = |tier| {
        let summary: &Summary = by_tier.get(&tier)?;
        Some((summary.pass_rate?, summary.ci95.as_ref()?))
    };
    match (of(Tier::Easy), of(Tier::Adversarial)) {
        (Some((easy, _)), Some((hard, _))) if easy >= hard => TierOrder::AsExpected,
        (Some((_, easy)), Some((_, hard))) if easy.high >= hard.low => TierOrder::Unclear,
        (Some(_), Some(_)) => TierOrder::Reversed,
        _ => TierOrder::Unknown,
    }
}

fn space(embeddings: &Embeddings, seed: u64) -> Space {
    let usable: Vec<usize> = (0..embeddings.len()).filter(|&i| usable(embeddings.norms[i])).collect();
    let norms = spread(usable.iter().map(|&i| f64::from(embeddings.norms[i])));
    let mut sample = Stream::new(seed, "sanity sample", 0).sample(usable.len(), SAMPLE);
    // In the order of memory, and so that a sample of everything does not depend on the seed.
    sample.sort_unstable();
    let dim = embeddings.dim;
    let mut rows: Vec<f64> = Vec::with_capacity(sample.len() * dim);
    for i in sample {
        let row = embeddings.row(usable[i]);
        let norm = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        if norm > 0.0 && norm.is_finite() {
            rows.extend(row.iter().map(|x| f64::from(*x) / norm));
        }
    }
    let n = rows.len().checked_div(dim).unwrap_or(0);
    let out = Space { dim, sample: n, norms, ..Space::default() };
    if n < 2 {
        return out;
    }
    let count = n as f64;
    let mut mean = vec![0.0; dim];
    for row in rows.chunks_exact(dim) {
        mean.iter_mut().zip(row).for_each(|(m, x)| *m += x / count);
    }
    for row in rows.chunks_exact_mut(dim) {
        row.iter_mut().zip(&mean).for_each(|(x, m)| *x -= m);
    }
    // With unit vectors u = x + m (x centred) and C the covariance: the sum of all cosines, the diagonal included, is
    // n²|m|²; the sum of their squares is n² tr(M²) with M = C + m mᵀ, so tr(M²) = tr(C²) + 2 mᵀCm + |m|⁴. Adding up
    // from centred vectors loses no digits when all vectors are nearly one.
    let (trace, square) = (rows.iter().map(|x| x * x).sum::<f64>() / count, covariance_square(&rows, n, dim));
    let m2: f64 = mean.iter().map(|m| m * m).sum();
    let along: f64 = rows.chunks_exact(dim).map(|row| dot(row, &mean).powi(2)).sum::<f64>() / count;
    let mean_cosine = (count * m2 - 1.0) / (count - 1.0);
    let mean_square = (count * (square + 2.0 * along + m2 * m2) - 1.0) / (count - 1.0);
    Space {
        mean_cosine: Some(mean_cosine),
        sd_cosine: Some((mean_square - mean_cosine * mean_cosine).max(0.0).sqrt()),
        // Equal vectors leave nothing but rounding (1e-16 squared, each): no direction at all.
        effective_rank: Some(if trace < 1e-28 * dim as f64 { 0.0 } else { trace * trace / square }),
        ..out
    }
}

/// `tr(C²)` of the covariance (divisor n) of centred `rows: [n, dim]`: the squared Frobenius norm of the smaller of
/// `XᵀX` and `XXᵀ`, over n².
fn covariance_square(rows: &[f64], n: usize, dim: usize) -> f64 {
    let transposed: Vec<f64>;
    let (side, width, data) = if n <= dim {
        (n, dim, rows)
    } else {
        transposed = parallel::map(dim, |j| rows.chunks_exact(dim).map(|row| row[j]).collect::<Vec<_>>()).concat();
        (dim, n, transposed.as_slice())
    };
    let sums = parallel::map(side, |i| {
        let (before, row) = (&data[..i * width], &data[i * width..][..width]);
        widest!({
            let mut off = 0.0;
            for other in before.chunks_exact(width) {
                off += dot(row, other).powi(2);
            }
            2.0 * off + dot(row, row).powi(2)
        })
    });
    sums.iter().sum::<f64>() / (n as f64).powi(2)
}

fn spread(numbers: impl Iterator<Item = f64> + Clone) -> Spread {
    let n = numbers.clone().count() as f64;
    if n == 0.0 {
        return Spread::default();
    }
    let mean = numbers.clone().sum::<f64>() / n;
    let variance = numbers.clone().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let (min, max) =
        numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (f64::min(low, x), f64::max(high, x)));
    Spread { mean: Some(mean), sd: Some(variance.sqrt()), min: Some(min), max: Some(max) }
}

fn warnings(sanity: &Sanity, overall: &Summary, by_tier: &BTreeMap<Tier, Summary>) -> Vec<Warning> {
    let mut out = Vec::new();
    let mut warn = |code: &str, message: String| out.push(Warning { code: code.to_owned(), message });
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut at_chance = |name: &str, chance: &ChanceLevel, summary: &Summary| {
        if let (true, Some(level), Some(rate), Some(ci)) =
            (chance.at_chance, chance.level, summary.pass_rate, &summary.ci95)
        {
            let (rate, level) = (percent(rate), percent(level));
            let (low, high) = (percent(ci.low), percent(ci.high));
            warn(
                "at_chance",
                format!(
                    "{name}: the pass rate of {rate} (95 % interval {low} to {high}) reaches what guessing gives, {level}"
                ),
            );
        }
    };
    at_chance("overall", &sanity.chance.overall, overall);
    for (tier, chance) in &sanity.chance.by_tier {
        at_chance(tier.name(), chance, &by_tier[tier]);
    }
    if sanity.ties as f64 > MANY_TIES * overall.n as f64 {
        let share = percent(sanity.ties as f64 / overall.n as f64);
        let message = format!(
            "{} bundles ({share}) are ties, and a tie fails: different texts get the same vector, as when words are \
             unknown to the tokenizer or texts are cut off early",
            sanity.ties
        );
        warn("ties", message);
    }
    if sanity.zero_vectors.items > 0 || sanity.zero_vectors.texts > 0 {
        let ZeroVectors { items, texts } = sanity.zero_vectors;
        let message = format!(
            "{texts} texts have a zero or non-finite vector; the {items} bundles with one failed, at the worst margin"
        );
        warn("zero_vectors", message);
    }
    if let (Some(spread), Some(low), Some(high)) =
        (sanity.similarity.spread, sanity.similarity.q10, sanity.similarity.q90)
        && spread < NARROW_SPREAD
    {
        let rate = overall.pass_rate.map(percent).unwrap_or_default();
        let message = format!(
            "similarities lie between {low:.6} and {high:.6} (10th to 90th percentile): the pass rate of {rate} rests \
             on differences of {spread:.1e}, which rounding or quantisation can turn around"
        );
        warn("narrow_similarities", message);
    }
    if let Some(cosine) = sanity.space.mean_cosine.filter(|c| *c > NARROW_CONE) {
        let message = format!(
            "two texts at random have cosine {cosine:.4}: all vectors lie in one narrow cone, and a fixed similarity \
             threshold will not tell texts apart"
        );
        warn("narrow_cone", message);
    }
    let flat = |rank: &f64| *rank < FLAT_RANK && sanity.space.dim >= FLAT_RANK_MIN_DIM;
    if let Some(rank) = sanity.space.effective_rank.filter(flat) {
        let dim = sanity.space.dim;
        warn("flat_space", format!("the vectors use {rank:.1} of {dim} dimensions (participation ratio)"));
    }
    let rate = |tier| by_tier.get(&tier).and_then(|s: &Summary| s.pass_rate).map(percent).unwrap_or_default();
    let (easy, hard) = (rate(Tier::Easy), rate(Tier::Adversarial));
    match sanity.tier_order {
        TierOrder::Reversed => warn(
            "tier_order",
            format!(
                "tier3 is easier than tier1 for this model ({hard} against {easy} passed): the bundles were tiered by \
                 something unlike it, so tier3 does not hold its hard cases"
            ),
        ),
        TierOrder::Unclear => warn(
            "tier_order",
            format!(
                "tier3 looks easier than tier1 for this model ({hard} against {easy} passed, intervals overlap): the \
                 bundles may have been tiered by something unlike it"
            ),
        ),
        TierOrder::AsExpected | TierOrder::Unknown => {}
    }
    out
}
