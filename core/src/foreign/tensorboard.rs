//! Event files of TensorBoard (`events.out.tfevents.…`): the scalars in them.
//!
//! A file is a row of records: length (`u64`, little endian), masked CRC-32C of the length, data, masked CRC-32C of the
//! data (TensorFlow's `record_writer.h`). The data is an `Event` in protocol buffers, of which these fields matter
//! (`event.proto`, `summary.proto`, `tensor.proto`): `Event.step` 2, `Event.summary` 5; `Summary.value` 1; `Value.tag` 1,
//! `simple_value` 2, `tensor` 8; `TensorProto.dtype` 1, `tensor_content` 4, `float_val` 5, `double_val` 6. All others are
//! passed over. A dozen fields need no generated code.

use super::crc::{crc32c, masked};
use super::{ForeignError, ForeignRun, MAX_POINTS};

/// A longer record is no event with scalars; images and graphs of this size are not read.
const MAX_RECORD: usize = 64 << 20;
/// A longer tag is none.
const MAX_TAG: usize = 4096;

/// Reads a file's bytes. A file that is still written to may end in the middle of a record: what is before it counts.
///
/// # Errors
/// No such file, or a damaged one: a checksum that does not fit, a record that is too long, a broken message.
pub fn read_events(bytes: &[u8]) -> Result<ForeignRun, ForeignError> {
    let mut run = ForeignRun::default();
    let (mut rest, mut record, mut points) = (bytes, 0u64, 0);
    while let Some((header, after)) = rest.split_first_chunk::<12>() {
        let (length, sum) = header.split_at(8);
        let fault = |what: &str| ForeignError(format!("record {record}: {what}"));
        if masked(crc32c(length)) != little_endian(sum) as u32 {
            let what = if record == 0 { "this is no TensorBoard event file" } else { "the length is damaged" };
            return Err(fault(what));
        }
        let length = usize::try_from(little_endian(length)).unwrap_or(usize::MAX);
        if length > MAX_RECORD {
            return Err(fault(&format!("{length} bytes; at most {MAX_RECORD} are read")));
        }
        // Both are there, or the writer has not come so far.
        let Some((data, after)) = after.split_at_checked(length) else { break };
        let Some((sum, after)) = after.split_first_chunk::<4>() else { break };
        if masked(crc32c(data)) != little_endian(sum) as u32 {
            return Err(fault("the checksum does not fit: the file is damaged"));
        }
        points += event(data, &mut run).ok_or_else(|| fault("this is no event"))?;
        if points > MAX_POINTS {
            return Err(fault(&format!("more than {MAX_POINTS} numbers")));
        }
        rest = after;
        record += 1;
    }
    if record == 0 {
        return Err(ForeignError("this is no TensorBoard event file".to_owned()));
    }
    run.sort();
    Ok(run)
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// One field of a message.
enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// The fields of a message with their numbers; an item that is None ends it: the message is broken.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Field<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(little_endian(self.take(8)?)),
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(little_endian(self.take(4)?) as u32),
            _ => return None,
        };
        Some((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Field<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Takes the scalars of an event; how many there were, or None for a broken message.
fn event(data: &[u8], run: &mut ForeignRun) -> Option<usize> {
    let (mut step, mut summaries) = (0, Vec::new());
    for field in Fields(data) {
        match field? {
            (2, Field::Varint(number)) => step = number,
            (5, Field::Bytes(summary)) => summaries.push(summary),
            _ => {}
        }
    }
    let mut points = 0;
    for summary in summaries {
        for field in Fields(summary) {
            let (1, Field::Bytes(value)) = field? else { continue };
            if let Some((tag, number)) = scalar(value)? {
                run.push(tag, step, number);
                points += 1;
            }
        }
    }
    Some(points)
}

/// Tag and number of a summary's value; Some(None) where it is no scalar.
fn scalar(value: &[u8]) -> Option<Option<(&str, f64)>> {
    let (mut tag, mut number) = (None, None);
    for field in Fields(value) {
        match field? {
            (1, Field::Bytes(text)) if text.len() <= MAX_TAG => tag = std::str::from_utf8(text).ok(),
            (2, Field::Fixed32(bits)) => number = Some(f64::from(f32::from_bits(bits))),
            (8, Field::Bytes(message)) => number = tensor(message)?.or(number),
            _ => {}
        }
    }
    Some(tag.zip(number))
}

/// The number of a tensor with one; Some(None) for others.
fn tensor(message: &[u8]) -> Option<Option<f64>> {
    const FLOAT: u64 = 1;
    const DOUBLE: u64 = 2;
    let (mut dtype, mut content, mut value) = (0, None, None);
    for field in Fields(message) {
        match field? {
            (1, Field::Varint(kind)) => dtype = kind,
            (4, Field::Bytes(bytes)) => content = Some(bytes),
            (5, Field::Fixed32(bits)) => value = Some(f64::from(f32::from_bits(bits))),
            // Packed, as proto3 writes it.
            (5, Field::Bytes(bytes)) if bytes.len() == 4 => value = Some(f64::from(float(bytes))),
            (6, Field::Fixed64(bits)) => value = Some(f64::from_bits(bits)),
            (6, Field::Bytes(bytes)) if bytes.len() == 8 => value = Some(f64::from_bits(little_endian(bytes))),
            _ => {}
        }
    }
    Some(match (dtype, content) {
        (FLOAT, Some(bytes)) if bytes.len() == 4 => Some(f64::from(float(bytes))),
        (DOUBLE, Some(bytes)) if bytes.len() == 8 => Some(f64::from_bits(little_endian(bytes))),
        (FLOAT | DOUBLE, _) => value,
        _ => None,
    })
}

fn float(bytes: &[u8]) -> f32 {
    f32::from_bits(little_endian(bytes) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(mut value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while value > 0x7f {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        out
    }

    fn bytes(number: u64, content: &[u8]) -> Vec<u8> {
        [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
    }

    fn record(data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u64).to_le_bytes();
        let sum = |bytes: &[u8]| masked(crc32c(bytes)).to_le_bytes().to_vec();
        [length.to_vec(), sum(&length), data.to_vec(), sum(data)].concat()
    }

    fn scalar_event(step: u64, value: &[u8]) -> Vec<u8> {
        // wall_time, a double, first.
        let head = [vec![1 << 3 | 1], 1.5f64.to_le_bytes().to_vec(), vec![2 << 3], varint(step)].concat();
        record(&[head, bytes(5, &bytes(1, value))].concat())
    }

    fn simple(step: u64, tag: &str, x: f32) -> Vec<u8> {
        scalar_event(step, &[bytes(1, tag.as_bytes()), vec![2 << 3 | 5], x.to_le_bytes().to_vec()].concat())
    }

    fn file() -> Vec<u8> {
        let version = record(&[vec![1 << 3 | 1], 0f64.to_le_bytes().to_vec(), bytes(3, b"brain.Event:2")].concat());
        let double = [vec![1 << 3, 2], bytes(6, &0.25f64.to_le_bytes())].concat();
        let content = [vec![1 << 3, 1], bytes(4, &0.5f32.to_le_bytes())].concat();
        let tensor = |tag: &str, message: &[u8]| [bytes(1, tag.as_bytes()), bytes(8, message)].concat();
        [
            version,
            simple(300, "train/loss", 0.5),
            simple(200, "train/loss", f32::NAN),
            scalar_event(7, &tensor("a", &double)),
            scalar_event(8, &tensor("a", &content)),
            scalar_event(9, &tensor("text", &[vec![1 << 3, 7], bytes(8, b"words")].concat())),
        ]
        .concat()
    }

    #[test]
    fn scalars_of_both_kinds_are_read_in_order_of_steps() {
        let run = read_events(&file()).expect("reads");
        assert_eq!(run.series["a"], [(7, 0.25), (8, 0.5)]);
        let loss = &run.series["train/loss"];
        assert!(loss.len() == 2 && loss[0].0 == 200 && loss[0].1.is_nan() && loss[1] == (300, 0.5), "{loss:?}");
        assert_eq!(run.series.len(), 2, "a text is no scalar");
    }

    #[test]
    fn a_file_that_is_still_written_counts_as_far_as_it_goes() {
        let whole = file();
        let mut most = 0;
        for cut in 1..whole.len() {
            match read_events(&whole[..cut]) {
                Ok(run) => most = most.max(run.series.values().map(Vec::len).sum()),
                Err(_) => assert!(cut < 70, "cut at {cut}: the first record is whole"),
            }
        }
        assert_eq!(most, 4);
    }

    #[test]
    fn damage_is_found_and_never_panics() {
        let whole = file();
        for at in 0..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 0x10;
            assert!(read_events(&bad).is_err(), "byte {at}");
        }
        assert!(read_events(b"").is_err() && read_events(b"<!DOCTYPE html><html></html>").is_err());
        // Sound checksums around what is no event, and a record that claims to be long.
        for data in [&[0x0f][..], &[0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f], &[0x80; 12], &[0x2a, 0x03, 0x0a, 0x7f, 0x00]] {
            assert!(read_events(&record(data)).is_err(), "{data:?}");
        }
        let length = (1u64 << 62).to_le_bytes();
        let long = [length.to_vec(), masked(crc32c(&length)).to_le_bytes().to_vec()].concat();
        assert!(read_events(&long).expect_err("too long").0.contains("at most"));
    }
}
