//! What a command returns when it can't go on: an exit status, what is wrong and where, and what to do.

use crate::exit::Exit;
use crucible_core::data::Faults;
use crucible_core::printable;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

/// An error on its way to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliError {
    /// The status that the program ends with.
    pub exit: Exit,
    /// What is wrong, and where: file, line, field. Empty: nothing is printed.
    pub message: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// What commands return.
pub type CliResult<T> = Result<T, CliError>;

impl CliError {
    /// An error that ends with `exit`.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), advice: None }
    }

    /// A command line that can't be used.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The same error with what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The output could not be written to where it was piped: not an error when the reader simply left.
    #[must_use]
    pub fn stdout(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::new(Exit::Success, ""),
            _ => Self::new(Exit::Error, format!("cannot write to the standard output: {}", plain(error))),
        }
    }

    /// `doing` ("read", "write", …) on `path` failed.
    #[must_use]
    pub fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        let path = shown(path);
        let this = Self::new(Exit::Error, format!("cannot {doing} {path}: {}", plain(error)));
        match io_advice(doing, error.kind()) {
            Some(advice) => this.advise(advice),
            None => this,
        }
    }
}

/// A path in one line, whatever its name holds.
#[must_use]
pub fn shown(path: &Path) -> String {
    printable(&path.display().to_string()).into_owned()
}

/// The system's words without "(os error 28)".
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) => text[..at].to_lowercase(),
        None => text,
    }
}

/// What helps against a kind of failure. By kind, never by the message's text: that differs between systems.
fn io_advice(doing: &str, kind: ErrorKind) -> Option<&'static str> {
    let writing = doing != "read";
    Some(match kind {
        ErrorKind::PermissionDenied if writing => "choose a folder that you may write to, or change its permissions",
        ErrorKind::PermissionDenied => "ask its owner for permission to read it, or copy it to a folder of yours",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space or write to another disk; nothing was left half written"
        }
        ErrorKind::ReadOnlyFilesystem => "write to another disk: this one can't be written to",
        ErrorKind::IsADirectory if writing => "name a file inside that folder",
        ErrorKind::NotADirectory => "a part of that path is a file, not a folder",
        _ => return None,
    })
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.advice {
            Some(advice) => write!(f, "\n  help: {advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CliError {}

impl CliError {
    /// The faults of several files in one error, if there are any.
    ///
    /// # Errors
    /// All of them, with exit status 3.
    pub fn of_all(faults: Vec<Faults>) -> CliResult<()> {
        let errors: Vec<Self> = faults.into_iter().map(Self::from).collect();
        let Some(advice) = errors.iter().map(|e| e.advice.clone()).reduce(Option::or) else { return Ok(()) };
        let messages: Vec<String> = errors.into_iter().map(|e| e.message).collect();
        Err(Self { exit: Exit::Data, message: messages.join("\n"), advice })
    }
}

impl From<Faults> for CliError {
    fn from(faults: Faults) -> Self {
        let error = Self::new(Exit::Data, faults.to_string());
        match faults.faults.iter().any(|fault| fault.line.is_some()) {
            true => error.advise("correct what is named, or take those lines out"),
            false => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crucible_core::data::Fault;

    #[test]
    fn faults_in_data_end_with_3_and_name_line_and_field() {
        let mut faults = Faults::new("events.jsonl");
        faults.push(Fault { line: Some(7), field: Some("sense".to_owned()), message: "is missing".to_owned() });
        let error = CliError::from(faults);
        assert_eq!(error.exit, Exit::Data);
        assert_eq!(error.message, "events.jsonl: line 7: `sense`: is missing");
    }

    #[test]
    fn a_full_disk_says_what_to_do() {
        let error = CliError::io("write", Path::new("out.json"), &io::Error::from(ErrorKind::StorageFull));
        assert_eq!(error.exit, Exit::Error);
        assert!(error.to_string().contains("out.json"), "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");
    }

    #[test]
    fn a_closed_pipe_is_success_and_silent() {
        let error = CliError::stdout(&io::Error::from(ErrorKind::BrokenPipe));
        assert_eq!((error.exit, error.message.as_str()), (Exit::Success, ""));
        assert_eq!(CliError::stdout(&io::Error::from(ErrorKind::StorageFull)).exit, Exit::Error);
    }

    #[test]
    fn the_systems_error_number_is_left_out() {
        let error = CliError::io("read", Path::new("x"), &io::Error::from_raw_os_error(2));
        assert!(!error.message.contains("os error"), "{error}");
    }
}
