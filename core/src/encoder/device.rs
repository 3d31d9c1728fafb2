//! The static encoder as kernels on a [`Backend`].

use super::corpus::Corpus;
use super::static_encoder::{Layer, StaticEncoder};
use crate::backend::{Backend, BackendError};
use crate::config::Model;
use crate::embeddings::Embeddings;
use crate::kernels::product::{Part, Sizes as Product};
pub(crate) use crate::kernels::u;
use crate::kernels::{self, activation};
use std::ops::Range;

/// Texts that are embedded together.
const TOGETHER: usize = 2048;

/// Scratch that one pass leaves to the next; it grows with what passes.
pub(crate) struct Scratch<B: Backend>(pub(crate) B::Buffer);

impl<B: Backend> Scratch<B> {
    pub(crate) fn new(backend: &B) -> Result<Self, BackendError> {
        Ok(Self(backend.zeros(1)?))
    }

    pub(crate) fn fit(&mut self, backend: &B, len: usize) -> Result<(), BackendError> {
        if backend.len(&self.0) < len {
            self.0 = backend.zeros(len.next_multiple_of(1024))?;
        }
        Ok(())
    }
}

/// A model's parameters on the device.
pub(crate) struct Parameters<'a, B: Backend> {
    pub(crate) model: &'a Model,
    pub(crate) tokens: &'a B::Buffer,
    /// θ by bucket; a single 0 for a plain mean.
    pub(crate) theta: &'a B::Buffer,
    pub(crate) layers: Vec<Linear<'a, B>>,
}

/// A layer on the device.
pub(crate) struct Linear<'a, B: Backend> {
    pub(crate) weight: &'a B::Buffer,
    pub(crate) bias: &'a B::Buffer,
    /// Rows of the weight.
    pub(crate) width: usize,
    /// Columns of the weight.
    pub(crate) depth: usize,
}

impl<'a, B: Backend> Linear<'a, B> {
    /// `layer`, whose weight and bias are there.
    fn of((weight, bias): &'a (B::Buffer, B::Buffer), layer: &Layer) -> Self {
        let width = layer.bias.len();
        Self { weight, bias, width, depth: layer.weight.len() / width }
    }
}

/// Tokenised texts on the device.
pub(crate) struct Texts<'a, B: Backend> {
    pub(crate) n: usize,
    pub(crate) tokens: usize,
    pub(crate) ids: &'a B::Buffer,
    pub(crate) starts: &'a B::Buffer,
    /// A bucket a token; all 0 for a plain mean.
    pub(crate) buckets: &'a B::Buffer,
}

/// What the encoder leaves behind, for backward.
pub(crate) struct Forward<B: Backend> {
    pub(crate) weights: Scratch<B>,
    /// Input of each layer; the first is the pooled vectors.
    pub(crate) inputs: Vec<Scratch<B>>,
    /// Output of each layer before its activation.
    pub(crate) outputs: Vec<Scratch<B>>,
    pub(crate) unit: Scratch<B>,
    pub(crate) norms: Scratch<B>,
}

impl<B: Backend> Forward<B> {
    pub(crate) fn new(backend: &B, layers: usize) -> Result<Self, BackendError> {
        let many = |n: usize| (0..n).map(|_| Scratch::new(backend)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            weights: Scratch::new(backend)?,
            inputs: many(layers.max(1))?,
            outputs: many(layers)?,
            unit: Scratch::new(backend)?,
            norms: Scratch::new(backend)?,
        })
    }

    /// Encodes `texts` into `unit` and `norms`; with a seed, hidden units are dropped.
    pub(crate) fn run(
        &mut self,
        backend: &B,
        parameters: &Parameters<'_, B>,
        texts: &Texts<'_, B>,
        dropout_seed: Option<u32>,
    ) -> Result<(), BackendError> {
        let Parameters { model, tokens, theta, layers } = parameters;
        let (n, dim) = (texts.n, model.embedding_dim);
        let out_dim = layers.last().map_or(dim, |l| l.width);
        self.weights.fit(backend, texts.tokens)?;
        self.inputs[0].fit(backend, n * dim)?;
        self.unit.fit(backend, n * out_dim)?;
        self.norms.fit(backend, n)?;
        for (l, layer) in layers.iter().enumerate() {
            self.inputs[l].fit(backend, n * layer.depth)?;
            self.outputs[l].fit(backend, n * layer.width)?;
        }
        let sizes = kernels::pool_weights::Sizes { texts: u(n) };
        backend.run(sizes, &[theta, texts.buckets, texts.starts, &self.weights.0])?;
        let sizes = kernels::pool::Sizes { texts: u(n), dim: u(dim) };
        backend.run(sizes, &[tokens, texts.ids, texts.starts, &self.weights.0, &self.inputs[0].0])?;
        for (l, layer) in layers.iter().enumerate() {
            let product = Product::new(Part::new(n, layer.depth), Part::new(layer.width, layer.depth).t(), 0);
            backend.run(product, &[&self.inputs[l].0, layer.weight, &self.outputs[l].0])?;
            if l + 1 < layers.len() {
                let sizes = activation_sizes(model, n, layer.width, l, dropout_seed);
                backend.run(sizes, &[layer.bias, &self.outputs[l].0, &self.inputs[l + 1].0])?;
            }
        }
        let (head, values, bias) = match (self.outputs.last(), layers.last()) {
            (Some(outputs), Some(layer)) => (1, &outputs.0, layer.bias),
            _ => (0, &self.inputs[0].0, *theta),
        };
        let residual = u32::from(head == 0 || model.residual);
        let sizes = kernels::normalise::Sizes { rows: u(n), width: u(out_dim), head, residual };
        backend.run(sizes, &[values, bias, &self.inputs[0].0, &self.unit.0, &self.norms.0])
    }
}

/// The activation behind layer `layer` of `n` texts.
pub(crate) fn activation_sizes(
    model: &Model,
    n: usize,
    width: usize,
    layer: usize,
    dropout_seed: Option<u32>,
) -> activation::Sizes {
    let share = if dropout_seed.is_some() { model.dropout } else { 0.0 };
    let seed = dropout_seed.unwrap_or(0).wrapping_add(layer as u32);
    activation::Sizes::new(n, width, model.activation, share, seed)
}

/// An encoder whose parameters are on a device.
pub struct OnDevice<'a, B: Backend> {
    backend: &'a B,
    encoder: &'a StaticEncoder,
    tokens: B::Buffer,
    theta: B::Buffer,
    layers: Vec<(B::Buffer, B::Buffer)>,
    forward: Forward<B>,
}

impl<'a, B: Backend> OnDevice<'a, B> {
    /// Copies them there.
    ///
    /// # Errors
    /// What the device reported.
    pub fn new(backend: &'a B, encoder: &'a StaticEncoder) -> Result<Self, BackendError> {
        let weighted = !encoder.span_weights.is_empty();
        let tokens = backend.upload(&encoder.tokens)?;
        let theta = backend.upload(if weighted { &encoder.span_weights } else { &[0.0] })?;
        let mut layers = Vec::new();
        for layer in &encoder.layers {
            layers.push((backend.upload(&layer.weight)?, backend.upload(&layer.bias)?));
        }
        let forward = Forward::new(backend, encoder.layers.len())?;
        Ok(Self { backend, encoder, tokens, theta, layers, forward })
    }

    /// [`StaticEncoder::embed_some`] there.
    ///
    /// # Errors
    /// What the device reported.
    pub async fn embed_some(&mut self, corpus: &Corpus, range: Range<usize>) -> Result<Embeddings, BackendError> {
        let Self { backend, encoder, tokens, theta, layers, forward } = self;
        let weighted = !encoder.span_weights.is_empty();
        let dim = encoder.dim();
        let (mut vectors, mut norms) = (Vec::with_capacity(range.len() * dim), Vec::with_capacity(range.len()));
        let mut own = Vec::new();
        for first in range.clone().step_by(TOGETHER) {
            let n = TOGETHER.min(range.end - first);
            let (mut ids, mut starts, mut buckets) = (Vec::new(), vec![0u32], Vec::new());
            let ready = corpus.ready(first..first + n).map(|rows| backend.upload(rows)).transpose()?;
            for event in first..first + n {
                ids.extend_from_slice(corpus.ids(event));
                starts.push(u(ids.len()));
                if weighted {
                    corpus.buckets(event, &mut own);
                    buckets.extend(own.iter().map(|b| u32::from(*b)));
                }
            }
            buckets.resize(ids.len(), 0);
            if ready.is_some() {
                ids = (0..u(n)).collect();
            }
            let tokens = ready.as_ref().unwrap_or(tokens);
            let linears = layers.iter().zip(&encoder.layers).map(|(on, layer)| Linear::of(on, layer)).collect();
            let parameters = Parameters { model: &encoder.config, tokens, theta, layers: linears };
            let [ids_on, starts_on, buckets_on] =
                [backend.upload_indices(&ids)?, backend.upload_indices(&starts)?, backend.upload_indices(&buckets)?];
            let texts = Texts { n, tokens: ids.len(), ids: &ids_on, starts: &starts_on, buckets: &buckets_on };
            forward.run(*backend, &parameters, &texts, None)?;
            vectors.extend_from_slice(&backend.download(&forward.unit.0).await?[..n * dim]);
            norms.extend_from_slice(&backend.download(&forward.norms.0).await?[..n]);
        }
        Ok(Embeddings { dim, vectors, norms })
    }
}

impl StaticEncoder {
    /// [`StaticEncoder::embed`] on `backend`.
    ///
    /// # Errors
    /// What the device reported.
    pub async fn embed_on<B: Backend>(&self, backend: &B, corpus: &Corpus) -> Result<Embeddings, BackendError> {
        OnDevice::new(backend, self)?.embed_some(corpus, 0..corpus.len()).await
    }
}
