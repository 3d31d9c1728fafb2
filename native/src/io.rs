//! Reading input files: what gzip or zstd packed is unpacked as it is read, and an error says what to do.

use crate::error::{CliError, CliResult, shown};
use crate::exit::Exit;
use crucible_core::data::check_kind;
use crucible_core::data::kind::{self, Kind, Wanted};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are read from a file at once.
const BUFFER_BYTES: usize = 256 << 10;

/// How a file is packed, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// As it is.
    None,
    /// `.gz`.
    Gzip,
    /// `.zst`, `.zstd`.
    Zstd,
}

impl Packing {
    /// By the end of the name, in either case.
    pub(crate) fn of(path: &Path) -> Self {
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("gz") => Self::Gzip,
            Some("zst" | "zstd") => Self::Zstd,
            _ => Self::None,
        }
    }

    /// By the first bytes, and by the name where they tell nothing: downloads lose the end of their name.
    fn of_content(path: &Path, head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [] => Self::None,
            _ => Self::of(path),
        }
    }

    /// Refuses a file that is not packed, though its name says so.
    fn check(self, kind: Kind, path: &Path) -> CliResult<()> {
        let (wanted, name, end) = match self {
            Self::None => return Ok(()),
            Self::Gzip => (Kind::Gzip, "gzip", ".gz"),
            Self::Zstd => (Kind::Zstd, "zstd", ".zst"),
        };
        if kind == wanted || kind == Kind::Empty {
            return Ok(());
        }
        let message = format!("{} is not packed by {name}, as its name says: it is {}", shown(path), kind.words());
        let advice = match kind {
            Kind::LfsPointer => "`git lfs pull` gets the file".to_owned(),
            Kind::Binary => "was it copied whole? Fetch it again".to_owned(),
            _ => format!("rename it, without {end} at the end"),
        };
        Err(CliError::new(Exit::Data, message).advise(advice))
    }
}

/// Opens a file for reading, unpacked and buffered.
///
/// A packed file that is damaged is found while it is read: the reader then returns an error.
///
/// # Errors
/// No such file (with the nearest name in its folder), or no permission (exit status 1); a folder, or a file that is not
/// packed as its name says (exit status 3).
pub fn open(path: &Path) -> CliResult<Box<dyn BufRead + Send>> {
    unpacked(path, open_raw(path)?)
}

/// A file that is read once, with the SHA-256 of its bytes as they lie on the disk (packed, if it is packed).
pub struct HashedFile {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    hash: Arc<Mutex<Sha256>>,
}

/// Opens a file as [`open`] does, and hashes what is read.
///
/// # Errors
/// As [`open`].
pub fn open_hashed(path: &Path) -> CliResult<HashedFile> {
    let hash = Arc::new(Mutex::new(Sha256::new()));
    let reader = unpacked(path, Hashing { file: open_raw(path)?, hash: Arc::clone(&hash) })?;
    Ok(HashedFile { path: path.to_owned(), reader, hash })
}

impl HashedFile {
    /// What the file holds, unpacked.
    pub fn reader(&mut self) -> &mut dyn BufRead {
        &mut *self.reader
    }

    /// The SHA-256 of the whole file: what is left of it is read for that.
    ///
    /// # Errors
    /// The rest can't be read.
    pub fn sha256(mut self) -> CliResult<[u8; 32]> {
        io::copy(&mut self.reader, &mut io::sink()).map_err(|e| CliError::io("read", &self.path, &e))?;
        let hash = std::mem::take(&mut *self.hash.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(hash.finalize().into())
    }
}

/// The SHA-256 of a file's bytes as they lie on the disk.
///
/// # Errors
/// As [`open`].
pub fn sha256(path: &Path) -> CliResult<[u8; 32]> {
    let (mut file, mut hash, mut buffer) = (open_raw(path)?, Sha256::new(), vec![0; BUFFER_BYTES]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(count) => hash.update(&buffer[..count]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(CliError::io("read", path, &e)),
        }
    }
}

/// Feeds a hash with what is read.
struct Hashing {
    file: File,
    hash: Arc<Mutex<Sha256>>,
}

impl Read for Hashing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(out)?;
        self.hash.lock().unwrap_or_else(PoisonError::into_inner).update(&out[..count]);
        Ok(count)
    }
}

fn unpacked(path: &Path, raw: impl Read + Send + 'static) -> CliResult<Box<dyn BufRead + Send>> {
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, raw);
    let failed = |e: io::Error| CliError::io("read", path, &e);
    let head = raw.fill_buf().map_err(failed)?;
    let packing = Packing::of_content(path, head);
    packing.check(kind::of(head), path)?;
    Ok(match packing {
        Packing::None => Box::new(raw),
        Packing::Gzip => Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(raw))),
        Packing::Zstd => {
            let unpacked = zstd::stream::read::Decoder::with_buffer(raw).map_err(failed)?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, unpacked))
        }
    })
}

/// Reads a whole file, unpacked.
///
/// # Errors
/// As [`open`]; and a file (or what it unpacks to) over `limit` bytes, which is never held in memory.
pub fn read_bytes(path: &Path, limit: usize) -> CliResult<Vec<u8>> {
    rest(open(path)?, path, limit)
}

/// [`read_bytes`] of a file that is plainly not what is wanted says so at once.
///
/// # Errors
/// As [`read_bytes`]; what the file is, and the command that takes it (exit status 3).
pub fn read_bytes_of(path: &Path, limit: usize, wanted: Wanted) -> CliResult<Vec<u8>> {
    let mut reader = open(path)?;
    check_kind(&mut *reader, &path.display().to_string(), wanted)?;
    rest(reader, path, limit)
}

fn rest(reader: impl Read, path: &Path, limit: usize) -> CliResult<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|e| {
        CliError::io("read", path, &e).advise("is the file complete? If it is packed, unpack it to see")
    })?;
    if bytes.len() > limit {
        let message = format!("{} is larger than the {} that are read", shown(path), human_bytes(limit));
        return Err(CliError::new(Exit::Data, message).advise("is this the right file?"));
    }
    Ok(bytes)
}

/// Reads a whole text file, unpacked.
///
/// # Errors
/// As [`read_bytes`]; and text that is not UTF-8.
pub fn read_text(path: &Path, limit: usize) -> CliResult<String> {
    String::from_utf8(read_bytes(path, limit)?).map_err(|e| {
        let at = e.utf8_error().valid_up_to() + 1;
        CliError::new(Exit::Data, format!("{} is not UTF-8 text (byte {at})", shown(path))).advise("save it as UTF-8")
    })
}

/// Whether a name begins with a dot: such folders are made meanwhile or put aside, and hold no results.
#[must_use]
pub fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// `1536` as "1.5 KiB".
#[must_use]
pub fn human_bytes(bytes: usize) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let value = format!("{value:.1}");
    format!("{} {}", value.strip_suffix(".0").unwrap_or(&value), UNITS[unit])
}

/// Opens without unpacking. A folder is refused here: on some systems it opens and only fails when read.
pub(crate) fn open_raw(path: &Path) -> CliResult<File> {
    let file = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => missing(path),
        _ => CliError::io("read", path, &e),
    })?;
    if file.metadata().is_ok_and(|m| m.is_dir()) {
        let message = format!("cannot read {}: it is a folder", shown(path));
        return Err(CliError::new(Exit::Data, message).advise("name a file inside it"));
    }
    Ok(file)
}

/// "No such file", with what may have been meant.
fn missing(path: &Path) -> CliError {
    let error = CliError::new(Exit::Error, format!("cannot read {}: no such file", shown(path)));
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return error.advise(format!("the folder {} does not exist either", shown(folder)));
    }
    match nearest_name(folder, path) {
        Some(near) => error.advise(format!("did you mean {}?", shown(&path.with_file_name(near)))),
        None => error,
    }
}

/// The name in `folder` that is most like `path`'s, if any is near enough to be a slip.
fn nearest_name(folder: &Path, path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let names = std::fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    // A huge folder is not searched to its end for a hint.
    let mut names: Vec<String> = names.take(10_000).collect();
    names.sort();
    crucible_core::config::nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::AtomicFile;
    use std::io::Write;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    #[test]
    fn packed_files_read_as_what_they_hold() {
        let dir = folder();
        for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.jsonl.zstd", "a.JSONL.GZ"] {
            let path = dir.path().join(name);
            let mut file = AtomicFile::create(&path).expect("creates");
            file.write_all(b"one\ntwo\n").expect("writes");
            file.commit().expect("commits");
            assert_eq!(read_text(&path, 100).expect("reads"), "one\ntwo\n", "{name}");
            let packed = std::fs::read(&path).expect("reads") != b"one\ntwo\n";
            assert_eq!(packed, name != "a.jsonl", "{name}");
        }
    }

    #[test]
    fn packed_files_are_known_by_their_content() {
        let dir = folder();
        for name in ["a.gz", "a.zst"] {
            let path = dir.path().join(name);
            crate::output::write_file(&path, b"one\n").expect("writes");
            let renamed = dir.path().join("a.csv");
            std::fs::rename(&path, &renamed).expect("renames");
            assert_eq!(read_text(&renamed, 100).expect("reads"), "one\n", "{name}");
            let mut file = open_hashed(&renamed).expect("opens");
            let mut text = String::new();
            file.reader().read_to_string(&mut text).expect("reads");
            assert_eq!(text, "one\n", "{name}");
        }
    }

    #[test]
    fn a_missing_file_names_the_nearest() {
        let dir = folder();
        std::fs::write(dir.path().join("events.jsonl"), "x").expect("writes");
        let error = open(&dir.path().join("event.jsonl")).err().expect("is missing");
        assert_eq!(error.exit, Exit::Error);
        assert!(error.message.ends_with("no such file"), "{error}");
        assert!(error.advice.expect("a hint").contains("events.jsonl"));
        assert_eq!(open(&dir.path().join("zzz")).err().expect("is missing").advice, None);
        let error = open(&dir.path().join("nowhere").join("x")).err().expect("is missing");
        assert!(error.advice.expect("a hint").contains("does not exist either"));
    }

    #[test]
    fn a_name_does_not_say_how_a_file_is_packed() {
        let dir = folder();
        for (name, bytes, said, advice) in [
            (
                "a.jsonl.gz",
                &b"{\"event_id\": \"1\"}\n"[..],
                "not packed by gzip, as its name says: it is a file of events",
                "without .gz",
            ),
            ("b.gz", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer", "git lfs pull"),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).expect("writes");
            let error = open(&path).err().expect("refused");
            assert_eq!(error.exit, Exit::Data);
            assert!(
                error.message.contains(said) && error.advice.is_some_and(|a| a.contains(advice)),
                "{}",
                error.message
            );
        }
        std::fs::write(dir.path().join("empty.gz"), "").expect("writes");
        assert_eq!(read_bytes(&dir.path().join("empty.gz"), 10).expect("nothing"), b"");
    }

    #[test]
    fn a_folder_is_refused() {
        let dir = folder();
        let error = open(dir.path()).err().expect("refused");
        assert!(error.message.contains("is a folder"), "{error}");
    }

    #[test]
    fn the_limit_counts_unpacked_bytes() {
        let dir = folder();
        let path = dir.path().join("bomb.gz");
        let mut file = AtomicFile::create(&path).expect("creates");
        file.write_all(&vec![0; 1 << 20]).expect("writes");
        file.commit().expect("commits");
        assert!(std::fs::metadata(&path).expect("is there").len() < 10_000);
        assert_eq!(read_bytes(&path, 10_000).expect_err("too large").exit, Exit::Data);
        assert_eq!(read_bytes(&path, 1 << 20).expect("fits").len(), 1 << 20);
    }

    #[test]
    fn a_damaged_packed_file_is_an_error() {
        let dir = folder();
        for name in ["x.gz", "x.zst"] {
            let path = dir.path().join(name);
            std::fs::write(&path, b"not packed at all").expect("writes");
            let error = read_bytes(&path, 100).expect_err("damaged");
            assert!(error.message.contains(name), "{error}");
        }
    }

    #[test]
    fn the_hash_is_of_the_bytes_on_the_disk() {
        let dir = folder();
        let text = "a line of text\n".repeat(50_000);
        for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"] {
            let path = dir.path().join(name);
            crate::output::write_file(&path, text.as_bytes()).expect("writes");
            let wanted: [u8; 32] = Sha256::digest(std::fs::read(&path).expect("reads")).into();
            let mut all = String::new();
            let mut file = open_hashed(&path).expect("opens");
            file.reader().read_to_string(&mut all).expect("reads");
            assert!(all == text, "{name}");
            assert_eq!(file.sha256().expect("hashes"), wanted, "{name}");
            assert_eq!(open_hashed(&path).expect("opens").sha256().expect("hashes"), wanted, "{name}, unread");
        }
    }

    #[test]
    fn sizes_read_well() {
        let said = [10, 1024, 1536, (1 << 20) - 1, 1 << 20].map(human_bytes);
        assert_eq!(said, ["10 bytes", "1 KiB", "1.5 KiB", "1024 KiB", "1 MiB"]);
    }
}
