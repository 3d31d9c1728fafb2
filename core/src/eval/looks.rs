//! The look ledger: how often each eval set was looked at.
//!
//! Every look at a frozen eval that decides something wears it out a little: what is chosen by it fits it by chance,
//! too. The ledger is a file of lines, one for each evaluation, that is only appended to.

use super::scoreboard::Scoreboard;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::BufRead;

/// A longer line is no look.
const MAX_LINE: u64 = 64 << 10;

/// One evaluation of one model on one eval set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Look {
    /// When, RFC 3339.
    pub timestamp: String,
    /// The command that looked, such as `eval`.
    pub command: String,
    /// The eval set, as the user named it.
    pub eval_path: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// SHA-256 of what its items say: what looks are counted by.
    pub content_hash: String,
    /// SHA-256 of the model.
    pub checkpoint_hash: String,
}

/// How often one eval set was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Looks {
    /// Evaluations.
    pub looks: usize,
    /// Different models among them.
    pub checkpoints: usize,
}

impl Look {
    /// The look that `board` came from.
    #[must_use]
    pub fn of(board: &Scoreboard, command: &str) -> Self {
        let header = &board.eval_header;
        Self {
            timestamp: board.timestamp.clone(),
            command: command.to_owned(),
            eval_path: header.eval_path.clone(),
            fingerprint: header.fingerprint.clone(),
            content_hash: header.content_hash.clone(),
            checkpoint_hash: board.checkpoint.hash.clone(),
        }
    }
}

impl Looks {
    /// Counts the looks at the items with this content hash.
    #[must_use]
    pub fn at(looks: &[Look], content_hash: &str) -> Self {
        let own = || looks.iter().filter(|look| look.content_hash == content_hash);
        let checkpoints: BTreeSet<&str> = own().map(|look| look.checkpoint_hash.as_str()).collect();
        Self { looks: own().count(), checkpoints: checkpoints.len() }
    }
}

/// Reads a ledger: its looks, and how many lines are none (one that a crash cut off, or something else).
///
/// # Errors
/// Those of `reader`.
pub fn read_looks(reader: &mut dyn BufRead) -> std::io::Result<(Vec<Look>, usize)> {
    let (mut looks, mut other, mut line) = (Vec::new(), 0, Vec::new());
    loop {
        line.clear();
        let mut limited = std::io::Read::take(&mut *reader, MAX_LINE);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Ok((looks, other));
        }
        let text = line.trim_ascii();
        match serde_json::from_slice(text) {
            Ok(look) => looks.push(look),
            Err(_) => other += usize::from(!text.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_counted_by_content_and_torn_lines_are_passed_over() {
        let look = |content: &str, checkpoint: &str| Look {
            timestamp: "2026-01-01T00:00:00Z".into(),
            command: "eval".into(),
            eval_path: "e.jsonl".into(),
            fingerprint: "f|42|1".into(),
            content_hash: content.into(),
            checkpoint_hash: checkpoint.into(),
        };
        let lines = [look("a", "1"), look("a", "2"), look("b", "1"), look("a", "1")];
        let mut text: String = lines.iter().map(|l| serde_json::to_string(l).expect("plain fields") + "\n").collect();
        let whole = text.clone();
        text.insert_str(text.find('\n').expect("a line end") + 1, "{\"timestamp\":\"20\n\n");
        text += &whole[..30];
        let (looks, other) = read_looks(&mut text.as_bytes()).expect("reads");
        assert_eq!((looks.len(), other), (4, 2));
        assert_eq!(Looks::at(&looks, "a"), Looks { looks: 3, checkpoints: 2 });
        assert_eq!(Looks::at(&looks, "c"), Looks::default());
        let long = "x".repeat(3 * MAX_LINE as usize);
        assert_eq!(read_looks(&mut long.as_bytes()).expect("reads").1, 3, "never more than a piece in memory");
    }
}
