//! Vectors in a Parquet file: the columns `event_id` (texts) and `embedding` (lists of numbers), as `crucible embed` and
//! data frames write them.

use super::{Refused, quietly};
use crate::error::{CliError, CliResult};
use crate::io;
use crucible_core::data::{Fault, Faults, MAX_LINE_BYTES, read_ids};
use crucible_core::embeddings::npy_header;
use parquet::basic::Type;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor};
use std::fs::File;
use std::path::Path;

/// The column of ids.
pub const IDS: &str = "event_id";
/// The column of vectors.
pub const VECTORS: &str = "embedding";

/// What is read, for messages.
pub(super) const COLUMNS: &str = "read are the columns event_id (texts) and embedding (lists of numbers of one length), as `crucible embed` writes them";

/// What whole numbers may be.
const QUANTISED: &str = ". Whole numbers are quantised vectors, or signs packed into bytes (precision int8, uint8, binary \
                         or ubinary of sentence-transformers): encode the texts again with precision=\"float32\"";

/// Rows that are read together.
const ROWS: usize = 1024;
/// Values that a page may hold: they are all in memory at once, and a few bytes may stand for as many as a page likes.
const PAGE_VALUES: usize = 1 << 26;

/// The vectors of a file as the bytes of a `.npy` file; at most `most` of them.
///
/// # Errors
/// As [`super::rows`]; no column of lists of numbers; with their rows' numbers, lists that are missing, hold no number where
/// there should be one, or are not as long as the first.
pub fn vectors(path: &Path, most: usize) -> CliResult<Vec<u8>> {
    let (file, name) = (super::opened(path)?, path.display().to_string());
    let read = quietly(|| lists(file, most));
    let Lists { dim, rows, mut bytes, faults, .. } = read.map_err(|refused| super::error(path, refused))?;
    Faults { source: name, rows: true, ..faults }.or(())?;
    bytes.splice(0..0, npy_header(rows, dim));
    Ok(bytes)
}

/// The ids of a file's rows.
///
/// # Errors
/// As [`super::rows`]; no column of texts; ids that are missing, empty or there twice, all of them at once.
pub fn ids(path: &Path) -> CliResult<Vec<String>> {
    let file = super::opened(path)?;
    let lines = quietly(|| texts(file, super::MAX_BYTES)).map_err(|refused| super::error(path, refused))?;
    read_ids(&mut lines.as_bytes(), &path.display().to_string())
        .map_err(|faults| CliError::from(super::of_rows(path, faults)))
}

/// Lists of one length.
#[derive(Default)]
struct Lists {
    /// Length of the first list that holds anything.
    dim: usize,
    /// Lists that have begun.
    rows: usize,
    /// Numbers of the list at hand, and whether one of them is missing.
    length: usize,
    missing: bool,
    /// All numbers: `f32`, little-endian.
    bytes: Vec<u8>,
    faults: Faults,
}

impl Lists {
    /// Ends the list at hand.
    fn end(&mut self) {
        if self.dim == 0 && !self.missing {
            self.dim = self.length;
        }
        let message = match self.length {
            _ if self.missing => "a number is missing (null)".to_owned(),
            0 => "there is no vector".to_owned(),
            length if length != self.dim => format!("{length} numbers, and the first vector has {}", self.dim),
            _ => String::new(),
        };
        if !message.is_empty() {
            self.faults.push(Fault { line: Some(self.rows as u64), field: Some(VECTORS.to_owned()), message });
        }
        (self.length, self.missing) = (0, false);
    }

    fn read<T: DataType>(
        &mut self,
        mut reader: ColumnReaderImpl<T>,
        column: &ColumnDescriptor,
        number: impl Fn(&T::T) -> f32,
    ) -> Result<(), Refused> {
        let (mut defined, mut repeated, mut values) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            defined.clear();
            repeated.clear();
            values.clear();
            let (records, ..) = reader.read_records(ROWS, Some(&mut defined), Some(&mut repeated), &mut values)?;
            if records == 0 {
                return Ok(());
            }
            let mut values = values.iter();
            for (defined, repeated) in defined.iter().zip(&repeated) {
                if *repeated == 0 {
                    if self.rows > 0 {
                        self.end();
                    }
                    self.rows += 1;
                }
                if *defined == column.max_def_level() {
                    self.length += 1;
                    self.bytes.extend(values.next().map_or(f32::NAN, &number).to_le_bytes());
                } else {
                    // The list is there, and holds something that is no number.
                    self.missing |= *defined >= column.repeated_ancestor_def_level();
                }
            }
        }
    }
}

fn lists(file: File, most: usize) -> Result<Lists, Refused> {
    let reader = SerializedFileReader::new(file)?;
    let (at, column) = find(&reader, VECTORS)?;
    if column.max_rep_level() != 1 {
        return Err(Refused::Shape(format!("its column `{VECTORS}` holds no lists of numbers")));
    }
    let mut lists = Lists::default();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        // Before one is unpacked: a few bytes may stand for any number of values.
        let held = lists.bytes.len().saturating_add(values_of(&*group, at)?.saturating_mul(size_of::<f32>()));
        if held > most {
            return Err(Refused::File(format!("its vectors take more than {} of memory", io::human_bytes(most))));
        }
        match group.get_column_reader(at)? {
            ColumnReader::FloatColumnReader(reader) => lists.read(reader, &column, |x| *x)?,
            ColumnReader::DoubleColumnReader(reader) => lists.read(reader, &column, |x| *x as f32)?,
            _ => {
                let found = column.physical_type();
                let whole = matches!(found, Type::INT32 | Type::INT64 | Type::BOOLEAN);
                let quantised = if whole { QUANTISED } else { "" };
                let message =
                    format!("its column `{VECTORS}` holds {found}; read are lists of FLOAT or DOUBLE{quantised}");
                return Err(Refused::Shape(message));
            }
        }
    }
    if lists.rows == 0 {
        return Err(Refused::File("it holds no rows".to_owned()));
    }
    lists.end();
    Ok(lists)
}

/// The ids as JSON Lines.
fn texts(file: File, most: usize) -> Result<String, Refused> {
    let reader = SerializedFileReader::new(file)?;
    let (at, column) = find(&reader, IDS)?;
    if column.max_rep_level() != 0 || column.physical_type() != Type::BYTE_ARRAY {
        return Err(Refused::Shape(format!("its column `{IDS}` holds no texts")));
    }
    let (mut lines, mut row) = (String::new(), 0);
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        values_of(&*group, at)?;
        let ColumnReader::ByteArrayColumnReader(mut reader) = group.get_column_reader(at)? else { continue };
        let (mut defined, mut values) = (Vec::new(), Vec::new());
        loop {
            defined.clear();
            values.clear();
            let (records, held, _) = reader.read_records(ROWS, Some(&mut defined), None, &mut values)?;
            if records == 0 {
                break;
            }
            if held < records {
                let missing = defined.iter().position(|level| *level < column.max_def_level()).unwrap_or(held);
                let message = "there is no id".to_owned();
                return Err(Refused::Cell(row + missing as u64 + 1, Some(IDS.to_owned()), message));
            }
            for value in &values {
                row += 1;
                let id = std::str::from_utf8(value.data())
                    .map_err(|_| Refused::Cell(row, Some(IDS.to_owned()), "the id is not UTF-8".to_owned()))?;
                // One text may stand in many rows.
                if id.len() > MAX_LINE_BYTES || lines.len() + id.len() > most {
                    return Err(Refused::File(format!("its ids take more than {} of memory", io::human_bytes(most))));
                }
                lines += &serde_json::Value::from(id).to_string();
                lines.push('\n');
            }
        }
    }
    Ok(lines)
}

/// The column of this name, and its number.
fn find(reader: &SerializedFileReader<File>, name: &str) -> Result<(usize, ColumnDescPtr), Refused> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let of_name = |c: &ColumnDescPtr| c.path().parts().first().is_some_and(|part| part == name);
    let mut found = schema.columns().iter().zip(0..).filter(|(c, _)| of_name(c));
    match (found.next(), found.next()) {
        (Some((column, at)), None) => Ok((at, column.clone())),
        (Some(_), Some(_)) => Err(Refused::Shape(format!("its column `{name}` has parts"))),
        (None, _) => {
            let names: Vec<&str> = schema.root_schema().get_fields().iter().take(10).map(|f| f.name()).collect();
            Err(Refused::Shape(format!("it has no column `{name}`; it has {}", names.join(", "))))
        }
    }
}

/// Values of a column, those that are missing too, as its pages say; refuses pages of too many.
pub(super) fn values_of(group: &dyn RowGroupReader, column: usize) -> Result<usize, Refused> {
    let mut pages = group.get_column_page_reader(column)?;
    let mut all = 0usize;
    while let Some(page) = pages.peek_next_page()? {
        let values = page.num_levels.unwrap_or(0);
        if values > PAGE_VALUES {
            return Err(Refused::File(format!("one of its pages holds more than {PAGE_VALUES} values")));
        }
        all += values;
        pages.skip_next_page()?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
