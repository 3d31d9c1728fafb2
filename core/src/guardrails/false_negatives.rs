//! G12 suspected false negatives: negatives that may be of the anchor's sense after all.
//!
//! Training pushes them away from what they belong to, and an eval counts a right answer as wrong.

use super::{Finding, Level, Rule};
use crate::data::{Bundle, BundleSet};
use crate::mining::{Shingles, normalised};
use crate::parallel;

/// This guardrail.
pub const RULE: Rule = Rule { id: "G12", name: "false_negatives" };

/// Ids that a message names, at most.
const NAMED: usize = 3;

/// Why one negative is suspected, the surest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Suspicion {
    /// It has the anchor's sense.
    OwnSense,
    /// Its text is the anchor's or the positive's, or a near-duplicate.
    SameText,
    /// It shares at least half of what makes a near-duplicate: the miner's `shared_words`.
    SharedWords,
    None,
}

/// Judges the negatives of `set`. More than `most` of them suspected (`guardrails.false_negative_share`) are CRITICAL; more
/// than a tenth of that a WARNING, where more than words in common speaks against them: sound negatives of a narrow domain
/// share many words with their anchors. `near_duplicate` is the Jaccard index of word shingles that makes one.
#[must_use]
pub fn check(set: &BundleSet, most: f64, near_duplicate: f64) -> Finding {
    let texts: Vec<&str> = set.events.iter().map(|e| e.text.as_str()).collect();
    let (shingles, plain) = (Shingles::new(&texts), parallel::map(texts.len(), |i| normalised(texts[i])));
    let of_bundle = |bundle: &Bundle| -> Vec<Suspicion> {
        let sense = |e: u32| &set.events[e as usize].sense;
        let of = |negative: u32| {
            let against = |a: u32| {
                let index = shingles.jaccard(a, negative);
                if plain[a as usize] == plain[negative as usize] || index >= near_duplicate {
                    Suspicion::SameText
                } else if index >= near_duplicate / 2.0 {
                    Suspicion::SharedWords
                } else {
                    Suspicion::None
                }
            };
            if sense(negative) == sense(bundle.anchor) {
                return Suspicion::OwnSense;
            }
            against(bundle.anchor).min(against(bundle.positive))
        };
        bundle.negatives.iter().map(|n| of(n.event)).collect()
    };
    let found = parallel::map(set.bundles.len(), |i| of_bundle(&set.bundles[i]));
    let count = |wanted: Suspicion| found.iter().flatten().filter(|s| **s == wanted).count();
    let (total, own, same, words) = (
        found.iter().map(Vec::len).sum::<usize>(),
        count(Suspicion::OwnSense),
        count(Suspicion::SameText),
        count(Suspicion::SharedWords),
    );
    let share = if total == 0 { 0.0 } else { (own + same + words) as f64 / total as f64 };
    let seen = format!(
        "{} of {total} negatives are suspected to be none ({:.1} %): {own} have the anchor's sense, {same} its or the \
         positive's text, {words} share many words with them",
        own + same + words,
        100.0 * share
    );
    let sure = (own + same) as f64 / total.max(1) as f64;
    let level = match () {
        () if share > most => Level::Critical,
        () if sure > most / 10.0 => Level::Warning,
        () => Level::Ok,
    };
    let finding = if level == Level::Ok {
        RULE.ok(seen)
    } else {
        let worst = |i: &usize| found[*i].iter().min().copied().unwrap_or(Suspicion::None);
        let mut named: Vec<usize> = (0..found.len()).filter(|i| worst(i) != Suspicion::None).collect();
        named.sort_by_key(worst);
        let more = if named.len() > NAMED { ", …" } else { "" };
        let ids: Vec<&str> = named.iter().take(NAMED).map(|i| set.bundles[*i].bundle_id.as_str()).collect();
        let advice = "look at them (mine --review writes a queue, pool merge --review reads the verdicts), or mine with \
                      guards such as --absolute-margin";
        RULE.finding(level, format!("{seen} ({}{more})", ids.join(", ")), advice)
    };
    let numbers = [
        ("negatives", total as f64),
        ("own_sense", own as f64),
        ("same_text", same as f64),
        ("shared_words", words as f64),
        ("share", share),
        ("false_negative_share", most),
    ];
    numbers.iter().fold(finding, |f, (name, x)| f.with(name, *x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read_bundles;
    use crate::guardrails::Report;
    use std::fmt::Write;

    /// A hundred bundles of two negatives with words of their own; `change` sees the number and the second negative's
    /// text.
    fn set(change: impl Fn(usize) -> Option<String>) -> BundleSet {
        let mut text = String::new();
        for i in 0..100 {
            let words = |role: &str| (0..9).map(|k| format!("{role}{i}x{k}")).collect::<Vec<_>>().join(" ");
            let event = |role: &str, sense: &str, words: &str| {
                format!(r#"{{"event_id":"{role}{i}","sense":"{sense}","text":"{words}"}}"#)
            };
            let (a, p) = (event("a", "l#1", &words("a")), event("p", "l#1", &words("p")));
            let (n, m) = (event("n", "l#2", &words("n")), event("m", "l#2", &change(i).unwrap_or_else(|| words("m"))));
            let _ = writeln!(text, r#"{{"bundle_id":"b{i}","anchor":{a},"positive":{p},"negatives":[{n},{m}]}}"#);
        }
        read_bundles(&mut text.as_bytes(), "test").expect("the test's own bundles are sound")
    }

    fn found(set: &BundleSet) -> Finding {
        check(set, 0.05, 0.8)
    }

    #[test]
    fn silent_on_negatives_of_their_own_and_on_a_single_suspect() {
        assert_eq!(found(&set(|_| None)).level, Level::Ok);
        assert_eq!(found(&BundleSet::default()).level, Level::Ok);
        let one = found(&set(|i| (i == 3).then(|| "A3X0, a3x1 a3x2 a3x3 a3x4 a3x5 a3x6 a3x7 a3x8".to_owned())));
        assert_eq!((one.level, one.numbers["same_text"]), (Level::Ok, 1.0), "half a percent: {one:?}");
    }

    #[test]
    fn fires_on_each_suspicion() {
        let copy = |i: usize, words: usize| (0..words).map(|k| format!("p{i}x{k}")).collect::<Vec<_>>().join(" ");
        let same = found(&set(|i| (i < 2).then(|| copy(i, 9))));
        assert_eq!((same.level, same.numbers["same_text"]), (Level::Warning, 2.0), "{same:?}");
        assert!(same.message.contains("(b0, b1)"), "{same:?}");
        // Six of nine words: four of seven shingles.
        let words = found(&set(|i| (i < 30).then(|| copy(i, 6))));
        assert_eq!((words.level, words.numbers["shared_words"]), (Level::Critical, 30.0), "{words:?}");
        let few = found(&set(|i| (i < 8).then(|| copy(i, 6))));
        assert_eq!((few.level, few.numbers["shared_words"]), (Level::Ok, 8.0), "words in common alone: {few:?}");
        let mut relabelled = set(|_| None);
        let negative = relabelled.bundles[0].negatives[0].event as usize;
        relabelled.events[negative].sense = "l#1".into();
        assert_eq!(found(&relabelled).numbers["own_sense"], 1.0);
    }

    #[test]
    fn can_be_overridden() {
        let bad = set(|i| Some((0..9).map(|k| format!("a{i}x{k}")).collect::<Vec<_>>().join(" ")));
        let findings = vec![found(&bad)];
        assert!(Report::judge(findings.clone(), true, &[]).stops);
        assert!(!Report::judge(findings, true, &["G12".to_owned()]).stops);
    }
}
