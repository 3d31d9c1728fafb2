//! Runs of other trainers: the files, found and read.

use super::check::Gathered;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::io;
use crucible_core::config::Guardrails;
use crucible_core::foreign::{EvalNames, ForeignRun, check, read_events, read_trainer_state};
use std::path::{Path, PathBuf};

/// The largest file that is read.
const MAX_BYTES: usize = 1 << 30;
/// Folders below the one that was named.
const DEPTH: usize = 4;
/// Files of one run, at most.
const MAX_FILES: usize = 1000;

const TRAINER_STATE: &str = "trainer_state.json";

fn is_events(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains("tfevents"))
}

fn is_trainer_state(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == TRAINER_STATE)
}

/// The files of another trainer's run at `path`: event files of TensorBoard, and the trainer state of the furthest step.
/// None where there are none.
pub(super) fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return if is_events(path) || is_trainer_state(path) { vec![path.to_owned()] } else { Vec::new() };
    }
    let mut found = Vec::new();
    walk(path, DEPTH, &mut found);
    found.sort();
    let (states, mut events): (Vec<PathBuf>, Vec<PathBuf>) = found.into_iter().partition(|p| is_trainer_state(p));
    // `checkpoint-500/trainer_state.json` is the beginning of `checkpoint-1000/…`.
    let step = |path: &PathBuf| {
        let folder = path.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
        let step = folder.as_deref().and_then(|f| f.strip_prefix("checkpoint-")?.parse().ok());
        // The one in the run's own folder is written last.
        step.unwrap_or(u64::MAX)
    };
    events.extend(states.into_iter().max_by_key(step));
    events
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => walk(&path, depth - 1, found),
            Ok(kind) if kind.is_file() && found.len() < MAX_FILES && (is_events(&path) || is_trainer_state(&path)) => {
                found.push(path);
            }
            _ => {}
        }
    }
}

/// Reads a run's files and judges them, under `label`.
///
/// # Errors
/// A file that can't be read, or is none of these (exit status 3).
pub(super) fn judge(
    files: &[PathBuf],
    names: &EvalNames,
    settings: &Guardrails,
    label: &str,
    out: &mut Gathered,
) -> CliResult<()> {
    let mut run = ForeignRun::default();
    for path in files {
        let data = |e| CliError::new(Exit::Data, format!("{}: {e}", path.display()));
        let piece = if is_trainer_state(path) {
            read_trainer_state(&io::read_text(path, MAX_BYTES)?).map_err(data)?
        } else {
            read_events(&io::read_bytes(path, MAX_BYTES)?).map_err(data)?
        };
        run.join(piece);
        out.read(path);
    }
    for (flag, name) in [("--frozen-metric", &names.frozen), ("--organic-metric", &names.organic)] {
        if let Some(name) = name.as_ref().filter(|name| !run.series.contains_key(*name)) {
            let there: Vec<&str> = run.series.keys().map(String::as_str).collect();
            let message = format!("{flag} {name}: the run has no such series");
            return Err(CliError::usage(message).advise(format!("it has {}", there.join(", "))));
        }
    }
    out.add(label, check(&run, names, settings));
    out.missing.extend(run.lacks(names));
    Ok(())
}
