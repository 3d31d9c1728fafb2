//! The space in which negatives are near or far: one set of vectors for ranking and for danger.
//!
//! Both kinds rank by the similarity in `f64` that danger is computed with, ties by lower index, so a pool does not
//! depend on threads, blocks or instruction sets. Vectors are screened by a blocked matrix product in `f32` first;
//! whatever comes within its rounding error of the pool is looked at again in `f64`.

use super::top::Top;
use crate::embeddings::Embeddings;
use crate::kernels::matmul::{Packed, View, matmul_block};
use crate::kernels::simd;
use crate::lexical::{Index, Lexical, Sparse, cosine};
use crate::parallel;

/// Queries and members of one tile of the matrix product.
const TILE: (usize, usize) = (256, 1024);
/// With fewer queries than this, building an index or a tile costs more than it saves.
const FEW: usize = 6;

/// What ranks negatives and scores danger.
#[derive(Clone, Copy, Debug)]
pub enum Similarity<'a> {
    /// The lexical embedding, counted over the events' texts.
    Lexical,
    /// Vectors, row i for event i: the events' own, or a checkpoint's.
    Vectors(&'a Embeddings),
}

/// Items in a space; each has a key, and of one key only the nearest item is ever found.
pub(super) enum Space<'a> {
    /// Item i has the vector `vectors[keys[i]]`: items of one key are one text.
    Lexical { vectors: Vec<Sparse>, keys: &'a [u32] },
    /// Item i has row i.
    Dense { rows: &'a [f32], dim: usize, norms: Vec<f64>, keys: &'a [u32] },
}

/// Who may be found for whom: `(query, member)`.
pub(super) type Accept<'a> = &'a (dyn Fn(u32, u32) -> bool + Sync);

impl<'a> Space<'a> {
    /// `texts[key]` are distinct.
    pub(super) fn lexical(texts: &[String], keys: &'a [u32]) -> Self {
        let lexical = Lexical::fit(texts);
        Self::Lexical { vectors: parallel::map(texts.len(), |i| lexical.embed(&texts[i])), keys }
    }

    pub(super) fn dense(rows: &'a [f32], dim: usize, keys: &'a [u32]) -> Self {
        let norm = |i: usize| dot(&rows[i * dim..][..dim], &rows[i * dim..][..dim]).sqrt();
        Self::Dense { rows, dim, norms: parallel::map(keys.len(), norm), keys }
    }

    /// Cosine; 0 with a zero vector.
    pub(super) fn similarity(&self, a: u32, b: u32) -> f64 {
        let (a, b) = (a as usize, b as usize);
        match self {
            Self::Lexical { vectors, keys } => cosine(&vectors[keys[a] as usize], &vectors[keys[b] as usize]),
            Self::Dense { rows, dim, norms, .. } => {
                let cosine = dot(&rows[a * dim..][..*dim], &rows[b * dim..][..*dim]) / (norms[a] * norms[b]);
                if cosine.is_finite() { cosine } else { 0.0 }
            }
        }
    }

    /// Whether an item has no direction.
    pub(super) fn is_zero(&self, item: u32) -> bool {
        match self {
            Self::Lexical { vectors, keys } => vectors[keys[item as usize] as usize].is_empty(),
            Self::Dense { norms, .. } => norms[item as usize].is_nan() || norms[item as usize] == 0.0,
        }
    }

    /// For each query, the `k` nearest accepted `members` (ascending) of distinct keys, best first.
    pub(super) fn nearest(&self, queries: &[u32], members: &[u32], k: usize, accept: Accept<'_>) -> Vec<Vec<u32>> {
        if k == 0 || members.is_empty() {
            return vec![Vec::new(); queries.len()];
        }
        if queries.len() < FEW {
            return parallel::map(queries.len(), |i| self.one_by_one(queries[i], members, k, accept));
        }
        match self {
            Self::Lexical { vectors, keys } => nearest_texts(vectors, keys, queries, members, k, accept),
            Self::Dense { .. } => self.nearest_rows(queries, members, k, accept),
        }
    }

    fn one_by_one(&self, query: u32, members: &[u32], k: usize, accept: Accept<'_>) -> Vec<u32> {
        let (Self::Lexical { keys, .. } | Self::Dense { keys, .. }) = self;
        let mut top = Top::new(k);
        for &member in members.iter().filter(|m| accept(query, **m)) {
            top.offer(self.similarity(query, member), member, keys[member as usize]);
        }
        top.items()
    }

    fn nearest_rows(&self, queries: &[u32], members: &[u32], k: usize, accept: Accept<'_>) -> Vec<Vec<u32>> {
        let Self::Dense { rows, dim, keys, .. } = self else { return Vec::new() };
        let dim = *dim;
        // Sums of products of unit vectors are off by at most dim · 2^-24 in f32, whatever their order; and the rows
        // are of unit length up to rounding.
        let slack = 2e-6 + dim as f32 / (1 << 23) as f32;
        let gather = |items: &[u32]| -> Vec<f32> {
            items.iter().flat_map(|&i| &rows[i as usize * dim..][..dim]).copied().collect()
        };
        let gathered;
        let contiguous = members[members.len() - 1] as usize == members[0] as usize + members.len() - 1;
        let table: &[f32] = if contiguous {
            &rows[members[0] as usize * dim..][..members.len() * dim]
        } else {
            gathered = gather(members);
            &gathered
        };
        let tables = table.chunks(TILE.1 * dim);
        let tables: Vec<Packed> = tables.map(|t| Packed::new(View::new(t, t.len() / dim, dim).t())).collect();
        let blocks: Vec<&[u32]> = queries.chunks(TILE.0).collect();
        let found = parallel::map(blocks.len(), |b| {
            let block = blocks[b];
            let lhs = gather(block);
            let mut tops: Vec<Top> = block.iter().map(|_| Top::new(k)).collect();
            let mut tile = Vec::new();
            for (members, table) in members.chunks(TILE.1).zip(&tables) {
                tile.resize(block.len() * members.len(), 0.0);
                matmul_block(&mut tile, View::new(&lhs, block.len(), dim), table, None);
                for ((&query, top), scores) in block.iter().zip(&mut tops).zip(tile.chunks(members.len())) {
                    for (members, scores) in members.chunks(64).zip(scores.chunks(64)) {
                        let enough = |top: &Top| top.threshold() as f32 - slack;
                        if simd::widest(|| simd::max(scores)) < enough(top) {
                            continue;
                        }
                        for (&member, &score) in members.iter().zip(scores) {
                            if score >= enough(top) && accept(query, member) {
                                top.offer(self.similarity(query, member), member, keys[member as usize]);
                            }
                        }
                    }
                }
            }
            tops.into_iter().map(Top::items).collect::<Vec<_>>()
        });
        found.concat()
    }
}

/// The same for texts: each distinct text of the queries is compared once with each distinct text of the members.
fn nearest_texts(
    vectors: &[Sparse],
    keys: &[u32],
    queries: &[u32],
    members: &[u32],
    k: usize,
    accept: Accept<'_>,
) -> Vec<Vec<u32>> {
    let by_key = |items: &[u32]| {
        let mut sorted: Vec<(u32, u32)> = (0..).zip(items).map(|(at, &item)| (keys[item as usize], at)).collect();
        sorted.sort_unstable();
        sorted
    };
    let (by_text, by_query) = (by_key(members), by_key(queries));
    let texts: Vec<&[(u32, u32)]> = by_text.chunk_by(|a, b| a.0 == b.0).collect();
    let asked: Vec<&[(u32, u32)]> = by_query.chunk_by(|a, b| a.0 == b.0).collect();
    let index = Index::new(texts.iter().map(|t| &vectors[t[0].0 as usize]));
    let blocks: Vec<&[&[(u32, u32)]]> = asked.chunks(32).collect();
    let found = parallel::map(blocks.len(), |b| {
        let (mut scores, mut found) = (Vec::new(), Vec::new());
        for same_text in blocks[b] {
            index.scores(&vectors[same_text[0].0 as usize], &mut scores);
            for &(_, at) in *same_text {
                let query = queries[at as usize];
                let mut top = Top::new(k);
                for (text, &score) in texts.iter().zip(&scores) {
                    if score >= top.threshold() {
                        let mut items = text.iter().map(|t| members[t.1 as usize]);
                        if let Some(item) = items.find(|m| accept(query, *m)) {
                            top.offer(score, item, text[0].0);
                        }
                    }
                }
                found.push((at, top.items()));
            }
        }
        found
    });
    let mut out = vec![Vec::new(); queries.len()];
    for (at, items) in found.into_iter().flatten() {
        out[at as usize] = items;
    }
    out
}

/// `Σ a·b` in `f64`, in fixed lanes.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    simd::widest(
        #[inline(always)]
        || {
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
        },
    )
}
