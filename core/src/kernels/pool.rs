//! Token gather and weighted pooling: `out[t] = Σ_i w_i · table[id_i]` over the tokens of text t.
//!
//! Backward, the gradient of a table row is the weighted sum of its texts' gradients. Tokens come grouped by row
//! (segments), so no two units of work add to one row: no atomics, one order of summation.

use super::simd::{axpy, dot, prefetch};
use super::table::{Argument, Uniform, bind, problem, uniform, words};

/// Rows are asked for this many terms before they are added.
const AHEAD: usize = 8;

/// Tokens of several texts, one after another.
#[derive(Clone, Copy)]
pub struct Texts<'a> {
    /// `[tokens]`: rows of the table.
    pub ids: &'a [u32],
    /// `[texts + 1]`: where each text begins in `ids`.
    pub starts: &'a [u32],
}

impl Texts<'_> {
    /// Token range of text `t`.
    #[inline(always)]
    #[must_use]
    pub fn range(&self, t: usize) -> std::ops::Range<usize> {
        self.starts[t] as usize..self.starts[t + 1] as usize
    }
}

/// Scalar reference of [`forward`], in `f64`, for one text.
#[must_use]
pub fn reference(table: &[f32], dim: usize, ids: &[u32], weights: &[f32]) -> Vec<f64> {
    let row = |id: u32, k: usize| f64::from(table[id as usize * dim + k]);
    (0..dim).map(|k| ids.iter().zip(weights).map(|(id, w)| f64::from(*w) * row(*id, k)).sum()).collect()
}

/// Pools one text into `out: [dim]`. `weights: [ids]`; no token gives a zero vector.
#[inline(always)]
pub fn forward(table: &[f32], ids: &[u32], weights: &[f32], out: &mut [f32]) {
    let dim = out.len();
    let row = |id: u32| &table[id as usize * dim..][..dim];
    weighted_sum(
        out,
        ids.len().min(weights.len()),
        #[inline(always)]
        |at| {
            if let Some(later) = ids.get(at + AHEAD) {
                prefetch(row(*later));
            }
            (weights[at], row(ids[at]))
        },
    );
}

/// Gradient of one table row: `out = Σ_o weights[o] · d_pooled[text_of[o]]` over its occurrences (token positions).
/// With `d_weights`, also hands `(o, d_pooled · row)` to it: the gradient of each occurrence's weight.
#[inline(always)]
pub fn backward(
    row: &[f32],
    d_pooled: &[f32],
    occurrences: &[u32],
    text_of: &[u32],
    weights: &[f32],
    out: &mut [f32],
    mut d_weights: Option<impl FnMut(u32, f32)>,
) {
    let dim = out.len();
    let vector = |o: &u32| &d_pooled[text_of[*o as usize] as usize * dim..][..dim];
    weighted_sum(
        out,
        occurrences.len(),
        #[inline(always)]
        |at| (weights[occurrences[at] as usize], vector(&occurrences[at])),
    );
    if let Some(take) = &mut d_weights {
        for o in occurrences {
            take(*o, dot(row, vector(o)));
        }
    }
}

/// `out = Σ weight · vector` of so many terms, in their order; four vectors at a time, so that many lines are under way.
#[inline(always)]
fn weighted_sum<'a>(out: &mut [f32], count: usize, term: impl Fn(usize) -> (f32, &'a [f32])) {
    const TOGETHER: usize = 4;
    let n = out.len();
    let mut terms = [(0f32, &[][..]); TOGETHER];
    for first in (0..count).step_by(TOGETHER) {
        let held = TOGETHER.min(count - first);
        // The one place that asks for a term: at several, the compiler would call instead.
        for (i, slot) in terms[..held].iter_mut().enumerate() {
            *slot = term(first + i);
        }
        let [(p, a), (q, b), (r, c), (s, d)] = terms;
        if held == TOGETHER {
            let (a, b, c, d) = (&a[..n], &b[..n], &c[..n], &d[..n]);
            for i in 0..n {
                let before = if first == 0 { 0.0 } else { out[i] };
                out[i] = (((before + p * a[i]) + q * b[i]) + r * c[i]) + s * d[i];
            }
        } else {
            if first == 0 {
                out.fill(0.0);
            }
            terms[..held].iter().for_each(|(weight, vector)| axpy(out, *weight, vector));
        }
    }
    if count == 0 {
        out.fill(0.0);
    }
}

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Texts.
    pub texts: u32,
    /// Columns.
    pub dim: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { texts, dim });

problem!(pool, items: |s| u64::from(s.texts) * u64::from(s.dim));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("pool", arguments: Uniform(sizes), Read(table), Read(ids), Read(starts), Read(weights), ReadWrite(pooled));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let dim = sizes.dim as usize;
    let texts = Texts { ids: words(ids), starts: words(starts) };
    for (t, out) in pooled.chunks_exact_mut(dim.max(1)).take(sizes.texts as usize).enumerate() {
        let range = texts.range(t);
        let sums = reference(table, dim, &texts.ids[range.clone()], &weights[range]);
        out.iter_mut().zip(sums).for_each(|(o, s)| *o = s as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::widest;
    use crate::rng::Stream;

    #[test]
    fn forward_equals_the_reference() {
        let mut stream = Stream::new(5, "pool", 0);
        for dim in [1, 7, 16, 33, 256] {
            let table: Vec<f32> = (0..20 * dim).map(|_| stream.symmetric(1.0)).collect();
            for tokens in [0, 1, 2, 50] {
                let ids: Vec<u32> = (0..tokens).map(|_| stream.below(20) as u32).collect();
                let weights: Vec<f32> = (0..tokens).map(|_| stream.symmetric(0.5)).collect();
                let mut out = vec![9.0; dim];
                widest!(forward(&table, &ids, &weights, &mut out));
                for (got, want) in out.iter().zip(reference(&table, dim, &ids, &weights)) {
                    assert!((f64::from(*got) - want).abs() < 1e-5, "{tokens} tokens of {dim}: {got}, expected {want}");
                }
            }
        }
    }

    #[test]
    fn backward_is_the_transpose() {
        // Pooling is linear in the table: ⟨d, pool(table)⟩ = ⟨backward(d), table⟩, whatever the numbers are.
        let mut stream = Stream::new(5, "pool", 1);
        let (dim, rows) = (9, 6);
        let mut draw = |n: usize| (0..n).map(|_| stream.symmetric(1.0)).collect::<Vec<f32>>();
        let (table, d_pooled, weights) = (draw(rows * dim), draw(3 * dim), draw(8));
        let (ids, starts) = ([4u32, 0, 4, 2, 2, 5, 0, 4], [0u32, 3, 3, 8]);
        let texts = Texts { ids: &ids, starts: &starts };
        let text_of = [0u32, 0, 0, 2, 2, 2, 2, 2];
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let (mut ahead, mut back) = (0.0, 0.0);
        for t in 0..3 {
            let mut out = vec![0.0; dim];
            forward(&table, &ids[texts.range(t)], &weights[texts.range(t)], &mut out);
            ahead += product(&out, &d_pooled[t * dim..][..dim]);
        }
        let mut d_weights = [0.0; 8];
        for row in 0..rows {
            let occurrences: Vec<u32> = (0..8).filter(|o| ids[*o as usize] == row as u32).collect();
            let (values, mut out) = (&table[row * dim..][..dim], vec![9.0; dim]);
            let take = Some(|o: u32, d: f32| d_weights[o as usize] = d);
            backward(values, &d_pooled, &occurrences, &text_of, &weights, &mut out, take);
            back += product(&out, values);
        }
        assert!((ahead - back).abs() < 1e-5, "{ahead} and {back}");
        // It is linear in the weights too.
        let by_weights = product(&d_weights, &weights);
        assert!((ahead - by_weights).abs() < 1e-5, "{ahead} and {by_weights}");
    }
}
