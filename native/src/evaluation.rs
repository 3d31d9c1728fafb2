//! One model on one eval set: what every command that scores does.

use crate::checkpoint::Loaded;
use crate::device;
use crate::error::{CliError, CliResult};
use crate::output::{self, AtomicFile};
use crate::{io, scoreboards};
use crucible_core::backend::gpu::GpuBackend;
use crucible_core::data::{BundleSet, read_bundles};
use crucible_core::eval::{self, EvalHeader, Inputs, Scoreboard};
use std::path::Path;

/// An eval set and the SHA-256 of its file.
pub struct EvalSet {
    path: String,
    set: BundleSet,
    hash: [u8; 32],
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
}

/// Scores a model and writes the scoreboard, with its items beside it: both or neither. `named` is how the scoreboard names
/// the checkpoint.
///
/// # Errors
/// Texts that can't be tokenised, a device that fails, outputs that can't be written.
pub fn evaluate(
    eval_set: &EvalSet,
    loaded: &Loaded,
    named: &str,
    backend: Option<&GpuBackend>,
    timestamp: String,
    output: &Path,
) -> CliResult<Scoreboard> {
    let EvalSet { path, set, hash } = eval_set;
    let corpus = loaded.tokenise(&set.events)?;
    let embeddings = device::embed_with(backend, &loaded.checkpoint.encoder, &corpus)?;
    let scores = device::score(backend, set, &embeddings)?;
    let items = eval::items(set, &scores);
    let inputs = Inputs {
        eval_header: EvalHeader::of(set, path, hash, SEED, VERSION),
        checkpoint: eval::Checkpoint { path: named.to_owned(), hash: loaded.hash.clone() },
        model_conditions: loaded.conditions()?,
        timestamp,
        device: device::name(backend),
    };
    let board = eval::scoreboard(set, &embeddings, &scores, inputs);
    let items_path = scoreboards::items_beside(output);
    let mut file = AtomicFile::create(&items_path)?;
    eval::write_items(&items, &mut file).map_err(|e| CliError::io("write", &items_path, &e))?;
    // The scoreboard last: where it is, its items are too.
    output::commit_all([file, AtomicFile::holding(output, output::json_text(&board)?.as_bytes())?])?;
    Ok(board)
}

/// The seed in the fingerprint, as `crucible eval` has it by default.
const SEED: u64 = 42;
/// The eval set's version, likewise.
const VERSION: &str = "1";
