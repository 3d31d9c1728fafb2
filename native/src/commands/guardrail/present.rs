//! What guardrails found: for people, for a pull request, for a CI server.

use super::check::Check;
use crate::formats::{self, Case, Outcome};
use crate::table;
use crucible_core::guardrails::{Finding, Level, RULES, coverage};
use crucible_core::printable;
use std::fmt::Write;

/// All findings, the worst first, of equals in the order of guardrails.
fn sorted(check: &Check) -> Vec<&Finding> {
    let number = |f: &Finding| RULES.iter().position(|r| r.id == f.id);
    let mut findings: Vec<&Finding> = check.report.findings.iter().collect();
    findings.sort_by_key(|f| (std::cmp::Reverse(f.level), number(f)));
    findings
}

fn headline(check: &Check) -> String {
    let report = &check.report;
    let count = |level: Level| report.findings.iter().filter(|f| f.level == level).count();
    let levels = [Level::Error, Level::Severe, Level::Critical, Level::Warning, Level::Ok];
    let counts: Vec<String> = levels
        .into_iter()
        .filter(|level| count(*level) > 0)
        .map(|level| format!("{} {}", count(level), level.name()))
        .collect();
    let verdict = if report.stops { "stopped" } else { "passed" };
    let counts = if counts.is_empty() { "nothing could be checked".to_owned() } else { counts.join(", ") };
    format!("Guardrails {verdict}: {counts}. {}.", coverage(&report.findings))
}

/// What was passed over, and how often evals were looked at.
fn remarks(check: &Check) -> Vec<String> {
    let mut lines = Vec::new();
    for (what, list) in [("passed over by", &check.report.overrides), ("refused to", &check.report.refused_overrides)] {
        lines.extend(
            list.iter().map(|o| format!("{} {} was {what} {}: {}", o.id, o.name, o.acknowledged_by, o.message)),
        );
    }
    lines.extend(check.looks.iter().map(|l| {
        let (times, models) = (formats::counted(l.looks, "time"), formats::counted(l.checkpoints, "model"));
        format!("{} was looked at {times}, with {models} ({})", l.eval_path, l.fingerprint)
    }));
    lines
}

/// For people.
pub(super) fn text(check: &Check) -> String {
    let mut text = headline(check) + "\n\n";
    for f in sorted(check) {
        let label = format!("{:<8}  {:<4}", f.level.name(), f.id);
        text += &table::wrapped(&label, 16, &printable(&format!("{}: {}", f.name, f.message)));
        if !f.advice.is_empty() {
            text += &table::wrapped("", 16, &format!("→ {}", f.advice));
        }
    }
    if !check.not_run.is_empty() {
        text += "\nNot run:\n";
        for n in &check.not_run {
            text += &table::wrapped(
                &format!("          {:<4}", n.id),
                16,
                &printable(&format!("{}: {}", n.name, n.reason)),
            );
        }
    }
    let remarks = remarks(check);
    if !remarks.is_empty() {
        text.push('\n');
    }
    for line in remarks {
        text += &table::wrapped("  !", 4, &printable(&line));
    }
    text
}

/// For a pull request.
pub(super) fn markdown(check: &Check) -> String {
    let mut rows = vec![["level", "guardrail", "found", "advice"].map(str::to_owned)];
    rows.extend(
        sorted(check)
            .iter()
            .map(|f| [f.level.name().to_owned(), format!("{} {}", f.id, f.name), f.message.clone(), f.advice.clone()]),
    );
    let mut text = format!("**{}**\n\n{}\n", headline(check), formats::markdown_table(&rows));
    for n in &check.not_run {
        let _ = writeln!(
            text,
            "- {} {} not run: {}",
            n.id,
            formats::markdown_cell(&n.name),
            formats::markdown_cell(&n.reason)
        );
    }
    for line in remarks(check) {
        let _ = writeln!(text, "- {}", formats::markdown_cell(&line));
    }
    text
}

/// For a CI server: a test case a finding; those that stop fail, guardrails that could not run are skipped.
pub(super) fn junit(check: &Check) -> String {
    let acknowledged = |f: &Finding| check.report.overrides.iter().any(|o| o.id == f.id && o.message == f.message);
    let stops =
        |f: &Finding| f.level >= Level::Severe || (f.level == Level::Critical && check.blocks && !acknowledged(f));
    let mut cases: Vec<Case> = sorted(check)
        .into_iter()
        .map(|f| Case {
            name: format!("{} {}", f.id, f.name),
            outcome: if stops(f) { Outcome::Failed } else { Outcome::Passed },
            message: format!("{}: {}", f.level.name(), f.message),
            out: [f.level.name(), &f.message, &f.advice].join("\n").trim_end().to_owned(),
        })
        .collect();
    cases.extend(check.not_run.iter().map(|n| Case {
        name: format!("{} {}", n.id, n.name),
        outcome: Outcome::Skipped,
        message: n.reason.clone(),
        out: String::new(),
    }));
    formats::junit("crucible guardrail", &cases)
}
