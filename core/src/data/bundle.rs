//! Bundles: an anchor, its positive and its negatives, as a set that stores each distinct event once.

use super::event::{Event, RawEvent, lemma_of};
use super::faults::{Fault, Faults};
use super::lines::{parse_json, read_lines};
use super::tier::{Pool, Tier};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead, Write};

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
    /// The pool of a tier3 bundle (SPEC §2); none for the other tiers.
    #[must_use]
    pub fn pool(&self) -> Option<Pool> {
        if self.tier != Some(Tier::Adversarial) {
            return None;
        }
        let source = self.source.as_deref();
        Some(if source == Some("tier3_organic_miner") {
            Pool::Organic
        } else if self.expansion.as_deref() == Some("tier3x") || source == Some("tier3_expansion") {
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
        for bundle in &self.bundles {
            serde_json::to_writer(&mut *out, &View { set: self, bundle })?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

struct View<'a> {
    set: &'a BundleSet,
    bundle: &'a Bundle,
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
        let event = |index: u32| &self.set.events[index as usize];
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("bundle_id", &self.bundle.bundle_id)?;
        map.serialize_entry("anchor", event(self.bundle.anchor))?;
        map.serialize_entry("positive", event(self.bundle.positive))?;
        let negatives: Vec<_> = self.bundle.negatives.iter().map(|n| NegativeView(event(n.event), n.source)).collect();
        map.serialize_entry("negatives", &negatives)?;
        map.serialize_entry("metadata", &self.bundle.metadata)?;
        for (key, value) in &self.bundle.extra {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Negatives as written: a list of events with `source`, or the prototype's object of lists by source.
struct RawNegatives(Vec<(Event, NegativeSource)>);

impl<'de> Deserialize<'de> for RawNegatives {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NegativesVisitor;
        impl<'de> Visitor<'de> for NegativesVisitor {
            type Value = RawNegatives;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of events, or an object of lists (within_lemma, sibling, cross_lemma)")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawNegatives, A::Error> {
                let mut out = Vec::new();
                while let Some(RawEvent { event, source }) = seq.next_element()? {
                    let source = match source {
                        None => NegativeSource::CrossLemma,
                        Some(name) => source_named(&name)?,
                    };
                    out.push((event, source));
                }
                Ok(RawNegatives(out))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawNegatives, A::Error> {
                let mut lists: [Vec<Event>; 3] = Default::default();
                while let Some(key) = map.next_key::<String>()? {
                    lists[source_named::<A::Error>(&key)? as usize] = map.next_value()?;
                }
                let all = NegativeSource::ALL.into_iter().zip(lists);
                Ok(RawNegatives(all.flat_map(|(s, list)| list.into_iter().map(move |e| (e, s))).collect()))
            }
        }
        deserializer.deserialize_any(NegativesVisitor)
    }
}

fn source_named<E: de::Error>(name: &str) -> Result<NegativeSource, E> {
    NegativeSource::ALL
        .into_iter()
        .find(|s| s.name() == name)
        .ok_or_else(|| E::unknown_variant(name, &["within_lemma", "sibling", "cross_lemma"]))
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MetadataVisitor;
        impl<'de> Visitor<'de> for MetadataVisitor {
            type Value = Metadata;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut out = Metadata::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "tier" | "difficulty_tier" => out.tier = map.next_value()?,
                        "danger_score" => out.danger_score = map.next_value()?,
                        "source" => out.source = map.next_value()?,
                        "expansion" => out.expansion = map.next_value()?,
                        _ => {
                            out.extra.insert(key, map.next_value()?);
                        }
                    }
                }
                Ok(out)
            }
        }
        deserializer.deserialize_map(MetadataVisitor)
    }
}

/// A line of a bundle file: a bundle, a flat eval item, or a header.
enum RawBundle {
    Header,
    Bundle(Box<OwnedBundle>),
}

struct OwnedBundle {
    bundle_id: Option<String>,
    texts: Texts,
    metadata: Metadata,
    extra: Map<String, Value>,
}

enum Texts {
    Events {
        anchor: Box<Event>,
        positive: Box<Event>,
        negatives: Vec<(Event, NegativeSource)>,
    },
    /// The prototype's eval items: texts without labels.
    Flat {
        anchor: String,
        positive: String,
        negatives: Vec<String>,
    },
}

impl<'de> Deserialize<'de> for RawBundle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BundleVisitor;
        impl<'de> Visitor<'de> for BundleVisitor {
            type Value = RawBundle;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a bundle (an object with bundle_id, anchor, positive and negatives)")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawBundle, A::Error> {
                let missing = |name| de::Error::missing_field(name);
                let (mut id, mut anchor, mut positive, mut negatives) = (None, None, None, None);
                let (mut anchor_text, mut positive_text, mut negative_texts) = (None, None, None);
                let mut metadata = Metadata::default();
                let (mut tier, mut danger, mut header) = (None, None, false);
                let mut extra = Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "bundle_id" => id = Some(map.next_value()?),
                        "anchor" => anchor = Some(map.next_value()?),
                        "positive" => positive = Some(map.next_value()?),
                        "negatives" => negatives = Some(map.next_value::<RawNegatives>()?),
                        "anchor_text" => anchor_text = Some(map.next_value()?),
                        "positive_text" => positive_text = Some(map.next_value()?),
                        "negative_texts" => negative_texts = Some(map.next_value()?),
                        "metadata" => metadata = map.next_value::<Option<Metadata>>()?.unwrap_or_default(),
                        "tier" | "difficulty_tier" => tier = map.next_value()?,
                        "danger_score" => danger = map.next_value()?,
                        "_header" => header = map.next_value()?,
                        _ => {
                            extra.insert(key, map.next_value()?);
                        }
                    }
                }
                if header {
                    return Ok(RawBundle::Header);
                }
                metadata.tier = metadata.tier.or(tier);
                metadata.danger_score = metadata.danger_score.or(danger);
                let flat = anchor_text.is_some() || positive_text.is_some() || negative_texts.is_some();
                let texts = if flat {
                    Texts::Flat {
                        anchor: anchor_text.ok_or_else(|| missing("anchor_text"))?,
                        positive: positive_text.ok_or_else(|| missing("positive_text"))?,
                        negatives: negative_texts.ok_or_else(|| missing("negative_texts"))?,
                    }
                } else {
                    let id = id.as_ref().map(|_: &String| ());
                    id.ok_or_else(|| missing("bundle_id"))?;
                    Texts::Events {
                        anchor: anchor.ok_or_else(|| missing("anchor"))?,
                        positive: positive.ok_or_else(|| missing("positive"))?,
                        negatives: negatives.ok_or_else(|| missing("negatives"))?.0,
                    }
                };
                Ok(RawBundle::Bundle(Box::new(OwnedBundle { bundle_id: id, texts, metadata, extra })))
            }
        }
        deserializer.deserialize_map(BundleVisitor)
    }
}

/// A bundle with its events at hand, checked.
struct CheckedBundle {
    bundle_id: String,
    anchor: Event,
    positive: Event,
    negatives: Vec<(Event, NegativeSource)>,
    metadata: Metadata,
    extra: Map<String, Value>,
}

fn flat_event(bundle_id: &str, role: &str, text: String) -> Event {
    let sense = format!("{bundle_id}#{}", if role == "positive" { "anchor" } else { role });
    let lemma = lemma_of(&sense).to_owned();
    let event_id = format!("{bundle_id}/{role}");
    Event { event_id, sense, lemma, text, span: None, embedding: None, extra: Map::new() }
}

fn check_bundle(raw: OwnedBundle, line: u64) -> Result<CheckedBundle, Fault> {
    let fault = |field: String, message: String| Fault { line: None, field: Some(field), message };
    let OwnedBundle { bundle_id, texts, metadata, extra } = raw;
    let bundle_id = bundle_id.unwrap_or_else(|| format!("item_{line}"));
    if bundle_id.trim().is_empty() {
        return Err(fault("bundle_id".into(), "is empty".into()));
    }
    if metadata.danger_score.is_some_and(|d| !d.is_finite()) {
        return Err(fault("metadata.danger_score".into(), "is not finite".into()));
    }
    let labelled = matches!(texts, Texts::Events { .. });
    let (anchor, positive, negatives) = match texts {
        Texts::Events { anchor, positive, negatives } => (*anchor, *positive, negatives),
        Texts::Flat { anchor, positive, negatives } => (
            flat_event(&bundle_id, "anchor", anchor),
            flat_event(&bundle_id, "positive", positive),
            negatives
                .into_iter()
                .enumerate()
                .map(|(i, text)| (flat_event(&bundle_id, &format!("negative_{i}"), text), NegativeSource::CrossLemma))
                .collect(),
        ),
    };
    if negatives.is_empty() || negatives.len() > MAX_NEGATIVES {
        let message = format!("holds {} events; expected 1 to {MAX_NEGATIVES}", negatives.len());
        return Err(fault("negatives".into(), message));
    }
    let check =
        |role: &str, event: &Event| event.check().map_err(|(field, message)| fault(format!("{role}.{field}"), message));
    check("anchor", &anchor)?;
    check("positive", &positive)?;
    for (i, (event, _)) in negatives.iter().enumerate() {
        check(&format!("negatives[{i}]"), event)?;
        if labelled && event.sense == anchor.sense {
            let message = format!("\"{}\" is the anchor's own sense; a negative has another", event.sense);
            return Err(fault(format!("negatives[{i}].sense"), message));
        }
    }
    if positive.sense != anchor.sense {
        let message = format!("is \"{}\", but the anchor's is \"{}\"; they must be one", positive.sense, anchor.sense);
        return Err(fault("positive.sense".into(), message));
    }
    if labelled && positive.event_id == anchor.event_id {
        return Err(fault("positive.event_id".into(), "is the anchor itself".into()));
    }
    Ok(CheckedBundle { bundle_id, anchor, positive, negatives, metadata, extra })
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

/// Reads a bundle file (JSON Lines), in Crucible's form or the prototype's.
///
/// # Errors
/// All faults, by line: bad JSON, missing or empty fields, no negatives, a negative of the anchor's sense, a positive
/// of another, embeddings that are not finite or of different length, bundle ids that were used before.
pub fn read_bundles(reader: &mut dyn BufRead, source: &str) -> Result<BundleSet, Faults> {
    let mut interner = Interner::default();
    let mut bundles = Vec::new();
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut dim: Option<(usize, u64)> = None;
    let fault = |field: &str, message: String| Fault { line: None, field: Some(field.to_owned()), message };
    read_lines(
        reader,
        source,
        "bundle",
        |line| match parse_json::<RawBundle>(line)? {
            RawBundle::Header if line.number == 1 => Ok(None),
            RawBundle::Header => Err(fault("_header", "a header may stand on the first line only".to_owned())),
            RawBundle::Bundle(raw) => check_bundle(*raw, line.number).map(|b| Some(Box::new(b))),
        },
        |line, bundle| {
            let Some(bundle) = bundle else { return Ok(()) };
            let CheckedBundle { bundle_id, anchor, positive, negatives, metadata, extra } = *bundle;
            if let Some(first) = seen.insert(bundle_id.clone(), line) {
                return Err(fault("bundle_id", format!("\"{bundle_id}\" was already used on line {first}")));
            }
            for event in [&anchor, &positive].into_iter().chain(negatives.iter().map(|(e, _)| e)) {
                if let Some(vector) = &event.embedding {
                    let (expected, first) = *dim.get_or_insert((vector.len(), line));
                    if vector.len() != expected {
                        let message = format!("has {} numbers, but line {first} has {expected}", vector.len());
                        return Err(fault("embedding", message));
                    }
                }
            }
            let anchor = interner.add(anchor);
            let positive = interner.add(positive);
            let negatives =
                negatives.into_iter().map(|(e, source)| Negative { event: interner.add(e), source }).collect();
            bundles.push(Bundle { bundle_id, anchor, positive, negatives, metadata, extra });
            Ok(())
        },
    )?;
    if bundles.is_empty() {
        return Err(Faults::of_file(source, "holds a header and no bundles"));
    }
    Ok(BundleSet { events: interner.events, bundles })
}
