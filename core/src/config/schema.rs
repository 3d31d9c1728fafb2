//! The JSON Schema of the configuration, and how to read it.
//!
//! It is generated from the typed sections, and it is what keys, types and ranges are checked against and what the
//! reference is written from: a key that is added to a section is known everywhere at once.

use super::Config;
use serde_json::Value;

/// The JSON Schema of the configuration.
#[must_use]
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let about = "Another configuration that this one is laid over; relative to this file.";
        properties.insert("extends".to_owned(), serde_json::json!({"type": "string", "description": about}));
    }
    schema
}

/// One place in the schema: what may stand at a key.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    root: &'a Value,
    /// The key's own schema, with its description and default.
    outer: &'a Value,
    /// Behind references: its type.
    inner: &'a Value,
    nullable: bool,
}

impl<'a> Place<'a> {
    /// The whole configuration.
    #[must_use]
    pub fn root(schema: &'a Value) -> Self {
        Self::at(schema, schema)
    }

    fn at(root: &'a Value, outer: &'a Value) -> Self {
        let mut inner = outer;
        let mut nullable = false;
        // A reference, or "this or null"; the bound is for a schema that refers to itself.
        for _ in 0..8 {
            if let Some(name) = inner.get("$ref").and_then(Value::as_str) {
                inner = root.pointer(name.trim_start_matches('#')).unwrap_or(inner);
            } else if let Some(options) = inner.get("anyOf").and_then(Value::as_array) {
                let is_null = |o: &&Value| o.get("type").and_then(Value::as_str) == Some("null");
                nullable |= options.iter().any(|o| is_null(&o));
                inner = options.iter().find(|o| !is_null(o)).unwrap_or(inner);
            } else {
                break;
            }
        }
        nullable |= inner.get("type").and_then(Value::as_array).is_some_and(|t| t.iter().any(|t| t == "null"));
        Self { root, outer, inner, nullable }
    }

    /// `object`, `array`, `string`, `integer`, `number` or `boolean`.
    #[must_use]
    pub fn kind(&self) -> &'a str {
        match self.inner.get("type") {
            Some(Value::String(kind)) => kind,
            Some(Value::Array(kinds)) => {
                kinds.iter().filter_map(Value::as_str).find(|k| *k != "null").unwrap_or("null")
            }
            _ if self.inner.get("oneOf").is_some() || self.inner.get("enum").is_some() => "string",
            _ => "null",
        }
    }

    /// Whether "nothing" may stand here.
    #[must_use]
    pub fn nullable(&self) -> bool {
        self.nullable
    }

    /// The keys of a section with their places, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<(&'a str, Place<'a>)> {
        let properties = self.inner.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(|(key, outer)| (key.as_str(), Self::at(self.root, outer))).collect()
    }

    /// The place of one key.
    #[must_use]
    pub fn key(&self, key: &str) -> Option<Place<'a>> {
        Some(Self::at(self.root, self.inner.get("properties")?.get(key)?))
    }

    /// Keys that must be there.
    #[must_use]
    pub fn required(&self) -> Vec<&'a str> {
        self.inner.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// What a list holds.
    #[must_use]
    pub fn items(&self) -> Option<Place<'a>> {
        Some(Self::at(self.root, self.inner.get("items")?))
    }

    /// The length of a list that has a fixed one.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        let (min, max) = (self.inner.get("minItems")?.as_u64()?, self.inner.get("maxItems")?.as_u64()?);
        (min == max).then_some(min)
    }

    /// The words that may stand here, with what they mean; empty: any text.
    #[must_use]
    pub fn words(&self) -> Vec<(&'a str, &'a str)> {
        let text = |v: &'a Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or_default();
        let mut words = Vec::new();
        for option in self.inner.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            match option.get("enum").and_then(Value::as_array) {
                Some(several) => {
                    words.extend(several.iter().filter_map(Value::as_str).map(|w| (w, text(option, "description"))))
                }
                None => words.push((text(option, "const"), text(option, "description"))),
            }
        }
        let plain = self.inner.get("enum").and_then(Value::as_array);
        words.extend(plain.into_iter().flatten().filter_map(Value::as_str).map(|w| (w, "")));
        words
    }

    /// A bound of a number: `minimum`, `maximum`, `exclusiveMinimum` or `exclusiveMaximum`.
    #[must_use]
    pub fn bound(&self, name: &str) -> Option<f64> {
        self.outer.get(name).or_else(|| self.inner.get(name)).and_then(Value::as_f64)
    }

    /// What the key means.
    #[must_use]
    pub fn about(&self) -> &'a str {
        let about = self.outer.get("description").or_else(|| self.inner.get("description"));
        about.and_then(Value::as_str).unwrap_or_default()
    }

    /// What holds when the key is not named.
    #[must_use]
    pub fn default(&self) -> Option<&'a Value> {
        self.outer.get("default")
    }

    /// "a whole number, at least 1".
    #[must_use]
    pub fn expected(&self) -> String {
        match self.kind() {
            "object" => "a section (`key: value` lines)".to_owned(),
            "array" => self.expected_list(),
            "string" => match self.words().as_slice() {
                [] => "text".to_owned(),
                words => one_of(words.iter().map(|(word, _)| *word)),
            },
            "integer" => "a whole number".to_owned() + &self.range(),
            "number" => "a number".to_owned() + &self.range(),
            "boolean" => "`true` or `false`".to_owned(),
            other => other.to_owned(),
        }
    }

    fn expected_list(&self) -> String {
        let item = match self.items().map(|i| i.kind()) {
            Some("integer") => "whole numbers",
            Some("number") => "numbers",
            Some("string") => "texts",
            Some("object") => "sections",
            _ => "values",
        };
        let or_null = if self.items().is_some_and(|i| i.nullable()) { " or `null`" } else { "" };
        match self.length() {
            Some(n) => format!("a list of {n} {item}{or_null}"),
            None => format!("a list of {item}{or_null}"),
        }
    }

    /// ", at least 1 and at most 8"; empty: any number.
    #[must_use]
    pub fn range(&self) -> String {
        let mut bounds = Vec::new();
        let names = [
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        ];
        for (name, words) in names {
            if let Some(bound) = self.bound(name) {
                bounds.push(format!("{words} {bound}"));
            }
        }
        if bounds.is_empty() { String::new() } else { format!(", {}", bounds.join(" and ")) }
    }
}

/// "one of `a`, `b` or `c`".
fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(|w| format!("`{w}`")).collect();
    match words.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
