//! The interval of a pass rate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Coverage that intervals of one scoreboard aim at.
pub const LEVEL: f64 = 0.95;
/// Name of the method, written beside every interval.
pub const METHOD: &str = "wilson";
/// The standard normal's quantile at `(1 + LEVEL) / 2`.
pub const Z: f64 = 1.959_963_984_540_054;

/// A confidence interval with its level: a number without one says little.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Coverage it aims at, such as 0.95.
    pub level: f64,
    /// How it was computed.
    pub method: String,
}

/// Wilson's score interval of `correct` out of `n`, at [`LEVEL`]; none for `n` = 0.
///
/// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927) 209–212; without
/// continuity correction. It takes items for independent: where many share a lemma or document, the real uncertainty
/// is larger.
///
/// # Panics
/// When `correct` exceeds `n`.
#[must_use]
pub fn wilson(correct: usize, n: usize) -> Option<Interval> {
    assert!(correct <= n, "{correct} of {n} is no share");
    if n == 0 {
        return None;
    }
    let (k, n_f) = (correct as f64, n as f64);
    let (p, z2) = (k / n_f, Z * Z);
    let centre = (p + z2 / (2.0 * n_f)) / (1.0 + z2 / n_f);
    let half = Z / (1.0 + z2 / n_f) * (p * (1.0 - p) / n_f + z2 / (4.0 * n_f * n_f)).sqrt();
    // At the ends the formula gives 0 and 1 up to rounding; the exact value reads better.
    let low = if correct == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if correct == n { 1.0 } else { (centre + half).min(1.0) };
    Some(Interval { low, high, level: LEVEL, method: METHOD.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_published_values() {
        // R. G. Newcombe, Statistics in Medicine 17 (1998) 857–872, table I, method 3.
        let published =
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)];
        for (k, n, low, high) in published {
            let interval = wilson(k, n).expect("n is not 0");
            assert!((interval.low - low).abs() < 5e-5 && (interval.high - high).abs() < 5e-5, "{k}/{n}: {interval:?}");
        }
    }

    #[test]
    fn is_symmetric_and_knows_its_ends() {
        assert!(wilson(0, 0).is_none());
        for (k, n) in [(0, 1), (3, 10), (500, 1000)] {
            let (a, b) = (wilson(k, n).expect("n > 0"), wilson(n - k, n).expect("n > 0"));
            assert!((a.low - (1.0 - b.high)).abs() < 1e-12 && (a.high - (1.0 - b.low)).abs() < 1e-12);
        }
        assert_eq!(wilson(7, 7).map(|i| i.high), Some(1.0));
    }
}
