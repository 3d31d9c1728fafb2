//! Rows of named values.

use crate::data::{Fault, Faults, parse_json, read_lines};
use serde_json::{Map, Value};
use std::io::BufRead;

/// The longest row that is read, in bytes.
const MAX_ROW: usize = 16 << 20;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    /// One JSON object a line.
    JsonLines,
    /// Commas, quotes as in RFC 4180, names in the first row.
    Csv,
    /// The same with tabs.
    Tsv,
}

impl RowFormat {
    /// By the end of a file's name, behind that of a packer.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
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

/// Reads all rows.
///
/// # Errors
/// All faults, by line: bad JSON, rows of another length than the first, names that occur twice, no rows.
pub fn read_rows(reader: &mut dyn BufRead, format: RowFormat, source: &str) -> Result<Vec<Row>, Faults> {
    match format {
        RowFormat::JsonLines => json_lines(reader, source),
        RowFormat::Csv => separated(reader, b',', source),
        RowFormat::Tsv => separated(reader, b'\t', source),
    }
}

fn json_lines(reader: &mut dyn BufRead, source: &str) -> Result<Vec<Row>, Faults> {
    let mut rows = Vec::new();
    read_lines(reader, source, "row", parse_json, |line, values: Map<String, Value>| {
        rows.push(Row { line, values });
        Ok(())
    })?;
    Ok(rows)
}

fn separated(reader: &mut dyn BufRead, delimiter: u8, source: &str) -> Result<Vec<Row>, Faults> {
    let mut faults = Faults::new(source);
    // A field that never ends would be read into memory whole.
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(Capped::new(reader));
    let refused = |e: &csv::Error| Faults::of_file(source, e.to_string());
    let names: Vec<String> = reader
        .headers()
        .map_err(|e| refused(&e))?
        .iter()
        .map(|n| n.trim_start_matches('\u{feff}').trim().to_owned())
        .collect();
    if let Some(twice) = names.iter().enumerate().find_map(|(i, n)| names[..i].contains(n).then_some(n)) {
        return Err(Faults::of_file(source, format!("column \"{twice}\" occurs twice")));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(e) if matches!(e.kind(), csv::ErrorKind::Utf8 { .. }) => {
                let line = e.position().map(csv::Position::line);
                faults.push(Fault { line, field: None, message: "is no UTF-8".to_owned() });
                continue;
            }
            Err(e) => return Err(refused(&e)),
        };
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != names.len() {
            let message = format!("has {} fields where the first line names {}", record.len(), names.len());
            faults.push(Fault { line: Some(line), field: None, message });
            continue;
        }
        let values = names.iter().cloned().zip(record.iter().map(Value::from)).collect();
        rows.push(Row { line, values });
    }
    if rows.is_empty() && faults.faults.is_empty() {
        return Err(Faults::of_file(source, "holds no rows below a line of names"));
    }
    faults.or(rows)
}

/// Ends a row that grows beyond [`MAX_ROW`] with an error.
struct Capped<'a> {
    inner: &'a mut dyn BufRead,
    since_newline: usize,
}

impl<'a> Capped<'a> {
    fn new(inner: &'a mut dyn BufRead) -> Self {
        Self { inner, since_newline: 0 }
    }
}

impl std::io::Read for Capped<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(out)?;
        self.since_newline = match out[..n].iter().rposition(|b| *b == b'\n') {
            Some(at) => n - 1 - at,
            None => self.since_newline + n,
        };
        if self.since_newline > MAX_ROW {
            let message = format!("a row is longer than {MAX_ROW} bytes");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, format: RowFormat) -> Result<Vec<Row>, Faults> {
        read_rows(&mut text.as_bytes(), format, "f")
    }

    #[test]
    fn every_form_gives_the_same_rows() {
        let values = |rows: Vec<Row>| rows.into_iter().map(|r| r.values).collect::<Vec<_>>();
        let wanted =
            values(rows("{\"a\": \"x, \\\"y\\\"\", \"b\": \"1\\n2\"}\n", RowFormat::JsonLines).expect("sound"));
        assert_eq!(values(rows("a,b\n\"x, \"\"y\"\"\",\"1\n2\"\n", RowFormat::Csv).expect("sound")), wanted);
        assert_eq!(
            values(rows("\u{feff}a\tb\r\n\"x, \"\"y\"\"\"\t\"1\n2\"\r\n", RowFormat::Tsv).expect("sound")),
            wanted
        );
    }

    #[test]
    fn faults_have_lines() {
        let said = |text: &str, format| rows(text, format).expect_err("refused").to_string();
        let got = said("a,b\n1\n1,2\n1,2,3\n", RowFormat::Csv);
        assert!(got.contains("line 2") && got.contains("has 1 fields") && got.contains("line 4"), "{got}");
        assert!(said("a,a\n1,2\n", RowFormat::Csv).contains("occurs twice"));
        assert!(said("a,b\n", RowFormat::Csv).contains("no rows"));
        assert!(said("", RowFormat::Csv).contains("no rows"));
        assert!(said("[1]\n", RowFormat::JsonLines).contains("line 1"));
        let long = format!("a,b\n\"{}", "x".repeat(MAX_ROW + 10));
        assert!(said(&long, RowFormat::Csv).contains("longer than"));
        let faults = read_rows(&mut &b"a,b\n1,\xff\n1,2\n"[..], RowFormat::Csv, "f").expect_err("refused");
        assert!(faults.to_string().contains("UTF-8"), "{faults}");
    }

    #[test]
    fn formats_are_told_by_names() {
        assert_eq!(RowFormat::of_name("x/a.JSONL.gz"), Some(RowFormat::JsonLines));
        assert_eq!(RowFormat::of_name("a.tsv"), Some(RowFormat::Tsv));
        assert_eq!(RowFormat::of_name("a.parquet"), None);
    }
}
