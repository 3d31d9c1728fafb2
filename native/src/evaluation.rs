//! One model on one eval set: what every command that scores does.

use crate::checkpoint::Loaded;
use crate::error::{CliError, CliResult};
use crate::output::{self, AtomicFile};
use crate::vectors::Source;
use crate::{clock, device, io, parquet_file, scoreboards};
use crucible_core::backend::gpu::GpuBackend;
use crucible_core::config::Config;
use crucible_core::data::{BundleSet, Event, read_bundles};
use crucible_core::embeddings::Embeddings;
use crucible_core::encoder::Encoder;
use crucible_core::eval::{self, EvalHeader, Inputs, Item, Scoreboard};
use crucible_core::sweep::Truth;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// An eval set and the SHA-256 of its file.
pub struct EvalSet {
    /// The file, as the user named it.
    pub path: String,
    /// Its bundles.
    pub set: BundleSet,
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
    /// Its events with ready vectors from elsewhere, where there are such.
    ready: Option<Vec<Event>>,
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
        Ok(Self { path: name, set, hash: file.sha256()?, ready: None })
    }

    /// Takes ready vectors of its events from `source`; what a scoreboard says of the set stays the same.
    ///
    /// # Errors
    /// As [`Source::load`].
    pub fn with_vectors(mut self, source: Option<&Source>) -> CliResult<Self> {
        self.ready = source.map(|source| source.given_to(Path::new(&self.path), &self.set.events)).transpose()?;
        Ok(self)
    }

    /// What a model embeds.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        self.ready.as_deref().unwrap_or(&self.set.events)
    }

    /// What a scoreboard says of it.
    #[must_use]
    pub fn header(&self, seed: u64, version: &str) -> EvalHeader {
        EvalHeader::of(&self.set, &self.path, &self.hash, seed, version)
    }
}

/// What a scoreboard says of the model whose vectors are scored.
pub struct Scored {
    /// How it is named.
    pub path: String,
    /// SHA-256 of what makes its numbers.
    pub hash: String,
    /// What else may change them.
    pub conditions: BTreeMap<String, Value>,
}

impl Scored {
    /// A model that was read.
    ///
    /// # Errors
    /// Its tokenizer has no text form.
    pub fn model(loaded: &Loaded<impl Encoder>, named: &str) -> CliResult<Self> {
        Ok(Self { path: named.to_owned(), hash: loaded.hash.clone(), conditions: loaded.conditions()? })
    }
}

/// Scores a model's vectors of an eval set's events.
///
/// # Errors
/// A device that fails.
pub fn scored<'a>(
    set: &'a BundleSet,
    eval_header: EvalHeader,
    model: Scored,
    embeddings: &Embeddings,
    backend: Option<&GpuBackend>,
) -> CliResult<(Scoreboard, Vec<Item<'a>>)> {
    let scores = device::score(backend, set, embeddings)?;
    let inputs = Inputs {
        eval_header,
        checkpoint: eval::Checkpoint { path: model.path, hash: model.hash },
        model_conditions: model.conditions,
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

/// All of it, with the items beside the scoreboard, which is returned.
///
/// # Errors
/// Texts that can't be tokenised, a device that fails, outputs that can't be written.
pub fn evaluate(
    eval_set: &EvalSet,
    header: EvalHeader,
    loaded: &Loaded<impl Encoder>,
    named: &str,
    backend: Option<&GpuBackend>,
    output: &Path,
) -> CliResult<Scoreboard> {
    let corpus = loaded.tokenise(eval_set.events())?;
    let embeddings = device::embed_with(backend, &loaded.model, &corpus)?;
    let (board, items) = scored(&eval_set.set, header, Scored::model(loaded, named)?, &embeddings, backend)?;
    write(&board, output, &items, &scoreboards::items_beside(output))?;
    Ok(board)
}

/// The eval sets that a configuration names.
#[must_use]
pub fn eval_sets(config: &Config) -> Vec<(Truth, &String)> {
    let sets = [(Truth::Frozen, &config.data.frozen_eval), (Truth::Organic, &config.data.organic_eval)];
    sets.into_iter().filter_map(|(truth, path)| Some((truth, path.as_ref()?))).collect()
}
