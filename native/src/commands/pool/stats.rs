//! `crucible pool stats`.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::{io, table};
use crucible_core::data::stream_bundles;
use crucible_core::pools::{PoolStats, StatsBuilder, StatsGroup};
use std::fmt::Write;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files of bundles (.jsonl, also .gz or .zst), counted together
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// Counts.
///
/// # Errors
/// All faults of all files (exit status 3), a file that can't be read.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let mut stats = StatsBuilder::default();
    let mut faults = Vec::new();
    for path in &args.files {
        let take = &mut |_, bundle| {
            stats.push(&bundle);
            Ok(())
        };
        faults.extend(stream_bundles(&mut *io::open(path)?, &path.display().to_string(), take).err());
    }
    CliError::of_all(faults)?;
    let stats = stats.finish();
    ctx.print(&stats, &text(&stats))?;
    Ok(Exit::Success)
}

fn text(stats: &PoolStats) -> String {
    let mut groups = vec![("all".to_owned(), &stats.overall)];
    groups.extend(stats.by_tier.iter().map(|(tier, group)| (tier.name().to_owned(), group)));
    groups.extend(stats.by_pool.iter().map(|(pool, group)| (format!("  {}", pool.name()), group)));

    let mut rows =
        vec![["", "bundles", "senses", "lemmas", "anchors", "repeated pairs", "duplicates"].map(str::to_owned)];
    let count = |(name, g): &(String, &StatsGroup)| {
        let numbers = [g.senses as u64, g.lemmas as u64, g.anchors as u64, g.repeated_pairs, g.duplicates];
        let [senses, lemmas, anchors, pairs, duplicates] = numbers.map(|n| n.to_string());
        [name.clone(), g.bundles.to_string(), senses, lemmas, anchors, pairs, duplicates]
    };
    rows.extend(groups.iter().map(count));
    let mut text = table::aligned(&rows);
    if stats.without_tier > 0 {
        let _ = writeln!(text, "{} bundles have no tier.", stats.without_tier);
    }

    let mut rows =
        vec![["danger", "n", "least", "10 %", "25 %", "median", "75 %", "90 %", "greatest"].map(str::to_owned)];
    for (name, group) in &groups {
        let Some(d) = &group.danger else { continue };
        let [min, q10, q25, median, q75, q90, max] =
            [d.min, d.q10, d.q25, d.median, d.q75, d.q90, d.max].map(|x| format!("{x:.4}"));
        rows.push([name.clone(), d.n.to_string(), min, q10, q25, median, q75, q90, max]);
    }
    text += &section(&rows);

    let mut rows = vec![["passes of 10", "ultra 8-10", "mid 5-7", "low 2-4", "weak 0-1", "unknown"].map(str::to_owned)];
    for (name, group) in &groups {
        let s = &group.strength;
        if s.unknown < group.bundles {
            let [ultra, mid, low, weak, unknown] = [s.ultra, s.mid, s.low, s.weak, s.unknown].map(|n| n.to_string());
            rows.push([name.clone(), ultra, mid, low, weak, unknown]);
        }
    }
    text += &section(&rows);

    let mut rows = vec![["source", "bundles"].map(str::to_owned)];
    rows.extend(stats.overall.by_source.iter().map(|(source, n)| [source.clone(), n.to_string()]));
    text += &section(&rows);
    let mut rows = vec![["negatives from", "number"].map(str::to_owned)];
    rows.extend(stats.overall.negatives.iter().map(|(source, n)| [source.clone(), n.to_string()]));
    text + &section(&rows)
}

/// A table below another; nothing for one that has a head alone.
fn section<const N: usize>(rows: &[[String; N]]) -> String {
    if rows.len() < 2 { String::new() } else { format!("\n{}", table::aligned(rows)) }
}
