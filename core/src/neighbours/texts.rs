//! Neighbours in the lexical space: each distinct text of the queries is compared once with each distinct text of the
//! members, through an inverted index.

use super::space::{Accept, Neighbour};
use super::top::Top;
use crate::lexical::{Index, Sparse};
use crate::parallel;

/// Distinct texts of queries that one task compares.
const BLOCK: usize = 32;

/// As [`Space::nearest`](super::Space::nearest); item i has the vector `vectors[text[i]]`.
pub(super) fn nearest(
    vectors: &[Sparse],
    text: &[u32],
    queries: &[u32],
    members: &[u32],
    k: usize,
    keys: Option<&[u32]>,
    accept: Accept<'_>,
) -> Vec<Vec<Neighbour>> {
    let by_text = |items: &[u32]| {
        let mut sorted: Vec<(u32, u32)> = (0..).zip(items).map(|(at, &item)| (text[item as usize], at)).collect();
        sorted.sort_unstable();
        sorted
    };
    let (member_texts, query_texts) = (by_text(members), by_text(queries));
    let texts: Vec<&[(u32, u32)]> = member_texts.chunk_by(|a, b| a.0 == b.0).collect();
    let asked: Vec<&[(u32, u32)]> = query_texts.chunk_by(|a, b| a.0 == b.0).collect();
    let index = Index::new(texts.iter().map(|t| &vectors[t[0].0 as usize]));
    let blocks: Vec<&[&[(u32, u32)]]> = asked.chunks(BLOCK).collect();
    let found = parallel::map(blocks.len(), |b| {
        let (mut scores, mut found) = (Vec::new(), Vec::new());
        for same_text in blocks[b] {
            index.scores(&vectors[same_text[0].0 as usize], &mut scores);
            for &(_, at) in *same_text {
                let query = queries[at as usize];
                let mut top = Top::new(k);
                for (text, &score) in texts.iter().zip(&scores) {
                    if score >= top.threshold() {
                        let items = text.iter().map(|t| members[t.1 as usize]).filter(|m| accept(query, *m));
                        for item in items {
                            top.offer(score, item, keys.map(|keys| keys[item as usize]));
                        }
                    }
                }
                found.push((at, top.into_neighbours()));
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
