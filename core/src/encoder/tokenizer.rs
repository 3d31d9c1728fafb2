//! Tokenizers, by the `tokenizers` library, trained here or read from a `tokenizer.json`.
//!
//! Training must give the same bytes each time, and the library's does not for WordPiece: ids of continuing pieces
//! (`##x`) follow the order of a randomly seeded hash map. Here every piece of one character gets its id, in order,
//! before the library sees the words. Threads are [`parallel`]'s alone: the library's own pool stays off.

use super::EncoderError;
use crate::config::TokenizerKind;
use crate::parallel;
use std::collections::{BTreeMap, BTreeSet};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::{PreTokenizerWrapper, bert::BertPreTokenizer, byte_level::ByteLevel};
use tokenizers::{
    AddedToken, ModelWrapper, NormalizedString, Normalizer, NormalizerWrapper, OffsetReferential, OffsetType,
    PreTokenizedString, PreTokenizer,
};

/// What a word that no pieces spell becomes.
const UNKNOWN: &str = "[UNK]";
/// Before pieces that continue a word.
const CONTINUING: &str = "##";
/// Pairs of pieces seen less often are not joined.
const MIN_FREQUENCY: u64 = 2;
/// Texts whose words are counted together.
const BLOCK: usize = 256;

/// A text in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Rows of the token table.
    pub ids: Vec<u32>,
    /// `[start, end)` of each in the text, in bytes.
    pub offsets: Vec<(u32, u32)>,
}

/// Splits texts into numbered pieces. Adds no special tokens, pads and cuts nothing.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    rows: usize,
}

impl Tokenizer {
    /// Learns the pieces of `texts`. The same texts, in any order, give the same tokenizer, byte for byte.
    ///
    /// `vocab_size` is the most pieces; single characters (or bytes) are always all there, and may exceed it.
    ///
    /// # Errors
    /// When the library fails.
    pub fn train(kind: TokenizerKind, vocab_size: usize, texts: &[&str]) -> Result<Self, EncoderError> {
        let failed = |e: tokenizers::Error| EncoderError::TokenizerTraining { reason: e.to_string() };
        tokenizers::utils::parallelism::set_parallelism(false);
        let (normalizer, splitter): (Option<NormalizerWrapper>, PreTokenizerWrapper) = match kind {
            TokenizerKind::Wordpiece => (Some(BertNormalizer::default().into()), BertPreTokenizer.into()),
            TokenizerKind::Bpe => (None, ByteLevel::default().add_prefix_space(false).into()),
        };
        let words = count_words(texts, normalizer.as_ref(), &splitter).map_err(failed)?;

        let trainer = BpeTrainer::builder().show_progress(false).min_frequency(MIN_FREQUENCY).vocab_size(vocab_size);
        let trainer = match kind {
            TokenizerKind::Wordpiece => {
                trainer.continuing_subword_prefix(CONTINUING.to_owned()).special_tokens(first_pieces(&words))
            }
            TokenizerKind::Bpe => trainer.initial_alphabet(ByteLevel::alphabet().into_iter().collect()),
        };
        let mut bpe = BPE::default();
        let counts = words.into_iter().map(|(word, count)| (word.into(), count)).collect();
        trainer.build().do_train(&counts, &mut bpe).map_err(failed)?;

        let model: ModelWrapper = match kind {
            TokenizerKind::Wordpiece => WordPiece::from_bpe(&bpe).into(),
            TokenizerKind::Bpe => bpe.into(),
        };
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_normalizer(normalizer).map_err(failed)?;
        inner.with_pre_tokenizer(Some(splitter));
        match kind {
            TokenizerKind::Wordpiece => {
                inner.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
                inner.add_special_tokens([AddedToken::from(UNKNOWN, true)]).map_err(failed)?;
            }
            TokenizerKind::Bpe => {
                inner.with_decoder(Some(ByteLevel::default()));
            }
        }
        Ok(Self::of(inner))
    }

    /// Reads a `tokenizer.json`. What it says about padding and cutting is dropped.
    ///
    /// # Errors
    /// When the library cannot read it.
    pub fn from_json(json: &str) -> Result<Self, EncoderError> {
        let refused = |reason: String| EncoderError::TokenizerJson { reason };
        let mut inner: tokenizers::Tokenizer = json.parse().map_err(|e: tokenizers::Error| refused(e.to_string()))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| refused(e.to_string()))?;
        Ok(Self::of(inner))
    }

    fn of(inner: tokenizers::Tokenizer) -> Self {
        let rows = inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        Self { inner, rows }
    }

    /// The `tokenizer.json`; the same bytes for the same tokenizer.
    ///
    /// # Errors
    /// When the library cannot write it.
    pub fn to_json(&self) -> Result<String, EncoderError> {
        self.inner.to_string(false).map_err(|e| EncoderError::TokenizerJson { reason: e.to_string() })
    }

    /// Rows that a token table needs: one more than the largest id.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.rows
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
        let encoding = self.inner.encode(text, false).map_err(|e| failed(e.to_string()))?;
        if let Some(id) = encoding.get_ids().iter().find(|id| **id as usize >= self.rows) {
            return Err(failed(format!("the tokenizer gave id {id}, beyond its own vocabulary of {}", self.rows)));
        }
        tokens.ids.extend_from_slice(encoding.get_ids());
        tokens.offsets.extend(encoding.get_offsets().iter().map(|(start, end)| (*start as u32, *end as u32)));
        Ok(())
    }
}

/// How often each word (after normalising and splitting) occurs.
fn count_words(
    texts: &[&str],
    normalizer: Option<&NormalizerWrapper>,
    splitter: &PreTokenizerWrapper,
) -> Result<BTreeMap<String, u64>, tokenizers::Error> {
    type Counts = Result<BTreeMap<String, u64>, tokenizers::Error>;
    let blocks: Vec<Counts> = parallel::map(texts.len().div_ceil(BLOCK), |block| {
        let mut counts = BTreeMap::new();
        for text in texts.iter().skip(block * BLOCK).take(BLOCK) {
            let mut text = NormalizedString::from(*text);
            if let Some(normalizer) = normalizer {
                normalizer.normalize(&mut text)?;
            }
            let mut text = PreTokenizedString::from(text);
            splitter.pre_tokenize(&mut text)?;
            for (word, ..) in text.get_splits(OffsetReferential::Original, OffsetType::None) {
                match counts.get_mut(word) {
                    Some(count) => *count += 1,
                    None => {
                        counts.insert(word.to_owned(), 1);
                    }
                }
            }
        }
        Ok(counts)
    });
    let mut total = BTreeMap::new();
    for block in blocks {
        for (word, count) in block? {
            *total.entry(word).or_default() += count;
        }
    }
    Ok(total)
}

/// `[UNK]`, then every character that begins a word, then every one that continues one: in order of their codes.
fn first_pieces(words: &BTreeMap<String, u64>) -> Vec<AddedToken> {
    let (mut first, mut continuing) = (BTreeSet::new(), BTreeSet::new());
    for word in words.keys() {
        let mut chars = word.chars();
        first.extend(chars.next());
        continuing.extend(chars);
    }
    let piece = |text: String| AddedToken::from(text, true);
    let singles = first.union(&continuing).map(|c| piece(c.to_string()));
    let continuing = continuing.iter().map(|c| piece(format!("{CONTINUING}{c}")));
    std::iter::once(piece(UNKNOWN.to_owned())).chain(singles).chain(continuing).collect()
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
