//! Data in the forms of other libraries, to events and bundles, and from them.
//!
//! [`stream_json`] and [`stream_separated`] turn JSON, CSV and TSV into rows of named values; [`Labelling`] makes events
//! of labelled texts, [`TripletMaker`] bundles of anchors with positives and negatives, both row by row. What comes out goes
//! through the readers of Crucible's own files, so it holds to the same rules.

mod beir;
mod columns;
mod labelled;
mod rows;
mod rows_out;
pub(crate) mod sniff;
mod triplets;

pub use beir::{BeirBundles, BeirReport, BeirText, Judgement, Negatives, Pool};
pub use beir::{BeirFolder, beir_bundles, read_judgements, stream_texts};
pub use columns::own_kind;
pub use labelled::{LabelColumns, LabelReport, Labelling, Labels};
pub use rows::{Quotes, Row, RowFormat, Separation, Wishes};
pub use rows::{read_rows, separation, stream_json, stream_separated};
pub use rows_out::{TripletColumns, TripletForm, write_triplet_lists};
pub use triplets::{Roles, RolesGiven, TripletMaker, TripletReport, Triplets, triplets};

use crate::data::Event;
use crate::lexical::hash;
use serde_json::Value;

/// The field of an event that holds a query's own id, behind which `event_id` has more.
pub(crate) const QUERY_ID: &str = "query_id";
/// The same of a document.
pub(crate) const CORPUS_ID: &str = "corpus_id";
/// The field of a bundle's metadata that holds how relevant the positive is.
pub(crate) const RELEVANCE: &str = "relevance";

/// An id that depends on nothing but what it names.
fn id_of(parts: &[&str]) -> String {
    format!("{:016x}", hash(parts))
}

/// What a query is called elsewhere.
#[must_use]
pub fn query_id(event: &Event) -> &str {
    event.extra.get(QUERY_ID).and_then(Value::as_str).unwrap_or(&event.event_id)
}

/// What a document is called elsewhere.
#[must_use]
pub fn document_id(event: &Event) -> &str {
    event.extra.get(CORPUS_ID).and_then(Value::as_str).unwrap_or(&event.event_id)
}

/// A text or a number as a text.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
