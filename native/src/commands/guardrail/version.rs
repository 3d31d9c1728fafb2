//! `crucible guardrail add-version`: appends to the versions file of a frozen eval.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::evaluation::EvalSet;
use crate::exit::Exit;
use crate::replace::refuse_overwriting;
use crate::training::describe;
use crate::{clock, output, versions};
use crucible_core::guardrails::Level;
use crucible_core::guardrails::eval_versions::EvalVersions;
use std::path::PathBuf;

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

/// Adds a version.
///
/// # Errors
/// Files that can't be read or written; an eval that was edited instead of appended to (exit status 6).
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let path = args.versions.clone().unwrap_or_else(|| versions::beside(&args.frozen_eval));
    // It is added to, so it may be there.
    refuse_overwriting(&[("--versions", &path)], &[("--frozen-eval", &args.frozen_eval)])?;
    let mut versions = if path.exists() { versions::read(&path)? } else { EvalVersions::default() };
    let EvalSet { set, hash, .. } = EvalSet::read(&args.frozen_eval)?;
    let name = args.name.clone().unwrap_or_else(|| (versions.versions.len() + 1).to_string());
    versions.add(&set, &hash, &name, &clock::now()).map_err(|finding| {
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
