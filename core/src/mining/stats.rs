//! The statistics of a run, as they are written beside its bundles.

use super::calibrate::Calibration;
use super::corpus::SenseLeftOut;
use super::mined::{Mined, Rejections};
use super::miner::Miner;
use super::null::Null;
use super::settings::Settings;
use crate::estimate::{Interval, wilson};
use crate::overlap::Exclusion;
use crate::pools::{Strength, StrengthCounts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A model's threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Threshold {
    /// What scores.
    pub model: String,
    /// Danger from which on a lineup passes.
    pub value: f64,
    /// How it was found; none where it was given.
    pub calibration: Option<Calibration>,
}

/// What a further model says of the accepted candidates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agreement {
    /// The model.
    pub model: String,
    /// Accepted candidates that it would accept, too.
    pub accepts: u64,
    /// Their share.
    pub share: Option<f64>,
}

/// Where the time went. Of a run that was interrupted, all its parts together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Seconds {
    /// Reading events and existing bundles.
    pub read: f64,
    /// Getting the vectors.
    pub embed: f64,
    /// Grouping events, lengths of vectors, siblings.
    pub prepare: f64,
    /// Nearest neighbours.
    pub search: f64,
    /// Lineups.
    pub validate: f64,
    /// The null.
    pub null: f64,
    /// Bundles, statistics, state.
    pub write: f64,
}

/// What the core can't know of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunInfo {
    /// Path of the events.
    pub events_path: String,
    /// SHA-256 of their file.
    pub events_sha256: String,
    /// Path of the existing tier3.
    pub existing_path: Option<String>,
    /// Bundles in it.
    pub existing_bundles: usize,
    /// What was left out of the events.
    pub excluded: Option<Exclusion>,
    /// `i/n`, of a shard.
    pub shard: Option<String>,
    /// Thresholds, the deciding model first.
    pub thresholds: Vec<Threshold>,
    /// The null, where it was asked for.
    pub null: Option<Null>,
    /// Bundles that were written.
    pub written: usize,
    /// Bundles that were put into quarantine.
    pub quarantined: usize,
    /// Suspects in the review queue.
    pub suspects: Option<usize>,
    /// Where the time went.
    pub seconds: Seconds,
    /// When it ended.
    pub timestamp: String,
    /// The program's version.
    pub version: String,
}

/// The statistics of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MiningStats {
    /// Path of the events.
    pub events_path: String,
    /// SHA-256 of their file.
    pub events_sha256: String,
    /// Path of the existing tier3, if there is one.
    pub existing_path: Option<String>,
    /// Tier3 bundles in it.
    pub existing_bundles: usize,
    /// Events that were left out, since eval sets hold them; without `--exclude`, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Exclusion>,
    /// `i/n`, of a shard.
    pub shard: Option<String>,
    /// Events that were mined.
    pub events: usize,
    /// Distinct texts among them, without case and with white space made equal.
    pub distinct_texts: usize,
    /// Senses.
    pub senses: usize,
    /// Lemmas.
    pub lemmas: usize,
    /// Lemmas of one sense: their candidates have no confuser from within the lemma.
    pub lemmas_with_one_sense: usize,
    /// Events without a direction.
    pub zero_vectors: usize,
    /// Senses of which pairs were drawn (of this shard).
    pub senses_tested: u64,
    /// Senses that can't give a pair; reasons that did not occur are absent.
    pub senses_left_out: Vec<SenseLeftOut>,
    /// Pairs that were drawn.
    pub candidates_tested: u64,
    /// Of them, how many were accepted.
    pub accepted: u64,
    /// Their share.
    pub pass_rate: Option<f64>,
    /// Its interval.
    pub pass_rate_interval: Option<Interval>,
    /// Bundles written: accepted ones, up to `max_output`.
    pub written: usize,
    /// Bundles in quarantine: not accepted, with passes from `quarantine_from` on.
    pub quarantined: usize,
    /// Passes from which on a rejected candidate is put into quarantine.
    pub quarantine_from: usize,
    /// Negatives in the review queue, where one was asked for.
    pub suspects: Option<usize>,
    /// Tested candidates by lineups passed: 0 to all.
    pub pass_distribution: Vec<u64>,
    /// The written bundles by pass strength.
    pub pass_strength: StrengthCounts,
    /// Tested candidates without a confuser from within the lemma.
    pub none_within_lemma: u64,
    /// Rejected candidates, each once, by cause.
    pub rejections: Rejections,
    /// The deciding model's threshold, then those of further ones.
    pub thresholds: Vec<Threshold>,
    /// What further models say.
    pub agreement: Vec<Agreement>,
    /// What shuffled labels would give.
    pub null: Option<Null>,
    /// Parameters.
    pub parameters: Settings,
    /// Where the time went.
    pub seconds: Seconds,
    /// Candidates per second of search and validation.
    pub candidates_per_second: Option<f64>,
    /// When it ended (UTC).
    pub timestamp: String,
    /// The program's version.
    pub crucible_version: String,
}

fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// Puts the statistics together.
#[must_use]
pub fn stats(miner: &Miner<'_>, mined: &Mined, info: RunInfo) -> MiningStats {
    let (corpus, counts, settings) = (miner.corpus, &mined.counts, &miner.settings);
    let mut strength = StrengthCounts::default();
    for candidate in mined.accepted.iter().take(info.written) {
        strength.count(Strength::of_passes(u64::from(candidate.passes), settings.lineups as u64));
    }
    let further = info.thresholds.iter().skip(1).zip(&counts.others_accept);
    let agreement = further
        .map(|(t, &n)| Agreement { model: t.model.clone(), accepts: n, share: share(n, counts.accepted) })
        .collect();
    let busy = info.seconds.search + info.seconds.validate;
    MiningStats {
        events_path: info.events_path,
        events_sha256: info.events_sha256,
        existing_path: info.existing_path,
        existing_bundles: info.existing_bundles,
        excluded: info.excluded,
        shard: info.shard,
        events: corpus.events.len(),
        distinct_texts: corpus.texts(),
        senses: corpus.senses(),
        lemmas: corpus.lemmas(),
        lemmas_with_one_sense: corpus.lemmas_with_one_sense(),
        zero_vectors: miner.zero_vectors(),
        senses_tested: counts.senses,
        senses_left_out: corpus.left_out(),
        candidates_tested: counts.candidates,
        accepted: counts.accepted,
        pass_rate: share(counts.accepted, counts.candidates),
        pass_rate_interval: wilson(counts.accepted as usize, counts.candidates as usize),
        written: info.written,
        quarantined: info.quarantined,
        quarantine_from: settings.quarantine_from(),
        suspects: info.suspects,
        pass_distribution: counts.passes.clone(),
        pass_strength: strength,
        none_within_lemma: counts.none_within_lemma,
        rejections: counts.rejections.clone(),
        thresholds: info.thresholds,
        agreement,
        null: info.null,
        parameters: settings.clone(),
        seconds: info.seconds,
        candidates_per_second: (busy > 0.0).then(|| counts.candidates as f64 / busy),
        timestamp: info.timestamp,
        crucible_version: info.version,
    }
}
