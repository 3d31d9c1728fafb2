//! How the cells of a text are separated and quoted: found in one pass over it, in constant memory, before rows are read.

use super::RowFormat;
use crate::data::{Faults, MAX_LINE_BYTES};
use crate::interchange::sniff;
use std::io::{BufRead, Cursor, Read};

/// What quotes in cells are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    /// A cell in quotes is one cell, whatever it holds, and doubled quotes stand for one (RFC 4180).
    Csv,
    /// Characters like others.
    Plain,
}

/// What the user says of a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// What separates cells.
    pub delimiter: Option<u8>,
    /// What quotes are.
    pub quotes: Option<Quotes>,
}

/// How a text is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Separation {
    /// What separates cells.
    pub delimiter: u8,
    /// What quotes are.
    pub quotes: Quotes,
    /// Lines before that of the names.
    pub(super) skipped: u64,
    /// What was found out rather than given, for the user.
    pub notes: Vec<String>,
}

/// What can separate cells, with its name.
const DELIMITERS: [(u8, &str); 4] = [(b',', "commas"), (b'\t', "tabs"), (b';', "semicolons"), (b'|', "bars (|)")];

fn name_of(delimiter: u8) -> String {
    let known = DELIMITERS.iter().find(|(byte, _)| *byte == delimiter);
    known.map_or_else(|| format!("\"{}\"", char::from(delimiter)), |(_, name)| (*name).to_owned())
}

/// Finds out how the cells of a text are separated and quoted.
///
/// - The separator is the one that the format names, unless the first line holds none of these and another one.
/// - In CSV, quotes are as in RFC 4180. A quoted cell over several lines that is not closed before a separator is an error.
/// - Between tabs, quotes are characters where reading them as CSV does would swallow lines, and where CSV would have
///   quoted more; they are as in CSV where they hold tabs or line ends, or stand round cells in all other respects as CSV
///   has them. Where both readings are sound and give other rows, that is an error: the user has to choose.
///
/// # Errors
/// What is no text; a row that is too long; separators or quotes that can't be told.
pub fn separation(
    reader: &mut dyn BufRead,
    format: RowFormat,
    wishes: Wishes,
    source: &str,
) -> Result<Separation, Faults> {
    sniff::check(reader, source)?;
    let refused = |message: String| Faults::of_file(source, message);
    let unread = |e: std::io::Error| refused(format!("could not be read: {e}"));
    let (mut first, mut skipped, mut told) = (Vec::new(), 0, None);
    loop {
        first.clear();
        let length = (&mut *reader).take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut first).map_err(unread)?;
        if length > MAX_LINE_BYTES {
            return Err(refused(format!("its first line is longer than {MAX_LINE_BYTES} bytes; is this a table?")));
        }
        let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first).trim_ascii_end();
        if let [b's', b'e', b'p', b'=', delimiter] = text {
            told = Some(*delimiter);
        } else if length == 0 || !text.is_empty() {
            break;
        }
        skipped += 1;
    }
    let names = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first);
    if names.starts_with(b"{") || names.starts_with(b"[{") {
        return Err(refused("is JSON, by its first line: give it a name that ends with .jsonl".to_owned()));
    }
    let usual = if format == RowFormat::Tsv { b'\t' } else { b',' };
    let (delimiter, note) = match wishes.delimiter.or(told) {
        Some(delimiter) => (delimiter, None),
        None => delimiter_of(names, usual).map_err(refused)?,
    };
    let mut scan = Scan::new(delimiter, skipped + 1);
    let mut rest = Cursor::new(names.to_vec()).chain(reader);
    loop {
        let bytes = rest.fill_buf().map_err(unread)?;
        if bytes.is_empty() {
            break;
        }
        bytes.iter().for_each(|byte| scan.take(*byte));
        let count = bytes.len();
        rest.consume(count);
    }
    scan.end();
    let (quotes, said) = quotes_of(&scan, wishes.quotes).map_err(refused)?;
    Ok(Separation { delimiter, quotes, skipped, notes: note.into_iter().chain(said).collect() })
}

/// The separator by the line of names, and a note where it is not the usual one.
fn delimiter_of(names: &[u8], usual: u8) -> Result<(u8, Option<String>), String> {
    let mut quoted = false;
    let mut counts = [0usize; DELIMITERS.len()];
    for byte in names {
        quoted ^= *byte == b'"';
        if let Some(at) = DELIMITERS.iter().position(|(delimiter, _)| delimiter == byte).filter(|_| !quoted) {
            counts[at] += 1;
        }
    }
    let of = |delimiter: u8| DELIMITERS.iter().position(|(d, _)| *d == delimiter).map_or(0, |at| counts[at]);
    let others: Vec<(u8, &str)> = DELIMITERS.into_iter().filter(|(d, _)| *d != usual && of(*d) > 0).collect();
    let more = others.iter().any(|(d, _)| of(*d) > of(usual));
    match (of(usual), &others[..]) {
        (0, [(delimiter, name)]) => {
            let note = format!("cells are separated by {name}: the first line holds no {}", name_of(usual));
            Ok((*delimiter, Some(note)))
        }
        (0, []) => Ok((usual, None)),
        _ if !more => Ok((usual, None)),
        _ => {
            let found: Vec<String> =
                DELIMITERS.iter().filter(|(d, _)| of(*d) > 0).map(|(d, name)| format!("{} {name}", of(*d))).collect();
            Err(format!(
                "its first line holds {}: say which separates the columns with --delimiter, such as --delimiter ';' or \
                 --delimiter tab",
                found.join(" and ")
            ))
        }
    }
}

/// What quotes are, and a note where they matter.
fn quotes_of(scan: &Scan, wish: Option<Quotes>) -> Result<(Quotes, Option<String>), String> {
    if let Some(line) = scan.too_long {
        return Err(format!("the row that begins on line {line} is longer than {MAX_LINE_BYTES} bytes"));
    }
    let Some(first) = scan.first_quote else { return Ok((wish.unwrap_or(Quotes::Csv), None)) };
    let broken = scan.csv.unclosed.or(scan.csv.swallowed);
    if wish == Some(Quotes::Plain) {
        return Ok((Quotes::Plain, None));
    }
    if wish == Some(Quotes::Csv) || scan.delimiter != b'\t' {
        return match broken {
            Some(line) => Err(format!(
                "line {line}: a cell begins with a quote that no quote before a separator closes within {MAX_LINE_BYTES} \
                 bytes, so it takes in the lines below it. Close or double the quote, or read quotes as characters with \
                 --quotes plain"
            )),
            None => Ok((Quotes::Csv, None)),
        };
    }
    let plain = scan.plain.odd.is_none();
    let csv = broken.is_none() && scan.csv.improper.is_none() && scan.csv.odd.is_none();
    let spans = scan.csv.spans;
    let as_plain =
        format!("quotes are read as characters of their cells (first on line {first}); --quotes csv takes them off");
    let as_csv =
        format!("cells in quotes are read as CSV writers mean them (first on line {first}); --quotes plain keeps them");
    match (plain, csv, spans) {
        (true, true, Some(line)) => Err(format!(
            "line {line}: a cell begins with a quote that is closed further on. As CSV writers mean it, it is one cell with \
             separators or line ends inside; else the quotes are characters, and the rows others. Choose with --quotes csv \
             or --quotes plain"
        )),
        (true, true, None) if scan.inner_quote || (scan.needless && !scan.quoted_names) => {
            Ok((Quotes::Plain, Some(as_plain)))
        }
        (_, true, _) => Ok((Quotes::Csv, Some(as_csv))),
        (true, false, _) => Ok((Quotes::Plain, Some(as_plain))),
        (false, false, _) if broken.is_some() => Ok((Quotes::Plain, Some(as_plain))),
        (false, false, _) => Ok((Quotes::Csv, Some(as_csv))),
    }
}

/// Where a cell stands, as CSV reads it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Start,
    Bare,
    Quoted,
    /// Behind a quote in a quoted cell: its end, or the first of two.
    Behind,
}

/// One way to read the text: fields of rows.
#[derive(Default)]
struct Reading {
    fields: usize,
    wanted: Option<usize>,
    /// The first line whose row has another number of fields than the first.
    odd: Option<u64>,
    unclosed: Option<u64>,
    /// A quoted cell whose closing quote stands before something else than a separator, and the same over several lines.
    improper: Option<u64>,
    swallowed: Option<u64>,
    /// The first cell that holds separators or line ends.
    spans: Option<u64>,
}

impl Reading {
    fn end_row(&mut self, line: u64) {
        let fields = std::mem::take(&mut self.fields) + 1;
        if *self.wanted.get_or_insert(fields) != fields {
            self.odd.get_or_insert(line);
        }
    }
}

/// Both readings of a text side by side.
struct Scan {
    delimiter: u8,
    line: u64,
    plain: Reading,
    csv: Reading,
    cell: Cell,
    /// Where the row and the cell of CSV began, and the row's length.
    row: (u64, u64),
    length: usize,
    /// A cell began with a quote, and where first.
    first_quote: Option<u64>,
    too_long: Option<u64>,
    /// A cell that does not begin with a quote holds one.
    inner_quote: bool,
    /// The cell at hand holds what makes CSV writers quote it; one without was quoted; names are quoted.
    reason: bool,
    needless: bool,
    quoted_names: bool,
    /// Bytes of the line and of the plain cell so far.
    in_line: usize,
    in_cell: usize,
    begins_quoted: bool,
}

impl Scan {
    fn new(delimiter: u8, line: u64) -> Self {
        Self {
            delimiter,
            line,
            plain: Reading::default(),
            csv: Reading::default(),
            cell: Cell::Start,
            row: (line, line),
            length: 0,
            first_quote: None,
            too_long: None,
            inner_quote: false,
            reason: false,
            needless: false,
            quoted_names: false,
            in_line: 0,
            in_cell: 0,
            begins_quoted: false,
        }
    }

    fn take(&mut self, byte: u8) {
        self.take_plain(byte);
        self.take_csv(byte);
        self.line += u64::from(byte == b'\n');
    }

    fn take_plain(&mut self, byte: u8) {
        match byte {
            b'\r' | b'\n' => {
                if self.in_line > 0 {
                    self.plain.end_row(self.line);
                }
                (self.in_line, self.in_cell) = (0, 0);
            }
            _ => {
                self.in_line += 1;
                if self.in_line > MAX_LINE_BYTES {
                    self.too_long.get_or_insert(self.line);
                }
                if byte == self.delimiter {
                    self.plain.fields += 1;
                    self.in_cell = 0;
                    return;
                }
                if self.in_cell == 0 {
                    self.begins_quoted = byte == b'"';
                }
                self.inner_quote |= byte == b'"' && !self.begins_quoted;
                self.in_cell += 1;
            }
        }
    }

    fn take_csv(&mut self, byte: u8) {
        self.length += 1;
        if self.length > MAX_LINE_BYTES {
            // A quote that is not closed may only look like one of CSV's: the row is long in that reading alone.
            match self.cell {
                Cell::Quoted => drop(self.csv.swallowed.get_or_insert(self.row.1)),
                _ if self.csv.swallowed.is_some() => {}
                _ => drop(self.too_long.get_or_insert(self.row.0)),
            }
        }
        let ends = byte == self.delimiter || matches!(byte, b'\r' | b'\n');
        self.cell = match (self.cell, byte) {
            (Cell::Start, b'"') => {
                self.row.1 = self.line;
                self.reason = false;
                self.first_quote.get_or_insert(self.line);
                self.quoted_names |= self.csv.wanted.is_none();
                Cell::Quoted
            }
            (Cell::Quoted, b'"') => Cell::Behind,
            (Cell::Behind, b'"') => {
                self.reason = true;
                Cell::Quoted
            }
            (Cell::Quoted, _) => {
                self.reason |= ends || matches!(byte, b',' | b';');
                if ends {
                    self.csv.spans.get_or_insert(self.row.1);
                }
                Cell::Quoted
            }
            (Cell::Behind, _) if !ends => {
                self.csv.improper.get_or_insert(self.row.1);
                if self.line > self.row.1 {
                    self.csv.swallowed.get_or_insert(self.row.1);
                }
                Cell::Bare
            }
            (before, _) if ends => {
                self.needless |= before == Cell::Behind && !self.reason;
                self.end_cell(byte, before);
                Cell::Start
            }
            _ => Cell::Bare,
        };
    }

    fn end_cell(&mut self, byte: u8, before: Cell) {
        if byte == self.delimiter {
            self.csv.fields += 1;
            return;
        }
        if before != Cell::Start || self.csv.fields > 0 {
            self.csv.end_row(self.row.0);
        }
        self.length = 0;
        self.row.0 = self.line + u64::from(byte == b'\n');
    }

    fn end(&mut self) {
        if self.cell == Cell::Quoted {
            self.csv.unclosed = Some(self.row.1);
        }
        self.take(b'\n');
    }
}
