//! `crucible capsule list`.

use super::archive;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::{io, table};
use crucible_core::capsule::{Git, Metadata};
use std::fmt::Write;
use std::path::PathBuf;

const HELP: &str = "\
Reads metadata.json alone, which comes first in a capsule; whether it is true is what `capsule verify` finds out.

    crucible capsule list first.capsule.tar.zst
    crucible capsule list first.capsule.tar.zst --json";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The capsule (.tar.zst)
    #[arg(value_name = "FILE")]
    pub capsule: PathBuf,
}

/// Lists a capsule.
///
/// # Errors
/// It is none (exit status 3).
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let metadata = archive::read_metadata(&args.capsule, io::open_raw(&args.capsule)?)?;
    ctx.print(&metadata, &text(&metadata))?;
    Ok(Exit::Success)
}

/// The files in a table, then what else is known.
pub(super) fn text(metadata: &Metadata) -> String {
    let mut rows = vec![["", "kind", "bytes", "SHA-256"].map(str::to_owned)];
    for file in &metadata.files {
        let hash = file.sha256.get(..16).unwrap_or_default();
        rows.push([file.path.clone(), file.kind.name().to_owned(), file.size.to_string(), hash.to_owned()]);
    }
    let mut text = table::aligned(&rows);
    let checkpoint = &metadata.checkpoint;
    let _ = writeln!(
        text,
        "\n{} files, {}; seed {}, {} steps, trained by Crucible {}{}, packed by {}",
        metadata.files.len(),
        io::human_bytes(usize::try_from(metadata.total_bytes()).unwrap_or(usize::MAX)),
        checkpoint.seed,
        checkpoint.step,
        shown(&checkpoint.crucible_version),
        metadata.device.as_ref().map(|d| format!(" on {}", shown(d))).unwrap_or_default(),
        shown(&metadata.crucible_version),
    );
    if let Some(trial) = &metadata.trial {
        let _ = writeln!(text, "Trial: {}", shown(trial));
    }
    if let Some(Git { commit, dirty }) = &metadata.git {
        let _ = writeln!(text, "Git: {}{}", shown(commit), if *dirty { ", with changes" } else { "" });
    }
    if let Some(when) = &metadata.packed_at {
        let _ = writeln!(text, "Packed at: {}", shown(when));
    }
    let place = |packed: &Option<String>| packed.as_ref().map_or_else(|| "not packed".to_owned(), |path| shown(path));
    if let Some(bundles) = &metadata.bundles {
        let hash = shown(bundles.source_hash.get(..16).unwrap_or_default());
        let _ = writeln!(text, "Bundles: {} of {hash} ({})", bundles.bundles, place(&bundles.packed));
    }
    for eval in &metadata.evals {
        let (board, fingerprint) = (shown(&eval.scoreboard), shown(&eval.fingerprint));
        let _ = writeln!(text, "Eval of {board}: {fingerprint} ({})", place(&eval.packed));
    }
    text
}

/// A stranger's words, in one line.
fn shown(text: &str) -> String {
    crucible_core::printable(text).into_owned()
}
