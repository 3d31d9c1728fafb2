//! G1 dilution: before training, how often each legacy killer will be seen.
//!
//! More hard bundles in a pool of the same share mean fewer looks at each old one, and what is seen too seldom is
//! forgotten while the loss falls.

use super::{Finding, Level, Rule};

/// This guardrail.
pub const RULE: Rule = Rule { id: "G1", name: "dilution" };

/// Expected looks per legacy bundle from which its pool is healthy (SPEC §2).
pub const HEALTHY: f64 = 50.0;
/// From which it is a warning.
pub const WARNING: f64 = 30.0;
/// From which it is critical; severe below.
pub const CRITICAL: f64 = 10.0;

/// Judges `expected` looks per legacy bundle over a run of `steps` steps. An empty legacy pool has no expectation: that
/// is pool composition's to report, not a call of this.
#[must_use]
pub fn check(expected: f64, steps: u64) -> Finding {
    if !expected.is_finite() || expected < 0.0 {
        let message = format!("the expected exposures per legacy bundle are {expected}, which is no count");
        return RULE.finding(Level::Error, message, "check steps, batch size, probabilities and the size of the pool");
    }
    let (level, status) = match expected {
        x if x >= HEALTHY => (Level::Ok, "healthy"),
        x if x >= WARNING => (Level::Warning, "warning"),
        x if x >= CRITICAL => (Level::Critical, "critical"),
        _ => (Level::Severe, "severe"),
    };
    let message = format!("each legacy bundle is expected to be seen {expected:.1} times: {status}");
    let advice = match level {
        Level::Ok => String::new(),
        _ if expected > 0.0 => format!(
            "for {HEALTHY} looks train about {:.0} steps, or raise the batch size, tier3's probability or legacy's \
             share by the factor {:.2}",
            (steps as f64 * HEALTHY / expected).ceil(),
            HEALTHY / expected
        ),
        _ => "give tier3 a probability and legacy a share above 0".to_owned(),
    };
    RULE.finding(level, message, advice).with("expected_exposures", expected).with("healthy_from", HEALTHY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardrails::Report;

    #[test]
    fn levels_follow_the_thresholds() {
        let table = [
            (52.9, Level::Ok),
            (50.0, Level::Ok),
            (49.99, Level::Warning),
            (30.0, Level::Warning),
            (29.99, Level::Critical),
            (10.0, Level::Critical),
            (9.99, Level::Severe),
            (0.0, Level::Severe),
            (f64::NAN, Level::Error),
            (f64::INFINITY, Level::Error),
        ];
        for (expected, level) in table {
            assert_eq!(check(expected, 10_000).level, level, "{expected}");
        }
    }

    #[test]
    fn advice_reaches_the_healthy_level() {
        assert!(check(52.9, 10_000).advice.is_empty());
        let finding = check(25.0, 10_000);
        assert!(finding.advice.contains("20000 steps") && finding.advice.contains("2.00"), "{}", finding.advice);
    }

    #[test]
    fn critical_can_be_overridden_and_severe_can_not() {
        let word = ["dilution".to_owned()];
        assert!(Report::judge(vec![check(20.0, 1)], true, &[]).stops);
        assert!(!Report::judge(vec![check(20.0, 1)], true, &word).stops);
        assert!(Report::judge(vec![check(5.0, 1)], true, &word).stops);
    }
}
