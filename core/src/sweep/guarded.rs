//! What guardrails say of a sweep's results: conditions at a cliff (G8), conditions whose seeds differ (G14).

use super::crossed::{Crossed, Drawn, Points};
use super::plan::Kind;
use super::results::{Results, Table};
use super::{Settings, seeds_of};
use crate::config::Guardrails;
use crate::estimate::quantile;
use crate::guardrails::overfitting_cliff::{self, Move};
use crate::guardrails::seed_sensitivity::{self, Run};
use crate::guardrails::{Finding, Level};

/// One-sided level of the bound on the organic rate's change.
const LEVEL: f64 = 0.95;

/// G14 on every condition and truth, then G8 on every condition but the first to compare with. Steps are held to the best
/// organic rate before them, as that is the checkpoint to go back to; other conditions to the `baseline` (the first
/// where none is named so). A cliff is at most a WARNING here: to try what fails is what a sweep is for.
#[must_use]
pub fn findings(
    results: &Results,
    kind: Kind,
    baseline: &str,
    settings: &Settings,
    guardrails: &Guardrails,
) -> Vec<Finding> {
    let mut out = Vec::new();
    for table in &results.tables {
        for (condition, seeds) in results.conditions.iter().zip(&table.passes) {
            out.extend(seed_sensitivity::check(&format!("{condition}, {}", table.what), &runs(table, seeds)));
        }
    }
    out.extend(cliffs(results, kind, baseline, settings, guardrails).into_iter().map(|cliff| {
        let mut finding = cliff.finding;
        finding.message = format!("{} against {}: {}", cliff.condition, cliff.against, finding.message);
        finding
    }));
    out
}

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

/// G8 alone, as [`findings`] has it.
#[must_use]
pub fn cliffs(
    results: &Results,
    kind: Kind,
    baseline: &str,
    settings: &Settings,
    guardrails: &Guardrails,
) -> Vec<Cliff> {
    let mut out = Vec::new();
    let crossed = Crossed::new(results, |_| true);
    let points = crossed.points(&seeds_of(results));
    let resamples = crossed.resamples(settings.resamples.max(1), settings.seed, Drawn::Both);
    let base = results.conditions.iter().position(|c| c == baseline).unwrap_or(0);
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
            high: Some(high(&resamples, [against, condition], axis)),
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
