//! What is wrong with a configuration: every fault with where it came from, so that one run shows them all.

use super::Origin;
use std::fmt;

/// More faults than this are counted, not kept.
const LIMIT: usize = 50;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// File and line, flag or variable; none for a file as a whole (the message then names it).
    pub origin: Option<Origin>,
    /// The key's whole path, such as `training.steps`.
    pub field: Option<String>,
    /// What is wrong and what was expected.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
}

impl ConfigFault {
    /// A fault of one key.
    #[must_use]
    pub fn of_key(origin: &Origin, field: &str, message: impl Into<String>) -> Self {
        Self { origin: Some(origin.clone()), field: Some(field.to_owned()), message: message.into(), advice: None }
    }

    /// A fault of a place in a file.
    #[must_use]
    pub fn at(origin: Origin, message: impl Into<String>) -> Self {
        Self { origin: Some(origin), field: None, message: message.into(), advice: None }
    }

    /// The same fault with what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "`{field}`: ")?;
        }
        f.write_str(&self.message)?;
        match &self.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

/// All faults of a configuration: it is refused whole (exit status 2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigFaults {
    /// In the order they were found.
    pub faults: Vec<ConfigFault>,
    /// How many more there were.
    pub more: usize,
}

impl ConfigFaults {
    /// Adds a fault, or counts it when there are too many.
    pub fn push(&mut self, fault: ConfigFault) {
        if self.faults.len() < LIMIT { self.faults.push(fault) } else { self.more += 1 }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }
}

impl From<ConfigFault> for ConfigFaults {
    fn from(fault: ConfigFault) -> Self {
        Self { faults: vec![fault], more: 0 }
    }
}

impl From<Box<ConfigFault>> for ConfigFaults {
    fn from(fault: Box<ConfigFault>) -> Self {
        (*fault).into()
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ([only], 0) = (self.faults.as_slice(), self.more) {
            return write!(f, "{only}");
        }
        write!(f, "the configuration has {} faults", self.faults.len() + self.more)?;
        for fault in &self.faults {
            write!(f, "\n  {fault}")?;
        }
        if self.more > 0 {
            write!(f, "\n  … and {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigFaults {}
