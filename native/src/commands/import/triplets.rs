//! `crucible import triplets`.

use super::rows::RowArgs;
use super::spool::Spool;
use super::with_notes;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::formats::counted;
use crate::parquet_file;
use crate::replace::Replace;
use crucible_core::interchange::{RolesGiven, Row, TripletMaker, TripletReport, own_kind};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads columns as sentence-transformers does (anchor, positive, negative_1, …), labelled lists, \
                        FlagEmbedding's (query, pos, neg) and Tevatron's (query, positive_passages, negative_passages)."
)]
pub struct Args {
    /// Rows (.jsonl, .json, .csv, .tsv, also packed by gzip or zstd; .parquet)
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// The bundles to write (JSON Lines)
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// The column of anchors; without it one of the usual names (anchor, query, question, …)
    #[arg(long, value_name = "COLUMN")]
    pub anchor: Option<String>,
    /// The column of positives; without it one of the usual names (positive, answer, document, …)
    #[arg(long, value_name = "COLUMN")]
    pub positive: Option<String>,
    /// A column of negatives, each with a flag of its own; without it all whose names say so (negative, neg_1, …)
    #[arg(long, value_name = "COLUMN")]
    pub negative: Vec<String>,
    /// How the file is read.
    #[command(flatten)]
    pub rows: RowArgs,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// Writes the bundles.
///
/// # Errors
/// Faults in the input, no bundle at all, an output that can't be written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    args.replace.check(&[("--output", &args.output)], &[("--input", &args.input)])?;
    let source = args.input.display().to_string();
    let given =
        RolesGiven { anchor: args.anchor.as_deref(), positive: args.positive.as_deref(), negatives: &args.negative };
    let (mut maker, mut spool) = (TripletMaker::new(given, &source), Spool::new(&args.output));
    let (mut first, mut own) = (true, None);
    let notes = args.rows.each(&args.input, &mut |row: Row| {
        if std::mem::take(&mut first) && (given.anchor.is_none() || given.positive.is_none()) {
            own = own_kind(&row);
        }
        if own.is_some() || maker.refused().is_some() || spool.has_failed() {
            return;
        }
        maker.bundles(&row).iter().for_each(|bundle| spool.add(|out| bundle.write(out)));
    });
    if let Some(what) = own {
        return Err(CliError::new(Exit::Data, format!("{source} {what}")));
    }
    if let Some(message) = maker.refused() {
        return Err(CliError::usage(format!("{source}: {message}")));
    }
    let notes = notes?;
    let report = maker.finish().map_err(|f| parquet_file::of_rows(&args.input, f))?;
    if report.bundles == 0 {
        let told = report.columns.first().map(|roles| format!(" ({})", roles.told())).unwrap_or_default();
        let message = format!("{source}: no row holds an anchor, another positive, and a negative{told}");
        return Err(CliError::new(Exit::Data, message).advise(
            "without negatives, label the texts and let `crucible bundle` find them (crucible import labelled)",
        ));
    }
    spool.commit()?;
    let json = json!({
        "bundles": report.bundles,
        "events": report.events,
        "without_negatives": report.without_negatives,
        "same_text": report.same_text,
        "false_negatives": report.false_negatives,
        "columns": report.columns,
        "notes": notes,
    });
    ctx.print(&json, &with_notes(said(&report, &args.output), &notes))?;
    Ok(Exit::Success)
}

/// Forms of rows that are told.
const TOLD: usize = 5;

fn said(report: &TripletReport, output: &Path) -> String {
    let mut text =
        format!("{}, {} → {}\n", counted(report.bundles, "bundle"), counted(report.events, "text"), output.display());
    for roles in report.columns.iter().take(TOLD) {
        text += &format!("Columns: {}\n", roles.told());
    }
    if report.columns.len() > TOLD {
        text += &format!("  and {} other forms of rows\n", report.columns.len() - TOLD);
    }
    for (count, what) in [
        (report.without_negatives, "rows have no negative"),
        (report.same_text, "pairs are twice the same text"),
        (report.false_negatives, "negatives say what the anchor or a positive says"),
    ] {
        if count > 0 {
            text += &format!("  ! left out: {count} {what}\n");
        }
    }
    text
}
