//! `crucible guardrail add-version`: appends to the versions file of a frozen eval.

use crate::commands::eval::{now, read_set};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::training::describe;
use crate::{io, output};
use crucible_core::guardrails::Level;
use crucible_core::guardrails::eval_versions::EvalVersions;
use std::path::{Path, PathBuf};

/// A larger versions file is something else.
const MAX_BYTES: usize = 1 << 30;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The frozen eval
    #[arg(long, value_name = "FILE")]
    pub frozen_eval: PathBuf,
    /// What to call this version; without it the next number
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Its versions file; without it beside the eval: X.jsonl, X_versions.json
    #[arg(long, value_name = "FILE")]
    pub versions: Option<PathBuf>,
}

/// `X.jsonl` to `X_versions.json`.
pub(crate) fn beside(eval: &Path) -> PathBuf {
    output::beside(eval, "_versions.json")
}

/// Reads a versions file.
///
/// # Errors
/// It can't be read or is none (exit status 3).
pub(crate) fn read(path: &Path) -> CliResult<EvalVersions> {
    serde_json::from_slice(&io::read_bytes(path, MAX_BYTES)?)
        .map_err(|e| CliError::new(Exit::Data, format!("{} is no versions file: {e}", path.display())))
}

/// Adds a version.
///
/// # Errors
/// Files that can't be read or written; an eval that was edited instead of appended to (exit status 6).
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let path = args.versions.clone().unwrap_or_else(|| beside(&args.frozen_eval));
    output::refuse_overwriting("--versions", &path, &[("--frozen-eval", &args.frozen_eval)])?;
    let mut versions = if path.exists() { read(&path)? } else { EvalVersions::default() };
    let (set, hash) = read_set(&args.frozen_eval)?;
    let name = args.name.clone().unwrap_or_else(|| (versions.versions.len() + 1).to_string());
    versions.add(&set, &hash, &name, &now()).map_err(|finding| {
        let exit = if finding.level == Level::Error { Exit::Usage } else { Exit::Stopped };
        CliError::new(exit, describe(&finding))
    })?;
    output::write_json(&path, &versions)?;
    let added = versions.versions.last();
    let count = added.map_or(0, |v| v.added.len());
    let text = format!("Version {name}: {count} of {} items are new. Written: {}\n", set.bundles.len(), path.display());
    ctx.print(&added, &text)?;
    Ok(Exit::Success)
}
