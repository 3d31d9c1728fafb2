//! Data in the forms of other libraries, to events and bundles.
//!
//! [`read_rows`] turns JSON Lines, CSV and TSV into rows of named values; [`Labels`] makes events of labelled texts,
//! [`triplets`] bundles of anchors with positives and negatives. What comes out goes through the readers of Crucible's own
//! files, so it holds to the same rules.

mod labelled;
mod rows;
mod triplets;

pub use labelled::Labels;
pub use rows::{Row, RowFormat, read_rows};
pub use triplets::{Triplets, triplets};

use crate::lexical::hash;
use serde_json::Value;

/// An id that depends on nothing but what it names.
fn id_of(parts: &[&str]) -> String {
    format!("{:016x}", hash(parts))
}

/// A text or a number as a text.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
