//! One model on one eval set: what every command that scores does.

use crate::checkpoint::Loaded;
use crate::error::{CliError, CliResult};
use crate::output::{self, AtomicFile};
use crate::{clock, device, io, parquet_file, scoreboards};
use crucible_core::backend::gpu::GpuBackend;
use crucible_core::data::{BundleSet, read_bundles};
use crucible_core::embeddings::Embeddings;
use crucible_core::encoder::Encoder;
use crucible_core::eval::{self, EvalHeader, Inputs, Item, SEED, Scoreboard, VERSION};
use std::path::Path;

/// An eval set and the SHA-256 of its file.
pub struct EvalSet {
    /// The file, as the user named it.
    pub path: String,
    /// Its bundles.
    pub set: BundleSet,
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
}

impl EvalSet {
    /// Reads it.
    ///
    /// # Errors
    /// A file that can't be read, or its faults.
    pub fn read(path: &Path) -> CliResult<Self> {
        let mut file = io::open_hashed(path)?;
        let name = path.display().to_string();
        let set = read_bundles(file.reader(), &name)?;
        Ok(Self { path: name, set, hash: file.sha256()? })
    }

    /// What a scoreboard says of it.
    #[must_use]
    pub fn header(&self, seed: u64, version: &str) -> EvalHeader {
        EvalHeader::of(&self.set, &self.path, &self.hash, seed, version)
    }
}

/// Scores vectors of an eval set's events. `named` is how the scoreboard names the model that they are of.
///
/// # Errors
/// A device that fails.
pub fn scored<'a>(
    set: &'a BundleSet,
    eval_header: EvalHeader,
    loaded: &Loaded<impl Encoder>,
    named: &str,
    embeddings: &Embeddings,
    backend: Option<&GpuBackend>,
) -> CliResult<(Scoreboard, Vec<Item<'a>>)> {
    let scores = device::score(backend, set, embeddings)?;
    let inputs = Inputs {
        eval_header,
        checkpoint: eval::Checkpoint { path: named.to_owned(), hash: loaded.hash.clone() },
        model_conditions: loaded.conditions()?,
        timestamp: clock::now(),
        device: device::name(backend),
    };
    Ok((eval::scoreboard(set, embeddings, &scores, inputs), eval::items(set, &scores)))
}

/// Writes a scoreboard and its items: both or neither.
///
/// # Errors
/// They can't be written.
pub fn write(board: &Scoreboard, output: &Path, items: &[Item<'_>], items_path: &Path) -> CliResult<()> {
    let file = if parquet_file::is_one(items_path) {
        parquet_file::write_items(items_path, items)?
    } else {
        let mut file = AtomicFile::create(items_path)?;
        eval::write_items(items, &mut file).map_err(|e| CliError::io("write", items_path, &e))?;
        file
    };
    let board = AtomicFile::holding(output, output::json_text(board)?.as_bytes())?;
    // The scoreboard last: where it is, its items are too.
    output::commit_all([file, board])
}

/// All of it, with the items beside the scoreboard.
///
/// # Errors
/// Texts that can't be tokenised, a device that fails, outputs that can't be written.
pub fn evaluate(
    eval_set: &EvalSet,
    loaded: &Loaded<impl Encoder>,
    named: &str,
    backend: Option<&GpuBackend>,
    output: &Path,
) -> CliResult<()> {
    let set = &eval_set.set;
    let corpus = loaded.tokenise(&set.events)?;
    let embeddings = device::embed_with(backend, &loaded.model, &corpus)?;
    let (board, items) = scored(set, eval_set.header(SEED, VERSION), loaded, named, &embeddings, backend)?;
    write(&board, output, &items, &scoreboards::items_beside(output))
}
