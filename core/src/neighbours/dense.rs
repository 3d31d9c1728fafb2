//! Neighbours among rows of vectors.
//!
//! A block of queries meets the members tile by tile: the tile is packed, multiplied, and whatever scores at least a
//! query's threshold is kept. The threshold is that of the k-th best so far, less what rounding may hide: sums of
//! products of unit vectors are off by at most `dim · 2^-24` in `f32`, whatever their order, and by little more where
//! rounded rows are multiplied for speed. What is left in the end is
//! scored again in `f64`, so the result is exact. Where many queries are members, a pair of them is multiplied once and
//! looked at from both sides.

use super::space::{Accept, Neighbour};
use super::top::Top;
use crate::embeddings::UnitRows;
use crate::kernels::matmul::{Packed, View, matmul_block};
use crate::kernels::rounded::{self, Panels, Rows};
use crate::kernels::simd;
use crate::parallel;
use pulp::{Simd, WithSimd};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Queries that share a packed tile: at most this many, and fewer where that leaves threads without work.
const QUERIES: std::ops::RangeInclusive<usize> = 192..=1024;
/// Tasks that a search is cut into where the blocks of queries do not get too small.
const TASKS: usize = 8;
/// Queries from which on a pair of them is scored once for both.
const PAIRED: usize = 2 * *QUERIES.start();
/// Scores, with their items, that all of them may keep at once: 256 MiB.
const KEPT: usize = 32 << 20;
/// Members of a tile; packed, a tile of 384 numbers a row takes 768 KiB.
const TILE: usize = 512;
/// Queries whose scores are looked at while they are still near the core: six rows at a time go through the product.
const ROWS: usize = 96;
/// Numbers of a row from which on rounded ones are multiplied, where that is faster; shorter rows are read more than
/// multiplied.
const ROUNDED: usize = 32;
/// How far from 1 the length of a row may be that is taken as it is; below what `slack` allows for.
const UNIT: f64 = 2e-7;
/// Rows that are measured together.
const NORM_BLOCK: usize = 1024;

/// Rows that are fetched before their turn comes to be scored again.
const AHEAD: usize = 4;

/// Rows that a device is asked for beside the `k` that are wanted: some are not accepted, some are of one key.
const SPARE: usize = 44;

/// A device that looks for candidates among the rows of a [`Dense`]. Its scores only choose what is scored again, so what
/// is found does not depend on it.
pub trait Screen {
    /// Rows that it finds for one query, at most.
    fn most(&self) -> usize;

    /// For each of `queries`, the `k` rows with the largest dot products (in `f32`) among those whose group is not the
    /// query's, best first; fewer only where there are no more. Nothing when it failed.
    fn nearest(&self, queries: &[u32], group: &[u32], k: usize) -> Option<Vec<Vec<(u32, f32)>>>;
}

/// Unit vectors, row i for item i. Only the rows' exact lengths are held beside the rows.
pub struct Dense<'a> {
    rows: &'a dyn UnitRows,
    /// `[n, dim]`, where the rows are in memory.
    whole: Option<&'a [f32]>,
    dim: usize,
    /// `[n]`, in `f64`.
    norms: Vec<f64>,
    /// All rows are of unit length (up to rounding) or zero.
    unit: bool,
}

impl<'a> Dense<'a> {
    /// Rows of vectors. One that is not finite counts as zero; one that is not of unit length, by its direction.
    #[must_use]
    pub fn new(rows: &'a dyn UnitRows) -> Self {
        let dim = rows.dim().max(1);
        let mut norms = vec![0f64; rows.len()];
        parallel::for_blocks(&mut norms, NORM_BLOCK, |block, norms| {
            let mut row = vec![0.0; dim];
            for (norm, item) in norms.iter_mut().zip(block * NORM_BLOCK..) {
                rows.row_to(item, &mut row);
                *norm = dot(&row, &row).sqrt();
            }
        });
        let unit = norms.iter().all(|n| *n == 0.0 || (n - 1.0).abs() < UNIT);
        for norm in &mut norms {
            let usable = norm.is_finite() && (1.0 / *norm as f32).is_finite();
            *norm = if usable { *norm } else { 0.0 };
        }
        Self { rows, whole: rows.whole(), dim, norms, unit }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.norms.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.norms.is_empty()
    }

    /// Numbers a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Whether an item has no direction.
    #[must_use]
    pub fn is_zero(&self, item: u32) -> bool {
        self.norms[item as usize] == 0.0
    }

    /// Cosine in `f64`; 0 with a zero row.
    #[must_use]
    pub fn similarity(&self, a: u32, b: u32) -> f64 {
        let mut copies = Default::default();
        self.cosine(a, b, &mut copies)
    }

    /// The same, with memory for rows that have to be copied: those of `a` stay while `a` does.
    fn cosine(&self, a: u32, b: u32, copies: &mut Copies) -> f64 {
        let cosine = match self.whole {
            Some(whole) => {
                let row = |item: u32| &whole[item as usize * self.dim..][..self.dim];
                dot(row(a), row(b))
            }
            None => {
                copies.a.resize(self.dim, 0.0);
                copies.b.resize(self.dim, 0.0);
                if copies.of != Some(a) {
                    self.rows.row_to(a as usize, &mut copies.a);
                    copies.of = Some(a);
                }
                self.rows.row_to(b as usize, &mut copies.b);
                dot(&copies.a, &copies.b)
            }
        };
        let cosine = cosine / (self.norms[a as usize] * self.norms[b as usize]);
        if cosine.is_finite() { cosine } else { 0.0 }
    }

    /// As [`Space::nearest`](super::Space::nearest).
    #[must_use]
    pub fn nearest(
        &self,
        queries: &[u32],
        members: &[u32],
        k: usize,
        keys: Option<&[u32]>,
        accept: Accept<'_>,
    ) -> Vec<Vec<Neighbour>> {
        if k == 0 || members.is_empty() {
            return vec![Vec::new(); queries.len()];
        }
        let search = self.search(members, k, keys, accept, self.dim >= ROUNDED && rounded::pays());
        if let Some(others) = search.others(queries) {
            return search.each_pair_once(queries, &others);
        }
        let block = queries.len().div_ceil(TASKS).clamp(*QUERIES.start(), *QUERIES.end());
        let blocks: Vec<&[u32]> = queries.chunks(block).collect();
        parallel::map(blocks.len(), |b| search.block(blocks[b])).into_iter().flatten().collect()
    }

    /// A search by products of rounded rows, or of the rows themselves.
    fn search<'b>(
        &'b self,
        members: &'b [u32],
        k: usize,
        keys: Option<&'b [u32]>,
        accept: Accept<'b>,
        rounded: bool,
    ) -> Search<'b> {
        let slack = if rounded { rounded::error(self.dim) } else { self.dim as f32 / (1 << 24) as f32 + 1e-6 };
        Search { space: self, members, k, keys, accept, rounded, slack }
    }

    /// As [`Dense::nearest`] among all rows of other groups, by the screen; nothing where it failed or can't find so many.
    pub(super) fn screened(
        &self,
        screen: &dyn Screen,
        queries: &[u32],
        k: usize,
        keys: Option<&[u32]>,
        group: &[u32],
        accept: Accept<'_>,
    ) -> Option<Vec<Vec<Neighbour>>> {
        if !self.unit || k == 0 || k >= screen.most() {
            return None;
        }
        let asked = (2 * k + SPARE).min(screen.most());
        let lists = screen.nearest(queries, group, asked)?;
        let search = self.search(&[], k, keys, accept, false);
        let exact = parallel::map(queries.len(), |i| {
            let (query, list) = (queries[i], &lists[i]);
            let kept = list.iter().filter(|(row, _)| accept(query, *row)).map(|(row, score)| (*score, *row)).collect();
            let top = search.exact(&Found { query, kept, threshold: f32::NEG_INFINITY }, &mut Copies::default());
            // Who is not on the list scores no more than its last.
            let last = list.last().map_or(f64::NEG_INFINITY, |l| f64::from(l.1) + 2.0 * f64::from(search.slack));
            (list.len() < asked || top.threshold() > last).then(|| top.into_neighbours())
        });
        // Too many were not accepted: these are searched without the device.
        let open: Vec<u32> = queries.iter().zip(&exact).filter(|(_, found)| found.is_none()).map(|(q, _)| *q).collect();
        let all: Vec<u32> = (0..self.len() as u32).collect();
        let mut searched = self.nearest(&open, &all, k, keys, accept).into_iter();
        exact.into_iter().map(|found| found.or_else(|| searched.next())).collect()
    }

    /// The rows of `items` with unit length, one after another; where they lie so in memory, as they lie.
    pub(super) fn gathered<'b>(&'b self, items: &[u32], buffer: &'b mut Vec<f32>) -> &'b [f32] {
        let consecutive = items.windows(2).all(|w| w[0].checked_add(1) == Some(w[1]));
        let first = items.first().map_or(0, |i| *i as usize);
        if let Some(whole) = self.whole.filter(|_| self.unit && consecutive) {
            return &whole[first * self.dim..][..items.len() * self.dim];
        }
        buffer.resize(items.len() * self.dim, 0.0);
        if consecutive {
            self.rows.block(first..first + items.len(), buffer);
        } else {
            self.rows.gather(items, buffer);
        }
        if !self.unit {
            for (&item, row) in items.iter().zip(buffer.chunks_mut(self.dim)) {
                match self.norms[item as usize] {
                    0.0 => row.fill(0.0),
                    norm => row.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32),
                }
            }
        }
        buffer
    }
}

/// Two rows of a file.
#[derive(Default)]
struct Copies {
    a: Vec<f32>,
    b: Vec<f32>,
    /// Whose row `a` is.
    of: Option<u32>,
}

/// One search.
struct Search<'a> {
    space: &'a Dense<'a>,
    members: &'a [u32],
    k: usize,
    keys: Option<&'a [u32]>,
    accept: Accept<'a>,
    /// Scores are products of rounded rows.
    rounded: bool,
    /// How far a score may be from the cosine.
    slack: f32,
}

/// One side of a product.
#[derive(Clone, Copy)]
struct Side<'a> {
    items: &'a [u32],
    /// Theirs, where they are kept.
    rounded: Option<&'a Rows>,
}

impl<'a> Side<'a> {
    fn of(items: &'a [u32]) -> Self {
        Self { items, rounded: None }
    }
}

/// What a query has found so far.
struct Found {
    query: u32,
    /// Score and item; everything that may still be among the best, in no order.
    kept: Vec<(f32, u32)>,
    threshold: f32,
}

/// What neighbouring queries have found so far.
struct Block {
    found: Vec<Found>,
    /// Theirs, side by side for those who look at a score from both sides.
    thresholds: Vec<f32>,
}

impl Block {
    fn new(queries: &[u32], room: usize) -> Self {
        let found = |&query| Found { query, kept: Vec::with_capacity(room), threshold: f32::NEG_INFINITY };
        Self { found: queries.iter().map(found).collect(), thresholds: vec![f32::NEG_INFINITY; queries.len()] }
    }

    fn update(&mut self) {
        self.thresholds.iter_mut().zip(&self.found).for_each(|(t, f)| *t = f.threshold);
    }
}

impl Search<'_> {
    /// A block of queries against all members.
    fn block(&self, queries: &[u32]) -> Vec<Vec<Neighbour>> {
        let mut block = Block::new(queries, self.room());
        self.products(Side::of(queries), Side::of(self.members), |rows, columns, scores| {
            let (found, members) = (&mut block.found[rows], &self.members[columns]);
            for (found, scores) in found.iter_mut().zip(scores.chunks(members.len())) {
                pulp::Arch::new().dispatch(Scan { search: self, found, members, scores });
            }
        });
        self.finish(block)
    }

    /// The members that are not queries, where it pays to score a pair of queries once for both: they are many, all
    /// members, and what each of them keeps has room at once.
    fn others(&self, queries: &[u32]) -> Option<Vec<u32>> {
        if queries.len() < PAIRED || queries.len() * self.room() > KEPT {
            return None;
        }
        let mut sorted = queries.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let others: Vec<u32> = self.members.iter().copied().filter(|m| sorted.binary_search(m).is_err()).collect();
        // Each query is one of the members, and none is there twice.
        let all = sorted.len() == queries.len() && others.len() + queries.len() == self.members.len();
        all.then_some(others)
    }

    /// All queries against each other, half the products, and against the other members.
    fn each_pair_once(&self, queries: &[u32], others: &[u32]) -> Vec<Vec<Neighbour>> {
        let size = queries.len().div_ceil(TASKS).clamp(*QUERIES.start(), *QUERIES.end());
        let parts: Vec<&[u32]> = queries.chunks(size).collect();
        // Each part meets all others: it is rounded once for all of them.
        let rounded = parallel::map(parts.len(), |b| self.rounded.then(|| self.rounded_rows(parts[b])));
        let parts: Vec<Side<'_>> =
            parts.into_iter().zip(&rounded).map(|(items, rounded)| Side { items, rounded: rounded.as_ref() }).collect();
        let blocks: Vec<Mutex<Block>> =
            parts.iter().map(|part| Mutex::new(Block::new(part.items, self.room()))).collect();
        let open = |b: usize| blocks[b].lock().unwrap_or_else(PoisonError::into_inner);
        // Along the diagonals: what runs at the same time rarely shares a block. What is kept depends on the order, which
        // of it is best does not.
        let pairs: Vec<(usize, usize)> =
            (1..parts.len()).flat_map(|apart| (apart..parts.len()).map(move |b| (b - apart, b))).collect();
        parallel::map(parts.len(), |b| {
            for members in [parts[b], Side::of(others)] {
                self.products(parts[b], members, |rows, columns, scores| {
                    let members = &members.items[columns];
                    for (found, scores) in open(b).found[rows].iter_mut().zip(scores.chunks(members.len())) {
                        pulp::Arch::new().dispatch(Scan { search: self, found, members, scores });
                    }
                });
            }
            open(b).update();
        });
        parallel::map(pairs.len(), |pair| {
            let (a, b) = pairs[pair];
            self.products(parts[a], parts[b], |rows, columns, scores| {
                // Always the lower one first, so that no two wait for each other.
                let (mut a, mut b) = (open(a), open(b));
                for (row, scores) in rows.zip(scores.chunks(columns.len())) {
                    let found = &mut a.found[row];
                    let Block { found: mirrored, thresholds } = &mut *b;
                    let (mirrored, thresholds) = (&mut mirrored[columns.clone()], &mut thresholds[columns.clone()]);
                    pulp::Arch::new().dispatch(ScanBoth { search: self, found, mirrored, thresholds, scores });
                    a.thresholds[row] = a.found[row].threshold;
                }
            });
        });
        let blocks: Vec<Block> =
            blocks.into_iter().map(|b| b.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();
        parallel::map_into(blocks, |block| self.finish(block)).into_iter().flatten().collect()
    }

    /// Scores of queries with members, a few rows by a few columns at a time, while they are near the core.
    fn products(&self, queries: Side<'_>, members: Side<'_>, mut look: impl FnMut(Range<usize>, Range<usize>, &[f32])) {
        let dim = self.space.dim;
        let (mut lhs, mut rhs, mut packed, mut scores) = (Vec::new(), Vec::new(), Packed::default(), Vec::new());
        let (lhs_rounded, mut rhs_rounded, mut panels) = <(Rows, Rows, Panels)>::default();
        let lhs_rounded = match queries.rounded {
            None if self.rounded => &self.rounded_rows(queries.items),
            rounded => rounded.unwrap_or(&lhs_rounded),
        };
        let lhs = if self.rounded { &[] } else { self.space.gathered(queries.items, &mut lhs) };
        for (tile, first) in members.items.chunks(TILE).zip((0..).step_by(TILE)) {
            let columns = first..first + tile.len();
            match members.rounded {
                Some(rounded) => panels.set(rounded, columns.clone()),
                None if self.rounded => {
                    rhs_rounded.set(self.space.gathered(tile, &mut rhs), dim);
                    panels.set(&rhs_rounded, 0..tile.len());
                }
                None => packed.pack(View::new(self.space.gathered(tile, &mut rhs), tile.len(), dim).t()),
            }
            for first in (0..queries.items.len()).step_by(ROWS) {
                let rows = first..queries.items.len().min(first + ROWS);
                scores.resize(rows.len() * columns.len(), 0.0);
                if self.rounded {
                    rounded::product(&mut scores, lhs_rounded, first, &panels);
                } else {
                    let lhs = View::new(&lhs[first * dim..rows.end * dim], rows.len(), dim);
                    matmul_block(&mut scores, lhs, &packed, None);
                }
                look(rows, columns.clone(), &scores);
            }
        }
    }

    fn rounded_rows(&self, items: &[u32]) -> Rows {
        let (mut rows, mut buffer) = (Rows::default(), Vec::new());
        rows.set(self.space.gathered(items, &mut buffer), self.space.dim);
        rows
    }

    /// The best of what each query kept.
    fn finish(&self, block: Block) -> Vec<Vec<Neighbour>> {
        let mut copies = Copies::default();
        let mut exact = |mut found: Found| {
            // Fewer are left to sort.
            self.shrink(&mut found);
            self.exact(&found, &mut copies).into_neighbours()
        };
        block.found.into_iter().map(&mut exact).collect()
    }

    /// Keeps a member for a query, if it may be found for it.
    fn keep(&self, found: &mut Found, score: f32, member: u32) {
        if (self.accept)(found.query, member) {
            found.kept.push((score, member));
            if found.kept.len() >= self.room() {
                self.shrink(found);
            }
        }
    }

    /// How many a query keeps before it looks which of them still matter.
    fn room(&self) -> usize {
        2 * self.k + 64
    }

    /// Drops what can't be among the best any more and raises the threshold.
    fn shrink(&self, found: &mut Found) {
        let limit = match self.keys {
            None if found.kept.len() >= self.k => {
                let (_, kth, _) = found.kept.select_nth_unstable_by(self.k - 1, |a, b| b.0.total_cmp(&a.0));
                kth.0 - 2.0 * self.slack
            }
            None => return,
            Some(keys) => self.limit_by_key(&mut found.kept, keys),
        };
        found.kept.retain(|x| x.0 >= limit);
        found.threshold = found.threshold.max(limit);
        if found.kept.len() > self.room() / 2 + self.k / 2 {
            // Many within rounding of each other: only exact scores tell them apart.
            let top = self.exact(found, &mut Copies::default());
            found.threshold = found.threshold.max(top.threshold() as f32 - self.slack);
            let mut best: Vec<u32> = top.into_neighbours().iter().map(|n| n.item).collect();
            best.sort_unstable();
            found.kept.retain(|x| best.binary_search(&x.1).is_ok());
        }
    }

    /// The same where only the nearest of a key counts: drops those that are surely not, and returns the limit.
    fn limit_by_key(&self, kept: &mut Vec<(f32, u32)>, keys: &[u32]) -> f32 {
        kept.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        // Best score of each key so far.
        let mut best: Vec<(u32, f32)> = Vec::with_capacity(self.k);
        let mut limit = f32::NEG_INFINITY;
        kept.retain(|&(score, item)| {
            if score < limit {
                return false;
            }
            let key = keys[item as usize];
            match best.iter().find(|b| b.0 == key) {
                Some(b) => score >= b.1 - 2.0 * self.slack,
                None => {
                    best.push((key, score));
                    if best.len() == self.k {
                        limit = score - 2.0 * self.slack;
                    }
                    true
                }
            }
        });
        limit
    }

    /// The best of what a query kept, by exact scores.
    fn exact(&self, found: &Found, copies: &mut Copies) -> Top {
        let mut top = Top::new(self.k);
        // Best first, so that most of the rest is refused at once.
        let mut kept = found.kept.clone();
        kept.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        for (at, &(score, item)) in kept.iter().enumerate() {
            if let (Some(whole), Some((_, soon))) = (self.space.whole, kept.get(at + AHEAD)) {
                simd::prefetch(&whole[*soon as usize * self.space.dim..][..self.space.dim]);
            }
            if f64::from(score) + f64::from(self.slack) >= top.threshold() {
                let similarity = self.space.cosine(found.query, item, copies);
                top.offer(similarity, item, self.keys.map(|keys| keys[item as usize]));
            }
        }
        top
    }
}

/// Looks through a query's scores with a tile's members.
struct Scan<'a, 'b> {
    search: &'a Search<'b>,
    found: &'a mut Found,
    members: &'a [u32],
    scores: &'a [f32],
}

/// Vectors that are looked at together.
const GROUP: usize = 4;

impl WithSimd for Scan<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (vectors, _) = S::as_simd_f32s(self.scores);
        let (groups, _) = vectors.as_chunks::<GROUP>();
        let width = GROUP * S::F32_LANES;
        let mut threshold = simd.splat_f32s(self.found.threshold);
        for (number, group) in groups.iter().enumerate() {
            // Written out: closures would not be compiled for these vectors.
            let a = simd.greater_than_or_equal_f32s(group[0], threshold);
            let b = simd.greater_than_or_equal_f32s(group[1], threshold);
            let c = simd.greater_than_or_equal_f32s(group[2], threshold);
            let d = simd.greater_than_or_equal_f32s(group[3], threshold);
            let any = simd.or_m32s(simd.or_m32s(a, b), simd.or_m32s(c, d));
            if simd.first_true_m32s(any) < S::F32_LANES {
                for (part, mask) in [a, b, c, d].into_iter().enumerate() {
                    if simd.first_true_m32s(mask) < S::F32_LANES {
                        self.take(number * width + part * S::F32_LANES, S::F32_LANES);
                    }
                }
                threshold = simd.splat_f32s(self.found.threshold);
            }
        }
        let rest = groups.len() * width;
        self.take(rest, self.scores.len() - rest);
    }
}

impl Scan<'_, '_> {
    /// Keeps what reaches the threshold among `count` scores from `first` on.
    fn take(&mut self, first: usize, count: usize) {
        let (scores, members) = (&self.scores[first..][..count], &self.members[first..][..count]);
        for (&score, &member) in scores.iter().zip(members) {
            if score >= self.found.threshold {
                self.search.keep(self.found, score, member);
            }
        }
    }
}

/// The same where the members are queries, too: each score is looked at from both sides.
struct ScanBoth<'a, 'b> {
    search: &'a Search<'b>,
    found: &'a mut Found,
    /// The members, as queries.
    mirrored: &'a mut [Found],
    thresholds: &'a mut [f32],
    scores: &'a [f32],
}

impl WithSimd for ScanBoth<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (vectors, _) = S::as_simd_f32s(self.scores);
        let mut threshold = simd.splat_f32s(self.found.threshold);
        for (number, scores) in vectors.iter().enumerate() {
            let first = number * S::F32_LANES;
            let (limits, _) = S::as_simd_f32s(&self.thresholds[first..]);
            let row = simd.greater_than_or_equal_f32s(*scores, threshold);
            let column = simd.greater_than_or_equal_f32s(*scores, limits[0]);
            if simd.first_true_m32s(simd.or_m32s(row, column)) < S::F32_LANES {
                self.take(first, S::F32_LANES);
                threshold = simd.splat_f32s(self.found.threshold);
            }
        }
        let rest = vectors.len() * S::F32_LANES;
        self.take(rest, self.scores.len() - rest);
    }
}

impl ScanBoth<'_, '_> {
    /// Keeps what reaches a threshold among `count` scores from `first` on.
    fn take(&mut self, first: usize, count: usize) {
        for at in first..first + count {
            let (score, mirrored) = (self.scores[at], &mut self.mirrored[at]);
            if score >= self.found.threshold {
                self.search.keep(self.found, score, mirrored.query);
            }
            if score >= self.thresholds[at] {
                self.search.keep(mirrored, score, self.found.query);
                self.thresholds[at] = mirrored.threshold;
            }
        }
    }
}

/// `Σ a·b` in `f64`, in fixed lanes.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    simd::widest!({
        let mut lanes = [0f64; 16];
        let (a_body, a_tail) = a.as_chunks::<16>();
        let (b_body, b_tail) = b.as_chunks::<16>();
        for (a, b) in a_body.iter().zip(b_body) {
            for i in 0..16 {
                lanes[i] += f64::from(a[i]) * f64::from(b[i]);
            }
        }
        let tail: f64 = a_tail.iter().zip(b_tail).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        lanes.iter().sum::<f64>() + tail
    })
}
