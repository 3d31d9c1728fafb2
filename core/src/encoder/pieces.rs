//! Tokenizers in a browser: the library's parts without its regular expressions.
//!
//! The library reads any `tokenizer.json`, and for that it holds two engines for regular expressions with all tables of
//! Unicode: more than a page may weigh. Here its own normalizer, models and bookkeeping of offsets are put together by
//! hand, for what [`super::Tokenizer::train`] makes and what is built of the same parts (BERT's WordPiece, byte-level
//! BPE). The one expression that is needed, byte-level BPE's, is spelled out in [`words`]. Anything else is refused by
//! name. Tests compare every id and offset with the library's.

mod words;

use super::tokenizer::Tokens;
use super::{EncoderError, tokenizer_json};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use tokenizers::models::bpe::BPE;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizer::Range;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{
    Encoding, Model, NormalizedString, Normalizer, OffsetType, PreTokenizedString, PreTokenizer,
    SplitDelimiterBehavior, Token,
};

type Result<T> = std::result::Result<T, tokenizers::Error>;

/// How normalized texts are cut into words.
enum Words {
    /// Not at all.
    Whole,
    /// At white space and around punctuation.
    Bert(BertPreTokenizer),
    /// As GPT-2 does, and bytes become characters.
    Bytes { prefix_space: bool, cut: bool },
}

/// How words become pieces.
enum Pieces {
    WordPiece(WordPiece),
    Bpe(BPE),
}

/// A tokenizer.
pub(super) struct Tokenizer {
    json: String,
    /// Tokens that are looked for in the text as it comes; the longest first.
    added: Vec<(String, u32)>,
    normalizer: Option<BertNormalizer>,
    words: Words,
    pieces: Pieces,
    rows: usize,
}

/// An entry of `added_tokens`.
#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
}

fn refused(reason: impl std::fmt::Display) -> EncoderError {
    EncoderError::TokenizerJson { reason: reason.to_string() }
}

fn unknown(part: &str, kind: &Value) -> EncoderError {
    let kind = kind.get("type").unwrap_or(kind);
    refused(format!("its {part} {kind} is not known in a browser; the command line knows it"))
}

/// The part of a `tokenizer.json` as the type that reads it.
fn part<T: serde::de::DeserializeOwned>(value: &Value) -> std::result::Result<T, EncoderError> {
    T::deserialize(value).map_err(refused)
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. What it says about padding and cutting is dropped.
    ///
    /// # Errors
    /// It is none, or of a kind that is not known here.
    pub(super) fn from_json(json: &str) -> std::result::Result<Self, EncoderError> {
        let mut document = tokenizer_json::checked(json.as_bytes()).map_err(refused)?;
        let Value::Object(fields) = &mut document else { return Err(refused("it is no object")) };
        for field in ["padding", "truncation"] {
            fields.insert(field.to_owned(), Value::Null);
        }
        let [normalizer, splitter, model] = ["normalizer", "pre_tokenizer", "model"].map(|field| &document[field]);
        let kind = |value: &Value| value["type"].as_str().unwrap_or_default().to_owned();
        let pieces = match kind(model).as_str() {
            "WordPiece" => Pieces::WordPiece(part(model)?),
            "BPE" => Pieces::Bpe(part(model)?),
            _ => return Err(unknown("model", model)),
        };
        let words = match kind(splitter).as_str() {
            _ if splitter.is_null() => Words::Whole,
            "BertPreTokenizer" => Words::Bert(BertPreTokenizer),
            "ByteLevel" => Words::Bytes {
                prefix_space: splitter["add_prefix_space"].as_bool().unwrap_or(true),
                cut: splitter["use_regex"].as_bool().unwrap_or(true),
            },
            _ => return Err(unknown("pre-tokenizer", splitter)),
        };
        let normalizer = match kind(normalizer).as_str() {
            _ if normalizer.is_null() => None,
            "BertNormalizer" => Some(part(normalizer)?),
            _ => return Err(unknown("normalizer", normalizer)),
        };
        let vocabulary = pieces.vocabulary();
        let mut next = vocabulary.len() as u32;
        let mut added: Vec<(String, u32)> = Vec::new();
        for token in document["added_tokens"].as_array().into_iter().flatten() {
            let Added { id, content, single_word, lstrip, rstrip, normalized } = part(token)?;
            if single_word || lstrip || rstrip || normalized || content.is_empty() {
                return Err(unknown("added token", &Value::from(content)));
            }
            // The library gives a token the id that the model has for it, else the next; files that it wrote say so.
            let expected = vocabulary.get(&content).copied().unwrap_or(next);
            if id != expected {
                return Err(refused(format!("its added token {content:?} has the id {id}; expected {expected}")));
            }
            next = next.max(expected + 1);
            added.push((content, id));
        }
        added.sort_by_key(|(content, _)| std::cmp::Reverse(content.len()));
        let ids = vocabulary.into_values().chain(added.iter().map(|(_, id)| *id));
        let rows = ids.max().map_or(0, |id| id as usize + 1);
        Ok(Self { json: document.to_string(), added, normalizer, words, pieces, rows })
    }

    /// As the library writes it.
    pub(super) fn to_json(&self) -> Result<String> {
        Ok(self.json.clone())
    }

    /// One more than the largest id.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// All tokens and their numbers.
    pub(super) fn vocabulary(&self) -> Vec<(String, u32)> {
        let mut all = self.pieces.vocabulary();
        all.extend(self.added.iter().cloned());
        all.into_iter().collect()
    }

    /// Appends the pieces of one text.
    pub(super) fn encode_onto(&self, text: &str, tokens: &mut Tokens) -> Result<()> {
        let encoding = self.encode(text)?;
        tokens.ids.extend_from_slice(encoding.get_ids());
        tokens.offsets.extend(encoding.get_offsets().iter().map(|(start, end)| (*start as u32, *end as u32)));
        Ok(())
    }

    fn encode(&self, text: &str) -> Result<Encoding> {
        let mut text = PreTokenizedString::from(text);
        text.split(|_, whole| Ok(self.without_added(&whole)))?;
        if let Some(normalizer) = &self.normalizer {
            text.normalize(|part| normalizer.normalize(part))?;
        }
        match &self.words {
            Words::Whole => {}
            Words::Bert(splitter) => splitter.pre_tokenize(&mut text)?,
            Words::Bytes { prefix_space, cut } => {
                text.split(|_, mut part| {
                    if *prefix_space && !part.get().starts_with(' ') {
                        part.prepend(" ");
                    }
                    if *cut { part.split(words::Gpt2, SplitDelimiterBehavior::Isolated) } else { Ok(vec![part]) }
                })?;
                text.normalize(|word| {
                    bytes_as_characters(word);
                    Ok(())
                })?;
            }
        }
        match &self.pieces {
            Pieces::WordPiece(model) => model.tokenize_in_pretokenized(&mut text, None)?,
            Pieces::Bpe(model) => model.tokenize_in_pretokenized(&mut text, None)?,
        }
        text.into_encoding(None, 0, OffsetType::Byte)
    }

    /// The text in parts: added tokens, which are pieces already, and what lies between them.
    fn without_added(&self, whole: &NormalizedString) -> Vec<(NormalizedString, Option<Vec<Token>>)> {
        let text = whole.get();
        let mut parts = Vec::new();
        let mut part = |range: std::ops::Range<usize>, id: Option<u32>| {
            let Some(slice) = whole.slice(Range::Normalized(range)) else { return };
            let token = id.map(|id| {
                let value = slice.get().to_owned();
                let length = value.len();
                vec![Token::new(id, value, (0, length))]
            });
            parts.push((slice, token));
        };
        let mut from = 0;
        while let Some((start, content, id)) = self.next_added(&text[from..]) {
            let (start, end) = (from + start, from + start + content.len());
            if from < start {
                part(from..start, None);
            }
            part(start..end, Some(id));
            from = end;
        }
        if from < text.len() {
            part(from..text.len(), None);
        }
        parts
    }

    /// The first added token in `text`; of two at one place the longer.
    fn next_added(&self, text: &str) -> Option<(usize, &str, u32)> {
        let found = self.added.iter().filter_map(|(content, id)| Some((text.find(content)?, content.as_str(), *id)));
        found.min_by_key(|(start, ..)| *start)
    }
}

impl Pieces {
    fn vocabulary(&self) -> BTreeMap<String, u32> {
        match self {
            Self::WordPiece(model) => model.get_vocab().into_iter().collect(),
            Self::Bpe(model) => model.get_vocab().into_iter().collect(),
        }
    }
}

/// Every byte as a character that can be seen, as byte-level BPE wants it.
fn bytes_as_characters(word: &mut NormalizedString) {
    let text = word.get().to_owned();
    let changes = text.chars().flat_map(|c| {
        let mut buffer = [0; 4];
        let bytes = c.encode_utf8(&mut buffer).as_bytes().to_vec();
        // One stands for the character, the others are new.
        bytes.into_iter().enumerate().map(|(i, byte)| (words::visible(byte), isize::from(i > 0)))
    });
    word.transform(changes.collect::<Vec<_>>(), 0);
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
