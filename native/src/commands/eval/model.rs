//! What `--checkpoint` of `eval` names: a model that embeds, or ready vectors.

use super::Args;
use crate::checkpoint::Loaded;
use crate::error::{CliError, CliResult};
use crate::evaluation::{EvalSet, Scored};
use crate::progress::Reporter;
use crate::vectors::{Access, Origin, Source};
use crate::{device, parquet_file};
use crucible_core::backend::gpu::GpuBackend;
use crucible_core::embeddings::Embeddings;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Either of them.
pub(super) enum Model {
    Encoder(Box<Loaded>),
    Ready(Source),
}

/// Vectors of all events, and how long they took.
pub(super) struct Embedded {
    pub(super) scored: Scored,
    pub(super) embeddings: Embeddings,
    pub(super) tokenised: Duration,
    pub(super) embedded: Duration,
}

/// Reads the model; ready vectors wait until it is known whose are needed.
///
/// # Errors
/// As [`Loaded::read`]; flags that say nothing here.
pub(super) fn read(args: &Args) -> CliResult<Model> {
    let path = args.checkpoint();
    if is_ready(path) {
        if args.embeddings.is_some() {
            let message = format!("--embeddings is what an adapter reads, and {} is vectors itself", path.display());
            return Err(CliError::usage(message).advise("leave one of them out"));
        }
        args.model.refuse("is vectors", path)?;
        return Ok(Model::Ready(Source::file(path, args.embedding_ids.as_deref())));
    }
    let loaded = Loaded::read(path, &args.model)?;
    if args.embeddings.is_some() && !loaded.model.reads_vectors() {
        let message = format!("--embeddings is what an adapter reads, and {} reads texts", path.display());
        return Err(CliError::usage(message).advise("leave it out, or name the vectors themselves with --checkpoint"));
    }
    Ok(Model::Encoder(Box::new(loaded)))
}

/// What an adapter reads, where it is not the events' own vectors.
pub(super) fn given(args: &Args) -> Option<Source> {
    args.embeddings.as_ref().map(|vectors| Source::file(vectors, args.embedding_ids.as_deref()))
}

/// Checkpoints and vectors may both be `.safetensors`; beside vectors lie their ids.
fn is_ready(path: &Path) -> bool {
    let ending = |name: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(name));
    ending("npy") || parquet_file::is_one(path) || (ending("safetensors") && crate::vectors::ids_beside(path).exists())
}

impl Model {
    /// # Errors
    /// Texts that can't be tokenised, vectors that are missing or broken, a device that fails.
    pub(super) fn embed(
        &self,
        args: &Args,
        eval_set: &EvalSet,
        backend: Option<&GpuBackend>,
        reporter: &Reporter,
    ) -> CliResult<Embedded> {
        let clock = Instant::now();
        match self {
            Self::Encoder(loaded) => {
                loaded.notes.tell(reporter);
                let corpus = loaded.tokenise(eval_set.events())?;
                let tokenised = clock.elapsed();
                let clock = Instant::now();
                let progress = reporter.start("embedding", "texts", corpus.texts() as u64);
                let embeddings =
                    device::embed_telling(backend, &loaded.model, &corpus, &|texts| progress.inc(texts as u64))?;
                let scored = Scored::model(loaded, &args.checkpoint().display().to_string())?;
                Ok(Embedded { scored, embeddings, tokenised, embedded: clock.elapsed() })
            }
            Self::Ready(source) => {
                let vectors = source.load(None, Path::new(&eval_set.path), &eval_set.set.events, Access::Memory)?;
                let hash = match &vectors.origin {
                    Origin::File { sha256, .. } => sha256.clone(),
                    other => other.id(),
                };
                let embeddings = vectors.into_memory();
                let conditions = [("loader", json!("ready_vectors")), ("dim", json!(embeddings.dim))];
                let conditions: BTreeMap<_, _> = conditions.map(|(name, value)| (name.to_owned(), value)).into();
                let scored = Scored { path: args.checkpoint().display().to_string(), hash, conditions };
                Ok(Embedded { scored, embeddings, tokenised: Duration::ZERO, embedded: clock.elapsed() })
            }
        }
    }
}
