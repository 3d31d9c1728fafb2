//! What did not work, in the words that the page shows: what, where, and what to do.

use crucible_core::backend::BackendError;
use crucible_core::data::Faults;
use crucible_core::eval::EvaluationError;
use crucible_core::guardrails::Finding;
use serde::Serialize;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Line, from 1; none for the file as a whole.
    pub line: Option<u64>,
    /// Field, such as `anchor.text`.
    pub field: Option<String>,
    /// What is wrong there.
    pub message: String,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Stable name, for programs.
    pub code: &'static str,
    /// In one line; names the file.
    pub title: String,
    /// What is wrong.
    pub what: String,
    /// Where, as far as it is known.
    #[serde(rename = "where")]
    pub places: Vec<Place>,
    /// How many more places there were.
    pub more: u64,
    /// What to do.
    pub advice: String,
}

impl Failure {
    /// A failure of a whole file or deed.
    #[must_use]
    pub fn new(
        code: &'static str,
        title: impl Into<String>,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (title, what, advice) = (title.into(), what.into(), advice.into());
        Self { code, title, what, places: Vec::new(), more: 0, advice }
    }

    /// Bad lines of a file.
    #[must_use]
    pub fn of_faults(faults: Faults) -> Self {
        let count = faults.faults.len() as u64 + faults.more;
        let what = match count {
            1 => "One fault was found; nothing of the file was used.".to_owned(),
            n => format!("{n} faults were found; nothing of the file was used."),
        };
        let title = format!("{} cannot be used", faults.source);
        let advice = if faults.faults.iter().any(|fault| fault.line.is_some()) {
            "Correct what is named, or take those lines out, and drop the file again."
        } else {
            "Check that this is the file you meant."
        };
        let places = faults.faults.into_iter().map(|fault| Place {
            line: fault.line,
            field: fault.field.filter(|field| !field.is_empty() && field != "."),
            message: fault.message,
        });
        Self { places: places.collect(), more: faults.more, ..Self::new("faults", title, what, advice) }
    }

    /// A guardrail that does not let a baseline stand beside a result.
    #[must_use]
    pub fn of_mismatch(baseline: &str, finding: &Finding) -> Self {
        let title = format!("{baseline} is of another eval set");
        let what = format!("{} {}: {}", finding.id, finding.name, finding.message);
        let advice = "Drop a baseline that was measured on this eval set, or compare all the same: the scoreboard then \
                      records that the mismatch was passed over.";
        Self::new("fingerprint", title, what, advice)
    }

    /// An evaluation that did not come to its end.
    #[must_use]
    pub fn of_evaluation(error: &EvaluationError) -> Self {
        match error {
            EvaluationError::Device(error) => Self::of_device(error),
            EvaluationError::Encoder(error) => {
                let advice = "Take the text out of the eval set, or use the checkpoint that it was made for.";
                Self::new("text", "A text can't be evaluated", error.to_string(), advice)
            }
        }
    }

    /// A GPU that failed.
    #[must_use]
    pub fn of_device(error: &BackendError) -> Self {
        let advice = match error {
            BackendError::Lost { .. } => "Choose the CPU and evaluate again; to use the GPU again, reload the page.",
            _ => "Choose the CPU and evaluate again.",
        };
        Self::new("device", "The GPU failed", error.to_string(), advice)
    }
}

/// Starts with a capital and ends with a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', ')']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}
