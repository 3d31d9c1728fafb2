//! Multi-lineup validation of bundles that are there already: which are killers, and which only met a rare negative.

use super::workset::Workset;
use crate::data::{BundleSet, Pool, Tier};
use crate::mining::{Cause, Miner};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a bundle turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Enough lineups pass.
    Confirmed,
    /// Too few do: it is hard for the negatives that it was given, if at all.
    PseudoKiller,
    /// It could not be tested.
    Untested,
}

/// A bundle that was looked at again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rechecked {
    /// The bundle.
    pub bundle_id: String,
    /// Its pool; none where it has no tier.
    pub pool: Option<Pool>,
    /// What it turned out to be.
    pub verdict: Verdict,
    /// Why it could not be tested.
    pub cause: Option<Cause>,
    /// New lineups that pass.
    pub passes: Option<u32>,
    /// New lineups.
    pub lineups_tested: Option<usize>,
    /// Greatest danger of the new lineups.
    pub greatest_danger: Option<f64>,
    /// Danger of its own negatives under this model.
    pub own_danger: Option<f64>,
    /// Danger that it was written with.
    pub recorded_danger: Option<f64>,
    /// Number in the set.
    #[serde(skip)]
    pub index: usize,
}

/// Bundles by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictCounts {
    /// Killers.
    pub confirmed: u64,
    /// Pseudo-killers.
    pub pseudo_killers: u64,
    /// Not tested.
    pub untested: u64,
}

/// A revalidation in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Revalidation {
    /// Bundles of tier3 (those without a tier count, too).
    pub bundles: u64,
    /// Bundles of other tiers: not looked at.
    pub other_tiers: u64,
    /// By verdict.
    pub overall: VerdictCounts,
    /// By pool; bundles without a tier are legacy.
    pub by_pool: BTreeMap<Pool, VerdictCounts>,
    /// Tested bundles whose own negatives are at least as dangerous as the threshold.
    pub own_lineup_passes: u64,
    /// Of those, the pseudo-killers: what a single lineup would have let through.
    pub own_lineup_passes_pseudo: u64,
    /// Tested bundles by new lineups that pass: 0 to all.
    pub pass_distribution: Vec<u64>,
    /// Bundles that could not be tested, by cause.
    pub untested: BTreeMap<Cause, u64>,
}

/// Tests the tier3 bundles of a set again. `miner` is over the workset's events.
#[must_use]
pub fn revalidate(
    set: &BundleSet,
    workset: &Workset,
    miner: &Miner<'_>,
    threshold: f64,
) -> (Vec<Rechecked>, Revalidation) {
    let tier3 = |tier: Option<Tier>| tier.is_none_or(|tier| tier == Tier::Adversarial);
    let looked_at: Vec<usize> = (0..set.bundles.len()).filter(|i| tier3(set.bundles[*i].metadata.tier)).collect();
    let number = |event: u32| workset.number[event as usize];
    let pair = |i: &usize| (number(set.bundles[*i].anchor), number(set.bundles[*i].positive));
    let tested = miner.test_pairs(&looked_at.iter().map(pair).collect::<Vec<_>>());

    let (lineups, min_passes) = (miner.settings().lineups, miner.settings().min_passes);
    let mut counts = Revalidation {
        bundles: looked_at.len() as u64,
        other_tiers: (set.bundles.len() - looked_at.len()) as u64,
        pass_distribution: vec![0; lineups + 1],
        ..Revalidation::default()
    };
    let mut out = Vec::with_capacity(looked_at.len());
    for (index, outcome) in looked_at.into_iter().zip(tested) {
        let bundle = &set.bundles[index];
        let negatives: Vec<u32> = bundle.negatives.iter().map(|n| number(n.event)).collect();
        let own_danger = miner.danger_of(number(bundle.anchor), number(bundle.positive), &negatives);
        let mut rechecked = Rechecked {
            bundle_id: bundle.bundle_id.clone(),
            pool: bundle.metadata.pool(),
            verdict: Verdict::Untested,
            cause: None,
            passes: None,
            lineups_tested: None,
            greatest_danger: None,
            own_danger,
            recorded_danger: bundle.metadata.danger_score,
            index,
        };
        match outcome {
            Err(cause) => {
                rechecked.cause = Some(cause);
                *counts.untested.entry(cause).or_default() += 1;
            }
            Ok(candidate) => {
                let enough = candidate.passes as usize >= min_passes;
                rechecked.verdict = if enough { Verdict::Confirmed } else { Verdict::PseudoKiller };
                rechecked.passes = Some(candidate.passes);
                rechecked.lineups_tested = Some(candidate.dangers.len());
                rechecked.greatest_danger = candidate.dangers.iter().copied().reduce(f64::max);
                counts.pass_distribution[candidate.passes as usize] += 1;
                let own_passes = own_danger.is_some_and(|danger| danger >= threshold);
                counts.own_lineup_passes += u64::from(own_passes);
                counts.own_lineup_passes_pseudo += u64::from(own_passes && !enough);
            }
        }
        let of_pool = counts.by_pool.entry(rechecked.pool.unwrap_or(Pool::Legacy)).or_default();
        for counts in [of_pool, &mut counts.overall] {
            *match rechecked.verdict {
                Verdict::Confirmed => &mut counts.confirmed,
                Verdict::PseudoKiller => &mut counts.pseudo_killers,
                Verdict::Untested => &mut counts.untested,
            } += 1;
        }
        out.push(rechecked);
    }
    (out, counts)
}
