//! A whole evaluation in steps: texts to tokens, to vectors, to scores, a few bundles at a time.
//!
//! Between two steps the caller is asked whether to go on: a page shows how far it is, and lets its other work in. The
//! numbers are those of one great step, bit for bit on the CPU.

use super::device::score_some_on;
use super::score::{Score, score_some};
use crate::backend::{Backend, BackendError};
use crate::data::{Bundle, BundleSet};
use crate::embeddings::Embeddings;
use crate::encoder::{Checkpoint, EncoderError, OnDevice};

/// Why an evaluation did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// A text that the model can't take.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] BackendError),
}

/// What an evaluation gives: one vector for each event and one score for each bundle.
pub type Evaluated = (Embeddings, Vec<Score>);

/// Evaluates `checkpoint` on `set`, `step` bundles at a time: on `backend`, or on the CPU where there is none. `go_on`
/// hears after each step how many bundles are done; when it says no, there is no result.
///
/// # Errors
/// Texts that can't be tokenised, a device that fails.
///
/// # Panics
/// When `step` is 0.
pub async fn evaluate_in_steps<B: Backend>(
    checkpoint: &Checkpoint,
    set: &BundleSet,
    backend: Option<&B>,
    step: usize,
    mut go_on: impl AsyncFnMut(usize) -> bool,
) -> Result<Option<Evaluated>, EvaluationError> {
    assert!(step > 0, "a step takes at least one bundle");
    let encoder = &checkpoint.encoder;
    let mut corpus = checkpoint.corpus();
    let mut on_device = backend.map(|backend| OnDevice::new(backend, encoder)).transpose()?;
    let mut all = Embeddings { dim: encoder.dim(), ..Embeddings::default() };
    let mut scores = Vec::with_capacity(set.bundles.len());
    for bundles in set.bundles.chunks(step) {
        let known = all.len();
        // Events are numbered in the order in which bundles name them first.
        let needed = bundles.iter().flat_map(events_of).max().map_or(known, |last| known.max(last as usize + 1));
        corpus.extend(&set.events[known..needed])?;
        let new = match &mut on_device {
            Some(on_device) => on_device.embed_some(corpus.corpus(), known..needed).await?,
            None => encoder.embed_some(corpus.corpus(), known..needed),
        };
        all.vectors.extend(new.vectors);
        all.norms.extend(new.norms);
        scores.extend(match backend {
            Some(backend) => score_some_on(backend, bundles, &all).await?,
            None => score_some(bundles, &all),
        });
        if !go_on(scores.len()).await {
            return Ok(None);
        }
    }
    Ok(Some((all, scores)))
}

fn events_of(bundle: &Bundle) -> impl Iterator<Item = u32> {
    [bundle.anchor, bundle.positive].into_iter().chain(bundle.negatives.iter().map(|negative| negative.event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::CpuBackend;
    use crate::config::TokenizerKind;
    use crate::data::read_bundles;
    use crate::encoder::{Encoder as _, StaticEncoder, Tokenizer};
    use crate::eval::score;
    use crate::rng::Stream;
    use std::fmt::Write as _;

    /// Bundles whose events come back in later ones, and a model for their texts.
    fn sample() -> (Checkpoint, BundleSet) {
        let mut stream = Stream::new(5, "steps", 0);
        let words: Vec<String> = (0..90).map(|i| format!("word{i}")).collect();
        let texts: Vec<String> = (0..40)
            .map(|_| (0..3 + stream.below(6)).map(|_| words[stream.below(90)].as_str()).collect::<Vec<_>>().join(" "))
            .collect();
        let mut file = String::new();
        let event = |i: usize, sense: usize| {
            let text = &texts[i % texts.len()];
            format!(r#"{{"event_id":"{i}","sense":"l#{sense}","text":"{text}","span":[0,4]}}"#)
        };
        for bundle in 0..70 {
            // Events 0 to 59 are of sense 0, the rest of sense 1.
            let (anchor, positive) = (stream.below(30), 30 + stream.below(30));
            let negatives: Vec<String> = (0..1 + stream.below(4)).map(|_| event(60 + stream.below(60), 1)).collect();
            let (a, p) = (event(anchor, 0), event(positive, 0));
            let negatives = negatives.join(",");
            let _ =
                writeln!(file, r#"{{"bundle_id":"b{bundle}","anchor":{a},"positive":{p},"negatives":[{negatives}]}}"#);
        }
        let set = read_bundles(&mut file.as_bytes(), "test").expect("the test's own bundles are sound");
        let all: Vec<&str> = texts.iter().map(String::as_str).collect();
        let tokenizer = Tokenizer::train(TokenizerKind::Wordpiece, 200, &all).expect("trains");
        let config = crate::config::Model { embedding_dim: 24, hidden_dim: 24, ..crate::config::Model::default() };
        let corpus = crate::encoder::Corpus::default();
        let encoder = StaticEncoder::init(&config, tokenizer.vocab_size(), &corpus, 3).expect("fits");
        (Checkpoint { encoder, tokenizer: Some(tokenizer), step: 0, seed: 3, version: String::new() }, set)
    }

    #[test]
    fn steps_of_any_size_give_the_numbers_of_one() {
        let (checkpoint, set) = sample();
        let embeddings = checkpoint.embed_events(&set.events).expect("embeds");
        let scores = score(&set, &embeddings);
        assert!(scores.iter().any(Score::passes) && scores.iter().any(|s| !s.passes()), "both must occur");
        for step in [1, 7, 64, 70, 1000] {
            let mut heard = Vec::new();
            let run = evaluate_in_steps(&checkpoint, &set, None::<&CpuBackend>, step, async |done| {
                heard.push(done);
                true
            });
            let (vectors, got) = pollster::block_on(run).expect("runs").expect("nobody stopped it");
            assert_eq!(heard.len(), set.bundles.len().div_ceil(step));
            assert!(heard.is_sorted() && heard.last() == Some(&set.bundles.len()), "{heard:?}");
            assert!(vectors == embeddings, "vectors in steps of {step}");
            assert_eq!(got, scores, "scores in steps of {step}");
        }
    }

    #[test]
    fn a_backend_gives_the_same_verdicts() {
        let (checkpoint, set) = sample();
        let scores = score(&set, &checkpoint.embed_events(&set.events).expect("embeds"));
        let run = evaluate_in_steps(&checkpoint, &set, Some(&CpuBackend), 16, async |_| true);
        let (_, got) = pollster::block_on(run).expect("runs").expect("nobody stopped it");
        assert_eq!(got.len(), scores.len());
        for (got, want) in got.iter().zip(&scores) {
            assert!((got.margin - want.margin).abs() < 1e-5, "{got:?}, expected {want:?}");
            assert!(got.passes() == want.passes() || want.margin.abs() < 1e-6, "{got:?}, expected {want:?}");
        }
    }

    #[test]
    fn a_no_ends_it_without_a_result() {
        let (checkpoint, set) = sample();
        let run = evaluate_in_steps(&checkpoint, &set, None::<&CpuBackend>, 16, async |done| done < 32);
        assert_eq!(pollster::block_on(run), Ok(None));
    }

    #[test]
    fn no_bundles_are_no_steps() {
        let (checkpoint, _) = sample();
        let none = BundleSet::default();
        let run = evaluate_in_steps(&checkpoint, &none, None::<&CpuBackend>, 16, async |_| false);
        let (vectors, scores) = pollster::block_on(run).expect("runs").expect("nobody was asked");
        assert!(vectors.is_empty() && scores.is_empty());
    }
}
