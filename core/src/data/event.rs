//! Events: texts with labels.

use super::faults::{Fault, Faults};
use super::kind::Wanted;
use super::lines::{check_kind, parse_json, read_lines};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;

/// The most dimensions that an event's own embedding may have.
pub const MAX_EMBEDDING_DIM: usize = 65_536;

/// One text with a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Unique within a file.
    pub event_id: String,
    /// The equivalence class.
    pub sense: String,
    /// The group inside which classes get confused; by default the part of `sense` before `#`.
    pub lemma: String,
    /// The text itself, not empty.
    pub text: String,
    /// `[start, end)` of the target word, in characters (Unicode scalar values) of `text`.
    pub span: Option<(u32, u32)>,
    /// A ready vector, finite, of one length over a whole file.
    pub embedding: Option<Vec<f32>>,
    /// Fields that Crucible does not know, carried through.
    pub extra: Map<String, Value>,
}

/// The lemma that a sense belongs to when an event names none.
#[must_use]
pub fn lemma_of(sense: &str) -> &str {
    sense.split_once('#').map_or(sense, |(lemma, _)| lemma)
}

impl Event {
    /// What is wrong with this event, as `(field, message)`.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        for (field, value) in [("event_id", &self.event_id), ("sense", &self.sense), ("text", &self.text)] {
            if value.trim().is_empty() {
                return Err((field, "is empty".to_owned()));
            }
        }
        if let Some((start, end)) = self.span {
            let length = self.text.chars().count();
            if start >= end || end as usize > length {
                let message = format!("[{start}, {end}] is no range in a text of {length} characters");
                return Err(("span", message));
            }
        }
        if let Some(vector) = &self.embedding {
            if vector.is_empty() || vector.len() > MAX_EMBEDDING_DIM {
                let message = format!("has {} numbers; expected 1 to {MAX_EMBEDDING_DIM}", vector.len());
                return Err(("embedding", message));
            }
            if let Some(i) = vector.iter().position(|x| !x.is_finite()) {
                return Err(("embedding", format!("number {} is not finite", i + 1)));
            }
        }
        Ok(())
    }
}

/// A JSON number, or one of the spellings of NaN and infinity that other programs write; those are refused later, by
/// name, rather than as bad JSON.
struct Number(f32);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Number, E> {
                Ok(Number(v as f32))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Number, E> {
                Ok(Number(v as f32))
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Number, E> {
                Ok(Number(v as f32))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Number, E> {
                Ok(Number(f32::NAN))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Number, E> {
                match v {
                    "NaN" | "Infinity" | "-Infinity" => Ok(Number(f32::NAN)),
                    _ => Err(E::invalid_type(de::Unexpected::Str(v), &self)),
                }
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// An event as it was read, with `source` apart: a negative's field, not an event's.
pub(super) struct RawEvent {
    pub(super) event: Event,
    pub(super) source: Option<String>,
}

impl<'de> Deserialize<'de> for RawEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By hand, since serde's `flatten` would buffer every event once more.
        struct EventVisitor;
        impl<'de> Visitor<'de> for EventVisitor {
            type Value = RawEvent;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event (an object with event_id, sense and text)")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawEvent, A::Error> {
                let (mut event_id, mut sense, mut lemma, mut text) = (None, None, None, None);
                let (mut span, mut embedding, mut source) = (None, None, None);
                let mut extra = Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "event_id" => event_id = Some(map.next_value()?),
                        "sense" | "sense_id" => sense = Some(map.next_value::<String>()?),
                        "lemma" => lemma = map.next_value::<Option<String>>()?.filter(|l| !l.is_empty()),
                        "text" => text = Some(map.next_value()?),
                        "span" => span = map.next_value::<Option<(u32, u32)>>()?,
                        "embedding" => embedding = map.next_value::<Option<Vec<Number>>>()?,
                        "source" => source = map.next_value::<Option<String>>()?,
                        _ => {
                            extra.insert(key, map.next_value()?);
                        }
                    }
                }
                let sense = sense.ok_or_else(|| de::Error::missing_field("sense"))?;
                Ok(RawEvent {
                    event: Event {
                        event_id: event_id.ok_or_else(|| de::Error::missing_field("event_id"))?,
                        lemma: lemma.unwrap_or_else(|| lemma_of(&sense).to_owned()),
                        sense,
                        text: text.ok_or_else(|| de::Error::missing_field("text"))?,
                        span,
                        embedding: embedding.map(|v| v.into_iter().map(|n| n.0).collect()),
                        extra,
                    },
                    source,
                })
            }
        }
        deserializer.deserialize_map(EventVisitor)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let RawEvent { mut event, source } = RawEvent::deserialize(deserializer)?;
        if let Some(source) = source {
            event.extra.insert("source".to_owned(), Value::String(source));
        }
        Ok(event)
    }
}

impl Event {
    /// Writes the event's fields into an open JSON object.
    pub(super) fn write_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("event_id", &self.event_id)?;
        map.serialize_entry("sense", &self.sense)?;
        map.serialize_entry("lemma", &self.lemma)?;
        map.serialize_entry("text", &self.text)?;
        if let Some(span) = &self.span {
            map.serialize_entry("span", span)?;
        }
        if let Some(embedding) = &self.embedding {
            map.serialize_entry("embedding", embedding)?;
        }
        for (key, value) in &self.extra {
            map.serialize_entry(key, value)?;
        }
        Ok(())
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write_fields(&mut map)?;
        map.end()
    }
}

/// Reads an events file (JSON Lines).
///
/// # Errors
/// All faults, by line: bad JSON, missing or empty fields, spans outside the text, embeddings that are not finite or
/// not all of one length, ids that were used before.
pub fn read_events(reader: &mut dyn BufRead, source: &str) -> Result<Vec<Event>, Faults> {
    let mut events: Vec<Event> = Vec::new();
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut dim: Option<(usize, u64)> = None;
    let fault = |field: &str, message: String| Fault { line: None, field: Some(field.to_owned()), message };
    check_kind(reader, source, Wanted::Events)?;
    read_lines(
        reader,
        source,
        "event",
        |line| {
            let event: Event = parse_json(line)?;
            event.check().map_err(|(field, message)| fault(field, message))?;
            Ok(event)
        },
        |line, event| {
            if let Some(vector) = &event.embedding {
                let (expected, first) = *dim.get_or_insert((vector.len(), line));
                if vector.len() != expected {
                    let message = format!("has {} numbers, but line {first} has {expected}", vector.len());
                    return Err(fault("embedding", message));
                }
            }
            if let Some(first) = seen.insert(event.event_id.clone(), line) {
                return Err(fault("event_id", format!("\"{}\" was already used on line {first}", event.event_id)));
            }
            events.push(event);
            Ok(())
        },
    )?;
    Ok(events)
}
