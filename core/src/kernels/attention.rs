//! Self-attention of texts that lie end to end, without padding: scores, softmax, and the mean of the values by it.
//!
//! Twin of `shaders/attention.wgsl`.

use super::matmul::{Packed, View, matmul_block};
use super::simd::{exp, max, sum, widest};
use super::table::{Argument, Uniform, bind, problem, uniform, words};

/// Numbers a head, at most.
pub const MOST: usize = super::interfaces::attention::MOST as usize;

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Tokens of all texts.
    pub tokens: u32,
    /// Heads.
    pub heads: u32,
    /// Numbers a head, at most [`MOST`].
    pub size: u32,
    /// Of scores: `1 / √size`.
    pub scale: f32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { tokens, heads, size, scale });

problem!(attention, groups: |s| u64::from(s.tokens) * u64::from(s.heads));

impl Sizes {
    /// `tokens` with `heads` of `size` numbers each.
    #[must_use]
    pub fn new(tokens: usize, heads: usize, size: usize) -> Self {
        let scale = 1.0 / (size as f32).sqrt();
        Self { tokens: tokens as u32, heads: heads as u32, size: size as u32, scale }
    }
}

/// Memory that [`forward`] uses again.
#[derive(Default)]
pub struct Scratch {
    keys: Packed,
    values: Packed,
    scores: Vec<f32>,
    mixed: Vec<f32>,
}

/// One text: `qkv: [tokens, 3, heads, size]` with its bias, `out: [tokens, heads, size]`.
///
/// The same text gives the same bits wherever it comes.
///
/// # Panics
/// When the shapes do not fit.
pub fn forward(qkv: &[f32], heads: usize, size: usize, out: &mut [f32], scratch: &mut Scratch) {
    let width = heads * size;
    if out.is_empty() {
        return;
    }
    let tokens = out.len() / width;
    let scale = 1.0 / (size as f32).sqrt();
    let all = View::new(qkv, tokens, 3 * width);
    let Scratch { keys, values, scores, mixed } = scratch;
    mixed.resize(tokens * size, 0.0);
    for head in 0..heads {
        let part = |which: usize| all.columns(which * width + head * size..which * width + (head + 1) * size);
        let padded = keys.pack_whole(part(1).t());
        scores.resize(tokens * padded, 0.0);
        matmul_block(scores, part(0), &*keys, None);
        widest!({
            for row in scores.chunks_exact_mut(padded) {
                softmax(row, tokens, scale);
            }
        });
        values.pack(part(2));
        matmul_block(mixed, View::new(scores, tokens, padded).columns(0..tokens), &*values, None);
        for (row, mixed) in out.chunks_exact_mut(width).zip(mixed.chunks_exact(size)) {
            row[head * size..(head + 1) * size].copy_from_slice(mixed);
        }
    }
}

/// `row = softmax(scale · row)` over the first `n`; what is beyond becomes 0.
#[inline(always)]
fn softmax(row: &mut [f32], n: usize, scale: f32) {
    row[n..].fill(f32::NEG_INFINITY);
    let largest = max(row);
    row.iter_mut().for_each(|x| *x = exp((*x - largest) * scale));
    let factor = 1.0 / sum(row);
    row.iter_mut().for_each(|x| *x *= factor);
}

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("attention", arguments: Uniform(sizes), Read(qkv), Read(bias), Read(starts), Read(text_of), ReadWrite(out));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let (heads, size) = (sizes.heads as usize, sizes.size as usize);
    let width = heads * size;
    let (starts, text_of) = (words(starts), words(text_of));
    for token in 0..sizes.tokens as usize {
        let text = text_of[token] as usize;
        let keys = starts[text] as usize..starts[text + 1] as usize;
        for head in 0..heads {
            let at = |token: usize, which: usize, k: usize| {
                let column = which * width + head * size + k;
                f64::from(qkv[token * 3 * width + column]) + f64::from(bias[column])
            };
            let score =
                |key: usize| (0..size).map(|k| at(token, 0, k) * at(key, 1, k)).sum::<f64>() * f64::from(sizes.scale);
            let scores: Vec<f64> = keys.clone().map(score).collect();
            let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
            let all: f64 = weights.iter().sum();
            for k in 0..size {
                let mixed: f64 = keys.clone().zip(&weights).map(|(key, w)| w * at(key, 2, k)).sum();
                out[token * width + head * size + k] = (mixed / all) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// What the twin makes of one text.
    fn by_twin(qkv: &[f32], tokens: usize, heads: usize, size: usize) -> Vec<f32> {
        let sizes = Sizes::new(tokens, heads, size);
        let (bias, mut out) = (vec![0.0; 3 * heads * size], vec![f32::NAN; tokens * heads * size]);
        let (starts, text_of) = ([0, tokens as u32], vec![0u32; tokens]);
        twin(&mut [
            Argument::Uniform(bytemuck::bytes_of(&sizes)),
            Argument::Read(qkv),
            Argument::Read(&bias),
            Argument::Read(bytemuck::cast_slice(&starts)),
            Argument::Read(bytemuck::cast_slice(&text_of)),
            Argument::ReadWrite(&mut out),
        ]);
        out
    }

    #[test]
    fn agrees_with_the_twin_on_every_size_with_scratch_of_any_past() {
        let mut stream = Stream::new(5, "attention", 0);
        let mut scratch = Scratch::default();
        for (tokens, heads, size) in
            [(0, 2, 4), (1, 1, 1), (15, 2, 7), (16, 3, 32), (17, 2, 64), (3, 12, 32), (300, 2, 20), (2, 1, 128)]
        {
            // Scores of up to 40: some weights are all but 1.
            let qkv: Vec<f32> = (0..tokens * 3 * heads * size).map(|_| stream.symmetric(3.0)).collect();
            let mut out = vec![f32::NAN; tokens * heads * size];
            forward(&qkv, heads, size, &mut out, &mut scratch);
            for (i, (x, y)) in out.iter().zip(by_twin(&qkv, tokens, heads, size)).enumerate() {
                assert!((x - y).abs() <= 2e-5, "{tokens} tokens, {heads} heads of {size}, at {i}: {x} and {y}");
            }
        }
    }
}
