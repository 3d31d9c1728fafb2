//! Verdicts of a review queue: suspects that `mine --review` wrote and somebody looked at.

use crate::data::{Fault, Faults, parse_json, read_lines};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

/// What of a suspect decides.
#[derive(Deserialize)]
struct Judged {
    bundle_id: String,
    negative: String,
    #[serde(default)]
    verdict: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// Bundles with a negative that is of the anchor's sense.
    pub false_negatives: BTreeSet<String>,
    /// Bundles whose suspects are all fine.
    pub kept: BTreeSet<String>,
    /// Suspects without a verdict: their bundles stay.
    pub open: u64,
}

/// Reads a review queue (JSON Lines as of [`Suspect`](crate::mining::Suspect)).
///
/// # Errors
/// All faults, by line: bad JSON, verdicts other than `false_negative` and `keep`, and two that contradict each other.
pub fn read_verdicts(reader: &mut dyn BufRead, source: &str) -> Result<Verdicts, Faults> {
    let mut judged: BTreeMap<(String, String), (bool, u64)> = BTreeMap::new();
    let mut open = 0;
    let fault = |message: String| Err(Fault { line: None, field: Some("verdict".to_owned()), message });
    read_lines(reader, source, "suspect", parse_json::<Judged>, |line, suspect| {
        let verdict = suspect.verdict.as_deref().map(str::trim).filter(|v| !v.is_empty());
        let false_negative = match verdict {
            None => {
                open += 1;
                return Ok(());
            }
            Some("false_negative") => true,
            Some("keep") => false,
            Some(other) => {
                let other: String = other.chars().take(40).collect();
                return fault(format!("is \"{other}\"; expected \"false_negative\", \"keep\" or null"));
            }
        };
        let key = (suspect.bundle_id, suspect.negative);
        if let Some((_, first)) = judged.get(&key).filter(|(before, _)| *before != false_negative) {
            return fault(format!("contradicts line {first}, of the same bundle and negative"));
        }
        judged.entry(key).or_insert((false_negative, line));
        Ok(())
    })?;
    let mut verdicts = Verdicts { open, ..Verdicts::default() };
    for ((bundle_id, _), (false_negative, _)) in judged {
        let of = if false_negative { &mut verdicts.false_negatives } else { &mut verdicts.kept };
        of.insert(bundle_id);
    }
    verdicts.kept.retain(|bundle_id| !verdicts.false_negatives.contains(bundle_id));
    Ok(verdicts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bundle: &str, negative: &str, verdict: &str) -> String {
        format!(r#"{{"bundle_id":"{bundle}","negative":"{negative}","similarity":0.5,"verdict":{verdict}}}"#)
    }

    fn read(lines: &[String]) -> Result<Verdicts, Faults> {
        read_verdicts(&mut lines.join("\n").as_bytes(), "review")
    }

    #[test]
    fn one_false_negative_spoils_a_bundle() {
        let found = read(&[
            line("a", "1", "\"keep\""),
            line("a", "2", "\"false_negative\""),
            line("b", "1", "\"keep\""),
            line("b", "1", "\" keep \""),
            line("c", "1", "null"),
            line("d", "1", "\"\""),
            r#"{"bundle_id":"e","negative":"1"}"#.to_owned(),
        ]);
        let found = found.expect("reads");
        assert_eq!(found.false_negatives.iter().collect::<Vec<_>>(), ["a"]);
        assert_eq!(found.kept.iter().collect::<Vec<_>>(), ["b"]);
        assert_eq!(found.open, 3);
    }

    #[test]
    fn verdicts_that_are_none_or_contradict_are_named() {
        let faults = read(&[
            line("a", "1", "\"keep\""),
            line("a", "1", "\"false_negative\""),
            line("b", "1", "\"drop\""),
            line("c", "1", "3"),
            "{}".to_owned(),
        ]);
        let said = faults.expect_err("four faults").to_string();
        for part in [
            "line 2: `verdict`: contradicts line 1",
            "line 3: `verdict`: is \"drop\"; expected \"false_negative\"",
            "line 4: `verdict`: invalid type",
            "line 5: missing field `bundle_id`",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
