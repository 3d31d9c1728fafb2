//! G4 quota: a tier that is drawn less often than it should be.

use super::{Finding, Level, Rule};
use crate::data::Tier;

/// This guardrail.
pub const RULE: Rule = Rule { id: "G4", name: "quota" };

/// A shortfall that chance alone brings about less often than this is no chance.
const CHANCE: f64 = 1e-3;
/// Under this share of its target a tier is critically short.
const CRITICAL_SHARE: f64 = 0.5;

/// Judges how often the tiers were drawn: `drawn[i]` slots against `targets[i]`, the tier's expected slots so far (the
/// sum of its probability over all slots, after caps). A tier is short when it has under `floor` of its target
/// (`guardrails.quota_floor`), by more than chance: the probability of so few, at most
/// `exp(−N · KL(drawn/N ‖ target/N))` (W. Hoeffding, JASA 58 (1963), theorem 1), is under 0.001. The bound errs on the
/// silent side, and holds for probabilities that moved over the run.
#[must_use]
pub fn check(drawn: [u64; 3], targets: [f64; 3], floor: f64) -> Vec<Finding> {
    let slots = drawn.iter().sum::<u64>() as f64;
    if targets.iter().any(|t| !t.is_finite() || *t < 0.0) {
        let message = format!("the tiers' targets {targets:?} are no counts");
        return vec![RULE.finding(Level::Error, message, "check the curriculum's probabilities")];
    }
    let mut out = Vec::new();
    for tier in Tier::ALL {
        let (drawn, target) = (drawn[tier.index()] as f64, targets[tier.index()]);
        if target == 0.0 || drawn >= floor * target || tail_bound(drawn, target, slots) >= CHANCE {
            continue;
        }
        let share = drawn / target;
        let level = if share < CRITICAL_SHARE { Level::Critical } else { Level::Warning };
        let message =
            format!("{} was drawn {drawn} times, {:.0} % of its target {target:.0}", tier.name(), 100.0 * share);
        let advice = "look for an empty or small tier, tier caps, or a batch too small for its share";
        let finding = RULE.finding(level, message, advice).with("tier", (tier.index() + 1) as f64);
        out.push(finding.with("drawn", drawn).with("target", target).with("share", share).with("floor", floor));
    }
    if out.is_empty() {
        out.push(RULE.ok("every tier was drawn as often as its target asks, up to chance").with("slots", slots));
    }
    out
}

/// Upper bound of the probability that a tier with `target` of `slots` expected draws gets `drawn` or fewer.
fn tail_bound(drawn: f64, target: f64, slots: f64) -> f64 {
    let (share, p) = (drawn / slots, target / slots);
    if slots == 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        // It should have had every slot: any other draw is no chance.
        return 0.0;
    }
    let term = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a * (a / b).ln() };
    (-slots * (term(share, p) + term(1.0 - share, 1.0 - p))).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardrails::Report;
    use crate::rng::Stream;

    fn levels(drawn: [u64; 3], targets: [f64; 3]) -> Vec<Level> {
        check(drawn, targets, 0.8).iter().map(|f| f.level).collect()
    }

    #[test]
    fn fires_on_a_short_tier() {
        assert_eq!(levels([6300, 3000, 700], [6000.0, 3000.0, 1000.0]), [Level::Warning]);
        assert_eq!(levels([6600, 3000, 400], [6000.0, 3000.0, 1000.0]), [Level::Critical]);
        assert_eq!(levels([7000, 3000, 0], [6000.0, 3000.0, 1000.0]), [Level::Critical]);
        assert_eq!(levels([5, 5, 0], [10.0, 0.0, 0.0]), [Level::Warning], "a tier of probability 1");
        assert_eq!(levels([1, 1, 1], [f64::NAN, 1.0, 1.0]), [Level::Error]);
    }

    #[test]
    fn silent_on_target_on_chance_and_on_nothing() {
        assert_eq!(levels([6000, 3000, 1000], [6000.0, 3000.0, 1000.0]), [Level::Ok]);
        assert_eq!(levels([6100, 3100, 810], [6000.0, 3000.0, 1010.0]), [Level::Ok], "80 % is enough");
        // One batch of 32: two of 3.2 expected is luck, though it is 63 %.
        assert_eq!(levels([20, 10, 2], [19.2, 9.6, 3.2]), [Level::Ok]);
        assert_eq!(levels([22, 10, 0], [19.2, 9.6, 3.2]), [Level::Ok]);
        assert_eq!(levels([0; 3], [0.0; 3]), [Level::Ok]);
    }

    #[test]
    fn honest_draws_hardly_ever_fire() {
        let mut fired = 0;
        for run in 0..2000 {
            let mut stream = Stream::new(5, "quota", run);
            let mut drawn = [0u64; 3];
            for _ in 0..96 {
                let u = stream.unit();
                drawn[usize::from(u >= 0.6) + usize::from(u >= 0.9)] += 1;
            }
            fired += usize::from(levels(drawn, [57.6, 28.8, 9.6]) != [Level::Ok]);
        }
        // At most 0.001 for each of three tiers: 6 of 2000.
        assert!(fired <= 6, "{fired} of 2000 honest runs");
    }

    #[test]
    fn can_be_overridden() {
        let findings = check([7000, 3000, 0], [6000.0, 3000.0, 1000.0], 0.8);
        assert!(Report::judge(findings.clone(), true, &[]).stops);
        assert!(!Report::judge(findings, true, &["G4".to_owned()]).stops);
    }
}
