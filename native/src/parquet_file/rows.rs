//! Rows of any Parquet file, one after the other: what a row unpacks to is counted before it is held.

use super::Refused;
use super::vectors::values_of;
use crate::io;
use crucible_core::data::MAX_LINE_BYTES;
use crucible_core::interchange::Row;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::File;

/// What a value takes besides its text: its name, and its place in the row.
const VALUE_BYTES: usize = 128;
/// What a row may take.
const MAX_ROW: usize = 256 << 20;
/// More columns are no table of texts.
const MAX_COLUMNS: usize = 10_000;
/// Entries of a list, on average over the rows that are unpacked together: the library holds a row's lists whole.
const MAX_LIST: usize = 1 << 20;

/// All rows, of together at most `most` bytes, about.
pub(super) fn read(file: File, most: usize) -> Result<Vec<Row>, Refused> {
    let (mut rows, mut left) = (Vec::new(), Some(most));
    each(file, &mut |row: Row| {
        left = left.and_then(|left| left.checked_sub(row.values.iter().map(|(_, value)| held(value)).sum()));
        if left.is_some() {
            rows.push(row);
        }
    })?;
    match left {
        Some(_) => Ok(rows),
        None => Err(Refused::Size(format!("its rows take more than {} of memory", io::human_bytes(most)))),
    }
}

fn held(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::String(text) => text.len(),
            Value::Array(list) => list.iter().map(held).sum(),
            Value::Object(map) => map.iter().map(|(_, value)| held(value)).sum(),
            _ => 0,
        }
}

pub(super) fn each(file: File, take: &mut dyn FnMut(Row)) -> Result<(), Refused> {
    let reader = SerializedFileReader::new(file)?;
    match reader.metadata().file_metadata().schema_descr().num_columns() {
        0 => return Err(Refused::File("it has no columns".to_owned())),
        count if count > MAX_COLUMNS => {
            return Err(Refused::Size(format!("it has {count} columns; at most {MAX_COLUMNS} are read")));
        }
        _ => {}
    }
    let mut line = 0;
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0).max(1);
        for (at, column) in group.metadata().columns().iter().enumerate() {
            // A few bytes may stand for any number of values.
            if values_of(&*group, at)? / rows > MAX_LIST && column.column_descr().max_rep_level() > 0 {
                let name = column.column_path().string();
                return Err(Refused::Size(format!("its column `{name}` holds lists of more than {MAX_LIST} entries")));
            }
        }
        for row in group.get_row_iter(None)? {
            line += 1;
            take(row_of(line, row.map_err(|e| Refused::Cell(line, None, format!("can't be read: {e}")))?)?);
        }
    }
    match line {
        0 => Err(Refused::Size("holds no rows".to_owned())),
        _ => Ok(()),
    }
}

fn row_of(line: u64, row: parquet::record::Row) -> Result<Row, Refused> {
    let mut left = MAX_ROW;
    let mut values = Map::new();
    for (name, field) in row.into_columns() {
        let value = value(field, &mut left).map_err(|message| Refused::Cell(line, Some(name.clone()), message))?;
        values.insert(name, value);
    }
    Ok(Row { line, values })
}

/// What `datasets` notes of a file's columns.
pub(super) fn class_names(file: File) -> Result<BTreeMap<String, Vec<String>>, Refused> {
    let reader = SerializedFileReader::new(file)?;
    let notes = reader.metadata().file_metadata().key_value_metadata();
    let note =
        notes.into_iter().flatten().find(|note| note.key == "huggingface").and_then(|note| note.value.as_deref());
    let note: Value = note.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let features = note["info"]["features"].as_object().into_iter().flatten();
    let named = features.filter_map(|(column, feature)| {
        let is_class = feature["_type"].as_str().is_none_or(|kind| kind == "ClassLabel");
        let names = feature["names"].as_array().filter(|names| is_class && !names.is_empty())?;
        let names: Option<Vec<String>> = names.iter().map(|name| Some(name.as_str()?.to_owned())).collect();
        Some((column.clone(), names?))
    });
    Ok(named.collect())
}

/// A value as JSON has it; what is neither text nor number, list nor object is none.
fn value(field: Field, left: &mut usize) -> Result<Value, String> {
    let text = |text: String| match text.len() > MAX_LINE_BYTES {
        true => Err(format!("is {} bytes long; at most {MAX_LINE_BYTES} are read", text.len())),
        false => Ok(Value::String(text)),
    };
    let bytes = match &field {
        Field::Str(text) => text.len(),
        Field::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    *left = left.checked_sub(VALUE_BYTES + bytes).ok_or("is where a row becomes larger than what is read of one")?;
    Ok(match field {
        Field::Bool(x) => x.into(),
        Field::Byte(x) => x.into(),
        Field::Short(x) => x.into(),
        Field::Int(x) => x.into(),
        Field::Long(x) => x.into(),
        Field::UByte(x) => x.into(),
        Field::UShort(x) => x.into(),
        Field::UInt(x) => x.into(),
        Field::ULong(x) => x.into(),
        Field::Float(x) => x.into(),
        Field::Double(x) => x.into(),
        Field::Float16(x) => f32::from(x).into(),
        Field::Str(string) => text(string)?,
        // Some write texts without saying so.
        Field::Bytes(bytes) => match String::from_utf8(bytes.data().to_vec()) {
            Ok(string) => text(string)?,
            Err(_) => Value::Null,
        },
        Field::Group(row) => {
            let mut values = Map::new();
            for (name, field) in row.into_columns() {
                values.insert(name, value(field, left)?);
            }
            Value::Object(values)
        }
        Field::ListInternal(list) => {
            list.elements().iter().map(|field| value(field.clone(), left)).collect::<Result<_, _>>()?
        }
        Field::Null | Field::MapInternal(_) => Value::Null,
        // Dates, times, decimals.
        other => Value::String(other.to_string()),
    })
}
