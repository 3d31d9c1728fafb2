//! Training steps as kernels on a [`Backend`]: the same step as [`super::step`], recorded without reading back.
//!
//! The batches of several steps go up at once; losses and gradient norms come back when all of them are done. Decay of
//! the token table is counted here, in `f64`, and handed to the device as one factor a row.

use super::batch::Batch;
use super::step::{Hyper, Moments, Optimizer, StepStats};
use crate::backend::{Backend, BackendError};
use crate::config::{Loss, Model};
use crate::encoder::device::{Forward, Linear, Parameters, Scratch, Texts, activation_sizes, u};
use crate::encoder::{Layer, StaticEncoder};
use crate::kernels::product::{Part, Sizes as Product};
use crate::kernels::{self, adamw};

/// A parameter and its moments on the device.
struct Tensor<B: Backend> {
    len: usize,
    p: B::Buffer,
    m: B::Buffer,
    v: B::Buffer,
}

impl<B: Backend> Tensor<B> {
    fn upload(backend: &B, operation: &'static str, values: &[f32], moments: &Moments) -> Result<Self, BackendError> {
        // Now, not at the first step: by then there are files.
        if values.len() > backend.max_len() {
            let bytes = |len: usize| len as u64 * size_of::<f32>() as u64;
            let (got, limit) = (bytes(values.len()), bytes(backend.max_len()));
            return Err(BackendError::TooLarge { operation, unit: "bytes", got, limit });
        }
        let up = |x: &[f32]| backend.upload(x);
        Ok(Self { len: values.len(), p: up(values)?, m: up(&moments.m)?, v: up(&moments.v)? })
    }

    async fn download(&self, backend: &B) -> Result<(Vec<f32>, Moments), BackendError> {
        let p = backend.download(&self.p).await?;
        Ok((p, Moments { m: backend.download(&self.m).await?, v: backend.download(&self.v).await? }))
    }
}

/// One batch's arrays on the device.
struct Uploaded<B: Backend> {
    ids: B::Buffer,
    starts: B::Buffer,
    text_of: B::Buffer,
    buckets: B::Buffer,
    rows: B::Buffer,
    segments: B::Buffer,
    occurrences: B::Buffer,
    decays: B::Buffer,
    senses: B::Buffer,
    texts: B::Buffer,
    negatives: B::Buffer,
}

/// A model in training on a device.
pub struct DeviceTrainee<B: Backend> {
    backend: B,
    model: Model,
    weighted: bool,
    tokens: Tensor<B>,
    theta: Tensor<B>,
    /// Weight and bias of each layer.
    layers: Vec<[Tensor<B>; 2]>,
    /// `ln` of the decay that each table row has received.
    row_decay: Vec<f64>,
    decay: f64,
    work: Work<B>,
}

struct Work<B: Backend> {
    forward: Forward<B>,
    similarities: Scratch<B>,
    losses: Scratch<B>,
    /// Gradient by the output of each layer; the last by the unit vectors first.
    d_outputs: Vec<Scratch<B>>,
    d_pooled: Scratch<B>,
    d_rows: Scratch<B>,
    d_token_weights: Scratch<B>,
    d_theta: Scratch<B>,
    /// Gradients of weight and bias of each layer.
    d_layers: Vec<[Scratch<B>; 2]>,
    sums: Scratch<B>,
    stats: Scratch<B>,
    factor: Scratch<B>,
}

impl<B: Backend> DeviceTrainee<B> {
    /// Brings a model to the device.
    ///
    /// # Errors
    /// When a kernel can't see one of its tensors whole. Whether the device has the memory is known after
    /// [`DeviceTrainee::arrived`].
    pub fn new(backend: B, encoder: &StaticEncoder, optimizer: &Optimizer) -> Result<Self, BackendError> {
        let scratch = || Scratch::new(&backend);
        let many = |n: usize| (0..n).map(|_| scratch()).collect::<Result<Vec<_>, _>>();
        let count = encoder.layers.len();
        let work = Work {
            forward: Forward::new(&backend, count)?,
            similarities: scratch()?,
            losses: scratch()?,
            d_outputs: many(count.max(1))?,
            d_pooled: scratch()?,
            d_rows: scratch()?,
            d_token_weights: scratch()?,
            d_theta: scratch()?,
            d_layers: (0..count).map(|_| Ok([scratch()?, scratch()?])).collect::<Result<_, BackendError>>()?,
            sums: scratch()?,
            stats: scratch()?,
            factor: scratch()?,
        };
        let weighted = !encoder.span_weights.is_empty();
        // Without weights by distance, all tokens are in one bucket and weigh the same.
        let theta = if weighted { encoder.span_weights.as_slice() } else { &[0.0] };
        let zero = Moments { m: vec![0.0], v: vec![0.0] };
        let moments = if weighted { &optimizer.span_weights } else { &zero };
        let layers = encoder.layers.iter().zip(&optimizer.layers);
        let layers = layers.map(|(layer, [weight, bias])| {
            let weight = Tensor::upload(&backend, "a layer's weights", &layer.weight, weight)?;
            Ok([weight, Tensor::upload(&backend, "a layer's biases", &layer.bias, bias)?])
        });
        Ok(Self {
            model: encoder.config.clone(),
            weighted,
            tokens: Tensor::upload(&backend, "the token vectors", &encoder.tokens, &optimizer.tokens)?,
            theta: Tensor::upload(&backend, "the pooling weights", theta, moments)?,
            layers: layers.collect::<Result<_, BackendError>>()?,
            row_decay: optimizer.row_decay.clone(),
            decay: optimizer.decay,
            work,
            backend,
        })
    }

    /// Waits until the model is on the device.
    ///
    /// # Errors
    /// What the device reported, such as no memory for it.
    pub async fn arrived(&self) -> Result<(), BackendError> {
        self.backend.download(&self.work.factor.0).await.map(|_| ())
    }

    /// Takes the steps of `batches`, the first being step `t` (from 1), each with its learning rate.
    ///
    /// # Errors
    /// What the device reported; the model is then not to be trusted.
    pub async fn record_steps(
        &mut self,
        batches: &[Batch],
        hyper: &Hyper,
        t: u64,
        rates: &[f64],
    ) -> Result<Vec<StepStats>, BackendError> {
        self.work.stats.fit(&self.backend, 2 * batches.len())?;
        let uploaded = self.upload(batches, hyper, rates)?;
        for (i, ((batch, on_device), lr)) in batches.iter().zip(&uploaded).zip(rates).enumerate() {
            let step = adamw::Step::new(t + i as u64, *lr, 1.0);
            self.record(batch, on_device, hyper, &step, *lr, i)?;
        }
        let stats = self.backend.download(&self.work.stats.0).await?;
        let pairs = stats.chunks_exact(2).take(batches.len());
        Ok(pairs.map(|s| StepStats { loss: f64::from(s[0]), gradient_norm: f64::from(s[1]) }).collect())
    }

    /// Copies the model and the optimiser's memory back.
    ///
    /// # Errors
    /// What the device reported.
    pub async fn read(&self) -> Result<(StaticEncoder, Optimizer), BackendError> {
        let (tokens, token_moments) = self.tokens.download(&self.backend).await?;
        let (theta, theta_moments) = self.theta.download(&self.backend).await?;
        let mut layers = Vec::new();
        let mut layer_moments = Vec::new();
        for [weight, bias] in &self.layers {
            let (weight, weight_moments) = weight.download(&self.backend).await?;
            let (bias, bias_moments) = bias.download(&self.backend).await?;
            layers.push(Layer { weight: weight.into(), bias });
            layer_moments.push([weight_moments, bias_moments]);
        }
        let (span_weights, span_moments) =
            if self.weighted { (theta, theta_moments) } else { (Vec::new(), Moments::default()) };
        let encoder = StaticEncoder { config: self.model.clone(), tokens, span_weights, layers };
        let optimizer = Optimizer {
            tokens: token_moments,
            span_weights: span_moments,
            layers: layer_moments,
            row_decay: self.row_decay.clone(),
            decay: self.decay,
        };
        Ok((encoder, optimizer))
    }

    /// Sends all arrays of all batches up, and counts the decay of their rows.
    fn upload(&mut self, batches: &[Batch], hyper: &Hyper, rates: &[f64]) -> Result<Vec<Uploaded<B>>, BackendError> {
        let mut owned = Vec::new();
        for (batch, lr) in batches.iter().zip(rates) {
            self.decay += (1.0 - lr * hyper.weight_decay).ln();
            let mut decays = Vec::with_capacity(batch.rows.len());
            for row in &batch.rows {
                let received = &mut self.row_decay[*row as usize];
                decays.push(((self.decay - *received).exp() as f32).to_bits());
                *received = self.decay;
            }
            let mut buckets: Vec<u32> = batch.buckets.iter().map(|b| u32::from(*b)).collect();
            buckets.resize(batch.ids.len(), 0);
            owned.push([decays, buckets]);
        }
        let arrays: Vec<&[u32]> = batches
            .iter()
            .zip(&owned)
            .flat_map(|(batch, [decays, buckets])| {
                let Batch { ids, starts, text_of, rows, segments, occurrences, senses, texts, negatives, .. } = batch;
                [ids, starts, text_of, buckets, rows, segments, occurrences, decays, senses, texts, negatives]
            })
            .map(Vec::as_slice)
            .collect();
        let mut parts = self.backend.upload_parts(&arrays)?.into_iter();
        let mut uploaded = Vec::new();
        while let Some(ids) = parts.next() {
            let mut next = || {
                let missing =
                    || BackendError::Device { operation: "upload".into(), message: "a part is missing".into() };
                parts.next().ok_or_else(missing)
            };
            uploaded.push(Uploaded {
                ids,
                starts: next()?,
                text_of: next()?,
                buckets: next()?,
                rows: next()?,
                segments: next()?,
                occurrences: next()?,
                decays: next()?,
                senses: next()?,
                texts: next()?,
                negatives: next()?,
            });
        }
        Ok(uploaded)
    }

    /// Makes every scratch buffer large enough for `batch`.
    fn fit(&mut self, batch: &Batch) -> Result<(), BackendError> {
        let (backend, work, model) = (&self.backend, &mut self.work, &self.model);
        let (n, anchors, dim) = (batch.len(), batch.anchors, model.embedding_dim);
        let widths: Vec<usize> = self.layers.iter().map(|[_, bias]| bias.len).collect();
        let out_dim = widths.last().copied().unwrap_or(dim);
        let mut blocks = 0;
        for (l, [weight, bias]) in self.layers.iter().enumerate() {
            work.d_outputs[l].fit(backend, n * bias.len)?;
            work.d_layers[l][0].fit(backend, weight.len)?;
            work.d_layers[l][1].fit(backend, bias.len)?;
            blocks += square_blocks(weight.len) + square_blocks(bias.len);
        }
        let rows = batch.rows.len() * dim;
        blocks += square_blocks(rows) + square_blocks(self.theta.len);
        for (scratch, len) in [
            (&mut work.similarities, anchors * (n - anchors)),
            (&mut work.losses, anchors),
            (&mut work.d_pooled, n * dim),
            (&mut work.d_rows, rows),
            (&mut work.d_token_weights, batch.ids.len()),
            (&mut work.d_theta, self.theta.len),
            (&mut work.sums, blocks),
        ] {
            scratch.fit(backend, len)?;
        }
        if self.layers.is_empty() {
            work.d_outputs[0].fit(backend, n * out_dim)?;
        }
        Ok(())
    }

    /// Records one step; its loss and norm go to place `number` of the statistics.
    fn record(
        &mut self,
        batch: &Batch,
        on: &Uploaded<B>,
        hyper: &Hyper,
        step: &adamw::Step,
        lr: f64,
        number: usize,
    ) -> Result<(), BackendError> {
        self.fit(batch)?;
        self.forward(batch, on)?;
        self.loss(batch, on, hyper)?;
        self.backward_head(batch)?;
        self.backward_tokens(batch, on)?;
        self.clip(batch, hyper, number)?;
        self.update(batch, on, step, (1.0 - lr * hyper.weight_decay) as f32)
    }

    fn forward(&mut self, batch: &Batch, on: &Uploaded<B>) -> Result<(), BackendError> {
        let Self { backend, work, model, tokens, theta, layers, .. } = self;
        let layers = layers.iter().map(|[weight, bias]| {
            let (width, depth) = (bias.len, weight.len / bias.len);
            Linear { weight: &weight.p, bias: &bias.p, width, depth }
        });
        let parameters = Parameters { model, tokens: &tokens.p, theta: &theta.p, layers: layers.collect() };
        let (n, tokens) = (batch.len(), batch.ids.len());
        let texts = Texts { n, tokens, ids: &on.ids, starts: &on.starts, buckets: &on.buckets };
        work.forward.run(backend, &parameters, &texts, Some(batch.dropout_seed))
    }

    fn out_dim(&self) -> usize {
        self.layers.last().map_or(self.model.embedding_dim, |[_, bias]| bias.len)
    }

    /// Loss of every anchor, and the gradient by the unit vectors.
    fn loss(&self, batch: &Batch, on: &Uploaded<B>, hyper: &Hyper) -> Result<(), BackendError> {
        let Self { backend, work, .. } = self;
        let (n, anchors, width) = (batch.len(), batch.anchors, self.out_dim());
        let all = Part::new(n, width);
        let (own, others) = (all.first_rows(anchors), all.rows_from(anchors));
        let similarities = Part::new(anchors, n - anchors);
        backend.run(
            Product::new(own, others.t(), 0),
            &[&work.forward.unit.0, &work.forward.unit.0, &work.similarities.0],
        )?;
        let (candidates, in_batch) = (u(n - anchors), u32::from(hyper.in_batch));
        let (inverse_temperature, margin) = (1.0 / hyper.temperature, hyper.margin);
        let scale = 1.0 / anchors.max(1) as f32;
        let buffers = [&on.senses, &on.texts, &on.negatives, &work.similarities.0, &work.losses.0];
        let anchors = u(anchors);
        match hyper.loss {
            Loss::InfoNce => {
                use kernels::info_nce::Sizes;
                let sizes = Sizes { anchors, candidates, in_batch, inverse_temperature, margin, scale };
                backend.run(sizes, &buffers)?;
            }
            Loss::Triplet => {
                use kernels::triplet::Sizes;
                let sizes = Sizes { anchors, candidates, in_batch, inverse_temperature, margin, scale };
                backend.run(sizes, &buffers)?;
            }
        }
        let d_unit = &self.d_unit().0;
        let buffers = [&work.similarities.0, &work.forward.unit.0, d_unit];
        backend.run(Product::new(similarities, others, 0), &buffers)?;
        backend.run(Product::new(similarities.t(), own, batch.anchors * width), &buffers)?;
        let sizes = kernels::normalise_backward::Sizes { rows: u(n), width: u(width) };
        backend.run(sizes, &[&work.forward.unit.0, &work.forward.norms.0, d_unit])
    }

    /// Gradient by what is normalised: that of the last layer's output, or of the pooled vectors.
    fn d_unit(&self) -> &Scratch<B> {
        &self.work.d_outputs[self.layers.len().saturating_sub(1)]
    }

    /// Gradient by the pooled vectors.
    fn d_pooled(&self) -> &B::Buffer {
        if self.layers.is_empty() { &self.d_unit().0 } else { &self.work.d_pooled.0 }
    }

    fn backward_head(&self, batch: &Batch) -> Result<(), BackendError> {
        let Self { backend, work, layers, .. } = self;
        let n = batch.len();
        for (l, [weight, bias]) in layers.iter().enumerate().rev() {
            let (width, depth) = (bias.len, weight.len / bias.len);
            let d = &work.d_outputs[l].0;
            if l + 1 < layers.len() {
                let sizes = kernels::activation_backward::Sizes::from(activation_sizes(
                    &self.model,
                    n,
                    width,
                    l,
                    Some(batch.dropout_seed),
                ));
                backend.run(sizes, &[&work.forward.outputs[l].0, d])?;
            }
            let [d_weight, d_bias] = &work.d_layers[l];
            let d_part = Part::new(n, width);
            let product = Product::new(d_part.t(), Part::new(n, depth), 0);
            backend.run(product, &[d, &work.forward.inputs[l].0, &d_weight.0])?;
            backend.run(kernels::column_sum::Sizes { rows: u(n), width: u(width) }, &[d, &d_bias.0])?;
            let below = if l == 0 { &work.d_pooled.0 } else { &work.d_outputs[l - 1].0 };
            backend.run(Product::new(d_part, Part::new(width, depth), 0), &[d, &weight.p, below])?;
        }
        if self.model.residual && !layers.is_empty() {
            let n = u(n * self.model.embedding_dim);
            backend.run(kernels::add::Sizes { n }, &[&self.d_unit().0, &work.d_pooled.0])?;
        }
        Ok(())
    }

    fn backward_tokens(&self, batch: &Batch, on: &Uploaded<B>) -> Result<(), BackendError> {
        let Self { backend, work, .. } = self;
        let (rows, dim, tokens) = (u(batch.rows.len()), u(self.model.embedding_dim), u(batch.ids.len()));
        let d_pooled = self.d_pooled();
        let buffers = [&on.segments, &on.occurrences, &on.text_of, &work.forward.weights.0, d_pooled, &work.d_rows.0];
        backend.run(kernels::pool_backward::Sizes { rows, dim }, &buffers)?;
        if !self.weighted {
            return Ok(());
        }
        let d_weights = &work.d_token_weights.0;
        let buffers = [&self.tokens.p, &on.ids, &on.text_of, d_pooled, d_weights];
        backend.run(kernels::pool_weights_dots::Sizes { tokens, dim }, &buffers)?;
        let sizes = kernels::pool_weights_backward::Sizes { texts: u(batch.len()) };
        backend.run(sizes, &[&on.starts, &work.forward.weights.0, d_weights])?;
        let sizes = kernels::bucket_sum::Sizes { buckets: u(self.theta.len), tokens };
        backend.run(sizes, &[&on.buckets, d_weights, &work.d_theta.0])
    }

    /// Every gradient and its length.
    fn gradients(&self, batch: &Batch) -> Vec<(&B::Buffer, usize)> {
        let mut all = vec![(&self.work.d_rows.0, batch.rows.len() * self.model.embedding_dim)];
        for (tensors, scratch) in self.layers.iter().zip(&self.work.d_layers) {
            all.extend(tensors.iter().zip(scratch).map(|(tensor, scratch)| (&scratch.0, tensor.len)));
        }
        if self.weighted {
            all.push((&self.work.d_theta.0, self.theta.len));
        }
        all
    }

    fn clip(&self, batch: &Batch, hyper: &Hyper, number: usize) -> Result<(), BackendError> {
        let Self { backend, work, .. } = self;
        let mut count = 0;
        for (gradient, len) in self.gradients(batch) {
            let sizes = kernels::square_sum::Sizes { n: u(len), out_start: u(count) };
            backend.run(sizes, &[gradient, &work.sums.0])?;
            count += square_blocks(len);
        }
        let (anchors, bound) = (u(batch.anchors), hyper.clip as f32);
        let sizes = kernels::clip::Sizes { anchors, count: u(count), stats_start: u(2 * number), bound };
        backend.run(sizes, &[&work.losses.0, &work.sums.0, &work.stats.0, &work.factor.0])
    }

    fn update(&self, batch: &Batch, on: &Uploaded<B>, step: &adamw::Step, kept: f32) -> Result<(), BackendError> {
        let Self { backend, work, tokens, .. } = self;
        let (rate, correction) = (step.lr * step.correct1, step.correct2);
        let dense = |tensor: &Tensor<B>, d: &B::Buffer, decay: f32| {
            let sizes = kernels::adamw::Sizes { n: u(tensor.len), rate, correction, decay };
            backend.run(sizes, &[d, &work.factor.0, &tensor.p, &tensor.m, &tensor.v])
        };
        for ([weight, bias], [d_weight, d_bias]) in self.layers.iter().zip(&work.d_layers) {
            // Biases are not decayed, as is usual.
            dense(weight, &d_weight.0, kept)?;
            dense(bias, &d_bias.0, 1.0)?;
        }
        if self.weighted {
            dense(&self.theta, &work.d_theta.0, 1.0)?;
        }
        let (rows, dim) = (u(batch.rows.len()), u(self.model.embedding_dim));
        let buffers = [&on.rows, &on.decays, &work.d_rows.0, &work.factor.0, &tokens.p, &tokens.m, &tokens.v];
        backend.run(kernels::adamw_rows::Sizes { rows, dim, rate, correction }, &buffers)
    }
}

/// Sums that [`kernels::square_sum`] makes of `len` numbers.
fn square_blocks(len: usize) -> usize {
    len.div_ceil(kernels::interfaces::square_sum::BLOCK as usize)
}
