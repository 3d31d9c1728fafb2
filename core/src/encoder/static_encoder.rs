//! The static encoder: token vectors, a weighted mean, an optional head of linear layers.
//!
//! An adapter is the same without token vectors of its own: an event has one token, its row among the ready vectors that
//! its corpus holds.
//!
//! Inference runs in blocks of a fixed number of rows, the last one filled up with zeros: the matrix product may choose
//! its way by shape, and an event's vector must not depend on the batch it came in.

use super::{Corpus, EncoderError, cooccurrence};
use crate::config::{Model, ModelKind, TokenInit};
use crate::embeddings::{Embeddings, normalise};
use crate::kernels::matmul::{Aligned, Packed, View, matmul_block};
use crate::kernels::simd::{axpy, widest};
use crate::kernels::{activation, pool, pool_weights};
use crate::parallel;
use crate::rng::Stream;
use std::ops::Range;

/// Rows that go through the head together.
const BLOCK: usize = 192;
/// Length of a token's own random direction beside the one that it shares with its company.
const OWN_SHARE: f32 = 0.25;
/// The largest `span_window`: buckets are numbered in a byte.
pub const MAX_SPAN_WINDOW: usize = 126;

/// A linear layer: `y = W·x + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// W, `[out, in]`, row-major.
    pub weight: Aligned,
    /// b, `[out]`.
    pub bias: Vec<f32>,
}

/// Token vectors, pooling weights and head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StaticEncoder {
    /// Its sizes and settings.
    pub config: Model,
    /// `[vocabulary, embedding_dim]`. Of an adapter: nothing, or in training the ready vectors.
    pub tokens: Vec<f32>,
    /// θ of [`pool_weights`], by bucket; empty for a plain mean.
    pub span_weights: Vec<f32>,
    /// The head, in order.
    pub layers: Vec<Layer>,
}

/// Refuses settings that no static encoder can have.
pub(super) fn check(config: &Model) -> Result<(), EncoderError> {
    let within = |field, value: usize, low: usize, high: usize| {
        let reason = format!("is {value}; expected {low} to {high}");
        if (low..=high).contains(&value) { Ok(()) } else { Err(EncoderError::Config { field, reason }) }
    };
    within("embedding_dim", config.embedding_dim, 1, 8192)?;
    within("hidden_dim", config.hidden_dim, 1, 8192)?;
    // An adapter is its head.
    within("num_layers", config.num_layers, usize::from(config.kind == ModelKind::Adapter), 8)?;
    within("span_window", config.span_window, 0, MAX_SPAN_WINDOW)?;
    within("max_tokens", config.max_tokens, 1, 65_536)?;
    if config.residual && config.num_layers > 0 && config.embedding_dim != config.hidden_dim {
        let (d, h) = (config.embedding_dim, config.hidden_dim);
        let reason = format!("needs equal widths, but embedding_dim is {d} and hidden_dim {h}");
        return Err(EncoderError::Config { field: "residual", reason });
    }
    Ok(())
}

/// Whether tokens are weighted by their distance to the span.
pub(super) fn has_span_weights(config: &Model) -> bool {
    config.kind == ModelKind::Static && config.span_window > 0
}

/// Length of θ.
pub(super) fn span_weight_count(config: &Model) -> usize {
    if has_span_weights(config) { pool_weights::bucket_count(config.span_window) } else { 0 }
}

/// `(out, in)` of each of the head's layers.
pub(super) fn layer_shapes(config: &Model) -> Vec<(usize, usize)> {
    let input = |layer| if layer == 0 { config.embedding_dim } else { config.hidden_dim };
    (0..config.num_layers).map(|layer| (config.hidden_dim, input(layer))).collect()
}

impl StaticEncoder {
    /// An encoder of the settings' shapes, all zeros: to be filled from a file.
    ///
    /// # Errors
    /// When the settings are outside their limits or do not go together.
    pub fn zeros(config: &Model, vocab: usize) -> Result<Self, EncoderError> {
        check(config)?;
        let layer =
            |(out, input): (usize, usize)| Layer { weight: vec![0.0; out * input].into(), bias: vec![0.0; out] };
        Ok(Self {
            config: config.clone(),
            tokens: vec![0.0; vocab * config.embedding_dim],
            span_weights: vec![0.0; span_weight_count(config)],
            layers: layer_shapes(config).into_iter().map(layer).collect(),
        })
    }

    /// An untrained encoder for a vocabulary of `vocab` tokens, from the texts of the corpus.
    ///
    /// Token vectors are scaled so that the mean over a text of usual length has a norm of about 1.
    ///
    /// # Errors
    /// As [`StaticEncoder::zeros`].
    pub fn init(config: &Model, vocab: usize, corpus: &Corpus, seed: u64) -> Result<Self, EncoderError> {
        let mut encoder = Self::zeros(config, vocab)?;
        match config.kind {
            ModelKind::Static => encoder.init_tokens(vocab, corpus, seed),
            ModelKind::Adapter => encoder.take_ready(corpus),
        }
        encoder.init_head(seed);
        Ok(encoder)
    }

    /// For training: an adapter's ready vectors in place of token vectors.
    pub fn take_ready(&mut self, corpus: &Corpus) {
        if let Some(ready) = corpus.ready(0..corpus.len()) {
            self.tokens = ready.to_vec();
        }
    }

    /// Whether training moves the token vectors.
    #[must_use]
    pub fn learns_tokens(&self) -> bool {
        self.config.kind == ModelKind::Static
    }

    fn init_tokens(&mut self, vocab: usize, corpus: &Corpus, seed: u64) {
        let Self { config, tokens, .. } = self;
        let frequencies = corpus.document_frequencies(vocab);
        let lengths = token_lengths(config.token_init, vocab, &frequencies, corpus.texts());
        let dim = config.embedding_dim;
        let company = match config.token_init {
            TokenInit::Cooccurrence => Some(cooccurrence::directions(corpus, vocab, dim, seed)),
            TokenInit::Idf | TokenInit::Uniform => None,
        };
        parallel::for_blocks(tokens, dim, |id, row| {
            // A cube of this half-width has an expected squared diagonal of 1.
            let bound = lengths[id] * (3.0 / dim as f32).sqrt();
            let mut stream = Stream::new(seed, "token vector", id as u64);
            row.iter_mut().for_each(|x| *x = stream.symmetric(bound));
            if let Some(company) = &company {
                let direction = &company[id * dim..][..dim];
                row.iter_mut().zip(direction).for_each(|(x, d)| *x = *x * OWN_SHARE + lengths[id] * d);
            }
        });
    }

    fn init_head(&mut self, seed: u64) {
        let Self { config, layers, .. } = self;
        for (number, Layer { weight, bias }) in layers.iter_mut().enumerate() {
            if config.residual && number + 1 == config.num_layers {
                continue; // Zeros: the head changes nothing at the start.
            }
            let bound = (bias.len() as f32 / weight.len() as f32).sqrt();
            let mut stream = Stream::new(seed, "head layer", number as u64);
            weight.iter_mut().chain(bias).for_each(|x| *x = stream.symmetric(bound) + 0.0);
        }
    }

    /// Numbers a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        if self.layers.is_empty() { self.config.embedding_dim } else { self.config.hidden_dim }
    }

    /// Rows of the token table.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.tokens.len() / self.config.embedding_dim
    }

    /// The events' vectors, without dropout. An event's vector is the same, bit for bit, whatever comes with it.
    ///
    /// # Panics
    /// When the corpus was made by a tokenizer of more ids than there are token vectors.
    #[must_use]
    pub fn embed(&self, corpus: &Corpus) -> Embeddings {
        self.embed_some(corpus, 0..corpus.len())
    }

    /// [`StaticEncoder::embed`] of the events in `range` alone.
    ///
    /// # Panics
    /// As it; when there are no such events.
    #[must_use]
    pub fn embed_some(&self, corpus: &Corpus, range: Range<usize>) -> Embeddings {
        let dim = self.dim();
        let mut vectors = vec![0f32; range.len() * dim];
        let mut norms = vec![0f32; range.len()];
        let weights: Vec<Packed> = self.layers.iter().map(Layer::packed).collect();
        let blocks: Vec<_> = vectors.chunks_mut(BLOCK * dim).zip(norms.chunks_mut(BLOCK)).enumerate().collect();
        parallel::for_each(blocks, |(number, (vectors, norms))| {
            let first = range.start + number * BLOCK;
            let mut pooled = vec![0f32; norms.len() * self.config.embedding_dim];
            widest!(self.pool(corpus, first..first + norms.len(), &mut pooled));
            vectors.copy_from_slice(&self.head(&weights, pooled));
            widest!({
                for (row, norm) in vectors.chunks_exact_mut(dim).zip(norms.iter_mut()) {
                    *norm = normalise(row);
                }
            });
        });
        Embeddings { dim, vectors, norms }
    }

    /// Pools events into the first rows of `out: [rows, embedding_dim]`.
    #[inline(always)]
    pub(crate) fn pool(&self, corpus: &Corpus, events: Range<usize>, out: &mut [f32]) {
        let (mut buckets, mut weights) = (Vec::new(), Vec::new());
        for (event, out) in events.zip(out.chunks_exact_mut(self.config.embedding_dim)) {
            let ids = corpus.ids(event);
            weights.clear();
            weights.resize(ids.len(), 1.0 / ids.len().max(1) as f32);
            if !self.span_weights.is_empty() {
                corpus.buckets(event, &mut buckets);
                pool_weights::forward(&self.span_weights, &buckets, &mut weights);
            }
            pool::forward(corpus.table(self), ids, &weights, out);
        }
    }

    /// Sends pooled rows through the head, whose weights come packed.
    fn head(&self, weights: &[Packed], pooled: Vec<f32>) -> Vec<f32> {
        let rows = pooled.len() / self.config.embedding_dim;
        let mut values: Option<Vec<f32>> = None;
        for (number, (layer, weight)) in self.layers.iter().zip(weights).enumerate() {
            let last = number + 1 == self.layers.len();
            let mut out = vec![0f32; rows * layer.bias.len()];
            layer.forward(weight, values.as_deref().unwrap_or(&pooled), &mut out);
            if !last {
                widest!(activation::forward(self.config.activation, &mut out));
            } else if self.config.residual {
                widest!(axpy(&mut out, 1.0, &pooled));
            }
            values = Some(out);
        }
        values.unwrap_or(pooled)
    }
}

impl Layer {
    /// `W: [out, in]`.
    pub(crate) fn matrix(&self) -> View<'_> {
        let width = self.bias.len();
        View::new(&self.weight, width, self.weight.len() / width)
    }

    /// `Wᵀ`, as [`Self::forward`] wants it.
    pub(crate) fn packed(&self) -> Packed {
        Packed::new(self.matrix().t())
    }

    /// `out = inputs · Wᵀ + b`; `inputs: [rows, in]`, `out: [rows, out]`.
    pub(crate) fn forward(&self, weight: &Packed, inputs: &[f32], out: &mut [f32]) {
        let width = self.bias.len();
        let rows = out.len() / width;
        matmul_block(out, View::new(inputs, rows, self.weight.len() / width), weight, Some(&self.bias));
    }
}

/// The expected length of each token's vector. The mean of n random vectors of length ℓ has a norm of about `ℓ / √n`.
fn token_lengths(init: TokenInit, vocab: usize, frequencies: &[u32], documents: usize) -> Vec<f32> {
    let frequency = |id: usize| f64::from(frequencies.get(id).copied().unwrap_or(0));
    let idf = |id: usize| match init {
        TokenInit::Idf | TokenInit::Cooccurrence => {
            ((1.0 + documents as f64) / (1.0 + frequency(id))).ln().max(0.0) + 1.0
        }
        TokenInit::Uniform => 1.0,
    };
    let (mut occurrences, mut squares) = (0.0, 0.0);
    for id in 0..vocab {
        occurrences += frequency(id);
        squares += frequency(id) * idf(id) * idf(id);
    }
    let tokens_a_text = (occurrences / documents.max(1) as f64).max(1.0);
    let scale = if squares > 0.0 { (tokens_a_text * occurrences / squares).sqrt() } else { 1.0 };
    (0..vocab).map(|id| (idf(id) * scale) as f32).collect()
}

/// One event's vector (before normalising) in `f64`, from the definitions.
#[must_use]
pub fn reference(encoder: &StaticEncoder, corpus: &Corpus, event: usize) -> Vec<f64> {
    let ids = corpus.ids(event);
    let mut weights = vec![1.0; ids.len()];
    if !encoder.span_weights.is_empty() {
        let mut buckets = Vec::new();
        corpus.buckets(event, &mut buckets);
        weights = buckets.iter().map(|b| f64::from(encoder.span_weights[*b as usize]).exp()).collect();
    }
    let total: f64 = weights.iter().sum();
    let weights: Vec<f32> = weights.iter().map(|w| (w / total) as f32).collect();
    let pooled = pool::reference(corpus.table(encoder), encoder.config.embedding_dim, ids, &weights);
    let mut values = pooled.clone();
    for (number, layer) in encoder.layers.iter().enumerate() {
        let last = number + 1 == encoder.layers.len();
        let rows = layer.weight.chunks(values.len()).zip(&layer.bias);
        let linear =
            rows.map(|(row, b)| row.iter().zip(&values).map(|(w, x)| f64::from(*w) * x).sum::<f64>() + f64::from(*b));
        let activate = |x| if last { x } else { activation::reference(encoder.config.activation, x) };
        values = linear.map(activate).collect();
    }
    if encoder.config.residual && !encoder.layers.is_empty() {
        values.iter_mut().zip(&pooled).for_each(|(x, p)| *x += p);
    }
    values
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{Activation, TokenizerKind};
    use crate::data::Event;
    use crate::encoder::Tokenizer;

    /// Events over a small vocabulary, of 0 to 40 words.
    pub(crate) fn events(n: usize) -> Vec<Event> {
        let mut stream = Stream::new(9, "events", 0);
        let event = |i: usize| {
            let words: Vec<String> = (0..stream.below(41)).map(|_| format!("w{}", stream.below(60))).collect();
            let span = (words.len() > 2 && !i.is_multiple_of(3)).then(|| {
                let word = stream.below(words.len());
                let start: usize = words[..word].iter().map(|w| w.len() + 1).sum();
                (start as u32, (start + words[word].len()) as u32)
            });
            let sense = format!("l{}#{}", i % 5, i % 2);
            let (lemma, text) = (format!("l{}", i % 5), words.join(" "));
            Event { event_id: i.to_string(), sense, lemma, text, span, embedding: None, extra: Default::default() }
        };
        (0..n).map(event).collect()
    }

    pub(crate) fn trained_tokenizer(events: &[Event]) -> Tokenizer {
        let texts: Vec<&str> = events.iter().map(|e| e.text.as_str()).collect();
        Tokenizer::train(TokenizerKind::Wordpiece, 300, &texts).expect("trains")
    }

    /// An encoder none of whose parts is at its start.
    pub(crate) fn encoder(config: &Model, vocab: usize) -> StaticEncoder {
        let mut encoder = StaticEncoder::init(config, vocab, &Corpus::default(), 7).expect("fits");
        let mut stream = Stream::new(7, "shake", 0);
        let layers = encoder.layers.iter_mut().flat_map(|l| l.weight.iter_mut().chain(&mut l.bias));
        layers.chain(&mut encoder.span_weights).for_each(|x| *x += stream.symmetric(0.3));
        encoder
    }

    pub(crate) fn small() -> Model {
        Model { embedding_dim: 33, hidden_dim: 33, span_window: 5, vocab_size: 300, ..Model::default() }
    }

    #[test]
    fn agrees_with_the_reference_in_every_shape() {
        let events = events(150);
        let tokenizer = trained_tokenizer(&events);
        for num_layers in [0, 1, 2, 3] {
            for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu] {
                for (residual, hidden_dim, span_window) in [(true, 33, 5), (false, 20, 0), (false, 50, MAX_SPAN_WINDOW)]
                {
                    let config = Model { num_layers, activation, residual, hidden_dim, span_window, ..small() };
                    let encoder = encoder(&config, tokenizer.vocab_size());
                    let corpus = Corpus::build(&tokenizer, &events, span_window, 30).expect("builds");
                    let got = encoder.embed(&corpus);
                    assert_eq!((got.len(), got.dim), (150, if num_layers == 0 { 33 } else { hidden_dim }));
                    for event in 0..events.len() {
                        let want = reference(&encoder, &corpus, event);
                        let norm = want.iter().map(|x| x * x).sum::<f64>().sqrt();
                        assert!((f64::from(got.norms[event]) - norm).abs() < 1e-5 * (1.0 + norm), "{config:?} {event}");
                        for (got, want) in got.row(event).iter().zip(&want) {
                            let want = if norm > 0.0 { want / norm } else { 0.0 };
                            assert!((f64::from(*got) - want).abs() < 1e-5, "{config:?} {event}: {got} and {want}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_vector_does_not_depend_on_its_batch() {
        let events = events(203);
        let tokenizer = trained_tokenizer(&events);
        let config = Model { embedding_dim: 65, hidden_dim: 65, ..small() };
        let encoder = encoder(&config, tokenizer.vocab_size());
        let embed = |events: &[Event]| encoder.embed(&Corpus::build(&tokenizer, events, 5, 512).expect("builds"));
        let all = embed(&events);
        let mut order: Vec<usize> = (0..events.len()).collect();
        Stream::new(1, "order", 0).shuffle(&mut order);
        for batch in [1, 2, 7, 63, 64, 65, 203] {
            for chunk in order.chunks(batch) {
                let some = embed(&chunk.iter().map(|i| events[*i].clone()).collect::<Vec<_>>());
                for (row, event) in chunk.iter().enumerate() {
                    assert!(some.row(row) == all.row(*event), "event {event} in a batch of {batch}");
                    assert_eq!(some.norms[row].to_bits(), all.norms[*event].to_bits());
                }
            }
        }
    }

    #[test]
    fn an_untrained_encoder_starts_as_it_should() {
        let events = events(400);
        let tokenizer = trained_tokenizer(&events);
        let corpus = Corpus::build(&tokenizer, &events, 5, 512).expect("builds");
        for token_init in [TokenInit::Idf, TokenInit::Uniform, TokenInit::Cooccurrence] {
            let config = Model { token_init, embedding_dim: 64, hidden_dim: 64, ..small() };
            let init = |config: &Model, seed| StaticEncoder::init(config, tokenizer.vocab_size(), &corpus, seed);
            let encoder = init(&config, 1).expect("fits");
            assert!(encoder == init(&config, 1).expect("fits") && encoder != init(&config, 2).expect("fits"));
            // Residual with a last layer of zeros: the head changes nothing yet.
            let plain = init(&Model { num_layers: 0, ..config.clone() }, 1).expect("fits");
            let embedded = encoder.embed(&corpus);
            assert!(embedded == plain.embed(&corpus));
            let mean = embedded.norms.iter().sum::<f32>() / embedded.len() as f32;
            assert!((0.7..1.5).contains(&mean), "{token_init:?}: mean norm {mean}");
            assert_eq!(encoder.span_weights, vec![0.0; 14]);
            let first = &encoder.layers[0].weight;
            let largest = first.iter().fold(0f32, |a, b| a.max(b.abs()));
            assert!((0.12..=0.125).contains(&largest), "1/√64, not {largest}");
        }
    }

    #[test]
    fn rarer_tokens_are_longer() {
        let lengths = token_lengths(TokenInit::Idf, 4, &[100, 10, 1, 0], 100);
        assert!(lengths.is_sorted_by(|a, b| a < b), "{lengths:?}");
        let uniform = token_lengths(TokenInit::Uniform, 4, &[100, 10, 1, 0], 100);
        assert!(uniform.iter().all(|l| (l - 1.11f32.sqrt()).abs() < 1e-6), "{uniform:?}");
    }

    #[test]
    fn settings_that_cannot_be_are_refused() {
        let refused = |config: Model| match StaticEncoder::init(&config, 3, &Corpus::default(), 0) {
            Err(EncoderError::Config { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(Model { embedding_dim: 0, ..small() }), "embedding_dim");
        assert_eq!(refused(Model { hidden_dim: 9000, ..small() }), "hidden_dim");
        assert_eq!(refused(Model { num_layers: 9, ..small() }), "num_layers");
        assert_eq!(refused(Model { span_window: 127, ..small() }), "span_window");
        assert_eq!(refused(Model { max_tokens: 0, ..small() }), "max_tokens");
        assert_eq!(refused(Model { hidden_dim: 34, ..small() }), "residual");
    }
}
