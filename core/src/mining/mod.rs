//! Mining new killers that are really hard: multi-lineup validation (SPEC §8).
//!
//! The way through: [`Corpus`] holds what is known of the events' labels and texts; [`Miner`] adds the spaces that rank
//! and score, the threshold and what is known already. [`Miner::plan`] cuts the senses into batches; a batch is
//! [searched](Miner::search) for confusers and [validated](Miner::validate), and what it gave is [added](Mined::add) to
//! the rest. [`Miner::bundles`] makes the file of it.
//!
//! What a sense gives depends on the events, the settings, the seed and the sense alone: batches, shards, threads and
//! interruptions change nothing.

mod calibrate;
mod corpus;
mod guards;
mod lineups;
mod mined;
mod miner;
mod near;
mod null;
mod pairs;
mod pools;
mod recheck;
mod review;
mod settings;
mod shingles;
mod stats;
#[cfg(test)]
mod tests;

pub use calibrate::{Calibration, CalibrationError, calibrate, dangers};
pub use corpus::{Corpus, Known, SenseLeftOut, WhySense};
pub use guards::{GuardPreset, Guards};
pub use lineups::{Candidate, best_lineup, draw_lineups};
pub(crate) use mined::rank;
pub use mined::{Counts, Mined, Rejections};
pub use miner::{Batch, Cause, Miner, MinerError, Plan, Searched, Shard};
pub use near::near_duplicates;
pub use null::Null;
pub use pools::Confuser;
pub use review::{Carried, QueueLine, Reason, Suspect, carry_over, read_queue, suspects};
pub use settings::{Settings, SettingsError};
pub use shingles::{Shingles, normalised};
pub use stats::{Agreement, MiningStats, RunInfo, Seconds, Threshold, stats};
