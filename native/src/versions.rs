//! Versions files, which lie beside frozen evals.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::{io, output};
use crucible_core::guardrails::eval_versions::EvalVersions;
use std::path::{Path, PathBuf};

/// A larger versions file is something else.
const MAX_BYTES: usize = 1 << 30;

/// `X.jsonl` to `X_versions.json`.
#[must_use]
pub fn beside(eval: &Path) -> PathBuf {
    output::beside(eval, "_versions.json")
}

/// Reads a versions file.
///
/// # Errors
/// It can't be read or is none (exit status 3).
pub fn read(path: &Path) -> CliResult<EvalVersions> {
    serde_json::from_slice(&io::read_bytes(path, MAX_BYTES)?)
        .map_err(|e| CliError::new(Exit::Data, format!("{} is no versions file: {e}", path.display())))
}
