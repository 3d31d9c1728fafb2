//! An output that is written while its input is read, and appears only where all of that was sound.

use crate::error::{CliError, CliResult};
use crate::output::AtomicFile;
use std::io::{self, Write};
use std::path::Path;

/// So much is held before the file is begun: a small input with faults leaves no trace, not even a folder.
const HELD: usize = 8 << 20;

/// Such an output.
pub(super) struct Spool<'a> {
    path: &'a Path,
    held: Vec<u8>,
    file: Option<AtomicFile>,
    failed: Option<CliError>,
}

impl<'a> Spool<'a> {
    /// Nothing yet.
    pub(super) fn new(path: &'a Path) -> Self {
        Self { path, held: Vec::new(), file: None, failed: None }
    }

    /// Whether an error waits for [`Spool::commit`]: nothing more needs to be made.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Adds what `write` writes.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
        if self.failed.is_some() {
            return;
        }
        let written = write(&mut self.held).map_err(|e| CliError::io("write", self.path, &e));
        let full = self.held.len() >= HELD;
        self.failed = written.and_then(|()| if full { self.flush() } else { Ok(()) }).err();
    }

    fn flush(&mut self) -> CliResult<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(AtomicFile::create(self.path)?),
        };
        file.write_all(&self.held).map_err(|e| CliError::io("write", self.path, &e))?;
        self.held.clear();
        Ok(())
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// It can't be written, now or before.
    pub(super) fn commit(mut self) -> CliResult<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.flush()?;
        self.file.map_or(Ok(()), AtomicFile::commit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("new").join("x");
        let part = |spool: &mut Spool<'_>, bytes: &[u8]| spool.add(|out| out.write_all(bytes));
        let mut spool = Spool::new(&path);
        part(&mut spool, b"a");
        drop(spool);
        assert!(!dir.path().join("new").exists());
        let mut spool = Spool::new(&path);
        part(&mut spool, &vec![b'a'; HELD]);
        assert!(spool.file.is_some() && !path.exists());
        part(&mut spool, b"b");
        spool.commit().expect("writes");
        assert_eq!(std::fs::metadata(&path).expect("is there").len(), HELD as u64 + 1);
        let folder = dir.path().to_owned();
        let mut spool = Spool::new(&folder);
        part(&mut spool, &vec![b'a'; HELD]);
        assert!(spool.has_failed() && spool.commit().is_err());
    }
}
