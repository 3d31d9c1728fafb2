//! One training step on the CPU: forward, loss, backward, clip, update.
//!
//! Every part runs over fixed blocks of texts, candidates, anchors, outputs or rows, so the bits do not depend on the number of threads.
//! Rows of a block stay in the cache from pooling to the last layer and back.

use super::batch::Batch;
use super::dense;
use super::rows::{ROWS, stretches};
use crate::config::Loss;
use crate::encoder::{Layer, StaticEncoder};
use crate::kernels::activation;
use crate::kernels::adamw::{self, Step};
use crate::kernels::matmul::{Aligned, Packed, Rhs, View, WHOLE_PANELS, matmul_block, transpose};
use crate::kernels::pool::{self, Texts};
use crate::kernels::pool_weights;
use crate::kernels::simd::{dot, widest};
use crate::kernels::{dropout, info_nce, triplet};
use crate::parallel;

/// The fewest texts that go through the encoder together.
const TEXTS: usize = 24;
/// The fewest anchors whose similarities are computed together.
const ANCHORS: usize = 16;
/// The most rows of a block, which stays in a core's cache.
const MOST: usize = 256;

/// First and second moments of one tensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Mean of gradients.
    pub m: Vec<f32>,
    /// Mean of squared gradients.
    pub v: Vec<f32>,
}

impl Moments {
    pub(super) fn zeros(len: usize) -> Self {
        Self { m: vec![0.0; len], v: vec![0.0; len] }
    }
}

/// What the optimiser remembers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Optimizer {
    /// Of the token table.
    pub tokens: Moments,
    /// Of θ.
    pub span_weights: Moments,
    /// Of weights and biases, layer by layer.
    pub layers: Vec<[Moments; 2]>,
    /// `[rows]`: `ln` of the decay that each row has received so far.
    pub row_decay: Vec<f64>,
    /// `ln Π (1 − lr_s·λ)` over all steps so far.
    pub decay: f64,
}

impl Optimizer {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(encoder: &StaticEncoder) -> Self {
        let dim = encoder.config.embedding_dim;
        let of = |layer: &Layer| [layer.weight.len(), layer.bias.len()].map(Moments::zeros);
        let learned = if encoder.learns_tokens() { encoder.tokens.len() } else { 0 };
        Self {
            tokens: Moments::zeros(learned),
            span_weights: Moments::zeros(encoder.span_weights.len()),
            layers: encoder.layers.iter().map(of).collect(),
            row_decay: vec![0.0; learned / dim],
            decay: 0.0,
        }
    }

    /// Applies every row's pending decay to a copy of the table: what is exported.
    pub fn settle(&self, tokens: &mut [f32], dim: usize) {
        for (row, received) in tokens.chunks_mut(dim).zip(&self.row_decay) {
            let factor = (self.decay - received).exp() as f32;
            row.iter_mut().for_each(|x| *x *= factor);
        }
    }
}

/// What one step says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepStats {
    /// Mean loss of the batch.
    pub loss: f64,
    /// Global gradient norm before clipping.
    pub gradient_norm: f64,
}

/// The step's constants.
#[derive(Clone, Copy, Debug)]
pub struct Hyper {
    /// The loss.
    pub loss: Loss,
    /// Temperature of InfoNCE.
    pub temperature: f32,
    /// Margin of the triplet loss.
    pub margin: f32,
    /// Whether other bundles' texts are candidates.
    pub in_batch: bool,
    /// Largest gradient norm; 0: any.
    pub clip: f64,
    /// Weight decay λ.
    pub weight_decay: f64,
}

/// Buffers that live from step to step.
#[derive(Default)]
struct Workspace {
    weights: Vec<f32>,
    /// Input of each layer: `[texts, in]`; the first is the pooled vectors.
    inputs: Vec<Aligned>,
    /// Output of each layer before its activation: `[texts, out]`; backward, the gradient by it.
    outputs: Vec<Vec<f32>>,
    unit: Aligned,
    norms: Vec<f32>,
    /// `[anchors, candidates]`; backward, the gradient by them.
    similarities: Vec<f32>,
    /// `[candidates, anchors]`.
    by_candidates: Vec<f32>,
    d_anchors: Vec<f32>,
    d_pooled: Vec<f32>,
    d_rows: Vec<f32>,
    /// Gradient of each token's weight, in the order of `occurrences`.
    d_weights: Vec<f32>,
    d_layers: Vec<[Vec<f32>; 2]>,
    packed: Operands,
}

/// Right-hand sides of the step's products. All but `forward` and `anchors_t` are packed only where they can't be read in
/// place.
#[derive(Default)]
struct Operands {
    /// `Wᵀ` of each layer, forward: packed by the step before.
    forward: Vec<Packed>,
    /// `W` of each layer, backward.
    backward: Vec<Packed>,
    /// Inputs of each layer.
    inputs: Vec<Packed>,
    /// Unit vectors of anchors and candidates, and the transpose of the former.
    anchors: Packed,
    candidates: Packed,
    anchors_t: Packed,
}

/// What a batch says of every parameter.
#[cfg(test)]
pub(super) struct Gradients {
    pub(super) loss: f64,
    /// `[batch.rows, dim]`.
    pub(super) rows: Vec<f32>,
    pub(super) theta: Vec<f32>,
    /// Of weights and biases, layer by layer.
    pub(super) layers: Vec<[Vec<f32>; 2]>,
}

/// A model in training.
pub struct Trainee {
    /// The encoder; the token table's decay may be pending ([`Optimizer::settle`]).
    pub(super) encoder: StaticEncoder,
    /// The optimiser's memory.
    pub(super) optimizer: Optimizer,
    work: Workspace,
    /// Whether the layers' weights were packed as they are now.
    pub(super) packed: bool,
}

fn sized(buffer: &mut Vec<f32>, len: usize) {
    buffer.resize(len, 0.0);
}

/// Rows that one task takes of `n`: blocks come in fours and hold at least `fewest` rows. It depends on the shape alone.
fn block_rows(n: usize, fewest: usize) -> usize {
    n.div_ceil(n.div_ceil(MOST).next_multiple_of(4).max(1)).max(fewest)
}

/// Blocks of `rows` rows of a buffer of `n` rows.
fn blocks_of(buffer: &mut [f32], n: usize, rows: usize) -> std::slice::ChunksMut<'_, f32> {
    let width = buffer.len() / n.max(1);
    buffer.chunks_mut((width * rows).max(1))
}

impl Trainee {
    /// Starts or goes on.
    #[must_use]
    pub fn new(encoder: StaticEncoder, optimizer: Optimizer) -> Self {
        Self { encoder, optimizer, work: Workspace::default(), packed: false }
    }

    /// One step with learning rate `lr`; `t` counts from 1.
    pub fn step(&mut self, batch: &Batch, hyper: &Hyper, t: u64, lr: f64) -> StepStats {
        let kept = 1.0 - lr * hyper.weight_decay;
        self.optimizer.decay += kept.ln();
        let rate = |clip: f64| Update { step: Step::new(t, lr, clip as f32), decay: kept as f32 };
        // Without clipping, parameters move as soon as their gradients are known, while both are in the cache.
        let at_once = (hyper.clip <= 0.0).then(|| rate(1.0));
        let (loss, d_theta, squares) = self.compute(batch, hyper, at_once.as_ref());
        let norm = (squares + square(&d_theta)).sqrt();
        let clip = if hyper.clip > 0.0 && norm > hyper.clip { hyper.clip / norm } else { 1.0 };
        let update = at_once.unwrap_or_else(|| {
            let update = rate(clip);
            self.update(batch, &update);
            update
        });
        let Moments { m, v } = &mut self.optimizer.span_weights;
        adamw::update(&update.step, 1.0, &mut self.encoder.span_weights, m, v, &d_theta);
        StepStats { loss, gradient_norm: norm }
    }

    /// The mean loss and the gradient: that of θ and the others' sum of squares are returned, the rest lies in the
    /// workspace. With `at_once` everything but θ is updated too, and the gradients of the table's rows are not kept.
    fn compute(&mut self, batch: &Batch, hyper: &Hyper, at_once: Option<&Update>) -> (f64, Vec<f32>, f64) {
        self.forward(batch);
        let loss = self.loss(batch, hyper);
        self.backward_head(batch);
        let squares = self.backward_parameters(batch, at_once);
        (loss, self.d_theta(batch), squares)
    }

    /// The batch's loss and gradient, without a step.
    #[cfg(test)]
    pub(super) fn gradients(&mut self, batch: &Batch, hyper: &Hyper) -> Gradients {
        let (loss, theta, _) = self.compute(batch, hyper, None);
        // Its blocks were cut, and none was packed again.
        self.packed = false;
        Gradients { loss, rows: self.work.d_rows.clone(), theta, layers: self.work.d_layers.clone() }
    }

    fn forward(&mut self, batch: &Batch) {
        let Self { encoder, optimizer, work, packed } = self;
        let (n, dim) = (batch.len(), encoder.config.embedding_dim);
        let out_dim = encoder.layers.last().map_or(dim, |l| l.bias.len());
        sized(&mut work.weights, batch.ids.len());
        work.inputs.resize_with(encoder.layers.len().max(1), Aligned::default);
        work.outputs.resize_with(encoder.layers.len(), Vec::new);
        work.inputs[0].resize(n * dim);
        for (l, layer) in encoder.layers.iter().enumerate() {
            let width = layer.bias.len();
            work.inputs[l].resize(n * (layer.weight.len() / width));
            sized(&mut work.outputs[l], n * width);
        }
        work.unit.resize(n * out_dim);
        sized(&mut work.norms, n);
        let Operands { forward, backward, inputs, .. } = &mut work.packed;
        for packed in [&mut *forward, &mut *backward, inputs] {
            packed.resize_with(encoder.layers.len(), Packed::default);
        }
        work.d_layers.resize_with(encoder.layers.len(), Default::default);
        if !std::mem::replace(packed, true) {
            let blocks = dense::blocks(&mut encoder.layers, &mut optimizer.layers, &mut work.d_layers, forward);
            parallel::for_each(blocks, |mut block| block.pack());
        }
        pack(backward.iter_mut().zip(encoder.layers.iter().map(Layer::matrix)));
        let packed = &*forward;
        let texts = Texts { ids: &batch.ids, starts: &batch.starts };
        let rows = block_rows(n, TEXTS);
        // One task a block, each with its own part of every buffer.
        let mut weights = work.weights.as_mut_slice();
        let mut inputs: Vec<_> = work.inputs.iter_mut().map(|b| blocks_of(b, n, rows)).collect();
        let mut outputs: Vec<_> = work.outputs.iter_mut().map(|b| blocks_of(b, n, rows)).collect();
        let mut tasks = Vec::new();
        for ((block, unit), norms) in work.unit.chunks_mut(out_dim * rows).enumerate().zip(work.norms.chunks_mut(rows))
        {
            let first = block * rows;
            let tokens = batch.starts[first] as usize..batch.starts[(first + rows).min(n)] as usize;
            let (own, rest) = std::mem::take(&mut weights).split_at_mut(tokens.len());
            weights = rest;
            let inputs: Vec<&mut [f32]> = inputs.iter_mut().filter_map(Iterator::next).collect();
            let outputs: Vec<&mut [f32]> = outputs.iter_mut().filter_map(Iterator::next).collect();
            tasks.push((first, tokens.start, own, inputs, outputs, unit, norms));
        }
        let encoder = &*encoder;
        parallel::for_each(tasks, |(first, first_token, weights, mut inputs, mut outputs, unit, norms)| {
            widest!({
                for (i, out) in inputs[0].chunks_mut(dim).enumerate() {
                    let range = texts.range(first + i);
                    let weights = &mut weights[range.start - first_token..range.end - first_token];
                    if batch.buckets.is_empty() {
                        weights.fill(1.0 / range.len().max(1) as f32);
                    } else {
                        pool_weights::forward(&encoder.span_weights, &batch.buckets[range.clone()], weights);
                    }
                    pool::forward(&encoder.tokens, &batch.ids[range], weights, out);
                }
            });
            head_forward(encoder, packed, &mut inputs, &mut outputs, first, batch.dropout_seed);
            let last = outputs.last().map_or(&*inputs[0], |o| &**o);
            widest!({
                for (i, (out, y)) in unit.chunks_mut(out_dim).zip(last.chunks(out_dim)).enumerate() {
                    out.copy_from_slice(y);
                    if encoder.config.residual && !encoder.layers.is_empty() {
                        out.iter_mut().zip(&inputs[0][i * dim..]).for_each(|(o, x)| *o += x);
                    }
                    norms[i] = dot(out, out).sqrt();
                    let scale = if norms[i] > 0.0 { 1.0 / norms[i] } else { 0.0 };
                    out.iter_mut().for_each(|o| *o *= scale);
                }
            });
        });
    }

    /// The mean loss; leaves the gradient by similarities and by the anchors' unit vectors behind.
    fn loss(&mut self, batch: &Batch, hyper: &Hyper) -> f64 {
        let work = &mut self.work;
        let (n, anchors) = (batch.len(), batch.anchors);
        let dim = work.unit.len() / n.max(1);
        let candidates = n - anchors;
        for similarities in [&mut work.similarities, &mut work.by_candidates] {
            sized(similarities, anchors * candidates);
        }
        sized(&mut work.d_anchors, anchors * dim);
        let (a, c) = work.unit.split_at(anchors * dim);
        let packed = &mut work.packed;
        let (a_view, c_view) = (View::new(a, anchors, dim), View::new(c, candidates, dim));
        let inputs = work.inputs.iter().map(|x| View::new(x, n, x.len() / n.max(1)));
        let unit =
            [(&mut packed.anchors_t, a_view.t()), (&mut packed.candidates, c_view), (&mut packed.anchors, a_view)];
        pack(unit.into_iter().chain(packed.inputs.iter_mut().zip(inputs)));
        // There are fewer anchors to pack than candidates.
        let together = block_rows(candidates, TEXTS);
        let blocks = work.by_candidates.chunks_mut((together * anchors).max(1)).zip(c.chunks(together * dim));
        parallel::for_each(blocks.collect(), |(s, c)| {
            matmul_block(s, View::new(c, c.len() / dim, dim), &packed.anchors_t, None);
        });
        let by_candidates = View::new(&work.by_candidates, candidates, anchors);
        let candidate_rows = Rhs::of(c_view, &packed.candidates);
        let scale = 1.0 / anchors.max(1) as f32;
        let together = block_rows(anchors, ANCHORS);
        let blocks =
            work.similarities.chunks_mut((together * candidates).max(1)).zip(work.d_anchors.chunks_mut(together * dim));
        let mut losses = vec![0f32; anchors];
        let tasks: Vec<_> = blocks.zip(losses.chunks_mut(together)).enumerate().collect();
        parallel::for_each(tasks, |(block, ((s, d_anchors), losses))| {
            let rows = losses.len();
            let own = block * together..block * together + rows;
            transpose(s, candidates, by_candidates.columns(own).t());
            widest!({
                for (i, (row, loss)) in s.chunks_mut(candidates).zip(losses.iter_mut()).enumerate() {
                    let anchor = block * together + i;
                    let own = batch.negatives[anchor] as usize..batch.negatives[anchor + 1] as usize;
                    *loss = match hyper.loss {
                        Loss::InfoNce => {
                            mask(row, batch, anchor, &own, hyper.in_batch);
                            info_nce::row(row, anchor, 1.0 / hyper.temperature, scale)
                        }
                        Loss::Triplet => triplet::row(row, anchor, own, hyper.margin, scale),
                    };
                }
            });
            matmul_block(d_anchors, View::new(s, rows, candidates), candidate_rows, None);
        });
        losses.iter().map(|l| f64::from(*l)).sum::<f64>() / anchors.max(1) as f64
    }

    /// From the gradient by similarities to that by pooled vectors, weights and biases.
    fn backward_head(&mut self, batch: &Batch) {
        let Self { encoder, work, .. } = self;
        let encoder = &*encoder;
        let (n, anchors) = (batch.len(), batch.anchors);
        let dim = encoder.config.embedding_dim;
        let out_dim = work.unit.len() / n.max(1);
        let candidates = n - anchors;
        sized(&mut work.d_pooled, n * dim);
        let similarities = View::new(&work.similarities, anchors, candidates);
        let (unit, norms, d_anchors) = (&work.unit, &work.norms, &work.d_anchors);
        let a = Rhs::of(View::new(&unit[..anchors * out_dim], anchors, out_dim), &work.packed.anchors);
        let weights: Vec<Rhs<'_>> =
            encoder.layers.iter().zip(&work.packed.backward).map(|(layer, w)| Rhs::of(layer.matrix(), w)).collect();
        let weights = weights.as_slice();
        let rows = block_rows(n, TEXTS);
        let mut outputs: Vec<_> = work.outputs.iter_mut().map(|b| blocks_of(b, n, rows)).collect();
        let mut tasks = Vec::new();
        for (block, d_pooled) in work.d_pooled.chunks_mut(dim * rows).enumerate() {
            let outputs: Vec<&mut [f32]> = outputs.iter_mut().filter_map(Iterator::next).collect();
            tasks.push((block * rows, d_pooled, outputs));
        }
        parallel::for_each(tasks, |(first, d_pooled, mut outputs)| {
            let rows = d_pooled.len() / dim;
            // Without a head, its output is the pooled vector.
            let d = outputs.last_mut().map_or(&mut *d_pooled, |o| &mut **o);
            // A block may hold anchors, then candidates.
            let split = anchors.saturating_sub(first).min(rows);
            d[..split * out_dim].copy_from_slice(&d_anchors[first.min(anchors) * out_dim..][..split * out_dim]);
            if split < rows {
                let columns = first + split - anchors..first + rows - anchors;
                matmul_block(&mut d[split * out_dim..], similarities.columns(columns).t(), a, None);
            }
            widest!({
                for (i, d) in d.chunks_mut(out_dim).enumerate() {
                    let (h, norm) = (&unit[(first + i) * out_dim..][..out_dim], norms[first + i]);
                    let along = dot(h, d);
                    let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
                    d.iter_mut().zip(h).for_each(|(d, h)| *d = (*d - along * h) * scale);
                }
            });
            head_backward(encoder, weights, &mut outputs, d_pooled, first, batch.dropout_seed);
        });
    }

    /// Gradients of weights and biases, and of the batch's table rows and token weights; returns the sum of squares of all
    /// but the last.
    fn backward_parameters(&mut self, batch: &Batch, at_once: Option<&Update>) -> f64 {
        let Self { encoder: StaticEncoder { config, tokens, layers, .. }, optimizer, work, .. } = self;
        let Workspace { inputs, outputs, d_layers, packed, d_rows, d_weights, d_pooled, weights, .. } = work;
        let dim = config.embedding_dim;
        let weighted = !batch.buckets.is_empty();
        sized(d_weights, if weighted { batch.ids.len() } else { 0 });
        sized(d_rows, if at_once.is_none() { batch.rows.len() * dim } else { 0 });
        let Optimizer { tokens: of_tokens, layers: of_layers, row_decay, decay, .. } = optimizer;
        let blocks = dense::blocks(layers, of_layers, d_layers, &mut packed.forward);
        let stretches = stretches(batch, dim, tokens, of_tokens, row_decay, *decay);
        let mut squares = vec![0f64; stretches.len()];
        let mut d_weights = d_weights.as_mut_slice();
        let mut d_rows = d_rows.chunks_mut(dim * ROWS);
        let mut tasks = Vec::with_capacity(stretches.len());
        for (stretch, square) in stretches.into_iter().zip(&mut squares) {
            let count = batch.segments[stretch.first + stretch.rows.len()] - batch.segments[stretch.first];
            let count = if weighted { count as usize } else { 0 };
            let (own, rest) = std::mem::take(&mut d_weights).split_at_mut(count);
            d_weights = rest;
            tasks.push((stretch, d_rows.next().unwrap_or_default(), own, square));
        }
        let n = batch.len();
        let operands: Vec<Rhs<'_>> = inputs
            .iter()
            .zip(&packed.inputs)
            .map(|(x, packed)| Rhs::of(View::new(x, n, x.len() / n.max(1)), packed))
            .collect();
        let (of_layers, ()) = parallel::join(
            || {
                parallel::map_into(blocks, |mut block| {
                    let square = block.gradient(&outputs[block.layer], n, operands[block.layer]);
                    if let Some(update) = at_once {
                        block.update(update);
                    }
                    square
                })
            },
            || {
                parallel::for_each(tasks, |(mut stretch, d_rows, d_weights, square)| {
                    widest!(*square = stretch.backward(batch, dim, d_pooled, weights, d_rows, d_weights, at_once));
                });
            },
        );
        squares.into_iter().chain(of_layers).sum()
    }

    /// Gradient of θ.
    fn d_theta(&mut self, batch: &Batch) -> Vec<f32> {
        let mut sums = vec![0f64; self.encoder.span_weights.len()];
        if !batch.buckets.is_empty() {
            let mut by_token = vec![0f32; batch.ids.len()];
            for (o, d) in batch.occurrences.iter().zip(&self.work.d_weights) {
                by_token[*o as usize] = *d;
            }
            let texts = Texts { ids: &batch.ids, starts: &batch.starts };
            for t in 0..batch.len() {
                let r = texts.range(t);
                pool_weights::backward(
                    &batch.buckets[r.clone()],
                    &self.work.weights[r.clone()],
                    &by_token[r],
                    &mut sums,
                );
            }
        }
        sums.into_iter().map(|x| x as f32).collect()
    }

    /// Moves weights and biases, and the batch's table rows, by the gradients in the workspace.
    fn update(&mut self, batch: &Batch, update: &Update) {
        let Self { encoder: StaticEncoder { config, tokens, layers, .. }, optimizer, work, .. } = self;
        let Optimizer { tokens: of_tokens, layers: of_layers, row_decay, decay, .. } = optimizer;
        let dim = config.embedding_dim;
        let blocks = dense::blocks(layers, of_layers, &mut work.d_layers, &mut work.packed.forward);
        let stretches = stretches(batch, dim, tokens, of_tokens, row_decay, *decay);
        let rows: Vec<_> = stretches.into_iter().zip(work.d_rows.chunks(ROWS * dim)).collect();
        parallel::join(
            || parallel::for_each(blocks, |mut block| block.update(update)),
            || {
                parallel::for_each(rows, |(mut stretch, d_rows)| {
                    widest!({
                        for (i, d) in d_rows.chunks(dim).enumerate() {
                            stretch.update(i, dim, update, d);
                        }
                    });
                });
            },
        );
    }
}

/// How parameters move.
pub(super) struct Update {
    pub(super) step: Step,
    /// `1 − lr·λ`.
    pub(super) decay: f32,
}

/// `Σ x²`.
fn square(x: &[f32]) -> f64 {
    f64::from(widest!(dot(x, x)))
}

/// Packs every view where it goes, but for those that are read in place.
fn pack<'a>(jobs: impl Iterator<Item = (&'a mut Packed, View<'a>)>) {
    let jobs = jobs.filter(|(_, view)| !view.fits_in_place());
    let parts = jobs.flat_map(|(packed, view)| {
        let (_, columns) = view.shape();
        let cut =
            (0..columns).step_by(WHOLE_PANELS).map(move |first| view.columns(first..columns.min(first + WHOLE_PANELS)));
        packed.parts(view.shape(), WHOLE_PANELS).into_iter().zip(cut)
    });
    parallel::for_each(parts.collect(), |(mut part, columns)| part.pack(columns));
}

/// Runs a block of pooled vectors (`inputs[0]`) through the head; `first` is the block's first text. Hidden units are
/// zeroed by a hash of `(seed, layer, text, unit)`.
fn head_forward(
    encoder: &StaticEncoder,
    weights: &[Packed],
    inputs: &mut [&mut [f32]],
    outputs: &mut [&mut [f32]],
    first: usize,
    dropout_seed: u32,
) {
    for (l, (layer, weight)) in encoder.layers.iter().zip(weights).enumerate() {
        layer.forward(weight, inputs[l], outputs[l]);
        if l + 1 < encoder.layers.len() {
            widest!({
                inputs[l + 1].copy_from_slice(outputs[l]);
                activation::forward(encoder.config.activation, inputs[l + 1]);
                let offset = (first * layer.bias.len()) as u32;
                let seed = dropout_seed.wrapping_add(l as u32);
                dropout::apply(inputs[l + 1], encoder.config.dropout, seed, offset);
            });
        }
    }
}

/// Backward through the head: the last of `outputs`, or `d_pooled` where there is no head, holds the gradient by its
/// output; leaves the gradient by each layer's output in `outputs` and that by the pooled vectors in `d_pooled`.
fn head_backward(
    encoder: &StaticEncoder,
    weights: &[Rhs<'_>],
    outputs: &mut [&mut [f32]],
    d_pooled: &mut [f32],
    first: usize,
    dropout_seed: u32,
) {
    let mut d = Vec::new();
    for (l, layer) in encoder.layers.iter().enumerate().rev() {
        let width = layer.bias.len();
        let depth = layer.weight.len() / width;
        let rows = outputs[l].len() / width;
        if l + 1 < encoder.layers.len() {
            widest!({
                let offset = (first * width) as u32;
                dropout::apply(&mut d, encoder.config.dropout, dropout_seed.wrapping_add(l as u32), offset);
                activation::backward(encoder.config.activation, outputs[l], &mut d);
            });
            outputs[l].copy_from_slice(&d);
        }
        let by_input = if l == 0 {
            &mut *d_pooled
        } else {
            sized(&mut d, rows * depth);
            &mut d
        };
        matmul_block(by_input, View::new(outputs[l], rows, width), weights[l], None);
    }
    if let (true, Some(through)) = (encoder.config.residual, outputs.last()) {
        d_pooled.iter_mut().zip(&**through).for_each(|(d, t)| *d += t);
    }
}

/// Hides what an anchor must not be pushed away from: other candidates of its sense, its own text, and, without
/// in-batch candidates, everything but its bundle's own.
#[inline(always)]
fn mask(row: &mut [f32], batch: &Batch, anchor: usize, own: &std::ops::Range<usize>, in_batch: bool) {
    let (sense, text) = (batch.senses[anchor], batch.texts[anchor]);
    let positive = row[anchor];
    if !in_batch {
        row[..own.start].fill(f32::NEG_INFINITY);
        row[own.end..].fill(f32::NEG_INFINITY);
    }
    let candidates = batch.senses[batch.anchors..].iter().zip(&batch.texts[batch.anchors..]);
    // Without branches, so that it is done by whole vectors.
    for (s, (other_sense, other_text)) in row.iter_mut().zip(candidates) {
        let hidden = (*other_sense == sense) | (*other_text == text);
        *s = if hidden { f32::NEG_INFINITY } else { *s };
    }
    row[anchor] = positive;
}
