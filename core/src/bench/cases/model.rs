//! The kernels of a training step but for its pooling, on a model of 256 numbers with a head of as many, 29 tokens a text
//! and five negatives a bundle.

use super::super::case::{Case, Size, Start, Work};
use super::{Draw, u, words};
use crate::config::Activation;
use crate::kernels::simd::widest;
use crate::kernels::{self, activation, adamw, info_nce, triplet};
use crate::parallel;
use Start::{Numbers, Unwritten};

/// Numbers that one task of a form on the CPU takes, as in training.
pub(super) const BLOCK: usize = 16_384;

/// A batch of a model.
pub(super) struct Model {
    anchors: usize,
    pub(super) texts: usize,
    pub(super) per_text: usize,
    pub(super) tokens: usize,
    pub(super) dim: usize,
    pub(super) vocab: usize,
}

impl Model {
    pub(super) fn new(size: Size) -> Self {
        let (anchors, per_text, dim, vocab) = match size {
            Size::Check => (3, 5, 20, 40),
            Size::Quick => (16, 29, 256, 2_000),
            Size::Full => (2048, 29, 256, 30_000),
        };
        // An anchor, a positive, five negatives.
        let texts = 7 * anchors;
        Self { anchors, texts, per_text, tokens: texts * per_text, dim, vocab }
    }

    /// Numbers of all texts' vectors.
    pub(super) fn cells(&self) -> usize {
        self.texts * self.dim
    }

    fn candidates(&self) -> usize {
        self.texts - self.anchors
    }

    /// `[texts + 1]`
    pub(super) fn starts(&self) -> Vec<u32> {
        (0..=self.texts).map(|text| u(text * self.per_text)).collect()
    }

    /// `[tokens]`
    pub(super) fn text_of(&self) -> Vec<u32> {
        (0..self.tokens).map(|token| u(token / self.per_text)).collect()
    }

    fn vectors(&self) -> String {
        format!("{} vectors of {}", self.texts, self.dim)
    }

    pub(super) fn text(&self) -> String {
        format!("{} texts of {} tokens, {} numbers", self.texts, self.per_text, self.dim)
    }
}

/// The work of so many operations and numbers.
pub(super) fn work(flops: usize, numbers: usize) -> Work {
    Work { flops: flops as u64, bytes: 4 * numbers as u64 }
}

pub(super) fn cases(name: &str) -> Vec<fn(Size) -> Case> {
    let case: fn(Size) -> Case = match name {
        "activation" => activation,
        "activation_backward" => activation_backward,
        "adamw" => adamw,
        "adamw_rows" => adamw_rows,
        "add" => add,
        "clip" => clip,
        "column_sum" => column_sum,
        "info_nce" => info_nce,
        "normalise" => normalise,
        "normalise_backward" => normalise_backward,
        "square_sum" => square_sum,
        "triplet" => triplet,
        _ => return Vec::new(),
    };
    vec![case]
}

fn activation(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("activation"));
    let sizes = activation::Sizes::new(m.texts, m.dim, Activation::Relu, 0.0, 1);
    let (n, width) = (m.cells(), m.dim);
    let buffers = vec![Numbers(draw.numbers(width)), Numbers(draw.numbers(n)), Unwritten(n)];
    // The bias added, compared with 0; values read and written, the next layer's inputs written.
    Case::new(sizes, format!("ReLU, {}", m.vectors()), work(2 * n, 3 * n + width), buffers).host(move |buffers| {
        let [bias, values, next] = buffers else { return };
        let rows = BLOCK / width * width;
        let tasks: Vec<_> = values.chunks_mut(rows).zip(next.chunks_mut(rows)).collect();
        parallel::for_each(tasks, |(values, next)| {
            widest!({
                for row in values.chunks_mut(width) {
                    row.iter_mut().zip(&*bias).for_each(|(x, bias)| *x += bias);
                }
                next.copy_from_slice(values);
                activation::forward(Activation::Relu, next);
            });
        });
    })
}

fn activation_backward(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("activation"));
    let sizes = activation::Sizes::new(m.texts, m.dim, Activation::Relu, 0.0, 1);
    let n = m.cells();
    let buffers = vec![Numbers(draw.numbers(n)), Numbers(draw.numbers(n))];
    // Compared with 0 and multiplied; inputs read, gradients read and written.
    let cost = work(2 * n, 3 * n);
    let sizes = kernels::activation_backward::Sizes::from(sizes);
    Case::new(sizes, format!("ReLU, {}", m.vectors()), cost, buffers).host(|buffers| {
        let [values, d] = buffers else { return };
        parallel::for_blocks(d, BLOCK, |number, d| {
            widest!(activation::backward(Activation::Relu, &values[number * BLOCK..][..d.len()], d));
        });
    })
}

/// Moments' decay and gain 6 (the gradient's square among them), clipping 1, the step 6: correction, root, addition,
/// division, multiplication, subtraction; the decay 1.
const ADAMW_FLOPS: usize = 14;
/// Gradient, parameter and two moments read, all but the gradient written.
const ADAMW_NUMBERS: usize = 7;

fn adamw(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("adamw"));
    let n = m.vocab * m.dim;
    let step = adamw::Step::new(100, 1e-4, 1.0);
    let sizes = adamw::Sizes { n: u(n), rate: step.lr * step.correct1, correction: step.correct2, decay: 1.0 };
    let (g, p, first, second) = (draw.numbers(n), draw.numbers(n), draw.numbers(n), draw.positive(n));
    let buffers = vec![Numbers(g), Numbers(vec![1.0]), Numbers(p), Numbers(first), Numbers(second)];
    let cost = work(ADAMW_FLOPS * n, ADAMW_NUMBERS * n);
    Case::new(sizes, format!("{n} numbers"), cost, buffers).host(move |buffers| {
        let [g, _, p, m, v] = buffers else { return };
        let parts = p.chunks_mut(BLOCK).zip(m.chunks_mut(BLOCK)).zip(v.chunks_mut(BLOCK)).zip(g.chunks(BLOCK));
        parallel::for_each(parts.collect::<Vec<_>>(), |(((p, m), v), g)| {
            widest!(adamw::update(&step, 1.0, p, m, v, g));
        });
    })
}

fn adamw_rows(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("adamw_rows"));
    // Every second row of the table.
    let rows = m.vocab / 2;
    let (n, cells) = (rows * m.dim, 2 * rows * m.dim);
    let step = adamw::Step::new(100, 1e-4, 1.0);
    let (rate, correction) = (step.lr * step.correct1, step.correct2);
    let sizes = kernels::adamw_rows::Sizes { rows: u(rows), dim: u(m.dim), rate, correction };
    let list: Vec<u32> = (0..u(rows)).map(|row| 2 * row).collect();
    let buffers = vec![
        Numbers(words(&list)),
        Numbers(vec![1.0; rows]),
        Numbers(draw.numbers(n)),
        Numbers(vec![1.0]),
        Numbers(draw.numbers(cells)),
        Numbers(draw.numbers(cells)),
        Numbers(draw.positive(cells)),
    ];
    let cost = work(ADAMW_FLOPS * n, ADAMW_NUMBERS * n + 2 * rows);
    Case::new(sizes, format!("{rows} rows of {}", m.dim), cost, buffers)
}

fn add(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("add"));
    let n = m.cells();
    let buffers = vec![Numbers(draw.numbers(n)), Numbers(draw.numbers(n))];
    Case::new(kernels::add::Sizes { n: u(n) }, m.vectors(), work(n, 3 * n), buffers)
}

fn clip(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("clip"));
    let (anchors, count) = (m.anchors, (m.vocab * m.dim).div_ceil(4096));
    let sizes = kernels::clip::Sizes { anchors: u(anchors), count: u(count), stats_start: 0, bound: 1.0 };
    let buffers = vec![Numbers(draw.positive(anchors)), Numbers(draw.positive(count)), Unwritten(2), Unwritten(1)];
    let n = anchors + count;
    Case::new(sizes, format!("{anchors} losses, {count} sums"), work(n, n + 3), buffers)
}

fn column_sum(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("column_sum"));
    let sizes = kernels::column_sum::Sizes { rows: u(m.texts), width: u(m.dim) };
    let buffers = vec![Numbers(draw.numbers(m.cells())), Unwritten(m.dim)];
    Case::new(sizes, m.vectors(), work(m.cells(), m.cells() + m.dim), buffers)
}

/// Senses and texts that are all different, where each bundle's negatives begin, similarities, losses.
fn lineup(m: &Model, draw: &mut Draw) -> Vec<Start> {
    let all: Vec<u32> = (0..u(m.texts)).collect();
    let negatives: Vec<u32> = (0..=m.anchors).map(|bundle| u(m.anchors + 5 * bundle)).collect();
    let similarities = draw.numbers(m.anchors * m.candidates());
    vec![
        Numbers(words(&all)),
        Numbers(words(&all)),
        Numbers(words(&negatives)),
        Numbers(similarities),
        Unwritten(m.anchors),
    ]
}

fn info_nce(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("info_nce"));
    let (anchors, candidates, temperature) = (m.anchors, m.candidates(), 0.05);
    let scale = 1.0 / anchors as f32;
    let sizes = info_nce::Sizes {
        anchors: u(anchors),
        candidates: u(candidates),
        in_batch: 1,
        inverse_temperature: 1.0 / temperature,
        margin: 0.0,
        scale,
    };
    let n = anchors * candidates;
    // The largest 1; the sum 4: subtraction, multiplication, exponential, addition; the gradient as many, with a factor instead
    // of the addition. Similarities read and written, labels once for each candidate.
    let cost = work(9 * n, 2 * n + 2 * m.texts + 2 * anchors);
    let label = format!("{anchors} anchors, {candidates} candidates");
    Case::new(sizes, label, cost, lineup(&m, &mut draw)).host(move |buffers| {
        let [_, _, _, similarities, losses] = buffers else { return };
        let tasks: Vec<_> = similarities.chunks_mut(16 * candidates).zip(losses.chunks_mut(16)).enumerate().collect();
        parallel::for_each(tasks, |(block, (rows, losses))| {
            widest!({
                for (i, (row, loss)) in rows.chunks_mut(candidates).zip(losses.iter_mut()).enumerate() {
                    *loss = info_nce::row(row, 16 * block + i, 1.0 / temperature, scale);
                }
            });
        });
    })
}

fn triplet(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("triplet"));
    let (anchors, candidates, margin) = (m.anchors, m.candidates(), 0.3);
    let scale = 1.0 / anchors as f32;
    let sizes = triplet::Sizes {
        anchors: u(anchors),
        candidates: u(candidates),
        in_batch: 1,
        inverse_temperature: 1.0,
        margin,
        scale,
    };
    let n = anchors * candidates;
    // Five negatives an anchor count, 5 operations each; the others are read and become 0.
    let cost = work(25 * anchors, 2 * n + 2 * anchors);
    let label = format!("{anchors} anchors, {candidates} candidates");
    Case::new(sizes, label, cost, lineup(&m, &mut draw)).host(move |buffers| {
        let [_, _, _, similarities, losses] = buffers else { return };
        let tasks: Vec<_> = similarities.chunks_mut(16 * candidates).zip(losses.chunks_mut(16)).enumerate().collect();
        parallel::for_each(tasks, |(block, (rows, losses))| {
            widest!({
                for (i, (row, loss)) in rows.chunks_mut(candidates).zip(losses.iter_mut()).enumerate() {
                    let (anchor, first) = (16 * block + i, anchors + 5 * (16 * block + i));
                    *loss = triplet::row(row, anchor, first..first + 5, margin, scale);
                }
            });
        });
    })
}

fn normalise(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("normalise"));
    let (rows, width, n) = (u(m.texts), m.dim, m.cells());
    let sizes = kernels::normalise::Sizes { rows, width: u(width), head: 1, residual: 1 };
    let (values, bias, pooled) = (draw.numbers(n), draw.numbers(width), draw.numbers(n));
    let buffers = vec![Numbers(values), Numbers(bias), Numbers(pooled), Unwritten(n), Unwritten(m.texts)];
    // Bias, residual, square, sum, scale; outputs and pooled vectors read, unit vectors written.
    Case::new(sizes, m.vectors(), work(5 * n, 3 * n + width + m.texts), buffers)
}

fn normalise_backward(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("normalise_backward"));
    let n = m.cells();
    let sizes = kernels::normalise_backward::Sizes { rows: u(m.texts), width: u(m.dim) };
    let unit = draw.numbers(n).iter().map(|x| x / (m.dim as f32 / 3.0).sqrt()).collect();
    // Norms of 1: run again and again, nothing grows.
    let buffers = vec![Numbers(unit), Numbers(vec![1.0; m.texts]), Numbers(draw.numbers(n))];
    // A dot product 2, what lies along the vector taken off 2, divided 1; vectors read, gradients read and written.
    Case::new(sizes, m.vectors(), work(5 * n, 3 * n + m.texts), buffers)
}

fn square_sum(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("square_sum"));
    let n = m.vocab * m.dim;
    let blocks = n.div_ceil(kernels::interfaces::square_sum::BLOCK as usize);
    let buffers = vec![Numbers(draw.numbers(n)), Unwritten(blocks)];
    let sizes = kernels::square_sum::Sizes { n: u(n), out_start: 0 };
    Case::new(sizes, format!("{n} numbers"), work(2 * n, n + blocks), buffers)
}
