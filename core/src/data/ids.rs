//! Ids of events, one a line: what says whose row a vector is.

use super::faults::{Fault, Faults};
use super::kind::Wanted;
use super::lines::{check_kind, parse_json, read_lines};
use serde::Deserialize;
use std::collections::HashMap;
use std::io::BufRead;

/// An id as `crucible embed` writes it, or an object that has one, such as an event.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected an event id in quotes, or an object with an `event_id`")]
enum RawId {
    Id(String),
    Object { event_id: String },
}

/// Reads a file of ids (JSON Lines): a JSON text a line, or an object with an `event_id`, such as an event.
///
/// # Errors
/// All faults, by line: bad JSON, empty ids, ids that were used before.
pub fn read_ids(reader: &mut dyn BufRead, source: &str) -> Result<Vec<String>, Faults> {
    let mut ids = Vec::new();
    let mut seen: HashMap<String, u64> = HashMap::new();
    check_kind(reader, source, Wanted::Ids)?;
    read_lines(
        reader,
        source,
        "event id",
        |line| match parse_json::<RawId>(line)? {
            RawId::Id(id) | RawId::Object { event_id: id } if id.trim().is_empty() => {
                Err(Fault { line: None, field: None, message: "the id is empty".to_owned() })
            }
            RawId::Id(id) | RawId::Object { event_id: id } => Ok(id),
        },
        |line, id| {
            if let Some(first) = seen.insert(id.clone(), line) {
                let message = format!("the id \"{id}\" was already used on line {first}");
                return Err(Fault { line: None, field: None, message });
            }
            ids.push(id);
            Ok(())
        },
    )?;
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, Faults> {
        read_ids(&mut text.as_bytes(), "ids")
    }

    #[test]
    fn ids_are_texts_or_objects_with_one() {
        let text = "\"a\"\n\n{\"event_id\": \"b\\n\", \"text\": \"x\"}\n";
        assert_eq!(read(text).expect("reads"), ["a", "b\n"]);
    }

    #[test]
    fn every_fault_is_named_with_its_line() {
        let faults = read("\"a\"\n7\n\"a\"\nb\n\" \"\n").expect_err("four faults").to_string();
        for said in ["line 2: expected an event id in quotes", "\"a\" was already used on line 1", "line 4: not JSON"] {
            assert!(faults.contains(said), "{said}: {faults}");
        }
        assert!(faults.contains("line 5: the id is empty"), "{faults}");
        assert!(read("").expect_err("empty").to_string().contains("one event id a line"));
    }
}
