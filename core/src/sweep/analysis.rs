//! What a sweep says: each condition with its uncertainty, the frontier, the choice.

use super::crossed::{Crossed, Drawn, Draws, Points};
use super::flips::{Flips, flips};
use super::pareto::{Ellipse, Hypervolume, Point, ellipse, frontier, hypervolume, knee};
use super::results::{Results, Truth};
use super::seeds_of;
use super::spread::Spread;
use crate::estimate::{Interval, holm, quantile};
use crate::guardrails::Finding;
use crate::lexical::hash;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Level of all intervals.
const LEVEL: f64 = 0.95;
/// Name of their method.
const METHOD: &str = "crossed bootstrap over seeds and groups, percentiles";
/// With fewer seeds their spread is hardly known.
const FEW_SEEDS: usize = 5;

/// What is fixed before anybody looks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Resamples.
    pub resamples: usize,
    /// Their seed.
    pub seed: u64,
    /// What the chosen condition may lose of the baseline's retention, as a share.
    pub delta: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { resamples: 2000, seed: 42, delta: 0.02 }
    }
}

/// One rate of a condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Mean over seeds.
    pub mean: f64,
    /// Standard deviation over seeds; null with one.
    pub std: Option<f64>,
    /// The lowest seed's.
    pub min: f64,
    /// The highest seed's.
    pub max: f64,
    /// Over seeds and groups of items.
    pub ci95: Interval,
    /// Standard error of the mean from groups of items alone, with these very seeds.
    pub item_error: f64,
}

/// One rate against the baseline's, both under the same seeds and on the same items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Condition less baseline.
    pub mean: f64,
    /// Over seeds and groups of items.
    pub ci95: Interval,
    /// Two-sided, from the share of resamples on the other side of 0.
    pub p: f64,
    /// The same after Holm, over both rates of all conditions.
    pub p_holm: f64,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionAnalysis {
    /// Its name.
    pub name: String,
    /// Pass rate on the frozen eval.
    pub retention: Measured,
    /// Pass rate on the organic holdout.
    pub generalisation: Measured,
    /// No other condition's means are better.
    pub on_frontier: bool,
    /// Share of resamples in which that is so.
    pub p_on_frontier: f64,
    /// Where its means may lie.
    pub ellipse: Ellipse,
    /// Retention against the baseline; null for the baseline.
    pub retention_change: Option<Difference>,
    /// Generalisation against the baseline.
    pub generalisation_change: Option<Difference>,
    /// Share of resamples that are above the baseline in both; null for the baseline.
    pub p_beats_baseline: Option<f64>,
    /// Flips against the baseline, by eval (`frozen`, `organic`).
    pub flips: BTreeMap<String, Flips>,
}

/// The condition that a rule takes, and what it is worth on items that the rule did not see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    /// Its name.
    pub condition: String,
    /// The rule.
    pub rule: String,
    /// On the half of the groups that chose it: flattered.
    pub chosen_on: Point,
    /// On the other half: what to report.
    pub headline: Point,
    /// The baseline there.
    pub baseline: Point,
    /// Interval of the headline's retention.
    pub retention_ci95: Interval,
    /// Interval of its generalisation.
    pub generalisation_ci95: Interval,
}

/// A whole sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Analysis {
    /// What retention counts.
    pub retention_of: String,
    /// What generalisation counts.
    pub generalisation_of: String,
    /// The condition that others are compared with.
    pub baseline: String,
    /// Seeds that every condition has.
    pub seeds: Vec<u64>,
    /// What was fixed beforehand.
    pub settings: Settings,
    /// In the order of the plan.
    pub conditions: Vec<ConditionAnalysis>,
    /// Names of those on the frontier, by falling retention.
    pub frontier: Vec<String>,
    /// Where the frontier bends most; null where it does not bend.
    pub knee: Option<String>,
    /// Its area.
    pub hypervolume: Hypervolume,
    /// What to take; null where the items can't be halved.
    pub choice: Option<Choice>,
    /// What a reader should know first.
    pub warnings: Vec<String>,
    /// What guardrails found, worst first, where they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<Finding>,
}

/// Analyses a sweep. `chance` is the pass rate of guessing, for retention and generalisation; `baseline` is the first
/// condition where none is named so.
#[must_use]
pub fn analyse(results: &Results, baseline: &str, chance: [f64; 2], settings: &Settings) -> Analysis {
    of_draws(results, &Draws::new(results, settings), baseline, chance, settings)
}

/// The same of resamples that are drawn.
pub(super) fn of_draws(
    results: &Results,
    Draws { crossed, points, resamples }: &Draws,
    baseline: &str,
    chance: [f64; 2],
    settings: &Settings,
) -> Analysis {
    let count = results.conditions.len();
    let base = results.place_of(baseline);
    let by_seed: Vec<Points> = seeds_of(results).iter().map(|s| crossed.points(&[*s])).collect();
    let by_items = crossed.resamples(settings.resamples.max(1), settings.seed, Drawn::Groups);
    let share =
        |holds: &dyn Fn(&Points) -> bool| resamples.iter().filter(|r| holds(r)).count() as f64 / resamples.len() as f64;
    let on = frontier(points);
    let on_again: Vec<Vec<bool>> = resamples.iter().map(|r| frontier(r)).collect();
    let measured = |c: usize, axis: usize| {
        let spread = |points: &[Points]| Spread::of(&points.iter().map(|p| p[c][axis]).collect::<Vec<_>>());
        let seeds = spread(&by_seed);
        let of = |number: fn(&Spread) -> f64| seeds.as_ref().map_or(f64::NAN, number);
        Measured {
            mean: points[c][axis],
            std: seeds.as_ref().and_then(|s| s.std),
            min: of(|s| s.min),
            max: of(|s| s.max),
            ci95: interval(resamples.iter().map(|r| r[c][axis])),
            item_error: spread(&by_items).and_then(|s| s.std).unwrap_or(0.0),
        }
    };
    let difference = |c: usize, axis: usize| {
        let of = |p: &Points| p[c][axis] - p[base][axis];
        let (low, high) = (share(&|r| of(r) <= 0.0), share(&|r| of(r) >= 0.0));
        let n = resamples.len() as f64;
        let p = (2.0 * (low.min(high) * n + 1.0) / (n + 1.0)).min(1.0);
        Difference { mean: of(points), ci95: interval(resamples.iter().map(of)), p, p_holm: p }
    };
    let mut conditions: Vec<ConditionAnalysis> = (0..count)
        .map(|c| ConditionAnalysis {
            name: results.conditions[c].clone(),
            retention: measured(c, 0),
            generalisation: measured(c, 1),
            on_frontier: on[c],
            p_on_frontier: on_again.iter().filter(|on| on[c]).count() as f64 / on_again.len() as f64,
            ellipse: ellipse(&resamples.iter().map(|r| r[c]).collect::<Vec<_>>(), LEVEL),
            retention_change: (c != base).then(|| difference(c, 0)),
            generalisation_change: (c != base).then(|| difference(c, 1)),
            p_beats_baseline: (c != base).then(|| share(&|r| (0..2).all(|axis| r[c][axis] > r[base][axis]))),
            flips: Truth::ALL
                .map(|truth| (truth.name().to_owned(), flips(&results.tables[truth as usize], base, c)))
                .into(),
        })
        .collect();
    let changes = conditions.iter_mut().flat_map(|c| [&mut c.retention_change, &mut c.generalisation_change]);
    let mut differences: Vec<&mut Difference> = changes.flatten().collect();
    let adjusted = holm(&differences.iter().map(|d| d.p).collect::<Vec<_>>());
    differences.iter_mut().zip(adjusted).for_each(|(difference, p)| difference.p_holm = p);
    let mut ends: Vec<usize> = (0..count).filter(|c| on[*c]).collect();
    ends.sort_by(|a, b| points[*b][0].total_cmp(&points[*a][0]));
    let area = |p: &Points| hypervolume(p, chance);
    let [retention_of, generalisation_of] = results.tables.each_ref().map(|t| t.what.clone());
    Analysis {
        retention_of,
        generalisation_of,
        baseline: results.conditions[base].clone(),
        seeds: results.seeds.clone(),
        settings: *settings,
        frontier: ends.iter().map(|c| results.conditions[*c].clone()).collect(),
        knee: knee(points).map(|c| results.conditions[c].clone()),
        hypervolume: Hypervolume {
            value: area(points),
            ci95: interval(resamples.iter().map(area)),
            reference: chance.into(),
        },
        choice: choose(results, base, settings),
        warnings: warnings(results, &conditions),
        guardrails: Vec::new(),
        conditions,
    }
}

/// The middle share of resamples, as large as [`LEVEL`].
pub(crate) fn interval(values: impl Iterator<Item = f64>) -> Interval {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |p: f64| quantile(&sorted, p).unwrap_or(f64::NAN);
    Interval { low: at((1.0 - LEVEL) / 2.0), high: at(f64::midpoint(1.0, LEVEL)), level: LEVEL, method: METHOD.into() }
}

/// Chooses on one half of the groups and reports on the other.
fn choose(results: &Results, base: usize, settings: &Settings) -> Option<Choice> {
    let half = |which: u64| Crossed::new(results, move |group| hash(&["half", group]) % 2 == which);
    let (choosing, reporting) = (half(0), half(1));
    if !choosing.is_sound() || !reporting.is_sound() {
        return None;
    }
    let seeds = seeds_of(results);
    let points = choosing.points(&seeds);
    let least = points[base][0] - settings.delta - 1e-12;
    let fits = (0..points.len()).filter(|c| points[*c][0] >= least);
    // Of equals the first: the baseline's neighbours in the plan.
    let best = fits.reduce(|best, c| {
        let better =
            points[c][1] > points[best][1] || (points[c][1] == points[best][1] && points[c][0] > points[best][0]);
        if better { c } else { best }
    })?;
    let report = reporting.points(&seeds);
    let resamples = reporting.resamples(settings.resamples.max(1), settings.seed, Drawn::Both);
    let of = |axis: usize| interval(resamples.iter().map(|r| r[best][axis]));
    Some(Choice {
        condition: results.conditions[best].clone(),
        rule: format!(
            "highest generalisation among those that keep retention within {} points of the baseline",
            100.0 * settings.delta
        ),
        chosen_on: points[best].into(),
        headline: report[best].into(),
        baseline: report[base].into(),
        retention_ci95: of(0),
        generalisation_ci95: of(1),
    })
}

fn warnings(results: &Results, conditions: &[ConditionAnalysis]) -> Vec<String> {
    let mut warnings = Vec::new();
    let seeds = results.seeds.len();
    if seeds == 1 {
        warnings.push("one seed: how much seeds differ is not known, and intervals are too narrow".to_owned());
    } else if seeds < FEW_SEEDS {
        warnings.push(format!("{seeds} seeds: their spread is hardly known, and intervals are too narrow"));
    }
    if !results.left_out.is_empty() {
        let seeds: Vec<String> = results.left_out.iter().map(u64::to_string).collect();
        warnings.push(format!("left out, as some condition lacks them: seeds {}", seeds.join(", ")));
    }
    let close = conditions.iter().filter(|c| c.on_frontier && c.p_on_frontier < 0.8).map(|c| c.name.as_str());
    let close: Vec<&str> = close.collect();
    if !close.is_empty() {
        warnings.push(format!("on the frontier by the means alone; resamples disagree often: {}", close.join(", ")));
    }
    warnings
}
