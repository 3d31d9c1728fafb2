//! Reads TensorBoard's event files, by nothing that wrote them: checksums bit by bit, fields as they come.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Event files in a folder, in the order in which TensorBoard reads them.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a folder").map(|e| e.expect("an entry").path());
    let mut files: Vec<PathBuf> = entries.filter(|p| p.to_string_lossy().contains("tfevents")).collect();
    files.sort();
    files
}

/// The division of RFC 3720, a bit at a time, and TensorFlow's mask.
fn masked_crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        for bit in 0..8 {
            let carry = (crc ^ u32::from(*byte) >> bit) & 1 == 1;
            crc = if carry { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    let crc = !crc;
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Fields of a message by number: numbers as they are, bytes as bytes.
fn fields(mut data: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
    fn varint(data: &mut &[u8]) -> u64 {
        let mut value = 0;
        for i in 0.. {
            let byte = data[0];
            *data = &data[1..];
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut out = Vec::new();
    while !data.is_empty() {
        let key = varint(&mut data);
        let (number, bytes) = match key % 8 {
            0 => (varint(&mut data), 0),
            1 => (0, 8),
            2 => (0, varint(&mut data) as usize),
            5 => (0, 4),
            other => panic!("wire type {other}"),
        };
        out.push((key / 8, number, data[..bytes].to_vec()));
        data = &data[bytes..];
    }
    out
}

/// Records of a file: each step with its scalars; none where the record begins a file or says that a run goes on.
fn records(path: &Path) -> Vec<(u64, Option<BTreeMap<String, f32>>)> {
    let bytes = std::fs::read(path).expect("reads");
    let mut rest = bytes.as_slice();
    let mut out = Vec::new();
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().expect("8")) as usize;
        let sum = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().expect("4"));
        assert_eq!(sum(8), masked_crc(&rest[..8]), "the length's checksum");
        let data = &rest[12..12 + length];
        assert_eq!(sum(12 + length), masked_crc(data), "the data's checksum");
        rest = &rest[16 + length..];
        let event = fields(data);
        let wall = event.iter().find(|(n, ..)| *n == 1).expect("a time");
        let wall = f64::from_le_bytes(wall.2.as_slice().try_into().expect("a double"));
        assert!(wall > 1.7e9 && wall < 1e11, "{wall} s since 1970");
        let step = event.iter().find(|(n, ..)| *n == 2).map_or(0, |f| f.1);
        if out.is_empty() {
            assert_eq!(event.iter().find(|(n, ..)| *n == 3).expect("a version").2, b"brain.Event:2");
        }
        let scalars = event.iter().find(|(n, ..)| *n == 5).map(|(_, _, summary)| {
            let value = |(n, _, value): (u64, u64, Vec<u8>)| {
                assert_eq!(n, 1);
                let value = fields(&value);
                let tag = String::from_utf8(value[0].2.clone()).expect("a tag");
                (tag, f32::from_le_bytes(value[1].2.as_slice().try_into().expect("a float")))
            };
            fields(summary).into_iter().map(value).collect()
        });
        if event.iter().any(|(n, ..)| *n == 7) {
            assert_eq!(fields(&event.last().expect("a field").2), [(1, 1, vec![])], "START");
        }
        out.push((step, scalars));
    }
    out
}

/// The files of a run say what its metrics do, where a restart takes back what was after it.
#[track_caller]
pub(crate) fn check(dir: &Path, metrics: &str, count: usize) {
    let files = files(dir);
    assert_eq!(files.len(), count, "{files:?}");
    let mut steps = BTreeMap::new();
    for (number, path) in files.iter().enumerate() {
        for (i, (step, scalars)) in records(path).into_iter().enumerate() {
            match (i, scalars) {
                (0, None) => {}
                (1, None) if number > 0 => drop(steps.split_off(&step)),
                (_, Some(scalars)) => assert!(steps.insert(step, scalars).is_none(), "step {step} twice"),
                other => panic!("{other:?}"),
            }
        }
    }
    let lines: Vec<Value> = metrics.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(steps.len(), lines.len());
    for line in lines {
        let scalars = &steps[&line["step"].as_u64().expect("a step")];
        for name in ["loss", "gradient_norm", "learning_rate"] {
            let expected = line[name].as_f64().expect("a number") as f32;
            assert_eq!(scalars[&format!("train/{name}")].to_bits(), expected.to_bits(), "{line}");
        }
        assert_eq!(scalars["quota/tier1_easy"], line["quota"][0].as_f64().expect("a number") as f32);
    }
}
