//! Whatever `--checkpoint` may name.

use super::{Checkpoint, Corpus, Done, Encoder, EncoderError, FolderModel};
use crate::backend::{Backend, BackendError};
use crate::data::Event;
use crate::embeddings::Embeddings;
use serde_json::Value;
use std::collections::BTreeMap;

/// A model of any family.
pub enum Model {
    /// One that Crucible trained.
    Own(Box<Checkpoint>),
    /// One from elsewhere.
    Folder(Box<FolderModel>),
}

impl Model {
    /// What a user should know of how it was read.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Own(_) => &[],
            Self::Folder(model) => model.notes(),
        }
    }

    /// Whether it takes ready vectors instead of texts.
    #[must_use]
    pub fn reads_vectors(&self) -> bool {
        matches!(self, Self::Own(checkpoint) if checkpoint.tokenizer.is_none())
    }
}

impl Encoder for Model {
    fn dim(&self) -> usize {
        match self {
            Self::Own(model) => model.dim(),
            Self::Folder(model) => model.dim(),
        }
    }

    fn tokenise(&self, events: &[Event]) -> Result<Corpus, EncoderError> {
        match self {
            Self::Own(model) => model.tokenise(events),
            Self::Folder(model) => model.tokenise(events),
        }
    }

    fn embed_telling(&self, corpus: &Corpus, done: Done<'_>) -> Embeddings {
        match self {
            Self::Own(model) => model.embed_telling(corpus, done),
            Self::Folder(model) => model.embed_telling(corpus, done),
        }
    }

    async fn embed_on<B: Backend>(
        &self,
        backend: &B,
        corpus: &Corpus,
        done: Done<'_>,
    ) -> Result<Embeddings, BackendError> {
        match self {
            Self::Own(model) => model.embed_on(backend, corpus, done).await,
            Self::Folder(model) => model.embed_on(backend, corpus, done).await,
        }
    }

    fn conditions(&self) -> Result<BTreeMap<String, Value>, EncoderError> {
        match self {
            Self::Own(model) => model.conditions(),
            Self::Folder(model) => model.conditions(),
        }
    }
}
