//! Danger, margin and rank of every bundle (SPEC §2).

use super::numeric::dot_and_square;
use crate::data::{Bundle, BundleSet};
use crate::embeddings::Embeddings;
use crate::kernels::simd::{prefetch, widest};
use crate::parallel;

/// Negatives of the next bundle that are fetched ahead, at most: more would drive each other out of the cache.
const AHEAD: usize = 16;

/// The margin of a bundle that holds a zero vector: the least that two cosines can differ by.
pub const WORST_MARGIN: f64 = -2.0;

/// What a model makes of one bundle.
///
/// Where the anchor, the positive or any negative has a zero or non-finite vector, no cosine is defined, and the bundle
/// counts as failed in the worst possible way: `margin` [`WORST_MARGIN`], `pos_sim` −1, `max_neg_sim` 1, `rank` 1 + the
/// number of negatives, the first negative as the winner, and `zero_vector` set. So all numbers are finite, `margin`
/// stays `pos_sim − max_neg_sim`, no model gains by giving up on a text, and the item can't be taken for a tie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// `pos_sim − max_neg_sim`, in cosine units, −2 to 2. Positive: passed.
    pub margin: f64,
    /// `1 + #{negatives more similar than the positive}`, from 1 to 1 + negatives. A tied negative does not count, so
    /// a tie has rank 1 and still fails.
    pub rank: u32,
    /// Cosine of anchor and positive.
    pub pos_sim: f64,
    /// Largest cosine of the anchor and a negative.
    pub max_neg_sim: f64,
    /// Position in the bundle's negatives of the most similar one; of equals the first.
    pub winner: u32,
    /// Whether a vector was zero or not finite.
    pub zero_vector: bool,
}

impl Score {
    /// Passed: margin > 0. A tie fails.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.margin > 0.0
    }

    /// The positive and the winning negative are exactly as similar. Never true of a zero vector.
    #[must_use]
    pub fn ties(&self) -> bool {
        self.margin == 0.0 && !self.zero_vector
    }

    /// `max_neg_sim − pos_sim`.
    #[must_use]
    pub fn danger(&self) -> f64 {
        -self.margin
    }

    fn of_zero_vector(negatives: usize) -> Self {
        Self {
            margin: WORST_MARGIN,
            rank: 1 + negatives as u32,
            pos_sim: -1.0,
            max_neg_sim: 1.0,
            winner: 0,
            zero_vector: true,
        }
    }
}

/// Scores every bundle of `set`, in its order. `embeddings` holds the vector of `set.events[i]` in row `i`; rows need
/// not have exactly unit length, since the cosine divides by both norms (in `f64`).
///
/// # Panics
/// When there is not one row for each event.
#[must_use]
pub fn score(set: &BundleSet, embeddings: &Embeddings) -> Vec<Score> {
    assert_eq!(embeddings.len(), set.events.len(), "one embedding for each event is needed");
    score_some(&set.bundles, embeddings)
}

/// [`score()`] of some of a set's bundles; their events' vectors have to be there.
pub(super) fn score_some(bundles: &[Bundle], embeddings: &Embeddings) -> Vec<Score> {
    parallel::map(bundles.len(), |i| {
        if let Some(next) = bundles.get(i + 1) {
            // The vectors of one bundle lie anywhere; they are fetched while this one's are multiplied.
            let others = next.negatives.iter().map(|n| n.event).take(AHEAD);
            for event in [next.anchor, next.positive].into_iter().chain(others) {
                prefetch(embeddings.row(event as usize));
            }
        }
        widest!(score_bundle(&bundles[i], embeddings))
    })
}

/// Cosines of each bundle's anchor with its positive and then its negatives, bit for bit those that [`score()`] compares;
/// none where a vector is zero or not finite.
///
/// # Panics
/// As [`score()`].
#[must_use]
pub fn cosines(set: &BundleSet, embeddings: &Embeddings) -> Vec<Option<Vec<f64>>> {
    assert_eq!(embeddings.len(), set.events.len(), "one embedding for each event is needed");
    parallel::map(set.bundles.len(), |i| {
        let bundle = &set.bundles[i];
        let mut cosines = Vec::with_capacity(1 + bundle.negatives.len());
        widest!({
            let anchor = Anchor::new(bundle.anchor, embeddings);
            for event in [bundle.positive].into_iter().chain(bundle.negatives.iter().map(|n| n.event)) {
                cosines.push(anchor.cosine(event)?);
            }
            Some(())
        })?;
        Some(cosines)
    })
}

/// What a bundle's other texts are compared with; use it inside `widest!`.
struct Anchor<'a> {
    row: &'a [f32],
    norm: f64,
    embeddings: &'a Embeddings,
}

impl<'a> Anchor<'a> {
    #[inline(always)]
    fn new(event: u32, embeddings: &'a Embeddings) -> Self {
        let row = embeddings.row(event as usize);
        Self { row, norm: dot_and_square(row, row).1.sqrt(), embeddings }
    }

    /// The cosine with another event: none for a zero vector on either side. Rounding may leave it just outside its range.
    #[inline(always)]
    fn cosine(&self, event: u32) -> Option<f64> {
        let (dot, square) = dot_and_square(self.row, self.embeddings.row(event as usize));
        let scale = self.norm * square.sqrt();
        if scale > 0.0 && scale.is_finite() { Some((dot / scale).clamp(-1.0, 1.0)) } else { None }
    }
}

/// One bundle; call it inside `widest!`.
#[inline(always)]
pub(super) fn score_bundle(bundle: &Bundle, embeddings: &Embeddings) -> Score {
    let anchor = Anchor::new(bundle.anchor, embeddings);
    let lost = || Score::of_zero_vector(bundle.negatives.len());
    let Some(pos_sim) = anchor.cosine(bundle.positive) else { return lost() };
    let (mut max_neg_sim, mut winner, mut rank) = (f64::NEG_INFINITY, 0, 1);
    for (i, negative) in bundle.negatives.iter().enumerate() {
        let Some(sim) = anchor.cosine(negative.event) else { return lost() };
        if sim > max_neg_sim {
            (max_neg_sim, winner) = (sim, i as u32);
        }
        rank += u32::from(sim > pos_sim);
    }
    if bundle.negatives.is_empty() {
        // The reader refuses such bundles; one made by hand has nothing to beat and nothing to show.
        return lost();
    }
    Score { margin: pos_sim - max_neg_sim, rank, pos_sim, max_neg_sim, winner, zero_vector: false }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::read_bundles;
    use std::fmt::Write;

    /// Bundles over the given vectors: event `i` is `vectors[i]`, each bundle `(anchor, positive, negatives)`.
    pub(in crate::eval) fn set_of(count: usize, bundles: &[(usize, usize, &[usize])]) -> BundleSet {
        // Every event is named once by a last bundle, so that event `i` has index `i`.
        let mut text = String::new();
        let event = |i: usize, sense: &str| format!(r#"{{"event_id":"e{i}","sense":"{sense}","text":"t"}}"#);
        let all: Vec<String> = (2..count).map(|i| event(i, "b#1")).collect();
        let _ = writeln!(
            text,
            r#"{{"bundle_id":"all","anchor":{},"positive":{},"negatives":[{}]}}"#,
            event(0, "a#1"),
            event(1, "a#1"),
            all.join(",")
        );
        let mut set = read_bundles(&mut text.as_bytes(), "test").expect("the test's own bundles are sound");
        let template = set.bundles.pop().expect("one bundle was read");
        for (n, (anchor, positive, negatives)) in bundles.iter().enumerate() {
            let mut bundle = template.clone();
            bundle.bundle_id = format!("b{n}");
            (bundle.anchor, bundle.positive) = (*anchor as u32, *positive as u32);
            let mut negative = template.negatives[0];
            bundle.negatives = negatives
                .iter()
                .map(|i| {
                    negative.event = *i as u32;
                    negative
                })
                .collect();
            set.bundles.push(bundle);
        }
        set
    }

    fn scores(vectors: &[[f32; 2]], bundles: &[(usize, usize, &[usize])]) -> Vec<Score> {
        let embeddings = Embeddings::normalised(2, vectors.concat());
        score(&set_of(vectors.len(), bundles), &embeddings)
    }

    #[test]
    fn margin_rank_and_winner() {
        let vectors = [[1.0, 0.0], [3.0, 4.0], [4.0, 3.0], [0.0, 2.0], [8.0, 6.0]];
        let [score] = scores(&vectors, &[(0, 1, &[3, 2, 4])])[..] else { panic!("one bundle, one score") };
        assert!((score.pos_sim - 0.6).abs() < 1e-7 && (score.max_neg_sim - 0.8).abs() < 1e-7, "{score:?}");
        assert!((score.margin + 0.2).abs() < 1e-7 && (score.danger() - 0.2).abs() < 1e-7, "{score:?}");
        // Two are nearer than the positive; of the two equal ones the first wins.
        assert_eq!((score.rank, score.winner, score.passes(), score.ties()), (3, 1, false, false));
        let [score] = scores(&vectors, &[(0, 2, &[1, 3])])[..] else { panic!("one bundle, one score") };
        assert_eq!((score.rank, score.winner, score.passes()), (1, 0, true));
    }

    #[test]
    fn a_tie_fails_at_rank_one() {
        let [score] = scores(&[[1.0, 0.2], [3.0, 4.0], [3.0, 4.0]], &[(0, 1, &[2])])[..] else { panic!("one score") };
        assert!(score.ties() && !score.passes(), "{score:?}");
        assert_eq!((score.margin, score.rank), (0.0, 1));
    }

    #[test]
    fn a_zero_or_broken_vector_fails_and_never_ties() {
        let vectors = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 0.0]];
        for bad in [3, 4, 5] {
            let bundles: [(usize, usize, &[usize]); 3] = [(bad, 1, &[2]), (0, bad, &[2]), (0, 1, &[2, bad])];
            for score in scores(&vectors, &bundles) {
                assert!(score.zero_vector && !score.passes() && !score.ties(), "{score:?}");
                assert_eq!((score.margin, score.pos_sim - score.max_neg_sim), (WORST_MARGIN, WORST_MARGIN));
            }
        }
        // Everything zero would be a tie at 0 if cosines were taken to be 0.
        let [score] = scores(&[[0.0; 2]; 3], &[(0, 1, &[2])])[..] else { panic!("one bundle, one score") };
        assert!(score.zero_vector && !score.ties());
        assert_eq!(score.rank, 2);
    }

    #[test]
    fn a_broken_row_is_found_even_when_its_norm_is_not() {
        // Embeddings made by hand or by a device, not by `normalised`.
        let broken = Embeddings { dim: 2, vectors: vec![1.0, 0.0, f32::NAN, 0.0, 0.0, 1.0], norms: vec![1.0; 3] };
        assert!(score(&set_of(3, &[(0, 1, &[2])]), &broken)[0].zero_vector);
    }
}
