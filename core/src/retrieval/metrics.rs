//! trec_eval's measures, as its option -c gives them: every judged query counts.

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
    /// Judged queries. Those that the run lacks count with 0, and so do those without a relevant document.
    pub queries: usize,
    /// Of those, in the run.
    pub found: usize,
    /// Judged queries without a relevant document.
    #[serde(default)]
    pub without_relevant: usize,
    /// Queries of the run that nobody judged: they are left out.
    #[serde(default)]
    pub unjudged: usize,
    /// Queries that rank documents whose scores are equal in 32 bits, but not in 64: their ids decide, as in trec_eval 9.
    #[serde(default)]
    pub equal_in_32_bits: usize,
    /// Means over the queries.
    pub mean: Measures,
    /// Each query's.
    #[serde(skip)]
    pub by_query: BTreeMap<String, Measures>,
}

/// Measures of every judged query. Documents are ordered by their scores in 32 bits, of equals the greater id first, as
/// trec_eval 9 does (and pytrec_eval with it).
#[must_use]
pub fn metrics(qrels: &Qrels, run: &Run) -> Metrics {
    let mut by_query = BTreeMap::new();
    let (mut found, mut without_relevant, mut equal_in_32_bits) = (0, 0, 0);
    for (query, judged) in &qrels.queries {
        let mut relevances: Vec<i64> = judged.values().copied().filter(|r| *r > 0).collect();
        relevances.sort_unstable_by(|a, b| b.cmp(a));
        without_relevant += usize::from(relevances.is_empty());
        let ranked = run.queries.get(query);
        found += usize::from(ranked.is_some());
        let (ranked, rounded) = in_32_bits(ranked.map_or(&[], Vec::as_slice));
        equal_in_32_bits += usize::from(rounded);
        let ranked: Vec<i64> = ranked.into_iter().map(|document| qrels.of(query, document).max(0)).collect();
        by_query.insert(query.clone(), measures(&ranked, &relevances));
    }
    let unjudged = run.queries.keys().filter(|query| !qrels.queries.contains_key(*query)).count();
    // Sums first: a mean of numbers that are all 1 is 1.
    let n = by_query.len().max(1) as f64;
    let mean = |of: &dyn Fn(&Measures) -> f64| sum(by_query.values().map(of)) / n;
    let mean = Measures {
        ndcg: DEPTHS.map(|depth| (depth, mean(&|m| m.ndcg[&depth]))).into(),
        recall: DEPTHS.map(|depth| (depth, mean(&|m| m.recall[&depth]))).into(),
        mrr: mean(&|m| m.mrr),
        map: mean(&|m| m.map),
    };
    Metrics { queries: by_query.len(), found, without_relevant, unjudged, equal_in_32_bits, mean, by_query }
}

/// Documents in the order of their scores in 32 bits, and whether rounding made two of them equal.
fn in_32_bits(ranked: &[(String, f64)]) -> (Vec<&str>, bool) {
    let mut order: Vec<(f32, f64, &str)> =
        ranked.iter().map(|(id, score)| (*score as f32 + 0.0, *score, id.as_str())).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.2.cmp(a.2)));
    let rounded = order.windows(2).any(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1);
    (order.into_iter().map(|(_, _, id)| id).collect(), rounded)
}

/// A sum that begins with 0: an empty one of the library's is -0.
fn sum(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.fold(0.0, |sum, x| sum + x)
}

/// A share; 0 of nothing.
fn share(part: f64, all: f64) -> f64 {
    if all > 0.0 { part / all } else { 0.0 }
}

/// Of the relevances in the order of the run, and of all relevant documents, falling.
fn measures(ranked: &[i64], relevances: &[i64]) -> Measures {
    let gain = |of: &[i64], depth: usize| -> f64 {
        let gains = of.iter().take(depth).zip(1..);
        sum(gains.map(|(relevance, rank)| *relevance as f64 / f64::from(rank + 1i32).log2()))
    };
    let hits = |depth: usize| ranked.iter().take(depth).filter(|r| **r > 0).count() as f64;
    let all = relevances.len() as f64;
    let ranks: Vec<usize> = ranked.iter().zip(1..).filter(|(r, _)| **r > 0).map(|(_, rank)| rank).collect();
    let precisions = ranks.iter().zip(1..).map(|(rank, hit)| f64::from(hit) / *rank as f64);
    Measures {
        ndcg: DEPTHS.map(|depth| (depth, share(gain(ranked, depth), gain(relevances, depth)))).into(),
        recall: DEPTHS.map(|depth| (depth, share(hits(depth), all))).into(),
        mrr: ranks.first().map_or(0.0, |rank| 1.0 / *rank as f64),
        map: share(sum(precisions), all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::{read_qrels, read_run};

    #[test]
    fn a_ranking_worked_by_hand() {
        // Relevances 0, 2, 0, 1 in the run's order; one more document of relevance 1 was not found.
        let m = measures(&[0, 2, 0, 1], &[2, 1, 1]);
        let ideal = 2.0 + 1.0 / 3f64.log2() + 0.5;
        assert!((m.ndcg[&5] - (2.0 / 3f64.log2() + 1.0 / 5f64.log2()) / ideal).abs() < 1e-12);
        assert_eq!((m.ndcg[&1], m.recall[&1], m.recall[&5], m.mrr), (0.0, 0.0, 2.0 / 3.0, 0.5));
        assert!((m.map - (0.5 + 0.5) / 3.0).abs() < 1e-12);
        for nothing in [measures(&[], &[1]), measures(&[0], &[1]), measures(&[], &[]), measures(&[0, 0], &[])] {
            let all = nothing.ndcg.values().chain(nothing.recall.values()).chain([&nothing.mrr, &nothing.map]);
            assert!(all.into_iter().all(|x| x.to_bits() == 0), "0, and not -0: {nothing:?}");
        }
    }

    fn of(qrels: &str, run: &str) -> Metrics {
        let qrels = read_qrels(&mut qrels.as_bytes(), "qrels").expect("sound");
        metrics(&qrels, &read_run(&mut run.as_bytes(), "run").expect("sound"))
    }

    #[test]
    fn every_judged_query_counts() {
        let qrels = "q1 0 a 1\nq1 0 b 0\nq2 0 c 0\nq2 0 d -1\nq3 0 a 1\nq4 0 a 0\n";
        let m = of(qrels, "q1 Q0 a 1 2 t\nq1 Q0 b 2 1 t\nq2 Q0 c 1 2 t\nq9 Q0 c 1 2 t\n");
        assert_eq!((m.queries, m.found, m.without_relevant, m.unjudged), (4, 2, 2, 1));
        assert_eq!((m.mean.map, m.mean.mrr, m.mean.ndcg[&10], m.mean.recall[&1]), (0.25, 0.25, 0.25, 0.25));
        let none = of("q1 0 a 1\n", "q1 Q0 b 1 1 t\n").mean;
        assert!(none.map.to_bits() == 0 && none.ndcg[&1].to_bits() == 0, "{none:?}");
    }

    #[test]
    fn scores_that_are_equal_in_32_bits_tie() {
        let qrels = "q 0 a 1\nq 0 b 0\n";
        let m = of(qrels, "q Q0 a 1 0.9000000002 t\nq Q0 b 2 0.9000000001 t\n");
        assert_eq!((m.mean.ndcg[&1], m.mean.mrr, m.equal_in_32_bits), (0.0, 0.5, 1));
        let m = of(qrels, "q Q0 a 1 0.900002 t\nq Q0 b 2 0.900001 t\n");
        assert_eq!((m.mean.ndcg[&1], m.equal_in_32_bits), (1.0, 0));
        // Too large, and too small, for 32 bits.
        for scores in [["1e40", "1e39"], ["1e-60", "-1e-60"]] {
            let m = of(qrels, &format!("q Q0 a 1 {} t\nq Q0 b 2 {} t\n", scores[0], scores[1]));
            assert_eq!((m.mean.mrr, m.equal_in_32_bits), (0.5, 1), "{scores:?}");
        }
    }
}
