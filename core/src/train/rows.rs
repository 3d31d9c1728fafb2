//! The token table in training, in stretches of rows: gradients and updates of the rows that a batch touches.

use super::batch::Batch;
use super::step::{Moments, Update};
use crate::kernels::simd::Squares;
use crate::kernels::{adamw, pool};

/// Rows that are worked on together.
pub(super) const ROWS: usize = 64;

/// Rows of the table that are worked on together, and the part of the table and of the moments in which they lie.
pub(super) struct Stretch<'a> {
    /// Number of the first row in the batch.
    pub(super) first: usize,
    /// Table rows, ascending.
    pub(super) rows: &'a [u32],
    /// The table row with which the parts begin.
    base: usize,
    p: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    /// `ln` of the decay that each row has received.
    received: &'a mut [f64],
    /// `ln` of the decay of all steps.
    decay: f64,
}

/// Cuts the batch's rows, which ascend, into blocks, and the table into stretches around them.
///
/// `received: [rows of the table]` is [`super::step::Optimizer::row_decay`].
pub(super) fn stretches<'a>(
    batch: &'a Batch,
    dim: usize,
    mut tokens: &'a mut [f32],
    moments: &'a mut Moments,
    mut received: &'a mut [f64],
    decay: f64,
) -> Vec<Stretch<'a>> {
    fn take<'a, T>(from: &mut &'a mut [T], n: usize) -> &'a mut [T] {
        let (taken, rest) = std::mem::take(from).split_at_mut(n);
        *from = rest;
        taken
    }
    let (mut m, mut v) = (moments.m.as_mut_slice(), moments.v.as_mut_slice());
    let mut base = 0;
    let blocks = batch.rows.chunks(ROWS).enumerate();
    blocks
        .map(|(number, rows)| {
            let n = rows.last().map_or(0, |r| *r as usize + 1 - base);
            let (p, m, v) = (take(&mut tokens, n * dim), take(&mut m, n * dim), take(&mut v, n * dim));
            let received = take(&mut received, n);
            let stretch = Stretch { first: number * ROWS, rows, base, p, m, v, received, decay };
            base += n;
            stretch
        })
        .collect()
}

impl Stretch<'_> {
    /// Gradients of the rows, to `d_rows`, or by `at_once` to the rows themselves; and of each token's weight, to
    /// `d_weights` in the order of `occurrences`. Returns the rows' sum of squares.
    #[expect(clippy::too_many_arguments, reason = "each is one stream of the pass")]
    #[inline(always)]
    pub(super) fn backward(
        &mut self,
        batch: &Batch,
        dim: usize,
        d_pooled: &[f32],
        weights: &[f32],
        d_rows: &mut [f32],
        d_weights: &mut [f32],
        at_once: Option<&Update>,
    ) -> f64 {
        let mut squares = Squares::default();
        let mut at = 0;
        let mut scratch = vec![0f32; if at_once.is_some() { dim } else { 0 }];
        let mut d_rows = d_rows.chunks_exact_mut(dim);
        for (i, row) in self.rows.iter().enumerate() {
            let d = d_rows.next().unwrap_or(&mut scratch);
            let segment = self.first + i;
            let occurrences =
                &batch.occurrences[batch.segments[segment] as usize..batch.segments[segment + 1] as usize];
            let take = (!d_weights.is_empty()).then_some(
                #[inline(always)]
                |_: u32, d: f32| {
                    d_weights[at] = d;
                    at += 1;
                },
            );
            let values = &self.p[(*row as usize - self.base) * dim..][..dim];
            pool::backward(values, d_pooled, occurrences, &batch.text_of, weights, d, take);
            squares.add(d);
            if let Some(update) = at_once {
                self.update(i, dim, update, &scratch);
            }
        }
        squares.sum()
    }

    /// Moves row `i` of these by its gradient.
    #[inline(always)]
    pub(super) fn update(&mut self, i: usize, dim: usize, update: &Update, d: &[f32]) {
        let at = self.rows[i] as usize - self.base;
        let mut factor = 1.0;
        if self.decay != 0.0 {
            factor = (self.decay - self.received[at]).exp() as f32;
            self.received[at] = self.decay;
        }
        let cells = at * dim..(at + 1) * dim;
        let (p, m, v) = (&mut self.p[cells.clone()], &mut self.m[cells.clone()], &mut self.v[cells]);
        adamw::update(&update.step, factor, p, m, v, d);
    }
}
