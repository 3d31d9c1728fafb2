//! A folder that appears whole or not at all.

use crate::error::{CliError, CliResult};
use crate::output;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use tempfile::TempDir;

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
}

impl NewFolder {
    /// A folder beside `target`, which it may become.
    ///
    /// # Errors
    /// It can't be written.
    pub fn beside(target: &Path) -> CliResult<Self> {
        // Folders above the target are made when all is well.
        let above = target.ancestors().skip(1).map(|p| if p.as_os_str().is_empty() { Path::new(".") } else { p });
        let above = above.into_iter().find(|folder| folder.exists()).unwrap_or(Path::new("."));
        let name = target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let prefix = format!(".{name}.");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The user's umask is applied to this; the library's own default is for secrets.
            builder.permissions(std::fs::Permissions::from_mode(0o777));
        }
        let dir = builder.tempdir_in(above).map_err(|e| CliError::io("write", target, &e))?;
        Ok(Self { dir, durable: true })
    }

    /// A folder that is only looked at.
    ///
    /// # Errors
    /// It can't be written.
    pub fn passing() -> CliResult<Self> {
        let dir = tempfile::Builder::new().prefix("crucible-capsule.").tempdir().map_err(|e| {
            CliError::io("write", &std::env::temp_dir(), &e).advise("TMPDIR names another place for temporary files")
        })?;
        Ok(Self { dir, durable: false })
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
