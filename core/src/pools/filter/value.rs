//! What a field of a bundle holds.

use super::parse::Literal;
use crate::data::{Event, Metadata, NegativeSource, Pool, Tier, WholeBundle};
use crate::pools::Strength;
use serde_json::{Map, Value as Json};
use std::cmp::Ordering;
use std::fmt;

/// Names that mean the same for every bundle; others are looked up in its metadata, then in the bundle itself.
pub(super) const NAMES: [&str; 17] = [
    "bundle_id",
    "tier",
    "pool",
    "danger_score",
    "source",
    "expansion",
    "strength",
    "sense",
    "lemma",
    "text",
    "negatives",
    "passes",
    "lineups_tested",
    "mined_at",
    "parent",
    "anchor.event_id",
    "positive.event_id",
];

/// A value to compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// Null, or not there.
    Absent,
    Number(f64),
    Text(&'a str),
    Truth(bool),
    /// A list or an object.
    Whole(&'static str),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("missing"),
            Self::Number(number) => write!(f, "the number {number}"),
            Self::Text(text) if text.chars().count() > 40 => {
                write!(f, "the text \"{}…\"", text.chars().take(40).collect::<String>())
            }
            Self::Text(text) => write!(f, "the text \"{text}\""),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::Whole(what) => f.write_str(what),
        }
    }
}

pub(super) fn shown(literal: &Literal) -> String {
    Value::literal(literal).to_string()
}

impl<'a> Value<'a> {
    pub(super) fn literal(literal: &'a Literal) -> Self {
        match literal {
            Literal::Number(number) => Self::Number(*number),
            Literal::Text(text) => Self::Text(text),
            Literal::Truth(truth) => Self::Truth(*truth),
            Literal::Null => Self::Absent,
        }
    }

    fn json(value: Option<&'a Json>) -> Self {
        match value {
            None | Some(Json::Null) => Self::Absent,
            Some(Json::Bool(truth)) => Self::Truth(*truth),
            Some(Json::Number(number)) => number.as_f64().map_or(Self::Absent, Self::Number),
            Some(Json::String(text)) => Self::Text(text),
            Some(Json::Array(_)) => Self::Whole("a list"),
            Some(Json::Object(_)) => Self::Whole("an object"),
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        *self == Self::Absent
    }

    /// The order of two values that are there: texts by their characters' numbers. `None` where they are equal or not
    /// and have no order: two truths that differ. `Err` for two kinds, and for what can't be compared.
    pub(super) fn compare(&self, other: &Self) -> Result<Option<Ordering>, ()> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b).ok_or(()).map(Some),
            (Self::Text(a), Self::Text(b)) => Ok(Some(a.cmp(b))),
            (Self::Truth(a), Self::Truth(b)) => Ok((a == b).then_some(Ordering::Equal)),
            _ => Err(()),
        }
    }
}

/// Why a path names no value.
pub(super) fn incomplete(path: &[String]) -> Option<String> {
    let whole = |name: &str| format!("`{name}` is an event; name a field of it, such as `{name}.sense`");
    match path {
        [only] if only == "anchor" || only == "positive" => Some(whole(only)),
        [only] if only == "metadata" => Some("name a field of the metadata, such as `metadata.passes`".to_owned()),
        [first, source, ..] if first == "negatives" => {
            let known = path.len() == 2 && NegativeSource::ALL.iter().any(|s| s.name() == source);
            (!known).then(|| {
                "of negatives, only their number is known: `negatives`, or of one source `negatives.within_lemma`, \
                 `negatives.sibling`, `negatives.cross_lemma`"
                    .to_owned()
            })
        }
        _ => None,
    }
}

/// The value of a field.
pub(super) fn of<'a>(bundle: &'a WholeBundle, path: &[String]) -> Value<'a> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path[..] {
        ["bundle_id"] => Value::Text(&bundle.bundle_id),
        ["sense" | "lemma" | "text"] => of_event(&bundle.anchor, &path),
        ["pool"] => bundle.metadata.pool().map(Pool::name).map_or(Value::Absent, Value::Text),
        ["strength"] => Strength::of(&bundle.metadata).map(Strength::name).map_or(Value::Absent, Value::Text),
        ["negatives"] => Value::Number(bundle.negatives.len() as f64),
        ["negatives", source] => {
            Value::Number(bundle.negatives.iter().filter(|(_, s)| s.name() == source).count() as f64)
        }
        ["anchor", ref rest @ ..] if !rest.is_empty() => of_event(&bundle.anchor, rest),
        ["positive", ref rest @ ..] if !rest.is_empty() => of_event(&bundle.positive, rest),
        ["metadata", ref rest @ ..] if !rest.is_empty() => of_metadata(&bundle.metadata, rest),
        ref path => match of_metadata(&bundle.metadata, path) {
            Value::Absent => nested(&bundle.extra, path),
            found => found,
        },
    }
}

fn of_event<'a>(event: &'a Event, path: &[&str]) -> Value<'a> {
    match path {
        ["event_id"] => Value::Text(&event.event_id),
        ["sense"] => Value::Text(&event.sense),
        ["lemma"] => Value::Text(&event.lemma),
        ["text"] => Value::Text(&event.text),
        ["span"] => event.span.map_or(Value::Absent, |_| Value::Whole("a list")),
        ["embedding"] => event.embedding.as_ref().map_or(Value::Absent, |_| Value::Whole("a list")),
        _ => nested(&event.extra, path),
    }
}

fn of_metadata<'a>(metadata: &'a Metadata, path: &[&str]) -> Value<'a> {
    let text = |text: &'a Option<String>| text.as_deref().map_or(Value::Absent, Value::Text);
    match path {
        ["tier"] => metadata.tier.map(Tier::name).map_or(Value::Absent, Value::Text),
        ["danger_score"] => metadata.danger_score.map_or(Value::Absent, Value::Number),
        ["source"] => text(&metadata.source),
        ["expansion"] => text(&metadata.expansion),
        _ => nested(&metadata.extra, path),
    }
}

fn nested<'a>(map: &'a Map<String, Json>, path: &[&str]) -> Value<'a> {
    let [first, rest @ ..] = path else { return Value::Absent };
    Value::json(rest.iter().try_fold(map.get(*first), |value, key| Some(value?.get(key))).flatten())
}
