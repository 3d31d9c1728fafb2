//! A group of scores in a few numbers: overall, by tier, by pool of tier3.

use super::interval::{Interval, wilson};
use super::score::Score;
use crate::data::{BundleSet, Pool, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Pass rate, margins and ranks of a group. All but `n` and `correct` are null for an empty group.
///
/// Bundles with a zero vector count in every number, with the worst margin and rank (see [`Score`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Bundles.
    pub n: usize,
    /// Bundles that passed (margin > 0).
    pub correct: usize,
    /// The same as `pass_rate`.
    pub accuracy: Option<f64>,
    /// `correct / n`, 0 to 1.
    pub pass_rate: Option<f64>,
    /// Mean margin, in cosine units.
    pub mean_margin: Option<f64>,
    /// Median margin.
    pub median_margin: Option<f64>,
    /// 10th percentile of the margin.
    pub q10_margin: Option<f64>,
    /// 90th percentile of the margin.
    pub q90_margin: Option<f64>,
    /// Mean rank of the positive, from 1.
    pub mean_rank: Option<f64>,
    /// Interval of the pass rate.
    pub ci95: Option<Interval>,
}

impl Summary {
    /// Condenses `scores`, in any order but summed in the given one.
    #[must_use]
    pub fn of<'a>(scores: impl IntoIterator<Item = &'a Score>) -> Self {
        let (mut margins, mut ranks) = (Vec::new(), 0u64);
        for score in scores {
            margins.push(score.margin);
            ranks += u64::from(score.rank);
        }
        if margins.is_empty() {
            return Self::default();
        }
        let n = margins.len();
        let correct = margins.iter().filter(|m| **m > 0.0).count();
        let rate = Some(correct as f64 / n as f64);
        let mean_margin = Some(margins.iter().sum::<f64>() / n as f64);
        margins.sort_unstable_by(f64::total_cmp);
        Self {
            n,
            correct,
            accuracy: rate,
            pass_rate: rate,
            mean_margin,
            median_margin: quantile(&margins, 0.5),
            q10_margin: quantile(&margins, 0.1),
            q90_margin: quantile(&margins, 0.9),
            mean_rank: Some(ranks as f64 / n as f64),
            ci95: wilson(correct, n),
        }
    }
}

/// Summaries of the tiers that occur. `scores[i]` belongs to `set.bundles[i]`; a bundle without a tier is in none.
#[must_use]
pub fn summaries_by_tier(set: &BundleSet, scores: &[Score]) -> BTreeMap<Tier, Summary> {
    grouped(set, scores, |i| set.bundles[i].metadata.tier)
}

/// Summaries of the pools that occur in tier3.
#[must_use]
pub fn summaries_by_pool(set: &BundleSet, scores: &[Score]) -> BTreeMap<Pool, Summary> {
    grouped(set, scores, |i| set.bundles[i].metadata.pool())
}

fn grouped<K: Ord>(set: &BundleSet, scores: &[Score], key: impl Fn(usize) -> Option<K>) -> BTreeMap<K, Summary> {
    assert_eq!(set.bundles.len(), scores.len(), "one score for each bundle is needed");
    let mut groups: BTreeMap<K, Vec<&Score>> = BTreeMap::new();
    for (i, score) in scores.iter().enumerate() {
        if let Some(key) = key(i) {
            groups.entry(key).or_default().push(score);
        }
    }
    groups.into_iter().map(|(key, group)| (key, Summary::of(group))).collect()
}

/// The quantile `q` (0 to 1) of ascending `sorted`, by linear interpolation between order statistics: numpy's default,
/// method 7 of Hyndman and Fan (The American Statistician 50 (1996) 361–365). None when empty.
#[must_use]
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = last as f64 * q.clamp(0.0, 1.0);
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    let share = at - at.floor();
    // From the nearer end, as numpy does: the result never leaves [low, high].
    Some(if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(margin: f64, rank: u32) -> Score {
        Score { margin, rank, pos_sim: margin, max_neg_sim: 0.0, winner: 0, zero_vector: false }
    }

    #[test]
    fn an_empty_group_has_counts_only() {
        let empty = Summary::of(&[]);
        assert_eq!((empty.n, empty.correct, empty.pass_rate, empty.ci95), (0, 0, None, None));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn numbers_of_a_small_group() {
        let scores = [score(0.4, 1), score(-0.2, 3), score(0.0, 1), score(0.1, 1)];
        let s = Summary::of(&scores);
        assert_eq!((s.n, s.correct, s.pass_rate, s.mean_rank), (4, 2, Some(0.5), Some(1.5)));
        let close =
            |got: Option<f64>, want: f64| assert!((got.expect("n > 0") - want).abs() < 1e-12, "{got:?}, {want}");
        close(s.mean_margin, 0.075);
        close(s.median_margin, 0.05);
        // numpy.quantile([-.2, 0, .1, .4], [.1, .9])
        close(s.q10_margin, -0.14);
        close(s.q90_margin, 0.31);
        assert_eq!(Summary::of(&scores[..1]).q10_margin, Some(0.4));
    }
}
