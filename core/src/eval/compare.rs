//! A scoreboard beside a baseline: whether the two may be compared at all, and how the pass rates moved.
//!
//! [`compare_baseline`] is a plain threshold on the change, for a quick gate in a script. It is no test: it says
//! nothing about what chance alone would do, and its `passed` is not the verdict of a paired comparison.

use super::items::Item;
use super::scoreboard::{EvalHeader, Scoreboard};
use crate::data::Tier;
use crate::guardrails::Override;
use crate::guardrails::fingerprint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Whether two scoreboards measured the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Match {
    /// Same bytes, same rules.
    Same,
    /// Same items and rules, though the files differ in bytes (line ends, order of keys): no mismatch.
    SameContent,
    /// Not comparable.
    Different {
        /// What differs, in words.
        reasons: Vec<String>,
    },
}

/// Compares what two evaluations were of.
#[must_use]
pub fn match_headers(a: &EvalHeader, b: &EvalHeader) -> Match {
    let mut reasons = Vec::new();
    if a.content_hash != b.content_hash {
        reasons.push("the eval items differ".to_owned());
    } else if a.protocol_hash != b.protocol_hash {
        reasons.push("the same items were scored by different rules (similarity, precision or ties)".to_owned());
    }
    if a.seed != b.seed {
        reasons.push(format!("the seeds differ ({} and {})", a.seed, b.seed));
    }
    if a.item_count != b.item_count {
        reasons.push(format!("the item counts differ ({} and {})", a.item_count, b.item_count));
    }
    if reasons.is_empty() {
        if a.fingerprint == b.fingerprint { Match::Same } else { Match::SameContent }
    } else {
        Match::Different { reasons }
    }
}

/// How one pass rate moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The baseline's pass rate.
    pub baseline: f64,
    /// This scoreboard's.
    pub current: f64,
    /// `current − baseline`.
    pub change: f64,
    /// Whether it fell by more than the threshold.
    pub regressed: bool,
}

/// Bundles that changed sides, from two items files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flips {
    /// Passed before and now.
    pub both_passed: usize,
    /// Failed before and now.
    pub both_failed: usize,
    /// Passed before, fail now.
    pub lost: usize,
    /// Failed before, pass now.
    pub gained: usize,
    /// In one of the two files only.
    pub unpaired: usize,
}

/// A scoreboard's change against a baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineComparison {
    /// The baseline's checkpoint.
    pub checkpoint: super::Checkpoint,
    /// The baseline's fingerprint.
    pub fingerprint: String,
    /// Whether both measured the same thing.
    #[serde(rename = "match")]
    pub matched: Match,
    /// A pass rate may fall by this much, as a share (0.02: two points).
    pub regression_threshold: f64,
    /// All bundles; null if one side has none.
    pub overall: Option<Change>,
    /// The tiers that occur on both sides.
    pub by_tier: BTreeMap<Tier, Change>,
    /// Paired counts, where both items files were given.
    pub flips: Option<Flips>,
    /// Neither the whole nor a tier fell by more than the threshold.
    pub passed: bool,
}

/// Sets `current` beside `baseline`. `allow_mismatch` compares what does not match; the override that this took comes
/// second, for the caller to record.
///
/// # Errors
/// The guardrail's finding (G9) when fingerprint or protocol differ and that was not allowed.
pub fn compare_baseline(
    current: &Scoreboard,
    baseline: &Scoreboard,
    regression_threshold: f64,
    allow_mismatch: bool,
    items: Option<(&[Item<'_>], &[Item<'_>])>,
) -> Result<(BaselineComparison, Option<Override>), Box<crate::guardrails::Finding>> {
    let (finding, overridden) = fingerprint::check(&current.eval_header, &baseline.eval_header, allow_mismatch);
    if finding.level >= crate::guardrails::Level::Critical {
        return Err(Box::new(finding));
    }
    let change = |now: &super::Summary, before: &super::Summary| {
        let (current, baseline) = (now.pass_rate?, before.pass_rate?);
        let change = current - baseline;
        // 0.88 − 0.90 is a hair beyond −0.02 in binary; a fall of exactly the threshold is allowed.
        Some(Change { baseline, current, change, regressed: change < -regression_threshold - 1e-12 })
    };
    let overall = change(&current.overall, &baseline.overall);
    let tiers = current.by_tier.iter();
    let by_tier: BTreeMap<_, _> =
        tiers.filter_map(|(tier, now)| Some((*tier, change(now, baseline.by_tier.get(tier)?)?))).collect();
    let comparison = BaselineComparison {
        checkpoint: baseline.checkpoint.clone(),
        fingerprint: baseline.eval_header.fingerprint.clone(),
        matched: match_headers(&current.eval_header, &baseline.eval_header),
        regression_threshold,
        passed: !overall.iter().chain(by_tier.values()).any(|c| c.regressed),
        overall,
        by_tier,
        flips: items.map(|(now, before)| flips(now, before)),
    };
    Ok((comparison, overridden))
}

/// Counts flips from `before` to `now`, paired by `bundle_id`; the order of either list does not matter.
#[must_use]
pub fn flips(now: &[Item<'_>], before: &[Item<'_>]) -> Flips {
    let mut rest: HashMap<&str, bool> = before.iter().map(|item| (item.bundle_id.as_ref(), item.passes())).collect();
    let mut out = Flips::default();
    for item in now {
        let cell = match (rest.remove(item.bundle_id.as_ref()), item.passes()) {
            (Some(true), true) => &mut out.both_passed,
            (Some(false), false) => &mut out.both_failed,
            (Some(true), false) => &mut out.lost,
            (Some(false), true) => &mut out.gained,
            (None, _) => &mut out.unpaired,
        };
        *cell += 1;
    }
    out.unpaired += rest.len();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embeddings::Embeddings;
    use crate::eval::score::tests::set_of;
    use crate::eval::{Checkpoint, Inputs, items, score, scoreboard};

    fn board(file: &[u8; 32], seed: u64, vectors: Vec<f32>) -> (Scoreboard, Vec<Item<'static>>) {
        let mut set = set_of(4, &[(0, 1, &[2]), (0, 1, &[3]), (1, 0, &[2, 3])]);
        for bundle in &mut set.bundles[1..] {
            bundle.metadata.tier = Some(Tier::Adversarial);
        }
        let embeddings = Embeddings::normalised(2, vectors);
        let scores = score(&set, &embeddings);
        let inputs = Inputs {
            eval_header: EvalHeader::of(&set, "eval.jsonl", file, seed, "1"),
            checkpoint: Checkpoint { path: "c".into(), hash: "00".into() },
            model_conditions: BTreeMap::new(),
            timestamp: "2000-01-01T00:00:00Z".into(),
            device: "cpu".into(),
        };
        let mut text = Vec::new();
        crate::eval::write_items(&items(&set, &scores), &mut text).expect("a Vec takes everything");
        let items = crate::eval::read_items(&mut text.as_slice(), "items").expect("own output is sound");
        (scoreboard(&set, &embeddings, &scores, inputs), items)
    }

    fn good() -> Vec<f32> {
        vec![1.0, 0.0, 1.0, 0.1, 0.0, 1.0, 0.1, 1.0]
    }

    fn bad() -> Vec<f32> {
        vec![1.0, 0.0, 1.0, 0.5, 0.0, 1.0, 1.0, 0.1]
    }

    #[test]
    fn same_content_in_other_bytes_is_no_mismatch() {
        let (a, _) = board(&[1; 32], 42, good());
        let (b, _) = board(&[2; 32], 42, good());
        assert_eq!(match_headers(&a.eval_header, &a.eval_header), Match::Same);
        assert_eq!(match_headers(&a.eval_header, &b.eval_header), Match::SameContent);
        let (comparison, overridden) = compare_baseline(&a, &b, 0.02, false, None).expect("the content is the same");
        assert_eq!((comparison.matched, overridden), (Match::SameContent, None));
    }

    #[test]
    fn seed_items_and_rules_are_mismatches() {
        let (a, _) = board(&[1; 32], 42, good());
        let reasons = |b: &EvalHeader| match match_headers(&a.eval_header, b) {
            Match::Different { reasons } => reasons.len(),
            _ => 0,
        };
        assert_eq!(reasons(&board(&[1; 32], 43, good()).0.eval_header), 1);
        let other = EvalHeader { content_hash: "x".into(), ..a.eval_header.clone() };
        assert_eq!(reasons(&other), 1);
        let rules = EvalHeader { protocol_hash: "x".into(), ..a.eval_header.clone() };
        assert_eq!(reasons(&rules), 1);
        let fewer = EvalHeader { content_hash: "x".into(), item_count: 1, ..a.eval_header.clone() };
        assert_eq!(reasons(&fewer), 2);
    }

    #[test]
    fn a_mismatch_stops_unless_allowed_and_is_recorded() {
        let (a, _) = board(&[1; 32], 42, good());
        let (b, _) = board(&[1; 32], 43, good());
        assert_eq!(compare_baseline(&a, &b, 0.02, false, None).expect_err("seeds differ").id, "G9");
        let (comparison, overridden) = compare_baseline(&a, &b, 0.02, true, None).expect("allowed");
        assert!(matches!(comparison.matched, Match::Different { .. }));
        assert_eq!(overridden.map(|o| o.id).as_deref(), Some("G9"));
    }

    #[test]
    fn regressions_and_flips() {
        let ((before, old), (after, new)) = (board(&[1; 32], 42, good()), board(&[1; 32], 42, bad()));
        assert_eq!((before.overall.correct, after.overall.correct), (3, 1));
        let (c, _) = compare_baseline(&after, &before, 0.02, false, Some((&new, &old))).expect("same eval");
        assert!(!c.passed && c.by_tier[&Tier::Adversarial].regressed, "{c:?}");
        assert_eq!(c.flips, Some(Flips { both_passed: 1, lost: 2, ..Flips::default() }));
        let (c, _) = compare_baseline(&before, &after, 0.02, false, Some((&old, &new[..1]))).expect("same eval");
        assert!(c.passed);
        assert_eq!(c.flips, Some(Flips { both_passed: 1, unpaired: 2, ..Flips::default() }));
        // Exactly the threshold is allowed, whatever its binary form.
        let (mut x, mut y) = (before.clone(), before.clone());
        (x.overall.pass_rate, y.overall.pass_rate) = (Some(0.88), Some(0.90));
        assert!(compare_baseline(&x, &y, 0.02, false, None).expect("same eval").0.passed);
        assert!(!compare_baseline(&x, &y, 0.019, false, None).expect("same eval").0.passed);
    }
}
