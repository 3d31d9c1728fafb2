//! The same small evaluation on the GPU and on the CPU, compared.
//!
//! A browser's GPU may compute wrongly without a word: drivers differ, and a page cannot see which one it has. So every
//! visit compares, and the page says what came of it. A fixed model embeds fixed texts and scores bundles of them, which
//! takes every kernel that an evaluation takes.

use crucible_core::backend::cpu::CpuBackend;
use crucible_core::backend::gpu::{AdapterChoice, GpuBackend, GpuDevice};
use crucible_core::backend::{Backend, BackendError, SimilarityShape};
use crucible_core::config::Model;
use crucible_core::data::{BundleSet, read_bundles};
use crucible_core::encoder::{Checkpoint, Corpus, StaticEncoder, Tokenizer};
use crucible_core::eval::{EvaluationError, evaluate_in_steps};
use crucible_core::rng::Stream;
use serde::Serialize;
use serde_json::json;

/// Margins of the page and of the command line may differ by so much (cosine units).
pub const BOUND: f64 = 1e-4;

/// What the comparison showed.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SelfCheck {
    /// They agree within [`BOUND`].
    Agrees {
        /// The GPU's name; browsers often give none.
        device: String,
        /// Largest difference, in cosine units.
        largest: f64,
    },
    /// They don't: the GPU must not be used.
    Differs {
        /// The GPU's name.
        device: String,
        /// Largest difference; none where a value was not a number.
        largest: Option<f64>,
    },
    /// No GPU for this page; the CPU does the work.
    NoGpu {
        /// What the browser said.
        message: String,
    },
    /// The GPU refused the work.
    Failed {
        /// What it said.
        message: String,
    },
}

/// The texts.
const TEXTS: [&str; 12] = [
    "the boat drifted to the bank of the river",
    "she paid the money into the bank on friday",
    "reeds grow along the muddy bank",
    "the bank raised its rates again",
    "a crane lifted the beams onto the roof",
    "the crane stood on one leg in the shallow water",
    "he wrote a note and left it on the table",
    "the singer held the last note for a long time",
    "the current pulled the swimmer out to sea",
    "the current in the wire was too strong",
    "they keep watch over the harbour at night",
    "his watch had stopped at noon",
];
/// Bundles of them.
const BUNDLES: usize = 70;
/// More than one tile each way, and ragged on all sides.
const SHAPE: SimilarityShape = SimilarityShape { n: 67, m: 130, d: 37 };

/// Runs it; the GPU comes second where it may be used.
pub async fn self_check() -> (SelfCheck, Option<GpuBackend>) {
    match compare().await {
        Ok((outcome @ SelfCheck::Agrees { .. }, gpu)) => (outcome, Some(gpu)),
        Ok((outcome, _)) => (outcome, None),
        Err(EvaluationError::Device(e @ BackendError::NoDevice { .. })) => {
            (SelfCheck::NoGpu { message: e.to_string() }, None)
        }
        Err(e) => (SelfCheck::Failed { message: e.to_string() }, None),
    }
}

async fn compare() -> Result<(SelfCheck, GpuBackend), EvaluationError> {
    let device = GpuDevice::open(AdapterChoice::Best).await?;
    let gpu = GpuBackend::new(device).await?;
    let (got, expected) = (numbers(Some(&gpu)).await?, numbers(None::<&GpuBackend>).await?);
    let device = gpu.name().to_owned();
    let outcome = match largest_difference(&got, &expected) {
        Some(largest) if largest <= BOUND => SelfCheck::Agrees { device, largest },
        largest => SelfCheck::Differs { device, largest },
    };
    Ok((outcome, gpu))
}

/// Everything that is compared: margins and ranks of the fixed bundles, and a matrix of similarities.
async fn numbers<B: Backend>(backend: Option<&B>) -> Result<Vec<f64>, EvaluationError> {
    let (checkpoint, set) = (checkpoint()?, bundles());
    let run = evaluate_in_steps(&checkpoint, &set, backend, BUNDLES, async |_| true).await?;
    let (vectors, scores) = run.unwrap_or_default();
    let mut numbers: Vec<f64> = vectors.vectors.iter().map(|x| f64::from(*x)).collect();
    numbers.extend(scores.iter().flat_map(|score| [score.margin, f64::from(score.rank), f64::from(score.winner)]));
    let matrix = match backend {
        Some(backend) => similarities(backend).await?,
        None => similarities(&CpuBackend).await?,
    };
    numbers.extend(matrix.into_iter().map(f64::from));
    Ok(numbers)
}

/// A model of random vectors with a head of two layers, for words of the fixed texts.
fn checkpoint() -> Result<Checkpoint, EvaluationError> {
    let mut words: Vec<&str> = TEXTS.iter().flat_map(|text| text.split(' ')).collect();
    words.sort_unstable();
    words.dedup();
    let vocabulary: serde_json::Map<_, _> =
        ["[UNK]"].into_iter().chain(words).zip(0u32..).map(|(word, id)| (word.to_owned(), json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null, "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    });
    let tokenizer = Tokenizer::from_json(&tokenizer.to_string())?;
    let config = Model { embedding_dim: 40, hidden_dim: 40, num_layers: 2, span_window: 3, ..Model::default() };
    let mut encoder = StaticEncoder::init(&config, tokenizer.vocab_size(), &Corpus::default(), 1)?;
    // A new encoder's last layer is empty and its weights by distance are equal: nothing of it may stay so.
    let mut stream = Stream::new(1, "self-check", 1);
    let layers = encoder.layers.iter_mut().flat_map(|layer| layer.weight.iter_mut().chain(&mut layer.bias));
    layers.chain(&mut encoder.span_weights).for_each(|x| *x += stream.symmetric(0.2));
    Ok(Checkpoint { encoder, tokenizer: Some(tokenizer), step: 0, seed: 1, version: String::new() })
}

/// Texts against each other; the word from character 4 on is marked in each.
fn bundles() -> BundleSet {
    let mut stream = Stream::new(1, "self-check", 2);
    let mut lines = String::new();
    let event = |text: usize, sense: &str| json!({"event_id": text.to_string(), "sense": sense, "text": TEXTS[text % TEXTS.len()], "span": [4, 8]});
    for bundle in 0..BUNDLES {
        let anchor = bundle % TEXTS.len();
        let positive = TEXTS.len() + stream.below(TEXTS.len());
        let negatives: Vec<_> = (0..1 + stream.below(5))
            .map(|_| event((2 + stream.below(3)) * TEXTS.len() + stream.below(TEXTS.len()), "b#2"))
            .collect();
        let line = json!({
            "bundle_id": bundle.to_string(),
            "anchor": event(anchor, "a#1"),
            "positive": event(positive, "a#1"),
            "negatives": negatives,
        });
        lines += &format!("{line}\n");
    }
    read_bundles(&mut lines.as_bytes(), "self-check").unwrap_or_default()
}

async fn similarities<B: Backend>(backend: &B) -> Result<Vec<f32>, BackendError> {
    let mut stream = Stream::new(1, "self-check", 0);
    let mut rows = |count: usize| -> Vec<f32> {
        let bound = (1.0 / SHAPE.d as f32).sqrt();
        (0..count * SHAPE.d).map(|_| stream.symmetric(bound)).collect()
    };
    let (a, b) = (rows(SHAPE.n), rows(SHAPE.m));
    // Not a number to begin with: a kernel that writes nothing is noticed.
    let mut out = backend.upload(&vec![f32::NAN; SHAPE.n * SHAPE.m])?;
    backend.similarity(&backend.upload(&a)?, &backend.upload(&b)?, &mut out, SHAPE)?;
    backend.download(&out).await
}

/// None where the lengths differ or any value is not finite.
fn largest_difference(got: &[f64], expected: &[f64]) -> Option<f64> {
    if got.len() != expected.len() || got.iter().chain(expected).any(|x| !x.is_finite()) {
        return None;
    }
    Some(got.iter().zip(expected).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_no_number_is_no_agreement() {
        assert_eq!(largest_difference(&[1.0, 2.0], &[1.0, 2.5]), Some(0.5));
        assert_eq!(largest_difference(&[1.0, f64::NAN], &[1.0, 2.0]), None);
        assert_eq!(largest_difference(&[1.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn the_fixed_bundles_are_sound_and_pass_and_fail() {
        let set = bundles();
        assert_eq!(set.bundles.len(), BUNDLES);
        let checkpoint = checkpoint().expect("the fixed model is sound");
        let run = evaluate_in_steps(&checkpoint, &set, None::<&CpuBackend>, 16, async |_| true);
        let (_, scores) = pollster::block_on(run).expect("runs").expect("nobody stopped it");
        let passed = scores.iter().filter(|score| score.passes()).count();
        assert!((10..BUNDLES - 10).contains(&passed), "{passed} of {BUNDLES} pass");
        // The twins of the kernels agree with the CPU's own way.
        let twin = pollster::block_on(numbers(Some(&CpuBackend))).expect("runs");
        let own = pollster::block_on(numbers(None::<&CpuBackend>)).expect("runs");
        assert!(largest_difference(&twin, &own).is_some_and(|largest| largest < 1e-5), "twins differ");
    }
}
