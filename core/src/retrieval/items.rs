//! One item for each query.

use super::{Qrels, Run};
use crate::eval::{GroupKind, Item};
use std::borrow::Cow;

/// One item for each query with a relevant document, in order of the queries' ids: the best scored relevant document
/// against all others, in the run's own scores.
///
/// - `pos_sim`: the best score of a relevant document. One that the run does not hold is taken to have the score of the
///   run's last document, and so ties with it at best: it fails.
/// - `max_neg_sim`: the best score of a document that is not relevant. Where the run holds none, there is nothing to
///   beat: it is taken to lie 1 below the last document.
/// - `rank`: 1 + the documents that are not relevant and scored higher.
///
/// A query that the run lacks fails with the worst margin there is. Queries are groups of their own.
#[must_use]
pub fn items(qrels: &Qrels, run: &Run) -> Vec<Item<'static>> {
    let judged = qrels.queries.iter().filter(|(_, documents)| documents.values().any(|r| *r > 0));
    judged.map(|(query, _)| item(query, qrels, run.queries.get(query).map_or(&[], Vec::as_slice))).collect()
}

fn item(query: &str, qrels: &Qrels, ranked: &[(String, f64)]) -> Item<'static> {
    let relevant = |document: &str| qrels.of(query, document) > 0;
    let best = ranked.iter().find(|(document, _)| relevant(document)).map(|(_, score)| *score);
    let other = ranked.iter().find(|(document, _)| !relevant(document));
    let last = ranked.last().map(|(_, score)| *score);
    let (pos_sim, max_neg_sim) = match (last, best, other) {
        (None, ..) => (-1.0, 1.0),
        (Some(last), best, Some((_, score))) => (best.unwrap_or(last), *score),
        (Some(last), best, None) => (best.unwrap_or(last), last - 1.0),
    };
    let above = ranked.iter().filter(|(document, score)| !relevant(document) && *score > pos_sim).count();
    Item {
        bundle_id: Cow::Owned(query.to_owned()),
        group: Cow::Owned(query.to_owned()),
        group_kind: GroupKind::Doc,
        tier: None,
        pool: None,
        margin: pos_sim - max_neg_sim,
        rank: 1 + above as u32,
        pos_sim,
        max_neg_sim,
        winning_negative: Cow::Owned(other.map(|(document, _)| document.clone()).unwrap_or_default()),
        zero_vector: ranked.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::{read_qrels, read_run};

    #[test]
    fn best_relevant_against_best_other() {
        let qrels = "a 0 d1 1\na 0 d2 2\nb 0 d1 1\nc 0 d9 1\nd 0 d1 1\ne 0 d1 0\n";
        let run = "a Q0 d3 1 0.9 x\na Q0 d2 2 0.7 x\na Q0 d4 3 0.6 x\nb Q0 d1 1 0.5 x\nb Q0 d2 2 0.5 x\n\
                   c Q0 d1 1 0.4 x\nc Q0 d2 2 0.1 x\n";
        let qrels = read_qrels(&mut qrels.as_bytes(), "qrels").expect("sound");
        let run = read_run(&mut run.as_bytes(), "run").expect("sound");
        let items = items(&qrels, &run);
        let seen: Vec<(&str, bool, u32)> = items.iter().map(|i| (i.bundle_id.as_ref(), i.passes(), i.rank)).collect();
        // a: one is better; b: a tie; c: not found; d: not in the run; e: nothing is relevant.
        assert_eq!(seen, [("a", false, 2), ("b", false, 1), ("c", false, 2), ("d", false, 1)]);
        assert!((items[0].margin + 0.2).abs() < 1e-12 && items[0].winning_negative == "d3");
        assert!((items[2].margin + 0.3).abs() < 1e-12 && items[3].zero_vector);
    }

    #[test]
    fn nothing_to_beat_passes() {
        let qrels = read_qrels(&mut "a 0 d1 1\n".as_bytes(), "qrels").expect("sound");
        let run = read_run(&mut "a Q0 d1 1 0.5 x\n".as_bytes(), "run").expect("sound");
        let items = items(&qrels, &run);
        assert!(items[0].passes() && (items[0].margin - 1.0).abs() < 1e-12);
    }
}
