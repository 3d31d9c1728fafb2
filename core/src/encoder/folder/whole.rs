//! A folder's tokenizer by the whole of the `tokenizers` library.

use super::super::library::bounded::Bounded;
use super::super::{EncoderError, tokenizer_json};
use super::files::fault;
use serde_json::Value;
use tokenizers::{PostProcessor, TruncationDirection, TruncationParams};

/// A tokenizer that marks begin and end and cuts texts, as its `tokenizer.json` says.
pub(super) struct Pieces(Bounded);

impl Pieces {
    /// Reads a `tokenizer.json`, as `change` leaves it. What it says about padding is dropped.
    pub(super) fn read(file: &str, bytes: &[u8], change: &mut dyn FnMut(&mut Value)) -> Result<Self, EncoderError> {
        let mut json = tokenizer_json::checked(bytes).map_err(|reason| fault(file, unusable(&reason)))?;
        change(&mut json);
        let inner = Bounded::read(&json).map_err(|reason| fault(file, unusable(&reason)))?;
        tokenizers::utils::parallelism::set_parallelism(false);
        Ok(Self(inner))
    }

    /// Tokens of a text, at most, with the marks.
    pub(super) fn most_tokens(&self) -> Option<usize> {
        self.0.get_truncation().map(|cut| cut.max_length)
    }

    /// Cuts texts at `max_length` tokens from now on, or not at all; `left`: what is left out comes first, without it as the
    /// file says.
    pub(super) fn cut(
        &mut self,
        file: &str,
        max_length: Option<usize>,
        left: Option<bool>,
    ) -> Result<(), EncoderError> {
        let direction = match left {
            Some(true) => TruncationDirection::Left,
            Some(false) => TruncationDirection::Right,
            None => self.0.get_truncation().map(|cut| cut.direction).unwrap_or_default(),
        };
        let cut =
            max_length.map(|max_length| TruncationParams { max_length, direction, ..TruncationParams::default() });
        self.0.parts().with_truncation(cut).map_err(|e| fault(file, e.to_string()))?;
        Ok(())
    }

    /// Marks of a text.
    pub(super) fn marks(&self) -> usize {
        self.0.get_post_processor().map_or(0, |marks| marks.added_tokens(false))
    }

    /// All tokens and their numbers.
    pub(super) fn vocabulary(&self) -> Vec<(String, u32)> {
        self.0.vocabulary().into_iter().collect()
    }

    /// The numbers of a text's tokens.
    pub(super) fn encode(&self, text: &str, marked: bool) -> Result<Vec<u32>, tokenizers::Error> {
        Ok(self.0.encode_fast(text, marked)?.get_ids().to_vec())
    }
}

fn unusable(reason: &str) -> String {
    format!("is not usable: {reason}")
}
