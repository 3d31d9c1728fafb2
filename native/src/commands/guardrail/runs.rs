//! Crucible's own runs: one folder, or all below a results folder.

use super::boards::{self, Baselines};
use super::check::Gathered;
use crate::context::read_config;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::training::CHECKPOINT;
use crate::{guards, io};
use crucible_core::config::{Config, Guardrails, Sources, resolve};
use crucible_core::foreign::{self, EvalNames, ForeignRun};
use crucible_core::guardrails::seed_sensitivity::{self, Run};
use crucible_core::guardrails::{Finding, configuration, gradients, loss_spike, quota};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The largest list of findings that is read.
const MAX_BYTES: usize = 64 << 20;
/// The largest log of metrics that is read.
const MAX_METRICS_BYTES: usize = 1 << 30;
/// Folders below a results folder.
const DEPTH: usize = 4;

/// Whether a folder holds a run.
pub(crate) fn is_run(dir: &Path) -> bool {
    dir.join(CHECKPOINT).is_file()
        || (dir.join("config.yaml").is_file() && dir.join("metrics.jsonl").is_file())
        || (boards::in_folder(dir)[0].is_some() && dir.join("config.yaml").is_file())
}

/// Runs below a folder, in order of their names; a run is not looked into.
pub(crate) fn below(dir: &Path) -> Vec<PathBuf> {
    fn walk(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
        if is_run(dir) {
            found.push(dir.to_owned());
        } else if depth > 0
            && let Ok(entries) = std::fs::read_dir(dir)
        {
            let open = entries.flatten().filter(|e| !io::is_hidden(&e.file_name()));
            for entry in open.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())) {
                walk(&entry.path(), depth - 1, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, DEPTH, &mut found);
    found.sort();
    found
}

/// The configuration that a run wrote.
pub(crate) fn config_of(dir: &Path) -> CliResult<Option<Config>> {
    let path = dir.join("config.yaml");
    if !path.is_file() {
        return Ok(None);
    }
    let env = |_: &str| None;
    let sources = Sources { file: Some(&path), read: &read_config, env: &env, flags: &[] };
    Ok(Some(resolve(sources).map_err(CliError::from)?.config))
}

/// What a run passed of the frozen eval's hardest tier.
pub(super) struct FrozenRun {
    /// Hash of the eval's content.
    eval: String,
    passed: Run,
}

/// Judges one run: its configuration, what was found while it trained, its scoreboards.
///
/// # Errors
/// Files of the run that can't be read.
pub(super) fn judge(
    dir: &Path,
    baselines: &Baselines,
    settings: &Guardrails,
    label: &str,
    out: &mut Gathered,
) -> CliResult<(Option<Config>, Option<FrozenRun>)> {
    out.read(dir);
    let config = config_of(dir)?;
    if let Some(config) = &config {
        out.add(label, configuration::check(config));
    }
    match (guards::read_before(dir)?, &config) {
        (Some(before), _) => out.before.push((label.to_owned(), before)),
        (None, Some(config)) => out.unlooked.push((label.to_owned(), config.clone())),
        (None, None) => {}
    }
    let findings = dir.join("guardrails.json");
    if findings.is_file() {
        let found: Vec<Finding> = serde_json::from_slice(&io::read_bytes(&findings, MAX_BYTES)?)
            .map_err(|e| CliError::new(Exit::Data, format!("{}: {e}", findings.display())))?;
        let watched = [quota::RULE, loss_spike::RULE, gradients::RULE];
        let silent = watched.iter().filter(|rule| !found.iter().any(|f| f.id == rule.id));
        let silent: Vec<Finding> = silent.map(|rule| rule.ok("nothing was found while training")).collect();
        out.add(label, worst_of_each(found).into_iter().chain(silent));
    } else if dir.join("metrics.jsonl").is_file() {
        // The run is not at its end, or was stopped: what it logged speaks for it.
        out.add(label, foreign::check(&logged(&dir.join("metrics.jsonl"))?, &EvalNames::default(), settings));
    }
    let paths = boards::in_folder(dir);
    let read = boards::judge([paths[0].as_deref(), paths[1].as_deref()], baselines, settings, label, out)?;
    // What counts on the frozen truth is its hardest tier.
    let run = read[0].as_ref().map(|r| {
        let summary = r.board.by_tier.get(&crucible_core::data::Tier::Adversarial).unwrap_or(&r.board.overall);
        FrozenRun {
            eval: r.board.eval_header.content_hash.clone(),
            passed: Run { correct: summary.correct, n: summary.n },
        }
    });
    Ok((config, run))
}

/// The lines of a run's `metrics.jsonl`, each with its step. One that is still written, or was cut off, is none.
///
/// # Errors
/// The file can't be read.
pub(crate) fn metrics(path: &Path) -> CliResult<Vec<(u64, Map<String, Value>)>> {
    let line = |line: &str| {
        let line: Map<String, Value> = serde_json::from_str(line).ok()?;
        Some((line.get("step")?.as_u64()?, line))
    };
    Ok(io::read_text(path, MAX_METRICS_BYTES)?.lines().filter_map(line).collect())
}

/// Loss and gradient norm as a run logged them. JSON has no NaN: it is written as null.
fn logged(path: &Path) -> CliResult<ForeignRun> {
    let mut run = ForeignRun::default();
    for (step, line) in metrics(path)? {
        for name in ["loss", "gradient_norm"] {
            match line.get(name) {
                Some(Value::Null) => run.push(name, step, f64::NAN),
                Some(value) => value.as_f64().into_iter().for_each(|x| run.push(name, step, x)),
                None => {}
            }
        }
    }
    Ok(run)
}

/// A noisy loss spikes again and again: the first finding of each guardrail and level, and how many there were.
fn worst_of_each(found: Vec<Finding>) -> Vec<Finding> {
    let mut out: Vec<(Finding, usize)> = Vec::new();
    for finding in found {
        match out.iter_mut().find(|(f, _)| f.id == finding.id && f.level == finding.level) {
            Some((_, count)) => *count += 1,
            None => out.push((finding, 1)),
        }
    }
    let told = |(mut finding, count): (Finding, usize)| {
        if count > 1 {
            finding.message += &format!(" (the first of {count})");
        }
        finding
    };
    out.into_iter().map(told).collect()
}

/// Judges all runs below `dir`, and the seeds of each setting on one eval together.
///
/// # Errors
/// Files of a run that can't be read; a folder without runs.
pub(super) fn judge_all(dir: &Path, baselines: &Baselines, settings: &Guardrails, out: &mut Gathered) -> CliResult<()> {
    let runs = below(dir);
    if runs.is_empty() {
        let message = format!("there is no run in {} or below it", dir.display());
        return Err(CliError::new(Exit::Data, message)
            .advise("a run is a folder with a checkpoint_final.safetensors, or a config.yaml and scoreboards"));
    }
    let mut by_setting: BTreeMap<(PathBuf, String), Vec<Run>> = BTreeMap::new();
    for run in runs {
        let name = run.strip_prefix(dir).unwrap_or(&run).display().to_string();
        let label = if name.is_empty() { String::new() } else { format!("{name}: ") };
        let (_, counted) = judge(&run, baselines, settings, &label, out)?;
        // `R75_15_10/seed_42`: the setting is the folder above.
        let is_seed = run.file_name().is_some_and(|n| n.to_string_lossy().starts_with("seed_"));
        if let (Some(counted), Some(setting), true) = (counted, run.parent(), is_seed) {
            by_setting.entry((setting.to_owned(), counted.eval)).or_default().push(counted.passed);
        }
    }
    for ((setting, _), runs) in by_setting {
        let name = setting.strip_prefix(dir).ok().filter(|p| !p.as_os_str().is_empty()).unwrap_or(&setting);
        out.add("", seed_sensitivity::check(&name.display().to_string(), &runs));
    }
    Ok(())
}
