//! `crucible capsule unpack`.

use super::archive::{self, Receiver};
use super::{Source, list};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output;
use crate::signals::Stop;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const HELP: &str = "\
Everything is unpacked into a new folder beside the output, checked, and only then given its name: a capsule that is \
refused leaves nothing.

    crucible capsule unpack first.capsule.tar.zst --output-dir runs/first
    crucible capsule unpack first.capsule.tar.zst --output-dir first --public-key release.pub --max-bytes 500M";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// What is read.
    #[command(flatten)]
    pub source: Source,
    /// The folder to make; one that is there must be empty
    #[arg(long, short, value_name = "DIR")]
    pub output_dir: PathBuf,
}

/// Unpacks a capsule.
///
/// # Errors
/// The capsule is refused (exit status 3), the folder is not empty (2) or can't be written (1).
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let target = &args.output_dir;
    refuse_taken(target)?;
    let stop = Stop::listen()?;
    let (file, _) = args.source.open(ctx)?;
    let mut folder = Folder::beside(target)?;
    let metadata = archive::read(&args.source.capsule, file, args.source.limits(), &mut folder, &stop)?;
    folder.appear(target)?;
    ctx.print(&metadata, &format!("{}\nUnpacked: {}\n", list::text(&metadata), target.display()))?;
    Ok(Exit::Success)
}

fn refuse_taken(target: &Path) -> CliResult<()> {
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
            let message = format!("--output-dir {} {what}", target.display());
            Err(CliError::usage(message).advise("name a folder that is not there yet"))
        }
        None => Ok(()),
    }
}

/// A new folder for the files of a capsule; dropped, it is gone with all that is in it.
pub(super) struct Folder {
    dir: TempDir,
    /// Whether the files are to stay, and so must reach the disk.
    durable: bool,
}

impl Folder {
    /// A folder beside `target`, which it may become.
    pub(super) fn beside(target: &Path) -> CliResult<Self> {
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
    pub(super) fn passing() -> CliResult<Self> {
        let dir = tempfile::Builder::new().prefix("crucible-capsule.").tempdir().map_err(|e| {
            CliError::io("write", &std::env::temp_dir(), &e).advise("TMPDIR names another place for temporary files")
        })?;
        Ok(Self { dir, durable: false })
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Gives it its name.
    fn appear(self, target: &Path) -> CliResult<()> {
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
}

impl Receiver for Folder {
    fn file(&mut self, path: &str) -> CliResult<Box<dyn Write + '_>> {
        // Names were checked, and all that is in the folder came from here: no link leads out of it.
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
