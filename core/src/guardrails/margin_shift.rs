//! G10 margin shift: the worst margins get worse before pass rates show it.

use super::{Finding, Level, Rule};
use crate::estimate::{quantile, replicates};
use crate::stats::Pair;

/// This guardrail.
pub const RULE: Rule = Rule { id: "G10", name: "margin_shift" };

/// The quantile that is watched.
const Q: f64 = 0.1;
/// Level of the one-sided bound beyond which a fall is no chance.
const LEVEL: f64 = 0.95;
/// Resamples; a bound of 95 % needs no more.
const RESAMPLES: usize = 500;

/// Judges the 10 % quantile of margins, `before` and `after` in cosine units: a fall by more than `most`
/// (`guardrails.margin_fall`) is a WARNING. With the `pairs` behind it, one that chance would not bring about (upper
/// bound of the change, resampled by group, below 0) is CRITICAL.
#[must_use]
pub fn check(before: f64, after: f64, most: f64, pairs: &[Pair], seed: u64) -> Finding {
    let change = after - before;
    let seen = format!("the 10 % quantile of margins moved by {change:+.3}, from {before:.3} to {after:.3}");
    let mut high = f64::NAN;
    let finding = if !change.is_finite() {
        RULE.finding(Level::Error, format!("a margin is no number: {seen}"), "evaluate again")
    } else if change >= -most - 1e-12 {
        RULE.ok(seen)
    } else {
        high = upper_bound(pairs, seed).unwrap_or(f64::NAN);
        let advice = "the worst bundles get worse: look at them by name (crucible compare), and at their exposures";
        let (level, how) = match high {
            x if x < 0.0 => (Level::Critical, "and not by chance"),
            x if x >= 0.0 => (Level::Warning, "which chance may have done"),
            _ => (Level::Warning, "how certainly is not known without items"),
        };
        RULE.finding(level, format!("{seen}: more than the {most} that is allowed, {how}"), advice)
    };
    let numbers = [("before", before), ("after", after), ("change", change), ("high", high), ("margin_fall", most)];
    numbers.iter().fold(finding, |f, (name, x)| f.with(name, *x))
}

/// [`check`] on the pairs' own quantiles; none without pairs.
#[must_use]
pub fn check_pairs(pairs: &[Pair], most: f64, seed: u64) -> Option<Finding> {
    let of = |margin: fn(&Pair) -> f64| lower_quantile(pairs.iter().map(margin).collect());
    Some(check(of(|p| p.before)?, of(|p| p.after)?, most, pairs, seed))
}

fn lower_quantile(mut margins: Vec<f64>) -> Option<f64> {
    margins.sort_unstable_by(f64::total_cmp);
    quantile(&margins, Q)
}

/// Upper bound of the quantile's change, by resampling groups; none for fewer than two of them.
fn upper_bound(pairs: &[Pair], seed: u64) -> Option<f64> {
    let mut groups: Vec<Vec<&Pair>> = Vec::new();
    for pair in pairs {
        let group = pair.group as usize;
        if group >= groups.len() {
            groups.resize(group + 1, Vec::new());
        }
        groups[group].push(pair);
    }
    groups.retain(|g| !g.is_empty());
    if groups.len() < 2 {
        return None;
    }
    let mut changes = replicates(groups.len(), RESAMPLES, seed, "margin shift", |drawn| {
        let drawn = || drawn.iter().flat_map(|g| &groups[*g as usize]);
        let of = |margins: Vec<f64>| lower_quantile(margins).unwrap_or(f64::NAN);
        of(drawn().map(|p| p.after).collect()) - of(drawn().map(|p| p.before).collect())
    });
    changes.sort_unstable_by(f64::total_cmp);
    quantile(&changes, LEVEL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardrails::Report;
    use crate::rng::Stream;

    /// Margins around 0.2; those in the lower `share` fall by `fall`.
    fn pairs(n: usize, share: f64, fall: f64) -> Vec<Pair> {
        let mut stream = Stream::new(10, "margins", 0);
        let pair = |i: usize| {
            let before = stream.unit() - 0.3;
            let after = before - if before < share - 0.3 { fall } else { 0.0 };
            Pair { bundle_id: format!("b{i}"), group: (i / 2) as u32, tier: None, pool: None, before, after }
        };
        (0..n).map(pair).collect()
    }

    fn level(pairs: &[Pair]) -> Level {
        check_pairs(pairs, 0.05, 1).expect("there are pairs").level
    }

    #[test]
    fn fires_on_a_fallen_lower_end() {
        assert_eq!(level(&pairs(600, 0.3, 0.2)), Level::Critical);
        // Without items, or with a single group, nobody knows whether it was chance.
        assert_eq!(check(-0.2, -0.3, 0.05, &[], 1).level, Level::Warning);
        let one_group: Vec<Pair> = pairs(600, 0.3, 0.2).into_iter().map(|p| Pair { group: 0, ..p }).collect();
        assert_eq!(level(&one_group), Level::Warning);
        assert_eq!(check(f64::NAN, 0.0, 0.05, &[], 1).level, Level::Error);
        assert_eq!(check_pairs(&[], 0.05, 1), None);
    }

    #[test]
    fn silent_on_small_shifts_and_gains() {
        assert_eq!(level(&pairs(600, 0.3, 0.04)), Level::Ok);
        assert_eq!(level(&pairs(600, 0.3, -0.2)), Level::Ok);
        assert_eq!(check(0.05, 0.0, 0.05, &[], 1).level, Level::Ok, "a fall of just the threshold");
    }

    #[test]
    fn can_be_overridden() {
        let findings = vec![check_pairs(&pairs(600, 0.3, 0.2), 0.05, 1).expect("there are pairs")];
        assert!(Report::judge(findings.clone(), true, &[]).stops);
        assert!(!Report::judge(findings, true, &["margin_shift".to_owned()]).stops);
    }
}
