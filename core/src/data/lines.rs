//! Lines of a JSON Lines file, in blocks: bounded in memory, numbered, checked for UTF-8.

use super::faults::{Fault, Faults};
use super::kind::{self, Wanted};
use std::io::BufRead;

/// The longest line that is read, in bytes. A longer one is a fault and is never held in memory.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// Lines that are parsed together, at most.
const BLOCK_LINES: usize = 4096;
/// Bytes that are parsed together, about.
const BLOCK_BYTES: usize = 8 << 20;

/// One line without its end.
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    /// Not empty, not only white space.
    pub(crate) text: String,
}

/// Refuses an input that is plainly of another kind than `wanted`, in one line. Nothing of it is used up.
///
/// # Errors
/// What it is, and the command that takes it; or it can't be read.
pub fn check_kind(reader: &mut dyn BufRead, source: &str, wanted: Wanted) -> Result<(), Faults> {
    let head = reader.fill_buf().map_err(|e| Faults::of_file(source, format!("could not be read: {e}")))?;
    match kind::refusal(head, wanted, source) {
        Some(message) => Err(Faults::of_file(source, message)),
        None => Ok(()),
    }
}

/// Reads `reader` to its end, parses every line with `parse` (in parallel) and hands the results to `take` in the
/// order of the file. Blank lines and a UTF-8 byte order mark are skipped.
///
/// # Errors
/// All faults: unreadable input, lines over [`MAX_LINE_BYTES`], invalid UTF-8, whatever `parse` and `take` refuse, and
/// an input without a line.
pub(crate) fn read_lines<T: Send>(
    reader: &mut dyn BufRead,
    source: &str,
    what: &str,
    parse: impl Fn(&Line) -> Result<T, Fault> + Sync + Send,
    mut take: impl FnMut(u64, T) -> Result<(), Fault>,
) -> Result<(), Faults> {
    let mut faults = Faults::new(source);
    let mut number = 0;
    let mut any = false;
    loop {
        let (lines, more) = read_block(reader, &mut number, &mut faults)
            .map_err(|e| Faults::of_file(source, format!("could not be read after line {number}: {e}")))?;
        any |= !lines.is_empty();
        let parsed = crate::parallel::map(lines.len(), |i| parse(&lines[i]));
        for (line, result) in lines.iter().zip(parsed) {
            if let Err(mut fault) = result.and_then(|value| take(line.number, value)) {
                fault.line = fault.line.or(Some(line.number));
                faults.push(fault);
            }
        }
        if !more {
            break;
        }
    }
    faults.faults.sort_by_key(|fault| fault.line);
    if !any && faults.faults.is_empty() {
        return Err(Faults::of_file(source, format!("is empty; expected one {what} a line (JSON Lines)")));
    }
    faults.or(())
}

/// Parses one line as JSON, naming the field where it fails.
///
/// # Errors
/// A fault with the path of the field and serde's message.
pub(crate) fn parse_json<T: serde::de::DeserializeOwned>(line: &Line) -> Result<T, Fault> {
    serde_json::from_str(&line.text).map_err(|_| {
        // The second pass is slower and knows the path.
        let mut deserializer = serde_json::Deserializer::from_str(&line.text);
        match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
            Err(e) => {
                let inner = e.inner();
                let message = inner.to_string();
                let message = message.split(" at line 1 column").next().unwrap_or(&message).to_owned();
                let at = line.text.as_bytes().get(inner.column().saturating_sub(1)..).unwrap_or_default();
                let message = if at.starts_with(b"NaN") || at.starts_with(b"Infinity") {
                    format!("NaN or infinity (column {}); numbers must be finite", inner.column())
                } else if inner.is_syntax() || inner.is_eof() {
                    format!("not JSON (column {}): {message}; expected one whole object a line", inner.column())
                } else {
                    message
                };
                // A `?` stands where the path can't be told.
                let field = Some(e.path().to_string()).filter(|path| !path.contains('?'));
                Fault { line: None, field, message }
            }
            Ok(_) => Fault { line: None, field: None, message: "text after the JSON object".to_owned() },
        }
    })
}

/// The next lines, and whether there may be more.
fn read_block(reader: &mut dyn BufRead, number: &mut u64, faults: &mut Faults) -> std::io::Result<(Vec<Line>, bool)> {
    let mut lines = Vec::new();
    let mut bytes = 0;
    while lines.len() < BLOCK_LINES && bytes < BLOCK_BYTES {
        let mut raw = Vec::new();
        let (length, ended) = read_line(reader, &mut raw)?;
        if length == 0 && !ended {
            return Ok((lines, false));
        }
        *number += 1;
        let mut fault = |message| faults.push(Fault { line: Some(*number), field: None, message });
        if length > MAX_LINE_BYTES {
            fault(format!("is {length} bytes long; at most {MAX_LINE_BYTES} are read. Is this a JSON Lines file?"));
            continue;
        }
        bytes += raw.len();
        match String::from_utf8(raw) {
            Err(e) => {
                fault(format!("invalid UTF-8 at byte {}; save the file as UTF-8", e.utf8_error().valid_up_to() + 1))
            }
            Ok(text) => {
                let text = if *number == 1 { text.trim_start_matches('\u{feff}').to_owned() } else { text };
                if !text.trim().is_empty() {
                    lines.push(Line { number: *number, text });
                }
            }
        }
    }
    Ok((lines, true))
}

/// Reads up to a line end; keeps at most [`MAX_LINE_BYTES`]. Returns the line's whole length and whether it was ended.
fn read_line(reader: &mut dyn BufRead, out: &mut Vec<u8>) -> std::io::Result<(usize, bool)> {
    let mut length = 0;
    loop {
        let buffer = match reader.fill_buf() {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if buffer.is_empty() {
            return Ok((length, false));
        }
        let end = memchr::memchr(b'\n', buffer);
        let part = &buffer[..end.unwrap_or(buffer.len())];
        if length + part.len() <= MAX_LINE_BYTES {
            out.extend_from_slice(part);
        } else {
            out.clear();
        }
        length += part.len();
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok((length, true));
        }
    }
}
