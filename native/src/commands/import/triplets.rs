//! `crucible import triplets`.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::replace::Replace;
use crate::{io, output, parquet_file};
use crucible_core::interchange::{Row, RowFormat, read_rows, triplets};
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads columns as sentence-transformers does (anchor, positive, negative_1, …), labelled lists, \
                        FlagEmbedding's (query, pos, neg) and Tevatron's (query, positive_passages, negative_passages)."
)]
pub struct Args {
    /// Rows (.jsonl, .csv, .tsv, also .gz or .zst; .parquet)
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// The bundles to write (JSON Lines)
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// All rows of a file, in the form that its name tells.
pub(super) fn rows(path: &Path) -> CliResult<Vec<Row>> {
    if parquet_file::is_one(path) {
        return parquet_file::rows(path);
    }
    let name = path.display().to_string();
    let format = RowFormat::of_name(&name).ok_or_else(|| {
        CliError::usage(format!("{name}: which form its rows have is told by its name"))
            .advise("name a .jsonl, .csv, .tsv or .parquet file")
    })?;
    Ok(read_rows(&mut *io::open(path)?, format, &name)?)
}

/// Writes the bundles.
///
/// # Errors
/// Faults in the input, no bundle at all, an output that can't be written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    args.replace.check(&[("--output", &args.output)], &[("--input", &args.input)])?;
    let source = args.input.display().to_string();
    let made = triplets(&rows(&args.input)?, &source).map_err(|f| parquet_file::of_rows(&args.input, f))?;
    if made.set.bundles.is_empty() {
        let message = format!("{source}: no row holds an anchor, another positive, and a negative");
        return Err(CliError::new(Exit::Data, message).advise(
            "without negatives, label the texts and let `crucible bundle` find them (crucible import labelled)",
        ));
    }
    let mut file = output::AtomicFile::create(&args.output)?;
    made.set.write(&mut file).map_err(|e| CliError::io("write", &args.output, &e))?;
    file.commit()?;
    let mut text =
        format!("{} bundles, {} texts → {}\n", made.set.bundles.len(), made.set.events.len(), args.output.display());
    for (count, what) in [
        (made.without_negatives, "rows have no negative"),
        (made.same_text, "pairs are twice the same text"),
        (made.false_negatives, "negatives say what the anchor or a positive says"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "  ! left out: {count} {what}");
        }
    }
    let json = json!({
        "bundles": made.set.bundles.len(),
        "events": made.set.events.len(),
        "without_negatives": made.without_negatives,
        "same_text": made.same_text,
        "false_negatives": made.false_negatives,
    });
    ctx.print(&json, &text)?;
    Ok(Exit::Success)
}
