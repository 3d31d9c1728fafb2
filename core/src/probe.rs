//! The sense probe: can the sense of a word be told from its vector, by simple means?
//!
//! Within each lemma, test vectors are labelled by the nearest centroid and by the k nearest neighbours among the
//! training vectors. Nothing is learned, so the numbers speak about the encoder alone.

use crate::data::Event;
use crate::embeddings::{Embeddings, normalise};
use crate::kernels::simd::{dot, widest};
use crate::parallel;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Neighbours that vote, by default.
pub const NEIGHBOURS: usize = 5;

/// How well one method does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Share of the test items labelled right.
    pub accuracy: f64,
    /// Macro-F1 of each lemma, averaged over lemmas. A lemma's classes are its senses in training and test; a class
    /// without hits counts 0 (as scikit-learn's `f1_score` with these `labels` and `zero_division=0`).
    pub macro_f1: f64,
}

/// What the probe found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// The nearest centroid's macro-F1: the headline.
    pub macro_f1: f64,
    /// The nearest centroid's accuracy.
    pub accuracy: f64,
    /// Nearest centroid: the mean of a sense's unit vectors, of unit length again.
    pub centroid: Scores,
    /// k nearest neighbours: the majority; a tie goes to the larger sum of similarities.
    pub knn: Scores,
    /// k.
    pub neighbours: usize,
    /// Chance: always the sense that is most frequent in training.
    pub most_frequent: Scores,
    /// Chance: a sense drawn evenly from those in training; the expected accuracy.
    pub uniform_accuracy: f64,
    /// Lemmas with at least two senses in training and an item in test.
    pub lemmas: usize,
    /// Training items of those lemmas.
    pub train_items: usize,
    /// Test items of those lemmas: what accuracy is a share of.
    pub test_items: usize,
    /// Among them: of a sense that training does not have. They count as wrong.
    pub unseen_sense: usize,
    /// Among them: with a zero vector. They count as wrong.
    pub zero_vectors: usize,
    /// Test items left out: training does not have the lemma.
    pub unknown_lemma: usize,
    /// Test items left out: the lemma has one sense in training.
    pub single_sense: usize,
}

/// Embeddings and events that do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Not one vector for each event.
    #[error("{side}: {vectors} vectors for {events} events")]
    Count {
        /// `train` or `test`.
        side: &'static str,
        /// How many vectors.
        vectors: usize,
        /// How many events.
        events: usize,
    },
    /// Vectors of two lengths.
    #[error("test vectors have {test} numbers, training vectors {train}")]
    Dim {
        /// Of the training vectors.
        train: usize,
        /// Of the test vectors.
        test: usize,
    },
    /// No neighbour votes.
    #[error("the number of neighbours is 0; at least one must vote")]
    NoNeighbours,
}

/// The items of one lemma; senses are numbered in the order of their names.
struct Lemma {
    /// Senses in training or test.
    classes: usize,
    /// `(row, sense)`.
    train: Vec<(usize, usize)>,
    test: Vec<(usize, usize)>,
}

/// What happened in one lemma.
struct Outcome {
    /// Right ones and macro-F1, by method: centroid, neighbours, most frequent.
    methods: [(usize, f64); 3],
    uniform: f64,
    unseen: usize,
    zero: usize,
}

/// Labels the test events from the training events; `neighbours` vote in the second method.
///
/// # Errors
/// When vectors and events do not go together, or nobody votes.
pub fn probe(
    train: (&Embeddings, &[Event]),
    test: (&Embeddings, &[Event]),
    neighbours: usize,
) -> Result<ProbeResult, ProbeError> {
    for (side, (vectors, events)) in [("train", train), ("test", test)] {
        if vectors.len() != events.len() {
            return Err(ProbeError::Count { side, vectors: vectors.len(), events: events.len() });
        }
    }
    if !train.1.is_empty() && !test.1.is_empty() && train.0.dim != test.0.dim {
        return Err(ProbeError::Dim { train: train.0.dim, test: test.0.dim });
    }
    if neighbours == 0 {
        return Err(ProbeError::NoNeighbours);
    }
    let mut result = ProbeResult { neighbours, ..ProbeResult::default() };
    let lemmas = lemmas(train.1, test.1, &mut result);
    let outcomes = parallel::map(lemmas.len(), |i| lemmas[i].run(train.0, test.0, neighbours));

    let mut right = [0usize; 3];
    let mut f1 = [0f64; 3];
    for outcome in &outcomes {
        for (method, (hits, macro_f1)) in outcome.methods.iter().enumerate() {
            right[method] += hits;
            f1[method] += macro_f1;
        }
        result.uniform_accuracy += outcome.uniform;
        result.unseen_sense += outcome.unseen;
        result.zero_vectors += outcome.zero;
    }
    result.lemmas = lemmas.len();
    result.train_items = lemmas.iter().map(|lemma| lemma.train.len()).sum();
    result.test_items = lemmas.iter().map(|lemma| lemma.test.len()).sum();
    let items = result.test_items.max(1) as f64;
    let scores = |m: usize| Scores { accuracy: right[m] as f64 / items, macro_f1: f1[m] / lemmas.len().max(1) as f64 };
    (result.centroid, result.knn, result.most_frequent) = (scores(0), scores(1), scores(2));
    (result.macro_f1, result.accuracy) = (result.centroid.macro_f1, result.centroid.accuracy);
    result.uniform_accuracy /= items;
    Ok(result)
}

/// The lemmas that can be probed; counts the test items of the others.
fn lemmas(train: &[Event], test: &[Event], result: &mut ProbeResult) -> Vec<Lemma> {
    let group = |events: &[Event]| {
        let mut rows: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (row, event) in events.iter().enumerate() {
            rows.entry(event.lemma.clone()).or_default().push(row);
        }
        rows
    };
    let train_rows = group(train);
    let mut lemmas = Vec::new();
    for (name, test_rows) in group(test) {
        let Some(train_rows) = train_rows.get(&name) else {
            result.unknown_lemma += test_rows.len();
            continue;
        };
        let known: BTreeSet<&str> = train_rows.iter().map(|row| train[*row].sense.as_str()).collect();
        if known.len() < 2 {
            result.single_sense += test_rows.len();
            continue;
        }
        let senses: BTreeSet<&str> = test_rows.iter().map(|row| test[*row].sense.as_str()).chain(known).collect();
        let senses: BTreeMap<&str, usize> = senses.into_iter().zip(0..).collect();
        let numbered = |rows: &[usize], events: &[Event]| {
            rows.iter().map(|row| (*row, senses[events[*row].sense.as_str()])).collect::<Vec<_>>()
        };
        let (train, test) = (numbered(train_rows, train), numbered(&test_rows, test));
        lemmas.push(Lemma { classes: senses.len(), train, test });
    }
    lemmas
}

impl Lemma {
    fn run(&self, train: &Embeddings, test: &Embeddings, neighbours: usize) -> Outcome {
        let mut counts = vec![0usize; self.classes];
        self.train.iter().for_each(|(_, sense)| counts[*sense] += 1);
        let most_frequent = best(counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(s, n)| (s, *n as f64)));
        let centroids = self.centroids(train, &counts);
        let known = counts.iter().filter(|n| **n > 0).count();

        let mut predicted: [Vec<Option<usize>>; 3] = Default::default();
        let (mut uniform, mut unseen, mut zero) = (0.0, 0, 0);
        for (row, sense) in &self.test {
            let vector = test.row(*row);
            // A zero vector is as near to everything: it points nowhere.
            let points = vector.iter().any(|x| *x != 0.0);
            zero += usize::from(!points);
            let similar = |other: &[f32]| f64::from(widest!(dot(vector, other)));
            let nearest = || best(centroids.iter().map(|(sense, centroid)| (*sense, similar(centroid))));
            predicted[0].push(points.then(nearest).flatten());
            let voted = || vote(self.train.iter().map(|(row, sense)| (*sense, similar(train.row(*row)))), neighbours);
            predicted[1].push(points.then(voted).flatten());
            predicted[2].push(most_frequent);
            if counts[*sense] > 0 {
                uniform += 1.0 / known as f64;
            } else {
                unseen += 1;
            }
        }
        Outcome { methods: predicted.map(|p| self.score(&p)), uniform, unseen, zero }
    }

    /// The centroid of each sense in training.
    fn centroids(&self, train: &Embeddings, counts: &[usize]) -> Vec<(usize, Vec<f32>)> {
        let mut sums = vec![vec![0f64; train.dim]; self.classes];
        for (row, sense) in &self.train {
            sums[*sense].iter_mut().zip(train.row(*row)).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        let known = sums.into_iter().zip(counts).enumerate().filter(|(_, (_, n))| **n > 0);
        known
            .map(|(sense, (sum, count))| {
                let mut centroid: Vec<f32> = sum.into_iter().map(|x| (x / *count as f64) as f32).collect();
                normalise(&mut centroid);
                (sense, centroid)
            })
            .collect()
    }

    /// How many are right, and the macro-F1 over the lemma's senses.
    fn score(&self, predicted: &[Option<usize>]) -> (usize, f64) {
        let (mut hits, mut twice) = (vec![0usize; self.classes], vec![0usize; self.classes]);
        for ((_, truth), predicted) in self.test.iter().zip(predicted) {
            twice[*truth] += 1;
            if let Some(sense) = predicted {
                twice[*sense] += 1;
                hits[*sense] += usize::from(sense == truth);
            }
        }
        // F1 is 2·hits / (times true + times predicted).
        let f1 = hits.iter().zip(&twice).map(|(hits, n)| 2.0 * *hits as f64 / (*n).max(1) as f64).sum::<f64>();
        (hits.iter().sum(), f1 / self.classes as f64)
    }
}

/// The sense of the largest value, the first of equals.
fn best(values: impl Iterator<Item = (usize, f64)>) -> Option<usize> {
    values.reduce(|a, b| if b.1 > a.1 { b } else { a }).map(|(sense, _)| sense)
}

/// The majority among the `k` most similar; a tie goes to the larger sum of similarities, then to the first sense.
fn vote(similarities: impl Iterator<Item = (usize, f64)>, k: usize) -> Option<usize> {
    let mut nearest: Vec<(usize, f64)> = similarities.collect();
    // Stable: the earlier of two equally near items comes first.
    nearest.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut votes: BTreeMap<usize, (usize, f64)> = BTreeMap::new();
    for (sense, similarity) in nearest.into_iter().take(k) {
        let vote = votes.entry(sense).or_default();
        *vote = (vote.0 + 1, vote.1 + similarity);
    }
    let more = |a: &(usize, f64), b: &(usize, f64)| b.0 > a.0 || (b.0 == a.0 && b.1 > a.1);
    votes.into_iter().reduce(|a, b| if more(&a.1, &b.1) { b } else { a }).map(|(sense, _)| sense)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(sense, angle in degrees)`; no angle: a zero vector.
    fn side(items: &[(&str, Option<f32>)]) -> (Embeddings, Vec<Event>) {
        let vector = |angle: &Option<f32>| angle.map_or([0.0; 2], |a| [a.to_radians().cos(), a.to_radians().sin()]);
        let vectors = items.iter().flat_map(|(_, angle)| vector(angle)).collect();
        let event = |(sense, _): &(&str, Option<f32>)| Event {
            event_id: String::new(),
            sense: (*sense).to_owned(),
            lemma: crate::data::lemma_of(sense).to_owned(),
            text: "x".to_owned(),
            span: None,
            embedding: None,
            extra: Default::default(),
        };
        (Embeddings::normalised(2, vectors), items.iter().map(event).collect())
    }

    fn run(train: &[(&str, Option<f32>)], test: &[(&str, Option<f32>)], k: usize) -> ProbeResult {
        let (train, test) = (side(train), side(test));
        probe((&train.0, &train.1), (&test.0, &test.1), k).expect("fits")
    }

    fn close(got: f64, want: f64) -> bool {
        (got - want).abs() < 1e-12
    }

    #[test]
    fn a_case_worked_by_hand() {
        // Centroids of a: 1 at 10°, 2 at 90°. The odd one of sense 2 at 20° draws its neighbours along.
        let train = [
            ("a#1", Some(0.0)),
            ("a#1", Some(20.0)),
            ("a#2", Some(85.0)),
            ("a#2", Some(90.0)),
            ("a#2", Some(95.0)),
            ("b#1", Some(0.0)),
            ("b#2", Some(90.0)),
            ("b#2", Some(91.0)),
            ("c#1", Some(0.0)),
        ];
        let test = [
            ("a#1", Some(5.0)),  // centroid 1, neighbours 1 1 2: right, right
            ("a#1", Some(60.0)), // centroid 2, neighbours 2 2 2: wrong, wrong
            ("a#2", Some(40.0)), // centroid 1, neighbours 1 1 2 (20°, 40°, 45° off): wrong, wrong
            ("a#3", Some(90.0)), // not in training: 2, 2
            ("b#1", Some(10.0)), // centroid 1, neighbours 1 2 2: right, wrong
            ("b#2", None),       // zero: wrong, wrong
            ("c#1", Some(0.0)),  // one sense in training
            ("d#1", Some(0.0)),  // unknown
            ("d#2", Some(0.0)),
        ];
        let got = run(&train, &test, 3);
        assert_eq!((got.lemmas, got.train_items, got.test_items), (2, 8, 6));
        assert_eq!((got.unseen_sense, got.zero_vectors, got.unknown_lemma, got.single_sense), (1, 1, 2, 1));
        // a by centroid: 1 is predicted for items 1 and 3, 2 for items 2 and 4.
        //   F1 of 1: 2·1/(2+2) = 1/2; of 2: 0; of 3: 0; mean 1/6. b: F1 of 1: 1; of 2: 0; mean 1/2.
        assert!(close(got.centroid.accuracy, 2.0 / 6.0), "{got:?}");
        assert!(close(got.centroid.macro_f1, (1.0 / 6.0 + 0.5) / 2.0), "{got:?}");
        // Neighbours: a as by centroid. b: item 1 gets 2: F1 of both 0.
        assert!(close(got.knn.accuracy, 1.0 / 6.0), "{got:?}");
        assert!(close(got.knn.macro_f1, 1.0 / 12.0), "{got:?}");
        // Always 2: a right once of four, F1 of 2: 2/(1+4), mean 2/15; b right once of two, F1 2/(1+2), mean 1/3.
        assert!(close(got.most_frequent.accuracy, 2.0 / 6.0), "{got:?}");
        assert!(close(got.most_frequent.macro_f1, (2.0 / 15.0 + 1.0 / 3.0) / 2.0), "{got:?}");
        // One half for each but the sense that is not in training.
        assert!(close(got.uniform_accuracy, 2.5 / 6.0), "{got:?}");
        assert_eq!((got.macro_f1, got.accuracy, got.neighbours), (got.centroid.macro_f1, got.centroid.accuracy, 3));
        let json = serde_json::to_value(&got).expect("JSON");
        assert_eq!(json["macro_f1"], json["centroid"]["macro_f1"]);
    }

    #[test]
    fn a_sense_that_is_never_seen_in_test_counts_as_zero() {
        let got = run(&[("a#1", Some(0.0)), ("a#2", Some(90.0))], &[("a#1", Some(1.0))], 1);
        assert_eq!((got.accuracy, got.macro_f1, got.knn.macro_f1), (1.0, 0.5, 0.5));
    }

    #[test]
    fn votes_are_counted_before_similarities() {
        let near = [(0, 0.9), (1, 0.5), (1, 0.4), (0, -1.0)];
        assert_eq!(vote(near.into_iter(), 1), Some(0));
        assert_eq!(vote(near.into_iter(), 3), Some(1), "two votes against one");
        assert_eq!(vote(near.into_iter(), 4), Some(1), "two each: 0.9 against -0.1");
        assert_eq!(vote([(1, 0.9), (0, 0.5)].into_iter(), 9), Some(1), "one each, fewer than k");
        assert_eq!(vote([(1, 0.5), (0, 0.5)].into_iter(), 2), Some(0), "equal in all");
        assert_eq!(vote(std::iter::empty(), 2), None);
        assert_eq!(best([(3, 0.5), (1, 0.5)].into_iter()), Some(3), "the first of equals");
    }

    #[test]
    fn nothing_to_probe_gives_zeros_not_nan() {
        let got = run(&[], &[("a#1", Some(0.0))], 5);
        assert_eq!(got, ProbeResult { neighbours: 5, unknown_lemma: 1, ..ProbeResult::default() });
    }

    #[test]
    fn sides_that_do_not_fit_are_refused() {
        let (vectors, events) = side(&[("a#1", Some(0.0)), ("a#2", Some(1.0))]);
        let wide = Embeddings::normalised(4, vec![1.0; 8]);
        let fit = (&vectors, events.as_slice());
        let count = ProbeError::Count { side: "test", vectors: 2, events: 1 };
        assert_eq!(probe(fit, (&vectors, &events[..1]), 5), Err(count));
        assert_eq!(probe(fit, (&wide, &events), 5), Err(ProbeError::Dim { train: 2, test: 4 }));
        assert_eq!(probe(fit, fit, 0), Err(ProbeError::NoNeighbours));
    }
}
