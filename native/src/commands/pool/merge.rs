//! `crucible pool merge`.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output;
use crate::{io, table};
use crucible_core::data::{Pool, hex};
use crucible_core::pools::{Manifest, Merger};
use std::fmt::Write;
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
    /// Where the merged bundles go (.jsonl, also .gz or .zst)
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Where the manifest goes; without it beside the output: X.jsonl, X_manifest.json
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
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
    let taken: Vec<(&str, &Path)> = inputs.iter().map(|(pool, path)| (flag(*pool), *path)).collect();
    super::check_outputs(&[("--output", &args.output), ("the manifest", &manifest_path)], &taken)?;

    let mut manifest = super::manifest("pool merge", []);
    let mut merger = Merger::default();
    let mut faults = Vec::new();
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
    let (set, duplicates) = merger.finish();
    manifest.duplicates = duplicates;

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
    let mut rows = vec![["", "pool", "bundles", "kept", "duplicates"].map(str::to_owned)];
    for input in &manifest.inputs {
        let pool = input.pool.map_or("", Pool::name).to_owned();
        let numbers = [input.bundles, input.kept, input.duplicates].map(|n| n.to_string());
        let [bundles, kept, duplicates] = numbers;
        rows.push([input.path.clone(), pool, bundles, kept, duplicates]);
    }
    let mut text = table::aligned(&rows);
    for duplicate in manifest.duplicates.iter().take(3) {
        let _ = writeln!(
            text,
            "  {} ({}) says what {} ({}) says",
            duplicate.bundle_id, duplicate.at, duplicate.kept, duplicate.kept_at
        );
    }
    for written in &manifest.outputs {
        let _ = writeln!(text, "\n{} → {}", super::said(&written.counts), output.display());
    }
    let _ = writeln!(text, "Manifest: {}", manifest_path.display());
    text
}
