//! A pool's bundles beside a corpus of events, under one numbering.

use crate::data::{BundleSet, Event, Fault, Faults};
use std::collections::HashMap;

/// Events, each id once: those of a corpus, then those that only bundles hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workset {
    /// The events.
    pub events: Vec<Event>,
    /// Number of each of the set's events among them.
    pub number: Vec<u32>,
}

impl Workset {
    /// Puts the events of `set`, which came from `source`, beside those of a corpus. Where both describe an event, the
    /// corpus is believed in all but text, sense and lemma, which must be the same.
    ///
    /// # Errors
    /// All events with two texts, senses or lemmas.
    pub fn new(corpus: Vec<Event>, set: &BundleSet, source: &str) -> Result<Self, Faults> {
        let mut number: HashMap<String, u32> = corpus.iter().map(|e| e.event_id.clone()).zip(0..).collect();
        let mut out = Self { events: corpus, number: Vec::with_capacity(set.events.len()) };
        let mut faults = Faults::new(source);
        for event in &set.events {
            let at = *number.entry(event.event_id.clone()).or_insert_with(|| {
                out.events.push(event.clone());
                out.events.len() as u32 - 1
            });
            let known = &out.events[at as usize];
            let parts = [
                ("text", &known.text, &event.text),
                ("sense", &known.sense, &event.sense),
                ("lemma", &known.lemma, &event.lemma),
            ];
            if let Some((field, a, b)) = parts.into_iter().find(|(_, a, b)| a != b) {
                let short = |text: &String| text.chars().take(40).collect::<String>();
                let id = &event.event_id;
                let message =
                    format!("event \"{id}\" is \"{}\" in one place and \"{}\" in another", short(a), short(b));
                faults.push(Fault { line: None, field: Some(field.to_owned()), message });
            }
            out.number.push(at);
        }
        faults.or(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{read_bundles, read_events};

    #[test]
    fn events_of_bundles_join_the_corpus_by_id() {
        let event = |id: &str, sense: &str, more: &str| {
            format!(r#"{{"event_id":"{id}","sense":"{sense}","text":"text of {id}"{more}}}"#)
        };
        let negative = event("n", "s#2", r#","source":"sibling""#);
        let bundle = format!(
            r#"{{"bundle_id":"1","anchor":{},"positive":{},"negatives":[{negative}]}}"#,
            event("a", "s#1", ""),
            event("p", "s#1", "")
        );
        let set = read_bundles(&mut bundle.as_bytes(), "b").expect("a bundle");
        let corpus = |lines: &[String]| read_events(&mut lines.join("\n").as_bytes(), "e").expect("events");
        let both = Workset::new(corpus(&[event("x", "s#1", ""), event("p", "s#1", r#","doc":"d""#)]), &set, "b");
        let both = both.expect("fits");
        let ids: Vec<&str> = both.events.iter().map(|e| e.event_id.as_str()).collect();
        assert_eq!((ids, both.number), (vec!["x", "p", "a", "n"], vec![2, 1, 3]));
        assert!(both.events[1].extra.contains_key("doc"), "as the corpus has it");
        let other = event("n", "s#3", "").replace("text of n", "other");
        let faults = Workset::new(corpus(&[other, event("p", "s#9", "")]), &set, "b").expect_err("differ").to_string();
        assert!(faults.contains("`text`: event \"n\" is \"other\" in one place and \"text of n\""), "{faults}");
        assert!(faults.contains("`sense`: event \"p\" is \"s#9\" in one place"), "{faults}");
    }
}
