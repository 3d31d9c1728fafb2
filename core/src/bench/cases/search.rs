//! Danger of bundles, and the search for the nearest rows.

use super::super::case::{Case, Size, Start};
use super::model::work;
use super::{Draw, u, words};
use crate::kernels::{danger, top_k};
use Start::{Numbers, Unwritten};

/// Negatives of a bundle.
const NEGATIVES: usize = 5;

pub(super) fn cases(name: &str) -> Vec<fn(Size) -> Case> {
    let case: fn(Size) -> Case = match name {
        "danger" => danger,
        "top_k" => top_k,
        _ => return Vec::new(),
    };
    vec![case]
}

fn danger(size: Size) -> Case {
    let (bundles, texts, dim) = match size {
        Size::Check => (40, 30, 64),
        Size::Quick => (4096, 8192, 256),
        Size::Full => (65_536, 131_072, 256),
    };
    let mut draw = Draw::new("danger");
    let sizes = danger::Sizes { bundles: u(bundles), dim: u(dim), slack: danger::slack(dim) };
    let starts: Vec<u32> = (0..=bundles).map(|b| u(b * NEGATIVES)).collect();
    let mut rows = |n: usize| Numbers(words(&draw.below(n, texts)));
    let (anchors, positives, negatives) = (rows(bundles), rows(bundles), rows(bundles * NEGATIVES));
    let vectors = Numbers(draw.numbers(texts * dim));
    let (similarities, verdicts) = (Unwritten(3 * bundles), Unwritten(3 * bundles));
    let buffers = vec![vectors, anchors, positives, Numbers(words(&starts)), negatives, similarities, verdicts];
    // A product and a square for each text beside the anchor, and the anchor's own square; every row is fetched, and
    // found, for each bundle.
    let (others, read) = (1 + NEGATIVES, 2 + NEGATIVES);
    let cost = work(bundles * dim * (4 * others + 2), bundles * (read * dim + read + 1 + 6));
    Case::new(sizes, format!("{bundles} bundles of {NEGATIVES} negatives, {dim} wide"), cost, buffers)
}

fn top_k(size: Size) -> Case {
    let (n, m, dim, k) = match size {
        Size::Check => (130, 300, 16, 5),
        Size::Quick => (256, 4096, 64, 10),
        Size::Full => (16_384, 131_072, 384, 100),
    };
    let mut draw = Draw::new("top_k");
    let sizes = top_k::Sizes {
        queries: u(n),
        rows: u(m),
        dim: u(dim),
        k: u(k),
        query_tiles: u(n).div_ceil(top_k::TILE),
        splits: 1,
        split_rows: u(m).next_multiple_of(top_k::TILE),
        first_row: 0,
        modes: 0,
        carry: 0,
    };
    let keys = |n: usize| Numbers(vec![0.0; 2 * n]);
    let buffers = vec![
        Numbers(draw.numbers(n * dim)),
        Numbers(draw.numbers(m * dim)),
        keys(n),
        keys(m),
        Unwritten(sizes.scratch_len()),
        Unwritten(n * k),
        Unwritten(n * k),
    ];
    // The product alone; inputs once, results once. What goes through the lists depends on the numbers.
    let cost = work(2 * n * m * dim, (n + m) * dim + 2 * n * k);
    Case::new(sizes, format!("best {k} of {m} for {n}, {dim} wide"), cost, buffers)
}
