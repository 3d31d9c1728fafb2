//! Results: to the standard output, or to files that are never half written.
//!
//! A file is written under a temporary name in the same folder, synced, renamed over the old one, and the folder is
//! synced: after a crash there is the old file or the new one. `.gz` and `.zst` are packed as they are written, with
//! nothing of the clock inside, so that the same content is the same bytes.

use crate::error::{CliError, CliResult};
use crate::io::Packing;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// zstd's level; packing is not what our runs wait for.
const ZSTD_LEVEL: i32 = 6;
/// How names of temporary files end.
const TEMPORARY: &str = ".tmp";

/// Prints a result. What could steer a terminal becomes visible: ids and paths come from files.
///
/// # Errors
/// The output can't be written. A reader that went away is success (`crucible … | head`).
pub fn print(text: &str) -> CliResult<()> {
    print_raw(&crucible_core::printable_lines(text))
}

fn print_raw(text: &str) -> CliResult<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| CliError::stdout(&e))
}

/// Prints a result as JSON, indented, with a line end.
///
/// # Errors
/// As [`print()`].
pub fn print_json<T: Serialize + ?Sized>(value: &T) -> CliResult<()> {
    print_raw(&crucible_core::printable_json(&json_text(value)?))
}

/// A value as indented JSON with a line end.
///
/// # Errors
/// The value has no JSON form (a map whose keys are not text).
pub fn json_text<T: Serialize + ?Sized>(value: &T) -> CliResult<String> {
    crucible_core::json_text(value)
        .map_err(|e| CliError::new(crate::exit::Exit::Error, format!("a result has no JSON form: {e}")))
}

/// Writes a whole file at once, packed by the end of its name.
///
/// # Errors
/// See [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn write_file(path: &Path, bytes: &[u8]) -> CliResult<()> {
    AtomicFile::holding(path, bytes)?.commit()
}

/// Writes a value as indented JSON.
///
/// # Errors
/// As [`write_file`].
pub fn write_json<T: Serialize + ?Sized>(path: &Path, value: &T) -> CliResult<()> {
    write_file(path, json_text(value)?.as_bytes())
}

/// Writes values as JSON Lines.
///
/// # Errors
/// As [`write_file`].
pub fn write_json_lines<T: Serialize>(path: &Path, values: &[T]) -> CliResult<()> {
    json_lines(path, values)?.commit()
}

/// A file of values as JSON Lines, not yet ended.
///
/// # Errors
/// As [`AtomicFile::holding`].
pub fn json_lines<T: Serialize>(path: &Path, values: &[T]) -> CliResult<AtomicFile> {
    let mut file = AtomicFile::create(path)?;
    for value in values {
        serde_json::to_writer(&mut file, value)
            .map_err(io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .map_err(|e| CliError::io("write", path, &e))?;
    }
    Ok(file)
}

/// Finds out whether `path` can be written, before hours of work. Leaves nothing, not even its folder.
///
/// # Errors
/// It can't: a folder of that name, no permission, a read-only disk.
pub fn check_writable(path: &Path) -> CliResult<()> {
    // Creating a temporary file is the whole test; dropping it removes it.
    if folder_of(path).exists() {
        return AtomicFile::create(path).map(drop);
    }
    let above = path.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(Path::new("."));
    temporary(above, path, None).map(drop).map_err(|e| CliError::io("write", path, &e))
}

/// Removes a file, if it is there.
///
/// # Errors
/// The folder can't be written.
pub fn remove_file(path: &Path) -> CliResult<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(CliError::io("remove", path, &e)),
        _ => Ok(()),
    }
}

/// Removes temporary files that a killed process left beside `path`. Only for files that nobody else writes meanwhile.
///
/// # Errors
/// The folder can't be read or written.
pub fn remove_leftovers(path: &Path) -> CliResult<()> {
    let (prefix, folder) = (temporary_prefix(path), folder_of(path));
    let failed = |e: io::Error| CliError::io("clear", folder, &e);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let middle = name.to_str().and_then(|n| n.strip_prefix(&prefix)?.strip_suffix(TEMPORARY));
        // `.x.json.abcdef.tmp` is a leftover of `x.json`, not of `x`.
        if middle.is_some_and(|m| !m.contains('.')) {
            std::fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// Refuses an output (`flag`, at `path`) that is the same file as one of `taken`, each with what it is.
///
/// # Errors
/// It is; with exit status 2.
pub fn refuse_overwriting(flag: &str, path: &Path, taken: &[(&str, &Path)]) -> CliResult<()> {
    // A file that is not there yet is known by its folder.
    let whole = |path: &Path| {
        let in_folder = || Some(std::fs::canonicalize(folder_of(path)).ok()?.join(path.file_name()?));
        std::fs::canonicalize(path).ok().or_else(in_folder).unwrap_or_else(|| path.to_owned())
    };
    // `/dev/null` and the like may be named twice.
    let special = std::fs::metadata(path).is_ok_and(|m| !m.is_file());
    match taken.iter().find(|(_, other)| !special && whole(other) == whole(path)) {
        Some((what, _)) => {
            let message = format!("{flag} {} would overwrite {what}", path.display());
            Err(CliError::usage(message).advise("name another file"))
        }
        None => Ok(()),
    }
}

/// A name beside `path`: `a/X.jsonl.gz` and `_items.jsonl` make `a/X_items.jsonl`.
#[must_use]
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = [".gz", ".zst", ".zstd"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(&name);
    let stem = [".jsonl", ".json"].iter().find_map(|kind| stem.strip_suffix(kind)).unwrap_or(stem);
    path.with_file_name(format!("{stem}{end}"))
}

/// Creates a folder and those above it.
///
/// # Errors
/// It can't be created, or a file is in the way.
pub fn create_folder(path: &Path) -> CliResult<()> {
    std::fs::create_dir_all(path).map_err(|e| CliError::io("create the folder", path, &e))
}

/// Where the bytes go.
#[derive(Debug)]
enum Sink {
    /// A temporary file that is renamed in the end.
    Temporary(NamedTempFile),
    /// A device or a pipe (`/dev/null`, `/dev/stdout`): a rename would replace it by a file.
    Direct(File),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Temporary(file) => file.write(bytes),
            Self::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Temporary(file) => file.flush(),
            Self::Direct(file) => file.flush(),
        }
    }
}

/// The packer before the sink.
enum Packer {
    None(BufWriter<Sink>),
    Gzip(flate2::write::GzEncoder<BufWriter<Sink>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<Sink>>),
}

/// A file that appears whole when [`commit`](Self::commit) is called; dropped before that, it leaves nothing.
pub struct AtomicFile {
    /// As the user named it, for messages.
    path: PathBuf,
    /// Behind links.
    target: PathBuf,
    packer: Packer,
}

impl AtomicFile {
    /// Starts a file. Folders above it are created.
    ///
    /// # Errors
    /// The folder can't be created or written to, or `path` is a folder.
    pub fn create(path: &Path) -> CliResult<Self> {
        let failed = |e: io::Error| CliError::io("write", path, &e);
        // A link stays a link: what it names is replaced.
        let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let existing = std::fs::metadata(&target).ok();
        let sink = match &existing {
            Some(meta) if meta.is_dir() => {
                let message = format!("cannot write {}: it is a folder", path.display());
                return Err(CliError::new(crate::exit::Exit::Error, message).advise("name a file inside it"));
            }
            Some(meta) if !meta.is_file() => {
                Sink::Direct(OpenOptions::new().write(true).open(&target).map_err(failed)?)
            }
            _ => {
                let folder = folder_of(&target);
                create_folder(folder)?;
                Sink::Temporary(temporary(folder, &target, existing.as_ref()).map_err(failed)?)
            }
        };
        let buffered = BufWriter::with_capacity(256 << 10, sink);
        let packer = match Packing::of(path) {
            Packing::None => Packer::None(buffered),
            // The header's time stays 0: the same content is the same bytes.
            Packing::Gzip => {
                Packer::Gzip(flate2::GzBuilder::new().mtime(0).write(buffered, flate2::Compression::new(6)))
            }
            Packing::Zstd => Packer::Zstd(zstd::stream::write::Encoder::new(buffered, ZSTD_LEVEL).map_err(failed)?),
        };
        Ok(Self { path: path.to_owned(), target, packer })
    }

    /// Starts a file and writes `bytes`.
    ///
    /// # Errors
    /// As [`AtomicFile::create`]; the disk is full or failed.
    pub fn holding(path: &Path, bytes: &[u8]) -> CliResult<Self> {
        let mut file = Self::create(path)?;
        file.write_all(bytes).map_err(|e| CliError::io("write", path, &e))?;
        Ok(file)
    }

    /// Ends the file: packs the rest, syncs, renames, syncs the folder.
    ///
    /// # Errors
    /// The disk is full or failed; the old file, if any, is then still there, and the temporary one is removed.
    pub fn commit(self) -> CliResult<()> {
        commit_all([self])
    }

    /// Packs the rest and syncs; the file has no name yet ([`appear_all`] gives it).
    ///
    /// # Errors
    /// The disk is full or failed.
    pub fn finish(self) -> CliResult<WholeFile> {
        let Self { path, target, packer } = self;
        let sink = finish(packer).map_err(|e| CliError::io("write", &path, &e))?;
        Ok(WholeFile { path, target, sink })
    }
}

/// Ends several files: all are on the disk before the first appears, so that a full one leaves none of them.
///
/// # Errors
/// As [`AtomicFile::commit`].
pub fn commit_all(files: impl IntoIterator<Item = AtomicFile>) -> CliResult<()> {
    appear_all(files.into_iter().map(AtomicFile::finish).collect::<CliResult<Vec<_>>>()?)
}

/// A file that is whole and on the disk, but has no name yet; dropped, it leaves nothing.
pub struct WholeFile {
    path: PathBuf,
    target: PathBuf,
    sink: Sink,
}

impl WholeFile {
    /// Its bytes, packed if it is packed, from the first; none where they went to a pipe or a device.
    ///
    /// # Errors
    /// They can't be read again.
    pub fn reader(&mut self) -> CliResult<Option<&mut File>> {
        let Sink::Temporary(file) = &mut self.sink else { return Ok(None) };
        let file = file.as_file_mut();
        file.rewind().map_err(|e| CliError::io("read", &self.path, &e))?;
        Ok(Some(file))
    }

    /// The SHA-256 of its bytes, packed if it is packed; none where they went to a pipe or a device.
    ///
    /// # Errors
    /// As [`WholeFile::reader`].
    pub fn sha256(&mut self) -> CliResult<Option<[u8; 32]>> {
        let Some(file) = self.reader()? else { return Ok(None) };
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        let mut read = || -> io::Result<()> {
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(count) => hash.update(&buffer[..count]),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
        };
        read().map_err(|e| CliError::io("read", &self.path, &e))?;
        Ok(Some(hash.finalize().into()))
    }
}

/// Gives whole files their names.
///
/// # Errors
/// A folder can't be written; files that have their names by then keep them.
pub fn appear_all(files: Vec<WholeFile>) -> CliResult<()> {
    for WholeFile { path, target, sink } in files {
        appear(sink, &target).map_err(|e| CliError::io("write", &path, &e))?;
    }
    Ok(())
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.packer {
            Packer::None(w) => w.write(bytes),
            Packer::Gzip(w) => w.write(bytes),
            Packer::Zstd(w) => w.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.packer {
            Packer::None(w) => w.flush(),
            Packer::Gzip(w) => w.flush(),
            Packer::Zstd(w) => w.flush(),
        }
    }
}

/// Packs the rest and brings it to the disk.
fn finish(packer: Packer) -> io::Result<Sink> {
    let buffered = match packer {
        Packer::None(w) => w,
        Packer::Gzip(w) => w.finish()?,
        Packer::Zstd(w) => w.finish()?,
    };
    let mut sink = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
    match &mut sink {
        Sink::Direct(file) => file.flush()?,
        Sink::Temporary(file) => file.as_file().sync_all()?,
    }
    Ok(sink)
}

/// Gives a whole file its name.
fn appear(sink: Sink, target: &Path) -> io::Result<()> {
    match sink {
        Sink::Direct(_) => Ok(()),
        Sink::Temporary(file) => {
            file.persist(target).map_err(|e| e.error)?;
            sync_folder(folder_of(target))
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// How names of temporary files for `path` begin.
fn temporary_prefix(path: &Path) -> String {
    format!(".{}.", path.file_name().map(|n| n.to_string_lossy()).unwrap_or_default())
}

/// A temporary file beside `target`, with the permissions that the file will have.
fn temporary(folder: &Path, target: &Path, existing: Option<&std::fs::Metadata>) -> io::Result<NamedTempFile> {
    let prefix = temporary_prefix(target);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(TEMPORARY);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The user's umask is applied to this; the library's own default is for secrets.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder)?;
    if let Some(meta) = existing {
        file.as_file().set_permissions(meta.permissions())?;
    }
    Ok(file)
}

/// Makes a rename durable. Windows has no such call and needs none.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("is a folder");
        let mut names: Vec<_> = entries.map(|e| e.expect("entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_dropped_file_leaves_the_old_one_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.json");
        write_file(&path, b"old").expect("writes");
        let mut file = AtomicFile::create(&path).expect("creates");
        file.write_all(b"half").expect("writes");
        assert_eq!(std::fs::read(&path).expect("reads"), b"old", "untouched while writing");
        drop(file);
        assert_eq!(std::fs::read(&path).expect("reads"), b"old");
        assert_eq!(names(dir.path()), ["a.json"]);
        write_file(&path, b"new").expect("writes");
        assert_eq!(std::fs::read(&path).expect("reads"), b"new");
    }

    #[test]
    fn a_whole_file_knows_its_hash_before_it_has_a_name() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["a.jsonl", "a.jsonl.gz"] {
            let path = dir.path().join(name);
            let mut file = AtomicFile::holding(&path, b"content\n").and_then(AtomicFile::finish).expect("writes");
            let hash = file.sha256().expect("reads");
            assert!(!path.exists());
            appear_all(vec![file]).expect("appears");
            assert_eq!(hash, Some(Sha256::digest(std::fs::read(&path).expect("reads")).into()), "{name}");
        }
    }

    #[test]
    fn names_beside_a_file() {
        for (path, wanted) in [
            ("a/x.jsonl", "a/x_m.json"),
            ("x.jsonl.zst", "x_m.json"),
            ("x.json.gz", "x_m.json"),
            ("x", "x_m.json"),
            ("x.v2.json", "x.v2_m.json"),
            ("x.txt", "x.txt_m.json"),
        ] {
            assert_eq!(beside(Path::new(path), "_m.json"), Path::new(wanted));
        }
    }

    #[test]
    fn leftovers_are_those_of_one_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.json");
        let temporary = |of: &Path| temporary(dir.path(), of, None).expect("creates").keep().expect("keeps");
        temporary(&path);
        temporary(&dir.path().join("a"));
        write_file(&path, b"x").expect("writes");
        remove_leftovers(&path).expect("removes");
        let left = names(dir.path());
        assert!(left.len() == 2 && left[0].starts_with(".a.") && left[1] == "a.json", "{left:?}");
    }

    #[test]
    fn the_same_content_is_the_same_bytes() {
        let dir = tempfile::tempdir().expect("a folder");
        for end in ["gz", "zst"] {
            let bytes = ["a", "b"].map(|name| {
                let path = dir.path().join(name).with_extension(end);
                write_file(&path, b"content\n").expect("writes");
                std::fs::read(path).expect("reads")
            });
            assert_eq!(bytes[0], bytes[1], "{end}");
        }
    }

    #[test]
    fn what_can_not_be_written_is_found_before_the_work() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(check_writable(dir.path()).expect_err("a folder").message.contains("is a folder"));
        std::fs::write(dir.path().join("file"), "x").expect("writes");
        let error = check_writable(&dir.path().join("file").join("out.json")).expect_err("a file is in the way");
        assert!(error.message.contains("file"), "{error}");
        check_writable(&dir.path().join("deep").join("er").join("out.json")).expect("can be written");
        assert_eq!(names(dir.path()), ["file"], "the check leaves nothing");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_devices_stay_what_they_are() {
        let dir = tempfile::tempdir().expect("a folder");
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        write_file(&real, b"old").expect("writes");
        std::os::unix::fs::symlink(&real, &link).expect("links");
        write_file(&link, b"new").expect("writes");
        assert!(std::fs::symlink_metadata(&link).expect("is there").is_symlink());
        assert_eq!(std::fs::read(&real).expect("reads"), b"new");
        write_file(Path::new("/dev/null"), b"x").expect("writes");
        assert!(!std::fs::metadata("/dev/null").expect("is there").is_file());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_that_says_so() {
        let error = write_file(Path::new("/dev/full"), b"x").expect_err("full");
        assert_eq!(error.exit, crate::exit::Exit::Error);
        assert!(error.to_string().contains("free some space"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_follow_the_umask_and_the_old_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let (ours, plain) = (dir.path().join("ours"), dir.path().join("plain"));
        let mode = |path: &Path| std::fs::metadata(path).expect("is there").permissions().mode() & 0o777;
        write_file(&ours, b"x").expect("writes");
        std::fs::write(&plain, b"x").expect("writes");
        assert_eq!(mode(&ours), mode(&plain));
        std::fs::set_permissions(&ours, std::fs::Permissions::from_mode(0o640)).expect("sets");
        write_file(&ours, b"y").expect("writes");
        assert_eq!(mode(&ours), 0o640);
    }
}
