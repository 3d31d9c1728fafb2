//! `--exclude`: events of eval sets, which are never used for what training sees.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::io;
use crucible_core::data::{Event, MAX_LINE_BYTES, hex, read_bundles, read_events};
use crucible_core::overlap::Exclusion;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

/// The flag.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ExcludeArgs {
    /// Eval sets (files of bundles or of events): an event that is in one of them, by id or by the same or nearly the
    /// same text, is never used
    #[arg(long, value_name = "EVAL", num_args = 1..)]
    pub exclude: Vec<PathBuf>,
}

impl ExcludeArgs {
    /// The files that it reads, with their flag: no output may overwrite them.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.exclude.iter().map(|path| ("--exclude", path.as_path()))
    }

    /// Leaves out of `events`, which came from `path`, what the eval sets hold. Returns the others, with what was left
    /// out; without the flag, nothing is.
    ///
    /// # Errors
    /// Eval sets that can't be read or have faults, all events left out (exit status 3).
    pub fn apply(
        &self,
        path: &Path,
        mut events: Vec<Event>,
        near_duplicate: f64,
    ) -> CliResult<(Vec<Event>, Option<Exclusion>)> {
        if self.exclude.is_empty() {
            return Ok((events, None));
        }
        let mut exclusion = Exclusion::default();
        for eval in &self.exclude {
            let (asked, sha256) = read(eval)?;
            events = exclusion.apply(events, (eval.display().to_string(), sha256), &asked, near_duplicate);
        }
        if events.is_empty() {
            let message = format!("{}: all of its events are in the eval sets of --exclude", path.display());
            return Err(CliError::new(Exit::Data, message)
                .advise("were these eval sets made of the same events? `crucible split events` parts them first"));
        }
        Ok((events, Some(exclusion)))
    }
}

/// One line on what was left out.
#[must_use]
pub fn said(exclusion: &Exclusion) -> String {
    let Exclusion { evals, events, same_text, same_id, near_duplicates } = exclusion;
    let paths: Vec<&str> = evals.iter().map(|eval| eval.path.as_str()).collect();
    let mut text = format!("  excluded: {events} events that are in {}", paths.join(", "));
    if *events > 0 {
        let _ = write!(text, " ({same_text} by text, {same_id} by id alone, {near_duplicates} near-duplicates)");
    }
    text.push('\n');
    if *same_id > 0 {
        let _ = writeln!(
            text,
            "  ! {same_id} have the id and sense of an event there, and another text: were they edited, or do both files \
             count their ids from 1?"
        );
    }
    text
}

/// The events of an eval set, in any role, and the SHA-256 of its file.
fn read(path: &Path) -> CliResult<(Vec<Event>, String)> {
    let mut file = io::open_hashed(path)?;
    let name = path.display().to_string();
    let head = first_line(file.reader()).map_err(|e| CliError::io("read", path, &e))?;
    let events = {
        let mut whole = Read::chain(&head[..], file.reader());
        match holds_events(&head) {
            true => read_events(&mut whole, &name)?,
            false => read_bundles(&mut whole, &name)?.events,
        }
    };
    Ok((events, hex(&file.sha256()?)))
}

/// The first line that is not blank, with the blank ones before it; the start of one that is too long.
fn first_line(reader: &mut dyn BufRead) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut limited = reader.take(MAX_LINE_BYTES as u64);
    while head.trim_ascii().is_empty() && limited.read_until(b'\n', &mut head)? > 0 {}
    Ok(head)
}

/// Whether a file that begins with this line holds events, not bundles.
fn holds_events(line: &[u8]) -> bool {
    let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
    serde_json::from_slice(line).is_ok_and(|value: Value| value.get("event_id").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_first_line_tells_events_from_bundles() {
        for (text, events) in [
            ("\u{feff}{\"event_id\": \"a\", \"sense\": \"s\", \"text\": \"\\\"anchor\\\"\"}\n", true),
            ("\n  \n{\"sense\": \"s\", \"text\": \"t\", \"event_id\": \"a\"}", true),
            ("{\"_header\": true}\n{\"bundle_id\": \"b\"}\n", false),
            ("{\"bundle_id\": \"b\", \"anchor\": {\"event_id\": \"a\"}}\n", false),
            ("no JSON", false),
            ("", false),
        ] {
            let head = first_line(&mut text.as_bytes()).expect("reads");
            assert_eq!(holds_events(&head), events, "{text}");
        }
    }

    #[test]
    fn nothing_of_the_file_is_lost() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let event = |id: &str| format!("{{\"event_id\": \"{id}\", \"sense\": \"l#1\", \"text\": \"text {id}\"}}");
        let bundle = format!(
            "{{\"bundle_id\": \"b\", \"anchor\": {}, \"positive\": {}, \"negatives\": [{}]}}\n",
            event("a"),
            event("b"),
            event("c").replace("l#1", "l#2")
        );
        let lines = format!("\n{}\n{}\n{}\n", event("a"), event("b"), event("c"));
        for (name, text) in [("events.jsonl", &lines), ("events.jsonl.gz", &lines), ("bundles.jsonl.zst", &bundle)] {
            let path = dir.path().join(name);
            crate::output::write_file(&path, text.as_bytes()).expect("writes");
            let (events, sha256) = read(&path).expect("reads");
            assert_eq!(events.iter().map(|e| e.event_id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"], "{name}");
            assert_eq!(sha256, hex(&Sha256::digest(std::fs::read(&path).expect("reads"))), "{name}");
        }
        std::fs::write(dir.path().join("bad.jsonl"), "{\"event_id\": \"a\"}\n").expect("writes");
        assert_eq!(read(&dir.path().join("bad.jsonl")).expect_err("a fault").exit, Exit::Data);
    }
}
