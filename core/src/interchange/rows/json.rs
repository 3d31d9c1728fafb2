//! JSON: one object a line, an array of objects, or one object whose values are columns.

use super::Row;
use crate::data::{Fault, Faults, MAX_LINE_BYTES, parse_json, read_lines};
use crate::interchange::columns::{listed, shown};
use serde_json::{Map, Value};
use std::io::{self, BufRead, Cursor, Read};

/// An object over many lines is held whole; a larger one is refused.
const MAX_WHOLE: usize = 64 << 20;
/// Elements of an array that are parsed together, and their bytes, about.
const BLOCK: (usize, usize) = (4096, 8 << 20);

type Take<'a> = &'a mut dyn FnMut(Row);

pub(super) fn rows(reader: &mut dyn BufRead, source: &str, take: Take<'_>) -> Result<(), Faults> {
    let failed = |e: io::Error| Faults::of_file(source, format!("could not be read: {e}"));
    let head = reader.fill_buf().map_err(failed)?;
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let first = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match start.first() {
        Some(b'[') => elements(reader, source, true, take),
        // The first line opens an object that it does not close.
        Some(b'{') if first.len() < start.len() && is_cut(first) => whole(reader, source, take),
        None | Some(b'{') => lines(reader, source, take),
        Some(_) => {
            let begin: String = String::from_utf8_lossy(first).trim().chars().take(30).collect();
            let message = format!(
                "is no JSON: it begins with \"{}\"; if its rows are separated by commas or tabs, name it .csv or .tsv",
                shown(&begin)
            );
            Err(Faults::of_file(source, message))
        }
    }
}

fn is_cut(text: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).is_err_and(|e| e.is_eof())
}

fn lines(reader: &mut dyn BufRead, source: &str, take: Take<'_>) -> Result<(), Faults> {
    // The only line of a file may be a table by columns, or hold several: it waits for a second one.
    let (mut waiting, mut rows) = (None::<Row>, 0u64);
    read_lines(reader, source, "row", parse_json, |line, values: Map<String, Value>| {
        rows += 1;
        if let Some(first) = waiting.take() {
            take(first);
        }
        let row = Row { line, values };
        if rows == 1 && row.values.values().all(|value| value.is_array() || value.is_object()) {
            waiting = Some(row);
        } else {
            take(row);
        }
        Ok(())
    })?;
    match waiting {
        None => Ok(()),
        Some(row) => table(row, source, take),
    }
}

/// The rows of the only object of a file.
fn table(object: Row, source: &str, take: Take<'_>) -> Result<(), Faults> {
    let values = &object.values;
    let lists = |value: &Value| value.as_array().is_some_and(|list| list.iter().any(|v| v.is_array() || v.is_object()));
    match columns(values) {
        Some(_) => transposed(object, take),
        None if values.contains_key("anchor") || !values.values().any(lists) => take(object),
        None => return Err(Faults::of_file(source, shape(values))),
    }
    Ok(())
}

/// Values by column: all are lists of one length, or all are objects with the same keys, as data frames write them.
fn columns(object: &Map<String, Value>) -> Option<usize> {
    let first = object.values().next()?;
    let same = |value: &Value| match (first, value) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len(),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.keys().eq(b.keys()),
        _ => false,
    };
    let length = first.as_array().map(Vec::len).or(first.as_object().map(Map::len))?;
    let flat = |value: &Value| match value {
        Value::Array(list) => list.iter().all(|v| !v.is_array() && !v.is_object()),
        Value::Object(map) => map.values().all(|v| !v.is_array() && !v.is_object()),
        _ => false,
    };
    (length > 0 && object.len() > 1 && object.values().all(|value| same(value) && flat(value))).then_some(length)
}

/// Hands over the rows of a table by columns; their lines are that of the table.
fn transposed(table: Row, take: Take<'_>) {
    let Row { line, values } = table;
    let mut columns: Vec<(String, Box<dyn Iterator<Item = Value>>)> = Vec::new();
    for (name, value) in values {
        let column: Box<dyn Iterator<Item = Value>> = match value {
            Value::Array(list) => Box::new(list.into_iter()),
            Value::Object(map) => Box::new(map.into_iter().map(|(_, value)| value)),
            other => Box::new(std::iter::once(other)),
        };
        columns.push((name, column));
    }
    loop {
        let mut values = Map::new();
        for (name, column) in &mut columns {
            let Some(value) = column.next() else { return };
            values.insert(name.clone(), value);
        }
        take(Row { line, values });
    }
}

/// A file that begins with an object over several lines: a table by columns, or such objects one after the other.
fn whole(reader: &mut dyn BufRead, source: &str, take: Take<'_>) -> Result<(), Faults> {
    let mut bytes = Vec::new();
    let read = (&mut *reader).take(MAX_WHOLE as u64).read_to_end(&mut bytes);
    read.map_err(|e| Faults::of_file(source, format!("could not be read: {e}")))?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if let Ok(object) = serde_json::from_slice::<Map<String, Value>>(text) {
        return table(Row { line: 1, values: object }, source, take);
    }
    elements(&mut Cursor::new(bytes).chain(reader), source, false, take)
}

/// What an object is whose rows can't be told, and how to get them out.
fn shape(object: &Map<String, Value>) -> String {
    let names = listed(object.keys().map(String::as_str));
    let list = object.iter().find_map(|(name, value)| Some((name, value.as_array()?.first()?)));
    let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let how = match list {
        Some((name, Value::Object(_))) if plain(name) => {
            format!(", such as with `jq -c '.{name}[]' FILE > rows.jsonl`")
        }
        Some((name, Value::Array(_))) if plain(name) => {
            format!(", such as with `jq -c '.{name}[] | {{text: .[0], label: .[1]}}' FILE > rows.jsonl`")
        }
        _ => String::new(),
    };
    format!(
        "is one JSON object with the keys {names}; read are one object a row (a line each, or in one array) and an object \
         of columns. Write the rows out first{how}"
    )
}

/// Objects in an array, or one after the other.
fn elements(reader: &mut dyn BufRead, source: &str, enclosed: bool, take: Take<'_>) -> Result<(), Faults> {
    let mut elements = Elements { reader, line: 1, enclosed, began: !enclosed, ended: false };
    let mut any = false;
    loop {
        let (mut block, mut bytes, mut fault) = (Vec::new(), 0, None);
        while block.len() < BLOCK.0 && bytes < BLOCK.1 {
            match elements.next() {
                Ok(Some((line, text))) => {
                    bytes += text.len();
                    block.push((line, text));
                }
                Ok(None) => break,
                Err(found) => {
                    fault = Some(found);
                    break;
                }
            }
        }
        let ended = block.is_empty() || elements.ended;
        let parsed = crate::parallel::map(block.len(), |i| parse(block[i].0, &block[i].1));
        for row in parsed {
            any = true;
            // What comes behind a damaged element can't be told.
            take(row.map_err(|fault| with(source, fault))?);
        }
        if let Some(fault) = fault {
            return Err(with(source, fault));
        }
        if ended {
            return if any { Ok(()) } else { Err(Faults::of_file(source, "holds no rows")) };
        }
    }
}

fn with(source: &str, fault: Fault) -> Faults {
    let mut faults = Faults::new(source);
    faults.push(fault);
    faults
}

fn at(line: u64, message: impl Into<String>) -> Fault {
    Fault { line: Some(line), field: None, message: message.into() }
}

fn parse(line: u64, text: &[u8]) -> Result<Row, Fault> {
    match serde_json::from_slice::<Value>(text) {
        Ok(Value::Object(values)) => Ok(Row { line, values }),
        Ok(Value::Array(_)) => Err(at(
            line,
            "is a list; expected an object with named values. Name them, such as with \
             `jq -c '.[] | {text: .[0], label: .[1]}' FILE > rows.jsonl`",
        )),
        Ok(_) => Err(at(line, "is no object with named values")),
        Err(e) => {
            let message = e.to_string();
            let message = message.split(" at line ").next().unwrap_or(&message);
            Err(at(line + e.line().saturating_sub(1) as u64, format!("not JSON (column {}): {message}", e.column())))
        }
    }
}

/// Cuts JSON into its elements without parsing them, so that none longer than a line may be is held.
struct Elements<'a> {
    reader: &'a mut dyn BufRead,
    line: u64,
    enclosed: bool,
    began: bool,
    ended: bool,
}

impl Elements<'_> {
    fn peek(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            match self.reader.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(at(self.line, format!("could not be read: {e}"))),
            }
        }
    }

    fn pass(&mut self, byte: u8) {
        self.line += u64::from(byte == b'\n');
        self.reader.consume(1);
    }

    /// Passes over blanks, the byte order mark, the opening bracket and commas.
    fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, Fault> {
        loop {
            match self.peek()? {
                None if self.enclosed && !self.ended => {
                    return Err(at(self.line, "the array is not closed; is the file complete?"));
                }
                None => return Ok(None),
                Some(byte @ (b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf)) => self.pass(byte),
                Some(b'[') if !self.began => {
                    self.pass(b'[');
                    self.began = true;
                }
                Some(_) if self.ended => return Err(at(self.line, "there is text after the array")),
                Some(b']') if self.enclosed => {
                    self.pass(b']');
                    self.ended = true;
                }
                Some(b',') if self.enclosed => self.pass(b','),
                Some(_) => return self.element().map(Some),
            }
        }
    }

    /// Up to the bracket that closes it; what is no object or list, up to the next comma or bracket.
    fn element(&mut self) -> Result<(u64, Vec<u8>), Fault> {
        let (line, mut out) = (self.line, Vec::new());
        let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
        while let Some(byte) = self.peek()? {
            match byte {
                _ if quoted => {
                    quoted = escaped || byte != b'"';
                    escaped = !escaped && byte == b'\\';
                }
                b'"' => quoted = true,
                b'{' | b'[' => depth += 1,
                b',' | b'\n' | b']' | b'}' if depth == 0 => break,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            out.push(byte);
            self.pass(byte);
            if out.len() > MAX_LINE_BYTES {
                return Err(at(line, format!("is longer than the {MAX_LINE_BYTES} bytes that are read of a row")));
            }
            if depth == 0 && !quoted && matches!(byte, b']' | b'}') {
                break;
            }
        }
        if out.is_empty() {
            let byte = self.peek()?.unwrap_or_default();
            self.pass(byte);
            out.push(byte);
        }
        Ok((line, out))
    }
}
