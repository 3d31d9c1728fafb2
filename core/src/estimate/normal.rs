//! The standard normal distribution.

use statrs::distribution::{ContinuousCDF, Normal};

/// The standard normal's quantile.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// The standard normal's distribution function.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    Normal::standard().cdf(x)
}
