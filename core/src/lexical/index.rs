//! An inverted index over sparse vectors. Every feature counts, frequent ones too, and products are added in the order
//! of [`cosine`](super::cosine): scores are exact, to the bit.

use super::Sparse;
use std::cmp::Ordering;

/// Which vectors hold a feature, and with which weight.
#[derive(Clone, Debug, Default)]
pub struct Index {
    features: Vec<u32>,
    /// Where each feature's postings start; one more at the end.
    starts: Vec<usize>,
    rows: Vec<u32>,
    weights: Vec<f32>,
    len: usize,
}

impl Index {
    /// Indexes vectors; the first is row 0.
    #[must_use]
    pub fn new<'a>(vectors: impl IntoIterator<Item = &'a Sparse>) -> Self {
        let mut len = 0;
        let mut postings: Vec<(u32, u32, f32)> = Vec::new();
        for vector in vectors {
            postings.extend(vector.iter().map(|(feature, weight)| (feature, len as u32, weight)));
            len += 1;
        }
        postings.sort_unstable_by_key(|p| (p.0, p.1));
        let mut index = Self { len, ..Self::default() };
        for (i, &(feature, row, weight)) in postings.iter().enumerate() {
            if index.features.last() != Some(&feature) {
                index.features.push(feature);
                index.starts.push(i);
            }
            index.rows.push(row);
            index.weights.push(weight);
        }
        index.starts.push(postings.len());
        index
    }

    /// Number of vectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The cosines of `query` with every row, into `scores` (resized as needed).
    pub fn scores(&self, query: &Sparse, scores: &mut Vec<f64>) {
        scores.clear();
        scores.resize(self.len, 0.0);
        for (feature, weight) in query.iter() {
            let Ok(at) = self.features.binary_search(&feature) else { continue };
            let range = self.starts[at]..self.starts[at + 1];
            let weight = f64::from(weight);
            for (&row, &w) in self.rows[range.clone()].iter().zip(&self.weights[range]) {
                scores[row as usize] += weight * f64::from(w);
            }
        }
    }

    /// The `k` nearest rows of all with their cosines, best first, ties by row.
    #[must_use]
    pub fn nearest(&self, query: &Sparse, k: usize) -> Vec<(u32, f64)> {
        let mut scores = Vec::new();
        self.scores(query, &mut scores);
        let mut all: Vec<(u32, f64)> = (0..).zip(scores).collect();
        let order = |a: &(u32, f64), b: &(u32, f64)| -> Ordering { b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)) };
        if k < all.len() {
            all.select_nth_unstable_by(k, order);
            all.truncate(k);
        }
        all.sort_unstable_by(order);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::cosine;
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn finds_what_comparing_with_all_finds() {
        let mut stream = Stream::new(5, "lexical index", 0);
        let mut random = || {
            let n = stream.below(9);
            Sparse::unit((0..n).map(|_| (stream.below(25) as u32, 1.0 + stream.below(2) as f64)).collect())
        };
        let vectors: Vec<Sparse> = (0..200).map(|_| random()).collect();
        let index = Index::new(&vectors);
        for query in vectors.iter().take(60).chain([&random(), &Sparse::default()]) {
            let mut want: Vec<(u32, f64)> = (0..).zip(vectors.iter().map(|v| cosine(query, v))).collect();
            want.sort_by(|a, b| b.1.partial_cmp(&a.1).expect("finite").then(a.0.cmp(&b.0)));
            for k in [0, 1, 7, 200, 999] {
                assert_eq!(index.nearest(query, k), want[..k.min(200)], "k = {k}");
            }
        }
        assert!(Index::new([]).nearest(&vectors[0], 3).is_empty());
    }
}
