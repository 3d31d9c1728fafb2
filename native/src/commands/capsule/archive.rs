//! Archives: tar within zstd. The same files are the same bytes, and of a stranger's archive only plain data gets through.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::io;
use crate::output::AtomicFile;
use crate::signals::Stop;
use crucible_core::capsule::{self, Entry, EntryKind, Inventory, Limits, METADATA, Metadata, Refusal};
use crucible_core::data::hex;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use tar::EntryType;

/// Bytes that are copied at once.
const BUFFER_BYTES: usize = 256 << 10;
/// Zeros after the last file: two blocks, or up to the twenty of a record.
const MAX_END_BYTES: u64 = 64 << 10;

/// What the archive is read for: each file, as it comes.
pub(super) trait Receiver {
    /// A place for the file's bytes.
    fn file(&mut self, path: &str) -> CliResult<Box<dyn Write + '_>>;
}

/// Adds a file of `size` bytes, with nothing of the machine in its head.
fn append(out: &mut tar::Builder<&mut AtomicFile>, name: &str, size: u64, bytes: impl Read) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    out.append(&header, bytes)
}

/// Writes an archive of `metadata` and its files; `source` says where the file of a path lies.
///
/// # Errors
/// A file can't be read, or is no longer what `metadata` says; the disk is full; the user stopped it.
pub(super) fn write(
    out: &mut AtomicFile,
    path: &Path,
    metadata: &Metadata,
    source: &dyn Fn(&str) -> PathBuf,
    stop: &Stop,
) -> CliResult<()> {
    let failed = |e: std::io::Error| CliError::io("write", path, &e);
    let text = crate::output::json_text(metadata)?;
    let mut archive = tar::Builder::new(out);
    append(&mut archive, METADATA, text.len() as u64, text.as_bytes()).map_err(failed)?;
    for record in &metadata.files {
        let from = source(&record.path);
        let mut file = Hashed { inner: io::open_raw(&from)?.take(record.size), hash: Sha256::new(), stop };
        append(&mut archive, &record.path, record.size, &mut file).map_err(|e| match stop.exit() {
            Some(exit) => CliError::new(exit, "stopped; nothing was written"),
            None => failed(e),
        })?;
        if hex(&file.hash.finalize()) != record.sha256 {
            let message = format!("{} changed while it was packed", from.display());
            return Err(CliError::new(Exit::Error, message).advise("pack again when nothing writes there"));
        }
    }
    archive.into_inner().map(drop).map_err(failed)
}

/// Hashes what is read, and stops when asked to.
struct Hashed<'a, R> {
    inner: R,
    hash: Sha256,
    stop: &'a Stop,
}

impl<R: Read> Read for Hashed<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.stop.requested() {
            return Err(std::io::Error::other("stopped"));
        }
        let count = self.inner.read(out)?;
        self.hash.update(&out[..count]);
        Ok(count)
    }
}

/// Reads `metadata.json` alone: the files after it are not looked at.
///
/// # Errors
/// It is no capsule.
pub(super) fn read_metadata(path: &Path, file: File) -> CliResult<Metadata> {
    let mut archive = open(path, file, &Limits::default())?;
    let mut entries = archive.entries().map_err(|e| refused(path, &fault(&e, METADATA)))?.raw(true);
    first(&mut entries).map(|(metadata, _)| metadata).map_err(|refusal| refused(path, &refusal))
}

/// Reads a whole archive: every file goes to `receiver`, `metadata.json` first, and all of them are as listed when this returns.
///
/// # Errors
/// [`Refusal`]s, with exit status 3; the receiver's errors; the user stopped it.
pub(super) fn read(
    path: &Path,
    file: File,
    limits: Limits,
    receiver: &mut dyn Receiver,
    stop: &Stop,
) -> CliResult<Metadata> {
    let refused = |refusal| refused(path, &refusal);
    let mut archive = open(path, file, &limits)?;
    let mut entries = archive.entries().map_err(|e| refused(fault(&e, METADATA)))?.raw(true);
    let (metadata, bytes) = first(&mut entries).map_err(refused)?;
    let mut inventory = Inventory::new(&metadata, limits).map_err(refused)?;
    copy(&mut bytes.as_slice(), bytes.len() as u64, METADATA, receiver, stop, &refused)?;
    let mut last = METADATA.to_owned();
    for entry in entries {
        let mut entry = entry.map_err(|e| refused(fault(&e, &last)))?;
        let (name, kind, size) = head(&entry);
        let record = inventory.admit(&Entry { name: &name, kind, size }).map_err(refused)?;
        last.clone_from(&record.path);
        let hash = copy(&mut entry, size, &record.path, receiver, stop, &refused)?;
        record.check_hash(&hash).map_err(refused)?;
    }
    inventory.finish().map_err(refused)?;
    check_end(&mut archive.into_inner()).map_err(refused)?;
    Ok(metadata)
}

/// The unpacked bytes of an archive, never many more than its files may have.
type Unpacked = std::io::Take<zstd::stream::read::Decoder<'static, BufReader<File>>>;

fn open(path: &Path, file: File, limits: &Limits) -> CliResult<tar::Archive<Unpacked>> {
    let reader = BufReader::with_capacity(BUFFER_BYTES, file);
    let unpacked = zstd::stream::read::Decoder::with_buffer(reader).map_err(|e| CliError::io("read", path, &e))?;
    // Heads and padding are two blocks a file at most. Sizes are checked one by one; this only bounds what is between.
    let around = (limits.entries as u64 + 1).saturating_mul(2 * 512) + capsule::MAX_METADATA_BYTES + MAX_END_BYTES;
    Ok(tar::Archive::new(unpacked.take(limits.bytes.saturating_add(around))))
}

fn head(entry: &tar::Entry<'_, impl Read>) -> (Vec<u8>, EntryKind, u64) {
    let kind = match entry.header().entry_type() {
        EntryType::Regular => EntryKind::File,
        EntryType::Symlink => EntryKind::Link("symbolic link"),
        EntryType::Link => EntryKind::Link("hard link"),
        EntryType::Directory => EntryKind::Other("a folder"),
        EntryType::Char | EntryType::Block => EntryKind::Other("a device"),
        EntryType::Fifo => EntryKind::Other("a pipe"),
        _ => EntryKind::Other("an extension of tar"),
    };
    (entry.path_bytes().into_owned(), kind, entry.size())
}

fn first<'a, R: Read + 'a>(entries: &mut tar::Entries<'a, R>) -> Result<(Metadata, Vec<u8>), Refusal> {
    let empty = || Refusal::NoCapsule { reason: "it is an empty archive".to_owned() };
    let no_archive = |e: std::io::Error| match fault(&e, METADATA) {
        Refusal::Damaged { reason, .. } => {
            Refusal::NoCapsule { reason: format!("it is no tar archive packed by zstd ({reason})") }
        }
        other => other,
    };
    let mut entry = entries.next().ok_or_else(empty)?.map_err(no_archive)?;
    let (name, kind, size) = head(&entry);
    capsule::check_first(&Entry { name: &name, kind, size })?;
    let mut bytes = Vec::with_capacity(size as usize);
    entry.read_to_end(&mut bytes).map_err(|e| fault(&e, METADATA))?;
    if (bytes.len() as u64) < size {
        return Err(Refusal::Truncated { place: format!("within {METADATA}") });
    }
    Ok((Metadata::from_json(&bytes)?, bytes))
}

/// Hands a file's bytes on and gives their SHA-256.
fn copy(
    from: &mut impl Read,
    size: u64,
    path: &str,
    receiver: &mut dyn Receiver,
    stop: &Stop,
    refused: &dyn Fn(Refusal) -> CliError,
) -> CliResult<String> {
    let mut to = receiver.file(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left = size;
    loop {
        if let Some(exit) = stop.exit() {
            return Err(CliError::new(exit, "stopped; nothing was left behind"));
        }
        match from.read(&mut buffer) {
            Ok(0) if left > 0 => return Err(refused(Refusal::Truncated { place: format!("within {path}") })),
            Ok(0) => break,
            Ok(count) => {
                left = left.saturating_sub(count as u64);
                hash.update(&buffer[..count]);
                to.write_all(&buffer[..count]).map_err(|e| CliError::io("write", Path::new(path), &e))?;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(refused(fault(&e, path))),
        }
    }
    to.flush().map_err(|e| CliError::io("write", Path::new(path), &e))?;
    Ok(hex(&hash.finalize()))
}

/// After the last file there are zeros, and not many.
fn check_end(rest: &mut Unpacked) -> Result<(), Refusal> {
    let place = "after its last file";
    let mut bytes = Vec::new();
    rest.take(MAX_END_BYTES + 1).read_to_end(&mut bytes).map_err(|e| fault(&e, place))?;
    if bytes.len() as u64 > MAX_END_BYTES || bytes.iter().any(|b| *b != 0) {
        return Err(Refusal::Trailing);
    }
    Ok(())
}

/// What a failed read means for the archive.
fn fault(error: &std::io::Error, last: &str) -> Refusal {
    match error.kind() {
        // The tar reader has no kind for a head that is cut off; zstd has one for a frame.
        ErrorKind::UnexpectedEof => Refusal::Truncated { place: format!("at or after {last}") },
        _ if error.to_string().contains("failed to read entire block") => {
            Refusal::Truncated { place: format!("after {last}") }
        }
        _ => Refusal::Damaged { place: format!("at or after {last}"), reason: error.to_string() },
    }
}

pub(super) fn refused(path: &Path, refusal: &Refusal) -> CliError {
    let advice = match refusal {
        Refusal::TooLarge { .. } => "if you trust it, raise --max-bytes",
        Refusal::TooMany { .. } => "if you trust it, raise --max-entries",
        Refusal::Truncated { .. } | Refusal::Damaged { .. } => "was it copied whole? Fetch it again",
        Refusal::NoCapsule { .. } => "name a file that `crucible capsule pack` wrote",
        Refusal::Version { .. } => "use a newer crucible",
        _ => "nothing of it was kept; ask where it came from",
    };
    CliError::new(Exit::Data, format!("{}: {refusal}", path.display())).advise(advice)
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
