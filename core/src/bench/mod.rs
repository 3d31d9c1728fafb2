//! What kernels cost: problems of representative size with their operations and bytes, and how a time is taken of them.
//!
//! **How work is counted**, beside each problem in `cases`:
//!
//! - An operation is an addition, multiplication, comparison, division, square root, exponential or logarithm of numbers; a
//!   fused multiplication and addition is two. Reckoning with indices is none.
//! - Bytes are those of every number that has to come from memory or go to it, once: inputs that are read, outputs that
//!   are written, in-place ones twice. A row that is gathered counts each time. What a kernel reads again because it can't
//!   keep it is its own fault and not counted; what a cache keeps between runs is counted, so small problems may show
//!   more than memory gives.
//!
//! The clock is the caller's.

mod case;
mod cases;
mod host;
mod measure;
mod training;

pub use case::{Case, Checked, Loaded, Size, Work};
pub use cases::cases;
pub use host::{peak_copy, peak_fma};
pub use measure::{Plan, Timing, measure};
pub use training::Training;

/// One work's rate, in the device's own terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// 10⁹ operations a second.
    pub gflops: f64,
    /// 10⁹ bytes a second.
    pub gbytes: f64,
}

impl Work {
    /// Its rates when it takes `seconds`.
    #[must_use]
    pub fn rates(self, seconds: f64) -> Rates {
        let per_second = |n: u64| n as f64 / seconds / 1e9;
        Rates { gflops: per_second(self.flops), gbytes: per_second(self.bytes) }
    }
}
