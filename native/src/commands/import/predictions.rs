//! `crucible import predictions`.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::evaluation;
use crate::exit::Exit;
use crate::replace::Replace;
use crate::{clock, io, output, scoreboards, table};
use crucible_core::data::hex;
use crucible_core::eval::{Checkpoint, SEED, VERSION};
use crucible_core::retrieval::{Metrics, Qrels, Run, Source, metrics, read_predictions, read_qrels, scoreboard};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "For example: crucible import predictions --predictions run.trec --qrels qrels/test.tsv --output new.json\n\
                        then: crucible compare old.json new.json"
)]
pub struct Args {
    /// A TREC run, sentence-transformers' *_predictions*.jsonl, or mteb's predictions (JSON)
    #[arg(long, value_name = "FILE")]
    pub predictions: PathBuf,
    /// Which documents are relevant: trec_eval's or BEIR's qrels
    #[arg(long, value_name = "FILE")]
    pub qrels: PathBuf,
    /// The scoreboard to write (JSON), with its items beside it
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// The metrics (JSON): nDCG, recall, MRR, MAP
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// The split or subset of mteb's predictions, where there are several
    #[arg(long, value_name = "NAME")]
    pub subset: Option<String>,
    /// What the model is called; without it the predictions' file
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Imported<'a> {
    scoreboard: &'a crucible_core::eval::Scoreboard,
    metrics: &'a Metrics,
}

/// Writes the scoreboard.
///
/// # Errors
/// Faults in either file, nothing relevant, outputs that can't be written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let items_path = scoreboards::items_beside(&args.output);
    let mut outputs = vec![("--output", args.output.as_path()), ("the items", items_path.as_path())];
    outputs.extend(args.metrics.as_deref().map(|path| ("--metrics", path)));
    args.replace.check(&outputs, &[("--predictions", &args.predictions), ("--qrels", &args.qrels)])?;
    let mut file = io::open_hashed(&args.qrels)?;
    let qrels_path = args.qrels.display().to_string();
    let qrels = read_qrels(file.reader(), &qrels_path)?;
    let predictions_path = args.predictions.display().to_string();
    let mut predictions = io::open_hashed(&args.predictions)?;
    let run = read_predictions(predictions.reader(), &predictions_path, args.subset.as_deref())?;
    together(&run, &qrels, &predictions_path, &qrels_path)?;
    let source = Source {
        qrels_path: &qrels_path,
        qrels_sha256: &file.sha256()?,
        checkpoint: Checkpoint {
            path: args.model.clone().unwrap_or(predictions_path),
            hash: hex(&predictions.sha256()?),
        },
        timestamp: clock::now(),
        seed: SEED,
        version: VERSION,
    };
    let Some((board, items)) = scoreboard(&qrels, &run, source) else {
        let message = format!("{qrels_path}: no query has a relevant document");
        return Err(CliError::new(Exit::Data, message).advise("a relevance of 1 or more makes a document relevant"));
    };
    let measured = metrics(&qrels, &run);
    if let Some(path) = &args.metrics {
        output::write_json(path, &measured)?;
    }
    evaluation::write(&board, &args.output, &items, &items_path)?;
    let mut text = said(&measured);
    let passed = board.overall.pass_rate.unwrap_or_default();
    let interval = board.overall.ci95.as_ref().map(|i| format!(" ({:.1} to {:.1} %)", 100.0 * i.low, 100.0 * i.high));
    let _ = writeln!(
        text,
        "\nA relevant document comes first for {:.1} %{} of the queries.\nWritten: {}, {}",
        100.0 * passed,
        interval.unwrap_or_default(),
        args.output.display(),
        items_path.display()
    );
    for (count, what) in notes(&measured, &run, &qrels) {
        let _ = writeln!(text, "  ! {count} {what}");
    }
    ctx.print(&Imported { scoreboard: &board, metrics: &measured }, &text)?;
    Ok(Exit::Success)
}

/// Refuses two files that have nothing to do with each other.
fn together(run: &Run, qrels: &Qrels, predictions_path: &str, qrels_path: &str) -> CliResult<()> {
    if run.queries.keys().any(|query| qrels.queries.contains_key(query)) {
        return Ok(());
    }
    let some = |names: Vec<&String>| {
        let names: Vec<String> =
            names.iter().map(|n| n.chars().take(40).filter(|c| !c.is_control()).collect()).collect();
        names.join(", ")
    };
    let message = format!(
        "{predictions_path} and {qrels_path} share no query: the first has {}, the second {}",
        some(run.queries.keys().take(3).collect()),
        some(qrels.queries.keys().take(3).collect())
    );
    Err(CliError::new(Exit::Data, message).advise("are both of the same split? Ids of queries are compared as texts"))
}

/// What is special about the figures, each with a count that is not 0.
fn notes(measured: &Metrics, run: &Run, qrels: &Qrels) -> Vec<(usize, &'static str)> {
    let judged = |(query, documents): (&String, &Vec<(String, f64)>)| {
        qrels.queries.get(query).is_some_and(|judged| documents.iter().any(|(id, _)| judged.contains_key(id)))
    };
    let strangers = if run.queries.iter().any(judged) { 0 } else { measured.found };
    [
        (measured.queries - measured.found, "queries are not in the predictions: they count with 0, as with trec_eval -c, and fail as items"),
        (
            measured.without_relevant,
            "judged queries have no relevant document: they count with 0, as in trec_eval, and are not among the items",
        ),
        (measured.unjudged, "queries of the predictions are not judged: they are left out, as in trec_eval"),
        (strangers, "queries rank no document that was judged for them: are the ids those of the qrels?"),
        (
            measured.equal_in_32_bits,
            "queries have scores that are equal in 32 bits only: the measures order them by id, as trec_eval 9 does; the \
             pass rate and the margins take all digits",
        ),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .collect()
}

fn said(metrics: &Metrics) -> String {
    let mut rows = vec![["queries", "measure", "mean"].map(str::to_owned)];
    let mut row = |name: String, value: f64| {
        let queries = if rows.len() == 1 { metrics.queries.to_string() } else { String::new() };
        rows.push([queries, name, format!("{value:.4}")]);
    };
    for (depth, value) in &metrics.mean.ndcg {
        row(format!("nDCG@{depth}"), *value);
    }
    for (depth, value) in &metrics.mean.recall {
        row(format!("recall@{depth}"), *value);
    }
    row("MRR".to_owned(), metrics.mean.mrr);
    row("MAP".to_owned(), metrics.mean.map);
    table::aligned(&rows)
}
