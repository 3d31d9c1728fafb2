//! Splitting events into a training part and a holdout, so that what belongs together stays together.

use crate::data::Event;
use crate::lexical::hash;
use crate::neighbours::normal_text;
use crate::rng::Stream;
use std::collections::BTreeMap;

/// What stays together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitBy {
    /// Events of one document (field `doc`); those without one, by text.
    Document,
    /// Events of one text (without case, white space made equal).
    Event,
}

/// Indices of the training events and of the holdout, each ascending; the holdout has about `fraction` of the events
/// (taken as 0 to 1). Groups come in an order drawn from each group's own name, and one that would take the holdout
/// further past its size than it is now short of it is passed over.
#[must_use]
pub fn split_events(events: &[Event], fraction: f64, seed: u64, by: SplitBy) -> (Vec<usize>, Vec<usize>) {
    let mut groups: BTreeMap<(bool, String), Vec<usize>> = BTreeMap::new();
    for (i, event) in events.iter().enumerate() {
        let document = event.extra.get("doc").filter(|d| by == SplitBy::Document && !d.is_null());
        let name = document.map(|d| d.as_str().map_or_else(|| d.to_string(), str::to_owned));
        let key = (name.is_some(), name.unwrap_or_else(|| normal_text(&event.text)));
        groups.entry(key).or_default().push(i);
    }
    let fraction = if fraction > 0.0 { fraction.min(1.0) } else { 0.0 };
    let target = (fraction * events.len() as f64).round() as usize;
    hold_out(groups, target, |key| Stream::new(seed, "split", hash(&[&key.1])))
}

/// Parts groups of indices into those of training and about `target` of the holdout, both ascending. Groups come in an
/// order that each one's `stream` draws, and one that would take the holdout further past its size than it is now
/// short of it is passed over.
pub(crate) fn hold_out<K: Ord>(
    groups: BTreeMap<K, Vec<usize>>,
    target: usize,
    stream: impl Fn(&K) -> Stream,
) -> (Vec<usize>, Vec<usize>) {
    let mut drawn: Vec<_> = groups.into_iter().map(|(key, group)| (stream(&key).bits(), key, group)).collect();
    drawn.sort_unstable();
    let (mut train, mut holdout) = (Vec::new(), Vec::new());
    for (_, _, group) in drawn {
        let taken = holdout.len() < target && 2 * holdout.len() + group.len() <= 2 * target;
        if taken { &mut holdout } else { &mut train }.extend(group);
    }
    train.sort_unstable();
    holdout.sort_unstable();
    (train, holdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<Event> {
        let line = |i: usize| {
            let doc = if i.is_multiple_of(5) { String::new() } else { format!(", \"doc\": \"d{}\"", i % 37) };
            format!("{{\"event_id\": \"e{i}\", \"sense\": \"s#1\", \"text\": \"Text {}\"{doc}}}", i % 150)
        };
        (0..600).map(|i| serde_json::from_str(&line(i)).expect("an event")).collect()
    }

    #[test]
    fn documents_and_texts_stay_together_and_the_holdout_has_its_size() {
        let events = events();
        for by in [SplitBy::Document, SplitBy::Event] {
            let (train, holdout) = split_events(&events, 0.25, 7, by);
            assert!((130..=170).contains(&holdout.len()), "{} events", holdout.len());
            let mut all = [train.clone(), holdout.clone()].concat();
            all.sort_unstable();
            assert_eq!(all, (0..600).collect::<Vec<_>>());
            for (&a, &b) in train.iter().flat_map(|a| holdout.iter().map(move |b| (a, b))) {
                let (a, b) = (&events[a], &events[b]);
                let document = by == SplitBy::Document && (a.extra.contains_key("doc") || b.extra.contains_key("doc"));
                assert!(
                    if document { a.extra != b.extra } else { a.text != b.text },
                    "{} and {}",
                    a.event_id,
                    b.event_id
                );
            }
            assert_eq!(split_events(&events, 0.25, 7, by), (train, holdout.clone()));
            assert_ne!(split_events(&events, 0.25, 8, by).1, holdout);
        }
    }

    #[test]
    fn odd_fractions_and_no_events() {
        let events = events();
        assert!(split_events(&events, f64::NAN, 1, SplitBy::Event).1.is_empty());
        assert!(split_events(&events, -1.0, 1, SplitBy::Event).1.is_empty());
        assert!(split_events(&events, 9.0, 1, SplitBy::Event).0.is_empty());
        assert_eq!(split_events(&[], 0.5, 1, SplitBy::Document), (vec![], vec![]));
    }
}
