//! Suspected false negatives among accepted bundles, for somebody to look at.

use super::lineups::Candidate;
use super::miner::{Miner, bundle_id};
use crate::parallel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a negative is suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its text shares at least half of what makes a near-duplicate with the anchor's or the positive's.
    SharedWords,
    /// It is nearer to the anchor than every other event of the anchor's sense.
    NearestOfAll,
    /// A further model does not accept the bundle.
    ModelsDisagree,
}

/// A negative that may be of the anchor's sense after all. Put a verdict in, and `pool merge` drops the bundle or keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Suspect {
    /// The bundle.
    pub bundle_id: String,
    /// The negative's event.
    pub negative: String,
    /// Why it is suspected.
    pub reasons: Vec<Reason>,
    /// Cosine of anchor and negative.
    pub similarity: f64,
    /// Cosine of anchor and positive.
    pub positive_similarity: f64,
    /// The anchor's sense.
    pub sense: String,
    /// The negative's sense.
    pub negative_sense: String,
    /// The anchor's text.
    pub anchor_text: String,
    /// The positive's text.
    pub positive_text: String,
    /// The negative's text.
    pub negative_text: String,
    /// For whoever looks: `false_negative` (the bundle is dropped) or `keep`; nothing yet.
    pub verdict: Option<String>,
}

/// The suspects among candidates, in their order, each negative once.
#[must_use]
pub fn suspects(miner: &Miner<'_>, candidates: &[Candidate]) -> Vec<Suspect> {
    parallel::map(candidates.len(), |i| of_candidate(miner, &candidates[i])).into_iter().flatten().collect()
}

fn of_candidate(miner: &Miner<'_>, candidate: &Candidate) -> Vec<Suspect> {
    let (corpus, space) = (miner.corpus, &miner.spaces[0]);
    let groups = &corpus.groups;
    let text = |event: u32| groups.text[event as usize];
    let (anchor, positive) = (candidate.anchor, candidate.positive);
    let own = &groups.by_sense[groups.sense[anchor as usize] as usize];
    let nearest_own = own
        .iter()
        .filter(|e| text(**e) != text(anchor))
        .map(|e| space.similarity(anchor, *e))
        .fold(f64::NEG_INFINITY, f64::max);
    let disagree = candidate.others.iter().any(|p| (*p as usize) < miner.settings.min_passes);
    let most = candidate.negatives.iter().map(|n| space.similarity(anchor, n.0)).fold(f64::NEG_INFINITY, f64::max);
    let half = miner.settings.near_duplicate / 2.0;
    let suspect = |&(event, _): &(u32, _)| {
        let similarity = space.similarity(anchor, event);
        let shared = [anchor, positive].iter().any(|e| corpus.shingles.jaccard(text(*e), text(event)) >= half);
        // Models differ over the bundle; the negative that decides it stands for that.
        let found = [
            (shared, Reason::SharedWords),
            (similarity > nearest_own, Reason::NearestOfAll),
            (disagree && similarity == most, Reason::ModelsDisagree),
        ];
        let reasons: Vec<Reason> = found.into_iter().filter(|f| f.0).map(|f| f.1).collect();
        if reasons.is_empty() {
            return None;
        }
        let [a, p, n] = [anchor, positive, event].map(|e| &corpus.events[e as usize]);
        Some(Suspect {
            bundle_id: bundle_id(candidate),
            negative: n.event_id.clone(),
            reasons,
            similarity,
            positive_similarity: space.similarity(anchor, positive),
            sense: a.sense.clone(),
            negative_sense: n.sense.clone(),
            anchor_text: a.text.clone(),
            positive_text: p.text.clone(),
            negative_text: n.text.clone(),
            verdict: None,
        })
    };
    candidate.negatives.iter().filter_map(suspect).collect()
}
