//! Rows of named values.

mod json;
mod scan;
mod separated;

pub use scan::{Quotes, Separation, Wishes, separation};

use crate::data::Faults;
use serde_json::{Map, Value};
use std::io::BufRead;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    /// JSON objects: one a line, in an array, or as lists of one object (a table by columns).
    JsonLines,
    /// Commas, quotes as in RFC 4180, names in the first row.
    Csv,
    /// The same with tabs; quotes as [`separation`] finds them.
    Tsv,
}

impl RowFormat {
    /// By the end of a file's name, behind that of a packer.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let name = [".gz", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            _ => None,
        }
    }
}

/// One row: values by name, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Where it starts, from 1.
    pub line: u64,
    /// Its values.
    pub values: Map<String, Value>,
}

/// Hands each row of JSON to `take`, in order; memory is that of a few thousand rows. Read are JSON Lines, an array of
/// objects, and one object of columns: lists of one length, as `to_dict` of data frames gives them.
///
/// # Errors
/// All faults, by line: bad JSON, what is no object, no rows. Rows before a fault have been handed over.
pub fn stream_json(reader: &mut dyn BufRead, source: &str, take: &mut dyn FnMut(Row)) -> Result<(), Faults> {
    super::sniff::check(reader, source)?;
    json::rows(reader, source, take)
}

/// Hands each row of a separated text to `take`, in order; memory is that of a row.
///
/// # Errors
/// All faults, by line: rows of another length than the first, text that is not UTF-8, names that occur twice, no rows.
/// Rows before a fault have been handed over.
pub fn stream_separated(
    reader: &mut dyn BufRead,
    separation: &Separation,
    source: &str,
    take: &mut dyn FnMut(Row),
) -> Result<(), Faults> {
    separated::rows(reader, separation, source, take)
}

/// Reads all rows of a small input into memory.
///
/// # Errors
/// As [`stream_json`], [`separation`] and [`stream_separated`].
pub fn read_rows(reader: &mut dyn BufRead, format: RowFormat, source: &str) -> Result<Vec<Row>, Faults> {
    let mut rows = Vec::new();
    let take = &mut |row| rows.push(row);
    if format == RowFormat::JsonLines {
        stream_json(reader, source, take)?;
        return Ok(rows);
    }
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|e| Faults::of_file(source, format!("could not be read: {e}")))?;
    let found = separation(&mut &bytes[..], format, Wishes::default(), source)?;
    stream_separated(&mut &bytes[..], &found, source, take)?;
    Ok(rows)
}

#[cfg(test)]
mod tests;
