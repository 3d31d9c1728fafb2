//! Making bundles out of events (SPEC §5), and splitting events for evaluation.

mod generate;
mod groups;
mod report;
mod settings;
mod space;
mod split;
mod top;

pub use generate::generate;
pub use report::{GenerateReport, LeftOut, Why};
pub use settings::{GenerateError, MAX_POOL_DEPTH, PerSource, Settings};
pub use space::Similarity;
pub(crate) use split::hold_out;
pub use split::{SplitBy, split_events};
