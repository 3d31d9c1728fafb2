//! What a run says of itself.

use super::args::Outputs;
use crate::context::Context;
use crate::exclude;
use crate::table;
use crucible_core::mining::{Carried, Corpus, MiningStats, WhySense};
use std::fmt::Write;
use std::path::Path;

/// In words.
fn why(why: WhySense) -> &'static str {
    match why {
        WhySense::SenseWithOneEvent => "have one event",
        WhySense::SenseWithOneText => "have one text in all their events",
    }
}

/// "12 senses have one event (such as bank#3)".
pub(super) fn left_out(corpus: &Corpus<'_>) -> String {
    let parts: Vec<String> = corpus
        .left_out()
        .iter()
        .map(|l| format!("{} senses {} (such as {})", l.senses, why(l.why), l.examples.join(", ")))
        .collect();
    parts.join("; ")
}

/// What is likely wrong.
pub(super) fn warn(stats: &MiningStats, ctx: &Context) {
    let tested: u64 = stats.pass_distribution.iter().sum();
    if stats.rejections.pool_too_small > 0 {
        ctx.reporter.warn(format!(
            "{} candidates have no more confusers than the {} negatives of a lineup: every lineup would be the same",
            stats.rejections.pool_too_small, stats.parameters.negatives_per_lineup
        ));
    }
    if stats.zero_vectors > 0 {
        ctx.reporter.warn(format!("{} events have a zero vector: they are never used", stats.zero_vectors));
    }
    if stats.written == 0 {
        ctx.reporter.warn("no candidate was accepted; the output is empty");
    }
    if let Some(null) = &stats.null {
        let passing: u64 = stats.pass_distribution.iter().skip(stats.parameters.min_passes).sum();
        if tested > 0 && null.rate.is_some_and(|rate| passing as f64 >= rate * tested as f64) {
            ctx.reporter
                .warn("no fewer candidates pass than with shuffled labels: to this model the labels say nothing");
        }
    }
}

/// What was kept of the review queue that was there.
pub(super) fn carried(carried: Carried, path: &Path, ctx: &Context) {
    let Carried { lines, gone } = carried;
    if lines > 0 {
        let path = path.display();
        let gone = if gone > 0 {
            format!("; {gone} of them are of bundles that are not suspected now")
        } else {
            String::new()
        };
        ctx.reporter.note(format!("{path}: {lines} lines with verdicts or notes were kept{gone}"));
    }
}

/// Where the time went.
pub(super) fn seconds(stats: &MiningStats) -> String {
    let s = &stats.seconds;
    format!(
        "seconds: {:.3} to read, {:.3} to embed, {:.3} to prepare, {:.3} to search, {:.3} to validate, {:.3} for the \
         null, {:.3} to write",
        s.read, s.embed, s.prepare, s.search, s.validate, s.null, s.write
    )
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

/// The statistics for people.
pub(super) fn text(stats: &MiningStats, outputs: &Outputs) -> String {
    let mut out = format!(
        "{} of {} candidates accepted ({}) from {} of {} senses\n",
        stats.accepted,
        stats.candidates_tested,
        percent(stats.pass_rate),
        stats.senses_tested,
        stats.senses
    );
    if let Some(exclusion) = &stats.excluded {
        out += &exclude::said(exclusion);
    }
    for threshold in &stats.thresholds {
        let how = threshold.calibration.as_ref().map_or_else(String::new, |c| {
            format!(" (the {} quantile of {} bundles of the existing tier3)", c.quantile, c.bundles)
        });
        let _ = writeln!(out, "  threshold {:.4}{how}, by {}", threshold.value, threshold.model);
    }
    let strength = &stats.pass_strength;
    let _ = writeln!(
        out,
        "  written by pass strength: {} ultra, {} mid, {} low{}",
        strength.ultra,
        strength.mid,
        strength.low,
        if strength.weak > 0 { format!(", {} weak", strength.weak) } else { String::new() }
    );
    let r = &stats.rejections;
    let mut rows = vec![["rejected".to_owned(), "candidates".to_owned()]];
    for (count, cause) in [
        (r.too_few_passes, "too few lineups passed"),
        (r.repeated_senses, "the same senses as a better one"),
        (r.known_pair, "pair in the existing tier3"),
        (r.known_senses, "senses in the existing tier3"),
        (r.near_duplicate_pair, "anchor and positive nearly the same text"),
        (r.no_confuser, "no confuser"),
        (r.pool_too_small, "too few confusers"),
        (r.zero_vector, "zero vector"),
    ] {
        if count > 0 {
            rows.push([cause.to_owned(), count.to_string()]);
        }
    }
    out += &table::aligned(&rows);
    let header = ["lineups passed", "candidates", "with shuffled labels"].map(str::to_owned);
    let mut rows = vec![header];
    let total = |passes: &[u64]| passes.iter().sum::<u64>();
    let cell = |passes: &[u64], i: usize| match total(passes) {
        0 => "-".to_owned(),
        all => format!("{:.1} %", 100.0 * passes[i] as f64 / all as f64),
    };
    let null = stats.null.as_ref().map_or(&[][..], |n| &n.passes);
    // Of many lineups, the ends are enough to see the shape.
    let shown = |i: &usize| stats.parameters.lineups <= 20 || i.is_multiple_of(stats.parameters.lineups.div_ceil(10));
    for i in (0..=stats.parameters.lineups).filter(shown) {
        rows.push([i.to_string(), cell(&stats.pass_distribution, i), cell(null, i)]);
    }
    out += &table::aligned(&rows);
    if let Some(null) = &stats.null {
        let _ = writeln!(
            out,
            "Shuffled labels: {} of {} candidates would be accepted ({}).",
            null.accepted,
            null.candidates,
            percent(null.rate)
        );
    }
    for model in &stats.agreement {
        let _ = writeln!(out, "{} accepts {} of them, too.", model.model, percent(model.share));
    }
    if let Some(rate) = stats.candidates_per_second {
        let _ = writeln!(out, "{rate:.0} candidates per second of search and validation.");
    }
    let mut written = vec![format!("{} ({} bundles)", outputs.bundles.display(), stats.written)];
    written.extend(outputs.quarantine.as_ref().map(|p| format!("{} ({} bundles)", p.display(), stats.quarantined)));
    let suspects = stats.suspects.unwrap_or(0);
    written.extend(outputs.review.as_ref().map(|p| format!("{} ({suspects} suspects)", p.display())));
    written.push(outputs.stats.display().to_string());
    let _ = writeln!(out, "Written: {}", written.join(", "));
    out
}
