//! A folder that appears whole or not at all.

use crate::error::{CliError, CliResult};
use crate::{lock, output};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use tempfile::TempDir;

/// How names of folders that are only looked at begin.
const PASSING: &str = "crucible-capsule.";

/// Refuses a place that is taken; an empty folder is not.
///
/// # Errors
/// Something is there (exit status 2), or it can't be looked at.
pub fn refuse_taken(flag: &str, target: &Path) -> CliResult<()> {
    let taken = match std::fs::symlink_metadata(target) {
        Ok(meta) if meta.is_dir() => {
            let mut entries = std::fs::read_dir(target).map_err(|e| CliError::io("read", target, &e))?;
            entries.next().is_some().then_some("is a folder that is not empty")
        }
        Ok(_) => Some("is there already, and no folder"),
        Err(_) => None,
    };
    match taken {
        Some(what) => {
            let message = format!("{flag} {} {what}", target.display());
            Err(CliError::usage(message).advise("name a folder that is not there yet"))
        }
        None => Ok(()),
    }
}

/// A new folder; dropped, it is gone with all that is in it.
pub struct NewFolder {
    dir: TempDir,
    /// Whether the files are to stay, and so must reach the disk.
    durable: bool,
    /// Holds the lock by which others know that somebody works in it.
    _lock: Option<File>,
}

impl NewFolder {
    /// A folder beside `target`, which it may become.
    ///
    /// # Errors
    /// It can't be written.
    pub fn beside(target: &Path) -> CliResult<Self> {
        // Folders above the target are made when all is well.
        let above = output::existing_above(target);
        output::remove_leftovers_in(above, target);
        let prefix = output::temporary_prefix(target);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(output::TEMPORARY);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The user's umask is applied to this; the library's own default is for secrets.
            builder.permissions(std::fs::Permissions::from_mode(0o777));
        }
        let (dir, lock) = locked(|| builder.tempdir_in(above)).map_err(|e| CliError::io("write", target, &e))?;
        Ok(Self { dir, durable: true, _lock: lock })
    }

    /// A folder that is only looked at.
    ///
    /// # Errors
    /// It can't be written.
    pub fn passing() -> CliResult<Self> {
        let (dir, lock) = locked(|| tempfile::Builder::new().prefix(PASSING).tempdir()).map_err(|e| {
            CliError::io("write", &std::env::temp_dir(), &e).advise("TMPDIR names another place for temporary files")
        })?;
        remove_passing(dir.path());
        Ok(Self { dir, durable: false, _lock: lock })
    }

    /// Where it is for now.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// It can't be written.
    pub fn appear(self, target: &Path) -> CliResult<()> {
        let failed = |e: io::Error| CliError::io("write", target, &e);
        #[cfg(unix)]
        for entry in std::fs::read_dir(self.path()).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                File::open(&path).and_then(|f| f.sync_all()).map_err(failed)?;
            }
        }
        #[cfg(unix)]
        File::open(self.path()).and_then(|f| f.sync_all()).map_err(failed)?;
        let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        output::create_folder(parent)?;
        // An empty folder is in the way on some systems; anything else would be an error here.
        if target.is_dir() {
            std::fs::remove_dir(target).map_err(failed)?;
        }
        std::fs::rename(self.path(), target).map_err(failed)?;
        // It has another name by now: there is nothing left to remove.
        let _ = self.dir.keep();
        #[cfg(unix)]
        File::open(parent).and_then(|f| f.sync_all()).map_err(failed)?;
        Ok(())
    }

    /// A new file in it, to be flushed once. Nothing in `path` may lead out of the folder.
    ///
    /// # Errors
    /// It can't be written, or is there.
    pub fn file(&self, path: &str) -> CliResult<Box<dyn Write>> {
        let path = self.path().join(path);
        let failed = |e: io::Error| CliError::io("write", &path, &e);
        if let Some(folder) = path.parent() {
            output::create_folder(folder)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
        Ok(Box::new(Written { file, durable: self.durable }))
    }
}

/// A new folder and its lock; none where folders can't be locked.
fn locked(make: impl Fn() -> io::Result<TempDir>) -> io::Result<(TempDir, Option<File>)> {
    for _ in 0..output::TRIES {
        let dir = make()?;
        let Ok(file) = File::open(dir.path()) else { return Ok((dir, None)) };
        match lock::try_lock(&file) {
            Ok(true) if lock::is_at(&file, dir.path()) => return Ok((dir, Some(file))),
            Err(_) => return Ok((dir, None)),
            // Another process took it for a leftover, and removes it.
            Ok(_) => {}
        }
    }
    Err(io::Error::other("temporary folders are removed by another program as soon as they are made"))
}

/// Removes folders beside `own` that killed processes of the same user left.
fn remove_passing(own: &Path) {
    let (Some(above), Ok(meta)) = (own.parent(), std::fs::symlink_metadata(own)) else { return };
    for entry in std::fs::read_dir(above).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|n| n.starts_with(PASSING) && n.len() == PASSING.len() + 6);
        if ours && entry.metadata().is_ok_and(|other| other.is_dir() && same_owner(&other, &meta)) {
            // What can't be removed is left for another time.
            let _ = output::remove_leftover(&entry.path());
        }
    }
}

fn same_owner(a: &std::fs::Metadata, b: &std::fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        a.uid() == b.uid()
    }
    #[cfg(not(unix))]
    {
        let _ = (a, b);
        true
    }
}

struct Written {
    file: File,
    durable: bool,
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    /// Called once, at the end.
    fn flush(&mut self) -> io::Result<()> {
        if self.durable { self.file.sync_all() } else { Ok(()) }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn count(dir: &Path) -> usize {
        std::fs::read_dir(dir).expect("is a folder").count()
    }

    #[test]
    fn a_folder_that_a_killed_process_left_goes_and_one_in_use_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let target = dir.path().join("new");
        let NewFolder { dir: killed, _lock: lock, .. } = NewFolder::beside(&target).expect("creates");
        std::fs::write(killed.path().join("x"), "half").expect("writes");
        let _ = killed.keep();
        drop(lock);
        let other = NewFolder::beside(&target).expect("creates");
        assert_eq!(count(dir.path()), 1, "the leftover is gone");
        let third = NewFolder::beside(&target).expect("creates");
        assert_eq!(count(dir.path()), 2, "the other's folder is not");
        third.file("x").expect("creates").flush().expect("writes");
        third.appear(&target).expect("appears");
        drop(other);
        assert!(count(dir.path()) == 1 && target.join("x").exists());
    }
}
