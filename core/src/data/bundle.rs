//! Bundles: an anchor, its positive and its negatives, as a set that stores each distinct event once.

mod read;

pub use read::{read_bundles, stream_bundles};

use super::event::Event;
use super::tier::{Pool, Tier};
use crate::parallel;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::io::Write;

/// The most negatives that one bundle may have.
pub const MAX_NEGATIVES: usize = 4096;

/// Where a negative came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NegativeSource {
    /// Another sense of the anchor's lemma.
    WithinLemma,
    /// A sense near the anchor's.
    Sibling,
    /// Another lemma.
    CrossLemma,
}

impl NegativeSource {
    /// All, in the order of the specification.
    pub const ALL: [Self; 3] = [Self::WithinLemma, Self::Sibling, Self::CrossLemma];

    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WithinLemma => "within_lemma",
            Self::Sibling => "sibling",
            Self::CrossLemma => "cross_lemma",
        }
    }
}

/// A negative of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negative {
    /// Index into [`BundleSet::events`].
    pub event: u32,
    /// Where it came from.
    pub source: NegativeSource,
}

/// What is known of a bundle besides its texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Danger tier.
    pub tier: Option<Tier>,
    /// Danger when the bundle was made, in cosine units.
    pub danger_score: Option<f64>,
    /// `bundle_generator`, `tier3_organic_miner`, `tier3_expansion`, `manual_curation`.
    pub source: Option<String>,
    /// `tier3x` for variants of a legacy killer.
    pub expansion: Option<String>,
    /// Everything else (`passes`, `lineups_tested`, `mined_at`, `parent`, and unknown fields), carried through.
    pub extra: Map<String, Value>,
}

impl Metadata {
    /// `source` of mined bundles.
    pub const ORGANIC: &'static str = "tier3_organic_miner";
    /// `source` of variants of legacy killers.
    pub const EXPANSION_SOURCE: &'static str = "tier3_expansion";
    /// `expansion` of the same.
    pub const EXPANSION: &'static str = "tier3x";

    /// The pool of a tier3 bundle (SPEC §2); none for the other tiers.
    #[must_use]
    pub fn pool(&self) -> Option<Pool> {
        if self.tier != Some(Tier::Adversarial) {
            return None;
        }
        let source = self.source.as_deref();
        Some(if source == Some(Self::ORGANIC) {
            Pool::Organic
        } else if self.expansion.as_deref() == Some(Self::EXPANSION) || source == Some(Self::EXPANSION_SOURCE) {
            Pool::Expanded
        } else {
            Pool::Legacy
        })
    }
}

/// One bundle; events are indices into [`BundleSet::events`].
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// Unique within a file.
    pub bundle_id: String,
    /// The anchor.
    pub anchor: u32,
    /// Same sense as the anchor, another event.
    pub positive: u32,
    /// At least one, of other senses.
    pub negatives: Vec<Negative>,
    /// Tier, danger, source.
    pub metadata: Metadata,
    /// Unknown fields of the bundle itself, carried through.
    pub extra: Map<String, Value>,
}

/// Bundles and their distinct events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BundleSet {
    /// Each distinct event once, in order of first appearance.
    pub events: Vec<Event>,
    /// The bundles, in the order of the file.
    pub bundles: Vec<Bundle>,
}

impl BundleSet {
    /// Bundles per tier; the last number is of those without a tier.
    #[must_use]
    pub fn tier_counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for bundle in &self.bundles {
            counts[bundle.metadata.tier.map_or(3, Tier::index)] += 1;
        }
        counts
    }

    /// Tier3 bundles per pool.
    #[must_use]
    pub fn pool_counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for pool in self.bundles.iter().filter_map(|b| b.metadata.pool()) {
            counts[pool.index()] += 1;
        }
        counts
    }

    /// Writes the bundles as JSON Lines.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        self.write_some(0..self.bundles.len(), out)
    }

    /// Writes the bundles with these numbers, in this order.
    ///
    /// # Errors
    /// Those of `out`.
    ///
    /// # Panics
    /// There is no bundle of that number.
    pub fn write_some(&self, bundles: impl IntoIterator<Item = usize>, out: &mut dyn Write) -> std::io::Result<()> {
        let bundles: Vec<usize> = bundles.into_iter().collect();
        for some in bundles.chunks(LINES * TASKS) {
            let tasks: Vec<&[usize]> = some.chunks(LINES).collect();
            for lines in parallel::map(tasks.len(), |task| self.lines(tasks[task])) {
                out.write_all(&lines?)?;
            }
        }
        Ok(())
    }

    fn lines(&self, bundles: &[usize]) -> std::io::Result<Vec<u8>> {
        let event = |index: u32| &self.events[index as usize];
        let mut lines = Vec::new();
        for bundle in bundles.iter().map(|i| &self.bundles[*i]) {
            let Bundle { bundle_id, metadata, extra, .. } = bundle;
            let negatives = bundle.negatives.iter().map(|n| NegativeView(event(n.event), n.source)).collect();
            let texts = (event(bundle.anchor), event(bundle.positive), negatives);
            write_line(&View { bundle_id, texts, metadata, extra }, &mut lines)?;
        }
        Ok(lines)
    }
}

/// Lines that are made together.
const LINES: usize = 128;
/// Tasks whose lines are held at the same time.
const TASKS: usize = 32;

fn write_line(view: &View<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, view)?;
    out.write_all(b"\n")
}

/// A bundle as it is written.
struct View<'a> {
    bundle_id: &'a str,
    /// Anchor, positive, negatives.
    texts: (&'a Event, &'a Event, Vec<NegativeView<'a>>),
    metadata: &'a Metadata,
    extra: &'a Map<String, Value>,
}

struct NegativeView<'a>(&'a Event, NegativeSource);

impl Serialize for NegativeView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.0.write_fields(&mut map)?;
        map.serialize_entry("source", &self.1)?;
        map.end()
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(tier) = self.tier {
            map.serialize_entry("tier", &tier)?;
        }
        if let Some(danger) = self.danger_score {
            map.serialize_entry("danger_score", &danger)?;
        }
        if let Some(source) = &self.source {
            map.serialize_entry("source", source)?;
        }
        if let Some(expansion) = &self.expansion {
            map.serialize_entry("expansion", expansion)?;
        }
        for (key, value) in &self.extra {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("bundle_id", self.bundle_id)?;
        map.serialize_entry("anchor", self.texts.0)?;
        map.serialize_entry("positive", self.texts.1)?;
        map.serialize_entry("negatives", &self.texts.2)?;
        map.serialize_entry("metadata", self.metadata)?;
        for (key, value) in self.extra {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// A bundle with its events at hand, for reading a file line by line; [`BundleSet`] shares events instead.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeBundle {
    /// Unique within a file.
    pub bundle_id: String,
    /// The anchor.
    pub anchor: Event,
    /// Same sense as the anchor, another event.
    pub positive: Event,
    /// At least one, of other senses, each with where it came from.
    pub negatives: Vec<(Event, NegativeSource)>,
    /// Tier, danger, source.
    pub metadata: Metadata,
    /// Unknown fields of the bundle itself, carried through.
    pub extra: Map<String, Value>,
}

impl WholeBundle {
    /// Writes the bundle as one line.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let negatives = self.negatives.iter().map(|(event, source)| NegativeView(event, *source)).collect();
        let texts = (&self.anchor, &self.positive, negatives);
        write_line(&View { bundle_id: &self.bundle_id, texts, metadata: &self.metadata, extra: &self.extra }, out)
    }
}

/// Gives each distinct event one index.
#[derive(Default)]
struct Interner {
    events: Vec<Event>,
    by_id: HashMap<String, Vec<u32>>,
}

impl Interner {
    fn add(&mut self, event: Event) -> u32 {
        // Two bundles may describe one id in different words (another span, more fields): both are kept.
        if let Some(known) = self.by_id.get_mut(&event.event_id) {
            if let Some(&index) = known.iter().find(|&&i| self.events[i as usize] == event) {
                return index;
            }
            known.push(self.events.len() as u32);
        } else {
            self.by_id.insert(event.event_id.clone(), vec![self.events.len() as u32]);
        }
        self.events.push(event);
        self.events.len() as u32 - 1
    }
}

/// Makes a set of bundles that come one by one.
#[derive(Default)]
pub struct BundleSetBuilder {
    interner: Interner,
    bundles: Vec<Bundle>,
}

impl BundleSetBuilder {
    /// Adds a bundle.
    pub fn push(&mut self, bundle: WholeBundle) {
        let WholeBundle { bundle_id, anchor, positive, negatives, metadata, extra } = bundle;
        let anchor = self.interner.add(anchor);
        let positive = self.interner.add(positive);
        let negative = |(event, source)| Negative { event: self.interner.add(event), source };
        let negatives = negatives.into_iter().map(negative).collect();
        self.bundles.push(Bundle { bundle_id, anchor, positive, negatives, metadata, extra });
    }

    /// The set.
    #[must_use]
    pub fn finish(self) -> BundleSet {
        BundleSet { events: self.interner.events, bundles: self.bundles }
    }
}
