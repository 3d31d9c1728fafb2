//! G17 chance level: a pass rate that guessing would reach, or tiers in the wrong order.

use super::{Finding, Level, Rule};
use crate::data::Tier;
use crate::eval::{Scoreboard, Summary, TierOrder};

/// This guardrail.
pub const RULE: Rule = Rule { id: "G17", name: "chance_level" };

/// Judges a scoreboard. Guessing passes `1 / (1 + negatives)` of the bundles. A whole eval at or below that is
/// CRITICAL; a whole eval whose interval reaches it, or a tier that is at or below it, a WARNING; so are tiers in reverse
/// order (tier3 easier than tier1, beyond the intervals): they were made by something unlike this model, and its hard
/// cases are elsewhere.
#[must_use]
pub fn check(board: &Scoreboard) -> Vec<Finding> {
    let mut out = Vec::new();
    let chance = &board.sanity.chance;
    out.extend(at_chance("overall", &board.overall, chance.overall.level, true));
    for (tier, summary) in &board.by_tier {
        let level = chance.by_tier.get(tier).and_then(|c| c.level);
        out.extend(at_chance(tier.name(), summary, level, false));
    }
    if board.sanity.tier_order == TierOrder::Reversed {
        let rate = |tier: Tier| board.by_tier.get(&tier).and_then(|s| s.pass_rate).unwrap_or(f64::NAN);
        let (easy, hard) = (rate(Tier::Easy), rate(Tier::Adversarial));
        let message = format!(
            "tier3 is easier than tier1 for this model ({:.1} against {:.1} % passed)",
            100.0 * hard,
            100.0 * easy
        );
        let advice = "tier the eval set with a model like this one (crucible bundle --checkpoint); until then tier3 does \
                      not hold its hard cases";
        out.push(RULE.finding(Level::Warning, message, advice).with("tier1", easy).with("tier3", hard));
    }
    if out.is_empty() {
        let rate = board.overall.pass_rate.unwrap_or(f64::NAN);
        let ok = RULE.ok("the pass rate is above chance, and the tiers are in order").with("pass_rate", rate);
        out.push(ok.with("chance", chance.overall.level.unwrap_or(f64::NAN)));
    }
    out
}

fn at_chance(name: &str, summary: &Summary, chance: Option<f64>, whole: bool) -> Option<Finding> {
    let (rate, ci, chance) = (summary.pass_rate?, summary.ci95.as_ref()?, chance?);
    let level = match (whole, rate <= chance) {
        (true, true) => Level::Critical,
        (false, true) => Level::Warning,
        (true, false) if ci.low <= chance => Level::Warning,
        // A tier of a dozen bundles reaches chance with its interval, whatever the model.
        _ => return None,
    };
    let verb = if rate <= chance { "is not above" } else { "with its interval reaches" };
    let message = format!(
        "{name}: a pass rate of {:.1} % ({:.1} to {:.1} %) {verb} what guessing gives, {:.1} %",
        100.0 * rate,
        100.0 * ci.low,
        100.0 * ci.high,
        100.0 * chance
    );
    let advice = "check that the checkpoint, its tokenizer and its prompts belong together, and that the eval set holds \
                  enough bundles";
    let finding = RULE.finding(level, message, advice).with("pass_rate", rate).with("chance", chance);
    Some(finding.with("low", ci.low).with("high", ci.high).with("n", summary.n as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::wilson;
    use crate::eval::{Chance, ChanceLevel, Checkpoint, EvalHeader};
    use crate::guardrails::Report;
    use std::collections::BTreeMap;

    /// A scoreboard of tiers with so many of 200 passed, one negative a bundle.
    fn board(passed: [usize; 3]) -> Scoreboard {
        let summary = |correct: usize, n: usize| {
            let rate = Some(correct as f64 / n as f64);
            Summary { n, correct, accuracy: rate, pass_rate: rate, ci95: wilson(correct, n), ..Summary::default() }
        };
        let by_tier: BTreeMap<_, _> = Tier::ALL.into_iter().zip(passed).map(|(t, k)| (t, summary(k, 200))).collect();
        let level = || ChanceLevel { level: Some(0.5), at_chance: false };
        let chance = Chance { overall: level(), by_tier: Tier::ALL.into_iter().map(|t| (t, level())).collect() };
        let set = crate::data::BundleSet::default();
        let empty = crate::embeddings::Embeddings::normalised(1, Vec::new());
        let mut sanity = crate::eval::sanity(&set, &empty, &[], &Summary::default(), &BTreeMap::new(), 1);
        sanity.chance = chance;
        if by_tier[&Tier::Easy].ci95.as_ref().map(|c| c.high) < by_tier[&Tier::Adversarial].ci95.as_ref().map(|c| c.low)
        {
            sanity.tier_order = TierOrder::Reversed;
        }
        Scoreboard {
            eval_header: EvalHeader::of(&set, "e", &[0; 32], 1, "1"),
            checkpoint: Checkpoint { path: "c".into(), hash: "h".into() },
            overall: summary(passed.iter().sum(), 600),
            by_tier,
            by_pool: BTreeMap::new(),
            sanity,
            model_conditions: BTreeMap::new(),
            baseline: None,
            guardrails: Vec::new(),
            overrides: Vec::new(),
            timestamp: String::new(),
            crucible_version: String::new(),
            device: String::new(),
        }
    }

    fn levels(passed: [usize; 3]) -> Vec<Level> {
        check(&board(passed)).iter().map(|f| f.level).collect()
    }

    #[test]
    fn fires_at_chance_and_on_reversed_tiers() {
        assert_eq!(levels([100; 3])[0], Level::Critical, "guessing does as well");
        assert_eq!(levels([110, 102, 104]), [Level::Warning], "the interval of the whole reaches chance");
        assert_eq!(levels([180, 150, 90]), [Level::Warning], "tier3 alone");
        let reversed = check(&board([140, 150, 190]));
        assert_eq!((reversed.len(), reversed[0].level), (1, Level::Warning));
        assert!(reversed[0].message.contains("easier"), "{reversed:?}");
    }

    #[test]
    fn silent_on_a_healthy_board() {
        assert_eq!(levels([190, 170, 120]), [Level::Ok]);
        assert_eq!(levels([150, 150, 150]), [Level::Ok]);
    }

    #[test]
    fn can_be_overridden() {
        let findings = check(&board([90; 3]));
        assert!(Report::judge(findings.clone(), true, &[]).stops);
        assert!(!Report::judge(findings, true, &["chance_level".to_owned()]).stops);
    }
}
