//! Making bundles out of events (SPEC §5), and splitting events for evaluation.

mod generate;
mod report;
mod settings;
mod split;

pub use crate::neighbours::Similarity;
pub(crate) use generate::SIBLING_SENSES;
pub use generate::generate;
pub use report::{GenerateReport, LeftOut, Why};
pub use settings::{GenerateError, MAX_POOL_DEPTH, PerSource, Settings};
pub(crate) use split::hold_out;
pub use split::{HeldBack, SplitBy, hold_back, split_events};
