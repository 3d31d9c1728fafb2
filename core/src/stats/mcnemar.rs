//! Whether flips go one way more often than a fair coin would.

use statrs::distribution::{Binomial, DiscreteCDF};

/// The exact two-sided p-value of McNemar's test: `lost` items passed before and fail now, `gained` the other way round;
/// without any, 1. Under no change each flip is a fair coin, so it is twice the smaller tail of a binomial.
///
/// Q. McNemar, Psychometrika 12 (1947) 153–157; the exact form is the binomial test. It takes items for independent.
#[must_use]
pub fn mcnemar_exact(lost: usize, gained: usize) -> f64 {
    let n = (lost + gained) as u64;
    let tail = Binomial::new(0.5, n).map_or(1.0, |b| b.cdf(lost.min(gained) as u64));
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        assert_eq!(mcnemar_exact(0, 0), 1.0);
        assert_eq!(mcnemar_exact(3, 3), 1.0);
        // 2 · (1/2)^5, and 2 · (1 + 6) / 2^6.
        assert!((mcnemar_exact(0, 5) - 0.0625).abs() < 1e-14);
        assert!((mcnemar_exact(5, 1) - 0.218_75).abs() < 1e-14);
        assert_eq!(mcnemar_exact(5, 1), mcnemar_exact(1, 5));
    }
}
