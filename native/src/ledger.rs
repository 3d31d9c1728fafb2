//! The look ledger of a project: `looks.jsonl` beside its `crucible.yaml`.

use crate::error::{CliError, CliResult};
use crate::io;
use crucible_core::eval::{Look, read_looks};
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The file's name.
const LEDGER: &str = "looks.jsonl";
/// What makes a folder a project.
const PROJECT: &str = "crucible.yaml";

/// The ledger of the project that `path` lies in: beside the nearest `crucible.yaml` in its folder or above. None
/// outside a project: an evaluation there writes what it was told to write, and nothing else.
#[must_use]
pub fn of_project(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let project = path.ancestors().skip(1).find(|folder| folder.join(PROJECT).is_file())?;
    Some(project.join(LEDGER))
}

/// Adds a look: one line, in one write, at the end. A line that a crash cut off is ended first.
///
/// # Errors
/// The file can't be written.
pub fn append(path: &Path, look: &Look) -> CliResult<()> {
    let failed = |e: std::io::Error| CliError::io("write", path, &e);
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path).map_err(failed)?;
    let mut last = [b'\n'];
    if file.metadata().map_err(failed)?.len() > 0 {
        file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).map_err(failed)?;
    }
    let mut line = if last == [b'\n'] { String::new() } else { "\n".to_owned() };
    line += &serde_json::to_string(look).map_err(|e| failed(e.into()))?;
    line.push('\n');
    file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).map_err(failed)
}

/// Reads a ledger; one that is not there yet is empty. Second: lines that are no looks.
///
/// # Errors
/// The file can't be read.
pub fn read(path: &Path) -> CliResult<(Vec<Look>, usize)> {
    if !path.exists() {
        return Ok((Vec::new(), 0));
    }
    read_looks(&mut *io::open(path)?).map_err(|e| CliError::io("read", path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(content: &str) -> Look {
        let text = String::new;
        Look {
            timestamp: text(),
            command: "eval".into(),
            eval_path: text(),
            fingerprint: text(),
            content_hash: content.into(),
            checkpoint_hash: text(),
        }
    }

    #[test]
    fn looks_are_appended_and_a_torn_line_harms_none() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(LEDGER);
        assert_eq!(read(&path).expect("reads"), (vec![], 0));
        append(&path, &look("a")).expect("writes");
        let mut text = std::fs::read(&path).expect("reads");
        text.extend(b"{\"timesta");
        std::fs::write(&path, text).expect("writes");
        append(&path, &look("b")).expect("writes");
        assert_eq!(read(&path).expect("reads"), (vec![look("a"), look("b")], 1));
    }

    #[test]
    fn many_at_once_lose_none() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(LEDGER);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10).for_each(|_| append(&path, &look("a")).expect("writes")));
            }
        });
        assert_eq!(read(&path).map(|(looks, other)| (looks.len(), other)).expect("reads"), (80, 0));
    }

    #[test]
    fn a_project_is_found_above_and_nowhere_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let inside = dir.path().join("p/runs/first/frozen.json");
        assert_eq!(of_project(&inside), None);
        std::fs::create_dir_all(dir.path().join("p")).expect("creates");
        std::fs::write(dir.path().join("p").join(PROJECT), "").expect("writes");
        assert_eq!(of_project(&inside), Some(dir.path().join("p").join(LEDGER)));
    }
}
