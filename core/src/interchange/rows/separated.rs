//! Rows of separated texts.

use super::{Quotes, Row, Separation};
use crate::data::{Fault, Faults, MAX_LINE_BYTES};
use crate::interchange::columns::shown;
use serde_json::Value;
use std::collections::HashSet;
use std::io::{self, BufRead, ErrorKind, Read};

/// More columns are no table of texts.
const MAX_COLUMNS: usize = 10_000;

pub(super) fn rows(
    reader: &mut dyn BufRead,
    separation: &Separation,
    source: &str,
    take: &mut dyn FnMut(Row),
) -> Result<(), Faults> {
    let mut faults = Faults::new(source);
    let skipped = separation.skipped;
    pass_lines(reader, skipped).map_err(|e| Faults::of_file(source, format!("could not be read: {e}")))?;
    // A field that never ends would be read into memory whole.
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separation.delimiter)
        .quoting(separation.quotes == Quotes::Csv)
        .flexible(true)
        .from_reader(Capped { inner: reader, since_newline: 0 });
    let refused = |e: &csv::Error| match e.kind() {
        csv::ErrorKind::Utf8 { .. } => Faults::of_file(source, format!("line {}: {NO_UTF8}", skipped + 1)),
        _ => Faults::of_file(source, e.to_string()),
    };
    let names =
        names(reader.headers().map_err(|e| refused(&e))?).map_err(|message| Faults::of_file(source, message))?;
    let mut any = false;
    for record in reader.records() {
        let line = |position: Option<&csv::Position>| position.map(|p| p.line() + skipped);
        let record = match record {
            Ok(record) => record,
            Err(e) if matches!(e.kind(), csv::ErrorKind::Utf8 { .. }) => {
                faults.push(Fault { line: line(e.position()), field: None, message: NO_UTF8.to_owned() });
                continue;
            }
            Err(e) => return Err(refused(&e)),
        };
        let line = line(record.position());
        if record.len() != names.len() {
            let message = format!("has {} fields where the first line names {}", record.len(), names.len());
            faults.push(Fault { line, field: None, message });
            continue;
        }
        any = true;
        let values = names.iter().cloned().zip(record.iter().map(Value::from)).collect();
        take(Row { line: line.unwrap_or(0), values });
    }
    if !any && faults.faults.is_empty() {
        return Err(Faults::of_file(source, "holds no rows below a line of names"));
    }
    faults.or(())
}

const NO_UTF8: &str = "is no UTF-8; save the file as UTF-8, such as with `iconv -f LATIN1 -t UTF-8 FILE > NEW`";

fn pass_lines(reader: &mut dyn BufRead, count: u64) -> io::Result<()> {
    for _ in 0..count {
        (&mut *reader).take(MAX_LINE_BYTES as u64).skip_until(b'\n')?;
    }
    Ok(())
}

fn names(headers: &csv::StringRecord) -> Result<Vec<String>, String> {
    if headers.len() > MAX_COLUMNS {
        return Err(format!("has {} columns; at most {MAX_COLUMNS} are read", headers.len()));
    }
    let names: Vec<String> = headers.iter().map(|n| n.trim_start_matches('\u{feff}').trim().to_owned()).collect();
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(twice) => Err(format!("column \"{}\" occurs twice", shown(twice))),
        None => Ok(names),
    }
}

/// Ends a row that grows beyond [`MAX_LINE_BYTES`] with an error.
struct Capped<'a> {
    inner: &'a mut dyn BufRead,
    since_newline: usize,
}

impl Read for Capped<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.since_newline = match out[..n].iter().rposition(|b| *b == b'\n') {
            Some(at) => n - 1 - at,
            None => self.since_newline + n,
        };
        if self.since_newline > MAX_LINE_BYTES {
            let message = format!("a row is longer than {MAX_LINE_BYTES} bytes");
            return Err(io::Error::new(ErrorKind::InvalidData, message));
        }
        Ok(n)
    }
}
