//! A folder's tokenizer by the whole of the `tokenizers` library.

use super::super::EncoderError;
use super::files::fault;
use tokenizers::{PostProcessor, TruncationParams};

/// A tokenizer that marks begin and end and cuts texts, as its `tokenizer.json` says.
pub(super) struct Pieces(tokenizers::Tokenizer);

impl Pieces {
    /// Reads a `tokenizer.json`. What it says about padding is dropped.
    pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Self, EncoderError> {
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| fault(file, e.to_string()))?;
        inner.with_padding(None);
        tokenizers::utils::parallelism::set_parallelism(false);
        Ok(Self(inner))
    }

    /// Tokens of a text, at most, with the marks.
    pub(super) fn most_tokens(&self) -> Option<usize> {
        self.0.get_truncation().map(|cut| cut.max_length)
    }

    /// Cuts texts at `max_length` tokens from now on, or not at all.
    pub(super) fn cut(&mut self, file: &str, max_length: Option<usize>) -> Result<(), EncoderError> {
        let direction = self.0.get_truncation().map(|cut| cut.direction).unwrap_or_default();
        let cut =
            max_length.map(|max_length| TruncationParams { max_length, direction, ..TruncationParams::default() });
        self.0.with_truncation(cut).map_err(|e| fault(file, e.to_string()))?;
        Ok(())
    }

    /// Marks of a text.
    pub(super) fn marks(&self) -> usize {
        self.0.get_post_processor().map_or(0, |marks| marks.added_tokens(false))
    }

    /// All tokens and their numbers.
    pub(super) fn vocabulary(&self) -> Vec<(String, u32)> {
        self.0.get_vocab(true).into_iter().collect()
    }

    /// The numbers of a text's tokens.
    pub(super) fn encode(&self, text: &str, marked: bool) -> Result<Vec<u32>, tokenizers::Error> {
        Ok(self.0.encode_fast(text, marked)?.get_ids().to_vec())
    }
}
