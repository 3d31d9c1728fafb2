//! Results: to the standard output, or to files that are never half written.
//!
//! A file is written under a temporary name in the same folder, synced, renamed over the old one, and the folder is
//! synced: after a crash there is the old file or the new one. A temporary file is locked by its writer, so that what a
//! killed process left is known by its lock and removed when the same file is written again. `.gz` and `.zst` are packed
//! as they are written, with nothing of the clock inside, so that the same content is the same bytes.

use crate::error::{CliError, CliResult};
use crate::io::Packing;
use crate::lock;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// zstd's level; packing is not what our runs wait for.
const ZSTD_LEVEL: i32 = 6;
/// How names of temporary files end.
pub(crate) const TEMPORARY: &str = ".tmp";
/// Random characters before that.
const RANDOM: usize = 6;
/// Of a name, so many bytes go into a temporary one: names have at most 255.
const MOST_OF_NAME: usize = 200;
/// A temporary file is made again where another process took it for a leftover.
pub(crate) const TRIES: usize = 100;

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

/// A path as it is shown, for results: one that is no UTF-8 text is told as nearly as text can.
///
/// # Errors
/// Those of the serializer.
pub fn shown<P: AsRef<Path>, S: serde::Serializer>(path: &P, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.as_ref().display())
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
    let above = existing_above(path);
    remove_leftovers_in(above, path);
    temporary(above, path, MODE, None).map(drop).map_err(|e| CliError::io("write", path, &e))
}

/// The nearest folder above `path` that is there.
pub(crate) fn existing_above(path: &Path) -> &Path {
    let above = path.ancestors().skip(1).map(|p| if p.as_os_str().is_empty() { Path::new(".") } else { p });
    above.into_iter().find(|folder| folder.exists()).unwrap_or(Path::new("."))
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

/// Removes temporary files that a killed process left beside `path`: those that nobody has locked.
///
/// # Errors
/// The folder can't be read or written.
pub fn remove_leftovers(path: &Path) -> CliResult<()> {
    let folder = folder_of(path);
    let failed = |e: io::Error| CliError::io("clear", folder, &e);
    leftovers(folder, path).map_err(failed)?.iter().try_for_each(|left| remove_leftover(left)).map_err(failed)
}

/// The same in any folder, and no matter whether it can be done.
pub(crate) fn remove_leftovers_in(folder: &Path, target: &Path) {
    leftovers(folder, target).unwrap_or_default().iter().for_each(|left| drop(remove_leftover(left)));
}

/// Temporary files and folders for `target` in `folder`.
fn leftovers(folder: &Path, target: &Path) -> io::Result<Vec<PathBuf>> {
    let prefix = temporary_prefix(target);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        // `.x.json.abcdef.tmp` is a leftover of `x.json`, not of `x`.
        let middle = name.to_str().and_then(|n| n.strip_prefix(&prefix)?.strip_suffix(TEMPORARY));
        if middle.is_some_and(|m| m.len() == RANDOM && m.bytes().all(|b| b.is_ascii_alphanumeric())) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Removes a temporary file or folder whose writer is gone.
pub(crate) fn remove_leftover(path: &Path) -> io::Result<()> {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return Ok(()) };
    // A file system without locks does not tell whether the writer is gone.
    let free = |file: &File| lock::try_lock(file).unwrap_or(false) && lock::is_at(file, path);
    let removed = if meta.is_dir() {
        // Folders can't be opened, and so not be locked, on every system.
        match File::open(path) {
            Ok(folder) if free(&folder) => std::fs::remove_dir_all(path),
            _ => return Ok(()),
        }
    } else if meta.is_file() {
        match OpenOptions::new().write(true).open(path) {
            Ok(file) if free(&file) => std::fs::remove_file(path),
            _ => return Ok(()),
        }
    } else {
        return Ok(());
    };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// A name beside `path`: `a/X.jsonl.gz` and `_items.jsonl` make `a/X_items.jsonl`.
#[must_use]
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let without = |path: &Path, ends: &[&str]| -> Option<PathBuf> {
        let known = path.extension().is_some_and(|e| ends.iter().any(|known| e == OsStr::new(known)));
        (known && path.file_stem().is_some()).then(|| path.with_extension(""))
    };
    let stem = without(path, &["gz", "zst", "zstd"]).unwrap_or_else(|| path.to_owned());
    let stem = without(&stem, &["jsonl", "json"]).unwrap_or(stem);
    let mut name = stem.file_name().map(OsStr::to_owned).unwrap_or_default();
    name.push(end);
    path.with_file_name(name)
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
                remove_leftovers_in(folder, &target);
                Sink::Temporary(temporary(folder, &target, MODE, existing.as_ref()).map_err(failed)?)
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
pub(crate) fn temporary_prefix(path: &Path) -> String {
    let mut name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let most = (0..=MOST_OF_NAME).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    name.truncate(most);
    format!(".{name}.")
}

/// Permissions of files before the user's umask.
const MODE: u32 = 0o666;
/// Of files that are for their owner alone.
const PRIVATE: u32 = 0o600;

/// A temporary file for `target`, locked, with the permissions that the file will have.
fn temporary(
    folder: &Path,
    target: &Path,
    mode: u32,
    existing: Option<&std::fs::Metadata>,
) -> io::Result<NamedTempFile> {
    let prefix = temporary_prefix(target);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(TEMPORARY).rand_bytes(RANDOM);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The user's umask is applied to this; the library's own default is for secrets.
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = mode;
    for _ in 0..TRIES {
        let file = builder.tempfile_in(folder)?;
        // Without locks nobody removes it, either.
        let locked = lock::try_lock(file.as_file()).unwrap_or(true);
        if locked && lock::is_at(file.as_file(), file.path()) {
            if let Some(meta) = existing {
                file.as_file().set_permissions(meta.permissions())?;
            }
            return Ok(file);
        }
    }
    Err(io::Error::other("temporary files are removed by another program as soon as they are made"))
}

/// Writes a new file that only its owner may read.
///
/// # Errors
/// A file of that name is there, or it can't be written.
pub fn write_secret(path: &Path, bytes: &[u8]) -> CliResult<()> {
    let failed = |e: io::Error| CliError::io("write", path, &e);
    let folder = folder_of(path);
    create_folder(folder)?;
    remove_leftovers_in(folder, path);
    let mut file = temporary(folder, path, PRIVATE, None).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist_noclobber(path).map_err(|e| failed(e.error))?;
    sync_folder(folder).map_err(failed)
}

/// Makes a rename durable. Windows has no such call and needs none.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
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

    /// What a killed process leaves.
    fn left(dir: &Path, of: &Path) -> PathBuf {
        temporary(dir, of, MODE, None).expect("creates").keep().expect("keeps").1
    }

    #[test]
    fn leftovers_are_those_of_one_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.json");
        left(dir.path(), &path);
        left(dir.path(), &dir.path().join("a"));
        for other in [".a.json.more.tmp", ".a.json.abcdef.bak", ".a.json.abc.def.tmp"] {
            std::fs::write(dir.path().join(other), "x").expect("writes");
        }
        remove_leftovers(&path).expect("removes");
        let left = names(dir.path());
        assert!(left.len() == 4 && left[0].starts_with(".a."), "{left:?}");
        assert!(
            !left
                .iter()
                .any(|n| n.starts_with(".a.json.") && n.len() == ".a.json.abcdef.tmp".len() && n.ends_with(".tmp")),
            "{left:?}"
        );
    }

    #[test]
    fn a_file_that_is_written_again_takes_its_leftovers_away_and_no_one_elses() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.json");
        left(dir.path(), &path);
        // Somebody writes the same file now.
        let other = AtomicFile::create(&path).expect("creates");
        assert_eq!(names(dir.path()).len(), 1, "the leftover is gone");
        write_file(&path, b"x").expect("writes");
        assert_eq!(names(dir.path()).len(), 2, "the other's file is not");
        other.commit().expect("is still there");
        assert_eq!(names(dir.path()), ["a.json"]);
    }

    #[test]
    fn names_of_any_length_and_any_bytes_have_temporary_ones() {
        let dir = tempfile::tempdir().expect("a folder");
        let long = "\u{e4}".repeat(127);
        write_file(&dir.path().join(&long), b"x").expect("writes");
        assert_eq!(names(dir.path()), [long]);
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::ffi::OsStrExt;
            let path = dir.path().join(OsStr::from_bytes(b"a\xff.jsonl"));
            write_file(&path, b"x").expect("writes");
            assert!(path.exists());
            let wanted = dir.path().join(OsStr::from_bytes(b"a\xff_items.jsonl"));
            assert_eq!(beside(&path, "_items.jsonl"), wanted);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_for_its_owner_and_replaces_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("k.key");
        write_secret(&path, b"x").expect("writes");
        assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o077, 0);
        assert!(write_secret(&path, b"y").is_err());
        assert_eq!(
            (names(dir.path()), std::fs::read(&path).expect("reads")),
            (vec!["k.key".to_owned()], b"x".to_vec())
        );
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
