//! `train --force` over a finished run: the old one stays in `.previous` until the new one is finished.
//!
//! Files of the old run are first linked into `.previous` and then taken away, the checkpoint before all others. So, whenever
//! the program is killed, a checkpoint lies beside its own configuration: in the run's folder, in `.previous`, or in both.

use crate::error::{CliError, CliResult};
use crate::evals::EVALS;
use crate::training::CHECKPOINT;
use crate::trials::board_name;
use crate::{guards, output, scoreboards, tracking};
use crucible_core::sweep::Truth;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The folder, in that of the run.
pub const PREVIOUS: &str = ".previous";
/// While it is made.
const MAKING: &str = ".previous.tmp";
/// What training writes, the checkpoint first.
const WRITTEN: [&str; 9] = [
    CHECKPOINT,
    "config.yaml",
    "train.log",
    "metrics.jsonl",
    EVALS,
    "exposures.json",
    "exposures.jsonl",
    "guardrails.json",
    guards::BEFORE,
];

/// Puts a finished run aside; does nothing where there is none. An earlier one that is aside already is given up only for
/// it.
///
/// # Errors
/// The folder can't be written.
pub fn put_aside(dir: &Path) -> CliResult<()> {
    let making = dir.join(MAKING);
    remove_folder(&making)?;
    if !dir.join(CHECKPOINT).exists() {
        return Ok(());
    }
    let names = names(dir)?;
    output::create_folder(&making)?;
    for name in &names {
        let (from, to) = (dir.join(name), making.join(name));
        // Not every file system has hard links.
        if std::fs::hard_link(&from, &to).is_err() {
            std::fs::copy(&from, &to).map_err(|e| CliError::io("write", &to, &e))?;
        }
    }
    output::sync_folder(&making).map_err(|e| CliError::io("write", &making, &e))?;
    remove(dir)?;
    let to = dir.join(PREVIOUS);
    std::fs::rename(&making, &to)
        .and_then(|()| output::sync_folder(dir))
        .map_err(|e| CliError::io("write", &to, &e))?;
    names.iter().try_for_each(|name| output::remove_file(&dir.join(name)))
}

/// Removes what is aside: the run in the folder is finished.
///
/// # Errors
/// It can't be removed.
pub fn remove(dir: &Path) -> CliResult<()> {
    remove_folder(&dir.join(PREVIOUS))
}

/// Names of the run's files that are there, and of its scoreboards, in the order in which they go.
fn names(dir: &Path) -> CliResult<Vec<PathBuf>> {
    let mut names: Vec<PathBuf> = WRITTEN.iter().map(PathBuf::from).collect();
    for truth in Truth::ALL {
        let board = PathBuf::from(board_name(truth));
        names.push(scoreboards::items_beside(&board));
        names.push(board);
    }
    names.extend(tracking::files(dir)?);
    names.retain(|name| dir.join(name).is_file());
    Ok(names)
}

fn remove_folder(path: &Path) -> CliResult<()> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(CliError::io("remove", path, &e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, names: &[&str], text: &str) {
        names.iter().for_each(|name| std::fs::write(dir.join(name), text).expect("writes"));
    }

    fn read(path: PathBuf) -> String {
        std::fs::read_to_string(path).expect("reads")
    }

    #[test]
    fn a_finished_run_stays_whole_until_it_is_given_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        let files = [CHECKPOINT, "config.yaml", "train.log", "frozen_scoreboard.json", "frozen_scoreboard_items.jsonl"];
        write(dir, &files, "old");
        write(dir, &["notes.txt"], "mine");
        std::fs::create_dir(dir.join(MAKING)).expect("creates");
        write(&dir.join(MAKING), &["config.yaml"], "of a call that was killed");
        put_aside(dir).expect("puts aside");
        let aside = dir.join(PREVIOUS);
        for name in files {
            assert!(!dir.join(name).exists() && read(aside.join(name)) == "old", "{name}");
        }
        assert!(
            read(dir.join("notes.txt")) == "mine" && !aside.join("notes.txt").exists() && !dir.join(MAKING).exists()
        );
        // A new log is a new file.
        write(dir, &["train.log"], "new");
        assert_eq!(read(aside.join("train.log")), "old");
        // The new run did not end: the old one stays the last that did.
        put_aside(dir).expect("has nothing to put aside");
        assert_eq!(read(aside.join(CHECKPOINT)), "old");
        write(dir, &[CHECKPOINT], "new");
        put_aside(dir).expect("puts aside");
        assert_eq!(read(aside.join(CHECKPOINT)), "new");
        remove(dir).expect("removes");
        assert!(!aside.exists());
        remove(dir).expect("nothing is there");
    }
}
