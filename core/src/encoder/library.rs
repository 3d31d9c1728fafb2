//! Tokenizers by the whole of the `tokenizers` library, trained here or read from a `tokenizer.json`.
//!
//! Training must give the same bytes each time, and the library's does not for WordPiece: ids of continuing pieces
//! (`##x`) follow the order of a randomly seeded hash map. Here every piece of one character gets its id, in order,
//! before the library sees the words. Threads are [`parallel`]'s alone: the library's own pool stays off.

pub(super) mod bounded;
mod caught;

use super::tokenizer::Tokens;
use super::{EncoderError, tokenizer_json};
use crate::config::TokenizerKind;
use crate::parallel;
use bounded::Bounded;
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

/// A tokenizer.
pub(super) struct Library {
    inner: Bounded,
    rows: usize,
}

impl Library {
    /// Learns the pieces of `texts`.
    ///
    /// # Errors
    /// When the library fails.
    pub(super) fn train(kind: TokenizerKind, vocab_size: usize, texts: &[&str]) -> Result<Self, EncoderError> {
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
        let mut inner = Bounded::new(model);
        let inner_parts = inner.parts();
        inner_parts.with_normalizer(normalizer.map(bounded::Normaliser)).map_err(failed)?;
        inner_parts.with_pre_tokenizer(Some(splitter));
        match kind {
            TokenizerKind::Wordpiece => {
                inner_parts.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
                inner_parts.add_special_tokens([AddedToken::from(UNKNOWN, true)]).map_err(failed)?;
            }
            TokenizerKind::Bpe => {
                inner_parts.with_decoder(Some(ByteLevel::default()));
            }
        }
        Ok(Self::of(inner))
    }

    /// Reads a `tokenizer.json`. What it says about padding and cutting is dropped.
    ///
    /// # Errors
    /// When the library cannot read it.
    pub(super) fn from_json(json: &str) -> Result<Self, EncoderError> {
        let refused = |reason: String| EncoderError::TokenizerJson { reason };
        let json = tokenizer_json::checked(json.as_bytes()).map_err(refused)?;
        let mut inner = Bounded::read(&json).map_err(refused)?;
        inner.parts().with_truncation(None).map_err(|e| refused(e.to_string()))?;
        Ok(Self::of(inner))
    }

    fn of(inner: Bounded) -> Self {
        let rows = inner.vocabulary().into_values().max().map_or(0, |id| id as usize + 1);
        Self { inner, rows }
    }

    /// The `tokenizer.json`; the same bytes for the same tokenizer.
    ///
    /// # Errors
    /// When the library cannot write it.
    pub(super) fn to_json(&self) -> Result<String, tokenizers::Error> {
        self.inner.to_json()
    }

    /// One more than the largest id.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Appends the pieces of one text.
    pub(super) fn encode_onto(&self, text: &str, tokens: &mut Tokens) -> Result<(), tokenizers::Error> {
        let encoding = self.inner.encode(text)?;
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
