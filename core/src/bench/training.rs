//! Training steps of a model of usual size on random batches: what a step takes, apart from reading and batching.

use super::case::Size;
use crate::backend::BackendError;
use crate::config::{Loss, Model};
use crate::encoder::StaticEncoder;
use crate::rng::Stream;
use crate::train::{Batch, Engine, Hyper, Optimizer, group_by_row};

/// Tokens of a text.
const TOKENS: usize = 29;
/// Negatives of a bundle.
const NEGATIVES: usize = 5;
/// Different batches; a run goes through them again and again, and they are on their way to the device anew each time.
const BATCHES: usize = 16;

/// A model and batches.
pub struct Training {
    encoder: StaticEncoder,
    batches: Vec<Batch>,
    taken: u64,
}

impl Training {
    /// Batches of `anchors` bundles, of a positive and five negatives each, 29 tokens a text, for a model of 256 numbers with
    /// a head of two layers of 256: InfoNCE, no dropout, no clipping, no decay, a plain mean. The vocabulary has 30,000 rows;
    /// 2,000 in a quick run.
    #[must_use]
    pub fn new(anchors: usize, size: Size) -> Self {
        let (dim, vocab) = match size {
            Size::Check => (16, 200),
            Size::Quick => (256, 2_000),
            Size::Full => (256, 30_000),
        };
        let config = Model {
            embedding_dim: dim,
            hidden_dim: dim,
            num_layers: 2,
            dropout: 0.0,
            token_dropout: 0.0,
            residual: false,
            span_window: 0,
            vocab_size: vocab,
            ..Model::default()
        };
        let mut encoder = StaticEncoder::zeros(&config, vocab).unwrap_or_default();
        let mut stream = Stream::new(2, "bench training", 0);
        let bound = (3.0 / dim as f32).sqrt();
        encoder.tokens.iter_mut().for_each(|x| *x = stream.symmetric(bound));
        for layer in &mut encoder.layers {
            layer.weight.iter_mut().for_each(|x| *x = stream.symmetric(bound));
        }
        let batches = (0..BATCHES as u64).map(|number| batch(anchors, vocab, number)).collect();
        Self { encoder, batches, taken: 0 }
    }

    /// What an engine starts from.
    #[must_use]
    pub fn start(&self) -> (StaticEncoder, Optimizer) {
        (self.encoder.clone(), Optimizer::new(&self.encoder))
    }

    /// Steps that one run takes.
    #[must_use]
    pub fn steps(&self) -> u32 {
        BATCHES as u32
    }

    /// Takes `runs` times [`Training::steps`] steps; the last one's loss.
    ///
    /// # Errors
    /// What the device reported.
    pub fn run(&mut self, engine: &mut dyn Engine, runs: u32) -> Result<f64, BackendError> {
        let hyper =
            Hyper { loss: Loss::InfoNce, temperature: 0.05, margin: 0.0, in_batch: true, clip: 0.0, weight_decay: 0.0 };
        let mut loss = f64::NAN;
        for _ in 0..runs {
            for batches in self.batches.chunks(engine.together()) {
                let rates = vec![1e-3; batches.len()];
                let stats = engine.steps(batches, &hyper, self.taken + 1, &rates)?;
                self.taken += batches.len() as u64;
                loss = stats.last().map_or(loss, |stats| stats.loss);
            }
        }
        Ok(loss)
    }
}

/// All texts are different, and of senses of their own, but for the positives.
fn batch(anchors: usize, vocab: usize, number: u64) -> Batch {
    let mut stream = Stream::new(2, "bench batch", number);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let texts = anchors * (2 + NEGATIVES);
    let ids: Vec<u32> = (0..texts * TOKENS).map(|_| count(stream.below(vocab))).collect();
    let (rows, segments, occurrences) = group_by_row(&ids, vocab);
    let sense = |text: usize| if text < 2 * anchors { text % anchors } else { text };
    Batch {
        anchors,
        starts: (0..=texts).map(|text| count(text * TOKENS)).collect(),
        text_of: (0..ids.len()).map(|token| count(token / TOKENS)).collect(),
        ids,
        buckets: Vec::new(),
        rows,
        segments,
        occurrences,
        senses: (0..texts).map(|text| count(sense(text))).collect(),
        texts: (0..count(texts)).collect(),
        negatives: (0..=anchors).map(|bundle| count(anchors + NEGATIVES * bundle)).collect(),
        dropout_seed: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train;

    #[test]
    fn the_loss_falls() {
        let mut training = Training::new(4, Size::Check);
        let (encoder, optimizer) = training.start();
        let mut engine = train::cpu(encoder, optimizer).expect("starts");
        let first = training.run(engine.as_mut(), 1).expect("runs");
        let later = training.run(engine.as_mut(), 20).expect("runs");
        assert!(first.is_finite() && later < 0.5 * first, "{first}, then {later}");
        assert_eq!(training.taken, 21 * u64::from(training.steps()));
    }
}
