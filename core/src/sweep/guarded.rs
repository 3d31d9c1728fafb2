//! What guardrails say of a sweep's results: conditions at a cliff (G8), conditions whose seeds differ (G14).

use super::analysis::{Analysis, Settings, of_draws};
use super::crossed::{Draws, Points};
use super::plan::Kind;
use super::results::{Results, Table};
use crate::config::Guardrails;
use crate::estimate::quantile;
use crate::guardrails::overfitting_cliff::{self, Move};
use crate::guardrails::seed_sensitivity::{self, Run};
use crate::guardrails::{Finding, Level};

/// One-sided level of the bound on the organic rate's change.
const LEVEL: f64 = 0.95;

/// What G8 says of a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Cliff {
    /// The condition.
    pub condition: String,
    /// What it is held to.
    pub against: String,
    /// Whether it is at a cliff.
    pub finding: Finding,
}

/// [`super::analyse`] with what guardrails found, worst first, and G8 alone.
#[must_use]
pub fn judge(
    results: &Results,
    kind: Kind,
    baseline: &str,
    chance: [f64; 2],
    settings: &Settings,
    guardrails: &Guardrails,
) -> (Analysis, Vec<Cliff>) {
    let draws = Draws::new(results, settings);
    let mut analysis = of_draws(results, &draws, baseline, chance, settings);
    let cliffs = cliffs(results, &draws, kind, baseline, guardrails);
    analysis.guardrails = findings(results, &cliffs);
    analysis.guardrails.sort_by_key(|f| std::cmp::Reverse(f.level));
    (analysis, cliffs)
}

/// G14 on every condition and truth, then the cliffs in words.
pub(super) fn findings(results: &Results, cliffs: &[Cliff]) -> Vec<Finding> {
    let mut out = Vec::new();
    for table in &results.tables {
        for (condition, seeds) in results.conditions.iter().zip(&table.passes) {
            out.extend(seed_sensitivity::check(&format!("{condition}, {}", table.what), &runs(table, seeds)));
        }
    }
    out.extend(cliffs.iter().map(|cliff| {
        let mut finding = cliff.finding.clone();
        finding.message = format!("{} against {}: {}", cliff.condition, cliff.against, finding.message);
        finding
    }));
    out
}

/// G8 on every condition but the first to compare with. Steps are held to the best organic rate before them, as that is
/// the checkpoint to go back to; other conditions to the `baseline` (the first where none is named so). A cliff is at
/// most a WARNING here: to try what fails is what a sweep is for.
pub(super) fn cliffs(
    results: &Results,
    Draws { points, resamples, .. }: &Draws,
    kind: Kind,
    baseline: &str,
    guardrails: &Guardrails,
) -> Vec<Cliff> {
    let mut out = Vec::new();
    let base = results.place_of(baseline);
    for condition in 0..points.len() {
        let against = match kind {
            // Of equals the first.
            Kind::Steps => (0..condition).reduce(|a, b| if points[b][1] > points[a][1] { b } else { a }),
            _ => (condition != base).then_some(base),
        };
        let Some(against) = against else { continue };
        let moved = |axis: usize| Move {
            before: points[against][axis],
            after: points[condition][axis],
            high: Some(high(resamples, [against, condition], axis)),
        };
        let mut finding = overfitting_cliff::check(moved(0), moved(1), guardrails.cliff_rise, guardrails.cliff_fall);
        finding.level = finding.level.min(Level::Warning);
        let [condition, against] = [condition, against].map(|c| results.conditions[c].clone());
        out.push(Cliff { condition, against, finding });
    }
    out
}

fn runs(table: &Table, seeds: &[Vec<bool>]) -> Vec<Run> {
    let run = |passes: &Vec<bool>| Run { correct: passes.iter().filter(|p| **p).count(), n: table.ids.len() };
    seeds.iter().map(run).collect()
}

/// The one-sided upper bound of how far the second condition lies above the first, over seeds and groups.
fn high(resamples: &[Points], [before, after]: [usize; 2], axis: usize) -> f64 {
    let mut changes: Vec<f64> = resamples.iter().map(|r| r[after][axis] - r[before][axis]).collect();
    changes.sort_unstable_by(f64::total_cmp);
    quantile(&changes, LEVEL).unwrap_or(f64::NAN)
}
