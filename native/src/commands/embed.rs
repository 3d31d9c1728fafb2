//! `crucible embed`: a model's vectors, for other programs.

use crate::checkpoint::{Loaded, ModelArgs, events};
use crate::context::Context;
use crate::device;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::hub;
use crate::output::{self, AtomicFile};
use crate::parquet_file::{self, Column, Values, vectors};
use crate::replace::Replace;
use crate::vectors::ids_beside;
use crucible_core::data::Event;
use crucible_core::embeddings::{Embeddings, TENSOR, npy_header};
use safetensors::tensor::{Dtype, TensorView};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a checkpoint_final.safetensors, or a folder of a sentence-transformers or model2vec model
    #[arg(long, value_name = "FILE|DIR")]
    pub checkpoint: PathBuf,
    /// How it is read.
    #[command(flatten)]
    pub model: ModelArgs,
    /// The events to embed (.jsonl, also .gz or .zst)
    #[arg(long, value_name = "FILE")]
    pub events: PathBuf,
    /// X.npy or X.safetensors: unit vectors, one row an event; their ids go to X_ids.jsonl. X.parquet: both in one
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
    /// Says how long each part took
    #[arg(long, hide = true)]
    pub timings: bool,
}

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Npy,
    Safetensors,
    Parquet,
}

/// Embeds the events.
///
/// # Errors
/// Inputs that can't be read or used, an output of another kind or that can't be written.
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let format = format_of(&args.output)?;
    // What is wrong with the model matters more than an output that is there.
    hub::resolve(&args.checkpoint)?;
    // A Parquet file holds the ids too.
    let ids_path = (format != Format::Parquet).then(|| ids_beside(&args.output));
    let mut outputs = vec![("--output", args.output.as_path())];
    outputs.extend(ids_path.as_deref().map(|path| ("the file of ids", path)));
    args.replace.check(&outputs, &[("--checkpoint", &args.checkpoint), ("--events", &args.events)])?;

    let clock = Instant::now();
    let (loaded, events) = rayon::join(|| Loaded::read(&args.checkpoint, &args.model), || events(&args.events));
    let (loaded, events) = (loaded?, events?);
    loaded.notes.tell(&ctx.reporter);
    let read = clock.elapsed();
    let clock = Instant::now();
    let corpus = loaded.tokenise(&events)?;
    let tokenised = clock.elapsed();
    let clock = Instant::now();
    let backend = device::asked_for(ctx.global.device.as_deref())?;
    let progress = ctx.reporter.start("embedding", "texts", corpus.texts() as u64);
    let embeddings =
        device::embed_telling(backend.as_ref(), &loaded.model, &corpus, &|texts| progress.inc(texts as u64))?;
    drop(progress);
    if args.timings {
        let [read, tokenised, embedded] = [read, tokenised, clock.elapsed()].map(|part| part.as_secs_f64());
        ctx.reporter.note(format!("seconds: {read:.4} to read, {tokenised:.4} to tokenise, {embedded:.4} to embed"));
    }
    let zeros = embeddings.vectors.chunks(embeddings.dim).filter(|row| row.iter().all(|x| *x == 0.0)).count();
    if zeros > 0 {
        ctx.reporter.warn(format!("{zeros} events have a zero vector: none of their words is known to the model"));
    }

    let ids = ids_path.as_deref().map(|path| write_ids(path, &events)).transpose()?;
    let vectors = write_vectors(&args.output, format, &events, &embeddings)?;
    output::commit_all(ids.into_iter().chain([vectors]))?;
    let (rows, dim) = (embeddings.len(), embeddings.dim);
    let json = serde_json::json!({
        "output": args.output.display().to_string(),
        "ids": ids_path.as_ref().map(|path| path.display().to_string()),
        "rows": rows,
        "dim": dim,
        "zero_vectors": zeros,
        "checkpoint_hash": loaded.hash,
    });
    let ids = ids_path.map_or_else(
        || "their event ids are in the column event_id\n".to_owned(),
        |path| format!("their event ids, one a line: {}\n", path.display()),
    );
    ctx.print(&json, &format!("{rows} unit vectors of {dim} numbers: {}\n{ids}", args.output.display()))?;
    Ok(Exit::Success)
}

fn format_of(path: &Path) -> CliResult<Format> {
    match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("npy") => Ok(Format::Npy),
        Some("safetensors") => Ok(Format::Safetensors),
        Some("parquet") => Ok(Format::Parquet),
        _ => {
            let message = format!("--output {}: vectors are written as .npy, .safetensors or .parquet", path.display());
            Err(CliError::usage(message).advise("end the name with one of them"))
        }
    }
}

/// One id a line, as JSON text: an id may hold a line end.
fn write_ids(path: &Path, events: &[Event]) -> CliResult<AtomicFile> {
    let mut file = AtomicFile::create(path)?;
    let write = |file: &mut AtomicFile| -> std::io::Result<()> {
        let mut text = Vec::new();
        for event in events {
            text.clear();
            serde_json::to_writer(&mut text, &event.event_id)?;
            text.push(b'\n');
            file.write_all(&text)?;
        }
        Ok(())
    };
    write(&mut file).map_err(|e| CliError::io("write", path, &e))?;
    Ok(file)
}

/// Columns `event_id` and `embedding`, a list of numbers.
fn write_parquet(path: &Path, events: &[Event], embeddings: &Embeddings) -> CliResult<AtomicFile> {
    let column = |name: &str, values| Column { name: name.to_owned(), values };
    let ids = events.iter().map(|event| Some(event.event_id.as_str())).collect();
    let embeddings = Values::Vectors { dim: embeddings.dim, rows: &embeddings.vectors };
    parquet_file::write(path, &[column(vectors::IDS, Values::Texts(ids)), column(vectors::VECTORS, embeddings)])
}

fn write_vectors(path: &Path, format: Format, events: &[Event], embeddings: &Embeddings) -> CliResult<AtomicFile> {
    let (rows, dim) = (embeddings.len(), embeddings.dim);
    let data = || -> Vec<u8> { embeddings.vectors.iter().flat_map(|x| x.to_le_bytes()).collect() };
    let bytes = match format {
        Format::Parquet => return write_parquet(path, events, embeddings),
        Format::Npy => [npy_header(rows, dim), data()].concat(),
        Format::Safetensors => TensorView::new(Dtype::F32, vec![rows, dim], &data())
            .and_then(|view| safetensors::serialize([(TENSOR, view)], None))
            .map_err(|e| CliError::new(Exit::Error, format!("the vectors have no safetensors form: {e}")))?,
    };
    AtomicFile::holding(path, &bytes)
}
