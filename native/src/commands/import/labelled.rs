//! `crucible import labelled`.

use super::triplets::rows;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::replace::Replace;
use crate::{output, parquet_file};
use crucible_core::interchange::Labels;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "For example: crucible import labelled --input tickets.csv --label intent --output events.jsonl\n\
                        then: crucible bundle --events events.jsonl --output train.jsonl --holdout frozen.jsonl"
)]
pub struct Args {
    /// Labelled texts (.csv, .tsv, .jsonl, also .gz or .zst; .parquet)
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// The events to write (JSON Lines)
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// The column of texts; without it one of the usual names (text, sentence, …)
    #[arg(long, value_name = "COLUMN")]
    pub text: Option<String>,
    /// The column of labels; without it one of the usual names (label, class, intent, …)
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// The column of ids; without it rows are numbered
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,
    /// The column of the group inside which labels get confused; without it a label's part before #, or all are one group
    #[arg(long, value_name = "COLUMN")]
    pub lemma: Option<String>,
    /// The column of documents: splits and intervals keep documents whole
    #[arg(long, value_name = "COLUMN")]
    pub document: Option<String>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// Writes the events.
///
/// # Errors
/// Faults in the input, no such column, an output that can't be written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    args.replace.check(&[("--output", &args.output)], &[("--input", &args.input)])?;
    let rows = rows(&args.input)?;
    let source = args.input.display().to_string();
    let labels = match rows.first() {
        Some(first) => Labels::guess(first, args.text.as_deref(), args.label.as_deref()).map_err(|message| {
            CliError::usage(format!("{source}: {message}")).advise("name it with --text or --label")
        })?,
        None => return Err(CliError::new(Exit::Data, format!("{source} holds no rows"))),
    };
    let labels = Labels { id: args.id.clone(), lemma: args.lemma.clone(), document: args.document.clone(), ..labels };
    let events = labels.events(&rows, &source).map_err(|f| parquet_file::of_rows(&args.input, f))?;
    output::write_json_lines(&args.output, &events)?;
    let senses: BTreeSet<&str> = events.iter().map(|e| e.sense.as_str()).collect();
    let lemmas: BTreeSet<&str> = events.iter().map(|e| e.lemma.as_str()).collect();
    let text = format!(
        "{} events, {} labels, {} groups of labels → {}\n",
        events.len(),
        senses.len(),
        lemmas.len(),
        args.output.display()
    );
    ctx.print(&json!({"events": events.len(), "senses": senses.len(), "lemmas": lemmas.len()}), &text)?;
    Ok(Exit::Success)
}
