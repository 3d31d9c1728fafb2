//! What text is, by its first lines.

use super::{Kind, json};

/// Lines that are looked at.
const LINES: usize = 20;
/// A longer cell in the first row is no column's name.
const MOST_NAME: usize = 80;

/// Text that starts with `<`.
pub(super) fn markup(start: &[u8]) -> Kind {
    let low = start[..start.len().min(512)].to_ascii_lowercase();
    let has = |text: &str| memchr::memmem::find(&low, text.as_bytes()).is_some();
    if has("<html") || has("<!doctype html") || has("<head") || has("<body") { Kind::Html } else { Kind::Xml }
}

/// Any other text.
pub(super) fn kind(start: &[u8]) -> Kind {
    let lines: Vec<&[u8]> =
        start.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).filter(|l| !l.is_empty()).take(LINES).collect();
    if let Some(object) = lines.iter().find(|line| line.trim_ascii_start().starts_with(b"{")) {
        // The first line is damaged, and the others are not.
        return json::kind(object.trim_ascii_start());
    }
    let Some((first, others)) = lines.split_first() else { return Kind::Empty };
    if first.len() >= 2 && first.starts_with(b"\"") && first.ends_with(b"\"") && !first[1..].starts_with(b",") {
        let text: Result<String, _> = serde_json::from_slice(first);
        if text.is_ok() {
            return Kind::Ids;
        }
    }
    match trec(first).or_else(|| others.first().and_then(|second| trec(second))) {
        Some(kind) => kind,
        None => table(first, others),
    }
}

/// A line of a TREC run (`query Q0 document rank score name`) or of qrels (`query 0 document relevance`).
fn trec(line: &[u8]) -> Option<Kind> {
    let cells: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).filter(|cell| !cell.is_empty()).collect();
    let number = |cell: &[u8]| std::str::from_utf8(cell).is_ok_and(|text| text.parse::<f64>().is_ok());
    match cells.as_slice() {
        [_, q0, _, rank, score, _] if q0.eq_ignore_ascii_case(b"q0") && number(rank) && number(score) => {
            Some(Kind::TrecRun)
        }
        [_, iteration, _, relevance] if number(iteration) && number(relevance) => Some(Kind::Qrels),
        [b"query-id", b"corpus-id", b"score"] => Some(Kind::Qrels),
        _ => None,
    }
}

/// Lines with as many separators as the first, which names columns.
fn table(first: &[u8], others: &[&[u8]]) -> Kind {
    for separator in [b'\t', b';', b','] {
        let cells = separated(first, separator);
        let named = first.split(|byte| *byte == separator).all(|cell| (1..=MOST_NAME).contains(&cell.len()));
        // A cell may hold line ends: the first row is whole, and the second one is enough.
        let alike = others.first().is_some_and(|second| {
            separated(second, separator) == cells || second.iter().filter(|byte| **byte == b'"').count() % 2 == 1
        });
        if cells > 1 && named && alike {
            return if separator == b'\t' { Kind::Tsv } else { Kind::Csv };
        }
    }
    Kind::Text
}

/// Cells of a line; separators within quotes separate nothing.
fn separated(line: &[u8], separator: u8) -> usize {
    let mut quoted = false;
    let mut cells = 1;
    for byte in line {
        match byte {
            b'"' => quoted = !quoted,
            byte if *byte == separator && !quoted => cells += 1,
            _ => {}
        }
    }
    cells
}
