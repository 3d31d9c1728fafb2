//! `trainer_state.json` of Hugging Face's `Trainer` (and of what builds on it, such as sentence-transformers).
//!
//! `log_history` is a list of objects with a `step` and numbers by name: `loss`, `grad_norm`, `learning_rate`, and
//! `eval_…` after evaluations. Python writes `NaN` and `Infinity`, which JSON does not have; they are what a guardrail
//! looks for, so they are read.

use super::{ForeignError, ForeignRun, MAX_POINTS};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct TrainerState {
    log_history: Vec<Map<String, Value>>,
}

/// Reads the file's text.
///
/// # Errors
/// What is no such file.
pub fn read_trainer_state(text: &str) -> Result<ForeignRun, ForeignError> {
    let quoted = quote_constants(text);
    let state: TrainerState = serde_json::from_str(&quoted)
        .map_err(|e| ForeignError(format!("this is no trainer_state.json: {e} (it has a list `log_history`)")))?;
    let mut run = ForeignRun::default();
    let mut points = 0;
    for entry in &state.log_history {
        let Some(step) = entry.get("step").and_then(Value::as_u64) else { continue };
        for (name, value) in entry.iter().filter(|(name, _)| *name != "step") {
            let Some(value) = number(value) else { continue };
            run.push(name, step, value);
            points += 1;
        }
    }
    if points > MAX_POINTS {
        return Err(ForeignError(format!("{points} numbers; at most {MAX_POINTS} are read")));
    }
    run.sort();
    Ok(run)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// Puts quotes around `NaN`, `Infinity` and `-Infinity` outside strings.
fn quote_constants(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut in_string) = (text, false);
    while let Some(first) = rest.chars().next() {
        let constant = ["NaN", "-Infinity", "Infinity"].into_iter().find(|c| !in_string && rest.starts_with(c));
        let taken = match (constant, first) {
            (Some(constant), _) => {
                out.extend(["\"", constant, "\""]);
                rest = &rest[constant.len()..];
                continue;
            }
            // An escaped character ends no string.
            (None, '\\') if in_string => rest.chars().take(2).map(char::len_utf8).sum(),
            (None, '"') => {
                in_string = !in_string;
                1
            }
            _ => first.len_utf8(),
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = r#"{"best_metric": NaN, "epoch": 1.0, "log_history": [
        {"epoch": 0.5, "grad_norm": 1.25, "learning_rate": 5e-05, "loss": 0.9, "step": 10},
        {"epoch": 1.0, "grad_norm": NaN, "loss": Infinity, "step": 20},
        {"eval_loss": -Infinity, "eval_note": "a \"NaN\" \\", "eval_frozen_accuracy": 0.5, "step": 20},
        {"train_runtime": 3.5}
    ], "max_steps": 20}"#;

    #[test]
    fn reads_numbers_by_step_and_pythons_constants() {
        let run = read_trainer_state(STATE).expect("reads");
        assert_eq!(run.series["loss"], [(10, 0.9), (20, f64::INFINITY)]);
        assert!(run.series["grad_norm"][1].1.is_nan() && run.series["eval_loss"] == [(20, f64::NEG_INFINITY)]);
        assert_eq!(run.series["eval_frozen_accuracy"], [(20, 0.5)]);
        assert!(!run.series.contains_key("train_runtime") && !run.series.contains_key("eval_note"));
    }

    #[test]
    fn refuses_what_it_is_not_and_never_panics() {
        for text in ["", "{}", "[]", r#"{"log_history": 3}"#, "{\"log_history\": [\"\\", "NaN", "\"\\"] {
            assert!(read_trainer_state(text).is_err(), "{text}");
        }
        for cut in 0..STATE.len() {
            assert!(read_trainer_state(&STATE[..cut]).is_err(), "cut at {cut}");
        }
    }
}
