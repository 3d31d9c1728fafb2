//! Events that two collections share: the one rule behind G11, splits of events and `--exclude`.

use crate::data::Event;
use crate::mining::{near_duplicates, normalised};
use crate::parallel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Which texts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of one lemma: a text that asks about another word is another question.
    Lemma,
    /// All of them.
    All,
}

/// How an event is known, best known first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// Its text (without case, spaces and punctuation) is there.
    Text,
    /// Its id is there with its sense. An id alone may be another event's in another file.
    Id,
    /// A near-duplicate of its text is there.
    Near,
}

/// A name that an event shares with another of the same id and sense.
#[must_use]
pub(crate) fn by_id(event: &Event) -> String {
    format!("{}\u{0}{}", event.event_id, event.sense)
}

/// A name that an event shares with another of the same text.
#[must_use]
pub(crate) fn by_text(event: &Event, scope: Scope) -> String {
    let mut name = normalised(&event.text);
    if name.is_empty() {
        // Without letters and digits, such as emoji: texts as they are, or all of them would be one.
        event.text.trim().clone_into(&mut name);
    }
    if scope == Scope::Lemma {
        name.push('\u{0}');
        name += &event.lemma;
    }
    name
}

/// For each of `events` how `known` knows it. Texts are near-duplicates from a Jaccard index of `near_duplicate` of their
/// word shingles on.
///
/// # Panics
/// For a `near_duplicate` outside (0, 1].
#[must_use]
pub fn matches(known: &[&Event], events: &[&Event], near_duplicate: f64, scope: Scope) -> Vec<Option<Match>> {
    let names = |of: &[&Event]| parallel::map(of.len(), |i| [by_text(of[i], scope), by_id(of[i])]);
    let (known_names, own_names) = (names(known), names(events));
    let sets = [0, 1].map(|kind| known_names.iter().map(|n| n[kind].as_str()).collect::<HashSet<&str>>());
    let exact = |names: &[String; 2]| {
        let has = |kind: usize| sets[kind].contains(names[kind].as_str());
        if has(0) { Some(Match::Text) } else { has(1).then_some(Match::Id) }
    };
    let mut out: Vec<Option<Match>> = own_names.iter().map(exact).collect();
    let rest: Vec<usize> = (0..events.len()).filter(|i| out[*i].is_none()).collect();
    let texts: Vec<&str> = known.iter().map(|e| e.text.as_str()).collect();
    let queries: Vec<&str> = rest.iter().map(|i| events[*i].text.as_str()).collect();
    let wanted = |q: u32, t: u32| scope == Scope::All || events[rest[q as usize]].lemma == known[t as usize].lemma;
    for (i, near) in rest.iter().zip(near_duplicates(&texts, &queries, near_duplicate, wanted)) {
        if !near.is_empty() {
            out[*i] = Some(Match::Near);
        }
    }
    out
}

/// An eval set that events were kept apart from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExcludedEval {
    /// Its file.
    pub path: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Distinct events in it.
    pub events: usize,
    /// Events that were left out because of it, and of no eval set before it.
    pub excluded: usize,
}

/// Events that were left out, since eval sets hold them (`--exclude`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exclusion {
    /// The eval sets, in the order given.
    pub evals: Vec<ExcludedEval>,
    /// Events that were left out, all together.
    pub events: usize,
    /// Of them, those whose text an eval set has (without case, spaces and punctuation).
    pub same_text: usize,
    /// Those whose id and sense an eval set has with another text.
    pub same_id: usize,
    /// Those whose text is a near-duplicate of one there.
    pub near_duplicates: usize,
}

impl Exclusion {
    /// Leaves out of `events` what an eval set of the events `eval` holds, in any role and under any lemma. Returns the
    /// others.
    ///
    /// # Panics
    /// For a `near_duplicate` outside (0, 1].
    #[must_use]
    pub fn apply(
        &mut self,
        events: Vec<Event>,
        (path, sha256): (String, String),
        eval: &[Event],
        near_duplicate: f64,
    ) -> Vec<Event> {
        let known: Vec<&Event> = eval.iter().collect();
        let found = matches(&known, &events.iter().collect::<Vec<_>>(), near_duplicate, Scope::All);
        for kind in found.iter().flatten() {
            *match kind {
                Match::Text => &mut self.same_text,
                Match::Id => &mut self.same_id,
                Match::Near => &mut self.near_duplicates,
            } += 1;
        }
        let excluded = found.iter().flatten().count();
        self.events += excluded;
        self.evals.push(ExcludedEval { path, sha256, events: eval.len(), excluded });
        events.into_iter().zip(found).filter(|(_, found)| found.is_none()).map(|(event, _)| event).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, sense: &str, text: &str) -> Event {
        let line = serde_json::json!({"event_id": id, "sense": sense, "text": text}).to_string();
        serde_json::from_str(&line).expect("an event")
    }

    #[test]
    fn texts_ids_and_near_texts_are_known() {
        let known = [
            event("a", "l#1", "The quick brown fox jumps over the lazy dog near the old river bank"),
            event("b", "l#2", "Another text"),
            event("c", "l#3", "😀"),
        ];
        let near = "The quick brown fox jumps over the lazy dog near the old river bank today";
        let cases = [
            (event("x", "l#9", "another  TEXT!"), Some(Match::Text), Some(Match::Text)),
            (event("x", "m#1", "another text"), None, Some(Match::Text)),
            (event("b", "l#2", "quite different words"), Some(Match::Id), Some(Match::Id)),
            (event("b", "l#7", "quite different words"), None, None),
            (event("x", "l#9", near), Some(Match::Near), Some(Match::Near)),
            (event("x", "m#9", near), None, Some(Match::Near)),
            (event("x", "l#3", "😀"), Some(Match::Text), Some(Match::Text)),
            (event("x", "l#3", "😡"), None, None),
        ];
        let known: Vec<&Event> = known.iter().collect();
        for (event, in_lemma, in_all) in &cases {
            let of = |scope| matches(&known, &[event], 0.8, scope)[0];
            assert_eq!((of(Scope::Lemma), of(Scope::All)), (*in_lemma, *in_all), "{event:?}");
        }
    }

    #[test]
    fn an_event_is_excluded_once_and_counted_by_how_it_is_known() {
        let events = vec![
            event("a", "l#1", "one text"),
            event("b", "l#1", "two texts"),
            event("c", "l#1", "the quick brown fox jumps over the lazy dog near the old river bank"),
            event("d", "l#1", "kept"),
        ];
        let mut exclusion = Exclusion::default();
        let file = |name: &str| (name.to_owned(), "hash".to_owned());
        let first = [event("z", "m#1", "ONE text"), event("b", "l#1", "edited since")];
        let rest = exclusion.apply(events, file("first"), &first, 0.8);
        let near = event("y", "l#2", "the quick brown fox jumps over the lazy dog near the old river bank now");
        let second = [first[0].clone(), near];
        let rest = exclusion.apply(rest, file("second"), &second, 0.8);
        assert_eq!(rest.iter().map(|e| e.event_id.as_str()).collect::<Vec<_>>(), ["d"]);
        let Exclusion { evals, events, same_text, same_id, near_duplicates } = exclusion;
        assert_eq!((events, same_text, same_id, near_duplicates), (3, 1, 1, 1));
        assert_eq!(evals.iter().map(|e| (e.events, e.excluded)).collect::<Vec<_>>(), [(2, 2), (2, 1)]);
    }
}
