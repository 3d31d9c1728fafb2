//! The tokenizer of a folder, used as the loader at hand uses it.

use super::super::EncoderError;
use super::files::{fault, not_a_pointer};
#[cfg(target_arch = "wasm32")]
use super::parts::Pieces;
#[cfg(not(target_arch = "wasm32"))]
use super::whole::Pieces;
use crate::data::hex;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A tokenizer and what is done before and after it.
pub(super) struct FolderTokenizer {
    pieces: Pieces,
    /// SHA-256 of the `tokenizer.json`.
    pub(super) sha256: String,
    /// Rows of the token table.
    rows: usize,
    pub(super) rules: Rules,
}

/// Where a text is cut.
#[derive(Clone, Copy, Default)]
pub(super) enum CutAt {
    /// Where the `tokenizer.json` says so.
    #[default]
    File,
    Nowhere,
    /// At so many tokens, marks among them.
    Tokens(usize),
}

/// What loaders do differently.
#[derive(Default)]
pub(super) struct Rules {
    /// Begin and end are marked.
    pub(super) special: bool,
    /// Where texts are cut.
    pub(super) cut: CutAt,
    /// What is cut off comes first; without it as the `tokenizer.json` says.
    pub(super) left: Option<bool>,
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
    /// Reads a `tokenizer.json` for a table of `rows`; `change` may change it first.
    pub(super) fn read(
        file: &str,
        bytes: &[u8],
        rows: usize,
        change: &mut dyn FnMut(&mut Value),
    ) -> Result<Self, EncoderError> {
        not_a_pointer(file, bytes)?;
        let pieces = Pieces::read(file, bytes, change)?;
        let largest = pieces.vocabulary().iter().map(|(_, id)| *id).max().unwrap_or(0) as usize;
        if largest >= rows {
            return Err(fault(file, format!("names token {largest}, but there are vectors of {rows} tokens only")));
        }
        Ok(Self { pieces, sha256: hex(&Sha256::digest(bytes)), rows, rules: Rules::default() })
    }

    /// The same by `rules`.
    pub(super) fn with(mut self, file: &str, rules: Rules) -> Result<Self, EncoderError> {
        match rules.cut {
            CutAt::File => {}
            CutAt::Nowhere => self.pieces.cut(file, None, None)?,
            CutAt::Tokens(most) => {
                let marks = self.pieces.marks();
                if most <= marks {
                    return Err(fault(file, format!("texts of at most {most} tokens leave no room beside {marks}")));
                }
                self.pieces.cut(file, Some(most), rules.left)?;
            }
        }
        self.rules = rules;
        Ok(self)
    }

    /// Tokens of the longest text; nothing where there is no limit.
    pub(super) fn most_tokens(&self) -> Option<usize> {
        self.pieces.most_tokens()
    }

    /// Rows that its tokens need.
    pub(super) fn needed_rows(&self) -> usize {
        self.pieces.vocabulary().iter().map(|(_, id)| *id as usize + 1).max().unwrap_or(0)
    }

    pub(super) fn vocab_size(&self) -> usize {
        self.pieces.vocabulary().len()
    }

    /// Characters in a token of the vocabulary: the median, rounded down.
    pub(super) fn median_chars(&self) -> usize {
        let vocabulary = self.pieces.vocabulary();
        let mut lengths: Vec<usize> = vocabulary.iter().map(|(token, _)| token.chars().count()).collect();
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
        let found = self.pieces.encode(input, *special).map_err(|e| failed(e.to_string()))?;
        let first = ids.len();
        ids.extend(found.into_iter().filter(|id| Some(*id) != *without));
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
