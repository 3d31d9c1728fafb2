//! The manifest of a pool: what went in, what came out, with hashes.

use super::expand::Expansion;
use crate::data::{Metadata, Pool, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a pool command did; written beside its outputs. Two runs over the same files write the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// `pool merge`, `pool split`, …
    pub command: String,
    /// The program's version.
    pub crucible_version: String,
    /// Flags that decided the result, by name.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// Files read, in the order in which they were taken.
    pub inputs: Vec<InputFile>,
    /// Files written.
    pub outputs: Vec<OutputFile>,
    /// The first duplicates that were dropped, each with the bundle that stayed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<Duplicate>,
    /// Organic bundles beyond `--max-output`: those of fewest passes and least danger.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub over_max_output: u64,
    /// What a review said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewCounts>,
    /// What an expansion tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expansion: Option<Expansion>,
    /// Bundles without a field that a filter names, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, u64>,
    /// What a split did with senses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitCounts>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Verdicts of a review queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewCounts {
    /// As the user named it.
    pub path: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Bundles with a negative that is of the anchor's sense.
    pub false_negatives: u64,
    /// Bundles whose suspects are all fine.
    pub kept: u64,
    /// Suspects without a verdict: their bundles stay.
    pub open: u64,
    /// Bundles with a verdict that no input holds.
    pub unknown: u64,
}

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InputFile {
    /// As the user named it.
    pub path: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// What it was given as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Pool>,
    /// Bundles read.
    pub bundles: u64,
    /// Bundles that went into an output.
    pub kept: u64,
    /// Bundles dropped since they were there already.
    pub duplicates: u64,
    /// Bundles dropped since a review found a negative of theirs to be of the anchor's sense.
    pub false_negatives: u64,
}

/// A file that was written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputFile {
    /// As the user named it.
    pub path: String,
    /// SHA-256 of its bytes, hexadecimal; none where it went to a pipe or a device.
    pub sha256: Option<String>,
    /// What is inside.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Bundles of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// All of them.
    pub bundles: u64,
    /// By tier; those without one are in none.
    pub by_tier: BTreeMap<Tier, u64>,
    /// Tier3 by pool.
    pub by_pool: BTreeMap<Pool, u64>,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, metadata: &Metadata) {
        self.bundles += 1;
        if let Some(tier) = metadata.tier {
            *self.by_tier.entry(tier).or_default() += 1;
        }
        if let Some(pool) = metadata.pool() {
            *self.by_pool.entry(pool).or_default() += 1;
        }
    }

    /// Counts all of `bundles`.
    #[must_use]
    pub fn of<'a>(bundles: impl IntoIterator<Item = &'a Metadata>) -> Self {
        let mut counts = Self::default();
        bundles.into_iter().for_each(|metadata| counts.add(metadata));
        counts
    }
}

/// A bundle that was dropped since another says the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Duplicate {
    /// Its id.
    pub bundle_id: String,
    /// Where it was read: file and line.
    pub at: String,
    /// The id of the one that stayed.
    pub kept: String,
    /// Where that was read.
    pub kept_at: String,
}

/// Where the senses of a split went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SplitCounts {
    /// Senses of anchors in the training part.
    pub train_senses: u64,
    /// Senses of anchors in the holdout.
    pub holdout_senses: u64,
    /// Senses of anchors in both: none, unless bundles were drawn one by one.
    pub shared_senses: u64,
    /// Bundles of held-out senses that are of another pool than the holdout, hence in neither part.
    pub left_out: u64,
    /// Training bundles with a negative of a held-out sense.
    pub train_with_held_out_negatives: u64,
    /// Holdout bundles with an anchor or positive whose very text is an anchor or positive of training.
    pub holdout_with_known_texts: u64,
}
