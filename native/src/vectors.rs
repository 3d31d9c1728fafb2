//! Vectors of events, from wherever a command is told to take them: a checkpoint, the events' own `embedding`s, a file
//! of ready ones, or nowhere, and then words decide (the lexical embedding).
//!
//! A file is `.npy` or `.safetensors` with one vector a row, and beside `X.npy` lies `X_ids.jsonl` with the event ids
//! of its rows, as `crucible embed` writes them. Rows are found by id, so events may come in another order and a file
//! may hold more than is asked for. It is mapped, never read whole; [`Access::Mapped`] leaves the rows there, and they
//! get unit length as they are copied out, block by block, with the same bits as in memory. A `.parquet` file has ids and
//! vectors in two columns; it is unpacked into memory.

use crate::checkpoint::{Loaded, ModelArgs, Notes};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::{io, parquet_file};
use crucible_core::bundles::Similarity;
use crucible_core::config;
use crucible_core::data::kind::{self, Wanted};
use crucible_core::data::{Event, Fault, Faults, hex, read_ids};
use crucible_core::embeddings::{Embeddings, RowFault, UnitRows, VectorFile, row_fault};
use crucible_core::parallel;
use memmap2::Mmap;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// More bytes of `f32` than this are not copied into memory.
pub const MAX_IN_MEMORY: u64 = 8 << 30;
/// Rows that are checked together.
const CHECKED: usize = 4096;

/// Where vectors come from; the flags of every command that ranks by vectors.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct VectorArgs {
    /// Ranks and scores with this model's vectors instead of the lexical embedding
    #[arg(long, value_name = "FILE|DIR", conflicts_with_all = ["use_embeddings", "embeddings"])]
    pub checkpoint: Option<PathBuf>,
    /// How it is read.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Ranks and scores with the events' own `embedding`s
    #[arg(long, visible_alias = "own-embeddings", conflicts_with = "embeddings")]
    pub use_embeddings: bool,
    /// Ranks and scores with the vectors of a .npy, .safetensors or .parquet file, as `crucible embed` writes it
    #[arg(long, value_name = "FILE")]
    pub embeddings: Option<PathBuf>,
    /// The event ids of its rows; without it beside the vectors: X.npy, X_ids.jsonl. X.parquet has them itself
    #[arg(long, value_name = "FILE", requires = "embeddings")]
    pub embedding_ids: Option<PathBuf>,
}

/// Whether a file's rows are copied into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// They are.
    Memory,
    /// They stay in the file.
    Mapped,
}

impl VectorArgs {
    /// What the flags name.
    #[must_use]
    pub fn source(&self) -> Source {
        match (&self.checkpoint, &self.embeddings) {
            (Some(path), _) => Source::Checkpoint(path.clone(), self.model.clone()),
            (_, Some(vectors)) => Source::file(vectors, self.embedding_ids.as_deref()),
            _ if self.use_embeddings => Source::Own,
            _ => Source::Lexical,
        }
    }
}

/// Where vectors come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A model.
    Checkpoint(PathBuf, ModelArgs),
    /// The field `embedding` of the events.
    Own,
    /// Ready vectors.
    File {
        /// `.npy`, `.safetensors` or `.parquet`.
        vectors: PathBuf,
        /// Event ids of the rows.
        ids: PathBuf,
    },
    /// None: the lexical embedding.
    Lexical,
}

/// Where vectors came from, for reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// The lexical embedding.
    Lexical,
    /// The events' own.
    OwnEmbeddings {
        /// Numbers a vector.
        dim: usize,
    },
    /// A model's.
    Checkpoint {
        /// As the user named it.
        path: String,
        /// SHA-256 of the file; of a folder, of its files and of how they are read.
        sha256: String,
        /// Numbers a vector.
        dim: usize,
    },
    /// Those of a file.
    File {
        /// As the user named it.
        path: String,
        /// SHA-256 of the file.
        sha256: String,
        /// Numbers a vector.
        dim: usize,
    },
}

impl Origin {
    /// What scores, whatever its path: `checkpoint:` or `file:` and the first 16 digits of the SHA-256, or what needs
    /// none.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Lexical => "lexical".to_owned(),
            Self::OwnEmbeddings { .. } => "own_embeddings".to_owned(),
            Self::Checkpoint { sha256, .. } => format!("checkpoint:{sha256:.16}"),
            Self::File { sha256, .. } => format!("file:{sha256:.16}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lexical => f.write_str("the lexical embedding"),
            Self::OwnEmbeddings { dim } => write!(f, "the events' own embeddings ({dim} numbers)"),
            Self::Checkpoint { path, dim, .. } => write!(f, "vectors of the model {path} ({dim} numbers)"),
            Self::File { path, dim, .. } => write!(f, "the vectors in {path} ({dim} numbers)"),
        }
    }
}

/// One unit vector for each event, or none for any of them.
pub struct Vectors {
    /// Where they came from.
    pub origin: Origin,
    /// What the user should know of the model that made them.
    pub notes: Notes,
    held: Held,
}

enum Held {
    Nothing,
    Memory(Embeddings),
    Mapped(MappedRows),
}

impl Vectors {
    /// Row i for event i; nothing where words decide.
    #[must_use]
    pub fn rows(&self) -> Option<&dyn UnitRows> {
        match &self.held {
            Held::Nothing => None,
            Held::Memory(embeddings) => Some(embeddings),
            Held::Mapped(rows) => Some(rows),
        }
    }

    /// All of them; nothing where words decide or the rows stay in their file.
    #[must_use]
    pub fn into_memory(self) -> Embeddings {
        match self.held {
            Held::Memory(embeddings) => embeddings,
            Held::Nothing | Held::Mapped(_) => Embeddings::default(),
        }
    }

    /// What ranks with them.
    #[must_use]
    pub fn similarity(&self) -> Similarity<'_> {
        self.rows().map_or(Similarity::Lexical, Similarity::Vectors)
    }
}

impl Source {
    /// A file of ready vectors, with its ids where they are said to be or beside it.
    #[must_use]
    pub fn file(vectors: &Path, ids: Option<&Path>) -> Self {
        Self::File { vectors: vectors.to_owned(), ids: ids.map_or_else(|| ids_beside(vectors), Path::to_owned) }
    }

    /// What a configuration names for an adapter; nothing where the events' own vectors count.
    #[must_use]
    pub fn of_config(data: &config::Data) -> Option<Self> {
        let vectors = data.embeddings.as_ref()?;
        Some(Self::file(Path::new(vectors), data.embedding_ids.as_deref().map(Path::new)))
    }

    /// Names them in a configuration, for an adapter.
    pub fn name_in(&self, data: &mut config::Data) {
        if let Self::File { vectors, ids } = self {
            data.embeddings = Some(vectors.display().to_string());
            data.embedding_ids = Some(ids.display().to_string());
        }
    }

    /// Copies of `events` with these vectors as their own.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn given_to(&self, events_path: &Path, events: &[Event]) -> CliResult<Vec<Event>> {
        let vectors = self.load(None, events_path, events, Access::Memory)?.into_memory();
        let mut events = events.to_vec();
        for (number, event) in events.iter_mut().enumerate() {
            event.embedding = Some(vectors.row(number).to_vec());
        }
        Ok(events)
    }

    /// The files that it reads besides the events, each with its flag: no output may overwrite them.
    #[must_use]
    pub fn files(&self) -> Vec<(&'static str, &Path)> {
        match self {
            Self::Checkpoint(path, _) => vec![("--checkpoint", path)],
            Self::File { vectors, ids } if vectors == ids => vec![("--embeddings", vectors)],
            Self::File { vectors, ids } => vec![("--embeddings", vectors), ("its file of ids", ids)],
            Self::Own | Self::Lexical => Vec::new(),
        }
    }

    /// The vectors of `events`, which came from `events_path`. A model embeds on `device` ([`crate::device::embed`]).
    ///
    /// # Errors
    /// A file that can't be read; with exit status 3 a damaged one, ids that are missing, used twice or not as many as
    /// vectors, and vectors of events that are missing, not finite or zero, all of them at once up to a limit.
    pub fn load(
        &self,
        device: Option<&str>,
        events_path: &Path,
        events: &[Event],
        access: Access,
    ) -> CliResult<Vectors> {
        match self {
            Self::Lexical => Ok(Vectors { origin: Origin::Lexical, notes: Notes::default(), held: Held::Nothing }),
            Self::Checkpoint(path, args) => {
                let loaded = Loaded::read(path, args)?;
                let embeddings = loaded.embed(device, events)?;
                let (path, dim) = (path.display().to_string(), embeddings.dim);
                let origin = Origin::Checkpoint { path, sha256: loaded.hash, dim };
                Ok(Vectors { origin, notes: loaded.notes, held: Held::Memory(embeddings) })
            }
            Self::Own => {
                let embeddings = own(events_path, events)?;
                let origin = Origin::OwnEmbeddings { dim: embeddings.dim };
                Ok(Vectors { origin, notes: Notes::default(), held: Held::Memory(embeddings) })
            }
            Self::File { vectors, ids } => from_file(vectors, ids, events_path, events, access),
        }
    }
}

/// `X.npy` to `X_ids.jsonl`; a `.parquet` file has the ids itself.
#[must_use]
pub fn ids_beside(path: &Path) -> PathBuf {
    if parquet_file::is_one(path) {
        return path.to_owned();
    }
    let mut name = path.file_stem().map(std::ffi::OsStr::to_owned).unwrap_or_default();
    name.push("_ids.jsonl");
    path.with_file_name(name)
}

/// The events' own vectors. Reading events has checked that they are finite and of one length.
fn own(path: &Path, events: &[Event]) -> CliResult<Embeddings> {
    let mut faults = Faults::new(&path.display().to_string());
    let mut flat = Vec::new();
    let mut dim = 1;
    for event in events {
        let message = match event.embedding.as_deref() {
            None => format!("event \"{}\" has no `embedding`", event.event_id),
            Some(row) if row_fault(row).is_some() => format!("event \"{}\": {ZERO}", event.event_id),
            Some(row) => {
                dim = row.len();
                flat.extend_from_slice(row);
                continue;
            }
        };
        faults.push(Fault { line: None, field: None, message });
    }
    let advice = "give every event a vector, or leave out --use-embeddings to rank by words";
    faults.or(()).map_err(|f| CliError::from(f).advise(advice))?;
    Ok(Embeddings::of_rows(dim, flat))
}

const ZERO: &str = "its vector is zero: it points nowhere";

/// Where a file's rows lie.
enum Bytes {
    Mapped(Mmap),
    /// Unpacked, as those of a `.npy` file.
    Unpacked(Vec<u8>),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Unpacked(bytes) => bytes,
        }
    }
}

/// Rows in a mapped file.
struct MappedRows {
    file: VectorFile<Bytes>,
    /// Row of each event; nothing where they are in the events' order.
    row: Option<Vec<u32>>,
    len: usize,
}

impl UnitRows for MappedRows {
    fn len(&self) -> usize {
        self.len
    }

    fn dim(&self) -> usize {
        self.file.dim()
    }

    fn row_to(&self, index: usize, out: &mut [f32]) {
        let row = self.row.as_ref().map_or(index, |row| row[index] as usize);
        self.file.unit(row, out);
    }

    fn whole(&self) -> Option<&[f32]> {
        None
    }
}

fn from_file(path: &Path, ids_path: &Path, events_path: &Path, events: &[Event], access: Access) -> CliResult<Vectors> {
    let name = path.display().to_string();
    let whole = map(path)?;
    let (bytes, packed) = match parquet_file::is_one(path) {
        true => (Bytes::Unpacked(parquet_file::vectors::vectors(path, parquet_file::MAX_BYTES)?), Some(whole)),
        false => (Bytes::Mapped(whole), None),
    };
    if let Some(message) = kind::refusal(bytes.as_ref(), Wanted::Vectors, &name) {
        return Err(CliError::new(Exit::Data, format!("{name}: {message}")));
    }
    let file =
        VectorFile::new(bytes).map_err(|e| CliError::new(Exit::Data, format!("{name}: {e}")).advise(e.advice()))?;
    if !ids_path.exists() {
        let message = format!("{name}: no file {} says whose vectors these are", ids_path.display());
        return Err(CliError::new(Exit::Data, message).advise(
            "write one, a JSON text with an event id for each row; or name it, or the events themselves, with \
             --embedding-ids",
        ));
    }
    let ids = match parquet_file::is_one(ids_path) {
        true => parquet_file::vectors::ids(ids_path)?,
        false => read_ids(&mut *io::open(ids_path)?, &ids_path.display().to_string())?,
    };
    let rows = rows_of(&file, &name, &ids, ids_path, events_path, events)?;
    let hash = || hex(&Sha256::digest(packed.as_ref().map_or(file.bytes(), |packed| packed.as_ref())));
    let (sha256, checked) = rayon::join(hash, || check(&file, &name, &rows, events));
    checked?;
    let dim = file.dim();
    let held = match access {
        Access::Mapped => {
            let in_order = rows.iter().zip(0..).all(|(row, event)| *row == event);
            let len = rows.len();
            Held::Mapped(MappedRows { file, row: (!in_order).then_some(rows), len })
        }
        Access::Memory => Held::Memory(in_memory(&file, &name, &rows)?),
    };
    Ok(Vectors { origin: Origin::File { path: name, sha256, dim }, notes: Notes::default(), held })
}

/// Maps a file into memory.
#[expect(unsafe_code, reason = "a mapped file can't be had without")]
fn map(path: &Path) -> CliResult<Mmap> {
    let file = io::open_raw(path)?;
    // SAFETY: the bytes are only read, and every reader checks its ranges against the length at this moment. Who
    // changes the file meanwhile changes numbers; who cuts it short ends this process (SIGBUS), as with any mapped
    // input. Our own writers replace files by renaming, which leaves a mapped one as it was.
    unsafe { Mmap::map(&file) }.map_err(|e| CliError::io("read", path, &e))
}

/// The row of each event.
fn rows_of(
    file: &VectorFile<Bytes>,
    name: &str,
    ids: &[String],
    ids_path: &Path,
    events_path: &Path,
    events: &[Event],
) -> CliResult<Vec<u32>> {
    if ids.len() != file.len() {
        let ids_name = ids_path.display();
        let message = format!("{name} has {} vectors, but {ids_name} has {} ids", file.len(), ids.len());
        return Err(CliError::new(Exit::Data, message).advise("both are written together: are they of one run?"));
    }
    let row: HashMap<&str, u32> = ids.iter().map(String::as_str).zip(0..).collect();
    let mut faults = Faults::new(&events_path.display().to_string());
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        match row.get(event.event_id.as_str()) {
            Some(row) => rows.push(*row),
            None => {
                let message = format!("event \"{}\" has no vector in {name}", event.event_id);
                faults.push(Fault { line: None, field: Some("event_id".to_owned()), message });
            }
        }
    }
    let advice =
        format!("embed these events too (`crucible embed`), or take them out; ids are in {}", ids_path.display());
    faults.or(rows).map_err(|f| CliError::from(f).advise(advice))
}

/// Finds vectors that are of no use.
fn check(file: &VectorFile<Bytes>, name: &str, rows: &[u32], events: &[Event]) -> CliResult<()> {
    let blocks = parallel::map(rows.len().div_ceil(CHECKED), |b| {
        let first = b * CHECKED;
        let mut row = vec![0.0; file.dim()];
        let mut found = Vec::new();
        for (event, number) in rows.iter().enumerate().skip(first).take(CHECKED) {
            file.raw(*number as usize, &mut row);
            found.extend(row_fault(&row).map(|fault| (event, fault)));
        }
        found
    });
    let mut faults = Faults::new(name);
    for (event, fault) in blocks.into_iter().flatten() {
        let what = match fault {
            RowFault::Zero => ZERO.to_owned(),
            RowFault::NotFinite(at) => format!("number {} of its vector is NaN or infinite", at + 1),
        };
        let message = format!("event \"{}\" (row {}): {what}", events[event].event_id, rows[event]);
        faults.push(Fault { line: None, field: None, message });
    }
    let advice = "embed those texts again, or take those events out (rows count from 0)";
    faults.or(()).map_err(|f| CliError::from(f).advise(advice))
}

fn in_memory(file: &VectorFile<Bytes>, name: &str, rows: &[u32]) -> CliResult<Embeddings> {
    let dim = file.dim();
    let bytes = rows.len() as u64 * dim as u64 * 4;
    if bytes > MAX_IN_MEMORY {
        let size = io::human_bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
        let message = format!("{name}: the vectors of these events take {size} of memory");
        return Err(CliError::new(Exit::Data, message).advise("use fewer events, or a command that maps the file"));
    }
    let mut vectors = vec![0.0; rows.len() * dim];
    parallel::for_blocks(&mut vectors, CHECKED * dim, |block, out| {
        for (out, row) in out.chunks_mut(dim).zip(&rows[block * CHECKED..]) {
            file.raw(*row as usize, out);
        }
    });
    Ok(Embeddings::of_rows(dim, vectors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crucible_core::embeddings::npy_header;

    fn events(ids: &[&str]) -> Vec<Event> {
        let event = |id: &&str| format!(r#"{{"event_id":"{id}","sense":"s#1","text":"t"}}"#);
        let lines: Vec<String> = ids.iter().map(event).collect();
        crucible_core::data::read_events(&mut lines.join("\n").as_bytes(), "e").expect("events")
    }

    /// Vectors of the events a, b, c and d.
    fn folder() -> (tempfile::TempDir, Source) {
        let dir = tempfile::tempdir().expect("a folder");
        let values = [3f32, 4.0, 0.6, 0.8, -1.0, 0.0, 5.0, 12.0];
        let data: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let vectors = dir.path().join("v.npy");
        std::fs::write(&vectors, [npy_header(4, 2), data].concat()).expect("writes");
        let ids = ids_beside(&vectors);
        std::fs::write(&ids, "\"a\"\n\"b\"\n\"c\"\n\"d\"\n").expect("writes");
        (dir, Source::File { vectors, ids })
    }

    fn rows(source: &Source, ids: &[&str], access: Access) -> Vec<f32> {
        let vectors = source.load(None, Path::new("e"), &events(ids), access).expect("loads");
        let rows = vectors.rows().expect("dense");
        assert_eq!((rows.len(), rows.dim()), (ids.len(), 2));
        assert_eq!(rows.whole().is_some(), access == Access::Memory);
        let mut all = vec![0.0; ids.len() * 2];
        rows.block(0..ids.len(), &mut all);
        let mut gathered = vec![0.0; ids.len() * 2];
        rows.gather(&(0..ids.len() as u32).collect::<Vec<_>>(), &mut gathered);
        assert_eq!(gathered, all);
        assert!(rows.whole().is_none_or(|whole| whole == all));
        all
    }

    #[test]
    fn rows_are_found_by_id_and_are_the_same_mapped_and_in_memory() {
        let (_dir, source) = folder();
        for ids in [&["a", "b", "c", "d"][..], &["d", "a"], &["b"]] {
            let read = rows(&source, ids, Access::Memory);
            assert_eq!(rows(&source, ids, Access::Mapped), read, "{ids:?}");
        }
        let [x, y] = rows(&source, &["d"], Access::Mapped)[..] else { panic!("one row") };
        assert_eq!((x, y), ((5f64 / 13.0) as f32, (12f64 / 13.0) as f32));
        assert_eq!(rows(&source, &["b", "c"], Access::Mapped), [0.6, 0.8, -1.0, 0.0], "unit rows as they are");
    }

    #[test]
    fn ids_lie_beside_the_vectors() {
        assert_eq!(ids_beside(Path::new("a/x.npy")), Path::new("a/x_ids.jsonl"));
        assert_eq!(ids_beside(Path::new("x.v2.safetensors")), Path::new("x.v2_ids.jsonl"));
    }
}
