//! G11 leakage: before training, whether the training bundles hold what an eval set asks.
//!
//! On bundles that training has seen, a pass rate speaks of memory alone.

use super::{Finding, Level, Rule};
use crate::data::{Bundle, BundleSet, Event};
use crate::overlap::{Match, Scope, by_id, by_text, matches};
use std::collections::HashSet;

/// This guardrail.
pub const RULE: Rule = Rule { id: "G11", name: "leakage" };

/// Ids that a message names, at most.
const NAMED: usize = 3;

/// How an eval item is known to training, best known first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    /// Its anchor and positive are a pair of a training bundle.
    Pair,
    /// Its anchor or its positive is an anchor or a positive there.
    Event,
    /// One of them is a near-duplicate of one there.
    Near,
    No,
}

/// Judges the eval set `eval` (called `name`) against the training bundles `train`. More than `most` of its items
/// (`guardrails.leakage_share`) that training knows are CRITICAL, any are a WARNING.
///
/// An event is known when training has one of its id and sense, or one of its text (but for case, spaces and
/// punctuation) and lemma, as an anchor or positive; two texts of one lemma are near-duplicates from a Jaccard index of
/// `near_duplicate` of their word shingles on. Training negatives do not count: a set that was split by sense shares them.
#[must_use]
pub fn check(train: &BundleSet, eval: &BundleSet, name: &str, most: f64, near_duplicate: f64) -> Finding {
    if eval.bundles.is_empty() {
        return RULE.ok(format!("{name} holds no items"));
    }
    let known = known_items(train, eval, near_duplicate);
    let count = |wanted: Known| known.iter().filter(|k| **k == wanted).count();
    let (pairs, events, near) = (count(Known::Pair), count(Known::Event), count(Known::Near));
    let share = (pairs + events + near) as f64 / eval.bundles.len() as f64;
    let finding = if share == 0.0 {
        RULE.ok(format!("training knows none of the {} items of {name}", eval.bundles.len()))
    } else {
        let level = if share > most { Level::Critical } else { Level::Warning };
        let mut worst: Vec<usize> = (0..known.len()).filter(|i| known[*i] != Known::No).collect();
        worst.sort_by_key(|i| known[*i]);
        let more = if worst.len() > NAMED { ", …" } else { "" };
        let names: Vec<&str> = worst.iter().take(NAMED).map(|i| eval.bundles[*i].bundle_id.as_str()).collect();
        let message = format!(
            "training knows {} of the {} items of {name} ({:.1} %): {pairs} as a pair, {events} by an event, {near} by a \
             near-duplicate text ({}{more})",
            worst.len(),
            known.len(),
            100.0 * share,
            names.join(", ")
        );
        RULE.finding(
            level,
            message,
            "keep these events out of training: `split events` before `bundle` and `mine`, or `--exclude` on both",
        )
    };
    let numbers = [
        ("items", known.len() as f64),
        ("pairs", pairs as f64),
        ("events", events as f64),
        ("near_duplicates", near as f64),
        ("share", share),
        ("leakage_share", most),
    ];
    numbers.iter().fold(finding, |f, (name, x)| f.with(name, *x))
}

fn known_items(train: &BundleSet, eval: &BundleSet, near_duplicate: f64) -> Vec<Known> {
    // Numbers of the events that are an anchor or a positive.
    let used = |set: &BundleSet| -> Vec<u32> {
        let mut used: Vec<u32> = set.bundles.iter().flat_map(|b| [b.anchor, b.positive]).collect();
        used.sort_unstable();
        used.dedup();
        used
    };
    let (trained, asked) = (used(train), used(eval));
    let of_train: Vec<&Event> = trained.iter().map(|e| &train.events[*e as usize]).collect();
    let of_eval: Vec<&Event> = asked.iter().map(|e| &eval.events[*e as usize]).collect();
    let mut event_known = vec![Known::No; eval.events.len()];
    for (event, found) in asked.iter().zip(matches(&of_train, &of_eval, near_duplicate, Scope::Lemma)) {
        event_known[*event as usize] = match found {
            Some(Match::Text | Match::Id) => Known::Event,
            Some(Match::Near) => Known::Near,
            None => Known::No,
        };
    }
    let pairs = |set: &BundleSet| -> Vec<[(String, String); 2]> {
        crate::parallel::map(set.bundles.len(), |i| {
            let [a, p] = [set.bundles[i].anchor, set.bundles[i].positive].map(|e| &set.events[e as usize]);
            let by_text = |e: &Event| by_text(e, Scope::Lemma);
            [unordered(by_id(a), by_id(p)), unordered(by_text(a), by_text(p))]
        })
    };
    let (trained, asked) = (pairs(train), pairs(eval));
    let known_pairs = [0, 1].map(|kind| trained.iter().map(|pair| &pair[kind]).collect::<HashSet<_>>());
    let of_item = |(bundle, pair): (&Bundle, &[(String, String); 2])| {
        if [0, 1].iter().any(|kind| known_pairs[*kind].contains(&pair[*kind])) {
            return Known::Pair;
        }
        event_known[bundle.anchor as usize].min(event_known[bundle.positive as usize])
    };
    eval.bundles.iter().zip(&asked).map(of_item).collect()
}

fn unordered(a: String, b: String) -> (String, String) {
    if a <= b { (a, b) } else { (b, a) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read_bundles;
    use crate::guardrails::Report;
    use std::fmt::Write;

    /// Bundles `from..to`, each of events of its own, with texts of nine words.
    fn set(from: usize, to: usize, change: impl Fn(usize, &str) -> String) -> BundleSet {
        let mut text = String::new();
        for i in from..to {
            let event = |role: &str, sense: &str| {
                let words = format!("the {role} number {i} stands by the w{i} near x{}", i * 7);
                let words = change(i, &words);
                format!(r#"{{"event_id":"{role}{i}","sense":"{sense}","text":"{words}"}}"#)
            };
            let (a, p, n) = (event("anchor", "l#1"), event("positive", "l#1"), event("negative", "l#2"));
            let _ = writeln!(text, r#"{{"bundle_id":"b{i}","anchor":{a},"positive":{p},"negatives":[{n}]}}"#);
        }
        read_bundles(&mut text.as_bytes(), "test").expect("the test's own bundles are sound")
    }

    fn same(_: usize, text: &str) -> String {
        text.to_owned()
    }

    fn found(train: &BundleSet, eval: &BundleSet) -> Finding {
        check(train, eval, "the frozen eval", 0.01, 0.8)
    }

    #[test]
    fn silent_on_sets_apart_and_on_shared_negatives() {
        let train = set(0, 200, same);
        assert_eq!(found(&train, &set(200, 300, same)).level, Level::Ok);
        assert_eq!(found(&train, &BundleSet::default()).level, Level::Ok);
        // The eval's anchors are training negatives only, as after a split by sense.
        let mut other = set(200, 300, same);
        let negatives: Vec<Event> =
            (0..100).map(|i| train.events[train.bundles[i].negatives[0].event as usize].clone()).collect();
        for (bundle, event) in other.bundles.iter().zip(negatives) {
            other.events[bundle.anchor as usize] = event;
        }
        assert_eq!(found(&train, &other).level, Level::Ok);
        // Ids that two files use for different events.
        let other_texts = |i: usize, _: &str| format!("quite another text of w{i} and y{i} and z{i}");
        let mut renumbered = set(0, 100, other_texts);
        renumbered.events.iter_mut().for_each(|e| e.sense = e.sense.replace("l#", "m#"));
        renumbered.events.iter_mut().for_each(|e| e.lemma = "m".into());
        assert_eq!(found(&train, &renumbered).level, Level::Ok);
    }

    #[test]
    fn fires_on_pairs_events_and_near_duplicates() {
        let train = set(0, 200, same);
        let one = found(&train, &set(199, 299, same));
        assert_eq!((one.level, one.numbers["pairs"]), (Level::Warning, 1.0), "one of a hundred: {one:?}");
        let all = found(&train, &set(150, 250, same));
        assert_eq!((all.level, all.numbers["pairs"], all.numbers["share"]), (Level::Critical, 50.0, 0.5));
        assert!(all.message.contains("b150, b151, b152, …"), "{all:?}");
        // Other ids and other spelling.
        let mut respelled = set(0, 10, |_, text| text.to_uppercase().replace(' ', ",  "));
        respelled.events.iter_mut().for_each(|e| e.event_id = format!("new {}", e.event_id));
        assert_eq!(found(&train, &respelled).numbers["pairs"], 10.0);
        // One more word at the end: 9 of 10 shingles are the same.
        let mut near = set(0, 10, |_, text| format!("{text} again"));
        near.events.iter_mut().for_each(|e| e.event_id = format!("new {}", e.event_id));
        let near = found(&train, &near);
        assert_eq!((near.level, near.numbers["near_duplicates"]), (Level::Critical, 10.0), "{near:?}");
        // A known anchor beside a new positive.
        let mut half = set(300, 310, same);
        let anchor = train.events[train.bundles[0].anchor as usize].clone();
        let at = half.bundles[0].anchor as usize;
        half.events[at] = anchor;
        assert_eq!(found(&train, &half).numbers["events"], 1.0);
    }

    #[test]
    fn can_be_overridden() {
        let findings = vec![found(&set(0, 20, same), &set(0, 20, same))];
        assert!(Report::judge(findings.clone(), true, &[]).stops);
        assert!(!Report::judge(findings, true, &["leakage".to_owned()]).stops);
    }
}
