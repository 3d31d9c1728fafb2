//! Pools of tier3 (SPEC §9): merging, splitting, counting and filtering files of bundles.
//!
//! Each works on bundles and names; which files they come from, and where results go, is the caller's business.

mod filter;
mod keys;
mod manifest;
mod merge;
mod split;
mod stats;
mod strength;

pub use filter::{Filter, FilterError, MAX_DEPTH, MAX_LENGTH, MAX_LIST, Tally};
pub use manifest::{Counts, Duplicate, InputFile, Manifest, OutputFile, SplitCounts};
pub use merge::Merger;
pub use split::{By, Split, split};
pub use stats::{DangerQuantiles, PoolStats, StatsBuilder, StatsGroup, StrengthCounts};
pub use strength::Strength;
