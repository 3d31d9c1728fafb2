//! What a sweep is asked before its first training: hours later would be too late.

use super::Planned;
use super::collect::ANALYSIS;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::evaluation::{EvalSet, eval_sets};
use crate::exit::Exit;
use crate::training::{self, MayStop};
use crate::trials::{self, Found, PLAN, State, board_name, found_key};
use crate::{io, lock, output, webhook};
use crucible_core::config::nearest;
use crucible_core::data::{BundleSet, read_bundles};
use crucible_core::guardrails::{Before, Finding, Level};
use crucible_core::sweep::{Trial, Truth};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Whoever writes the plan or runs its trials holds this lock in the sweep's folder. `crucible trial run` does not: many of
/// them may work on one plan.
const LOCK: &str = ".sweep.lock";

/// Takes the sweep's folder for this process.
///
/// # Errors
/// Another sweep works there (exit status 1).
pub(super) fn lock(root: &Path) -> CliResult<File> {
    output::create_folder(root)?;
    lock::take(&root.join(LOCK))?.ok_or_else(|| {
        CliError::new(Exit::Error, format!("{}: another sweep works in this folder", root.display()))
            .advise("wait for it (`crucible sweep status` tells how far it is), or choose another --output-dir")
    })
}

/// The same question where the answer costs nothing: before data is read.
///
/// # Errors
/// As [`lock`].
pub(super) fn refuse_running(root: &Path) -> CliResult<()> {
    if root.join(LOCK).exists() { lock(root).map(drop) } else { Ok(()) }
}

/// Whether a baseline is one of the conditions that a plan's trials count for.
///
/// # Errors
/// It is none (exit status 2).
pub(super) fn baseline(name: Option<&str>, trials: &[Trial]) -> CliResult<()> {
    let Some(name) = name else { return Ok(()) };
    let mut known: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    for evaluation in trials.iter().flat_map(Trial::evaluations) {
        if seen.insert(evaluation.condition.clone()) {
            known.push(evaluation.condition);
        }
    }
    if seen.contains(name) {
        return Ok(());
    }
    let advice = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}? The conditions are {}", known.join(", ")),
        None => format!("one of {}", known.join(", ")),
    };
    Err(CliError::usage(format!("--baseline {name}: no such condition")).advise(advice))
}

/// Looks at all that the trials need and have not used yet: outputs, eval sets, guardrails over the data.
///
/// # Errors
/// Outputs that can't be written, eval sets that can't be read, a guardrail that stops (6).
pub(super) fn look(planned: &Planned, trains_here: bool, ctx: &Context) -> CliResult<Found> {
    for name in [PLAN.to_owned(), ANALYSIS.to_owned(), board_name(Truth::Frozen), board_name(Truth::Organic)] {
        output::check_writable(&planned.root.join(name))?;
    }
    let mut open = Vec::new();
    for trial in &planned.trials {
        if trials::state(&planned.root, trial)? != State::Finished {
            open.push(trial);
        }
    }
    evals(&open)?;
    if !trains_here {
        // Guardrails look where trials run: the machine that jobs are submitted from is made for less.
        return Ok(Found::new());
    }
    let found = found(&open, ctx);
    judge(planned, &found, ctx)?;
    Ok(found)
}

fn evals(open: &[&Trial]) -> CliResult<()> {
    let mut read = BTreeSet::new();
    for trial in open {
        let ready = training::ready(&trial.config);
        for (_, path) in eval_sets(&trial.config) {
            if read.insert(format!("{path}\n{ready:?}")) {
                EvalSet::read(Path::new(path))?.with_vectors(ready.as_ref())?;
            }
        }
    }
    Ok(())
}

/// What guardrails say of each condition. Bundles that can't be read are left to their trials: one condition's stop no other.
fn found(open: &[&Trial], ctx: &Context) -> Found {
    let mut out = Found::new();
    let mut last: Option<(&str, Option<BundleSet>)> = None;
    for trial in open {
        let Some(path) = trial.config.data.bundles.as_deref() else { continue };
        let key = found_key(&trial.config);
        if out.iter().rev().any(|(known, _)| *known == key) {
            continue;
        }
        if last.as_ref().is_none_or(|(known, _)| *known != path) {
            let set = io::open(Path::new(path)).ok().and_then(|mut file| read_bundles(&mut file, path).ok());
            last = Some((path, set));
        }
        if let Some((_, Some(set))) = &last {
            out.push((key, Arc::new(training::find_before(&trial.config, set, ctx))));
        }
    }
    out
}

/// Tells what was found, once however many conditions say it.
fn judge(planned: &Planned, found: &Found, ctx: &Context) -> CliResult<()> {
    let Some(first) = planned.trials.first() else { return Ok(()) };
    let may_stop = MayStop::in_sweep(&first.config);
    let decide =
        |(_, before): &(String, Arc<_>)| training::decide_before(Before::clone(before), &first.config, may_stop);
    let decided: Vec<_> = found.iter().map(decide).collect();
    let stops = decided.iter().any(Result::is_err);
    let mut told: Vec<Finding> = Vec::new();
    for finding in found.iter().flat_map(|(_, before)| &before.findings).filter(|f| f.level > Level::Ok) {
        if !told.iter().any(|t| t.id == finding.id && t.message == finding.message) {
            ctx.reporter.warn(training::describe(finding));
            told.push(finding.clone());
        }
    }
    webhook::tell(planned.caller.guardrails.webhook.as_deref(), "sweep", &told, stops, &ctx.reporter);
    decided.into_iter().find_map(Result::err).map_or(Ok(()), Err)
}
