//! A folder's tokenizer in a browser, of the library's parts that a page has room for; marks and cuts are made here.

use super::super::pieces::Tokenizer;
use super::super::tokenizer::Tokens;
use super::super::{EncoderError, tokenizer_json};
use super::files::fault;
use serde_json::Value;

/// A tokenizer that marks begin and end and cuts texts, as its `tokenizer.json` says.
pub(super) struct Pieces {
    inner: Tokenizer,
    before: Vec<u32>,
    after: Vec<u32>,
    cut: Option<Cut>,
}

#[derive(Clone, Copy)]
struct Cut {
    max_length: usize,
    /// What is left out comes first.
    left: bool,
}

impl Pieces {
    /// Reads a `tokenizer.json`, as `change` leaves it. What it says about padding is dropped.
    pub(super) fn read(file: &str, bytes: &[u8], change: &mut dyn FnMut(&mut Value)) -> Result<Self, EncoderError> {
        let mut json = tokenizer_json::checked(bytes).map_err(|e| fault(file, e))?;
        change(&mut json);
        let inner = Tokenizer::from_json(&json.to_string()).map_err(|e| fault(file, e.to_string()))?;
        let (before, after) = marks(&json["post_processor"])
            .ok_or_else(|| fault(file, "marks begin and end in a way that is not known in a browser"))?;
        let cut = &json["truncation"];
        let max_length = cut["max_length"].as_u64().and_then(|n| usize::try_from(n).ok());
        let cut = max_length.map(|max_length| Cut { max_length, left: cut["direction"] == "Left" });
        Ok(Self { inner, before, after, cut })
    }

    /// Tokens of a text, at most, with the marks.
    pub(super) fn most_tokens(&self) -> Option<usize> {
        self.cut.map(|cut| cut.max_length)
    }

    /// Cuts texts at `max_length` tokens from now on, or not at all; `left`: what is left out comes first, without it as the
    /// file says.
    #[expect(clippy::unnecessary_wraps, reason = "the library may refuse")]
    pub(super) fn cut(
        &mut self,
        _file: &str,
        max_length: Option<usize>,
        left: Option<bool>,
    ) -> Result<(), EncoderError> {
        let left = left.unwrap_or_else(|| self.cut.is_some_and(|cut| cut.left));
        self.cut = max_length.map(|max_length| Cut { max_length, left });
        Ok(())
    }

    /// Marks of a text.
    pub(super) fn marks(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// All tokens and their numbers.
    pub(super) fn vocabulary(&self) -> Vec<(String, u32)> {
        self.inner.vocabulary()
    }

    /// The numbers of a text's tokens.
    pub(super) fn encode(&self, text: &str, marked: bool) -> Result<Vec<u32>, tokenizers::Error> {
        let mut tokens = Tokens::default();
        self.inner.encode_onto(text, &mut tokens)?;
        let mut ids = tokens.ids;
        if let Some(Cut { max_length, left }) = self.cut {
            let most = max_length.saturating_sub(if marked { self.marks() } else { 0 });
            if left {
                ids.drain(..ids.len().saturating_sub(most));
            }
            ids.truncate(most);
        }
        Ok(if marked { [&self.before, &ids, &self.after].map(Vec::as_slice).concat() } else { ids })
    }
}

/// What comes before and behind a single text, where it is known.
fn marks(processor: &Value) -> Option<(Vec<u32>, Vec<u32>)> {
    let number = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match processor["type"].as_str() {
        None if processor.is_null() => Some((Vec::new(), Vec::new())),
        Some("BertProcessing") => {
            let mark = |name: &str| Some(vec![number(&processor[name][1])?]);
            Some((mark("cls")?, mark("sep")?))
        }
        Some("TemplateProcessing") => {
            let (mut before, mut after, mut passed) = (Vec::new(), Vec::new(), false);
            for piece in processor["single"].as_array()? {
                if piece.get("Sequence").is_some() {
                    passed = true;
                    continue;
                }
                let name = piece["SpecialToken"]["id"].as_str()?;
                let ids = processor["special_tokens"][name]["ids"].as_array()?;
                let ids = ids.iter().map(number).collect::<Option<Vec<_>>>()?;
                if passed { after.extend(ids) } else { before.extend(ids) }
            }
            Some((before, after))
        }
        _ => None,
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::super::whole;
    use super::*;

    const MARKED: &[u8] = include_bytes!("../../../../tests/fixtures/encoders/bert_mean/tokenizer.json");
    const CUT: &[u8] =
        include_bytes!("../../../../tests/fixtures/encoders/static_new/0_StaticEmbedding/tokenizer.json");

    #[test]
    fn tokens_marks_and_cuts_are_those_of_the_whole_library() {
        let left = String::from_utf8(CUT.to_vec()).expect("text").replace("\"Right\"", "\"Left\"");
        assert!(left.as_bytes() != CUT);
        let words = "The bank of [SEP] the river, 銀行 é ☃ xyz [UNK]!";
        for json in [MARKED, CUT, left.as_bytes()] {
            let (mut own, mut whole) = (
                Pieces::read("own", json, &mut |_| {}).expect("reads"),
                whole::Pieces::read("", json, &mut |_| {}).expect("reads"),
            );
            let sorted = |mut all: Vec<(String, u32)>| {
                all.sort();
                all
            };
            assert_eq!(sorted(own.vocabulary()), sorted(whole.vocabulary()));
            assert_eq!(own.marks(), whole.marks());
            for cut in [own.most_tokens(), None, Some(5), Some(40)] {
                own.cut("", cut, None).expect("cuts");
                whole.cut("", cut, None).expect("cuts");
                assert_eq!(own.most_tokens(), whole.most_tokens());
                for text in ["", "bank", words, &words.repeat(4)] {
                    for marked in [false, true] {
                        let of = |ids: Result<Vec<u32>, _>| ids.expect("encodes");
                        assert_eq!(of(own.encode(text, marked)), of(whole.encode(text, marked)), "{text:?} at {cut:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn other_ways_to_mark_are_refused() {
        let template: Value = serde_json::from_slice(MARKED).expect("JSON");
        let read = |processor: Value| {
            let mut json = template.clone();
            json["post_processor"] = processor;
            Pieces::read("t", json.to_string().as_bytes(), &mut |_| {}).map(|pieces| (pieces.before, pieces.after))
        };
        let bert = serde_json::json!({"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]});
        assert_eq!(read(bert).ok(), Some((vec![2], vec![3])));
        assert_eq!(read(Value::Null).ok(), Some((Vec::new(), Vec::new())));
        for other in [serde_json::json!({"type": "ByteLevel"}), serde_json::json!({"type": "TemplateProcessing"})] {
            assert!(read(other.clone()).is_err(), "{other}");
        }
    }
}
