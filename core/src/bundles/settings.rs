//! What a user may set about bundles, and what is refused.

use crate::data::NegativeSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The deepest pool that negatives are drawn from: memory is events × depth.
pub const MAX_POOL_DEPTH: usize = 512;

/// One number for each source of negatives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerSource {
    /// Other senses of the anchor's lemma.
    pub within_lemma: usize,
    /// Senses near the anchor's.
    pub sibling: usize,
    /// Other lemmas.
    pub cross_lemma: usize,
}

impl PerSource {
    /// The number of one source.
    #[must_use]
    pub fn of(&self, source: NegativeSource) -> usize {
        match source {
            NegativeSource::WithinLemma => self.within_lemma,
            NegativeSource::Sibling => self.sibling,
            NegativeSource::CrossLemma => self.cross_lemma,
        }
    }

    /// The number of one source, to change.
    pub fn of_mut(&mut self, source: NegativeSource) -> &mut usize {
        match source {
            NegativeSource::WithinLemma => &mut self.within_lemma,
            NegativeSource::Sibling => &mut self.sibling,
            NegativeSource::CrossLemma => &mut self.cross_lemma,
        }
    }

    /// All together; saturating, since a user chose them.
    #[must_use]
    pub fn total(&self) -> usize {
        self.within_lemma.saturating_add(self.sibling).saturating_add(self.cross_lemma)
    }
}

/// How bundles are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Negatives of a bundle. A source that has too few is filled up from the others; one set to 0 is never used.
    pub negatives: PerSource,
    /// How many of the nearest texts of a source the negatives are drawn from. Taken as at least the number of
    /// negatives of a bundle, so that sources can fill each other up.
    pub depths: PerSource,
    /// Bundles of one anchor, each with another positive text; fewer where the sense has fewer texts.
    pub bundles_per_event: usize,
    /// At most so many events of a sense become anchors (drawn); all of them by default.
    pub max_per_sense: Option<usize>,
    /// Bundle ids are `{prefix}_{event id}`, and with several bundles an event, `{prefix}_{event id}_{number}`.
    pub id_prefix: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            negatives: PerSource { within_lemma: 3, sibling: 1, cross_lemma: 1 },
            depths: PerSource { within_lemma: 10, sibling: 5, cross_lemma: 20 },
            bundles_per_event: 1,
            max_per_sense: None,
            id_prefix: "bundle".to_owned(),
        }
    }
}

/// Why no bundles were made at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// A setting that makes no sense.
    #[error("{field} is {value}; expected {expected}")]
    Setting {
        /// Its name.
        field: &'static str,
        /// As given.
        value: usize,
        /// In words.
        expected: String,
    },
    /// Vectors of other events.
    #[error("there are {vectors} vectors for {events} events; row i must be event i")]
    Rows {
        /// Rows of the embeddings.
        vectors: usize,
        /// Events given.
        events: usize,
    },
    /// Two events with one id.
    #[error("event_id \"{0}\" is used twice")]
    DuplicateId(String),
}

impl Settings {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn check(&self) -> Result<(), GenerateError> {
        let check = |field, value: usize, least: usize, most: usize| {
            let expected = format!("{least} to {most}");
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(GenerateError::Setting { field, value, expected })
            }
        };
        check("the number of negatives", self.negatives.total(), 1, MAX_POOL_DEPTH)?;
        for source in NegativeSource::ALL {
            check("a pool's depth", self.depths.of(source), 0, MAX_POOL_DEPTH)?;
        }
        check("bundles_per_event", self.bundles_per_event, 1, 1000)?;
        check("max_per_sense", self.max_per_sense.unwrap_or(1), 1, usize::MAX)
    }

    /// The depth of a source's pool; 0 when it is not used.
    pub(super) fn depth(&self, source: NegativeSource) -> usize {
        if self.negatives.of(source) == 0 { 0 } else { self.depths.of(source).max(self.negatives.total()) }
    }
}
