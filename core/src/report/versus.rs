//! Runs against each other: which ones are compared, changes against the baseline's, cliffs, dilution.

use super::build::RunInput;
use super::document::{Change, Difference, LabelledFinding, Landscape, Measure, Point, Statistic, Subset};
use super::items::Eval;
use super::landscape::{Compared, LandscapeSettings};
use super::measures::{Frame, Prepared, RunValues};
use crate::data::Pool;
use crate::guardrails::dilution;
use crate::stats::{self, Pair, PairedChange};
use crate::sweep::{Analysis, Truth};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A run's items on the evals that it was scored on.
pub(super) struct Scored {
    /// Number of its condition.
    pub(super) condition: usize,
    pub(super) seed: Option<u64>,
    pub(super) foreign: bool,
    /// Number of the eval and the items, board by board.
    pub(super) boards: Vec<(usize, Option<RunValues>)>,
}

impl Scored {
    pub(super) fn on(&self, eval: usize) -> Option<&RunValues> {
        self.boards.iter().find(|(e, _)| *e == eval)?.1.as_ref()
    }
}

type PerCondition = Vec<Vec<Compared>>;

/// Runs that are compared: those of the seeds that all conditions have; where they share none, as many as each has.
pub(super) fn compared(
    scored: &[Scored],
    conditions: usize,
    prepared: &[Vec<Option<Arc<Prepared>>>],
) -> (PerCondition, Vec<u64>, Vec<String>) {
    let of = |c: usize| {
        let mine = move |s: &&Scored| s.condition == c && !s.foreign && s.boards.iter().any(|(_, v)| v.is_some());
        scored.iter().enumerate().filter(move |(_, s)| mine(s))
    };
    let there: Vec<usize> = (0..conditions).filter(|c| of(*c).next().is_some()).collect();
    let seeds = |c: usize| -> BTreeSet<u64> { of(c).filter_map(|(_, s)| s.seed).collect() };
    let every: BTreeSet<u64> = there.iter().flat_map(|c| seeds(*c)).collect();
    let common: Vec<u64> = every.iter().copied().filter(|s| there.iter().all(|c| seeds(*c).contains(s))).collect();
    let mut warnings = Vec::new();
    if common.is_empty() && there.len() > 1 {
        warnings.push(
            "conditions share no seed: runs are compared in their order, and luck of the seeds is not taken out".into(),
        );
    } else if common.len() < every.len() {
        let left: Vec<String> = every.iter().filter(|s| !common.contains(s)).map(u64::to_string).collect();
        warnings.push(format!("left out of comparisons, as some condition lacks them: seeds {}", left.join(", ")));
    }
    let chosen = |c: usize| {
        let run = |(run, _): (usize, &Scored)| Compared { run, prepared: prepared[run].clone() };
        if common.is_empty() {
            return of(c).map(run).collect::<Vec<_>>();
        }
        common.iter().filter_map(|seed| of(c).find(|(_, s)| s.seed == Some(*seed))).map(run).collect()
    };
    ((0..conditions).map(chosen).collect(), common, warnings)
}

fn pairs(frame: &Frame, before: &RunValues, after: &RunValues, subset: Subset) -> Vec<Pair> {
    let pair = |i: usize| Pair {
        bundle_id: String::new(),
        group: frame.group[i],
        tier: frame.tier[i],
        pool: frame.pool[i],
        before: before.margin[i],
        after: after.margin[i],
    };
    (0..frame.group.len()).filter(|i| frame.holds(subset, *i)).map(pair).collect()
}

fn paired(
    frame: &Frame,
    before: &RunValues,
    after: &RunValues,
    subset: Subset,
    settings: &LandscapeSettings,
) -> Option<PairedChange> {
    let pairs = pairs(frame, before, after, subset);
    let settings = stats::Settings { resamples: settings.resamples, seed: settings.seed, ..stats::Settings::default() };
    stats::change(&pairs.iter().collect::<Vec<_>>(), &settings)
}

/// How a run's items on an eval moved against the baseline's run of the same seed, or its first.
pub(super) fn changes(
    scored: &[Scored],
    run: usize,
    eval: usize,
    baseline: Option<usize>,
    frame: &Frame,
    settings: &LandscapeSettings,
) -> Vec<Change> {
    let mine = &scored[run];
    let Some(baseline) = baseline.filter(|b| *b != mine.condition) else { return Vec::new() };
    let candidates = || scored.iter().filter(|s| s.condition == baseline && s.on(eval).is_some());
    let other = candidates().find(|s| s.seed == mine.seed && s.seed.is_some()).or_else(|| candidates().next());
    let (Some(before), Some(after)) = (other.and_then(|o| o.on(eval)), mine.on(eval)) else { return Vec::new() };
    let mut subsets = vec![Subset::All, frame.hardest()];
    subsets.dedup();
    let of = |subset| Some(Change { subset, change: paired(frame, before, after, subset, settings)? });
    subsets.into_iter().filter_map(of).collect()
}

fn eval_of(evals: &[Eval], truth: Truth) -> Option<usize> {
    evals.iter().position(|e| e.document.truth == Some(truth))
}

/// G1 of every condition whose exposures are known.
pub(super) fn diluted(runs: &[RunInput]) -> Vec<LabelledFinding> {
    let mut seen = BTreeSet::new();
    let of = |run: &RunInput| {
        let expected = &run.exposures.as_ref()?.expected;
        let looks = expected.pools.iter().find(|p| p.pool == Pool::Legacy)?.expected?;
        seen.insert(run.condition.clone())
            .then(|| LabelledFinding { place: run.condition.clone(), finding: dilution::check(looks, expected.steps) })
    };
    runs.iter().filter_map(of).collect()
}

/// Where the sweep's analysis has a number, it is that number: it stands in `pareto_analysis.json`, too.
pub(super) fn follow(of: &mut Landscape, analysis: &Analysis, axes: &[Measure], evals: &[Eval], names: &[String]) {
    let axis = |truth: Truth, subset: Subset| {
        let eval = eval_of(evals, truth)?;
        axes.iter().position(|a| a.eval == eval && a.subset == subset && a.statistic == Statistic::PassRate)
    };
    let subset = eval_of(evals, Truth::Frozen).map_or(Subset::All, |e| evals[e].frame.hardest());
    let (Some(x), Some(y)) = (axis(Truth::Frozen, subset), axis(Truth::Organic, Subset::All)) else { return };
    let number = |name: &String| names.iter().position(|n| n == name);
    for condition in &analysis.conditions {
        let Some(c) = number(&condition.name) else { continue };
        for (m, measured, change) in [
            (x, &condition.retention, &condition.retention_change),
            (y, &condition.generalisation, &condition.generalisation_change),
        ] {
            let interval = Some(measured.ci95.clone());
            of.points[c][m] = Some(Point { mean: measured.mean, std: measured.std, interval });
            let difference = |d: &crate::sweep::Difference| Difference { mean: d.mean, interval: Some(d.ci95.clone()) };
            of.differences[c][m] = change.as_ref().map(difference);
        }
    }
    let Some(plane) = of.planes.iter_mut().find(|p| (p.x, p.y) == (x, y)) else { return };
    for point in &mut plane.points {
        let Some(c) = analysis.conditions.iter().find(|c| number(&c.name) == Some(point.condition)) else { continue };
        point.on_frontier = c.on_frontier;
        point.p_on_frontier = c.p_on_frontier;
        point.p_beats_baseline = c.p_beats_baseline;
        point.ellipse = Some(c.ellipse.clone());
    }
    plane.frontier = analysis.frontier.iter().filter_map(number).collect();
    plane.knee = analysis.knee.as_ref().and_then(number);
}
