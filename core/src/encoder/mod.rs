//! Encoders: from texts to unit vectors.

mod checkpoint;
mod cooccurrence;
mod corpus;
pub(crate) mod device;
mod error;
mod folder;
#[cfg(not(target_arch = "wasm32"))]
mod library;
mod model;
#[cfg(any(test, target_arch = "wasm32"))]
mod pieces;
mod static_encoder;
mod tokenizer;
mod tokenizer_json;

pub use checkpoint::Checkpoint;
pub use corpus::{Corpus, CorpusBuilder};
pub use device::OnDevice;
pub use error::EncoderError;
pub use folder::{FolderModel, Loader, Options, Prompt, export_static};
pub use model::Model;
pub use static_encoder::{Layer, MAX_SPAN_WINDOW, StaticEncoder, reference};
pub use tokenizer::{Tokenizer, Tokens};

use crate::backend::{Backend, BackendError};
use crate::data::Event;
use crate::embeddings::Embeddings;
use serde_json::Value;
use std::collections::BTreeMap;

/// Hears that so many more texts are embedded, from any thread.
pub type Done<'a> = &'a (dyn Fn(usize) + Sync);

/// Whether the bytes are what Git LFS puts in a file's place until it is fetched.
fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.len() < 1024 && bytes.starts_with(b"version https://git-lfs.github.com/spec/")
}

/// Turns events into unit vectors, in two steps: their tokens, then their vectors, on the CPU or a device.
pub trait Encoder: Send + Sync {
    /// Numbers a vector.
    fn dim(&self) -> usize;

    /// The events' tokens, as this encoder wants them.
    ///
    /// # Errors
    /// When a text cannot be tokenised, or there are too many.
    fn tokenise(&self, events: &[Event]) -> Result<Corpus, EncoderError>;

    /// One row for each event, in order. `corpus` is what [`Encoder::tokenise`] gave. An event's vector is the same, bit for
    /// bit, whatever comes with it.
    fn embed(&self, corpus: &Corpus) -> Embeddings {
        self.embed_telling(corpus, &|_| {})
    }

    /// [`Encoder::embed`]; `done` hears how many more texts are embedded, where that takes long.
    fn embed_telling(&self, corpus: &Corpus, done: Done<'_>) -> Embeddings;

    /// The same on `backend`; `done` hears how many more texts are embedded, where that takes long.
    ///
    /// # Errors
    /// What the device reported.
    fn embed_on<B: Backend>(
        &self,
        backend: &B,
        corpus: &Corpus,
        done: Done<'_>,
    ) -> impl Future<Output = Result<Embeddings, BackendError>>;

    /// What belongs to the model and may change its numbers, for scoreboards.
    ///
    /// # Errors
    /// When the tokenizer has no text form.
    fn conditions(&self) -> Result<BTreeMap<String, Value>, EncoderError>;

    /// Both steps at once.
    ///
    /// # Errors
    /// As [`Encoder::tokenise`].
    fn embed_events(&self, events: &[Event]) -> Result<Embeddings, EncoderError> {
        Ok(self.embed(&self.tokenise(events)?))
    }
}
