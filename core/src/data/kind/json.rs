//! What JSON is, by the names at the top of its first object.

use super::Kind;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// What a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shape {
    #[default]
    Other,
    Text,
    Number,
    List,
    Object,
}

/// Names at the top of an object, and what their values are, up to where it ends or is cut short.
#[derive(Debug, Default)]
struct Names(Vec<(String, Shape)>);

impl Names {
    fn of(text: &[u8]) -> Self {
        let mut names = Self::default();
        // What was found before an error stays.
        let _ = serde_json::Deserializer::from_slice(text).deserialize_map(Top(&mut names));
        names
    }

    fn shape(&self, name: &str) -> Option<Shape> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, shape)| *shape)
    }

    fn has(&self, name: &str) -> bool {
        self.shape(name).is_some()
    }

    /// Whether one of them is there, in any case of its letters, with one of these shapes.
    fn any(&self, names: &[&str], shapes: &[Shape]) -> bool {
        self.0
            .iter()
            .any(|(known, shape)| shapes.contains(shape) && names.iter().any(|name| known.eq_ignore_ascii_case(name)))
    }
}

struct Top<'a>(&'a mut Names);

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            self.0.0.push((name, Shape::Other));
            if let Some((_, shape)) = self.0.0.last_mut() {
                map.next_value_seed(Value(shape))?;
            }
        }
        Ok(())
    }
}

/// Notes the shape before the value is read, since the value may be cut short.
struct Value<'a>(&'a mut Shape);

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        *self.0 = Shape::Text;
        Ok(())
    }
    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        *self.0 = Shape::Number;
        Ok(())
    }
    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        *self.0 = Shape::Number;
        Ok(())
    }
    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        *self.0 = Shape::Number;
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        *self.0 = Shape::List;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        *self.0 = Shape::Object;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// A text that starts with an object.
pub(super) fn kind(start: &[u8]) -> Kind {
    if is_spread(start) {
        return match named(&Names::of(start)) {
            kind @ (Kind::Scoreboard | Kind::Adapter | Kind::ModelConfig) => kind,
            _ => Kind::JsonDocument,
        };
    }
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    named(&Names::of(line))
}

/// Whether the first object goes over several lines.
fn is_spread(start: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(start).into_iter::<IgnoredAny>();
    let end = match values.next() {
        Some(Ok(_)) => values.byte_offset(),
        // Cut short, and no fault up to there.
        Some(Err(e)) if e.is_eof() => start.len(),
        _ => return false,
    };
    start[..end].trim_ascii_end().contains(&b'\n')
}

/// Whether a text that starts with a bracket is an array as far as it goes.
pub(super) fn is_array(start: &[u8]) -> bool {
    match serde_json::Deserializer::from_slice(start).into_iter::<IgnoredAny>().next() {
        Some(Ok(_)) => true,
        Some(Err(e)) => e.is_eof(),
        None => false,
    }
}

const TEXT: &[&str] = &["text", "sentence", "content", "utterance", "query"];
const LABEL: &[&str] = &["label", "label_text", "class", "category", "intent", "target"];
const POSITIVE: &[&str] =
    &["positive", "pos", "negative", "neg", "negatives", "positive_passages", "negative_passages"];

fn named(names: &Names) -> Kind {
    let has = |name: &str| names.has(name);
    let text = &[Shape::Text];
    match () {
        () if has("eval_header") => Kind::Scoreboard,
        () if has("margin") && has("winning_negative") => Kind::Items,
        () if has("peft_type") => Kind::Adapter,
        () if has("model_type") || has("architectures") => Kind::ModelConfig,
        () if has("event_id") && !has("anchor") => Kind::Events,
        () if has("bundle_id")
            || has("anchor_text")
            || has("_header")
            || names.shape("anchor") == Some(Shape::Object) =>
        {
            Kind::Bundles
        }
        () if (has("sense") || has("sense_id")) && has("text") => Kind::Events,
        () if names.any(&["anchor", "query"], text) && names.any(POSITIVE, &[Shape::Text, Shape::List]) => {
            Kind::Triplets
        }
        () if has("_id") && has("text") => Kind::BeirTexts,
        () if names.any(TEXT, text) && names.any(LABEL, &[Shape::Text, Shape::Number]) => Kind::LabelledRows,
        () => Kind::JsonLines,
    }
}
