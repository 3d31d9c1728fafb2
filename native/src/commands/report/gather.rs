//! What lies in a results folder: a sweep, runs, or scoreboards.

use super::{Args, judged, texts};
use crate::commands::guardrail::{boards, runs};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::scoreboards::WithItems;
use crate::trials::{self, PLAN, State};
use crate::{io, scoreboards};
use crucible_core::report::{BoardInput, Input, LabelledFinding, LandscapeSettings, RunInput, TrainingPoint, View};
use crucible_core::sweep::{Kind, Truth};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The largest exposures.json.
const MAX_EXPOSURES_BYTES: usize = 1 << 20;
/// Points of a run's course that are kept.
const TRAINING_POINTS: usize = 300;
/// The name of a baseline from elsewhere.
const OUTSIDE: &str = "baseline";

/// What was found.
pub(super) struct Found {
    pub(super) view: View,
    pub(super) sweep: Option<Kind>,
    trials: Option<[usize; 2]>,
    pub(super) runs: Vec<RunInput>,
    warnings: Vec<String>,
}

/// Reads a results folder.
///
/// # Errors
/// No results in it (3), files that can't be read, a baseline that is neither a condition nor a scoreboard (2).
pub(super) fn input(args: &Args, ctx: &Context) -> CliResult<Input> {
    let dir = &args.results_dir;
    if !dir.is_dir() {
        let message = format!("--results-dir {}: there is no such folder", dir.display());
        return Err(CliError::new(Exit::Data, message).advise("name the folder of a sweep, of runs, or of scoreboards"));
    }
    let mut found = if dir.join(PLAN).is_file() {
        sweep(dir)?
    } else if runs::is_run(dir) || !runs::below(dir).is_empty() {
        of_runs(dir)?
    } else {
        of_scoreboards(dir)?
    };
    let earlier = if found.view == View::Sweep { judged::read_analysis(dir)? } else { None };
    let baseline = baseline(args, &mut found)?.or_else(|| earlier.as_ref().map(|a| a.baseline.clone()));
    let default = LandscapeSettings::default();
    let settings = LandscapeSettings { resamples: args.resamples.map_or(default.resamples, |n| n as usize), ..default };
    texts::refuse_overwriting(args, found.runs.iter().flat_map(|r| &r.boards))?;
    let texts = texts::read(args, found.runs.iter().flat_map(|r| &r.boards))?;
    let (analysis, cliffs) = match judged::analysis(&found, baseline.as_deref(), args.resamples, earlier.as_ref()) {
        Ok((analysis, cliffs)) => (Ok(analysis), cliffs),
        Err(why) => (Err(why), Vec::new()),
    };
    // A checkpoint of a run is below the run, which is what guardrails name.
    let above = found.runs.iter().filter_map(|r| r.place.rsplit_once('/')).map(|(above, _)| above.to_owned());
    let places: Vec<String> = found.runs.iter().map(|r| r.place.clone()).chain(above).collect();
    let (mut findings, not_run) = judged::findings(dir, found.view, &places, ctx);
    if let Ok(analysis) = &analysis {
        // The sweep's own, over all of its trials, in the place of what was found folder by folder.
        findings.retain(|f| !analysis.guardrails.iter().any(|own| own.id == f.finding.id));
        let place = String::new;
        findings.extend(analysis.guardrails.iter().map(|f| LabelledFinding { place: place(), finding: f.clone() }));
    }
    Ok(Input {
        title: title(dir),
        view: found.view,
        sweep: found.sweep,
        trials: found.trials,
        wanted: args.kind.map(super::Type::section).into_iter().collect(),
        baseline,
        runs: found.runs,
        texts,
        analysis,
        cliffs,
        findings,
        not_run,
        warnings: found.warnings,
        settings,
    })
}

fn title(dir: &Path) -> String {
    let whole = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    whole.file_name().map_or_else(|| "results".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn sweep(dir: &Path) -> CliResult<Found> {
    let plan = trials::read(&dir.join(PLAN))?;
    let (mut runs, mut finished, mut warnings) = (Vec::new(), 0, Vec::new());
    for trial in &plan {
        let state = trials::state(dir, trial)?;
        if state != State::Finished {
            if let State::Failed(failure) = state {
                warnings.push(format!("{} failed: {}", trial.dir, failure.message));
            }
            continue;
        }
        finished += 1;
        let folder = dir.join(&trial.dir);
        let evaluations = trial.evaluations();
        let last = evaluations.len() - 1;
        for (number, evaluation) in evaluations.into_iter().enumerate() {
            let mut boards = Vec::new();
            for (truth, _) in crate::evaluation::eval_sets(&trial.config) {
                let path = dir.join(&evaluation.dir).join(trials::board_name(truth));
                boards.push(board(truth.name().to_owned(), Some(truth), &path)?);
            }
            // What a run counted and logged belongs to its end.
            let whole = number == last;
            runs.push(RunInput {
                condition: evaluation.condition,
                seed: Some(trial.seed),
                step: (trial.kind == Kind::Steps).then_some(evaluation.step),
                place: evaluation.dir,
                config: Some(trial.config.clone()),
                boards,
                exposures: if whole { exposures(&folder)? } else { None },
                training: if whole { training(&folder)? } else { Vec::new() },
                foreign: false,
            });
        }
    }
    if finished == 0 {
        let message = format!("no trial of {} has finished", dir.display());
        return Err(CliError::new(Exit::Data, message).advise("`crucible sweep status` tells how far they are"));
    }
    if finished < plan.len() {
        warnings.insert(0, format!("{finished} of {} trials are finished; the others are not here", plan.len()));
    }
    // Conditions together, in the plan's order: of a run over steps, each step is one.
    let mut order: Vec<String> = Vec::new();
    for run in &runs {
        if !order.contains(&run.condition) {
            order.push(run.condition.clone());
        }
    }
    runs.sort_by_key(|run| order.iter().position(|name| *name == run.condition));
    let sweep = plan.first().map(|t| t.kind);
    Ok(Found { view: View::Sweep, sweep, trials: Some([finished, plan.len()]), runs, warnings })
}

fn of_runs(dir: &Path) -> CliResult<Found> {
    let folders = if runs::is_run(dir) { vec![dir.to_owned()] } else { runs::below(dir) };
    let mut out = Vec::new();
    for folder in folders {
        let below = folder.strip_prefix(dir).unwrap_or(&folder).display().to_string();
        let place = if below.is_empty() { title(dir) } else { below };
        let config = runs::config_of(&folder)?;
        // `R75_15_10/seed_42`: the condition is the folder above.
        let (condition, of_name) = match place.rsplit_once('/') {
            Some((above, name)) if name.starts_with("seed_") => (above.to_owned(), name["seed_".len()..].parse().ok()),
            _ => (place.clone(), None),
        };
        let seed = of_name.or_else(|| config.as_ref()?.experiment.seeds.first().copied());
        let mut read = Vec::new();
        for (truth, path) in Truth::ALL.into_iter().zip(boards::in_folder(&folder)) {
            if let Some(path) = path {
                read.push(board(truth.name().to_owned(), Some(truth), &path)?);
            }
        }
        out.push(RunInput {
            condition,
            seed,
            step: None,
            config,
            boards: read,
            exposures: exposures(&folder)?,
            training: training(&folder)?,
            place,
            foreign: false,
        });
    }
    Ok(Found { view: View::Runs, sweep: None, trials: None, runs: out, warnings: Vec::new() })
}

fn of_scoreboards(dir: &Path) -> CliResult<Found> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| CliError::io("read", dir, &e))? {
        let path = entry.map_err(|e| CliError::io("read", dir, &e))?.path();
        if path.extension().is_some_and(|e| e == "json") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut by_model: BTreeMap<String, RunInput> = BTreeMap::new();
    let mut warnings = Vec::new();
    for path in paths {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let Ok(read) = WithItems::read(&path) else {
            warnings.push(format!("{stem}.json is no scoreboard; it is left out"));
            continue;
        };
        let (model, truth) = named(&stem);
        let name = truth.map_or_else(|| eval_name(&read.board.eval_header.eval_path), |t| t.name().to_owned());
        let input = BoardInput { name, truth, scoreboard: read.board, items: read.items };
        let run = by_model.entry(model.clone()).or_insert_with(|| RunInput {
            condition: model.clone(),
            seed: None,
            step: None,
            place: model,
            config: None,
            boards: Vec::new(),
            exposures: None,
            training: Vec::new(),
            foreign: false,
        });
        run.boards.push(input);
    }
    if by_model.is_empty() {
        let message = format!("{} holds no sweep, no run and no scoreboard", dir.display());
        return Err(CliError::new(Exit::Data, message).advise(
            "a report is made of what `crucible sweep`, `crucible train` or `crucible eval --output` left in a folder",
        ));
    }
    let runs = by_model.into_values().collect();
    Ok(Found { view: View::Scoreboards, sweep: None, trials: None, runs, warnings })
}

/// `small_frozen_scoreboard` is the model `small` on the frozen eval.
fn named(stem: &str) -> (String, Option<Truth>) {
    let rest = stem.strip_suffix("_scoreboard").unwrap_or(stem);
    for truth in Truth::ALL {
        if rest == truth.name() {
            return ("model".to_owned(), Some(truth));
        }
        for between in ['_', '-', '.'] {
            if let Some(model) = rest.strip_suffix(truth.name()).and_then(|m| m.strip_suffix(between)) {
                return (model.to_owned(), Some(truth));
            }
            if let Some(model) = rest.strip_prefix(truth.name()).and_then(|m| m.strip_prefix(between)) {
                return (model.to_owned(), Some(truth));
            }
        }
    }
    (rest.to_owned(), None)
}

fn eval_name(path: &str) -> String {
    Path::new(path).file_stem().map_or_else(|| "eval".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn board(name: String, truth: Option<Truth>, path: &Path) -> CliResult<BoardInput> {
    let WithItems { board, items } = WithItems::read(path)?;
    Ok(BoardInput { name, truth, scoreboard: board, items })
}

fn exposures(folder: &Path) -> CliResult<Option<crucible_core::curriculum::exposure::RunExposures>> {
    let path = folder.join("exposures.json");
    if !path.is_file() {
        return Ok(None);
    }
    serde_json::from_slice(&io::read_bytes(&path, MAX_EXPOSURES_BYTES)?).map(Some).map_err(|e| {
        CliError::new(Exit::Data, format!("{}: {e}", path.display())).advise("train again, or remove that file")
    })
}

/// Loss and gradients as they were logged, thinned evenly.
fn training(folder: &Path) -> CliResult<Vec<TrainingPoint>> {
    let path = folder.join("metrics.jsonl");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let point = |(step, line): (u64, Map<String, Value>)| {
        let number = |name: &str| line.get(name).and_then(Value::as_f64);
        TrainingPoint { step, loss: number("loss"), gradient_norm: number("gradient_norm") }
    };
    let points: Vec<TrainingPoint> = runs::metrics(&path)?.into_iter().map(point).collect();
    let every = points.len().div_ceil(TRAINING_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    Ok(points.into_iter().enumerate().filter(|(i, _)| i % every == 0 || *i == last).map(|(_, p)| p).collect())
}

/// The condition that others are compared with: one of those that are there, or a scoreboard from elsewhere.
fn baseline(args: &Args, found: &mut Found) -> CliResult<Option<String>> {
    let Some(wanted) = &args.baseline else { return Ok(None) };
    if found.runs.iter().any(|r| r.condition == *wanted) {
        return Ok(Some(wanted.clone()));
    }
    let path = Path::new(wanted);
    if !path.is_file() {
        let mut names: Vec<&str> = found.runs.iter().map(|r| r.condition.as_str()).collect();
        names.dedup();
        let message = format!("--baseline {wanted}: no condition and no file is called so");
        return Err(CliError::usage(message).advise(format!("one of {}, or a scoreboard", names.join(", "))));
    }
    let read = WithItems::read(path)?;
    if read.items.is_none() {
        let message =
            format!("--baseline {wanted}: its items ({}) are not there", scoreboards::items_beside(path).display());
        return Err(CliError::new(Exit::Data, message).advise("margins and flips are computed from them"));
    }
    let known = found.runs.iter().flat_map(|r| &r.boards);
    let protocol = &read.board.eval_header.protocol_hash;
    let Some(same) = known.into_iter().find(|b| b.scoreboard.eval_header.protocol_hash == *protocol) else {
        let message = format!("--baseline {wanted} was evaluated on other items or by other rules than these results");
        return Err(CliError::new(Exit::Fingerprint, message).advise("evaluate the baseline on the same eval set"));
    };
    let board = BoardInput { name: same.name.clone(), truth: same.truth, scoreboard: read.board, items: read.items };
    let mut name = OUTSIDE.to_owned();
    while found.runs.iter().any(|r| r.condition == name) {
        name.push('_');
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    found.warnings.push(format!("`{name}` is {file}, from outside this folder"));
    found.runs.push(RunInput {
        condition: name.clone(),
        seed: None,
        step: None,
        place: file,
        config: None,
        boards: vec![board],
        exposures: None,
        training: Vec::new(),
        foreign: true,
    });
    Ok(Some(name))
}
