//! The kernels of a transformer but for its products, in the shape of MiniLM: 384 numbers in 12 heads, 1536 between the
//! two products of a layer, 30 tokens a text.

use super::super::case::{Case, Size, Start};
use super::model::work;
use super::{Draw, u, words};
use crate::kernels::simd::widest;
use crate::kernels::{attention, gelu, layer_norm};
use crate::parallel;
use Start::{Numbers, Unwritten};

/// A batch of texts.
struct Texts {
    texts: usize,
    per_text: usize,
    heads: usize,
    size: usize,
}

impl Texts {
    fn new(size: Size) -> Self {
        let (texts, per_text, heads, size) = match size {
            Size::Check => (3, 5, 2, 7),
            Size::Quick => (64, 30, 12, 32),
            Size::Full => (2048, 30, 12, 32),
        };
        Self { texts, per_text, heads, size }
    }

    fn tokens(&self) -> usize {
        self.texts * self.per_text
    }

    fn width(&self) -> usize {
        self.heads * self.size
    }
}

pub(super) fn cases(name: &str) -> Vec<fn(Size) -> Case> {
    let case: fn(Size) -> Case = match name {
        "attention" => attention,
        "gelu" => gelu,
        "layer_norm" => layer_norm,
        _ => return Vec::new(),
    };
    vec![case]
}

fn attention(size: Size) -> Case {
    let (t, mut draw) = (Texts::new(size), Draw::new("attention"));
    let Texts { per_text, heads, size, .. } = t;
    let (tokens, width) = (t.tokens(), t.width());
    let starts: Vec<u32> = (0..=t.texts).map(|text| u(text * per_text)).collect();
    let text_of: Vec<u32> = (0..tokens).map(|token| u(token / per_text)).collect();
    let buffers = vec![
        Numbers(draw.numbers(tokens * 3 * width)),
        // No bias: the form on the CPU gets queries, keys and values with theirs.
        Numbers(vec![0.0; 3 * width]),
        Numbers(words(&starts)),
        Numbers(words(&text_of)),
        Unwritten(tokens * width),
    ];
    // Scores and mixtures are two operations a number each; the largest, difference, exponential, sum and division 5.
    let pairs = tokens * per_text * heads;
    let cost = work(pairs * (4 * size + 5), 4 * tokens * width);
    let label = format!("{} texts of {per_text} tokens, {heads} heads of {size}", t.texts);
    Case::new(attention::Sizes::new(tokens, heads, size), label, cost, buffers).host(move |buffers| {
        let [qkv, _, _, _, out] = buffers else { return };
        let tasks: Vec<_> = out.chunks_mut(8 * per_text * width).zip(qkv.chunks(8 * per_text * 3 * width)).collect();
        parallel::for_each(tasks, |(out, qkv)| {
            let mut scratch = attention::Scratch::default();
            for (out, qkv) in out.chunks_mut(per_text * width).zip(qkv.chunks(per_text * 3 * width)) {
                attention::forward(qkv, heads, size, out, &mut scratch);
            }
        });
    })
}

fn gelu(size: Size) -> Case {
    let (t, mut draw) = (Texts::new(size), Draw::new("gelu"));
    let (rows, width) = (t.tokens(), 4 * t.width());
    let n = rows * width;
    let buffers = vec![Numbers(draw.numbers(width)), Numbers(draw.numbers(n))];
    let sizes = gelu::Sizes { rows: u(rows), width: u(width) };
    // Bias 1, limits 2, square 1, polynomials 12 and 8, quotient 2, the rest 3; read and written.
    let cost = work(29 * n, 2 * n + width);
    Case::new(sizes, format!("{rows} rows of {width}"), cost, buffers).host(move |buffers| {
        let [bias, values] = buffers else { return };
        parallel::for_blocks(values, 16 * width, |_, values| {
            widest!({
                for row in values.chunks_mut(width) {
                    row.iter_mut().zip(&*bias).for_each(|(x, bias)| *x += bias);
                }
                gelu::forward(values);
            });
        });
    })
}

fn layer_norm(size: Size) -> Case {
    let (t, mut draw) = (Texts::new(size), Draw::new("layer_norm"));
    let (rows, width) = (t.tokens(), t.width());
    let n = rows * width;
    let buffers = vec![
        Numbers(draw.numbers(n)),
        Numbers(vec![0.0; width]),
        Numbers(draw.numbers(n)),
        Numbers(draw.numbers(width)),
        Numbers(draw.numbers(width)),
        Unwritten(n),
    ];
    let sizes = layer_norm::Sizes { rows: u(rows), width: u(width), residual: 1, epsilon: 1e-12 };
    // Bias and residual 2, mean 1, variance 3, scaled 4; values and residual read, written once.
    let cost = work(10 * n, 3 * n + 3 * width);
    Case::new(sizes, format!("{rows} rows of {width}"), cost, buffers).host(move |buffers| {
        let [values, _, residual, scale, shift, out] = buffers else { return };
        let block = 32 * width;
        let tasks: Vec<_> = out.chunks_mut(block).zip(values.chunks(block)).zip(residual.chunks(block)).collect();
        parallel::for_each(tasks, |((out, values), residual)| {
            out.copy_from_slice(values);
            widest!(layer_norm::forward(out, Some(residual), scale, shift, 1e-12));
        });
    })
}
