//! Locks between processes: each is a file, and it ends with the process that holds it, however that ends.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// The lock of a run's folder, in it.
pub const FOLDER: &str = ".lock";
/// Whoever only looks whether a folder is taken holds its lock for less.
const SOON: Duration = Duration::from_millis(500);

/// The lock at `path`; none where another process holds it.
///
/// # Errors
/// The file can't be written.
pub fn take(path: &Path) -> CliResult<Option<File>> {
    attempt(path).map_err(|e| CliError::io("write", path, &e))
}

fn attempt(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match try_lock(&file)? {
            // Its last holder may have removed it meanwhile: then others lock another file of that name.
            true if is_at(&file, path) => return Ok(Some(file)),
            true => {}
            false => return Ok(None),
        }
    }
}

/// Locks an open file; false where another process holds it.
///
/// # Errors
/// The file system has no locks.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Whether the open file is still the one that has this name.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (Ok(own), Ok(named)) = (file.metadata(), std::fs::symlink_metadata(path)) else { return false };
        (own.dev(), own.ino()) == (named.dev(), named.ino())
    }
    // Elsewhere a file that is open keeps its name.
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// [`take`], for those who can wait a little: whoever only looks holds it for a moment.
///
/// # Errors
/// As [`take`].
pub fn take_within(path: &Path, patience: Duration) -> CliResult<Option<File>> {
    let started = Instant::now();
    loop {
        match take(path)? {
            None if started.elapsed() < patience => std::thread::sleep(PAUSE),
            taken => return Ok(taken),
        }
    }
}

/// A run's folder that belongs to this process. Dropped, the lock is gone; so are folders that were made for it and in which
/// nothing was written.
#[derive(Debug)]
pub struct FolderLock {
    path: PathBuf,
    made: Vec<PathBuf>,
    /// None where the file system has no locks.
    file: Option<File>,
}

impl FolderLock {
    /// Takes a folder, which is made if it is not there.
    ///
    /// # Errors
    /// Another process works in it (exit status 1), or it can't be written.
    pub fn take(dir: &Path) -> CliResult<Self> {
        let missing: Vec<PathBuf> =
            dir.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).map(Path::to_owned).collect();
        crate::output::create_folder(dir)?;
        let path = dir.join(FOLDER);
        let mut this = Self { path, made: missing, file: None };
        let started = Instant::now();
        loop {
            match attempt(&this.path) {
                Ok(Some(file)) => {
                    this.file = Some(file);
                    return Ok(this);
                }
                Ok(None) if started.elapsed() < SOON => std::thread::sleep(PAUSE),
                Ok(None) => return Err(busy(dir)),
                Err(e) if has_no_locks(&e) => return Ok(this),
                Err(e) => return Err(CliError::io("write", &this.path, &e)),
            }
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // While it is held: another one takes a new file.
            let _ = std::fs::remove_file(&self.path);
            drop(file);
        }
        // Those with something in them stay.
        let _ = self.made.iter().try_for_each(std::fs::remove_dir);
    }
}

/// Refuses a folder in which another process works. Nothing is written: it may be one that can only be read.
///
/// # Errors
/// Another process does; with exit status 1.
pub fn refuse_busy(dir: &Path) -> CliResult<()> {
    let held = File::open(dir.join(FOLDER)).and_then(|file| try_lock(&file)).is_ok_and(|taken| !taken);
    if held { Err(busy(dir)) } else { Ok(()) }
}

fn busy(dir: &Path) -> CliError {
    CliError::new(Exit::Error, format!("{}: another process works in this folder", dir.display()))
        .advise("wait for it, end it, or name another folder")
}

/// Some network file systems have none; a run goes on there without.
fn has_no_locks(error: &io::Error) -> bool {
    #[cfg(unix)]
    let none = error.raw_os_error() == Some(libc::ENOLCK);
    #[cfg(not(unix))]
    let none = false;
    none || error.kind() == io::ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_at_a_time() {
        let above = tempfile::tempdir().expect("a folder");
        let dir = above.path().join("new/run");
        refuse_busy(&dir).expect("is not even there");
        let lock = FolderLock::take(&dir).expect("takes");
        let error = FolderLock::take(&dir).expect_err("is taken");
        assert!(error.exit == Exit::Error && error.message.contains("another process works"), "{error}");
        assert!(refuse_busy(&dir).is_err() && dir.exists());
        drop(lock);
        assert!(!above.path().join("new").exists(), "nothing was written, nothing is left");
        let lock = FolderLock::take(&dir).expect("takes again");
        std::fs::write(dir.join("x"), "x").expect("writes");
        drop(lock);
        refuse_busy(&dir).expect("is free");
        assert!(dir.join("x").exists() && !dir.join(FOLDER).exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_that_was_removed_is_no_lock() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(FOLDER);
        let old = take(&path).expect("opens").expect("is free");
        std::fs::remove_file(&path).expect("removes");
        assert!(!is_at(&old, &path));
        let new = take(&path).expect("opens").expect("is another file");
        assert!(is_at(&new, &path) && !is_at(&old, &path));
        assert!(take(&path).expect("opens").is_none());
    }
}
