//! A comparison for people, for a pull request, for a CI server.

use crate::commands::eval::percent;
use crate::formats::{self, Case, Outcome};
use crate::table;
use crucible_core::printable;
use crucible_core::stats::{Comparison, PairedChange, Verdict};
use std::fmt::Write;

/// Flips that are named in a text; the document has all.
const NAMED: usize = 10;

/// All groups with their names, the headline's first word being what the verdict is about.
fn groups(c: &Comparison) -> impl Iterator<Item = (String, &PairedChange)> {
    let tiers = c.by_tier.iter().map(|(tier, change)| (tier.name().to_owned(), change));
    let pools = c.by_pool.iter().map(|(pool, change)| (format!("  {}", pool.name()), change));
    std::iter::once(("overall".to_owned(), &c.overall)).chain(tiers).chain(pools)
}

fn points(share: f64) -> String {
    format!("{:+.1}", 100.0 * share)
}

fn rows(c: &Comparison) -> Vec<[String; 8]> {
    let bounds = format!("{:.0} % bounds", 100.0 * c.settings.level);
    let head = ["", "n", "before", "now", "points", &bounds, "lost, gained", "verdict"];
    let mut rows = vec![head.map(str::to_owned)];
    for (name, change) in groups(c) {
        rows.push([
            name,
            change.n.to_string(),
            percent(Some(change.baseline)),
            percent(Some(change.candidate)),
            points(change.change),
            format!("{} to {}", points(change.bounds.low), points(change.bounds.high)),
            format!("{}, {}", change.lost, change.gained),
            change.verdict.name().to_owned(),
        ]);
    }
    rows
}

/// The verdict in a sentence or two.
fn sentence(c: &Comparison) -> String {
    let (change, delta) = (c.headline(), 100.0 * c.settings.delta);
    let low = points(change.bounds.low);
    let mut text = match c.verdict {
        Verdict::Pass => format!("the drop, if any, is smaller than {delta:.1} points (lower bound {low})"),
        Verdict::Fail => format!(
            "it fell by {:.1} points, more than the {delta:.1} that are allowed, and not by chance (upper bound {})",
            -100.0 * change.change,
            points(change.bounds.high)
        ),
        Verdict::Inconclusive => format!("these bundles do not decide whether it fell by {delta:.1} points or more"),
    };
    if change.small_real_drop {
        text += "; a small drop is real all the same";
    }
    if let Some(items) = change.items_to_decide {
        let _ = write!(text, "; about {items} like them would, if the change stays what it is");
    }
    format!("{} on {}: {text}.", c.verdict.name(), c.verdict_on)
}

/// Below the table: tests, conditions, flips by name, warnings.
fn remarks(c: &Comparison) -> Vec<String> {
    let change = c.headline();
    let margin = &change.margin;
    let interval = margin.ci95.as_ref().map_or_else(String::new, |ci| {
        format!(", {:.0} % interval {:+.4} to {:+.4}", 100.0 * ci.level, ci.low, ci.high)
    });
    let mut lines = vec![format!(
        "On {}: exact McNemar p = {}; margins moved by {:+.4}{interval}, sign-flip p = {}; {} groups{}.",
        c.verdict_on,
        p_value(change.p_mcnemar),
        margin.mean,
        p_value(margin.p_sign_flip),
        change.groups,
        change.design_effect.map_or_else(String::new, |d| format!(", design effect {d:.2}"))
    )];
    for (what, ids) in [("Lost", &c.lost), ("Gained", &c.gained)] {
        if !ids.is_empty() {
            let more = ids.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more (--format json has all)") } else { String::new() };
            lines.push(format!("{what}: {}{more}.", ids[..ids.len().min(NAMED)].join(", ")));
        }
    }
    lines.extend(c.conditions.iter().map(|d| format!("{}: {} before, {} now.", d.name, d.baseline, d.candidate)));
    lines
}

fn p_value(p: f64) -> String {
    if p < 0.001 { format!("{p:.0e}") } else { format!("{p:.3}") }
}

/// For people.
pub(super) fn text(c: &Comparison) -> String {
    let (candidate, baseline) = (printable(&c.candidate.checkpoint.path), printable(&c.baseline.checkpoint.path));
    let mut text = format!("{candidate} against {baseline}\n\n{}\n", table::wrapped("", 0, &sentence(c)));
    text += &table::aligned(&rows(c));
    text.push('\n');
    for line in remarks(c) {
        text += &table::wrapped("", 0, &printable(&line));
    }
    for warning in &c.warnings {
        text += &table::wrapped("  !", 4, &printable(warning));
    }
    text
}

/// For a pull request.
pub(super) fn markdown(c: &Comparison) -> String {
    let cell = formats::markdown_cell;
    let mut text = format!("**{}**\n\n{}", cell(&sentence(c)), formats::markdown_table(&rows(c)));
    text.push('\n');
    for line in remarks(c).iter().chain(&c.warnings) {
        let _ = writeln!(text, "- {}", cell(line));
    }
    text
}

/// For a CI server: a test case a group; that of the verdict fails or is skipped with it, the others only inform.
pub(super) fn junit(c: &Comparison) -> String {
    let case = |(name, change): (String, &PairedChange)| {
        let name = name.trim().to_owned();
        let outcome = match c.verdict {
            Verdict::Fail if name == c.verdict_on => Outcome::Failed,
            Verdict::Inconclusive if name == c.verdict_on => Outcome::Skipped,
            _ => Outcome::Passed,
        };
        let (low, high) = (points(change.bounds.low), points(change.bounds.high));
        let out = format!("{} points, bounds {low} to {high}, {}", points(change.change), change.verdict.name());
        Case { name, outcome, message: sentence(c), out }
    };
    formats::junit("crucible compare", &groups(c).map(case).collect::<Vec<_>>())
}
