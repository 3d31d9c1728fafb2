//! `crucible import labelled`.

use super::rows::RowArgs;
use super::spool::Spool;
use super::with_notes;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::formats::counted;
use crate::parquet_file;
use crate::replace::Replace;
use crucible_core::interchange::{LabelColumns, Labelling, Labels, Row, own_kind};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "For example: crucible import labelled --input tickets.csv --label intent --output events.jsonl\n\
                        then: crucible bundle --events events.jsonl --output train.jsonl --holdout frozen.jsonl"
)]
pub struct Args {
    /// Labelled texts (.csv, .tsv, .jsonl, .json, also packed by gzip or zstd; .parquet)
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// The events to write (JSON Lines)
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// The column of texts; without it one of the usual names (text, sentence, …)
    #[arg(long, value_name = "COLUMN")]
    pub text: Option<String>,
    /// The column of labels; without it one of the usual names (label, class, intent, …), or of their names (label_text)
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// The column of ids, unique over all files that are used together; without it they are made of text and label
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,
    /// The column of the group inside which labels get confused; without it a label's part before #, or all are one group
    #[arg(long, value_name = "COLUMN")]
    pub lemma: Option<String>,
    /// The column of documents: splits and intervals keep documents whole
    #[arg(long, value_name = "COLUMN")]
    pub document: Option<String>,
    /// How the file is read.
    #[command(flatten)]
    pub rows: RowArgs,
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
    let mut work = Work::new(args)?;
    let notes = args.rows.each(&args.input, &mut |row| work.take(&row));
    work.refused.map_or(Ok(()), Err)?;
    let notes = notes?;
    let Some(labelling) = work.labelling else {
        return Err(CliError::new(Exit::Data, format!("{} holds no rows", args.input.display())));
    };
    let report = labelling.finish().map_err(|f| parquet_file::of_rows(&args.input, f))?;
    work.spool.commit()?;
    let notes = [notes, report.notes].concat();
    let text = format!(
        "{}, {}, {} of labels → {}\n{}\n",
        counted(report.events, "event"),
        counted(report.senses, "label"),
        counted(report.lemmas, "group"),
        args.output.display(),
        report.columns.told()
    );
    let json = json!({
        "events": report.events,
        "senses": report.senses,
        "lemmas": report.lemmas,
        "columns": report.columns,
        "tidied": report.tidied,
        "notes": notes,
    });
    ctx.print(&json, &with_notes(text, &notes))?;
    Ok(Exit::Success)
}

/// What is made of the rows as they come.
struct Work<'a> {
    args: &'a Args,
    source: String,
    class_names: BTreeMap<String, Vec<String>>,
    labelling: Option<Labelling>,
    /// The columns can't be told: no row matters.
    refused: Option<CliError>,
    spool: Spool<'a>,
}

impl<'a> Work<'a> {
    fn new(args: &'a Args) -> CliResult<Self> {
        let class_names = match parquet_file::is_one(&args.input) {
            true => parquet_file::class_names(&args.input)?,
            false => BTreeMap::new(),
        };
        let (source, spool) = (args.input.display().to_string(), Spool::new(&args.output));
        Ok(Self { args, source, class_names, labelling: None, refused: None, spool })
    }

    fn take(&mut self, row: &Row) {
        if self.refused.is_some() || self.spool.has_failed() {
            return;
        }
        let labelling = match &mut self.labelling {
            Some(labelling) => labelling,
            None => match self.begin(row) {
                Ok(labelling) => self.labelling.insert(labelling),
                Err(error) => return self.refused = Some(error),
            },
        };
        if let Some(event) = labelling.event(row) {
            self.spool.add(|out| {
                serde_json::to_writer(&mut *out, &event)?;
                out.write_all(b"\n")
            });
        }
    }

    fn begin(&mut self, first: &Row) -> CliResult<Labelling> {
        let Args { text, label, id, lemma, document, .. } = self.args;
        if let Some(what) = own_kind(first).filter(|_| text.is_none() || label.is_none()) {
            return Err(CliError::new(Exit::Data, format!("{} {what}", self.source)));
        }
        let given = LabelColumns {
            text: text.as_deref(),
            label: label.as_deref(),
            id: id.as_deref(),
            lemma: lemma.as_deref(),
            document: document.as_deref(),
        };
        let labels = Labels::choose(first, &given, std::mem::take(&mut self.class_names)).map_err(|message| {
            CliError::usage(format!("{}: {message}", self.source)).advise("name the columns with --text and --label")
        })?;
        Ok(Labelling::new(labels, &self.source))
    }
}
