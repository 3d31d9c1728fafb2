//! How one group of paired items moved: pass rate, flips, margins.

use super::{Pair, Verdict, mcnemar_exact, sign_flip, tango};
use crate::estimate::{BCA_BY_GROUP, Interval, bca, normal_quantile, replicates};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is fixed before anybody looks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Margin δ of the non-inferiority test, as a share of bundles (0.02: two points).
    pub delta: f64,
    /// Level of the one-sided bounds of the change.
    pub level: f64,
    /// Resamples of the bootstrap, and draws of signs.
    pub resamples: usize,
    /// Of both.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { delta: 0.02, level: 0.95, resamples: 2000, seed: 42 }
    }
}

/// One-sided bounds of a change: each holds at `level` by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bounds {
    /// Lower.
    pub low: f64,
    /// Upper.
    pub high: f64,
    /// Level of each.
    pub level: f64,
    /// How they were computed.
    pub method: String,
}

/// How margins moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MarginChange {
    /// Mean of `after − before`, in cosine units.
    pub mean: f64,
    /// Two-sided interval, resampled by group; null with a single group.
    pub ci95: Option<Interval>,
    /// Two-sided p-value of flipping the signs of groups.
    pub p_sign_flip: f64,
}

/// How a group of bundles moved from the baseline to the candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairedChange {
    /// Bundles in both.
    pub n: usize,
    /// Groups (lemmas or documents) among them.
    pub groups: usize,
    /// The baseline's pass rate.
    pub baseline: f64,
    /// The candidate's pass rate.
    pub candidate: f64,
    /// `candidate − baseline`.
    pub change: f64,
    /// One-sided bounds of the change: the verdict's.
    pub bounds: Bounds,
    /// Bundles that passed before and fail now.
    pub lost: usize,
    /// Bundles that failed before and pass now.
    pub gained: usize,
    /// Exact two-sided McNemar test of the flips; it takes bundles for independent.
    pub p_mcnemar: f64,
    /// Variance of the change by groups over that of independent bundles; null where nothing flipped.
    pub design_effect: Option<f64>,
    /// Of the margins.
    pub margin: MarginChange,
    /// PASS, FAIL or INCONCLUSIVE.
    pub verdict: Verdict,
    /// Passed, yet the upper bound is below 0: there is a drop, smaller than δ.
    pub small_real_drop: bool,
    /// Where the verdict is INCONCLUSIVE: about how many bundles like these would decide it if the change stays what it is.
    pub items_to_decide: Option<u64>,
}

/// Sums over one group.
#[derive(Clone, Copy, Default)]
struct Sums {
    n: f64,
    change: f64,
    margin: f64,
}

impl std::ops::Add for Sums {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { n: self.n + other.n, change: self.change + other.change, margin: self.margin + other.margin }
    }
}

/// Measures `pairs`; none for no pairs.
///
/// Each bound of the change is the outer one of two: that of Tango's score interval, which knows that few flips say
/// little, and that of a BCa bootstrap over groups, which knows that bundles of a group resemble each other.
#[must_use]
pub fn change(pairs: &[&Pair], settings: &Settings) -> Option<PairedChange> {
    let n = pairs.len();
    if n == 0 {
        return None;
    }
    let count = |flipped: fn(&Pair) -> bool| pairs.iter().filter(|p| flipped(p)).count();
    let (lost, gained) = (count(Pair::lost), count(Pair::gained));
    let passed = |margin: fn(&Pair) -> f64| pairs.iter().filter(|p| margin(p) > 0.0).count() as f64 / n as f64;
    let estimate = (gained as f64 - lost as f64) / n as f64;
    let sums = by_group(pairs);
    let resampled = |of: fn(Sums) -> f64, purpose: &str, estimate: f64| {
        let whole = sums.iter().fold(Sums::default(), |a, b| a + *b);
        let left_out: Vec<f64> = sums
            .iter()
            .map(|s| of(Sums { n: whole.n - s.n, change: whole.change - s.change, margin: whole.margin - s.margin }))
            .collect();
        let drawn = |drawn: &[u32]| of(drawn.iter().fold(Sums::default(), |a, g| a + sums[*g as usize]));
        bca(estimate, replicates(sums.len(), settings.resamples, settings.seed, purpose, drawn), &left_out)
    };
    let z = normal_quantile(settings.level);
    let (mut low, mut high) = tango(lost, gained, n, z);
    let by_groups = resampled(|s| s.change / s.n, "paired change", estimate);
    if let Some(by_groups) = &by_groups {
        low = low.min(by_groups.bound(1.0 - settings.level));
        high = high.max(by_groups.bound(settings.level));
    }
    let discordance = (lost + gained) as f64 / n as f64;
    let independent = (discordance - estimate * estimate) / n as f64;
    let design_effect =
        by_groups.as_ref().filter(|_| independent > 0.0).map(|b| b.standard_error().powi(2) / independent);
    let mean = sums.iter().map(|s| s.margin).sum::<f64>() / n as f64;
    let margins = resampled(|s| s.margin / s.n, "paired margins", mean);
    let verdict = Verdict::of(estimate, low, high, settings.delta);
    let method = if by_groups.is_some() { "outer of tango, bca_by_group" } else { "tango" };
    Some(PairedChange {
        n,
        groups: sums.len(),
        baseline: passed(|p| p.before),
        candidate: passed(|p| p.after),
        change: estimate,
        bounds: Bounds { low, high, level: settings.level, method: method.to_owned() },
        lost,
        gained,
        p_mcnemar: mcnemar_exact(lost, gained),
        design_effect,
        margin: MarginChange {
            mean,
            ci95: margins.map(|m| Interval {
                low: m.bound(0.025),
                high: m.bound(0.975),
                level: 0.95,
                method: BCA_BY_GROUP.to_owned(),
            }),
            p_sign_flip: sign_flip(
                &sums.iter().map(|s| s.margin).collect::<Vec<_>>(),
                settings.resamples,
                settings.seed,
            ),
        },
        verdict,
        small_real_drop: verdict == Verdict::Pass && high < 0.0,
        items_to_decide: (verdict == Verdict::Inconclusive)
            .then(|| items_to_decide(n, estimate, low, high, settings.delta))
            .flatten(),
    })
}

/// Sums of the groups that occur, in order of their numbers.
fn by_group(pairs: &[&Pair]) -> Vec<Sums> {
    let mut groups: BTreeMap<u32, Sums> = BTreeMap::new();
    for pair in pairs {
        let change = f64::from(u8::from(pair.gained())) - f64::from(u8::from(pair.lost()));
        let sums = groups.entry(pair.group).or_default();
        *sums = *sums + Sums { n: 1.0, change, margin: pair.after - pair.before };
    }
    groups.into_values().collect()
}

/// Bounds come nearer by the root of the number of items: how many it takes until one of them leaves −δ or 0 behind.
fn items_to_decide(n: usize, change: f64, low: f64, high: f64, delta: f64) -> Option<u64> {
    let (width, room) = if change < -delta { (high - change, -change) } else { (change - low, change + delta) };
    let factor = (width / room).powi(2);
    // On the border itself no number decides.
    (room > 0.0 && factor < 1e9).then(|| (n as f64 * factor).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(group: u32, before: f64, after: f64) -> Pair {
        Pair { bundle_id: String::new(), group, tier: None, pool: None, before, after }
    }

    /// `n` pairs in groups of `together`; those at `lost` and `gained` flip.
    fn pairs(n: u32, together: u32, lost: std::ops::Range<u32>, gained: std::ops::Range<u32>) -> Vec<Pair> {
        let flip = |i| match i {
            i if lost.contains(&i) => (0.1, -0.1),
            i if gained.contains(&i) => (-0.1, 0.1),
            _ => (0.1, 0.2),
        };
        (0..n).map(|i| (i / together, flip(i))).map(|(group, (before, after))| pair(group, before, after)).collect()
    }

    fn measure(pairs: &[Pair]) -> PairedChange {
        change(&pairs.iter().collect::<Vec<_>>(), &Settings::default()).expect("there are pairs")
    }

    #[test]
    fn nothing_is_measured_of_nothing() {
        assert_eq!(change(&[], &Settings::default()), None);
    }

    #[test]
    fn no_flips_pass_only_with_enough_items() {
        let few = measure(&pairs(100, 1, 0..0, 0..0));
        // −z² / (n + z²) with z = 1.645 is −2.6 points.
        assert_eq!((few.verdict, few.change, few.p_mcnemar), (Verdict::Inconclusive, 0.0, 1.0));
        assert!((few.bounds.low + 0.0263).abs() < 1e-4, "{few:?}");
        let needed = few.items_to_decide.expect("some number decides");
        assert!((130..=175).contains(&needed), "{needed}");
        assert_eq!(measure(&pairs(1000, 1, 0..0, 0..0)).verdict, Verdict::Pass);
    }

    #[test]
    fn a_large_drop_fails_and_a_small_one_is_named() {
        let large = measure(&pairs(1000, 1, 0..60, 60..70));
        assert_eq!((large.verdict, large.lost, large.gained), (Verdict::Fail, 60, 10));
        let small = measure(&pairs(4000, 1, 0..40, 40..50));
        assert_eq!((small.verdict, small.small_real_drop), (Verdict::Pass, true), "{small:?}");
    }

    #[test]
    fn flips_of_one_group_say_less_than_flips_of_many() {
        // The same 60 losses of 1,000: spread over groups of ten, or six whole groups.
        let spread: Vec<Pair> =
            pairs(1000, 1, 0..60, 0..0).into_iter().zip(0..).map(|(p, i)| Pair { group: i % 100, ..p }).collect();
        let together = pairs(1000, 10, 0..60, 0..0);
        let (spread, together) = (measure(&spread), measure(&together));
        assert_eq!((spread.groups, together.groups), (100, 100));
        assert!(together.bounds.low < spread.bounds.low - 0.01, "{together:?} {spread:?}");
        assert!(together.design_effect > Some(5.0) && spread.design_effect < Some(1.5), "{together:?} {spread:?}");
    }
}
