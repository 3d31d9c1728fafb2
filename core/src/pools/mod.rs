//! Pools of tier3 (SPEC §9): merging, splitting, counting, filtering, expanding and revalidating files of bundles.
//!
//! Each works on bundles and names; which files they come from, and where results go, is the caller's business.

mod expand;
mod filter;
mod keys;
mod manifest;
mod merge;
mod revalidate;
mod review;
mod split;
mod stats;
mod strength;
mod workset;

pub use expand::{ExpandSettings, Expansion, expand};
pub use filter::{Filter, FilterError, MAX_DEPTH, MAX_LENGTH, MAX_LIST, Tally};
pub use manifest::{Counts, Duplicate, InputFile, Manifest, OutputFile, ReviewCounts, SplitCounts};
pub use merge::{Merged, Merger};
pub use revalidate::{Rechecked, Revalidation, Verdict, VerdictCounts, revalidate};
pub use review::{Verdicts, read_verdicts};
pub use split::{By, Split, split};
pub use stats::{DangerQuantiles, PoolStats, StatsBuilder, StatsGroup, StrengthCounts};
pub use strength::Strength;
pub use workset::Workset;
