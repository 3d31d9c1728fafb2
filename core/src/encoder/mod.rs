//! Encoders: from texts to unit vectors.

mod checkpoint;
mod cooccurrence;
mod corpus;
pub(crate) mod device;
mod error;
#[cfg(not(target_arch = "wasm32"))]
mod library;
#[cfg(any(test, target_arch = "wasm32"))]
mod pieces;
mod static_encoder;
mod tokenizer;

pub use checkpoint::Checkpoint;
pub use corpus::{Corpus, CorpusBuilder};
pub use device::OnDevice;
pub use error::EncoderError;
pub use static_encoder::{Layer, MAX_SPAN_WINDOW, StaticEncoder, reference};
pub use tokenizer::{Tokenizer, Tokens};

use crate::data::Event;
use crate::embeddings::Embeddings;

/// Turns events into unit vectors.
pub trait Encoder {
    /// One row for each event, in order.
    ///
    /// # Errors
    /// When a text cannot be encoded.
    fn embed_events(&self, events: &[Event]) -> Result<Embeddings, EncoderError>;

    /// Numbers a vector.
    fn dim(&self) -> usize;
}
