//! Retrieval metrics against trec_eval (`tests/reference/retrieval.py`).

use crucible_core::retrieval::{Measures, metrics, read_qrels, read_run};
use serde_json::Value;

#[test]
fn measures_agree_with_trec_eval() {
    let expected: Value =
        serde_json::from_str(include_str!("../fixtures/statistics/retrieval.json")).expect("the fixture is JSON");
    let text = |key: &str| expected[key].as_str().expect("a text").as_bytes();
    let qrels = read_qrels(&mut text("qrels"), "qrels").expect("sound");
    let run = read_run(&mut text("run"), "run").expect("sound");
    let got = metrics(&qrels, &run);
    let wanted = expected["queries"].as_object().expect("queries");
    let close = |a: f64, b: &Value| (a - b.as_f64().expect("a number")).abs() < 1e-9;
    for (query, want) in wanted {
        let Measures { ndcg, recall, mrr, map } = &got.by_query[query];
        for (place, depth) in expected["depths"].as_array().expect("depths").iter().enumerate() {
            let depth = depth.as_u64().expect("a depth") as usize;
            assert!(close(ndcg[&depth], &want["ndcg"][place]), "{query} nDCG@{depth}: {}", ndcg[&depth]);
            assert!(close(recall[&depth], &want["recall"][place]), "{query} recall@{depth}: {}", recall[&depth]);
        }
        assert!(close(*mrr, &want["mrr"]) && close(*map, &want["map"]), "{query}: {mrr} {map}, expected {want}");
    }
    // trec_eval leaves out what the run lacks; here it counts with 0.
    assert_eq!(got.found, wanted.len());
    assert!(got.queries > got.found, "{got:?}");
    let missing = got.by_query.iter().filter(|(query, _)| !wanted.contains_key(*query));
    assert!(missing.clone().count() > 0 && missing.clone().all(|(_, m)| m.map == 0.0 && m.mrr == 0.0));
    let sum: f64 = got.by_query.values().map(|m| m.map).sum();
    assert!((got.mean.map - sum / got.queries as f64).abs() < 1e-12);
}
