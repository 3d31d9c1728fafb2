//! Evaluation: from bundles and the embeddings of their texts to scores, items, summaries and a scoreboard.
//!
//! The way through: [`score()`], or [`score_on`] a device, turns every bundle into a [`Score`]; [`items()`] names them for
//! the items file; [`Summary::of`] condenses a group of them; [`sanity()`] says how far the pass rate can be believed;
//! [`scoreboard()`] puts all of it into one document, and [`compare_baseline`] sets two such documents side by side.
//! [`evaluate_in_steps`] goes from texts to scores for who wants to hear how far it is. Nothing here reads a file or a
//! clock: paths, hashes and timestamps come as arguments.

mod compare;
mod device;
mod items;
mod looks;
mod numeric;
mod resampled;
mod sanity;
mod score;
mod scoreboard;
mod stepwise;
mod summary;

pub use compare::{BaselineComparison, Change, Flips, Match, compare_baseline, flips, match_headers};
pub use device::score_on;
pub use items::{GroupKind, Item, groups, items, read_items, write_items};
pub use looks::{Look, Looks, read_looks};
pub use resampled::{GroupIntervals, RESAMPLES, Resampling};
pub use sanity::{Chance, ChanceLevel, Sanity, Similarity, Space, Spread, TierOrder, Warning, ZeroVectors, sanity};
pub(crate) use sanity::{FLAT_RANK_MIN_DIM, NARROW_CONE, NARROW_SPREAD};
pub use score::{Score, WORST_MARGIN, cosines, score};
pub use scoreboard::{Checkpoint, EvalHeader, Inputs, Scoreboard, scoreboard};
pub use stepwise::{Evaluated, EvaluationError, evaluate_in_steps};
pub use summary::{StepScores, Summaries, Summary, summaries};

/// The seed in an eval set's fingerprint, where nobody gives another.
pub const SEED: u64 = 42;
/// An eval set's version, likewise.
pub const VERSION: &str = "1";
/// The share that a pass rate may fall by against a baseline, likewise.
pub const REGRESSION_THRESHOLD: f64 = 0.02;
