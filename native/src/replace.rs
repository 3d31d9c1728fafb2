//! One rule for all outputs: a file that is there is replaced only with `--force`, and an input never.

use crate::error::{CliError, CliResult};
use crate::{io, output};
use crucible_core::encoder::FolderModel;
use crucible_core::mining;
use std::io::{BufRead as _, Read as _};
use std::path::{Component, Path, PathBuf};

/// A file, and what the user knows it by: a flag, or words such as "the manifest".
pub type Named<'a> = (&'a str, &'a Path);

/// Files that are named, of those that are there.
const SHOWN: usize = 3;
/// Bytes of a first line that are looked at.
const MOST_OF_LINE: u64 = 1 << 20;

/// The flag of every command that writes files.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Replace {
    /// Replaces outputs that are there already
    #[arg(long)]
    pub force: bool,
}

impl Replace {
    /// Checks all outputs of a command before its work: each can be written, none is an input or another output, none holds
    /// verdicts that a person wrote, and none is there already, unless it may be replaced.
    ///
    /// # Errors
    /// An input, another output or verdicts would be overwritten, or a file is there already (exit status 2); a place that
    /// can't be written.
    pub fn check(self, outputs: &[Named<'_>], inputs: &[Named<'_>]) -> CliResult<()> {
        self.check_merged(outputs, inputs)?;
        outputs.iter().try_for_each(|(flag, path)| refuse_judged(flag, path))
    }

    /// The same for an output into which the command takes over what a person wrote in the file that is there.
    ///
    /// # Errors
    /// As [`Replace::check`].
    pub fn check_merged(self, outputs: &[Named<'_>], inputs: &[Named<'_>]) -> CliResult<()> {
        refuse_overwriting(outputs, inputs)?;
        if !self.force {
            refuse_existing(outputs)?;
        }
        outputs.iter().try_for_each(|(_, path)| output::check_writable(path))
    }

    /// Checks a folder that a command fills with files of names of its own.
    ///
    /// # Errors
    /// It is not empty and may not be written over (exit status 2), or it can't be read.
    pub fn check_folder(self, dir: &Path) -> CliResult<()> {
        let first = match std::fs::read_dir(dir) {
            Ok(mut entries) => entries.next(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(CliError::io("write to", dir, &e)),
        };
        if first.is_none() || self.force {
            return Ok(());
        }
        Err(CliError::usage(format!("the folder {} is not empty", dir.display()))
            .advise("name a new folder, or write over files of the same names with --force"))
    }
}

/// Refuses to overwrite a review queue with verdicts, whatever the user says: they were work.
fn refuse_judged(flag: &str, path: &Path) -> CliResult<()> {
    if !path.is_file() || !is_queue(path) {
        return Ok(());
    }
    let read = mining::read_queue(&mut *io::open(path)?, &path.display().to_string());
    // What can't be read may still hold some.
    if read.is_ok_and(|lines| lines.is_empty()) {
        return Ok(());
    }
    let message = format!("{flag} {} is a review queue, with verdicts or notes in it", path.display());
    Err(CliError::usage(message).advise("name another file; `crucible mine --review` alone keeps them"))
}

/// Whether the first line is one of a review queue.
fn is_queue(path: &Path) -> bool {
    let mut line = Vec::new();
    let first = io::open(path).and_then(|file| {
        file.take(MOST_OF_LINE).read_until(b'\n', &mut line).map_err(|e| CliError::io("read", path, &e))
    });
    let line: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(&line).ok();
    first.is_ok() && line.is_some_and(|l| ["bundle_id", "negative", "verdict"].iter().all(|name| l.contains_key(*name)))
}

/// Refuses outputs that are there already.
fn refuse_existing(outputs: &[Named<'_>]) -> CliResult<()> {
    let there: Vec<String> = outputs
        .iter()
        .filter(|(_, path)| std::fs::symlink_metadata(path).is_ok() && !is_special(path))
        .map(|(flag, path)| format!("{flag} {}", path.display()))
        .collect();
    let (are, them, others) = match there.len() {
        0 => return Ok(()),
        1 => ("is", "it", "another file"),
        _ => ("are", "them", "other files"),
    };
    let more = there.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown = there[..there.len().min(SHOWN)].join(", ");
    let message = format!("{shown}{more} {are} there already");
    Err(CliError::usage(message).advise(format!("name {others}, or replace {them} with --force")))
}

/// Refuses an output that is one of the inputs or another output, under whatever name.
///
/// # Errors
/// It is; with exit status 2.
pub fn refuse_overwriting(outputs: &[Named<'_>], inputs: &[Named<'_>]) -> CliResult<()> {
    let inputs: Vec<(&str, PathBuf)> = inputs.iter().map(|(what, path)| (*what, whole(path))).collect();
    let mut written: Vec<(&str, PathBuf)> = Vec::new();
    for &(flag, path) in outputs.iter().filter(|(_, path)| !is_special(path)) {
        let target = whole(path);
        let same = inputs.iter().chain(&written).find(|(_, other)| *other == target);
        let part = || inputs.iter().find(|(_, folder)| is_part_of_model(&target, folder));
        if let Some((what, _)) = same.or_else(part) {
            let message = format!("{flag} {} would overwrite {what}", path.display());
            return Err(CliError::usage(message).advise("name another file"));
        }
        written.push((flag, target));
    }
    Ok(())
}

/// Whether a file is one of those that a model's folder is read from.
fn is_part_of_model(file: &Path, folder: &Path) -> bool {
    let Ok(name) = file.strip_prefix(folder) else { return false };
    let name = name.to_string_lossy();
    file.exists() && folder.is_dir() && (FolderModel::wants(&name) || FolderModel::is_pickle(&name))
}

/// `/dev/null`, a pipe: nothing is replaced there, and it may be named twice. A folder is for others to refuse.
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| !m.is_file())
}

/// One spelling for every way to name a file, also for one that is not there yet.
pub(crate) fn whole(path: &Path) -> PathBuf {
    if let Ok(whole) = std::fs::canonicalize(path) {
        return whole;
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = path.ancestors().skip(1).find_map(|above| Some((above, std::fs::canonicalize(above).ok()?)));
    let Some((above, mut whole)) = known else { return path };
    for part in path.strip_prefix(above).unwrap_or(&path).components() {
        match part {
            Component::ParentDir => drop(whole.pop()),
            Component::CurDir => {}
            other => whole.push(other),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    const NEVER: Replace = Replace { force: false };
    const FORCE: Replace = Replace { force: true };

    #[track_caller]
    fn refused(replace: Replace, outputs: &[Named<'_>], inputs: &[Named<'_>], part: &str) {
        let error = replace.check(outputs, inputs).expect_err("refused");
        assert_eq!(error.exit, Exit::Usage, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }

    #[test]
    fn a_file_that_is_there_is_replaced_only_with_force() {
        let dir = tempfile::tempdir().expect("a folder");
        let (old, new) = (dir.path().join("old.json"), dir.path().join("new.json"));
        std::fs::write(&old, "x").expect("writes");
        refused(NEVER, &[("--output", &old)], &[], "is there already");
        refused(NEVER, &[("--output", &new), ("--stats", &old)], &[], "replace it with --force");
        refused(NEVER, &[("--output", &old), ("--stats", &dir.path().join("./x/../old.json"))], &[], "overwrite");
        NEVER.check(&[("--output", &new)], &[("--input", &old)]).expect("is not there");
        FORCE.check(&[("--output", &old)], &[]).expect("may be replaced");
        assert!(!new.exists() && old.exists(), "the check writes nothing");
    }

    #[test]
    fn an_input_is_never_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        let (input, below) = (dir.path().join("a.json"), dir.path().join("below"));
        std::fs::write(&input, "x").expect("writes");
        std::fs::create_dir(&below).expect("creates");
        for spelt in [input.clone(), below.join("../a.json"), dir.path().join("./a.json")] {
            refused(FORCE, &[("--output", &spelt)], &[("--input", &input)], "would overwrite --input");
        }
        // Also where none of them is there yet.
        let (one, two) = (dir.path().join("new/x.json"), dir.path().join("new/y/../x.json"));
        refused(FORCE, &[("--output", &one), ("--items", &two)], &[], "--items");
    }

    #[test]
    fn files_of_a_models_folder_are_inputs() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["config.json", "vectors.npy"] {
            std::fs::write(dir.path().join(name), "x").expect("writes");
        }
        let inputs = [("--checkpoint", dir.path())];
        refused(FORCE, &[("--output", &dir.path().join("config.json"))], &inputs, "--checkpoint");
        FORCE.check(&[("--output", &dir.path().join("vectors.npy"))], &inputs).expect("is no part of the model");
        NEVER.check(&[("--output", &dir.path().join("new.json"))], &inputs).expect("is not there");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_may_be_named_twice() {
        let dir = tempfile::tempdir().expect("a folder");
        let (real, link, loose) = (dir.path().join("real"), dir.path().join("link"), dir.path().join("loose"));
        std::fs::write(&real, "x").expect("writes");
        std::os::unix::fs::symlink(&real, &link).expect("links");
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &loose).expect("links");
        refused(FORCE, &[("--output", &link)], &[("--input", &real)], "would overwrite");
        refused(NEVER, &[("--output", &loose)], &[], "is there already");
        let null = Path::new("/dev/null");
        NEVER.check(&[("--output", null), ("--items", null)], &[("--input", null)]).expect("nothing is replaced");
    }

    #[test]
    fn verdicts_are_replaced_by_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("queue.jsonl");
        let line = |verdict: &str| format!(r#"{{"bundle_id":"a","negative":"b","verdict":{verdict}}}"#) + "\n";
        for (text, holds) in [
            (line("null") + &line("null"), false),
            (line("null") + &line("\"keep\""), true),
            (line("null") + "half a li", true),
            (r#"{"bundle_id":"a"}"#.to_owned(), false),
            (String::new(), false),
        ] {
            std::fs::write(&path, &text).expect("writes");
            let outputs = [("--output", path.as_path())];
            assert_eq!(FORCE.check(&outputs, &[]).is_err(), holds, "{text}");
            FORCE.check_merged(&outputs, &[]).expect("is merged");
            assert!(NEVER.check_merged(&outputs, &[]).is_err());
        }
    }

    #[test]
    fn a_folder_is_written_over_only_with_force() {
        let dir = tempfile::tempdir().expect("a folder");
        NEVER.check_folder(dir.path()).expect("is empty");
        NEVER.check_folder(&dir.path().join("new")).expect("is not there");
        std::fs::write(dir.path().join("x"), "x").expect("writes");
        let error = NEVER.check_folder(dir.path()).expect_err("refused");
        assert!(error.exit == Exit::Usage && error.to_string().contains("--force"), "{error}");
        FORCE.check_folder(dir.path()).expect("may be written over");
    }
}
