//! `crucible export triplets`.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::evaluation::EvalSet;
use crate::exit::Exit;
use crate::output::AtomicFile;
use crate::parquet_file::{self, Column, Values};
use crate::replace::Replace;
use crucible_core::interchange::{RowFormat, TripletColumns, TripletForm, write_triplet_lists};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "For example: crucible export triplets --bundles mined.jsonl --output mined.parquet\n\
                        Cells of a CSV file are the texts as they are, those that a spreadsheet takes for formulas too.")]
pub struct Args {
    /// The bundles (.jsonl, also .gz or .zst)
    #[arg(long, value_name = "FILE")]
    pub bundles: PathBuf,
    /// Rows: .jsonl, .csv, .tsv (also .gz or .zst) or .parquet; lists go to .jsonl only
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Whose form the rows have
    #[arg(long, value_enum, default_value_t = Form::SentenceTransformers)]
    pub form: Form,
    /// The first N negatives of each bundle. Columns: without it as many as every bundle has; lists: all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub negatives: Option<u16>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// Whose form rows have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Columns: anchor, positive, negative or negative_1 … negative_n
    SentenceTransformers,
    /// Lists: query, pos, neg
    FlagEmbedding,
    /// Lists: query_id, query, positive_passages, negative_passages
    Tevatron,
}

/// How columns are written.
enum Target {
    Rows(RowFormat),
    Parquet,
}

fn target(path: &Path, form: Form) -> CliResult<Target> {
    let target = match RowFormat::of_name(&path.display().to_string()) {
        Some(format) => Some(Target::Rows(format)),
        None => parquet_file::is_one(path).then_some(Target::Parquet),
    };
    let lists = form != Form::SentenceTransformers;
    match target {
        Some(target) if !lists || matches!(target, Target::Rows(RowFormat::JsonLines)) => Ok(target),
        _ => {
            let kinds = if lists { "as .jsonl" } else { "as .jsonl, .csv, .tsv or .parquet" };
            let message = format!("--output {}: these rows are written {kinds}", path.display());
            Err(CliError::usage(message).advise("end the name so"))
        }
    }
}

/// Writes the rows.
///
/// # Errors
/// Faults in the bundles, no bundle with so many negatives, an output of another kind or that can't be written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let target = target(&args.output, args.form)?;
    args.replace.check(&[("--output", &args.output)], &[("--bundles", &args.bundles)])?;
    let set = EvalSet::read(&args.bundles)?.set;
    let negatives = args.negatives.map(usize::from);
    let failed = |e: std::io::Error| CliError::io("write", &args.output, &e);
    let form = match args.form {
        Form::SentenceTransformers => TripletForm::SentenceTransformers,
        Form::FlagEmbedding => TripletForm::FlagEmbedding,
        Form::Tevatron => TripletForm::Tevatron,
    };
    let output = args.output.display();
    if form != TripletForm::SentenceTransformers {
        let mut file = AtomicFile::create(&args.output)?;
        write_triplet_lists(&set, form, negatives, &mut file).map_err(failed)?;
        file.commit()?;
        let rows = set.bundles.len();
        ctx.print(&json!({"rows": rows, "left_out": 0}), &format!("{rows} rows → {output}\n"))?;
        return Ok(Exit::Success);
    }
    let columns = TripletColumns::new(&set, negatives);
    if columns.is_empty() {
        let message = format!("{}: no bundle has {} negatives", args.bundles.display(), columns.negatives);
        return Err(CliError::new(Exit::Data, message).advise("ask for fewer with --negatives"));
    }
    let mut missing = 0;
    let file = match target {
        Target::Parquet => parquet(&columns, &args.output)?,
        Target::Rows(format) => {
            let mut file = AtomicFile::create(&args.output)?;
            match format {
                RowFormat::JsonLines => columns.write_json_lines(&mut file).map_err(failed)?,
                RowFormat::Csv => missing = columns.write_separated(b',', &mut file).map_err(failed)?,
                RowFormat::Tsv => missing = columns.write_separated(b'\t', &mut file).map_err(failed)?,
            }
            file
        }
    };
    file.commit()?;
    if missing > 0 {
        ctx.reporter.warn(format!(
            "{missing} cells say what pandas and datasets take for a missing value (NA, null, None, …): write .jsonl or \
             .parquet, or read with keep_default_na=False"
        ));
    }
    let mut text = format!("{} rows with {} negatives → {output}\n", columns.len(), columns.negatives);
    if columns.left_out > 0 {
        text += &format!("  ! left out: {} bundles have fewer negatives\n", columns.left_out);
    }
    let json = json!({
        "rows": columns.len(),
        "columns": columns.names,
        "left_out": columns.left_out,
        "cells_like_missing": missing,
    });
    ctx.print(&json, &text)?;
    Ok(Exit::Success)
}

fn parquet(columns: &TripletColumns<'_>, path: &Path) -> CliResult<AtomicFile> {
    let rows: Vec<Vec<&str>> = (0..columns.len()).map(|row| columns.row(row)).collect();
    let column = |(at, name): (usize, &String)| Column {
        name: name.clone(),
        values: Values::Texts(rows.iter().map(|row| Some(row[at])).collect()),
    };
    parquet_file::write(path, &columns.names.iter().enumerate().map(column).collect::<Vec<_>>())
}
