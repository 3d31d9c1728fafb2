//! Writes what [`super::read_events`] reads: records of TensorBoard's event files, with scalars in them.
//!
//! Fields by number (`event.proto`, `summary.proto`): `Event.wall_time` 1, `step` 2, `file_version` 3, `summary` 5,
//! `session_log` 7; `Summary.value` 1; `Value.tag` 1, `simple_value` 2; `SessionLog.status` 1, which is 1 for START.

use super::crc::{crc32c, masked};

/// Wire types of protocol buffers.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// The record that a file begins with. `time` is in seconds since 1970.
#[must_use]
pub fn version_record(time: f64) -> Vec<u8> {
    record(&[wall_time(time), bytes(3, b"brain.Event:2")].concat())
}

/// The scalars of a step.
#[must_use]
pub fn scalars_record<'a>(time: f64, step: u64, scalars: impl IntoIterator<Item = (&'a str, f64)>) -> Vec<u8> {
    let value = |(tag, x): (&str, f64)| {
        // TensorBoard's scalars have 32 bits.
        let number = [key(2, FIXED32), (x as f32).to_le_bytes().to_vec()].concat();
        bytes(1, &[bytes(1, tag.as_bytes()), number].concat())
    };
    let summary: Vec<u8> = scalars.into_iter().flat_map(value).collect();
    record(&[wall_time(time), at(step), bytes(5, &summary)].concat())
}

/// Says that a run goes on: what an earlier file has from `step` on no longer counts.
#[must_use]
pub fn restart_record(time: f64, step: u64) -> Vec<u8> {
    record(&[wall_time(time), at(step), bytes(7, &[key(1, VARINT), varint(1)].concat())].concat())
}

/// Length, its checksum, data, their checksum.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let sum = |bytes: &[u8]| masked(crc32c(bytes)).to_le_bytes();
    [&length[..], &sum(&length), data, &sum(data)].concat()
}

fn wall_time(time: f64) -> Vec<u8> {
    [key(1, FIXED64), time.to_le_bytes().to_vec()].concat()
}

fn at(step: u64) -> Vec<u8> {
    [key(2, VARINT), varint(step)].concat()
}

fn key(field: u64, wire: u64) -> Vec<u8> {
    varint(field << 3 | wire)
}

fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [key(field, BYTES), varint(content.len() as u64), content.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::read_events;

    #[test]
    fn what_is_written_is_read() {
        let file = [
            version_record(1.5),
            scalars_record(2.5, 300, [("train/loss", 0.25), ("x", f64::INFINITY)]),
            restart_record(3.0, 301),
            scalars_record(4.0, u64::from(u32::MAX) + 1, [("train/loss", f64::NAN)]),
            scalars_record(4.0, 7, []),
        ]
        .concat();
        let run = read_events(&file).expect("reads");
        let loss = &run.series["train/loss"];
        assert!(loss[0] == (300, 0.25) && loss[1].0 == 1 << 32 && loss[1].1.is_nan(), "{loss:?}");
        assert_eq!(run.series["x"], [(300, f64::INFINITY)]);
        assert_eq!(run.series.len(), 2);
    }

    #[test]
    fn a_record_is_that_of_tensorflow() {
        // tests/reference/tracking.py has TensorBoard read whole files; this is one record, by hand.
        let data =
            [&[9][..], &1.0f64.to_le_bytes(), &[16, 0xac, 0x02, 42, 10, 10, 8, 10, 1, b'a', 21], &0.5f32.to_le_bytes()]
                .concat();
        let written = scalars_record(1.0, 300, [("a", 0.5)]);
        assert_eq!(written[12..written.len() - 4], data);
        assert_eq!(written[..8], (data.len() as u64).to_le_bytes());
    }
}
