//! The tokenizer of a folder, used as the loader at hand uses it.

use super::super::EncoderError;
use super::files::fault;
use crate::data::hex;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokenizers::{PostProcessor, TruncationParams};

/// A tokenizer and what is done before and after it.
pub(super) struct FolderTokenizer {
    inner: tokenizers::Tokenizer,
    /// SHA-256 of the `tokenizer.json`.
    pub(super) sha256: String,
    /// Rows of the token table.
    rows: usize,
    pub(super) rules: Rules,
}

/// What loaders do differently.
#[derive(Default)]
pub(super) struct Rules {
    /// Begin and end are marked.
    pub(super) special: bool,
    /// Tokens, at most; with nothing the `tokenizer.json` decides.
    pub(super) most_tokens: Option<usize>,
    /// Characters, at most.
    pub(super) most_chars: Option<usize>,
    /// A token that is left out.
    pub(super) without: Option<u32>,
    /// Upper case is lowered first.
    pub(super) lower: bool,
    /// Comes before every text.
    pub(super) prompt: String,
}

impl FolderTokenizer {
    /// Reads a `tokenizer.json` for a table of `rows`.
    pub(super) fn read(file: &str, bytes: &[u8], rows: usize) -> Result<Self, EncoderError> {
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| fault(file, e.to_string()))?;
        inner.with_padding(None);
        let largest = inner.get_vocab(true).into_values().max().unwrap_or(0) as usize;
        if largest >= rows {
            return Err(fault(file, format!("names token {largest}, but there are vectors of {rows} tokens only")));
        }
        tokenizers::utils::parallelism::set_parallelism(false);
        Ok(Self { inner, sha256: hex(&Sha256::digest(bytes)), rows, rules: Rules::default() })
    }

    /// The same by `rules`.
    pub(super) fn with(mut self, file: &str, rules: Rules) -> Result<Self, EncoderError> {
        if let Some(max_length) = rules.most_tokens {
            let added = self.inner.get_post_processor().map_or(0, |p| p.added_tokens(false));
            if max_length <= added {
                return Err(fault(file, format!("texts of at most {max_length} tokens leave no room beside {added}")));
            }
            let direction = self.inner.get_truncation().map(|t| t.direction).unwrap_or_default();
            let cut = TruncationParams { max_length, direction, ..TruncationParams::default() };
            self.inner.with_truncation(Some(cut)).map_err(|e| fault(file, e.to_string()))?;
        }
        self.rules = rules;
        Ok(self)
    }

    /// Tokens of the longest text; nothing where there is no limit.
    pub(super) fn most_tokens(&self) -> Option<usize> {
        self.inner.get_truncation().map(|t| t.max_length)
    }

    pub(super) fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Characters in a token of the vocabulary: the median, rounded down.
    pub(super) fn median_chars(&self) -> usize {
        let mut lengths: Vec<usize> = self.inner.get_vocab(true).keys().map(|token| token.chars().count()).collect();
        lengths.sort_unstable();
        match lengths.len() {
            0 => 0,
            n if n % 2 == 1 => lengths[n / 2],
            n => usize::midpoint(lengths[n / 2 - 1], lengths[n / 2]),
        }
    }

    /// Appends the tokens of one text.
    pub(super) fn encode_onto(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), EncoderError> {
        let Rules { special, most_chars, without, lower, prompt, .. } = &self.rules;
        let failed = |reason: String| EncoderError::Tokenise { reason, text: text.chars().take(60).collect() };
        if u32::try_from(text.len()).is_err() {
            return Err(failed("it is longer than 4 GiB".to_owned()));
        }
        let end = most_chars.and_then(|most| text.char_indices().nth(most)).map_or(text.len(), |(byte, _)| byte);
        let mut whole = String::new();
        let mut input = &text[..end];
        if *lower || !prompt.is_empty() {
            whole.push_str(prompt);
            whole.push_str(input);
            if *lower {
                whole = whole.to_lowercase();
            }
            input = &whole;
        }
        let encoding = self.inner.encode_fast(input, *special).map_err(|e| failed(e.to_string()))?;
        let first = ids.len();
        ids.extend(encoding.get_ids().iter().filter(|id| Some(**id) != *without));
        match ids[first..].iter().find(|id| **id as usize >= self.rows) {
            Some(id) => {
                Err(failed(format!("the tokenizer gave id {id}, beyond the {} tokens with vectors", self.rows)))
            }
            None => Ok(()),
        }
    }
}

/// The number of the unknown token as model2vec finds it: by its name, for a Unigram model by `unk_id`.
pub(super) fn unknown(file: &str, bytes: &[u8]) -> Result<Option<u32>, EncoderError> {
    let json: Value = serde_json::from_slice(bytes).map_err(|e| fault(file, e.to_string()))?;
    let model = &json["model"];
    let number = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    if model["type"] == "Unigram" {
        return Ok(number(&model["unk_id"]));
    }
    let Some(name) = model["unk_token"].as_str() else { return Ok(None) };
    let added = json["added_tokens"].as_array().into_iter().flatten();
    let among_added = added.filter(|token| token["content"] == name).find_map(|token| number(&token["id"]));
    Ok(among_added.or_else(|| number(&model["vocab"][name])))
}
