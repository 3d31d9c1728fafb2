//! How documents are written.

use serde::Serialize;

/// A value as indented JSON with a line end: every document that the program writes.
///
/// # Errors
/// The value has no JSON form (a map whose keys are not text).
pub fn json_text<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n")
}
