//! A group of scores in a few numbers: overall, by tier, by pool of tier3.

use super::resampled::{GroupIntervals, Resampling};
use super::score::Score;
use crate::data::{Bundle, BundleSet, Pool, Tier};
use crate::estimate::{Interval, quantile, wilson};
use crate::parallel;
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
    /// Intervals of margins and ranks, by resampling documents or lemmas; null with fewer than two of them.
    #[serde(default)]
    pub by_group: Option<GroupIntervals>,
}

/// A line of `evals.jsonl`: what a model that is still in training did on an eval set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepScores {
    /// Steps done.
    pub step: u64,
    /// Which truth the set stands for: `frozen` or `organic`.
    pub truth: String,
    /// All bundles.
    pub overall: Summary,
    /// The hardest tier, where the set has one.
    pub tier3: Option<Summary>,
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
            by_group: None,
        }
    }
}

impl Summary {
    /// Of the `members` among `scores`, with intervals of margins and ranks.
    ///
    /// # Panics
    /// When a member has no score or no group.
    #[must_use]
    pub fn resampled(scores: &[Score], members: &[usize], resampling: &Resampling) -> Self {
        let by_group = GroupIntervals::of(scores, members, resampling);
        Self { by_group, ..Self::of(members.iter().map(|i| &scores[*i])) }
    }
}

/// Summaries of all bundles, and of the tiers and of tier3's pools that occur. A bundle without a tier is in none.
#[derive(Clone, Debug)]
pub struct Summaries {
    /// All bundles.
    pub overall: Summary,
    /// By tier.
    pub by_tier: BTreeMap<Tier, Summary>,
    /// By pool of tier3.
    pub by_pool: BTreeMap<Pool, Summary>,
}

/// `scores[i]` belongs to `set.bundles[i]`. Margins and ranks get intervals where `resampling` is given.
///
/// # Panics
/// When there is not one score, and one group, for each bundle.
#[must_use]
pub fn summaries(set: &BundleSet, scores: &[Score], resampling: Option<&Resampling>) -> Summaries {
    assert_eq!(set.bundles.len(), scores.len(), "one score for each bundle is needed");
    let summary = |members: &[usize]| match resampling {
        Some(resampling) => Summary::resampled(scores, members, resampling),
        None => Summary::of(members.iter().map(|i| &scores[*i])),
    };
    let all: Vec<usize> = (0..scores.len()).collect();
    let (overall, (by_tier, by_pool)) = parallel::join(
        || summary(&all),
        || (of_members(set, |b| b.metadata.tier, summary), of_members(set, |b| b.metadata.pool(), summary)),
    );
    Summaries { overall, by_tier, by_pool }
}

fn of_members<K: Ord + Send>(
    set: &BundleSet,
    key: impl Fn(&Bundle) -> Option<K>,
    summary: impl Fn(&[usize]) -> Summary + Sync + Send,
) -> BTreeMap<K, Summary> {
    let mut members: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (i, bundle) in set.bundles.iter().enumerate() {
        if let Some(key) = key(bundle) {
            members.entry(key).or_default().push(i);
        }
    }
    parallel::map_into(members.into_iter().collect(), |(key, members)| (key, summary(&members))).into_iter().collect()
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
