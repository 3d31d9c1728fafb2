//! What mining knows of the events: labels, texts, what can be drawn, and what is in tier3 already.

use super::shingles::Shingles;
use crate::data::{BundleSet, Event, Tier};
use crate::lexical::Lexical;
use crate::neighbours::Groups;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// Examples kept of each reason.
const EXAMPLES: usize = 5;

/// Events, by number, with what belongs together.
pub struct Corpus<'a> {
    /// The events.
    pub events: &'a [Event],
    pub(super) groups: Groups,
    pub(super) shingles: Shingles,
}

/// Why a sense gives no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhySense {
    /// It has one event.
    SenseWithOneEvent,
    /// All its events have one text (without case, white space made equal).
    SenseWithOneText,
}

/// Senses left out for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SenseLeftOut {
    /// The reason.
    pub why: WhySense,
    /// How many senses.
    pub senses: usize,
    /// The first few.
    pub examples: Vec<String>,
}

impl<'a> Corpus<'a> {
    /// Groups the events.
    ///
    /// # Errors
    /// An event id that is used twice.
    pub fn new(events: &'a [Event]) -> Result<Self, String> {
        let mut ids = HashSet::with_capacity(events.len());
        if let Some(event) = events.iter().find(|e| !ids.insert(e.event_id.as_str())) {
            return Err(format!("event_id \"{}\" is used twice", event.event_id));
        }
        let groups = Groups::new(events);
        let shingles = Shingles::new(&groups.texts);
        Ok(Self { events, groups, shingles })
    }

    /// Distinct texts, without case and with white space made equal.
    #[must_use]
    pub fn texts(&self) -> usize {
        self.groups.texts.len()
    }

    /// Senses.
    #[must_use]
    pub fn senses(&self) -> usize {
        self.groups.senses.len()
    }

    /// Lemmas.
    #[must_use]
    pub fn lemmas(&self) -> usize {
        self.groups.by_lemma.len()
    }

    /// Lemmas of one sense: nothing within them can be confused.
    #[must_use]
    pub fn lemmas_with_one_sense(&self) -> usize {
        let one = |events: &&Vec<u32>| {
            let sense = |e: &u32| self.groups.sense[*e as usize];
            events.iter().all(|e| sense(e) == sense(&events[0]))
        };
        self.groups.by_lemma.iter().filter(one).count()
    }

    /// The lexical embedding, counted over these events' texts.
    #[must_use]
    pub fn lexical(&self) -> Lexical {
        Lexical::fit(&self.groups.texts)
    }

    /// Whether two events' texts are the same or nearly the same.
    pub(super) fn alike(&self, a: u32, b: u32, near_duplicate: f64) -> bool {
        let (a, b) = (self.groups.text[a as usize], self.groups.text[b as usize]);
        a == b || self.shingles.alike(a, b, near_duplicate)
    }

    /// Senses that can't give a pair, by reason.
    #[must_use]
    pub fn left_out(&self) -> Vec<SenseLeftOut> {
        let mut out: Vec<SenseLeftOut> = Vec::new();
        for (sense, events) in self.groups.by_sense.iter().enumerate() {
            let why = match events.len() {
                1 => WhySense::SenseWithOneEvent,
                _ if self.groups.has_two_texts(sense) => continue,
                _ => WhySense::SenseWithOneText,
            };
            let at = out.iter().position(|l| l.why == why).unwrap_or_else(|| {
                out.push(SenseLeftOut { why, senses: 0, examples: Vec::new() });
                out.len() - 1
            });
            out[at].senses += 1;
            if out[at].examples.len() < EXAMPLES {
                out[at].examples.push(self.groups.senses[sense].clone());
            }
        }
        out.sort_by_key(|l| l.why);
        out
    }
}

/// What tier3 holds already.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Anchor and positive.
    pairs: HashSet<(u32, u32)>,
    /// The anchor's sense, and the set of the negatives' senses.
    senses: HashSet<(u32, Vec<u32>)>,
    /// Bundles that were looked at.
    bundles: usize,
}

impl Known {
    /// The tier3 bundles of a set (those without a tier count, too), in numbers of the corpus.
    #[must_use]
    pub fn new(corpus: &Corpus<'_>, set: &BundleSet) -> Self {
        let event: HashMap<&str, u32> = corpus.events.iter().map(|e| e.event_id.as_str()).zip(0..).collect();
        let sense: HashMap<&str, u32> = corpus.groups.senses.iter().map(String::as_str).zip(0..).collect();
        let mut known = Self::default();
        for bundle in set.bundles.iter().filter(|b| is_tier3(b.metadata.tier)) {
            known.bundles += 1;
            let of = |index: u32| &set.events[index as usize];
            let number = |index: u32| event.get(of(index).event_id.as_str()).copied();
            if let (Some(anchor), Some(positive)) = (number(bundle.anchor), number(bundle.positive)) {
                known.pairs.insert((anchor, positive));
            }
            let named = |index: u32| sense.get(of(index).sense.as_str()).copied();
            let negatives: Option<Vec<u32>> = bundle.negatives.iter().map(|n| named(n.event)).collect();
            if let (Some(anchor), Some(negatives)) = (named(bundle.anchor), negatives) {
                known.senses.insert((anchor, set_of(negatives)));
            }
        }
        known
    }

    /// Bundles that were looked at.
    #[must_use]
    pub fn bundles(&self) -> usize {
        self.bundles
    }

    pub(super) fn has_pair(&self, anchor: u32, positive: u32) -> bool {
        self.pairs.contains(&(anchor, positive))
    }

    pub(super) fn has_senses(&self, key: &(u32, Vec<u32>)) -> bool {
        self.senses.contains(key)
    }
}

/// Whether a bundle counts as one of tier3.
pub(super) fn is_tier3(tier: Option<Tier>) -> bool {
    tier.is_none_or(|tier| tier == Tier::Adversarial)
}

/// Each once, ascending.
pub(super) fn set_of(mut numbers: Vec<u32>) -> Vec<u32> {
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}
