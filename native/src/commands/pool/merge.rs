//! `crucible pool merge`.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output;
use crate::replace::Replace;
use crate::{io, table};
use crucible_core::data::{Pool, hex};
use crucible_core::pools::{Manifest, Merged, Merger, ReviewCounts, Verdicts, read_verdicts};
use serde_json::json;
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("pools").required(true).multiple(true)))]
pub struct Args {
    /// Files of the legacy pool; bundles of other tiers in them are carried along
    #[arg(long, value_name = "FILE", num_args = 1.., group = "pools")]
    pub legacy: Vec<PathBuf>,
    /// Files of mined bundles, such as the shards of one run
    #[arg(long, value_name = "FILE", num_args = 1.., group = "pools")]
    pub organic: Vec<PathBuf>,
    /// Files of variants of legacy killers
    #[arg(long, value_name = "FILE", num_args = 1.., group = "pools")]
    pub expanded: Vec<PathBuf>,
    /// A review queue of `mine --review` with verdicts: bundles with a `false_negative` are dropped
    #[arg(long, value_name = "FILE")]
    pub review: Option<PathBuf>,
    /// Organic bundles that are written, at most: those of most passes, then of most danger (the cap of `mine`)
    #[arg(long, value_name = "N")]
    pub max_output: Option<NonZeroUsize>,
    /// Where the merged bundles go (.jsonl, also .gz or .zst)
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Where the manifest goes; without it beside the output: X.jsonl, X_manifest.json
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

impl Args {
    fn inputs(&self) -> Vec<(Pool, &Path)> {
        let files = [(Pool::Legacy, &self.legacy), (Pool::Organic, &self.organic), (Pool::Expanded, &self.expanded)];
        files.into_iter().flat_map(|(pool, paths)| paths.iter().map(move |path| (pool, path.as_path()))).collect()
    }
}

/// Merges pools.
///
/// # Errors
/// All faults of all files (exit status 3), files that can't be read or written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let manifest_path = args.manifest.clone().unwrap_or_else(|| output::beside(&args.output, "_manifest.json"));
    let inputs = args.inputs();
    let mut taken: Vec<(&str, &Path)> = inputs.iter().map(|(pool, path)| (flag(*pool), *path)).collect();
    taken.extend(args.review.as_deref().map(|path| ("--review", path)));
    args.replace.check(&[("--output", &args.output), ("the manifest", &manifest_path)], &taken)?;

    let mut manifest = super::manifest("pool merge", [("max_output", json!(args.max_output))]);
    let mut faults = Vec::new();
    let mut verdicts = Verdicts::default();
    if let Some(path) = &args.review {
        let mut file = io::open_hashed(path)?;
        let name = path.display().to_string();
        match read_verdicts(file.reader(), &name) {
            Ok(found) => {
                manifest.review = Some(ReviewCounts {
                    path: name,
                    sha256: hex(&file.sha256()?),
                    false_negatives: found.false_negatives.len() as u64,
                    kept: found.kept.len() as u64,
                    open: found.open,
                    unknown: 0,
                });
                verdicts = found;
            }
            Err(of_file) => faults.push(of_file),
        }
    }
    let mut merger = Merger::new(verdicts);
    for (pool, path) in inputs {
        let mut file = io::open_hashed(path)?;
        match merger.add(pool, &path.display().to_string(), file.reader()) {
            Ok(mut input) => {
                input.sha256 = hex(&file.sha256()?);
                manifest.inputs.push(input);
            }
            Err(of_file) => faults.push(of_file),
        }
    }
    CliError::of_all(faults)?;
    let most = args.max_output.map_or(usize::MAX, NonZeroUsize::get);
    let Merged { set, duplicates, over_max_output, unknown_verdicts } = merger.finish(most);
    if set.bundles.is_empty() {
        let message = "every bundle was dropped as a false negative; nothing was written".to_owned();
        return Err(super::nothing_left(message, "look at the verdicts again"));
    }
    manifest.duplicates = duplicates;
    manifest.over_max_output = over_max_output;
    if let Some(review) = &mut manifest.review {
        review.unknown = unknown_verdicts;
    }

    let (file, written) = super::written(&args.output, &set, 0..set.bundles.len())?;
    manifest.outputs.push(written);
    super::appear(vec![file], &manifest, Some(&manifest_path))?;
    ctx.print(&manifest, &text(&manifest, &args.output, &manifest_path))?;
    Ok(Exit::Success)
}

fn flag(pool: Pool) -> &'static str {
    match pool {
        Pool::Legacy => "--legacy",
        Pool::Organic => "--organic",
        Pool::Expanded => "--expanded",
    }
}

fn text(manifest: &Manifest, output: &Path, manifest_path: &Path) -> String {
    let mut rows = vec![["", "pool", "bundles", "kept", "duplicates", "false negatives"].map(str::to_owned)];
    for input in &manifest.inputs {
        let pool = input.pool.map_or("", Pool::name).to_owned();
        let numbers = [input.bundles, input.kept, input.duplicates, input.false_negatives];
        let [bundles, kept, duplicates, false_negatives] = numbers.map(|n| n.to_string());
        rows.push([input.path.clone(), pool, bundles, kept, duplicates, false_negatives]);
    }
    let mut text = table::aligned(&rows);
    for duplicate in manifest.duplicates.iter().take(3) {
        let _ = writeln!(
            text,
            "  {} ({}) says what {} ({}) says",
            duplicate.bundle_id, duplicate.at, duplicate.kept, duplicate.kept_at
        );
    }
    if let Some(review) = &manifest.review {
        let _ = writeln!(
            text,
            "Review: {} bundles with a false negative, {} kept, {} suspects without a verdict, {} bundles not here.",
            review.false_negatives, review.kept, review.open, review.unknown
        );
    }
    if manifest.over_max_output > 0 {
        let _ = writeln!(text, "{} organic bundles are beyond --max-output.", manifest.over_max_output);
    }
    for written in &manifest.outputs {
        let _ = writeln!(text, "\n{} → {}", super::said(&written.counts), output.display());
    }
    let _ = writeln!(text, "Manifest: {}", manifest_path.display());
    text
}
