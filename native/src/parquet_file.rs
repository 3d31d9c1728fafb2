//! Parquet files: rows of any of them, and columns of our own.
//!
//! What reads them is a library that panics on some damaged files; here that is an error like any other. What a file
//! unpacks to is counted while it is read: a few bytes may stand for very much.

mod rows;
pub mod vectors;

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::io;
use crate::output::AtomicFile;
use crucible_core::data::{Fault, Faults};
use crucible_core::eval::{GroupKind, Item, read_items};
use crucible_core::interchange::Row;
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;

/// What a file may hold in memory, about.
pub const MAX_BYTES: usize = 4 << 30;
/// Rows that are written together, at most.
const GROUP_ROWS: usize = 1 << 16;
/// Numbers of vectors that are written together, about.
const GROUP_NUMBERS: usize = 1 << 24;

/// Whether a file's name ends so.
#[must_use]
pub fn is_one(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet"))
}

/// The rows of a file; their lines are their numbers, from 1.
///
/// # Errors
/// As [`each_row`]; and more than memory should hold.
pub fn rows(path: &Path) -> CliResult<Vec<Row>> {
    let file = opened(path)?;
    quietly(|| rows::read(file, MAX_BYTES)).map_err(|refused| error(path, refused))
}

/// Hands each row of a file to `take`, in order; memory is that of a few rows. Their lines are their numbers, from 1.
///
/// # Errors
/// No such file; one that is damaged, packed in a way that is not known, or without rows (exit status 3); a row that is too
/// large.
pub fn each_row(path: &Path, take: &mut dyn FnMut(Row)) -> CliResult<()> {
    let file = opened(path)?;
    quietly(|| rows::each(file, take)).map_err(|refused| error(path, refused))
}

/// Names of classes by column, where `datasets` noted them (`ClassLabel`).
///
/// # Errors
/// As [`each_row`].
pub fn class_names(path: &Path) -> CliResult<BTreeMap<String, Vec<String>>> {
    let file = opened(path)?;
    quietly(|| rows::class_names(file)).map_err(|refused| error(path, refused))
}

/// Opens a file that begins as Parquet does; one that is cut short may not end so.
fn opened(path: &Path) -> CliResult<File> {
    let mut file = io::open_raw(path)?;
    let failed = |e: std::io::Error| CliError::io("read", path, &e);
    let mut head = Vec::new();
    (&mut file).take(64).read_to_end(&mut head).map_err(failed)?;
    file.rewind().map_err(failed)?;
    if head.is_empty() || head.starts_with(b"PAR1") {
        return Ok(file);
    }
    let (what, advice) = match head.starts_with(b"version https://git-lfs.github.com/spec/") {
        true => ("a pointer of Git LFS, not the file itself", "fetch the file with `git lfs pull`"),
        false => ("another kind of file", "give it the name of what it is, such as .csv or .jsonl"),
    };
    let message = format!("{} can't be read as Parquet: it is {what}", path.display());
    Err(CliError::new(Exit::Data, message).advise(advice))
}

fn error(path: &Path, refused: Refused) -> CliError {
    let name = path.display().to_string();
    match refused {
        Refused::File(message) => {
            let message = format!("{name} can't be read as Parquet: {message}");
            CliError::new(Exit::Data, message).advise("is the file complete? Copy it again")
        }
        Refused::Size(message) => CliError::new(Exit::Data, format!("{name}: {message}")),
        Refused::Shape(message) => CliError::new(Exit::Data, format!("{name}: {message}")).advise(vectors::COLUMNS),
        Refused::Cell(row, column, message) => {
            let mut faults = Faults { rows: true, ..Faults::new(&name) };
            faults.push(Fault { line: Some(row), field: column, message });
            faults.into()
        }
    }
}

/// Faults of a file's rows, named as such where it has no lines.
#[must_use]
pub fn of_rows(path: &Path, faults: Faults) -> Faults {
    Faults { rows: is_one(path), ..faults }
}

enum Refused {
    /// Damaged, or too large.
    File(String),
    /// Sound, and not read.
    Size(String),
    /// Other columns than are read.
    Shape(String),
    /// Row, column, what is wrong.
    Cell(u64, Option<String>, String),
}

impl From<ParquetError> for Refused {
    fn from(error: ParquetError) -> Self {
        Self::File(error.to_string())
    }
}

/// Does it, and makes an error of a panic without a word on the terminal.
fn quietly<R>(work: impl FnOnce() -> Result<R, Refused>) -> Result<R, Refused> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    panic::set_hook(hook);
    done.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = text.as_deref().and_then(|t| t.lines().next()).unwrap_or("of no known form");
        Err(Refused::File(format!("it is damaged ({what})")))
    })
}

/// Items of an items file.
///
/// # Errors
/// As [`rows`]; and rows that are no items, by number.
pub fn items(path: &Path) -> CliResult<Vec<Item<'static>>> {
    let (mut text, mut full) = (String::new(), false);
    each_row(path, &mut |row| {
        full |= text.len() > MAX_BYTES;
        if !full {
            text += &Value::Object(row.values).to_string();
            text.push('\n');
        }
    })?;
    if full {
        return Err(error(path, Refused::Size(format!("its items take more than {}", io::human_bytes(MAX_BYTES)))));
    }
    Ok(read_items(&mut text.as_bytes(), &path.display().to_string()).map_err(|faults| of_rows(path, faults))?)
}

/// A column.
pub struct Column<'a> {
    /// Its name: letters, digits and `_`.
    pub name: String,
    /// Its values.
    pub values: Values<'a>,
}

/// Values of a column, one a row.
pub enum Values<'a> {
    /// Texts; where one is missing, all may be.
    Texts(Vec<Option<&'a str>>),
    /// 64-bit numbers.
    Doubles(Vec<f64>),
    /// Whole numbers from 0.
    Counts(Vec<u32>),
    /// Yes or no.
    Bools(Vec<bool>),
    /// Lists of 32-bit numbers: `[rows, dim]`.
    Vectors {
        /// Numbers a row.
        dim: usize,
        /// All rows.
        rows: &'a [f32],
    },
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Texts(x) => x.len(),
            Self::Doubles(x) => x.len(),
            Self::Counts(x) => x.len(),
            Self::Bools(x) => x.len(),
            Self::Vectors { dim, rows } => rows.len() / dim.max(&1),
        }
    }

    fn is_optional(&self) -> bool {
        matches!(self, Self::Texts(texts) if texts.iter().any(Option::is_none))
    }

    fn write(&self, rows: Range<usize>, out: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Self::Texts(texts) => {
                let texts = &texts[rows];
                let held: Vec<ByteArray> = texts.iter().flatten().map(|text| ByteArray::from(*text)).collect();
                let levels: Vec<i16> = texts.iter().map(|text| i16::from(text.is_some())).collect();
                let levels = self.is_optional().then_some(&levels[..]);
                out.typed::<ByteArrayType>().write_batch(&held, levels, None)?;
            }
            Self::Doubles(x) => _ = out.typed::<DoubleType>().write_batch(&x[rows], None, None)?,
            Self::Counts(x) => {
                // Unsigned numbers are stored in the bits of signed ones.
                let bits: Vec<i32> = x[rows].iter().map(|x| x.cast_signed()).collect();
                out.typed::<Int32Type>().write_batch(&bits, None, None)?;
            }
            Self::Bools(x) => _ = out.typed::<BoolType>().write_batch(&x[rows], None, None)?,
            Self::Vectors { dim, rows: all } => {
                let part = &all[rows.start * dim..rows.end * dim];
                let starts: Vec<i16> = (0..part.len()).map(|i| i16::from(!i.is_multiple_of(*dim))).collect();
                out.typed::<FloatType>().write_batch(part, Some(&vec![1; part.len()]), Some(&starts))?;
            }
        }
        Ok(())
    }
}

/// A file of columns, ready to appear. The same columns give the same bytes.
///
/// # Errors
/// It can't be written.
///
/// # Panics
/// When the columns are not of one length.
pub fn write(path: &Path, columns: &[Column<'_>]) -> CliResult<AtomicFile> {
    let file = AtomicFile::create(path)?;
    write_to(file, columns).map_err(|e| CliError::new(Exit::Error, format!("cannot write {}: {e}", path.display())))
}

fn write_to<W: Write + Send>(out: W, columns: &[Column<'_>]) -> Result<W, ParquetError> {
    let rows = columns.first().map_or(0, |c| c.values.len());
    assert!(columns.iter().all(|c| c.values.len() == rows), "columns of different lengths");
    let mut properties =
        WriterProperties::builder().set_compression(Compression::SNAPPY).set_created_by("crucible".to_owned());
    let (mut schema, mut group) = (String::from("message rows {\n"), GROUP_ROWS);
    for Column { name, values } in columns {
        let _ = match values {
            Values::Texts(_) if values.is_optional() => writeln!(schema, "optional binary {name} (STRING);"),
            Values::Texts(_) => writeln!(schema, "required binary {name} (STRING);"),
            Values::Doubles(_) => writeln!(schema, "required double {name};"),
            Values::Counts(_) => writeln!(schema, "required int32 {name} (INTEGER(32,false));"),
            Values::Bools(_) => writeln!(schema, "required boolean {name};"),
            Values::Vectors { dim, .. } => {
                group = group.min(GROUP_NUMBERS.div_ceil(*dim));
                let path = ColumnPath::from(["list", "element"].iter().fold(vec![name.clone()], |mut path, part| {
                    path.push((*part).to_owned());
                    path
                }));
                // Numbers of a model neither repeat nor shrink.
                properties = properties
                    .set_column_compression(path.clone(), Compression::UNCOMPRESSED)
                    .set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
                    .set_column_dictionary_enabled(path, false);
                writeln!(schema, "required group {name} (LIST) {{ repeated group list {{ required float element; }} }}")
            }
        };
    }
    let schema = Arc::new(parse_message_type(&(schema + "}"))?);
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties.build()))?;
    for first in (0..rows).step_by(group) {
        let mut part = writer.next_row_group()?;
        for column in columns {
            let none = || ParquetError::General(format!("there is no column {}", column.name));
            let mut out = part.next_column()?.ok_or_else(none)?;
            column.values.write(first..(first + group).min(rows), &mut out)?;
            out.close()?;
        }
        part.close()?;
    }
    writer.into_inner()
}

/// Items as a file, ready to appear.
///
/// # Errors
/// It can't be written.
pub fn write_items(path: &Path, items: &[Item<'_>]) -> CliResult<AtomicFile> {
    let column = |name: &str, values| Column { name: name.to_owned(), values };
    let texts = |of: &dyn Fn(usize) -> Option<&'static str>| Values::Texts((0..items.len()).map(of).collect());
    let kind = |i: usize| match items[i].group_kind {
        GroupKind::Doc => "doc",
        GroupKind::Lemma => "lemma",
    };
    let doubles = |of: fn(&Item<'_>) -> f64| Values::Doubles(items.iter().map(of).collect());
    let columns = [
        column("bundle_id", Values::Texts(items.iter().map(|i| Some(i.bundle_id.as_ref())).collect())),
        column("group", Values::Texts(items.iter().map(|i| Some(i.group.as_ref())).collect())),
        column("group_kind", texts(&|i| Some(kind(i)))),
        column("tier", texts(&|i| items[i].tier.map(crucible_core::data::Tier::name))),
        column("pool", texts(&|i| items[i].pool.map(crucible_core::data::Pool::name))),
        column("margin", doubles(|i| i.margin)),
        column("rank", Values::Counts(items.iter().map(|i| i.rank).collect())),
        column("pos_sim", doubles(|i| i.pos_sim)),
        column("max_neg_sim", doubles(|i| i.max_neg_sim)),
        column("winning_negative", Values::Texts(items.iter().map(|i| Some(i.winning_negative.as_ref())).collect())),
        column("zero_vector", Values::Bools(items.iter().map(|i| i.zero_vector).collect())),
    ];
    write(path, &columns)
}

#[cfg(test)]
mod tests;
