//! `crucible export trec`.

use crate::checkpoint::{Loaded, ModelArgs};
use crate::commands::import::beir::{Files, judgements, queries};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::evaluation::EvalSet;
use crate::exit::Exit;
use crate::output::{self, AtomicFile};
use crate::replace::Replace;
use crate::{device, io, scoreboards};
use crucible_core::backend::gpu::GpuBackend;
use crucible_core::data::Event;
use crucible_core::embeddings::Embeddings;
use crucible_core::interchange::stream_texts;
use crucible_core::retrieval::{Qrels, Ranking, Run, of_bundles, of_items, write_qrels, write_run};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Documents that are embedded together.
const BLOCK: usize = 4096;
/// What a run says that it is of.
const TAG: &str = "crucible";

const HELP: &str = "\
Scores are cosines. Of a BEIR folder, the best documents of the whole corpus for each judged query; of an eval set, each bundle \
is a query (bundle_id) and its positive and negatives are the documents. --items takes an items file instead of a model: the \
positive (pos_sim) and the winning negative (max_neg_sim) of each bundle.

    crucible export trec --checkpoint MODEL --beir scifact --split test --output run.trec
    crucible export trec --checkpoint MODEL --eval-set frozen.jsonl --output run.trec --qrels qrels
    crucible export trec --items board_items.jsonl --eval-set frozen.jsonl --output run.trec --qrels qrels

trec_eval puts the greater id first of two equal scores; Crucible calls a tie a failure.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["beir", "eval_set"]))]
#[command(group = clap::ArgGroup::new("scores").required(true).args(["checkpoint", "items"]))]
pub struct Args {
    /// The model: a checkpoint_final.safetensors, or a folder of a sentence-transformers or model2vec model
    #[arg(long, value_name = "FILE|DIR")]
    pub checkpoint: Option<PathBuf>,
    /// How it is read.
    #[command(flatten)]
    pub model: ModelArgs,
    /// An items file that `crucible eval` wrote for the eval set
    #[arg(long, value_name = "FILE", requires = "eval_set")]
    pub items: Option<PathBuf>,
    /// Bundles
    #[arg(long, value_name = "FILE")]
    pub eval_set: Option<PathBuf>,
    /// A BEIR folder
    #[arg(long, value_name = "DIR", conflicts_with = "items")]
    pub beir: Option<PathBuf>,
    /// Which of its qrels name the queries
    #[arg(long, value_name = "NAME", default_value = "test", requires = "beir")]
    pub split: String,
    /// How many documents of a query are written
    #[arg(long, value_name = "N", default_value_t = 100, requires = "beir", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub depth: u32,
    /// What comes before queries, such as "query: "; without it what comes before every text
    #[arg(long, value_name = "TEXT", requires = "beir")]
    pub query_prompt: Option<String>,
    /// What comes before documents, such as "passage: "
    #[arg(long, value_name = "TEXT", requires = "beir")]
    pub document_prompt: Option<String>,
    /// The run to write
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// The relevances to write
    #[arg(long, value_name = "FILE")]
    pub qrels: Option<PathBuf>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// Writes the run.
///
/// # Errors
/// Inputs that can't be read or do not belong together, ids that a run can't hold (exit status 3), a device that fails,
/// outputs that can't be written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let inputs = [("--checkpoint", &args.checkpoint), ("--items", &args.items), ("--eval-set", &args.eval_set)];
    let mut taken: Vec<(&str, &Path)> =
        inputs.iter().filter_map(|(flag, path)| Some((*flag, path.as_deref()?))).collect();
    let files = args.beir.as_deref().map(|folder| Files::find(folder, &args.split)).transpose()?;
    if let Some(files) = &files {
        taken.extend([("corpus.jsonl", files.corpus.as_path()), ("queries.jsonl", &files.queries)]);
        taken.push(("the folder's qrels", &files.qrels));
    }
    let mut outputs = vec![("--output", args.output.as_path())];
    outputs.extend(args.qrels.as_deref().map(|path| ("--qrels", path)));
    args.replace.check(&outputs, &taken)?;
    let (run, qrels) = match (&files, &args.eval_set) {
        (Some(files), _) => of_corpus(args, files, ctx)?,
        (None, Some(set)) => of_set(args, set, ctx)?,
        (None, None) => return Err(CliError::usage("neither --beir nor --eval-set is given")),
    };
    let held = |path: &Path, write: &dyn Fn(&mut AtomicFile) -> std::io::Result<()>| {
        let mut file = AtomicFile::create(path)?;
        match write(&mut file) {
            Ok(()) => Ok(file),
            Err(e) if e.kind() == std::io::ErrorKind::InvalidInput => {
                let message = format!("a TREC file can't hold this: {e}");
                Err(CliError::new(Exit::Data, message).advise("its fields stand between blanks: give other ids"))
            }
            Err(e) => Err(CliError::io("write", path, &e)),
        }
    };
    let mut outputs = vec![held(&args.output, &|out| write_run(&run, TAG, out))?];
    if let Some(path) = &args.qrels {
        outputs.push(held(path, &|out| write_qrels(&qrels, out))?);
    }
    output::commit_all(outputs)?;
    let lines: usize = run.queries.values().map(Vec::len).sum();
    let json = json!({"queries": run.queries.len(), "lines": lines, "output": args.output.display().to_string(), "qrels": args.qrels.as_ref().map(|path| path.display().to_string())});
    ctx.print(&json, &format!("{} queries, {lines} lines → {}\n", run.queries.len(), args.output.display()))?;
    Ok(Exit::Success)
}

/// Of the lineups of an eval set.
fn of_set(args: &Args, path: &Path, ctx: &Context) -> CliResult<(Run, Qrels)> {
    let set = EvalSet::read(path)?.set;
    if let Some(items) = &args.items {
        let found = scoreboards::read_items(items)?;
        return of_items(&set, &found).map_err(|bundle| {
            let (items, path) = (items.display(), path.display());
            let message = format!("{items}: the item of bundle \"{bundle}\" is of no bundle of {path}");
            CliError::new(Exit::Data, message).advise("name the eval set that these items were scored on")
        });
    }
    let loaded = model(args, None)?;
    loaded.notes.tell(&ctx.reporter);
    let vectors = loaded.embed(ctx.global.device.as_deref(), &set.events)?;
    Ok(of_bundles(&set, &vectors))
}

/// The model, with a prompt of its own for one kind of texts.
fn model(args: &Args, prompt: Option<&String>) -> CliResult<Loaded> {
    let Some(path) = &args.checkpoint else { return Err(CliError::usage("--checkpoint is not given")) };
    let mut how = args.model.clone();
    if let Some(prompt) = prompt {
        how.prompt = Some(prompt.clone());
        how.prompt_name = None;
    }
    Loaded::read(path, &how)
}

/// Of a whole corpus, which is never in memory as a whole.
fn of_corpus(args: &Args, files: &Files, ctx: &Context) -> CliResult<(Run, Qrels)> {
    let judgements = judgements(&files.qrels)?;
    let mut qrels = Qrels::default();
    for j in &judgements {
        qrels.queries.entry(j.query.clone()).or_default().insert(j.document.clone(), j.relevance);
    }
    let texts = queries(&files.queries, &qrels.queries.keys().map(String::as_str).collect())?;
    let (ids, texts): (Vec<String>, Vec<Event>) =
        qrels.queries.keys().filter_map(|id| Some((id.clone(), event(id, texts.get(id)?)))).unzip();
    let lacking = qrels.queries.len() - ids.len();
    if lacking > 0 {
        ctx.reporter.warn(format!("{lacking} judged queries are not in {}", files.queries.display()));
    }
    let backend = device::asked_for(ctx.global.device.as_deref())?;
    let embed = |loaded: &Loaded, texts: &[Event]| -> CliResult<Embeddings> {
        device::embed_with(backend.as_ref() as Option<&GpuBackend>, &loaded.model, &loaded.tokenise(texts)?)
    };
    let of_queries = model(args, args.query_prompt.as_ref())?;
    of_queries.notes.tell(&ctx.reporter);
    let mut ranking = Ranking::new(ids, embed(&of_queries, &texts)?, args.depth as usize);
    let of_documents = match args.query_prompt == args.document_prompt {
        true => of_queries,
        false => model(args, args.document_prompt.as_ref())?,
    };
    let (mut block, mut outcome) = (Vec::with_capacity(BLOCK), Ok(()));
    let mut rank = |block: &mut Vec<Event>| -> CliResult<()> {
        let vectors = embed(&of_documents, block)?;
        let ids: Vec<String> = block.drain(..).map(|event| event.event_id).collect();
        ranking.offer(&ids, &vectors);
        Ok(())
    };
    stream_texts(&mut *io::open(&files.corpus)?, &files.corpus.display().to_string(), &mut |document| {
        // Without a text there is nothing to embed, and nothing that could be found.
        if outcome.is_ok() && !document.text.is_empty() {
            block.push(event(&document.id, &document.text));
            if block.len() == BLOCK {
                outcome = rank(&mut block);
            }
        }
    })?;
    outcome?;
    if !block.is_empty() {
        rank(&mut block)?;
    }
    Ok((ranking.finish(), qrels))
}

fn event(id: &str, text: &str) -> Event {
    Event {
        event_id: id.to_owned(),
        sense: id.to_owned(),
        lemma: id.to_owned(),
        text: text.to_owned(),
        span: None,
        embedding: None,
        extra: serde_json::Map::new(),
    }
}
