//! G7 frozen regression: after an evaluation beside a baseline, whether known hard cases were kept.
//!
//! The verdict is that of a non-inferiority test ([`crate::stats`]), never a bare difference: "no significant drop" on
//! few bundles is not the same as "kept".

use super::{Finding, Level, Rule};
use crate::stats::{PairedChange, Verdict};

/// This guardrail.
pub const RULE: Rule = Rule { id: "G7", name: "frozen_regression" };

/// Judges the change of a frozen eval's pass rate; `on` says of which bundles (`tier3_adversarial`, or `overall` where
/// there is no tier3), `delta` is the drop that was allowed beforehand, as a share.
#[must_use]
pub fn check(change: &PairedChange, on: &str, delta: f64) -> Finding {
    let (low, high) = (100.0 * change.bounds.low, 100.0 * change.bounds.high);
    let seen = format!(
        "{on} moved by {:+.1} points, from {:.1} to {:.1} % (bounds {low:+.1} to {high:+.1}, {} bundles)",
        100.0 * change.change,
        100.0 * change.baseline,
        100.0 * change.candidate,
        change.n
    );
    let finding = match change.verdict {
        Verdict::Fail => {
            let advice = "look at the lost bundles by name (crucible compare); more looks at the legacy pool, or the \
                          earlier checkpoint, keep them";
            let message = format!("{seen}: a real drop of more than the {:.1} points that are allowed", 100.0 * delta);
            RULE.finding(Level::Critical, message, advice)
        }
        Verdict::Inconclusive => {
            let advice = match change.items_to_decide {
                Some(items) => format!("about {items} bundles like these would decide it (crucible power)"),
                None => "more bundles, or a larger allowed drop, would decide it (crucible power)".to_owned(),
            };
            let message = format!("{seen}: that does not decide whether it fell by {:.1} points", 100.0 * delta);
            RULE.finding(Level::Warning, message, advice)
        }
        Verdict::Pass if change.small_real_drop => {
            let advice = "allowed, but drops add up: compare with the oldest baseline, too";
            RULE.finding(Level::Warning, format!("{seen}: a small drop, and a real one"), advice)
        }
        Verdict::Pass => RULE.ok(format!("{seen}: the drop, if any, is smaller than {:.1} points", 100.0 * delta)),
    };
    let numbers = [
        ("baseline", change.baseline),
        ("candidate", change.candidate),
        ("change", change.change),
        ("low", change.bounds.low),
        ("high", change.bounds.high),
        ("delta", delta),
        ("n", change.n as f64),
        ("lost", change.lost as f64),
        ("gained", change.gained as f64),
    ];
    numbers.iter().fold(finding, |f, (name, x)| f.with(name, *x))
}

/// A fall of so many times the allowed drop is CRITICAL even where the number of bundles is not known.
const PLAIN_FALL: f64 = 5.0;

/// Judges the frozen pass rates that a run logged, in order of their steps: the last one against the best before it. None
/// for fewer than two.
///
/// How many bundles stand behind them is not known, so there is no bound: a fall of more than `delta` (a share) is a
/// WARNING, one of more than five times `delta` is CRITICAL.
#[must_use]
pub fn check_steps(points: &[(u64, f64)], delta: f64) -> Option<Finding> {
    let (&(step, last), earlier) = points.split_last()?;
    // Of equals the first. What is no number is no best.
    let (best_step, best) = earlier.iter().copied().reduce(|a, b| if b.1 > a.1 || a.1.is_nan() { b } else { a })?;
    let fall = best - last;
    let seen = format!(
        "the frozen rate went from {:.1} % at step {best_step} to {:.1} % at step {step} ({:+.1} points)",
        100.0 * best,
        100.0 * last,
        -100.0 * fall
    );
    let allowed = 100.0 * delta;
    let advice = "go back to the earlier checkpoint, or give known cases a larger share; `crucible eval` of both \
                  checkpoints and `crucible compare` tell how certain the fall is";
    // 0.87 − 0.85 is a hair above 0.02 in binary.
    let finding = if !last.is_finite() || !best.is_finite() {
        RULE.finding(Level::Error, format!("{seen}: this is no number"), "evaluate again")
    } else if fall > PLAIN_FALL * delta + 1e-12 {
        let message = format!("{seen}: more than {PLAIN_FALL} times the {allowed:.1} points that are allowed");
        RULE.finding(Level::Critical, message, advice)
    } else if fall > delta + 1e-12 {
        let message = format!("{seen}: more than the {allowed:.1} points that are allowed; how certain is not known");
        RULE.finding(Level::Warning, message, advice)
    } else {
        RULE.ok(format!("{seen}: no more than the {allowed:.1} points that are allowed"))
    };
    let numbers =
        [("best", best), ("last", last), ("delta", delta), ("best_step", best_step as f64), ("step", step as f64)];
    Some(numbers.iter().fold(finding, |f, (name, x)| f.with(name, *x)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardrails::Report;
    use crate::stats::{Pair, Settings, change};
    use std::ops::Range;

    #[test]
    fn logged_rates_are_held_to_the_best_before() {
        let level = |rates: &[f64]| {
            let points: Vec<(u64, f64)> = rates.iter().enumerate().map(|(i, x)| (10 * i as u64, *x)).collect();
            check_steps(&points, 0.02).map(|f| f.level)
        };
        assert_eq!(level(&[0.85, 0.75, 0.65, 0.55]), Some(Level::Critical));
        assert_eq!(level(&[0.60, 0.85, 0.80]), Some(Level::Warning), "from the best, not from the first");
        assert_eq!(level(&[0.87, 0.85]), Some(Level::Ok));
        assert_eq!(level(&[0.85, 0.55, 0.84]), Some(Level::Ok), "what counts is where it ends");
        assert_eq!(level(&[f64::NAN, 0.8, 0.3]), Some(Level::Critical));
        assert_eq!(level(&[0.8, f64::NAN]), Some(Level::Error));
        assert_eq!(level(&[0.8]), None);
    }

    /// The finding over `n` bundles, each a group of its own, of which some were lost and gained.
    fn found(n: usize, lost: Range<usize>, gained: Range<usize>) -> Finding {
        let pair = |i: usize| Pair {
            bundle_id: format!("b{i}"),
            group: i as u32,
            tier: None,
            pool: None,
            before: if gained.contains(&i) { -0.1 } else { 0.1 },
            after: if lost.contains(&i) { -0.1 } else { 0.1 },
        };
        let pairs: Vec<Pair> = (0..n).map(pair).collect();
        let settings = Settings { resamples: 300, ..Settings::default() };
        let change = change(&pairs.iter().collect::<Vec<_>>(), &settings).expect("there are pairs");
        check(&change, "tier3_adversarial", settings.delta)
    }

    #[test]
    fn fires_by_the_verdict() {
        let failed = found(1000, 0..60, 60..70);
        assert_eq!(failed.level, Level::Critical, "{failed:?}");
        assert_eq!((failed.numbers["lost"], failed.numbers["gained"], failed.numbers["change"]), (60.0, 10.0, -0.05));
        let few = found(50, 0..2, 2..3);
        assert_eq!(few.level, Level::Warning);
        assert!(few.message.contains("does not decide"), "{few:?}");
        let small = found(4000, 0..40, 40..50);
        assert_eq!(small.level, Level::Warning);
        assert!(small.message.contains("small drop"), "{small:?}");
    }

    #[test]
    fn silent_when_known_cases_are_kept() {
        assert_eq!(found(1000, 0..0, 0..0).level, Level::Ok);
        assert_eq!(found(1000, 0..10, 10..40).level, Level::Ok);
    }

    #[test]
    fn a_failed_verdict_can_be_overridden() {
        let failed = vec![found(1000, 0..100, 0..0)];
        assert!(Report::judge(failed.clone(), true, &[]).stops);
        assert!(!Report::judge(failed, true, &["frozen_regression".to_owned()]).stops);
    }
}
