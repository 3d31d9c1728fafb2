//! Sweeps in words and tables.

use super::collect::{ANALYSIS, Collected};
use crate::table;
use crate::trials::State;
use crucible_core::guardrails::{Before, Finding, Level};
use crucible_core::printable;
use crucible_core::sweep::{Analysis, Difference, Measured, SweepScoreboard, Trial};
use std::fmt::Write as _;
use std::path::Path;

/// What a sweep found.
pub(super) fn collected(collected: &Collected, root: &Path) -> String {
    let mut text = String::new();
    if collected.finished < collected.trials {
        let _ = writeln!(text, "{} of {} trials are finished.\n", collected.finished, collected.trials);
    }
    match &collected.analysis {
        Some(analysis) => text += &frontier(analysis),
        None => {
            for (name, board) in [("frozen", &collected.frozen), ("organic", &collected.organic)] {
                if let Some(board) = board {
                    let _ = writeln!(text, "{name}:\n{}", spreads(board));
                }
            }
            if let Some(why) = collected.no_analysis.as_ref().filter(|_| collected.finished > 0) {
                let _ = writeln!(text, "No analysis of both questions: {why}.");
            }
        }
    }
    let name = if collected.analysis.is_some() { ANALYSIS } else { "" };
    let _ = writeln!(text, "\nWritten: {}", root.join(name).display());
    text
}

fn percent(x: f64) -> String {
    format!("{:.1} %", 100.0 * x)
}

fn frontier(analysis: &Analysis) -> String {
    let header = ["condition", "kept", "95 %", "new", "95 %", "kept, points", "new, points", "on frontier"];
    let mut rows = vec![header.map(str::to_owned)];
    let interval = |m: &Measured| format!("{:.1} to {:.1}", 100.0 * m.ci95.low, 100.0 * m.ci95.high);
    let mean = |m: &Measured| match m.std {
        Some(std) => format!("{} ± {:.1}", percent(m.mean), 100.0 * std),
        None => percent(m.mean),
    };
    let change = |d: &Option<Difference>| match d {
        None => "baseline".to_owned(),
        Some(d) => format!("{:+.1}{}", 100.0 * d.mean, if d.p_holm < 0.05 { " *" } else { "" }),
    };
    for c in &analysis.conditions {
        rows.push([
            c.name.clone(),
            mean(&c.retention),
            interval(&c.retention),
            mean(&c.generalisation),
            interval(&c.generalisation),
            change(&c.retention_change),
            change(&c.generalisation_change),
            format!("{}{:.0} %", if c.on_frontier { "yes, " } else { "no, " }, 100.0 * c.p_on_frontier),
        ]);
    }
    let mut text = table::aligned(&rows);
    let _ = writeln!(
        text,
        "\nkept: pass rate on {}; new: on {}. Means over {} seeds ± their standard deviation; 95 % intervals over seeds \
         and groups of items; * differs from the baseline (Holm, 5 %); on frontier: by the means, and how often by \
         resamples.",
        analysis.retention_of,
        analysis.generalisation_of,
        analysis.seeds.len()
    );
    let chance = analysis.hypervolume.reference;
    let _ = writeln!(
        text,
        "Guessing gives {} and {}. Frontier: {}. Knee: {}. Hypervolume above guessing: {:.4} ({:.4} to {:.4}).",
        percent(chance.retention),
        percent(chance.generalisation),
        printable(&analysis.frontier.join(", ")),
        printable(analysis.knee.as_deref().unwrap_or("none")),
        analysis.hypervolume.value,
        analysis.hypervolume.ci95.low,
        analysis.hypervolume.ci95.high
    );
    if let Some(choice) = &analysis.choice {
        let _ = writeln!(
            text,
            "Choice: {} ({}), made on one half of the groups; on the other half it keeps {} ({:.1} to {:.1}) and learns {} \
             ({:.1} to {:.1}), the baseline {} and {}.",
            printable(&choice.condition),
            choice.rule,
            percent(choice.headline.retention),
            100.0 * choice.retention_ci95.low,
            100.0 * choice.retention_ci95.high,
            percent(choice.headline.generalisation),
            100.0 * choice.generalisation_ci95.low,
            100.0 * choice.generalisation_ci95.high,
            percent(choice.baseline.retention),
            percent(choice.baseline.generalisation)
        );
    }
    for warning in &analysis.warnings {
        let _ = writeln!(text, "  ! {}", printable(warning));
    }
    for finding in analysis.guardrails.iter().filter(|f| f.level > Level::Ok) {
        let said = format!("{} {}: {}; {}", finding.id, finding.name, finding.message, finding.advice);
        let _ = writeln!(text, "  ! {}", printable(&said));
    }
    text
}

fn spreads(board: &SweepScoreboard) -> String {
    let mut rows = vec![["condition", "seeds", "passed", "least", "most"].map(str::to_owned)];
    for (name, condition) in &board.conditions {
        if let Some(s) = &condition.pass_rate {
            rows.push([name.clone(), s.seeds.to_string(), percent(s.mean), percent(s.min), percent(s.max)]);
        }
    }
    table::aligned(&rows)
}

/// How far the trials are.
pub(super) fn status(trials: &[Trial], states: &[State], before: &[Option<Before>]) -> String {
    let mut rows = vec![["trial", "condition", "seed", "state"].map(str::to_owned)];
    let mut finished = 0;
    for (trial, state) in trials.iter().zip(states) {
        let of = trial.config.training.steps;
        let said = match state {
            State::Waiting => "waiting".to_owned(),
            State::Running { step } => format!("running, step {step} of {of}"),
            State::Stopped { step } => format!("stopped at step {step} of {of}; it will be resumed"),
            State::Failed(failure) => format!("failed: {}", failure.message),
            State::Finished => {
                finished += 1;
                "finished".to_owned()
            }
        };
        rows.push([trial.index.to_string(), trial.condition.clone(), trial.seed.to_string(), said]);
    }
    let guardrails = found_before(trials, before);
    format!("{}\n{finished} of {} finished\n{guardrails}", table::aligned(&rows), trials.len())
}

/// What guardrails found before training, once however many trials say it.
fn found_before(trials: &[Trial], before: &[Option<Before>]) -> String {
    let mut found: Vec<(&Finding, bool, Vec<&str>)> = Vec::new();
    for (trial, before) in trials.iter().zip(before) {
        let Some(before) = before else { continue };
        for finding in before.findings.iter().filter(|f| f.level > Level::Ok) {
            let passed_over = before.overrides.iter().any(|o| o.id == finding.id && o.message == finding.message);
            match found.iter_mut().find(|(f, ..)| f.id == finding.id && f.message == finding.message) {
                Some((_, _, of)) => of.push(&trial.dir),
                None => found.push((finding, passed_over, vec![&trial.dir])),
            }
        }
    }
    let mut text = String::new();
    for (finding, passed_over, of) in found {
        let others = if of.len() > 1 { format!(" and {} more", of.len() - 1) } else { String::new() };
        let passed_over = if passed_over { ", acknowledged" } else { "" };
        let (id, name, level) = (&finding.id, &finding.name, finding.level.name());
        let _ = writeln!(text, "  ! {id} {name} [{level}{passed_over}] {}{others}: {}", of[0], finding.message);
    }
    text
}
