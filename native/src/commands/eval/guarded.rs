//! What guardrails say of an evaluation beside its baseline, and its line in the look ledger.

use super::Args;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::formats::counted;
use crate::ledger;
use crate::scoreboards;
use crucible_core::config::Guardrails;
use crucible_core::eval::{Item, Look, Looks, Scoreboard};
use crucible_core::guardrails::overfitting_cliff::Move;
use crucible_core::guardrails::scoreboards::{Board, both_truths, of_one, of_two};
use crucible_core::guardrails::{Report, unknown_overrides};
use crucible_core::stats::On;
use std::path::{Path, PathBuf};

/// The thresholds: only a comparison needs them, and with them a configuration that is sound.
///
/// # Errors
/// Faults of the configuration, an override that names no guardrail.
pub(super) fn settings(args: &Args, ctx: &Context) -> CliResult<Guardrails> {
    if let Some(word) = unknown_overrides(&args.guardrail_override).first() {
        let message = format!("--guardrail-override {word}: there is no such guardrail");
        return Err(CliError::usage(message).advise("give an id (G7) or a name (frozen_regression)"));
    }
    let mut settings = ctx.config()?.guardrails;
    settings.overrides.extend(args.guardrail_override.iter().cloned());
    Ok(settings)
}

/// G7, G10, G16, G17 on the new scoreboard beside the baseline, and G8 where both organic ones are given. What was found
/// and passed over goes into the scoreboard.
///
/// # Errors
/// Organic scoreboards that can't be read.
pub(super) fn judge(
    args: &Args,
    settings: &Guardrails,
    board: &mut Scoreboard,
    items: &[Item<'_>],
    baseline: (&Scoreboard, Option<&[Item<'_>]>),
) -> CliResult<Report> {
    let now = Board { board, items: Some(items) };
    let before = Board { board: baseline.0, items: baseline.1 };
    let between = of_two(before, now, On::Tier3, settings, args.allow_fingerprint_mismatch);
    // G9 has had its say before anything was scored.
    let mut findings: Vec<_> = between.findings.into_iter().filter(|f| f.id != "G9").collect();
    if let (Some(frozen), Some(organic)) = (between.moved, organic(args, settings)?) {
        findings.push(both_truths(frozen, organic, settings));
    }
    findings.extend(of_one(board, settings));
    let report = Report::judge(findings, settings.block_on_critical, &settings.overrides);
    board.guardrails.clone_from(&report.findings);
    board.overrides.extend(report.overrides.iter().cloned());
    Ok(report)
}

/// How the organic pass rate moved between the same two models.
fn organic(args: &Args, settings: &Guardrails) -> CliResult<Option<Move>> {
    let (Some(before), Some(now)) = (&args.organic_baseline, &args.organic_scoreboard) else { return Ok(None) };
    let (a, b) = (scoreboards::WithItems::read(before)?, scoreboards::WithItems::read(now)?);
    let between = of_two(a.board(), b.board(), On::Overall, settings, args.allow_fingerprint_mismatch);
    match between.moved {
        Some(moved) => Ok(Some(moved)),
        None => Err(super::mismatch(before, &between.findings[0])),
    }
}

/// Where the look at `output` is written, if anywhere.
pub(super) fn ledger_path(args: &Args, output: &Path) -> Option<PathBuf> {
    if args.no_ledger {
        return None;
    }
    args.ledger.clone().or_else(|| ledger::of_project(output))
}

/// Writes the look and says how many there were. A ledger that can't be written is a warning: the scoreboard is there.
pub(super) fn look(path: &Path, board: &Scoreboard, ctx: &Context) -> Option<String> {
    let written = ledger::append(path, &Look::of(board, "eval")).and_then(|()| ledger::read(path));
    match written {
        Ok((looks, _)) => {
            let Looks { looks, checkpoints } = Looks::at(&looks, &board.eval_header.content_hash);
            let (times, models) = (counted(looks, "time"), counted(checkpoints, "model"));
            Some(format!("This eval was looked at {times}, with {models} ({}).\n", path.display()))
        }
        Err(error) => {
            ctx.reporter.warn(format!("the look was not recorded: {error}"));
            None
        }
    }
}
