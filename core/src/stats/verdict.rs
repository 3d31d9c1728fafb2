//! PASS, FAIL or INCONCLUSIVE: a test of non-inferiority, with a third answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a pass rate was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// The drop, if any, is smaller than δ.
    Pass,
    /// There is a drop, and the estimate is beyond δ.
    Fail,
    /// The items do not decide it.
    Inconclusive,
}

impl Verdict {
    /// From an estimated `change` and its one-sided bounds: PASS when `low > −delta`, FAIL when `high < 0` and
    /// `change < −delta`, else INCONCLUSIVE. Absence of a significant drop is never PASS by itself.
    #[must_use]
    pub fn of(change: f64, low: f64, high: f64, delta: f64) -> Self {
        if low > -delta {
            Self::Pass
        } else if high < 0.0 && change < -delta {
            Self::Fail
        } else {
            Self::Inconclusive
        }
    }

    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Inconclusive => "INCONCLUSIVE",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_at_its_border() {
        let of = |change, low, high| Verdict::of(change, low, high, 0.02);
        assert_eq!(of(0.0, -0.019, 0.01), Verdict::Pass);
        assert_eq!(of(0.0, -0.02, 0.01), Verdict::Inconclusive);
        // A real drop, smaller than δ.
        assert_eq!(of(-0.01, -0.015, -0.005), Verdict::Pass);
        assert_eq!(of(-0.03, -0.05, -0.01), Verdict::Fail);
        assert_eq!(of(-0.03, -0.06, 0.0), Verdict::Inconclusive);
        assert_eq!(of(-0.02, -0.05, -0.001), Verdict::Inconclusive);
    }
}
