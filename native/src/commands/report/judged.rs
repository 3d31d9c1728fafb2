//! What the analysis of a sweep and the guardrails say of a folder.

use super::gather::Found;
use crate::commands::guardrail::check;
use crate::commands::sweep::collect;
use crate::context::Context;
use crate::error::CliResult;
use crate::io;
use crucible_core::config::Guardrails;
use crucible_core::guardrails::Finding;
use crucible_core::report::{LabelledFinding, RunInput, View};
use crucible_core::sweep::{
    Analysis, Cliff, Kind, Outcome, Results, Settings, Truth, analyse, cliffs, findings as of_sweep,
};
use std::path::Path;

/// The largest analysis of a sweep.
const MAX_ANALYSIS_BYTES: usize = 64 << 20;

/// What the sweep itself said of its trials.
///
/// # Errors
/// A file that can't be read.
pub(super) fn read_analysis(dir: &Path) -> CliResult<Option<Analysis>> {
    let path = dir.join(collect::ANALYSIS);
    if !path.is_file() {
        return Ok(None);
    }
    // One of another version is made anew, not read.
    Ok(serde_json::from_slice(&io::read_bytes(&path, MAX_ANALYSIS_BYTES)?).ok())
}

/// The analysis of both questions together, as `crucible sweep` makes it.
///
/// # Errors
/// Why there is none.
pub(super) fn analysis(
    found: &Found,
    baseline: Option<&str>,
    resamples: Option<u32>,
    earlier: Option<&Analysis>,
) -> Result<(Analysis, Vec<Cliff>), String> {
    let runs = &found.runs;
    let of = |run: &RunInput, truth: Truth| run.boards.iter().find(|b| b.truth == Some(truth))?.items.clone();
    let outcomes: Vec<Outcome> = runs
        .iter()
        .filter(|run| !run.foreign)
        .filter_map(|run| {
            let items = [of(run, Truth::Frozen)?, of(run, Truth::Organic)?];
            Some(Outcome { condition: run.condition.clone(), seed: run.seed.unwrap_or(0), items })
        })
        .collect();
    let results = Results::new(&outcomes).map_err(|e| e.to_string())?;
    if results.conditions.len() < 2 {
        return Err("there is one condition only".to_owned());
    }
    let boards = |truth: Truth| {
        let of = runs.iter().flat_map(|r| &r.boards).filter(move |b| b.truth == Some(truth));
        of.map(|b| &b.scoreboard).next()
    };
    let chance = collect::chance(boards(Truth::Frozen), boards(Truth::Organic));
    // As many resamples as the sweep itself took, so that its numbers are these.
    let default = Settings::default();
    let resamples = match resamples {
        Some(resamples) => resamples as usize,
        None => earlier.map_or(default.resamples, |a| a.settings.resamples),
    };
    let settings = Settings { resamples, ..default };
    let mut analysis = analyse(&results, baseline.unwrap_or_default(), chance, &settings);
    let limits = runs.iter().find_map(|r| r.config.as_ref()).map(|c| c.guardrails.clone()).unwrap_or_default();
    let kind = found.sweep.unwrap_or(Kind::Ablation);
    let base = analysis.baseline.clone();
    analysis.guardrails = of_sweep(&results, kind, &base, &settings, &limits);
    analysis.guardrails.sort_by_key(|f| std::cmp::Reverse(f.level));
    Ok((analysis, cliffs(&results, kind, &base, &settings, &limits)))
}

/// What guardrails say of the folder. A report is no check: what can't be judged is left out, with a word.
pub(super) fn findings(
    dir: &Path,
    view: View,
    places: &[String],
    ctx: &Context,
) -> (Vec<LabelledFinding>, Vec<String>) {
    if view == View::Scoreboards {
        return (Vec::new(), vec!["guardrails look at runs; here are scoreboards alone".to_owned()]);
    }
    match check::of_folder(dir, &Guardrails::default()) {
        Ok((findings, not_run)) => {
            // The check puts the run's name before its words.
            let labelled = |mut finding: Finding| {
                let named = places.iter().filter(|p| finding.message.starts_with(&format!("{p}: ")));
                let place = named.max_by_key(|p| p.len()).cloned().unwrap_or_default();
                if !place.is_empty() {
                    finding.message.replace_range(..place.len() + 2, "");
                }
                LabelledFinding { place, finding }
            };
            let silent = not_run.into_iter().map(|n| format!("{} {}: {}", n.id, n.name, n.reason));
            (findings.into_iter().map(labelled).collect(), silent.collect())
        }
        Err(error) => {
            ctx.reporter.warn(format!("guardrails could not look: {error}"));
            (Vec::new(), vec![format!("guardrails could not look: {}", error.message)])
        }
    }
}
