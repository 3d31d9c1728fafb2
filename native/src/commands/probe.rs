//! `crucible probe`: can senses be told from a model's vectors?

use crate::checkpoint::{Loaded, ModelArgs, events};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::table;
use crucible_core::data::Event;
use crucible_core::probe::{self, NEIGHBOURS, ProbeResult};
use std::collections::HashSet;
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a checkpoint_final.safetensors, or a folder of a sentence-transformers or model2vec model
    #[arg(long, value_name = "FILE|DIR")]
    pub checkpoint: PathBuf,
    /// How it is read.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Events whose senses are known
    #[arg(long, value_name = "FILE")]
    pub train_events: PathBuf,
    /// Events whose senses are to be told
    #[arg(long, value_name = "FILE")]
    pub test_events: PathBuf,
    /// Neighbours that vote [default: 5]
    #[arg(long, value_name = "N")]
    pub k: Option<NonZeroUsize>,
}

/// Probes the model.
///
/// # Errors
/// Inputs that can't be read or used, and events of which none can be probed (exit status 3).
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let read = || rayon::join(|| events(&args.train_events), || events(&args.test_events));
    let (loaded, (train, test)) = rayon::join(|| Loaded::read(&args.checkpoint, &args.model), read);
    let (loaded, train, test) = (loaded?, train?, test?);
    loaded.notes.tell(&ctx.reporter);
    let again = repeated(&train, &test);
    if again > 0 {
        let all = test.len();
        ctx.reporter.warn(format!("{again} of {all} test texts are training texts too: the probe has seen them"));
    }
    let device = ctx.global.device.as_deref();
    let (known, asked) = (loaded.embed(device, &train)?, loaded.embed(device, &test)?);
    let neighbours = args.k.map_or(NEIGHBOURS, NonZeroUsize::get);
    let result = probe::probe((&known, &train), (&asked, &test), neighbours)
        .map_err(|e| CliError::new(Exit::Error, e.to_string()))?;
    if result.lemmas == 0 {
        let (train, test) = (args.train_events.display(), args.test_events.display());
        let message = format!("nothing to probe: no lemma has two senses in {train} and an event in {test}");
        return Err(CliError::new(Exit::Data, message).advise("are both files of the same lemmas?"));
    }
    ctx.print(&result, &text(&result))?;
    Ok(Exit::Success)
}

/// Test events whose text and sense are in training too.
fn repeated(train: &[Event], test: &[Event]) -> usize {
    let key = |event: &Event| (event.sense.clone(), event.text.clone(), event.span);
    let known: HashSet<_> = train.iter().map(key).collect();
    test.iter().filter(|event| known.contains(&key(event))).count()
}

fn text(result: &ProbeResult) -> String {
    let mut rows = vec![["", "accuracy", "macro-F1"].map(str::to_owned)];
    let methods = [
        ("nearest centroid".to_owned(), result.centroid),
        (format!("{} nearest neighbours", result.neighbours), result.knn),
        ("most frequent sense".to_owned(), result.most_frequent),
    ];
    for (name, scores) in methods {
        rows.push([name, format!("{:.1} %", 100.0 * scores.accuracy), format!("{:.4}", scores.macro_f1)]);
    }
    rows.push(["guessing".to_owned(), format!("{:.1} %", 100.0 * result.uniform_accuracy), "-".to_owned()]);
    let mut text = table::aligned(&rows);
    let (lemmas, test, train) = (result.lemmas, result.test_items, result.train_items);
    let _ = writeln!(text, "\n{lemmas} lemmas, {test} test events, {train} training events.");
    for (count, what) in [
        (result.unseen_sense, "test events of a sense that training does not have: counted as wrong"),
        (result.zero_vectors, "test events with a zero vector: counted as wrong"),
        (result.unknown_lemma, "test events left out: training does not have the lemma"),
        (result.single_sense, "test events left out: the lemma has one sense in training"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "  ! {count} {what}");
        }
    }
    text
}
