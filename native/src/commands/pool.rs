//! `crucible pool`: files of tier3 bundles, merged, split, counted, filtered, expanded, tested again.

mod expand;
mod filter;
mod merge;
mod revalidate;
mod split;
mod stats;
mod validation;

pub use revalidate::RevalidationReport;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{self, AtomicFile, WholeFile};
use crucible_core::data::{BundleSet, hex};
use crucible_core::pools::{Counts, Manifest, OutputFile};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What to do with pools.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Merge files into one, without duplicates, with a manifest
    Merge(merge::Args),
    /// Split into a training part and a holdout, by sense
    Split(split::Args),
    /// Count bundles by pool, source, strength, danger and sense
    Stats(stats::Args),
    /// Keep the bundles for which an expression holds
    Filter(filter::Args),
    /// Make variants of legacy killers that stand several lineups
    Expand(expand::Args),
    /// Test bundles again over several lineups, and list pseudo-killers
    Revalidate(revalidate::Args),
}

/// Runs one of them.
///
/// # Errors
/// Faults in the inputs, outputs that can't be written.
pub fn run(action: &Action, ctx: &Context) -> CliResult<Exit> {
    match action {
        Action::Merge(args) => merge::run(args, ctx),
        Action::Split(args) => split::run(args, ctx),
        Action::Stats(args) => stats::run(args, ctx),
        Action::Filter(args) => filter::run(args, ctx),
        Action::Expand(args) => expand::run(args, ctx),
        Action::Revalidate(args) => revalidate::run(args, ctx),
    }
}

/// A manifest without files yet.
fn manifest(command: &str, settings: impl IntoIterator<Item = (&'static str, Value)>) -> Manifest {
    Manifest {
        command: command.to_owned(),
        crucible_version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>(),
        ..Manifest::default()
    }
}

/// A file of those `bundles` of a set: whole and on the disk, still without a name.
fn written(
    path: &Path,
    set: &BundleSet,
    bundles: impl Iterator<Item = usize> + Clone,
) -> CliResult<(WholeFile, OutputFile)> {
    let mut file = AtomicFile::create(path)?;
    set.write_some(bundles.clone(), &mut file).map_err(|e| CliError::io("write", path, &e))?;
    let mut file = file.finish()?;
    let sha256 = file.sha256()?.map(|hash| hex(&hash));
    let counts = Counts::of(bundles.map(|i| &set.bundles[i].metadata));
    Ok((file, OutputFile { path: path.display().to_string(), sha256, counts }))
}

/// Lets the files appear, the manifest last: where it is, what it speaks of is too.
fn appear(mut files: Vec<WholeFile>, manifest: &Manifest, path: Option<&Path>) -> CliResult<()> {
    if let Some(path) = path {
        files.push(AtomicFile::holding(path, output::json_text(manifest)?.as_bytes())?.finish()?);
    }
    output::appear_all(files)
}

/// "48 bundles (16 tier1_easy, 16 tier3_adversarial: 10 legacy, 6 organic)".
fn said(counts: &Counts) -> String {
    let list = |parts: Vec<String>| parts.join(", ");
    let pools = list(counts.by_pool.iter().map(|(pool, n)| format!("{n} {}", pool.name())).collect());
    let tiers = list(counts.by_tier.iter().map(|(tier, n)| format!("{n} {}", tier.name())).collect());
    let pools = if pools.is_empty() { pools } else { format!(": {pools}") };
    let tiers = if tiers.is_empty() { tiers } else { format!(" ({tiers}{pools})") };
    format!("{} bundles{tiers}", counts.bundles)
}

/// A share between 0 and 1, both excluded.
fn fraction(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("expected a share between 0 and 1, such as 0.2 for a fifth".to_owned()),
    }
}

/// Nothing would be written: an empty file of bundles is refused by every command that reads one.
fn nothing_left(message: String, advice: &str) -> CliError {
    CliError::new(Exit::Data, message).advise(advice)
}
