//! The scoreboard: one document with everything that a model's evaluation said (SPEC §3).

use super::compare::BaselineComparison;
use super::items::groups;
use super::resampled::Resampling;
use super::sanity::{Sanity, sanity};
use super::score::Score;
use super::summary::{Summaries, Summary, summaries};
use crate::data::{BundleSet, Pool, Tier, content_hash, fingerprint, hex, protocol_hash};
use crate::embeddings::Embeddings;
use crate::guardrails::{Finding, Override};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Key in `tier_distribution` of bundles without a tier.
const UNTIERED: &str = "untiered";

/// Which eval set was scored, and by which rules. Two scoreboards are compared only when these agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvalHeader {
    /// The eval file, as the user named it.
    pub eval_path: String,
    /// `{first 16 hex of the file's SHA-256}|{seed}|{item count}`.
    pub fingerprint: String,
    /// SHA-256 of the file's bytes, hexadecimal.
    pub source_hash: String,
    /// SHA-256 of what the items say, whatever the line ends and the order of keys.
    pub content_hash: String,
    /// SHA-256 over `content_hash` and the rules of scoring.
    pub protocol_hash: String,
    /// The seed in the fingerprint; it also draws the sample that the space's health is computed from.
    pub seed: u64,
    /// Bundles.
    pub item_count: usize,
    /// Bundles per tier; `untiered` where some have none.
    pub tier_distribution: BTreeMap<String, usize>,
    /// The eval set's own version, as its maker numbers it.
    pub version: String,
}

impl EvalHeader {
    /// The header of `set`, read from `eval_path`, whose bytes have the SHA-256 `file_sha256`.
    ///
    /// # Panics
    /// When `file_sha256` is shorter than 8 bytes.
    #[must_use]
    pub fn of(set: &BundleSet, eval_path: &str, file_sha256: &[u8], seed: u64, version: &str) -> Self {
        let content_hash = content_hash(set);
        let names = Tier::ALL.map(Tier::name).into_iter().chain([UNTIERED]);
        let counts = names.zip(set.tier_counts()).filter(|(name, n)| *name != UNTIERED || *n > 0);
        Self {
            eval_path: eval_path.to_owned(),
            fingerprint: fingerprint(file_sha256, seed, set.bundles.len()),
            source_hash: hex(file_sha256),
            protocol_hash: protocol_hash(&content_hash),
            content_hash,
            seed,
            item_count: set.bundles.len(),
            tier_distribution: counts.map(|(name, n)| (name.to_owned(), n)).collect(),
            version: version.to_owned(),
        }
    }
}

/// The model that was scored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// File or folder, as the user named it.
    pub path: String,
    /// SHA-256 of its bytes, hexadecimal; of a folder, as its loader defines it.
    pub hash: String,
}

/// One evaluation of one model on one eval set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scoreboard {
    /// The eval set and the rules.
    pub eval_header: EvalHeader,
    /// The model.
    pub checkpoint: Checkpoint,
    /// All bundles.
    pub overall: Summary,
    /// The tiers that occur.
    pub by_tier: BTreeMap<Tier, Summary>,
    /// The pools that occur in tier3.
    pub by_pool: BTreeMap<Pool, Summary>,
    /// How far the pass rates can be believed.
    pub sanity: Sanity,
    /// What belongs to the model and may change its numbers: tokenizer, prompts, pooling, dtype, loader flavour.
    pub model_conditions: BTreeMap<String, Value>,
    /// The change against another scoreboard, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineComparison>,
    /// What guardrails found when it was set beside a baseline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<Finding>,
    /// Guardrails and mismatches that somebody chose to pass over.
    #[serde(default)]
    pub overrides: Vec<Override>,
    /// When, RFC 3339.
    pub timestamp: String,
    /// The program's version.
    pub crucible_version: String,
    /// Where it was computed, in words.
    pub device: String,
}

/// What a scoreboard says besides numbers; the caller knows clocks, files and devices.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The eval set, from [`EvalHeader::of`].
    pub eval_header: EvalHeader,
    /// The model.
    pub checkpoint: Checkpoint,
    /// Its conditions.
    pub model_conditions: BTreeMap<String, Value>,
    /// RFC 3339.
    pub timestamp: String,
    /// In words.
    pub device: String,
}

/// Puts a scoreboard together; `scores` are [`super::score()`]'s of `set` and `embeddings`. Baseline and overrides are
/// left for the caller to add.
///
/// # Panics
/// When scores and bundles, or embeddings and events, differ in number.
#[must_use]
pub fn scoreboard(set: &BundleSet, embeddings: &Embeddings, scores: &[Score], inputs: Inputs) -> Scoreboard {
    let resampling = Resampling { groups: groups(set), seed: inputs.eval_header.seed };
    let Summaries { overall, by_tier, by_pool } = summaries(set, scores, Some(&resampling));
    let sanity = sanity(set, embeddings, scores, &overall, &by_tier, inputs.eval_header.seed);
    Scoreboard {
        eval_header: inputs.eval_header,
        checkpoint: inputs.checkpoint,
        overall,
        by_tier,
        by_pool,
        sanity,
        model_conditions: inputs.model_conditions,
        baseline: None,
        guardrails: Vec::new(),
        overrides: Vec::new(),
        timestamp: inputs.timestamp,
        crucible_version: env!("CARGO_PKG_VERSION").to_owned(),
        device: inputs.device,
    }
}
