//! Bundles that change sides between a condition and the baseline, beyond what another seed changes.

use super::results::Table;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ids that are listed, at most.
const LISTED: usize = 100;

/// Shares of bundles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FlipRates {
    /// Passed before, fail now.
    pub negative: f64,
    /// Failed before, pass now.
    pub positive: f64,
}

/// A condition's flips on one eval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flips {
    /// Against the baseline's run of the same seed, mean over seeds.
    pub rates: FlipRates,
    /// Between two runs of the baseline that differ in their seed alone, mean over pairs; null with one seed.
    pub floor: Option<f64>,
    /// Negative flips beyond that floor.
    pub excess: Option<f64>,
    /// Bundles that flip to failing in more than half of the seeds.
    pub persistent: usize,
    /// The first of them.
    pub persistent_ids: Vec<String>,
}

fn share(before: &[bool], after: &[bool], flipped: impl Fn(bool, bool) -> bool) -> f64 {
    let count = before.iter().zip(after).filter(|(b, a)| flipped(**b, **a)).count();
    count as f64 / before.len().max(1) as f64
}

/// Negative flips between two seeds of one condition; either order of a pair counts.
pub(super) fn floor(table: &Table, baseline: usize) -> Option<f64> {
    let runs = &table.passes[baseline];
    let mut rates = Vec::new();
    for (i, a) in runs.iter().enumerate() {
        rates.extend(runs[i + 1..].iter().map(|b| 0.5 * share(a, b, |x, y| x != y)));
    }
    (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64)
}

/// The flips of `condition` against `baseline`.
pub(super) fn flips(table: &Table, baseline: usize, condition: usize) -> Flips {
    let pairs: Vec<(&Vec<bool>, &Vec<bool>)> = table.passes[baseline].iter().zip(&table.passes[condition]).collect();
    let mean = |flipped: fn(bool, bool) -> bool| {
        pairs.iter().map(|(b, a)| share(b, a, flipped)).sum::<f64>() / pairs.len().max(1) as f64
    };
    let rates = FlipRates { negative: mean(|b, a| b && !a), positive: mean(|b, a| !b && a) };
    let floor = floor(table, baseline);
    let often = |i: &usize| 2 * pairs.iter().filter(|(b, a)| b[*i] && !a[*i]).count() > pairs.len();
    let persistent: Vec<usize> = (0..table.ids.len()).filter(often).collect();
    Flips {
        excess: floor.map(|f| rates.negative - f),
        floor,
        rates,
        persistent_ids: persistent.iter().take(LISTED).map(|i| table.ids[*i].clone()).collect(),
        persistent: persistent.len(),
    }
}
