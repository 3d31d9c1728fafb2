//! What two results say of each other, with honest uncertainty.
//!
//! [`Pairs`] sets the items of two scoreboards side by side; [`change`] measures one group of them: flips, an exact test of
//! the flips, the change with its bounds, margins by sign flips; [`Verdict::of`] turns bounds into PASS, FAIL or
//! INCONCLUSIVE; [`compare`] puts all of it into one document. [`power`] says how many items or seeds a question needs.
//!
//! Items of one lemma or document are not independent, so whatever is resampled is resampled by group.

mod change;
mod compare;
mod mcnemar;
mod pairs;
pub mod power;
mod sign_flip;
mod tango;
mod verdict;

pub use change::{Bounds, MarginChange, PairedChange, Settings, change};
pub use compare::{Comparison, ConditionDifference, On, Side, compare};
pub use mcnemar::mcnemar_exact;
pub use pairs::{Pair, Pairs};
pub use sign_flip::sign_flip;
pub use tango::tango;
pub use verdict::Verdict;
