//! Splitting events into a training part and a holdout, so that what belongs together stays together.

use crate::data::Event;
use crate::lexical::hash;
use crate::neighbours::normal_text;
use crate::overlap::{Scope, matches};
use crate::rng::Stream;
use std::collections::BTreeMap;

/// What stays together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitBy {
    /// Events of one document (field `doc`); those without one, by text.
    Document,
    /// Events of one text (without case, white space made equal).
    Event,
    /// Events of one lemma.
    Lemma,
    /// Events of one sense.
    Sense,
}

impl SplitBy {
    /// The group of an event; events without a document are grouped by text, apart from those with one.
    fn group(self, event: &Event) -> (bool, String) {
        let text = || normal_text(&event.text);
        match self {
            Self::Document => document(event).map_or_else(|| (false, text()), |name| (true, name)),
            Self::Event => (false, text()),
            Self::Lemma => (false, event.lemma.clone()),
            Self::Sense => (false, event.sense.clone()),
        }
    }
}

/// The document that an event names (field `doc`).
fn document(event: &Event) -> Option<String> {
    let document = event.extra.get("doc").filter(|d| !d.is_null())?;
    Some(document.as_str().map_or_else(|| document.to_string(), str::to_owned))
}

/// Indices of events, each list ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldBack {
    /// Those to train on.
    pub train: Vec<usize>,
    /// Those that are kept back: none has a text that one to train on has, or nearly has.
    pub holdout: Vec<usize>,
    /// Those in neither: they were drawn for the holdout, and repeat a text to train on.
    pub repeated: Vec<usize>,
}

/// Keeps about `fraction` of the events back for an eval set, as [`split_events`] draws them, less those whose texts
/// repeat a training text: the same, or a near-duplicate from a Jaccard index of `near_duplicate` on, under any lemma.
///
/// # Panics
/// For a `near_duplicate` outside (0, 1].
#[must_use]
pub fn hold_back(events: &[Event], fraction: f64, seed: u64, by: SplitBy, near_duplicate: f64) -> HeldBack {
    let (train, drawn) = split_events(events, fraction, seed, by);
    let of = |indices: &[usize]| indices.iter().map(|i| &events[*i]).collect::<Vec<_>>();
    let known = matches(&of(&train), &of(&drawn), near_duplicate, Scope::All);
    let (mut holdout, mut repeated) = (Vec::new(), Vec::new());
    for (index, known) in drawn.into_iter().zip(known) {
        if known.is_some() { &mut repeated } else { &mut holdout }.push(index);
    }
    HeldBack { train, holdout, repeated }
}

/// Indices of the training events and of the holdout, each ascending; the holdout has about `fraction` of the events
/// (taken as 0 to 1). Groups come in an order drawn from each group's own name, and one that would take the holdout
/// further past its size than it is now short of it is passed over.
#[must_use]
pub fn split_events(events: &[Event], fraction: f64, seed: u64, by: SplitBy) -> (Vec<usize>, Vec<usize>) {
    let mut groups: BTreeMap<(bool, String), Vec<usize>> = BTreeMap::new();
    for (i, event) in events.iter().enumerate() {
        groups.entry(by.group(event)).or_default().push(i);
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
    use std::collections::BTreeSet;

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
    fn lemmas_and_senses_stay_together() {
        let line = |i: usize| format!(r#"{{"event_id":"e{i}","sense":"l{}#{}","text":"text {i}"}}"#, i % 20, i % 40);
        let events: Vec<Event> = (0..400).map(|i| serde_json::from_str(&line(i)).expect("an event")).collect();
        for by in [SplitBy::Lemma, SplitBy::Sense] {
            let name = |i: &usize| if by == SplitBy::Lemma { &events[*i].lemma } else { &events[*i].sense };
            let (train, holdout) = split_events(&events, 0.2, 3, by);
            assert_eq!((train.len(), holdout.len()), (320, 80), "{by:?}");
            let known: BTreeSet<&String> = train.iter().map(name).collect();
            assert!(holdout.iter().all(|i| !known.contains(name(i))), "{by:?}");
        }
        let senses = split_events(&events, 0.2, 3, SplitBy::Sense);
        let lemmas: BTreeSet<&String> = senses.0.iter().map(|i| &events[*i].lemma).collect();
        assert!(senses.1.iter().any(|i| lemmas.contains(&events[*i].lemma)), "senses of one lemma part");
    }

    #[test]
    fn no_text_of_the_holdout_is_nearly_one_to_train_on() {
        // Five texts of one wording each, of two lemmas, and one of them in capitals; ten others.
        let text = |i: usize| match i {
            0..5 => format!("the meeting of the north committee was moved to the large hall on monday at {i}"),
            5 => "THE MEETING of the north committee was moved, to the large hall on Monday at 0".to_owned(),
            _ => format!("w{i} x{i} y{i} z{i}"),
        };
        let line = |i: usize| format!(r#"{{"event_id":"e{i}","sense":"l{}#1","text":"{}"}}"#, i % 2, text(i));
        let events: Vec<Event> = (0..16).map(|i| serde_json::from_str(&line(i)).expect("an event")).collect();
        let mut repeated = 0;
        for seed in 0..20 {
            for by in [SplitBy::Event, SplitBy::Lemma, SplitBy::Sense] {
                let parts = hold_back(&events, 0.5, seed, by, 0.8);
                let near = |i: &usize| *i < 6;
                assert!(!(parts.train.iter().any(near) && parts.holdout.iter().any(near)), "{by:?}: {parts:?}");
                assert!(parts.repeated.iter().all(near), "{by:?}: {parts:?}");
                assert_eq!(parts.train.len() + parts.holdout.len() + parts.repeated.len(), 16);
                repeated += parts.repeated.len();
            }
        }
        assert!(repeated > 0);
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
