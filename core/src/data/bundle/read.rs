//! Reading bundles: Crucible's lines, the prototype's, and its flat eval items.

use super::{BundleSet, BundleSetBuilder, MAX_NEGATIVES, Metadata, NegativeSource, WholeBundle};
use crate::data::event::{Event, RawEvent, lemma_of};
use crate::data::faults::{Fault, Faults};
use crate::data::kind::Wanted;
use crate::data::lines::{check_kind, parse_json, read_lines};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;

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

fn flat_event(bundle_id: &str, role: &str, text: String) -> Event {
    let sense = format!("{bundle_id}#{}", if role == "positive" { "anchor" } else { role });
    let lemma = lemma_of(&sense).to_owned();
    let event_id = format!("{bundle_id}/{role}");
    Event { event_id, sense, lemma, text, span: None, embedding: None, extra: Map::new() }
}

fn check_bundle(raw: OwnedBundle, line: u64) -> Result<WholeBundle, Fault> {
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
    Ok(WholeBundle { bundle_id, anchor, positive, negatives, metadata, extra })
}

/// Reads a bundle file (JSON Lines), in Crucible's form or the prototype's.
///
/// # Errors
/// As [`stream_bundles`].
pub fn read_bundles(reader: &mut dyn BufRead, source: &str) -> Result<BundleSet, Faults> {
    let mut set = BundleSetBuilder::default();
    stream_bundles(reader, source, &mut |_, bundle| {
        set.push(bundle);
        Ok(())
    })?;
    Ok(set.finish())
}

/// Reads a bundle file (JSON Lines) and hands each bundle to `take` with its line, in order; what `take` refuses is a
/// fault of the line. Memory is that of a few thousand lines and of all ids.
///
/// # Errors
/// All faults, by line: bad JSON, missing or empty fields, no negatives, a negative of the anchor's sense, a positive
/// of another, embeddings that are not finite or of different length, bundle ids that were used before.
pub fn stream_bundles(
    reader: &mut dyn BufRead,
    source: &str,
    take: &mut dyn FnMut(u64, WholeBundle) -> Result<(), Fault>,
) -> Result<(), Faults> {
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut dim: Option<(usize, u64)> = None;
    let fault = |field: &str, message: String| Fault { line: None, field: Some(field.to_owned()), message };
    check_kind(reader, source, Wanted::Bundles)?;
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
            if let Some(first) = seen.insert(bundle.bundle_id.clone(), line) {
                let message = format!("\"{}\" was already used on line {first}", bundle.bundle_id);
                return Err(fault("bundle_id", message));
            }
            for event in [&bundle.anchor, &bundle.positive].into_iter().chain(bundle.negatives.iter().map(|(e, _)| e)) {
                if let Some(vector) = &event.embedding {
                    let (expected, first) = *dim.get_or_insert((vector.len(), line));
                    if vector.len() != expected {
                        let message = format!("has {} numbers, but line {first} has {expected}", vector.len());
                        return Err(fault("embedding", message));
                    }
                }
            }
            take(line, *bundle)
        },
    )?;
    if seen.is_empty() {
        return Err(Faults::of_file(source, "holds a header and no bundles"));
    }
    Ok(())
}
