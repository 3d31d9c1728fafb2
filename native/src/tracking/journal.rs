//! `tracking.jsonl`: all that an MLflow server is to be told of a run, in order.
//!
//! The training writes here and nowhere else, as it writes its own log; whoever sends reads from here. So nothing waits
//! for a server, and nothing is lost when one is down or the program is killed: [`super::sent`] says how far it was sent.
//! No address and no password is in it.

use crate::error::{CliError, CliResult};
use crate::output;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The file's name in a run's folder.
pub const JOURNAL: &str = "tracking.jsonl";
/// A longer line is none of ours.
pub const MAX_LINE: u64 = 8 << 20;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The run begins. Always the first line, and only that.
    Start(Start),
    /// It goes on where it was stopped.
    Resume {
        /// Milliseconds since 1970.
        time: i64,
    },
    /// Numbers of one step.
    Metrics(Metrics),
    /// It ends; files of the folder are sent with it.
    End {
        /// How.
        status: Status,
        /// Milliseconds since 1970.
        time: i64,
    },
}

/// How a run begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Start {
    /// By which the server finds the run again: a random name that it carries as a tag.
    pub key: String,
    /// MLflow's experiment.
    pub experiment: String,
    /// The run's name.
    pub name: String,
    /// Milliseconds since 1970.
    pub time: i64,
    /// The way from the folder to that of the run that this one is a part of, such as `../..`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What is said about it.
    pub tags: BTreeMap<String, String>,
    /// Its settings, by their keys.
    pub params: BTreeMap<String, String>,
}

/// Numbers of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// Where they come from, such as `train` or `frozen`: each says something once a step.
    pub group: String,
    /// Steps done.
    pub step: u64,
    /// Milliseconds since 1970.
    pub time: i64,
    /// By name.
    pub values: BTreeMap<String, Number>,
}

/// A number; what JSON has no form for is written as MLflow reads it: `"NaN"`, `"Infinity"`, `"-Infinity"`.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub f64);

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits() || (self.0.is_nan() && other.0.is_nan())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            x if x.is_nan() => serializer.serialize_str("NaN"),
            x if x.is_infinite() => serializer.serialize_str(if x > 0.0 { "Infinity" } else { "-Infinity" }),
            x => serializer.serialize_f64(x),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(x) => Ok(Self(x)),
            Form::Text(text) => match text.as_str() {
                "NaN" => Ok(Self(f64::NAN)),
                "Infinity" => Ok(Self(f64::INFINITY)),
                "-Infinity" => Ok(Self(f64::NEG_INFINITY)),
                _ => Err(serde::de::Error::custom("a number is expected")),
            },
        }
    }
}

impl JsonSchema for Number {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number, or what JSON has no number for.",
            "anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]
        })
    }
}

/// How a run ended, in MLflow's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// All of it was done.
    Finished,
    /// By an error.
    Failed,
    /// By a signal; it can go on.
    Killed,
}

/// A run's journal, to be written on.
pub(super) struct Journal(File);

impl Journal {
    /// Opens it; second, what is in it: none where it has no beginning, and then it is empty. A line that a crash cut off
    /// is ended.
    pub(super) fn open(path: &Path) -> CliResult<(Self, Option<Written>)> {
        let failed = |e: std::io::Error| CliError::io("write", path, &e);
        let written = if path.exists() { Written::read(path).map_err(failed)? } else { None };
        if written.is_none() {
            output::remove_file(path)?;
        }
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path).map_err(failed)?;
        let mut last = [b'\n'];
        if file.metadata().map_err(failed)?.len() > 0 {
            file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).map_err(failed)?;
        }
        if last != [b'\n'] {
            file.write_all(b"\n").map_err(failed)?;
        }
        Ok((Self(file), written))
    }

    /// Adds a line, in one write.
    pub(super) fn append(&mut self, entry: &Entry) -> std::io::Result<()> {
        let line = serde_json::to_string(entry)? + "\n";
        self.0.write_all(line.as_bytes())
    }
}

/// What is in a journal.
pub(super) struct Written {
    /// Groups and steps of its metrics.
    pub(super) seen: BTreeSet<(String, u64)>,
}

impl Written {
    fn read(path: &Path) -> std::io::Result<Option<Self>> {
        if first(path)?.is_none() {
            return Ok(None);
        }
        let mut seen = BTreeSet::new();
        let mut reader = BufReader::new(File::open(path)?);
        let mut line = Vec::new();
        while {
            line.clear();
            reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? > 0
        } {
            if let Ok(Entry::Metrics(metrics)) = serde_json::from_slice(&line) {
                seen.insert((metrics.group, metrics.step));
            }
        }
        Ok(Some(Self { seen }))
    }
}

/// How the journal begins; none where that is not said.
pub(super) fn first(path: &Path) -> std::io::Result<Option<Start>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?).take(MAX_LINE).read_until(b'\n', &mut line)?;
    // A line without an end was cut off.
    Ok(match serde_json::from_slice(&line) {
        Ok(Entry::Start(start)) if line.ends_with(b"\n") => Some(start),
        _ => None,
    })
}

/// A line, and where the next one begins; a damaged one has no entry.
pub(super) struct Line {
    pub(super) entry: Option<Entry>,
    pub(super) end: u64,
}

/// The whole lines from `offset` on, up to about [`MAX_LINE`] bytes of them. A line that is still written is not there yet.
pub(super) fn lines(path: &Path, offset: u64) -> std::io::Result<Vec<Line>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(MAX_LINE).read_to_end(&mut bytes)?;
    let mut end = offset;
    let whole = bytes.split_inclusive(|b| *b == b'\n').filter(|line| line.ends_with(b"\n"));
    let mut lines: Vec<Line> = whole
        .map(|line| {
            end += line.len() as u64;
            Line { entry: serde_json::from_slice(line).ok(), end }
        })
        .collect();
    if lines.is_empty() && bytes.len() as u64 == MAX_LINE {
        // None of ours: pass over it.
        lines.push(Line { entry: None, end: offset + MAX_LINE });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Entry {
        Entry::Start(Start {
            key: "k".into(),
            experiment: "e".into(),
            name: "n".into(),
            time: 1,
            parent: None,
            tags: BTreeMap::new(),
            params: BTreeMap::new(),
        })
    }

    fn metrics(step: u64, value: f64) -> Entry {
        let values = BTreeMap::from([("loss".to_owned(), Number(value))]);
        Entry::Metrics(Metrics { group: "train".into(), step, time: 2, values })
    }

    #[test]
    fn what_json_has_no_number_for_comes_back() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.1] {
            let text = serde_json::to_string(&metrics(1, value)).expect("JSON");
            assert_eq!(serde_json::from_str::<Entry>(&text).expect("an entry"), metrics(1, value), "{text}");
        }
        let text = serde_json::to_string(&metrics(1, f64::NEG_INFINITY)).expect("JSON");
        assert!(text.contains(r#""loss":"-Infinity""#), "{text}");
        assert!(serde_json::from_str::<Number>("\"1\"").is_err());
    }

    #[test]
    fn a_line_that_was_cut_off_is_passed_over_and_the_next_is_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(JOURNAL);
        let (mut journal, written) = Journal::open(&path).expect("opens");
        assert!(written.is_none());
        for entry in [start(), metrics(1, 0.5)] {
            journal.append(&entry).expect("writes");
        }
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes.extend(b"{\"entry\":\"metr");
        std::fs::write(&path, &bytes).expect("writes");
        // While it is written, it is not there.
        assert_eq!(lines(&path, 0).expect("reads").len(), 2);
        let (mut journal, written) = Journal::open(&path).expect("opens");
        assert_eq!(written.expect("begun").seen, BTreeSet::from([("train".to_owned(), 1)]));
        journal.append(&metrics(2, 0.25)).expect("writes");
        let all = lines(&path, 0).expect("reads");
        let entries: Vec<Option<Entry>> = all.iter().map(|l| l.entry.clone()).collect();
        assert_eq!(entries, [Some(start()), Some(metrics(1, 0.5)), None, Some(metrics(2, 0.25))]);
        // Each line leads to the next.
        let rest = lines(&path, all[2].end).expect("reads");
        assert_eq!((rest.len(), rest[0].end), (1, all[3].end));
    }

    #[test]
    fn a_journal_without_a_beginning_is_begun_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(JOURNAL);
        for bytes in [&b""[..], b"{\"entry\":\"start\",", b"\xff\xfe\n", b"{\"entry\":\"resume\",\"time\":1}\n"] {
            std::fs::write(&path, bytes).expect("writes");
            let (_, written) = Journal::open(&path).expect("opens");
            assert!(written.is_none() && std::fs::read(&path).expect("reads").is_empty(), "{bytes:?}");
        }
    }
}
