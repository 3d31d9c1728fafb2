//! G3 pool composition: what the training bundles are made of.

use super::{Finding, Level, Rule};
use crate::config::Tier3Ratios;
use crate::data::{Bundle, BundleSet, Pool, Tier};
use std::collections::HashSet;

/// This guardrail.
pub const RULE: Rule = Rule { id: "G3", name: "pool_composition" };

/// Ids that a message names, at most.
const NAMED: usize = 3;

/// Judges training bundles against the pool shares `ratios` that they will be drawn by.
#[must_use]
pub fn check(set: &BundleSet, ratios: &Tier3Ratios) -> Vec<Finding> {
    let mut out = Vec::new();
    pools(set, ratios, &mut out);
    duplicates(set, &mut out);
    missing_fields(set, &mut out);
    if out.is_empty() {
        let pools = match first_training(set.pool_counts(), ratios) {
            true => "tier3 is the legacy pool alone, and the default shares of the others go to it",
            false => "all pools that are drawn from hold bundles",
        };
        let mut ok = RULE.ok(format!("{pools}; no id occurs twice, no field is missing"));
        for (pool, n) in Pool::ALL.iter().zip(set.pool_counts()) {
            ok = ok.with(pool.name(), n as f64);
        }
        out.push(ok);
    }
    out
}

/// Bundles of the generator alone, under shares that nobody chose: mining and expansion come later.
fn first_training(counts: [usize; 3], ratios: &Tier3Ratios) -> bool {
    let [legacy, organic, expanded] = counts;
    legacy > 0 && organic + expanded == 0 && *ratios == Tier3Ratios::default()
}

fn pools(set: &BundleSet, ratios: &Tier3Ratios, out: &mut Vec<Finding>) {
    let (counts, tier3) = (set.pool_counts(), set.tier_counts()[Tier::Adversarial.index()]);
    if counts[Pool::Legacy.index()] == 0 {
        let message = if tier3 == 0 {
            "there is no tier3 bundle: no killer is trained on".to_owned()
        } else {
            format!("the legacy pool is empty, though tier3 holds {tier3} bundles: known killers will be forgotten")
        };
        let advice = "merge the original core killers in (pool merge --legacy)";
        out.push(RULE.finding(Level::Critical, message, advice).with("tier3", tier3 as f64).with("legacy", 0.0));
    }
    if first_training(counts, ratios) {
        return;
    }
    for pool in [Pool::Organic, Pool::Expanded] {
        if tier3 > 0 && counts[pool.index()] == 0 && ratios.of(pool) > 0.0 {
            let (name, share) = (pool.name(), ratios.of(pool));
            let message = format!("the {name} pool is empty; its share of {share} goes to the others");
            let advice = format!("set curriculum.tier3_ratios.{name} to 0, or add such bundles");
            out.push(RULE.finding(Level::Warning, message, advice).with("share", share));
        }
    }
}

fn duplicates(set: &BundleSet, out: &mut Vec<Finding>) {
    let mut ids = HashSet::new();
    let twice = named(set, |bundle| !ids.insert(bundle.bundle_id.as_str()));
    if let Some((n, names)) = twice {
        let message = format!("{n} bundle ids occur more than once: {names}");
        let advice = "give every bundle an id of its own; pool merge drops true duplicates";
        out.push(RULE.finding(Level::Error, message, advice).with("duplicate_ids", n as f64));
    }
    let mut contents = HashSet::new();
    let copies = named(set, |bundle| {
        let mut negatives: Vec<u32> = bundle.negatives.iter().map(|n| n.event).collect();
        negatives.sort_unstable();
        !contents.insert((bundle.anchor, bundle.positive, negatives))
    });
    if let Some((n, names)) = copies {
        let message = format!("{n} bundles are copies of others under other ids: {names}");
        let advice = "drop them (pool merge): a copy is drawn twice as often as its share asks";
        out.push(RULE.finding(Level::Warning, message, advice).with("copies", n as f64));
    }
}

fn missing_fields(set: &BundleSet, out: &mut Vec<Finding>) {
    let total = set.bundles.len();
    if let Some((n, names)) = named(set, |bundle| bundle.metadata.tier.is_none()) {
        let level = if n == total { Level::Error } else { Level::Critical };
        let message = format!("{n} of {total} bundles have no tier and are never drawn: {names}");
        out.push(RULE.finding(level, message, "tier them (crucible bundle)").with("untiered", n as f64));
    }
    let tier3 = |bundle: &Bundle| bundle.metadata.tier == Some(Tier::Adversarial);
    if let Some((n, names)) = named(set, |b| tier3(b) && b.metadata.source.is_none() && b.metadata.expansion.is_none())
    {
        let message = format!("{n} tier3 bundles do not name their source and count as legacy: {names}");
        let advice = "set metadata.source, or merge with pool merge, which does";
        out.push(RULE.finding(Level::Warning, message, advice).with("without_source", n as f64));
    }
    let untested = |b: &Bundle| {
        b.metadata.pool() == Some(Pool::Organic)
            && !["passes", "lineups_tested"].iter().all(|key| b.metadata.extra.contains_key(*key))
    };
    if let Some((n, names)) = named(set, untested) {
        let message = format!("{n} organic bundles do not say how many lineups they passed: {names}");
        let advice = "revalidate them (pool revalidate): they may be pseudo-killers that drew unlucky negatives";
        out.push(RULE.finding(Level::Warning, message, advice).with("without_lineups", n as f64));
    }
}

/// How many bundles satisfy `which`, and the first few by name; none if there are none.
fn named<'a>(set: &'a BundleSet, mut which: impl FnMut(&'a Bundle) -> bool) -> Option<(usize, String)> {
    let ids: Vec<&str> = set.bundles.iter().filter(|b| which(b)).map(|b| b.bundle_id.as_str()).collect();
    let more = if ids.len() > NAMED { ", …" } else { "" };
    (!ids.is_empty()).then(|| (ids.len(), format!("{}{more}", ids[..ids.len().min(NAMED)].join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read_bundles;
    use crate::guardrails::Report;
    use serde_json::json;

    /// One bundle of each tier, and one of each pool in tier3.
    fn healthy() -> BundleSet {
        let mut text = String::new();
        let kinds = [
            ("tier1_easy", "bundle_generator"),
            ("tier2_robust", "bundle_generator"),
            ("tier3_adversarial", "bundle_generator"),
            ("tier3_adversarial", "tier3_organic_miner"),
            ("tier3_adversarial", "tier3_expansion"),
        ];
        for (i, (tier, source)) in kinds.iter().enumerate() {
            let event = |id: &str, sense: &str| json!({"event_id": format!("{id}{i}"), "sense": sense, "text": "t"});
            let bundle = json!({
                "bundle_id": format!("b{i}"),
                "anchor": event("a", "x#1"), "positive": event("p", "x#1"), "negatives": [event("n", "x#2")],
                "metadata": {"tier": tier, "source": source, "passes": 8, "lineups_tested": 10},
            });
            text.push_str(&bundle.to_string());
            text.push('\n');
        }
        read_bundles(&mut text.as_bytes(), "test").expect("the test's own bundles are sound")
    }

    fn found(change: impl FnOnce(&mut BundleSet)) -> Vec<(Level, String)> {
        let mut set = healthy();
        change(&mut set);
        check(&set, &Tier3Ratios::default()).into_iter().map(|f| (f.level, f.message)).collect()
    }

    #[test]
    fn silent_on_healthy_pools() {
        let findings = found(|_| {});
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].0, Level::Ok);
        // An empty pool without a share is no fault.
        let mut set = healthy();
        set.bundles.truncate(4);
        let ratios = Tier3Ratios { legacy: 0.8, organic: 0.2, expanded: 0.0 };
        assert_eq!(check(&set, &ratios)[0].level, Level::Ok);
        // Nor are the shares that nobody chose, as long as there is nothing but what `crucible bundle` makes.
        set.bundles.truncate(3);
        let first = check(&set, &Tier3Ratios::default());
        assert!(first.len() == 1 && first[0].level == Level::Ok, "{first:?}");
        assert!(first[0].message.contains("the legacy pool alone"), "{first:?}");
        let chosen = Tier3Ratios { legacy: 0.7, organic: 0.2, expanded: 0.1 };
        assert_eq!(check(&set, &chosen).len(), 2, "both pools that somebody gave a share to are empty");
    }

    #[test]
    fn every_planted_fault_is_found() {
        type Fault = fn(&mut BundleSet);
        let faults: [(&str, Level, Fault); 8] = [
            ("legacy pool is empty", Level::Critical, |s| drop(s.bundles.remove(2))),
            ("no tier3 bundle", Level::Critical, |s| s.bundles.truncate(2)),
            ("organic pool is empty", Level::Warning, |s| drop(s.bundles.remove(3))),
            ("more than once: b0", Level::Error, |s| s.bundles[4].bundle_id = "b0".into()),
            ("copies of others", Level::Warning, |s| {
                let mut copy = s.bundles[1].clone();
                copy.bundle_id = "copy".into();
                s.bundles.push(copy);
            }),
            ("have no tier", Level::Critical, |s| s.bundles[0].metadata.tier = None),
            ("do not name their source", Level::Warning, |s| s.bundles[2].metadata.source = None),
            ("how many lineups", Level::Warning, |s| drop(s.bundles[3].metadata.extra.remove("passes"))),
        ];
        for (words, level, fault) in faults {
            let findings = found(fault);
            let hits = findings.iter().filter(|(l, message)| *l == level && message.contains(words)).count();
            assert_eq!((hits, findings.len()), (1, 1), "{words}: {findings:?}");
        }
        let none = found(|s| s.bundles.iter_mut().for_each(|b| b.metadata.tier = None));
        assert!(none.iter().any(|(level, _)| *level == Level::Error), "{none:?}");
    }

    #[test]
    fn an_empty_legacy_pool_can_be_overridden() {
        let mut set = healthy();
        set.bundles.remove(2);
        let findings = check(&set, &Tier3Ratios::default());
        assert!(Report::judge(findings.clone(), true, &[]).stops);
        assert!(!Report::judge(findings, true, &["G3".to_owned()]).stops);
    }
}
