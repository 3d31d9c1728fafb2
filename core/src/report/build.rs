//! From runs with their scoreboards and items to the document.

use super::columns::Column;
use super::document::{Board, Cliff, LabelledFinding, Measure, Report, Run, SectionKind, TrainingPoint, VERSION, View};
use super::items::{Eval, worst_first};
use super::landscape::{LandscapeSettings, landscape, ranges};
use super::measures::{Prepared, RunValues, measures};
use super::sections::{conditions, roundings, sections};
use super::texts::MAX_TEXT_BYTES;
use super::versus::{Scored, changes, compared, diluted, follow};
use crate::config::Config;
use crate::curriculum::exposure::RunExposures;
use crate::data::BundleSet;
use crate::eval::{Item, Scoreboard};
use crate::guardrails::Level;
use crate::sweep::{Analysis, Cliff as SweepCliff, Kind, Truth};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One scoreboard of a run.
pub struct BoardInput {
    /// `frozen`, `organic`, or another name of the eval.
    pub name: String,
    /// Which question it answers.
    pub truth: Option<Truth>,
    /// As it was written.
    pub scoreboard: Scoreboard,
    /// Its items, where they are there.
    pub items: Option<Vec<Item<'static>>>,
}

/// One run, or a run at one step.
pub struct RunInput {
    /// Its condition.
    pub condition: String,
    /// Its seed.
    pub seed: Option<u64>,
    /// The step of a sweep over steps.
    pub step: Option<u64>,
    /// Its folder or file, below the results folder.
    pub place: String,
    /// What it was trained by.
    pub config: Option<Config>,
    /// What it was scored on.
    pub boards: Vec<BoardInput>,
    /// Expected and real exposures.
    pub exposures: Option<RunExposures>,
    /// Its course.
    pub training: Vec<TrainingPoint>,
    /// It comes from outside the folder, to compare with.
    pub foreign: bool,
}

/// The texts of an eval, or why there are none.
pub type EvalTexts = BTreeMap<String, Result<BundleSet, String>>;

/// All that goes into a report.
pub struct Input {
    /// The results folder's name.
    pub title: String,
    /// What lay there.
    pub view: View,
    /// What a sweep is about.
    pub sweep: Option<Kind>,
    /// Finished trials, and all.
    pub trials: Option<[usize; 2]>,
    /// Parts that are wanted; all when empty.
    pub wanted: Vec<SectionKind>,
    /// The condition that others are compared with; the first when none is named.
    pub baseline: Option<String>,
    /// Runs: those of one condition together, in the plan's order.
    pub runs: Vec<RunInput>,
    /// Texts by the eval's content hash.
    pub texts: EvalTexts,
    /// The sweep's analysis, or why there is none.
    pub analysis: Result<Analysis, String>,
    /// What guardrail G8 says of steps, or of conditions against the baseline.
    pub cliffs: Vec<SweepCliff>,
    /// What guardrails found.
    pub findings: Vec<LabelledFinding>,
    /// Guardrails that had nothing to look at.
    pub not_run: Vec<String>,
    /// What a reader should know first.
    pub warnings: Vec<String>,
    /// How much is computed.
    pub settings: LandscapeSettings,
}

/// Puts the document together.
#[must_use]
pub fn build(input: Input) -> Report {
    let wants = |kind: SectionKind| input.wanted.is_empty() || input.wanted.contains(&kind);
    // Items are what is large: they come along only where something shows them.
    let with_items = wants(SectionKind::Pareto) || wants(SectionKind::MarginDist);
    let mut warnings = input.warnings;
    let names = condition_names(&input.runs);
    let named = input.baseline.as_ref().and_then(|name| names.iter().position(|n| n == name));
    let baseline = named.or((names.len() > 1).then_some(0));
    let (mut evals, scored) = gather(&input.runs, &names, &mut warnings);
    if with_items {
        add_texts(&mut evals, &scored, &input.texts);
    }
    let axes: Vec<Measure> =
        evals.iter().enumerate().flat_map(|(e, eval)| measures(&eval.document.name, e, &eval.frame)).collect();
    let prepared: Vec<Vec<Option<Arc<Prepared>>>> = scored.iter().map(|run| prepare(&axes, &evals, run)).collect();
    let (per_condition, seeds, said) = compared(&scored, names.len(), &prepared);
    let groups: Vec<usize> = evals.iter().map(|e| e.frame.groups).collect();
    let landscape = landscape(&axes, &groups, &per_condition, baseline, &input.settings).map(|mut of| {
        of.seeds = seeds;
        of.warnings = said;
        if let Ok(analysis) = &input.analysis {
            follow(&mut of, analysis, &axes, &evals, &names);
        }
        of
    });
    let number = |name: &String| names.iter().position(|n| n == name);
    let cliff =
        |c: SweepCliff| Some(Cliff { from: number(&c.against)?, to: number(&c.condition)?, finding: c.finding });
    let real = input.cliffs.into_iter().filter(|c| c.finding.level > Level::Ok);
    let cliffs = real.filter_map(cliff).collect();
    let conditions = conditions(&input.runs, &names);
    let mut findings = input.findings;
    findings.extend(diluted(&input.runs));
    let of_run = |(number, run): (usize, RunInput)| {
        let boards = run.boards.into_iter().enumerate().filter_map(|(at, board)| {
            let mut made = of_board(board, &scored[number].boards[at], &mut evals, with_items)?;
            let mine = (0..axes.len()).filter(|m| axes[*m].eval == made.eval);
            let pairs: Option<Vec<_>> = mine.map(|m| Some((&axes[m], prepared[number][m].clone()?))).collect();
            made.values = ranges(&pairs.unwrap_or_default(), &made.scoreboard, &input.settings);
            made.changes = changes(&scored, number, made.eval, baseline, &evals[made.eval].frame, &input.settings);
            Some(made)
        });
        Run {
            boards: boards.collect(),
            condition: scored[number].condition,
            seed: run.seed,
            place: run.place,
            exposures: run.exposures,
            training: run.training,
        }
    };
    let runs: Vec<Run> = input.runs.into_iter().enumerate().map(of_run).collect();
    let evals: Vec<_> = evals.into_iter().map(|e| e.finished(with_items)).collect();
    let found = |silent: &str| findings.iter().any(|f| silent.starts_with(&format!("{} ", f.finding.id)));
    let not_run = input.not_run.into_iter().filter(|n| !found(n)).collect();
    let mut report = Report {
        report_version: VERSION,
        crucible_version: env!("CARGO_PKG_VERSION").to_owned(),
        title: input.title,
        view: input.view,
        sweep: input.sweep,
        trials: input.trials,
        sections: Vec::new(),
        baseline,
        roundings: roundings(&evals, with_items),
        evals,
        conditions,
        runs,
        measures: axes,
        landscape,
        no_analysis: input.analysis.as_ref().err().cloned(),
        analysis: input.analysis.ok(),
        cliffs,
        findings,
        not_run,
        warnings,
    };
    report.sections = sections(&report, &wants);
    report
}

fn condition_names(runs: &[RunInput]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for run in runs {
        if !names.contains(&run.condition) {
            names.push(run.condition.clone());
        }
    }
    names
}

/// Sets items of all runs side by side, eval by eval.
fn gather(runs: &[RunInput], names: &[String], warnings: &mut Vec<String>) -> (Vec<Eval>, Vec<Scored>) {
    let mut evals: Vec<Eval> = Vec::new();
    // Those with items first: they say what the items are.
    let mut boards: Vec<&BoardInput> = runs.iter().flat_map(|r| &r.boards).collect();
    boards.sort_by_key(|b| (b.truth.map_or(2, |t| t as usize), b.items.is_none()));
    for board in boards {
        if !evals.iter().any(|e| e.is_of(board)) {
            let same = evals.iter().filter(|e| e.base == board.name).count();
            let name = if same == 0 { board.name.clone() } else { format!("{} ({})", board.name, same + 1) };
            evals.push(Eval::new(name, board));
        }
    }
    let scored = runs.iter().map(|run| {
        let boards = run.boards.iter().map(|board| {
            let eval = evals.iter().position(|e| e.is_of(board)).unwrap_or(0);
            let values = board.items.as_deref().and_then(|items| {
                let ordered = evals[eval].ordered(items);
                if ordered.is_none() {
                    warnings.push(format!("{}: its {} items are others than the rest's", run.place, board.name));
                }
                Some(RunValues::of(&ordered?))
            });
            (eval, values)
        });
        Scored {
            boards: boards.collect(),
            condition: names.iter().position(|n| *n == run.condition).unwrap_or(0),
            seed: run.seed,
            foreign: run.foreign,
        }
    });
    let scored = scored.collect();
    (evals, scored)
}

fn add_texts(evals: &mut [Eval], scored: &[Scored], texts: &EvalTexts) {
    for (number, eval) in evals.iter_mut().enumerate() {
        match texts.get(&eval.document.content_hash) {
            Some(Ok(set)) if !eval.document.ids.is_empty() => {
                let margins: Vec<&[f64]> =
                    scored.iter().filter_map(|s| Some(s.on(number)?.margin.as_slice())).collect();
                let order = worst_first(&margins, eval.document.ids.len());
                eval.add_texts(set, &order, MAX_TEXT_BYTES);
            }
            Some(Err(why)) => eval.document.no_texts = Some(why.clone()),
            _ => {}
        }
    }
}

/// A run's items by measure; subsets are shared by their statistics.
fn prepare(axes: &[Measure], evals: &[Eval], run: &Scored) -> Vec<Option<Arc<Prepared>>> {
    let mut made = BTreeMap::new();
    let of = |axis: &Measure| {
        let values = run.on(axis.eval)?;
        let of = made
            .entry((axis.eval, axis.subset))
            .or_insert_with(|| Arc::new(Prepared::new(&evals[axis.eval].frame, axis.subset, values)));
        Some(Arc::clone(of))
    };
    axes.iter().map(of).collect()
}

/// A scoreboard and its items, packed; values and changes are left for the caller.
fn of_board(
    board: BoardInput,
    (eval, values): &(usize, Option<RunValues>),
    evals: &mut [Eval],
    with_items: bool,
) -> Option<Board> {
    let of = evals.get_mut(*eval)?;
    let ordered = if with_items && values.is_some() { of.ordered(board.items.as_deref()?) } else { None };
    let cosines = |of: fn(&Item<'static>) -> f64| ordered.as_ref().map(|o| Column::cosines(o.iter().map(|i| of(i))));
    let (margin, pos_sim) = (cosines(|i| i.margin), cosines(|i| i.pos_sim));
    let rank = ordered.as_ref().map(|o| Column::counts(&o.iter().map(|i| i.rank).collect::<Vec<_>>()));
    let winner = ordered.as_ref().map(|o| of.winners(o));
    let mut scoreboard = board.scoreboard;
    shorten(&mut scoreboard.eval_header.eval_path);
    shorten(&mut scoreboard.checkpoint.path);
    let (values, changes) = (Vec::new(), Vec::new());
    Some(Board { eval: *eval, scoreboard, values, margin, pos_sim, rank, winner, changes })
}

/// Reports are sent around: where on whose disk a file lay is nobody's business.
pub(super) fn shorten(path: &mut String) {
    let absolute = path.starts_with(['/', '\\']) || path.get(1..2) == Some(":");
    if absolute && let Some(name) = path.rsplit(['/', '\\']).find(|part| !part.is_empty()) {
        *path = name.to_owned();
    }
}
