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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardrails::Report;
    use crate::stats::{Pair, Settings, change};
    use std::ops::Range;

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
