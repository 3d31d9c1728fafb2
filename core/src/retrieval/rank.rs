//! A model's own rankings: of a corpus that comes in parts, and of the lineups of bundles.

use super::{Qrels, Run};
use crate::data::BundleSet;
use crate::embeddings::Embeddings;
use crate::eval::{Item, cosines};
use crate::interchange::document_id;
use crate::neighbours::Dense;
use std::collections::{BTreeMap, HashMap};

/// The best documents of each query so far.
pub struct Ranking {
    ids: Vec<String>,
    queries: Embeddings,
    depth: usize,
    best: Vec<Vec<(String, f64)>>,
}

impl Ranking {
    /// No documents yet for these queries; `depth` are kept of each.
    ///
    /// # Panics
    /// When there is not one vector for each query.
    #[must_use]
    pub fn new(ids: Vec<String>, queries: Embeddings, depth: usize) -> Self {
        assert_eq!(ids.len(), queries.norms.len(), "one vector for each query is needed");
        Self { best: vec![Vec::new(); ids.len()], ids, queries, depth }
    }

    /// Offers documents. A document that has the query's own id is passed over, as BEIR does: it is the query.
    ///
    /// # Panics
    /// When there is not one vector, as long as those of the queries, for each document.
    pub fn offer(&mut self, documents: &[String], vectors: &Embeddings) {
        assert_eq!(documents.len(), vectors.norms.len(), "one vector for each document is needed");
        let count = self.ids.len() as u32;
        let both = |queries: &[f32], documents: &[f32]| [queries, documents].concat();
        let rows = Embeddings {
            dim: self.queries.dim,
            vectors: both(&self.queries.vectors, &vectors.vectors),
            norms: both(&self.queries.norms, &vectors.norms),
        };
        let dense = Dense::new(&rows);
        let queries: Vec<u32> = (0..count).collect();
        let members: Vec<u32> = (count..count + documents.len() as u32).collect();
        let accept = |query: u32, item: u32| self.ids[query as usize] != documents[(item - count) as usize];
        let found = dense.nearest(&queries, &members, self.depth, None, &accept);
        for (best, found) in self.best.iter_mut().zip(found) {
            best.extend(found.iter().map(|n| (documents[(n.item - count) as usize].clone(), n.similarity + 0.0)));
            best.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
            best.truncate(self.depth);
        }
    }

    /// The ranking: scores are cosines.
    #[must_use]
    pub fn finish(self) -> Run {
        Run { queries: self.ids.into_iter().zip(self.best).collect() }
    }
}

/// Each bundle as a query with its lineup as documents: cosines, and the positive as what is relevant. A bundle with a zero
/// vector has the scores that it has in an items file: -1 for the positive, 1 for a negative.
///
/// # Panics
/// When there is not one vector for each event.
#[must_use]
pub fn of_bundles(set: &BundleSet, embeddings: &Embeddings) -> (Run, Qrels) {
    let sims = cosines(set, embeddings);
    of_lineups(set.bundles.iter().zip(sims).map(|(bundle, sims)| {
        let id = |event: u32| document_id(&set.events[event as usize]).to_owned();
        let negative = |i: usize| sims.as_ref().map_or(1.0, |sims| sims[1 + i]);
        let negatives = bundle.negatives.iter().enumerate().map(|(i, n)| (id(n.event), negative(i))).collect();
        let positive = (id(bundle.positive), sims.as_ref().map_or(-1.0, |sims| sims[0]));
        (bundle.bundle_id.clone(), positive, negatives)
    }))
}

/// The same of items, which know the positive and the winning negative of each bundle.
///
/// # Errors
/// An item of a bundle that `set` lacks.
pub fn of_items(set: &BundleSet, items: &[Item<'_>]) -> Result<(Run, Qrels), String> {
    let bundles: HashMap<&str, _> = set.bundles.iter().map(|b| (b.bundle_id.as_str(), b)).collect();
    let lineups = items.iter().map(|item| {
        let bundle = bundles.get(item.bundle_id.as_ref()).ok_or_else(|| item.bundle_id.to_string())?;
        let event = |index: u32| &set.events[index as usize];
        let winner = bundle.negatives.iter().map(|n| event(n.event)).find(|e| e.event_id == item.winning_negative);
        let winner = winner.ok_or_else(|| item.bundle_id.to_string())?;
        let positive = (document_id(event(bundle.positive)).to_owned(), item.pos_sim);
        Ok((item.bundle_id.to_string(), positive, vec![(document_id(winner).to_owned(), item.max_neg_sim)]))
    });
    Ok(of_lineups(lineups.collect::<Result<Vec<_>, String>>()?.into_iter()))
}

type Scored = (String, f64);

fn of_lineups(lineups: impl Iterator<Item = (String, Scored, Vec<Scored>)>) -> (Run, Qrels) {
    let (mut run, mut qrels) = (Run::default(), Qrels::default());
    for (query, positive, negatives) in lineups {
        let relevances = BTreeMap::from([(positive.0.clone(), 1)]);
        let mut scores = BTreeMap::<String, f64>::new();
        // An id that occurs twice counts with its best score; the positive stays what it is.
        for (id, score) in negatives.into_iter().filter(|(id, _)| *id != positive.0) {
            let best = scores.entry(id).or_insert(score);
            *best = best.max(score);
        }
        let relevances = relevances.into_iter().chain(scores.keys().map(|id| (id.clone(), 0))).collect();
        qrels.queries.insert(query.clone(), relevances);
        run.queries.insert(query, scores.into_iter().chain([positive]).map(|(id, score)| (id, score + 0.0)).collect());
    }
    (run.sorted(), qrels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{items as items_of, score};
    use crate::retrieval::{items, metrics};
    use crate::rng::Stream;

    fn random(count: usize, seed: u64) -> Embeddings {
        let mut stream = Stream::new(seed, "test", 0);
        Embeddings::of_rows(8, (0..count * 8).map(|_| stream.symmetric(1.0)).collect())
    }

    #[test]
    fn a_corpus_in_parts_is_ranked_as_a_whole() {
        let ids: Vec<String> = (0..9).map(|i| format!("q{i}")).collect();
        let documents: Vec<String> = (0..50).map(|i| format!("d{i}")).chain(["q3".to_owned()]).collect();
        let (queries, vectors) = (random(9, 1), random(51, 2));
        let mut plain = Run::default();
        for (q, id) in ids.iter().enumerate() {
            let dot =
                |d: usize| queries.row(q).iter().zip(vectors.row(d)).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let all: Vec<(String, f64)> = documents.iter().enumerate().map(|(d, id)| (id.clone(), dot(d))).collect();
            let others = all.into_iter().filter(|(document, _)| document != id).collect();
            plain.queries.insert(id.clone(), others);
        }
        let plain = plain.sorted();
        for size in [1, 7, 51] {
            let mut ranking = Ranking::new(ids.clone(), queries.clone(), 10);
            for first in (0..51).step_by(size) {
                let last = (first + size).min(51);
                let part = Embeddings {
                    dim: 8,
                    vectors: vectors.vectors[first * 8..last * 8].to_vec(),
                    norms: vectors.norms[first..last].to_vec(),
                };
                ranking.offer(&documents[first..last], &part);
            }
            for (query, found) in ranking.finish().queries {
                let wanted = &plain.queries[&query];
                assert_eq!(found.len(), 10);
                for (found, wanted) in found.iter().zip(wanted) {
                    assert!(found.0 == wanted.0 && (found.1 - wanted.1).abs() < 1e-6, "{size}: {found:?} {wanted:?}");
                }
            }
        }
    }

    #[test]
    fn lineups_are_ranked_as_the_eval_scores_them() {
        let line = |i: usize| {
            let event = |id: usize, sense: &str| {
                format!(r#"{{"event_id":"e{id}","sense":"{sense}","text":"t{id}","source":"cross_lemma"}}"#)
            };
            let negatives: Vec<String> = (2..5).map(|n| event(10 * i + n, "b#1")).collect();
            let (anchor, positive) = (event(10 * i, "a#1"), event(10 * i + 1, "a#1"));
            format!(
                r#"{{"bundle_id":"b{i}","anchor":{anchor},"positive":{positive},"negatives":[{}]}}"#,
                negatives.join(",")
            )
        };
        let lines: Vec<String> = (0..40).map(line).collect();
        let set = crate::data::read_bundles(&mut lines.join("\n").as_bytes(), "f").expect("sound");
        let mut vectors = random(set.events.len(), 3);
        vectors.vectors[..8].fill(0.0);
        vectors.norms[0] = 0.0;
        let scores = score(&set, &vectors);
        let own = items_of(&set, &scores);
        let (run, qrels) = of_bundles(&set, &vectors);
        let rankings = metrics(&qrels, &run);
        assert!(scores.iter().any(|s| s.rank > 2) && scores.iter().any(|s| s.rank == 1));
        let (pairs, _) = of_items(&set, &own).expect("of this set");
        for (item, score) in own.iter().zip(&scores) {
            let id = item.bundle_id.as_ref();
            assert!((rankings.by_query[id].mrr - 1.0 / f64::from(score.rank)).abs() < 1e-12, "{id}");
            assert_eq!((run.queries[id].len(), pairs.queries[id].len()), (4, 2));
        }
        for run in [&run, &pairs] {
            let again = items(&qrels, run);
            for again in again {
                let item = own.iter().find(|i| i.bundle_id == again.bundle_id).expect("is there");
                assert_eq!((again.margin, again.passes()), (item.margin, item.passes()));
            }
        }
        let mut strange = own[0].clone();
        strange.bundle_id = "none".into();
        assert_eq!(of_items(&set, &[strange]).expect_err("no such bundle"), "none");
    }
}
