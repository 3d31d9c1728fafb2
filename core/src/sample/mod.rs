//! Sample data: events whose truth is known, made by the program itself.
//!
//! `crucible init --sample-data` and `crucible demo` need data that shows what the tool is for, that anyone may have, and
//! that is the same everywhere. So the texts are written from a lexicon of English words with several senses
//! (`lexicon`), by sentence templates (`phrases`), with seeded streams and integer arithmetic alone. What makes the
//! data hard is put in on purpose:
//!
//! - some pairs of senses of a word share their context and differ in a cue; their events say `confusable: true`;
//! - some compounds differ in the order of two words alone: an *oil seal* keeps oil in, *seal oil* comes from an animal;
//! - the organic set uses templates and words that are rare or absent in the train set;
//! - the train set holds killers that stay dangerous and pseudo-killers that one planted event makes (`truth`).

mod lexicon;
mod lists;
mod phrases;
#[cfg(test)]
mod tests;
mod truth;
mod writer;

pub use truth::{TruthKind, TruthRecord};

use crate::data::Event;
use crate::rng::Stream;
use lexicon::Lemma;
use phrases::Phrases;
use serde_json::{Map, Value};
use std::collections::HashSet;
use writer::{Draft, Given, Set, Writer};

/// A lemma's events are shared out to its senses in these proportions, as in real text, where one sense dominates.
const SKEW: [usize; 5] = [6, 4, 3, 3, 2];
/// Texts that are tried before a sense is held to be exhausted.
const TRIES: usize = 1000;
/// One in so many texts of a document is about the document's main person.
const MAIN_PERSON: usize = 2;

/// What to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleSpec {
    /// Another seed gives other texts of the same kind.
    pub seed: u64,
    /// Train events per sense, on average over a lemma; planted events come on top.
    pub events_per_sense: usize,
    /// Organic events per sense, on average over a lemma.
    pub organic_per_sense: usize,
    /// No sense gets fewer train events, or fewer than `events_per_sense` if that is less.
    pub least_per_sense: usize,
    /// True killers per confusable sense.
    pub killers_per_sense: usize,
    /// So many lemmas at most, from the lexicon's first on.
    pub max_lemmas: usize,
}

impl Default for SampleSpec {
    fn default() -> Self {
        Self {
            seed: 42,
            events_per_sense: 24,
            organic_per_sense: 7,
            least_per_sense: 8,
            killers_per_sense: 2,
            max_lemmas: usize::MAX,
        }
    }
}

/// Generated events and what is known about them.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleData {
    /// Known material, and the planted events.
    pub train: Vec<Event>,
    /// Much new material: other templates, other words.
    pub organic: Vec<Event>,
    /// Killers and pseudo-killers among the train events.
    pub truth: Vec<TruthRecord>,
}

/// An event with what its text was made of.
struct Written<'a> {
    event: Event,
    content: Vec<&'a str>,
}

/// Generates sample data: the same for the same spec, on every platform.
///
/// All texts differ, within the set and between the sets. A spec that asks for more texts than the lexicon can make
/// (many thousands per sense) gets fewer.
#[must_use]
pub fn generate(spec: &SampleSpec) -> SampleData {
    let lemmas = lexicon::built_in();
    let phrases = phrases::built_in();
    let mut press = Press { seed: spec.seed, phrases: &phrases, seen: HashSet::new() };
    let mut data = SampleData { train: Vec::new(), organic: Vec::new(), truth: Vec::new() };
    for lemma in lemmas.iter().take(spec.max_lemmas) {
        let num_senses = lemma.senses.len();
        let mut train: Vec<Vec<Written<'_>>> = (0..num_senses)
            .map(|sense| {
                let count = share(spec.events_per_sense, num_senses, sense);
                let count = count.max(spec.least_per_sense.min(spec.events_per_sense));
                press.events(lemma, sense, Set::Train, count)
            })
            .collect();
        data.truth.extend(truth::find_killers(lemma, &train, spec.killers_per_sense));
        data.truth.extend(truth::plant_pseudo_killers(lemma, &mut train, &mut press));
        data.train.extend(train.into_iter().flatten().map(|written| written.event));
        for sense in 0..num_senses {
            // Two make a pair, the least that an eval set needs.
            let count = share(spec.organic_per_sense, num_senses, sense).max(spec.organic_per_sense.min(2));
            let events = press.events(lemma, sense, Set::Organic, count);
            data.organic.extend(events.into_iter().map(|written| written.event));
        }
    }
    data
}

/// The share of the sense of this rank in `per_sense × num_senses` events.
fn share(per_sense: usize, num_senses: usize, rank: usize) -> usize {
    let weight = |rank: usize| SKEW[rank.min(SKEW.len() - 1)];
    let total: usize = (0..num_senses).map(weight).sum();
    per_sense * num_senses * weight(rank) / total
}

/// Makes events, and no text twice.
struct Press<'a, 'b> {
    seed: u64,
    phrases: &'b Phrases<'a>,
    seen: HashSet<String>,
}

impl<'a> Press<'a, '_> {
    /// Events of one sense, in documents of two to five.
    fn events(&mut self, lemma: &Lemma<'a>, sense: usize, set: Set, count: usize) -> Vec<Written<'a>> {
        let mut stream = Stream::new(self.seed, &format!("sample {set:?} {}", sense_id(lemma, sense)), 0);
        let mut events = Vec::with_capacity(count);
        let mut doc = 0;
        while events.len() < count {
            let size = (2 + stream.below(4)).min(count - events.len());
            let person = self.phrases.who[stream.below(self.phrases.who.len())];
            doc += 1;
            for _ in 0..size {
                let draft = self.new_text(|phrases| {
                    let who = (stream.below(MAIN_PERSON) == 0).then_some(person);
                    Writer { phrases, lemma, sense, set, stream: &mut stream }.write(Given { who, ..Given::default() })
                });
                let Some(draft) = draft else { return events };
                let index = events.len();
                events.push(event(lemma, sense, set, index, doc, draft));
            }
        }
        events
    }

    /// A planted train event, the next of its sense, in a document of its own.
    fn plant(
        &mut self,
        lemma: &Lemma<'a>,
        sense: usize,
        index: usize,
        template: usize,
        given: &Given<'a>,
    ) -> Option<Written<'a>> {
        let purpose = format!("sample planted {}", sense_id(lemma, sense));
        let mut stream = Stream::new(self.seed, &purpose, index as u64);
        let draft = self.new_text(|phrases| {
            Writer { phrases, lemma, sense, set: Set::Train, stream: &mut stream }.plant(template, given.clone())
        })?;
        // Past every document of the sense, which has two events or more.
        Some(event(lemma, sense, Set::Train, index, index + 1, draft))
    }

    fn new_text(&mut self, mut write: impl FnMut(&Phrases<'a>) -> Draft<'a>) -> Option<Draft<'a>> {
        (0..TRIES).map(|_| write(self.phrases)).find(|draft| self.seen.insert(draft.text.clone()))
    }
}

fn sense_id(lemma: &Lemma<'_>, sense: usize) -> String {
    format!("{}#{}", lemma.name, lemma.senses[sense].name)
}

fn event<'a>(lemma: &Lemma<'a>, sense: usize, set: Set, index: usize, doc: usize, draft: Draft<'a>) -> Written<'a> {
    let letter = match set {
        Set::Train => 't',
        Set::Organic => 'o',
    };
    let stem = format!("{}.{}.{letter}", lemma.name, lemma.senses[sense].name);
    let mut extra = Map::new();
    extra.insert("doc".to_owned(), Value::String(format!("{stem}-doc{doc:03}")));
    if lemma.senses[sense].partner.is_some() {
        extra.insert("confusable".to_owned(), Value::Bool(true));
    }
    let event = Event {
        event_id: format!("{stem}{:03}", index + 1),
        sense: sense_id(lemma, sense),
        lemma: lemma.name.to_owned(),
        text: draft.text,
        span: Some(draft.span),
        embedding: None,
        extra,
    };
    Written { event, content: draft.content }
}
