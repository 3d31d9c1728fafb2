//! `tokenizer_config.json`: what transformers takes from it, over what the `tokenizer.json` says.

use super::super::EncoderError;
use super::files::Files;
use serde::Deserialize;
use serde_json::{Map, Value};

/// As far as it decides tokens.
#[derive(Default, Deserialize)]
pub(super) struct Config {
    /// Where there is no limit it says 1e30.
    #[serde(default)]
    model_max_length: Option<f64>,
    #[serde(default)]
    truncation_side: Option<String>,
    #[serde(default)]
    tokenizer_class: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// Its words, and those of a BertNormalizer for the same.
const NORMALIZER: [(&str, &str); 3] = [
    ("do_lower_case", "lowercase"),
    ("strip_accents", "strip_accents"),
    ("tokenize_chinese_chars", "handle_chinese_chars"),
];

impl Config {
    pub(super) fn read(files: &Files<'_>, file: &str) -> Result<Self, EncoderError> {
        Ok(files.json(file)?.unwrap_or_default())
    }

    /// Tokens of the longest text.
    pub(super) fn most_tokens(&self) -> Option<usize> {
        self.model_max_length.map(|most| most as usize)
    }

    /// Whether the beginning of long texts is cut off; nothing where it does not say.
    pub(super) fn left(&self) -> Option<bool> {
        self.truncation_side.as_deref().map(|side| side == "left")
    }

    /// Lets it decide on case, accents and Chinese characters, as transformers' BertTokenizer does.
    pub(super) fn change(&self, json: &mut Value, notes: &mut Vec<String>) {
        let is_bert = self.tokenizer_class.as_deref().is_some_and(|class| class.starts_with("BertTokenizer"));
        let normalizer = &mut json["normalizer"];
        if !is_bert || normalizer["type"] != "BertNormalizer" {
            return;
        }
        for (word, field) in NORMALIZER {
            let Some(wanted) = self.others.get(word).filter(|value| value.is_boolean() || value.is_null()) else {
                continue;
            };
            if normalizer[field] != *wanted {
                notes.push(format!(
                    "tokenizer_config.json says {word} = {wanted}, tokenizer.json {field} = {}: the former holds, as in \
                     transformers",
                    normalizer[field]
                ));
                normalizer[field] = wanted.clone();
            }
        }
    }
}
