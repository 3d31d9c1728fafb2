//! Rankings as a scoreboard.

use super::{Qrels, Run, items};
use crate::data::{fingerprint, hex, protocol_hash};
use crate::estimate::{Interval, quantile};
use crate::eval::{
    Chance, ChanceLevel, Checkpoint, EvalHeader, Item, Resampling, Sanity, Score, Scoreboard, Similarity, Space,
    Summary, TierOrder, ZeroVectors,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What a scoreboard of rankings says besides numbers.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// The file of relevances, as the user named it.
    pub qrels_path: &'a str,
    /// SHA-256 of its bytes.
    pub qrels_sha256: &'a [u8],
    /// The model: its name or the predictions' file, and the SHA-256 of that file.
    pub checkpoint: Checkpoint,
    /// RFC 3339.
    pub timestamp: String,
    /// Seed of the resamples, in the fingerprint.
    pub seed: u64,
    /// The eval set's own version.
    pub version: &'a str,
}

/// The scoreboard of a run, and its items; none where no query has a relevant document. Margins are in the run's own
/// scores, whatever they are.
#[must_use]
pub fn scoreboard(qrels: &Qrels, run: &Run, source: Source<'_>) -> Option<(Scoreboard, Vec<Item<'static>>)> {
    let items = items(qrels, run);
    if items.is_empty() {
        return None;
    }
    let score = |item: &Item<'_>| Score {
        margin: item.margin,
        rank: item.rank,
        pos_sim: item.pos_sim,
        max_neg_sim: item.max_neg_sim,
        winner: 0,
        zero_vector: item.zero_vector,
    };
    let scores: Vec<Score> = items.iter().map(score).collect();
    let every: Vec<usize> = (0..scores.len()).collect();
    let resampling = Resampling { groups: (0..scores.len() as u32).collect(), seed: source.seed };
    let overall = Summary::resampled(&scores, &every, &resampling);
    let content_hash = content_hash(qrels);
    let board = Scoreboard {
        eval_header: EvalHeader {
            eval_path: source.qrels_path.to_owned(),
            fingerprint: fingerprint(source.qrels_sha256, source.seed, items.len()),
            source_hash: hex(source.qrels_sha256),
            protocol_hash: protocol_hash(&content_hash),
            content_hash,
            seed: source.seed,
            item_count: items.len(),
            tier_distribution: [("untiered".to_owned(), items.len())].into(),
            version: source.version.to_owned(),
        },
        checkpoint: source.checkpoint,
        sanity: sanity(qrels, run, &items, overall.ci95.as_ref()),
        overall,
        by_tier: BTreeMap::new(),
        by_pool: BTreeMap::new(),
        model_conditions: [("scores".to_owned(), Value::from("as predicted"))].into(),
        baseline: None,
        guardrails: Vec::new(),
        overrides: Vec::new(),
        timestamp: source.timestamp,
        crucible_version: env!("CARGO_PKG_VERSION").to_owned(),
        device: "predicted elsewhere".to_owned(),
    };
    Some((board, items))
}

/// SHA-256 over what is judged, whatever the file's order and blanks.
fn content_hash(qrels: &Qrels) -> String {
    let mut hash = Sha256::new();
    hash.update("relevances\n");
    for (query, documents) in &qrels.queries {
        for (document, relevance) in documents {
            hash.update(format!("{query}\t{document}\t{relevance}\n"));
        }
    }
    hex(&hash.finalize())
}

/// Guessing puts one of the ranked relevant documents first as often as their share is.
fn sanity(qrels: &Qrels, run: &Run, items: &[Item<'_>], interval: Option<&Interval>) -> Sanity {
    let guess = |item: &Item<'_>| {
        let ranked = run.queries.get(item.bundle_id.as_ref()).map_or(&[][..], Vec::as_slice);
        let relevant = ranked.iter().filter(|(document, _)| qrels.of(&item.bundle_id, document) > 0).count();
        relevant as f64 / ranked.len().max(1) as f64
    };
    let level = items.iter().map(guess).sum::<f64>() / items.len() as f64;
    let missing = items.iter().filter(|item| item.zero_vector).count();
    let mut sims: Vec<f64> = items.iter().filter(|i| !i.zero_vector).flat_map(|i| [i.pos_sim, i.max_neg_sim]).collect();
    sims.sort_unstable_by(f64::total_cmp);
    let [q10, q90] = [0.1, 0.9].map(|q| quantile(&sims, q));
    Sanity {
        chance: Chance {
            overall: ChanceLevel { level: Some(level), at_chance: interval.is_some_and(|i| i.low <= level) },
            by_tier: BTreeMap::new(),
        },
        ties: items.iter().filter(|item| item.margin == 0.0).count(),
        zero_vectors: ZeroVectors { items: missing, texts: 0 },
        similarity: Similarity { q10, q90, spread: q10.zip(q90).map(|(low, high)| high - low) },
        space: Space::default(),
        tier_order: TierOrder::Unknown,
        warnings: Vec::new(),
    }
}
