//! Tokenizers, trained here or read from a `tokenizer.json`.
//!
//! The `tokenizers` library does the work: all of it natively (`library`), a few of its parts in a browser (`pieces`), where
//! nothing is trained.

use super::EncoderError;
#[cfg(not(target_arch = "wasm32"))]
use super::library::Library as Inner;
#[cfg(target_arch = "wasm32")]
use super::pieces::Tokenizer as Inner;
#[cfg(not(target_arch = "wasm32"))]
use crate::config::TokenizerKind;

/// A text in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Rows of the token table.
    pub ids: Vec<u32>,
    /// `[start, end)` of each in the text, in bytes.
    pub offsets: Vec<(u32, u32)>,
}

/// Splits texts into numbered pieces. Adds no special tokens, pads and cuts nothing.
pub struct Tokenizer(Inner);

impl Tokenizer {
    /// Learns the pieces of `texts`. The same texts, in any order, give the same tokenizer, byte for byte.
    ///
    /// `vocab_size` is the most pieces; single characters (or bytes) are always all there, and may exceed it.
    ///
    /// # Errors
    /// When the library fails.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn train(kind: TokenizerKind, vocab_size: usize, texts: &[&str]) -> Result<Self, EncoderError> {
        Inner::train(kind, vocab_size, texts).map(Self)
    }

    /// Reads a `tokenizer.json`. What it says about padding and cutting is dropped.
    ///
    /// # Errors
    /// When the library cannot read it; in a browser also when it is of a kind that is not known there.
    pub fn from_json(json: &str) -> Result<Self, EncoderError> {
        Inner::from_json(json).map(Self)
    }

    /// The `tokenizer.json`; the same bytes for the same tokenizer.
    ///
    /// # Errors
    /// When the library cannot write it.
    pub fn to_json(&self) -> Result<String, EncoderError> {
        self.0.to_json().map_err(|e| EncoderError::TokenizerJson { reason: e.to_string() })
    }

    /// Rows that a token table needs: one more than the largest id.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.0.rows()
    }

    /// The pieces of one text.
    ///
    /// # Errors
    /// When the library fails, or a text is longer than 4 GiB.
    pub fn encode(&self, text: &str) -> Result<Tokens, EncoderError> {
        let mut tokens = Tokens::default();
        self.encode_onto(text, &mut tokens)?;
        Ok(tokens)
    }

    /// Appends the pieces of one text.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_onto(&self, text: &str, tokens: &mut Tokens) -> Result<(), EncoderError> {
        let failed = |reason: String| EncoderError::Tokenise { reason, text: text.chars().take(60).collect() };
        if u32::try_from(text.len()).is_err() {
            return Err(failed("it is longer than 4 GiB".to_owned()));
        }
        let (before, rows) = (tokens.ids.len(), self.0.rows());
        self.0.encode_onto(text, tokens).map_err(|e| failed(e.to_string()))?;
        match tokens.ids[before..].iter().find(|id| **id as usize >= rows) {
            Some(id) => Err(failed(format!("the tokenizer gave id {id}, beyond its own vocabulary of {rows}"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    const KINDS: [TokenizerKind; 2] = [TokenizerKind::Wordpiece, TokenizerKind::Bpe];

    /// Words over few syllables, so that many pairs are equally frequent: the library's choices then depend most on
    /// the order of its maps.
    fn texts() -> Vec<String> {
        let mut stream = Stream::new(11, "tokenizer", 0);
        let syllables = ["ba", "na", "Ke", "ro", "é", "ß", "tim", "ä", "lo", "qu", "x", "y"];
        let text = |stream: &mut Stream| {
            let word = |stream: &mut Stream| (0..1 + stream.below(4)).map(|_| syllables[stream.below(12)]).collect();
            (0..1 + stream.below(12)).map(|_| word(stream)).collect::<Vec<String>>().join(" ") + ", 銀行!"
        };
        (0..900).map(|_| text(&mut stream)).collect()
    }

    #[test]
    fn training_repeats_byte_for_byte_whatever_the_order_of_texts() {
        let texts = texts();
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for kind in KINDS {
            let first = Tokenizer::train(kind, 700, &texts).expect("trains");
            let json = first.to_json().expect("writes");
            assert!((300..=700).contains(&first.vocab_size()), "{kind:?}: {}", first.vocab_size());
            for round in 0..8 {
                Stream::new(round, "order", 0).shuffle(&mut texts);
                let again = Tokenizer::train(kind, 700, &texts).expect("trains").to_json().expect("writes");
                assert!(again == json, "{kind:?}: round {round} gave another tokenizer");
            }
        }
    }

    #[test]
    fn json_gives_the_same_tokenizer_back() {
        let texts = texts();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for kind in KINDS {
            let tokenizer = Tokenizer::train(kind, 500, &texts).expect("trains");
            let json = tokenizer.to_json().expect("writes");
            let read = Tokenizer::from_json(&json).expect("reads");
            assert_eq!(read.to_json().expect("writes"), json);
            assert_eq!(read.vocab_size(), tokenizer.vocab_size());
            for text in texts.iter().take(50).chain(&["", "  ", "[UNK]", "zzz ☃ \u{301}\0"]) {
                assert_eq!(read.encode(text), tokenizer.encode(text), "{text:?}");
            }
        }
    }

    #[test]
    fn pieces_say_where_they_stand() {
        let text = "The Élan of Élan, élan.";
        let tokenizer = Tokenizer::train(TokenizerKind::Wordpiece, 64, &[text]).expect("trains");
        let tokens = tokenizer.encode(text).expect("encodes");
        let pieces: Vec<&str> = tokens.offsets.iter().map(|(s, e)| &text[*s as usize..*e as usize]).collect();
        assert_eq!(pieces.concat(), text.replace(' ', ""), "every letter once");
        let of = |wanted: &str| {
            let mut ids = tokens.ids.iter().zip(&tokens.offsets);
            ids.find(|(_, (s, e))| &text[*s as usize..*e as usize] == wanted).map(|(id, _)| *id)
        };
        assert!(of("Élan").is_some() && of("Élan") == of("élan"), "lower case without accents: {pieces:?}");
    }

    #[test]
    fn paddings_and_cuts_of_a_file_are_dropped() {
        let tokenizer = Tokenizer::train(TokenizerKind::Wordpiece, 64, &["a b c d", "a b c d"]).expect("trains");
        let json = tokenizer.to_json().expect("writes");
        let padded = json
            .replace("\"padding\":null", "\"padding\":{\"strategy\":{\"Fixed\":9},\"direction\":\"Right\",\"pad_to_multiple_of\":null,\"pad_id\":0,\"pad_type_id\":0,\"pad_token\":\"[UNK]\"}")
            .replace("\"truncation\":null", "\"truncation\":{\"direction\":\"Right\",\"max_length\":2,\"strategy\":\"LongestFirst\",\"stride\":0}");
        assert!(padded.len() > json.len() + 150, "the file was not changed: {json}");
        let read = Tokenizer::from_json(&padded).expect("reads");
        assert_eq!(read.encode("a b c d").expect("encodes").ids.len(), 4);
        assert_eq!(read.to_json().expect("writes"), json);
    }

    #[test]
    fn what_is_no_tokenizer_is_refused() {
        for json in ["", "{}", "[]", "{\"version\":\"1.0\"}", "{\"model\":{\"type\":\"WordPiece\"}}"] {
            assert!(matches!(Tokenizer::from_json(json), Err(EncoderError::TokenizerJson { .. })), "{json}");
        }
    }

    #[test]
    fn no_texts_give_a_tokenizer_that_knows_nothing() {
        let tokenizer = Tokenizer::train(TokenizerKind::Wordpiece, 64, &[]).expect("trains");
        assert_eq!((tokenizer.vocab_size(), tokenizer.encode("x y").expect("encodes").ids), (1, vec![0, 0]));
    }
}
