//! `crucible export beir`.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::evaluation::EvalSet;
use crate::exit::Exit;
use crate::new_folder::{NewFolder, refuse_taken};
use crucible_core::interchange::BeirFolder;
use serde_json::json;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "For example: crucible export beir --bundles frozen.jsonl --output frozen-beir\n\
                        Anchors are the queries; positives and negatives are the corpus.")]
pub struct Args {
    /// The bundles (.jsonl, also .gz or .zst)
    #[arg(long, value_name = "FILE")]
    pub bundles: PathBuf,
    /// The folder to make; one that is there must be empty
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// What the qrels are called: test is DIR/qrels/test.tsv
    #[arg(long, value_name = "NAME", default_value = "test", value_parser = split)]
    pub split: String,
    /// Also writes each bundle's negatives into the qrels, with relevance 0
    #[arg(long)]
    pub with_negatives: bool,
    /// Every document of a query's sense is relevant, not only the positives of its bundles
    #[arg(long)]
    pub whole_senses: bool,
}

/// A name that leads nowhere else.
fn split(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !text.is_empty() && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("expected letters, digits, - and _, such as test".to_owned()),
    }
}

/// Writes the folder.
///
/// # Errors
/// Faults in the bundles, ids that such a folder can't hold (exit status 3); a folder that can't be written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    refuse_taken("--output", &args.output)?;
    let set = EvalSet::read(&args.bundles)?.set;
    let made = BeirFolder::new(&set, args.with_negatives, args.whole_senses);
    let made = made.map_err(|e| CliError::new(Exit::Data, format!("{}: {e}", args.bundles.display())))?;
    let folder = NewFolder::beside(&args.output)?;
    let write = |name: &str, content: &dyn Fn(&mut dyn Write) -> io::Result<()>| {
        let mut file = BufWriter::new(folder.file(name)?);
        content(&mut file).and_then(|()| file.flush()).map_err(|e| CliError::io("write", &args.output, &e))
    };
    write("corpus.jsonl", &|out| made.write_corpus(out))?;
    write("queries.jsonl", &|out| made.write_queries(out))?;
    write(&format!("qrels/{}.tsv", args.split), &|out| made.write_qrels(out))?;
    folder.appear(&args.output)?;
    let [queries, documents, judgements] = made.counts();
    if made.with_unnamed > 0 {
        ctx.reporter.warn(format!(
            "{} queries have documents of their sense in the corpus that no bundle names as their positives: a model that \
             finds them counts as wrong (--whole-senses makes them relevant)",
            made.with_unnamed
        ));
    }
    let json = json!({
        "output": args.output.display().to_string(),
        "queries": queries,
        "documents": documents,
        "judgements": judgements,
        "queries_with_unnamed": made.with_unnamed,
    });
    let text =
        format!("{}: {queries} queries, {documents} documents, {judgements} judgements\n", args.output.display());
    ctx.print(&json, &text)?;
    Ok(Exit::Success)
}
