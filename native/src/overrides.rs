//! `--training.steps 20000`: any leaf of the configuration as a flag.
//!
//! These are taken out of the arguments before clap sees them: clap knows its flags beforehand, and the
//! configuration's keys are checked, with their nearest names, where all its other sources are.

use crate::error::CliError;
use crucible_core::config::Override;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A flag that names a file, for a key of the configuration.
#[must_use]
pub fn of_path(flag: &str, key: &str, path: &Path) -> Override {
    Override::named(flag, key, &serde_json::Value::String(path.display().to_string()).to_string())
}

/// [`of_path`] of a path from the root on. Settings are text, and another name must not be written to.
///
/// # Errors
/// The path is no UTF-8 text; with exit status 2.
pub fn of_whole_path(flag: &str, key: &str, path: &Path) -> Result<Override, CliError> {
    let path = absolute(path);
    match path.to_str() {
        Some(_) => Ok(of_path(flag, key, &path)),
        None => Err(not_text(&path.display().to_string())),
    }
}

/// An argument that has to be text and is none.
#[must_use]
pub fn not_text(shown: &str) -> CliError {
    CliError::usage(format!("{shown} is not UTF-8 text, and settings are"))
        .advise("rename the file or folder, or work in a folder with another name")
}

/// `path` from the root on; as it is, where that can't be told.
#[must_use]
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Splits arguments into those for clap and the dotted ones, in order. What follows a lone `--` is left alone.
///
/// # Errors
/// A dotted flag without a value.
pub fn split(args: Vec<OsString>) -> Result<(Vec<OsString>, Vec<Override>), CliError> {
    let mut rest = Vec::with_capacity(args.len());
    let mut overrides = Vec::new();
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        if arg == "--" {
            rest.push(arg);
            rest.extend(args);
            break;
        }
        let Some((path, value)) = arg.to_str().and_then(dotted) else {
            rest.push(arg);
            continue;
        };
        let value = match value {
            Some(value) => value.to_owned(),
            None => following(&path, args.next_if(|next| !next.to_string_lossy().starts_with("--")))?,
        };
        overrides.push(Override::dotted(&path, &value));
    }
    Ok((rest, overrides))
}

fn following(path: &str, next: Option<OsString>) -> Result<String, CliError> {
    let missing = || CliError::usage(format!("`--{path}` needs a value")).advise(format!("write --{path}=VALUE"));
    next.ok_or_else(missing)?
        .into_string()
        .map_err(|_| CliError::usage(format!("the value of `--{path}` is not UTF-8 text")))
}

/// The path, and the value after `=`, of a flag with a dot in its name.
fn dotted(arg: &str) -> Option<(String, Option<&str>)> {
    let body = arg.strip_prefix("--")?;
    let (name, value) = match body.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (body, None),
    };
    let is_key = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    let parts = name.split('.').count();
    // `--training.batch-size` is a likely spelling: all other flags have hyphens.
    (parts > 1 && name.split('.').all(is_key)).then(|| (name.replace('-', "_"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Vec<(String, String)>;

    fn run(args: &[&str]) -> Result<(Vec<String>, Pairs), CliError> {
        let (rest, overrides) = split(args.iter().map(OsString::from).collect())?;
        let rest = rest.into_iter().map(|a| a.into_string().expect("text")).collect();
        Ok((rest, overrides.into_iter().map(|o| (o.path, o.value)).collect()))
    }

    fn pair(path: &str, value: &str) -> (String, String) {
        (path.to_owned(), value.to_owned())
    }

    #[test]
    fn both_spellings_are_taken_out() {
        let (rest, overrides) =
            run(&["crucible", "train", "--training.steps", "20000", "--bundles", "b", "--model.dropout=.5"])
                .expect("splits");
        assert_eq!(rest, ["crucible", "train", "--bundles", "b"]);
        assert_eq!(overrides, [pair("training.steps", "20000"), pair("model.dropout", ".5")]);
    }

    #[test]
    fn hyphens_and_negative_values_are_fine() {
        let (_, overrides) = run(&["--training.batch-size", "-1", "--data.events="]).expect("splits");
        assert_eq!(overrides, [pair("training.batch_size", "-1"), pair("data.events", "")]);
    }

    #[test]
    fn other_arguments_stay() {
        let args = ["c", "--output", "a.b", "--threads=1.5", "--x..y", "--.x", "file.json", "-a.b", "--", "--a.b", "c"];
        let (rest, overrides) = run(&args).expect("splits");
        assert_eq!(rest, args);
        assert!(overrides.is_empty());
    }

    #[test]
    fn a_missing_value_is_a_usage_error() {
        for args in [&["--training.steps"][..], &["--training.steps", "--quiet"]] {
            let error = run(args).expect_err("no value");
            assert_eq!(error.exit, crate::exit::Exit::Usage);
            assert!(error.message.contains("--training.steps"), "{error}");
        }
    }
}
