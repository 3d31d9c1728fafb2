//! The library's tokenizer with bounds: how long its normalizers may make a text, and panics that come back as errors.

use super::caught::caught;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Deref;
use tokenizers::{
    DecoderWrapper, Encoding, ModelWrapper, NormalizedString, Normalizer, NormalizerWrapper, PostProcessorWrapper,
    PreTokenizerWrapper, TokenizerImpl,
};

/// A normalized text has at most so many bytes for each of the text's own. Unicode's longest makes 11 of one.
const GROWTH: usize = 32;
/// And so many more.
const EXTRA: usize = 512;
/// What one step alone could make of it, at worst: bytes for each of the text's own,
const STEP_GROWTH: usize = 256;
/// and more than these only if its length is the reason.
const STEP_BYTES: usize = 32 << 20;
const STEP_EXTRA: usize = 64 << 10;
/// Bytes of all added tokens, normalized.
const ADDED: usize = 16 << 20;

type Error = tokenizers::Error;
type Inner = TokenizerImpl<ModelWrapper, Normaliser, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// A tokenizer.
pub(in crate::encoder) struct Bounded(Inner);

/// What is left for the text at hand.
#[derive(Clone, Copy)]
struct Budget {
    /// Bytes of all its normalized parts.
    left: usize,
    /// Bytes that one step might make.
    step: usize,
    exceeded: bool,
}

impl Budget {
    const fn of(bytes: usize) -> Self {
        let step = bytes.saturating_mul(STEP_GROWTH);
        let most = bytes.saturating_mul(GROWTH);
        let most = if most > STEP_BYTES { most } else { STEP_BYTES };
        let step = if step < most { step } else { most };
        Self {
            left: bytes.saturating_mul(GROWTH).saturating_add(EXTRA),
            step: step.saturating_add(STEP_EXTRA),
            exceeded: false,
        }
    }
}

thread_local! {
    /// The library drops what a normalizer answers, so an error has to be kept beside it.
    static BUDGET: Cell<Budget> = const { Cell::new(Budget::of(ADDED / GROWTH)) };
}

/// Does `work` on a text of so many bytes; `what` it is, for messages.
fn within<T>(bytes: usize, what: &str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let outer = BUDGET.replace(Budget::of(bytes));
    let done = caught(work);
    match BUDGET.replace(outer).exceeded {
        true => Err(format!("the tokenizer's normalizer makes {what} more than {GROWTH} times as long").into()),
        false => done?,
    }
}

impl Bounded {
    pub(super) fn new(model: impl Into<ModelWrapper>) -> Self {
        Self(Inner::new(model.into()))
    }

    /// Builds the tokenizer of a `tokenizer.json` that [`super::tokenizer_json::checked`] let pass.
    ///
    /// # Errors
    /// The library's words.
    pub(in crate::encoder) fn read(json: &Value) -> Result<Self, String> {
        within(ADDED / GROWTH, "the added tokens", || Ok(Inner::deserialize(json)?))
            .map(Self)
            .map_err(|e| e.to_string())
    }

    /// To change it.
    pub(in crate::encoder) fn parts(&mut self) -> &mut Inner {
        &mut self.0
    }

    /// All tokens and their numbers.
    pub(in crate::encoder) fn vocabulary(&self) -> HashMap<String, u32> {
        self.0.get_vocab(true)
    }

    /// The `tokenizer.json`; the same bytes for the same tokenizer.
    pub(in crate::encoder) fn to_json(&self) -> Result<String, Error> {
        caught(|| self.0.to_string(false))?
    }

    /// A text's tokens and where they stand, without marks.
    pub(in crate::encoder) fn encode(&self, text: &str) -> Result<Encoding, Error> {
        within(text.len(), "the text", || self.0.encode(text, false))
    }

    /// A text's tokens alone.
    pub(in crate::encoder) fn encode_fast(&self, text: &str, marked: bool) -> Result<Encoding, Error> {
        within(text.len(), "the text", || self.0.encode_fast(text, marked))
    }
}

impl Deref for Bounded {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// A normalizer that stops where a text grows out of bounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::encoder) struct Normaliser(pub(super) NormalizerWrapper);

impl Normalizer for Normaliser {
    fn normalize(&self, text: &mut NormalizedString) -> Result<(), Error> {
        apply(&self.0, text)?;
        let mut budget = BUDGET.get();
        budget.left = budget.left.saturating_sub(text.get().len());
        BUDGET.set(budget);
        Ok(())
    }
}

fn apply(normalizer: &NormalizerWrapper, text: &mut NormalizedString) -> Result<(), Error> {
    if let NormalizerWrapper::Sequence(steps) = normalizer {
        return steps.as_ref().iter().try_for_each(|step| apply(step, text));
    }
    let mut budget = BUDGET.get();
    if !budget.exceeded && at_worst(normalizer, text.get().len()) <= budget.step {
        normalizer.normalize(text)?;
        if text.get().len() <= budget.left {
            return Ok(());
        }
    }
    budget.exceeded = true;
    BUDGET.set(budget);
    Err("the normalized text is too long".into())
}

/// Bytes that a step makes of `bytes`, at most.
fn at_worst(normalizer: &NormalizerWrapper, bytes: usize) -> usize {
    use NormalizerWrapper as N;
    match normalizer {
        // An expression may find something before every byte and at the end.
        N::Replace(replace) => replace.content.len().saturating_mul(bytes + 1).saturating_add(bytes),
        N::Prepend(prefix) => bytes.saturating_add(prefix.prepend.len()),
        // Its longest rewrite was looked at (`tokenizer_json::charsmap`).
        N::Precompiled(_) => bytes.saturating_mul(40),
        N::StripNormalizer(_) | N::StripAccents(_) | N::Nmt(_) => bytes,
        // The longest of Unicode's decompositions.
        _ => bytes.saturating_mul(11),
    }
}
