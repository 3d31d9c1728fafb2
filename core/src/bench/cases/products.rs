//! Matrix products.

use super::super::case::{Case, Size, Start, Work};
use super::{Draw, u};
use crate::kernels::matmul::{View, matmul};
use crate::kernels::product::{Part, Sizes as Product};
use crate::kernels::{interfaces, similarity, similarity_coop, similarity_f16, similarity_subgroup, to_f16};
use Start::{Numbers, Unwritten};

pub(super) fn cases(name: &str, size: Size) -> Vec<fn(Size) -> Case> {
    let (few, all) = (size != Size::Full, size == Size::Full);
    let pick = |cases: [fn(Size) -> Case; 3]| cases.into_iter().take(if few { 1 } else { 3 }).collect::<Vec<_>>();
    match name {
        "product" => pick([forward, by_weights, by_inputs]),
        "similarity" => {
            pick([|s| portable(small(s)), |_| portable((4096, 4096, 384)), |_| portable((16_384, 16_384, 1024))])
        }
        "similarity_subgroup" => {
            pick([|s| subgroups(small(s)), |_| subgroups((4096, 4096, 384)), |_| subgroups((16_384, 16_384, 1024))])
        }
        "similarity_f16" => pick([|s| f16(small(s)), |_| f16((4096, 4096, 384)), |_| f16((16_384, 16_384, 1024))]),
        "similarity_coop" => {
            pick([|s| matrices(small(s)), |_| matrices((4096, 4096, 384)), |_| matrices((16_384, 16_384, 1024))])
        }
        "to_f16" if all => vec![|_| halves((16_384, 1024))],
        "to_f16" => vec![|s| halves(if s == Size::Check { (3, 5) } else { (1024, 256) })],
        _ => Vec::new(),
    }
}

/// Rows of both sides and columns of the first problem.
fn small(size: Size) -> (usize, usize, usize) {
    match size {
        Size::Check => (70, 90, 40),
        Size::Quick => (256, 256, 256),
        Size::Full => (1024, 1024, 1024),
    }
}

/// A multiplication and an addition for each number of each pair; inputs of `width` bytes read, outputs written.
fn work((n, m, d): (usize, usize, usize), width: usize) -> Work {
    Work { flops: (2 * n * m * d) as u64, bytes: (width * (n + m) * d + 4 * n * m) as u64 }
}

fn label((n, m, d): (usize, usize, usize)) -> String {
    format!("{n} x {m} x {d}")
}

fn rows(n: usize, m: usize, d: usize) -> [Start; 2] {
    let mut draw = Draw::new("rows");
    // Unit length, about.
    let scale = (3.0 / d as f32).sqrt();
    [n, m].map(|count| Numbers(draw.numbers(count * d).iter().map(|x| scale * x).collect()))
}

fn portable(shape: (usize, usize, usize)) -> Case {
    let (n, m, d) = shape;
    let column_tiles = u(m).div_ceil(interfaces::similarity::TILE);
    let sizes = similarity::Sizes { n: u(n), m: u(m), d: u(d), column_tiles };
    let [a, b] = rows(n, m, d);
    Case::new(sizes, label(shape), work(shape, 4), vec![a, b, Unwritten(n * m)]).host(move |buffers| {
        let [a, b, out] = buffers else { return };
        similarity::fast(a, b, out, n, m, d);
    })
}

fn subgroups(shape: (usize, usize, usize)) -> Case {
    let (n, m, d) = shape;
    let [a, b] = rows(n, m, d);
    let sizes = similarity_subgroup::Sizes::new(u(n), u(m), u(d));
    Case::new(sizes, label(shape), work(shape, 4), vec![a, b, Unwritten(n * m)])
}

/// Rows as `to_f16` leaves them.
fn packed(n: usize, m: usize, d: usize) -> [Start; 2] {
    [n, m].map(|count| {
        let sizes = to_f16::Sizes::new(u(count), u(d));
        let (columns, scale) = (sizes.padded_columns as usize, (3.0 / d as f32).sqrt());
        let drawn = Draw::new("packed").numbers(count * d);
        let mut bits = vec![0u16; sizes.padded_rows as usize * columns];
        for (row, line) in drawn.chunks(d).enumerate() {
            for (cell, x) in bits[row * columns..].iter_mut().zip(line) {
                *cell = half::f16::from_f32(scale * x).to_bits();
            }
        }
        // The first of two in the low half of a word. Columns are even.
        let word = |[low, high]: &[u16; 2]| f32::from_bits(u32::from(*low) | u32::from(*high) << 16);
        Numbers(bits.as_chunks().0.iter().map(word).collect())
    })
}

fn f16(shape: (usize, usize, usize)) -> Case {
    let (n, m, d) = shape;
    let [a, b] = packed(n, m, d);
    let sizes = similarity_f16::Sizes::new(u(n), u(m), u(d));
    Case::new(sizes, label(shape), work(shape, 2), vec![a, b, Unwritten(n * m)])
}

fn matrices(shape: (usize, usize, usize)) -> Case {
    let (n, m, d) = shape;
    let [a, b] = packed(n, m, d);
    let sizes = similarity_coop::Sizes::new(u(n), u(m), u(d));
    Case::new(sizes, label(shape), work(shape, 2), vec![a, b, Unwritten(n * m)])
}

fn halves((rows, columns): (usize, usize)) -> Case {
    let sizes = to_f16::Sizes::new(u(rows), u(columns));
    let n = rows * columns;
    let words = sizes.words() as usize;
    let buffers = vec![Numbers(Draw::new("halves").numbers(n)), Unwritten(words)];
    // Nothing is reckoned; 4 bytes read for each number, padded rows written.
    let work = Work { flops: 0, bytes: 4 * (n + words) as u64 };
    Case::new(sizes, format!("{rows} rows of {columns}"), work, buffers)
}

/// The layer's shape: texts of a batch, numbers.
fn layer(size: Size) -> (usize, usize) {
    match size {
        Size::Check => (30, 20),
        Size::Quick => (7 * 16, 256),
        Size::Full => (7 * 2048, 256),
    }
}

/// `a · b` of parts that fill their buffers.
fn product(what: &str, a: Part, b: Part) -> Case {
    let mut draw = Draw::new("product");
    let shape = (a.rows, b.columns, a.columns);
    let buffers = vec![
        Numbers(draw.numbers(a.rows * a.columns)),
        Numbers(draw.numbers(b.rows * b.columns).iter().map(|x| x / a.columns as f32).collect()),
        Unwritten(a.rows * b.columns),
    ];
    let sizes = Product::new(a, b, 0);
    Case::new(sizes, format!("{what}, {}", label(shape)), work(shape, 4), buffers).host(move |buffers| {
        let [left, right, out] = buffers else { return };
        matmul(out, view(left, a), view(right, b));
    })
}

fn view(data: &[f32], part: Part) -> View<'_> {
    if part.column == 1 {
        View::new(data, part.rows, part.columns)
    } else {
        View::new(data, part.columns, part.rows).t()
    }
}

fn forward(size: Size) -> Case {
    let (texts, dim) = layer(size);
    product("a layer", Part::new(texts, dim), Part::new(dim, dim).t())
}

fn by_weights(size: Size) -> Case {
    let (texts, dim) = layer(size);
    product("its weights' gradient", Part::new(texts, dim).t(), Part::new(texts, dim))
}

fn by_inputs(size: Size) -> Case {
    let (texts, dim) = layer(size);
    product("its inputs' gradient", Part::new(texts, dim), Part::new(dim, dim))
}
