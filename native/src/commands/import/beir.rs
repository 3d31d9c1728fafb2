//! `crucible import beir`.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::replace::Replace;
use crate::{io, output};
use crucible_core::interchange::{BeirReport, Judgement, Negatives, Pool, beir_bundles, read_judgements, stream_texts};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const HELP: &str = "\
DIR holds corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv; each may be packed (.gz, .zst). A bundle is made for each query and \
relevant document. Its negatives are the documents that were judged for the query and are not relevant; then, nearest first, \
documents that share words with it and that nobody judged.

    crucible import beir scifact --split train --output train.jsonl
    crucible import beir scifact --split test --output frozen.jsonl

nDCG, recall, MRR and MAP of a model over the whole corpus come from its ranking:

    crucible export trec --checkpoint MODEL --beir scifact --split test --output run.trec
    crucible import predictions --predictions run.trec --qrels scifact/qrels/test.tsv --output board.json";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The bundles to write (JSON Lines)
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Which of the qrels: test is DIR/qrels/test.tsv
    #[arg(long, value_name = "NAME", default_value = "test")]
    pub split: String,
    /// Negatives of a bundle
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub negatives: u16,
    /// Passes over so many of the nearest documents that nobody judged: they may well be relevant
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub range_min: u16,
    /// Negatives are sought among the judged documents and so many others, drawn by --seed
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub pool: usize,
    /// Leaves out judged queries and documents that are not there, instead of refusing the folder
    #[arg(long)]
    pub allow_missing: bool,
    /// Seed of what is drawn
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// The files of a folder.
pub(in crate::commands) struct Files {
    pub(in crate::commands) corpus: PathBuf,
    pub(in crate::commands) queries: PathBuf,
    pub(in crate::commands) qrels: PathBuf,
}

impl Files {
    /// Finds them, packed or not.
    ///
    /// # Errors
    /// No such folder or split, with the splits that are there; a file that is missing.
    pub(in crate::commands) fn find(folder: &Path, split: &str) -> CliResult<Self> {
        if !folder.is_dir() {
            let message = format!("{} is no folder", folder.display());
            return Err(CliError::new(Exit::Error, message).advise("name the folder that holds corpus.jsonl"));
        }
        let found = |name: String| {
            ["", ".gz", ".zst"].iter().map(|end| folder.join(format!("{name}{end}"))).find(|path| path.is_file())
        };
        let needed = |name: &str| {
            found(name.to_owned()).ok_or_else(|| {
                let message = format!("{} holds no {name}", folder.display());
                CliError::new(Exit::Error, message)
                    .advise("a BEIR folder holds corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv")
            })
        };
        let (corpus, queries) = (needed("corpus.jsonl")?, needed("queries.jsonl")?);
        let qrels = found(format!("qrels/{split}.tsv")).filter(|_| !split.contains(['/', '\\']));
        let qrels = qrels.ok_or_else(|| {
            let message = format!("{} holds no qrels/{split}.tsv", folder.display());
            let splits = splits(folder);
            let advice = match splits.is_empty() {
                true => "relevances are expected there: query-id, corpus-id and score, with tabs".to_owned(),
                false => format!("--split {}", splits.join(", or ")),
            };
            CliError::new(Exit::Error, message).advise(advice)
        })?;
        Ok(Self { corpus, queries, qrels })
    }
}

/// Names of the qrels that are there.
fn splits(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("qrels")).into_iter().flatten().take(1000);
    let name = |name: String| Some(name.split_once(".tsv")?.0.to_owned());
    let mut names: Vec<String> =
        entries.filter_map(|entry| name(entry.ok()?.file_name().into_string().ok()?)).collect();
    names.sort();
    names
}

/// The judgements of a split.
pub(in crate::commands) fn judgements(path: &Path) -> CliResult<Vec<Judgement>> {
    Ok(read_judgements(&mut *io::open(path)?, &path.display().to_string())?)
}

/// The texts of the queries that are `wanted`.
pub(in crate::commands) fn queries(path: &Path, wanted: &HashSet<&str>) -> CliResult<HashMap<String, String>> {
    let mut queries = HashMap::new();
    stream_texts(&mut *io::open(path)?, &path.display().to_string(), &mut |query| {
        if wanted.contains(query.id.as_str()) {
            queries.insert(query.id, query.text);
        }
    })?;
    Ok(queries)
}

/// Writes the bundles.
///
/// # Errors
/// No such files, their faults, no bundle at all, an output that can't be written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let files = Files::find(&args.folder, &args.split)?;
    let taken =
        [("corpus.jsonl", files.corpus.as_path()), ("queries.jsonl", &files.queries), ("the qrels", &files.qrels)];
    args.replace.check(&[("--output", &args.output)], &taken)?;
    let judgements = judgements(&files.qrels)?;
    let queries = queries(&files.queries, &judgements.iter().map(|j| j.query.as_str()).collect())?;
    let mut pool = Pool::new(judgements.iter().map(|j| j.document.clone()).collect(), args.pool, args.seed);
    stream_texts(&mut *io::open(&files.corpus)?, &files.corpus.display().to_string(), &mut |d| pool.offer(d))?;
    let negatives = Negatives { count: usize::from(args.negatives), range_min: usize::from(args.range_min) };
    let source = files.qrels.display().to_string();
    let made = beir_bundles(&queries, &judgements, pool, negatives, args.allow_missing, &source).map_err(|faults| {
        CliError::from(faults).advise("is the download complete? --allow-missing leaves such lines out")
    })?;
    if made.set.bundles.is_empty() {
        let message = format!("{source}: no query has a relevant document with a text, and a negative");
        return Err(CliError::new(Exit::Data, message).advise("a relevance of 1 or more makes a document relevant"));
    }
    let mut file = output::AtomicFile::create(&args.output)?;
    made.set.write(&mut file).map_err(|e| CliError::io("write", &args.output, &e))?;
    file.commit()?;
    ctx.print(&made.report, &said(&made.report, &args.output))?;
    Ok(Exit::Success)
}

fn said(report: &BeirReport, output: &Path) -> String {
    let BeirReport { queries, documents, pool, bundles, judged_negatives, found_negatives, .. } = report;
    let mut text = format!(
        "{bundles} bundles of {queries} queries → {}\nNegatives: {judged_negatives} were judged, {found_negatives} are the \
         nearest by words among {pool} of {documents} documents, and nobody judged them.\n",
        output.display()
    );
    for (count, what) in [
        (report.missing, "judgements name a query or document that is not there"),
        (report.without_text, "relevant documents, or their queries, have no text"),
        (report.same_text, "relevant documents say what their query says"),
        (report.without_negatives, "relevant documents have no negative"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "  ! left out: {count} {what}");
        }
    }
    text
}
