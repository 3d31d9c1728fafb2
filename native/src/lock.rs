//! Locks between processes: each is a file, and it ends with the process that holds it, however that ends.

use crate::error::{CliError, CliResult};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// The lock at `path`; none where another process holds it.
///
/// # Errors
/// The file can't be written.
pub fn take(path: &Path) -> CliResult<Option<File>> {
    let io = |e: &std::io::Error| CliError::io("write", path, e);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(|e| io(&e))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(io(&e)),
    }
}

/// The same, for those who can wait a little: whoever only looks holds it for a moment.
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
