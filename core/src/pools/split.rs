//! A training part and a holdout.

use super::manifest::SplitCounts;
use crate::bundles::hold_out;
use crate::data::{Bundle, BundleSet, Pool};
use crate::lexical::hash;
use crate::rng::Stream;
use std::collections::{BTreeMap, HashSet};

/// What stays together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Bundles whose anchors are of one sense: what the holdout asks about, training has never pulled together.
    Sense,
    /// Nothing: bundles are drawn one by one, and senses are on both sides.
    Bundle,
}

/// Indices into the bundles, each ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// The training part.
    pub train: Vec<usize>,
    /// The holdout.
    pub holdout: Vec<usize>,
    /// Senses and texts on both sides.
    pub counts: SplitCounts,
}

/// Splits bundles: about `fraction` (taken as 0 to 1) of those of `pool`, or of all, go to the holdout.
///
/// With a pool, bundles of other pools and tiers stay in training, unless their anchor's sense is held out: those are
/// in neither part. A held-out sense may still be a negative in training; the counts say how often. The draw depends
/// on the seed and on the names of senses (or bundles), not on their order.
#[must_use]
pub fn split(set: &BundleSet, fraction: f64, seed: u64, by: By, pool: Option<Pool>) -> Split {
    let sense = |bundle: &Bundle| set.events[bundle.anchor as usize].sense.as_str();
    let wanted = |bundle: &Bundle| pool.is_none_or(|pool| bundle.metadata.pool() == Some(pool));
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, bundle) in set.bundles.iter().enumerate().filter(|(_, b)| wanted(b)) {
        let name = if by == By::Sense { sense(bundle) } else { &bundle.bundle_id };
        groups.entry(name).or_default().push(i);
    }
    let eligible: usize = groups.values().map(Vec::len).sum();
    let fraction = if fraction > 0.0 { fraction.min(1.0) } else { 0.0 };
    let target = (fraction * eligible as f64).round() as usize;
    let (mut train, holdout) = hold_out(groups, target, |name| Stream::new(seed, "pool split", hash(&[name])));

    let held: HashSet<&str> = holdout.iter().map(|i| sense(&set.bundles[*i])).collect();
    let mut counts = SplitCounts::default();
    for (i, bundle) in set.bundles.iter().enumerate().filter(|(_, b)| !wanted(b)) {
        if by == By::Sense && held.contains(sense(bundle)) {
            counts.left_out += 1;
        } else {
            train.push(i);
        }
    }
    train.sort_unstable();
    count(set, &train, &holdout, &held, &mut counts);
    Split { train, holdout, counts }
}

fn count(set: &BundleSet, train: &[usize], holdout: &[usize], held: &HashSet<&str>, counts: &mut SplitCounts) {
    let event = |index: u32| &set.events[index as usize];
    let bundles = |of: &[usize]| of.iter().map(|i| &set.bundles[*i]).collect::<Vec<_>>();
    let (train, holdout) = (bundles(train), bundles(holdout));
    let known: HashSet<&str> = train.iter().map(|b| event(b.anchor).sense.as_str()).collect();
    let texts: HashSet<&str> =
        train.iter().flat_map(|b| [b.anchor, b.positive]).map(|e| event(e).text.as_str()).collect();
    counts.train_senses = known.len() as u64;
    counts.holdout_senses = held.len() as u64;
    counts.shared_senses = held.intersection(&known).count() as u64;
    let negative_held = |b: &&&Bundle| b.negatives.iter().any(|n| held.contains(event(n.event).sense.as_str()));
    counts.train_with_held_out_negatives = train.iter().filter(negative_held).count() as u64;
    let text_known = |b: &&&Bundle| [b.anchor, b.positive].iter().any(|e| texts.contains(event(*e).text.as_str()));
    counts.holdout_with_known_texts = holdout.iter().filter(text_known).count() as u64;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read_bundles;

    /// Bundles of senses of uneven size, organic and others.
    fn set(count: usize) -> BundleSet {
        let mut stream = Stream::new(5, "split test", 0);
        let line = |i: usize| {
            let sense = (stream.unit() * stream.unit() * 40.0) as usize;
            let other = sense + 1 + stream.below(3);
            let event = |role: &str, sense: usize, text: usize, more: &str| {
                format!(r#"{{"event_id":"{role}{i}","sense":"l#{sense}","text":"text {text}"{more}}}"#)
            };
            let source = ["tier3_organic_miner", "bundle_generator"][stream.below(2)];
            format!(
                r#"{{"bundle_id":"b{i}","anchor":{},"positive":{},"negatives":[{}],"metadata":{{"tier":"tier3_adversarial","source":"{source}"}}}}"#,
                event("a", sense, stream.below(count), ""),
                event("p", sense, count + i, ""),
                event("n", other, 9 * count, r#","source":"sibling""#)
            )
        };
        let lines: Vec<String> = (0..count).map(line).collect();
        read_bundles(&mut lines.join("\n").as_bytes(), "t").expect("bundles")
    }

    fn senses<'a>(set: &'a BundleSet, of: &[usize]) -> HashSet<&'a str> {
        of.iter().map(|i| set.events[set.bundles[*i].anchor as usize].sense.as_str()).collect()
    }

    #[test]
    fn no_sense_is_on_both_sides_and_the_holdout_has_its_size() {
        let set = set(600);
        for pool in [None, Some(Pool::Organic)] {
            let eligible = set.bundles.iter().filter(|b| pool.is_none() || b.metadata.pool() == pool).count();
            let parts = split(&set, 0.2, 7, By::Sense, pool);
            assert!(senses(&set, &parts.train).is_disjoint(&senses(&set, &parts.holdout)));
            let share = parts.holdout.len() as f64 / eligible as f64;
            assert!((0.15..=0.25).contains(&share), "{share} for {pool:?}");
            assert!(parts.holdout.iter().all(|i| pool.is_none() || set.bundles[*i].metadata.pool() == pool));
            let counts = parts.counts;
            assert_eq!(parts.train.len() + parts.holdout.len() + counts.left_out as usize, 600);
            assert_eq!(counts.left_out > 0, pool.is_some());
            assert_eq!(counts.shared_senses, 0);
            assert_eq!(counts.holdout_senses as usize, senses(&set, &parts.holdout).len());
            // By hand: negatives of held-out senses in training.
            let held = senses(&set, &parts.holdout);
            let seen = parts.train.iter().filter(|i| {
                set.bundles[**i].negatives.iter().any(|n| held.contains(set.events[n.event as usize].sense.as_str()))
            });
            assert_eq!(counts.train_with_held_out_negatives as usize, seen.count());
            assert!(counts.train_with_held_out_negatives > 0 && counts.holdout_with_known_texts > 0, "{counts:?}");
            assert_eq!(split(&set, 0.2, 7, By::Sense, pool), parts);
            assert_ne!(split(&set, 0.2, 8, By::Sense, pool).holdout, parts.holdout);
        }
    }

    #[test]
    fn the_draw_does_not_depend_on_the_order_of_bundles() {
        let set = set(300);
        let mut turned = set.clone();
        turned.bundles.reverse();
        for by in [By::Sense, By::Bundle] {
            let ids = |set: &BundleSet, of: &[usize]| -> HashSet<String> {
                of.iter().map(|i| set.bundles[*i].bundle_id.clone()).collect()
            };
            let (a, b) = (split(&set, 0.3, 1, by, None), split(&turned, 0.3, 1, by, None));
            assert_eq!(ids(&set, &a.holdout), ids(&turned, &b.holdout), "{by:?}");
        }
    }

    #[test]
    fn one_by_one_the_size_is_exact_and_senses_are_shared() {
        let set = set(300);
        let parts = split(&set, 0.25, 3, By::Bundle, None);
        assert_eq!((parts.train.len(), parts.holdout.len(), parts.counts.left_out), (225, 75, 0));
        assert!(parts.counts.shared_senses > 0);
        for (fraction, held) in [(f64::NAN, 0), (-1.0, 0), (0.0, 0), (7.0, 300)] {
            assert_eq!(split(&set, fraction, 3, By::Bundle, None).holdout.len(), held, "{fraction}");
        }
        assert_eq!(split(&BundleSet::default(), 0.5, 3, By::Sense, None), Split::default());
    }
}
