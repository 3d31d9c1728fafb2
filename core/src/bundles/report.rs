//! What became of the events: bundles by tier, negatives by source, and who was left out and why.

use super::settings::PerSource;
use crate::data::NegativeSource;
use serde::Serialize;

/// Examples kept of each reason.
const EXAMPLES: usize = 5;

/// Why an event is no anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its sense has no other event.
    SenseWithOneEvent,
    /// All events of its sense have one text.
    SenseWithOneText,
    /// Its sense has `max_per_sense` anchors already.
    OverMaxPerSense,
    /// No source had a negative.
    NoNegative,
}

impl Why {
    /// All reasons.
    pub const ALL: [Self; 4] =
        [Self::SenseWithOneEvent, Self::SenseWithOneText, Self::OverMaxPerSense, Self::NoNegative];
}

/// Events left out for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The reason.
    pub why: Why,
    /// How many.
    pub events: usize,
    /// Ids of the first few.
    pub examples: Vec<String>,
}

/// What [`generate`](super::generate) did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GenerateReport {
    /// Events given.
    pub events: usize,
    /// Distinct texts among them, without case and with white space made equal.
    pub distinct_texts: usize,
    /// Senses.
    pub senses: usize,
    /// Lemmas.
    pub lemmas: usize,
    /// Events that became anchors.
    pub anchors: usize,
    /// Bundles made.
    pub bundles: usize,
    /// Bundles of each tier, easiest first.
    pub tiers: [usize; 3],
    /// Negatives of each tier's bundles by source.
    pub tier_negatives: [PerSource; 3],
    /// All negatives by source.
    pub negatives: PerSource,
    /// Negatives that came from a source beyond its number, in place of another's.
    pub filled_up: PerSource,
    /// Bundles with fewer negatives than asked for.
    pub short_bundles: usize,
    /// Events without a direction: no word, or a zero vector. They fail always.
    pub zero_vectors: usize,
    /// Least, mean and greatest danger; none without bundles.
    pub danger: Option<[f64; 3]>,
    /// Events that are no anchors; reasons that did not occur are absent.
    pub left_out: Vec<LeftOut>,
}

impl GenerateReport {
    pub(super) fn leave_out(&mut self, why: Why, event_id: &str) {
        let at = self.left_out.iter().position(|l| l.why == why).unwrap_or_else(|| {
            self.left_out.push(LeftOut { why, events: 0, examples: Vec::new() });
            self.left_out.len() - 1
        });
        let entry = &mut self.left_out[at];
        entry.events += 1;
        if entry.examples.len() < EXAMPLES {
            entry.examples.push(event_id.to_owned());
        }
    }

    /// Counts one bundle's negatives.
    pub(super) fn count(&mut self, tier: usize, got: PerSource, asked: &PerSource) {
        self.tiers[tier] += 1;
        self.short_bundles += usize::from(got.total() < asked.total());
        for source in NegativeSource::ALL {
            *self.tier_negatives[tier].of_mut(source) += got.of(source);
            *self.negatives.of_mut(source) += got.of(source);
            *self.filled_up.of_mut(source) += got.of(source).saturating_sub(asked.of(source));
        }
    }
}
