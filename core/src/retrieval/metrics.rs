//! trec_eval's measures.

use super::{Qrels, Run};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Depths of nDCG and recall.
const DEPTHS: [usize; 5] = [1, 5, 10, 20, 100];

/// Measures of one query, or their means over queries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measures {
    /// By depth: `Σ rel / log2(rank + 1)` over that of the best order.
    pub ndcg: BTreeMap<usize, f64>,
    /// By depth: relevant documents found over all relevant ones.
    pub recall: BTreeMap<usize, f64>,
    /// `1 / rank` of the first relevant document; 0 where none was found.
    pub mrr: f64,
    /// Mean over all relevant documents of the precision at their ranks; 0 for those not found.
    pub map: f64,
}

/// Measures of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// Queries with a relevant document; those that the run lacks count with 0.
    pub queries: usize,
    /// Of those, in the run.
    pub found: usize,
    /// Means over the queries.
    pub mean: Measures,
    /// Each query's.
    #[serde(skip)]
    pub by_query: BTreeMap<String, Measures>,
}

/// Measures of every query that has a relevant document.
#[must_use]
pub fn metrics(qrels: &Qrels, run: &Run) -> Metrics {
    let mut by_query = BTreeMap::new();
    let mut found = 0;
    for (query, judged) in &qrels.queries {
        let mut relevances: Vec<i64> = judged.values().copied().filter(|r| *r > 0).collect();
        if relevances.is_empty() {
            continue;
        }
        relevances.sort_unstable_by(|a, b| b.cmp(a));
        let ranked = run.queries.get(query);
        found += usize::from(ranked.is_some());
        let ranked: Vec<i64> =
            ranked.into_iter().flatten().map(|(document, _)| qrels.of(query, document).max(0)).collect();
        by_query.insert(query.clone(), measures(&ranked, &relevances));
    }
    // Sums first: a mean of numbers that are all 1 is 1.
    let n = by_query.len().max(1) as f64;
    let mean = |of: &dyn Fn(&Measures) -> f64| by_query.values().map(of).sum::<f64>() / n;
    let mean = Measures {
        ndcg: DEPTHS.map(|depth| (depth, mean(&|m| m.ndcg[&depth]))).into(),
        recall: DEPTHS.map(|depth| (depth, mean(&|m| m.recall[&depth]))).into(),
        mrr: mean(&|m| m.mrr),
        map: mean(&|m| m.map),
    };
    Metrics { queries: by_query.len(), found, mean, by_query }
}

/// Of the relevances in the order of the run, and of all relevant documents, falling.
fn measures(ranked: &[i64], relevances: &[i64]) -> Measures {
    let gain = |of: &[i64], depth: usize| -> f64 {
        of.iter().take(depth).zip(1..).map(|(relevance, rank)| *relevance as f64 / f64::from(rank + 1i32).log2()).sum()
    };
    let hits = |depth: usize| ranked.iter().take(depth).filter(|r| **r > 0).count() as f64;
    let all = relevances.len() as f64;
    let ranks: Vec<usize> = ranked.iter().zip(1..).filter(|(r, _)| **r > 0).map(|(_, rank)| rank).collect();
    let precisions = ranks.iter().zip(1..).map(|(rank, hit)| f64::from(hit) / *rank as f64);
    Measures {
        ndcg: DEPTHS.map(|depth| (depth, gain(ranked, depth) / gain(relevances, depth))).into(),
        recall: DEPTHS.map(|depth| (depth, hits(depth) / all)).into(),
        mrr: ranks.first().map_or(0.0, |rank| 1.0 / *rank as f64),
        map: precisions.sum::<f64>() / all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ranking_worked_by_hand() {
        // Relevances 0, 2, 0, 1 in the run's order; one more document of relevance 1 was not found.
        let m = measures(&[0, 2, 0, 1], &[2, 1, 1]);
        let ideal = 2.0 + 1.0 / 3f64.log2() + 0.5;
        assert!((m.ndcg[&5] - (2.0 / 3f64.log2() + 1.0 / 5f64.log2()) / ideal).abs() < 1e-12);
        assert_eq!((m.ndcg[&1], m.recall[&1], m.recall[&5], m.mrr), (0.0, 0.0, 2.0 / 3.0, 0.5));
        assert!((m.map - (0.5 + 0.5) / 3.0).abs() < 1e-12);
        assert_eq!(measures(&[], &[1]).map, 0.0);
    }
}
