//! What is wrong with an input: every fault with its line and field, gathered up to a limit.

use crate::printable::{printable, shortened};
use std::fmt;

/// More faults than this are counted, not kept.
pub const FAULT_LIMIT: usize = 50;
/// A longer message is shortened: it quotes an id or a value.
const MOST_LETTERS: usize = 1000;

/// One fault in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line in the file, from 1; none for a fault of the file as a whole.
    pub line: Option<u64>,
    /// Path of the field, such as `anchor.text`.
    pub field: Option<String>,
    /// What is wrong and what was expected.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write("line", f)
    }
}

impl Fault {
    fn write(&self, place: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "{place} {line}: ")?;
        }
        if let Some(field) = self.field.as_deref().filter(|field| !field.is_empty() && *field != ".") {
            write!(f, "`{}`: ", shortened(&printable(field), MOST_LETTERS))?;
        }
        f.write_str(&shortened(&printable(&self.message), MOST_LETTERS))
    }
}

/// All faults of one input. An input with faults is refused whole (exit status 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The input's name, as the user gave it.
    pub source: String,
    /// The first [`FAULT_LIMIT`] faults, in order of line.
    pub faults: Vec<Fault>,
    /// How many more there were.
    pub more: u64,
    /// Its lines are rows of a table, and are called so.
    pub rows: bool,
}

impl Faults {
    /// No faults yet in `source`.
    #[must_use]
    pub fn new(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }

    /// A fault of the file as a whole.
    #[must_use]
    pub fn of_file(source: &str, message: impl Into<String>) -> Self {
        let mut faults = Self::new(source);
        faults.push(Fault { line: None, field: None, message: message.into() });
        faults
    }

    /// Adds a fault, or counts it when there are too many.
    pub fn push(&mut self, fault: Fault) {
        if self.faults.len() < FAULT_LIMIT { self.faults.push(fault) } else { self.more += 1 }
    }

    /// `Ok(value)` if there were no faults.
    ///
    /// # Errors
    /// These faults, if there are any.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.faults.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.rows { "row" } else { "line" };
        if let ([only], 0) = (self.faults.as_slice(), self.more) {
            write!(f, "{}: ", printable(&self.source))?;
            return only.write(place, f);
        }
        write!(f, "{}: {} faults; nothing was used", printable(&self.source), self.faults.len() as u64 + self.more)?;
        for fault in &self.faults {
            f.write_str("\n  ")?;
            fault.write(place, f)?;
        }
        if self.more > 0 {
            write!(f, "\n  … and {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_stays_in_its_line() {
        let mut faults = Faults::new("a\nb.jsonl");
        let message = "\"x\n\u{1b}[2J\" was already used".to_owned();
        faults.push(Fault { line: Some(1), field: Some("a\tb".to_owned()), message });
        let wanted = "a\\nb.jsonl: line 1: `a\\tb`: \"x\\n\\u{1b}[2J\" was already used";
        assert_eq!(faults.to_string(), wanted);
        faults.push(Fault { line: Some(2), field: None, message: "x".repeat(70_000) });
        assert!(faults.to_string().starts_with("a\\nb.jsonl: 2 faults") && faults.to_string().len() < 1500);
    }
}
