//! What belongs to a run: its files, their names in the capsule, and what is known of them.

use super::{config_of, packed_name, with_vectors};
use crate::checkpoint::Loaded;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::training::{self, CHECKPOINT};
use crate::{io, lock, output, scoreboards};
use crucible_core::capsule::{
    BUNDLES_FOLDER, BundlesRecord, CONFIG, CheckpointRecord, EVAL_FOLDER, EvalRecord, FileKind, FileRecord,
    VECTORS_FOLDER, plain_name,
};
use crucible_core::config::{Config, decides};
use crucible_core::data::{BundleSet, content_hash, hex, read_bundles};
use crucible_core::eval::Scoreboard;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Beside configuration and checkpoint, what a run may leave.
const BESIDE: [&str; 7] = [
    "train.log",
    "metrics.jsonl",
    "evals.jsonl",
    "exposures.json",
    "exposures.jsonl",
    "guardrails.json",
    crate::guards::BEFORE,
];
/// A larger log is looked at from its end.
const MAX_LOG_BYTES: usize = 64 << 20;

/// A run's files and what is known of it.
pub(super) struct Run {
    /// Where each file of the capsule lies.
    pub(super) files: BTreeMap<String, PathBuf>,
    pub(super) checkpoint: CheckpointRecord,
    pub(super) device: Option<String>,
    pub(super) bundles: Option<BundlesRecord>,
    pub(super) evals: Vec<EvalRecord>,
    boards: Vec<Scoreboard>,
    config: Config,
}

impl Run {
    /// Reads what a finished run left in `dir`.
    ///
    /// # Errors
    /// It is no finished run, or configuration or checkpoint can't be read.
    pub(super) fn read(dir: &Path, ctx: &Context) -> CliResult<Self> {
        refuse_unfinished(dir)?;
        lock::refuse_busy(dir)?;
        let config = config_of(&dir.join(CONFIG))?;
        if decides::without_secrets(&config) != config {
            let message = format!("{} holds a secret, and a capsule is given to others", dir.join(CONFIG).display());
            return Err(CliError::usage(message).advise("take `guardrails.webhook` out of it"));
        }
        let Loaded { model: checkpoint, hash, .. } = Loaded::own(&dir.join(CHECKPOINT))?;
        let mut run = Self {
            files: BTreeMap::new(),
            checkpoint: CheckpointRecord {
                sha256: hash,
                seed: checkpoint.seed,
                step: checkpoint.step,
                crucible_version: checkpoint.version,
            },
            device: None,
            bundles: None,
            evals: Vec::new(),
            boards: Vec::new(),
            config,
        };
        for name in [CONFIG, CHECKPOINT].into_iter().chain(BESIDE) {
            let path = dir.join(name);
            match path.is_file() {
                true => run.add(name, path)?,
                false => ctx.reporter.detail(format!("there is no {}", path.display())),
            }
        }
        run.device = device(&dir.join("train.log"))?;
        run.add_scoreboards(dir, ctx)?;
        Ok(run)
    }

    fn add(&mut self, name: &str, path: PathBuf) -> CliResult<()> {
        match self.files.insert(name.to_owned(), path.clone()) {
            None => Ok(()),
            Some(other) => {
                let message = format!("{} and {} would both be {name}", other.display(), path.display());
                Err(CliError::usage(message).advise("rename one of the two"))
            }
        }
    }

    /// Scoreboards of this checkpoint, with their items.
    fn add_scoreboards(&mut self, dir: &Path, ctx: &Context) -> CliResult<()> {
        let failed = |e: std::io::Error| CliError::io("read", dir, &e);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().into_string().ok());
        }
        names.sort();
        for name in names {
            let (path, plain) = (dir.join(&name), plain_name(&name));
            if FileKind::of(&plain) != Some(FileKind::Scoreboard) || !path.is_file() {
                continue;
            }
            let board = match scoreboards::read(&path) {
                Ok(board) if board.checkpoint.hash == self.checkpoint.sha256 => board,
                Ok(_) => {
                    let message = "is the scoreboard of another checkpoint, and is left out";
                    ctx.reporter.warn(format!("{} {message}", path.display()));
                    continue;
                }
                Err(e) => {
                    ctx.reporter.warn(format!("left out: {}", e.message));
                    continue;
                }
            };
            self.evals.push(EvalRecord {
                scoreboard: plain.clone(),
                fingerprint: board.eval_header.fingerprint.clone(),
                protocol_hash: board.eval_header.protocol_hash.clone(),
                packed: None,
            });
            self.boards.push(board);
            self.add(&plain, path.clone())?;
            match items_of(&path) {
                Some(items) => {
                    let name = items.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                    self.add(&plain_name(&name), items)?;
                }
                None => ctx.reporter.warn(format!("{} has no items beside it", path.display())),
            }
        }
        if self.boards.is_empty() {
            ctx.reporter.warn("there is no scoreboard: `crucible eval --output` writes one into the run's folder");
        }
        Ok(())
    }

    /// Looks at the training bundles; packs them, if they are to be.
    ///
    /// # Errors
    /// They are to be packed, and are not there or not those of the run.
    pub(super) fn add_bundles(&mut self, args: &super::pack::Args, dir: &Path, ctx: &Context) -> CliResult<()> {
        let packed = args.include_bundles;
        let (path, mut record) = match self.read_bundles(args.bundles.as_deref(), dir) {
            Ok(found) => found,
            Err(e) if packed || args.bundles.is_some() => return Err(e),
            Err(e) => {
                let what = "the capsule will not say which bundles it was trained on";
                ctx.reporter.warn(format!("{what} (--bundles FILE): {}", e.message));
                return Ok(());
            }
        };
        if packed {
            let name = packed_name(BUNDLES_FOLDER, &path);
            self.add(&name, path)?;
            record.packed = Some(name);
        }
        self.bundles = Some(record);
        Ok(())
    }

    fn read_bundles(&self, given: Option<&Path>, dir: &Path) -> CliResult<(PathBuf, BundlesRecord)> {
        let named = given.or(self.config.data.bundles.as_ref().map(Path::new));
        let path = named.ok_or_else(|| {
            let message = format!("{} names no data.bundles", dir.join(CONFIG).display());
            CliError::new(Exit::Data, message).advise("give --bundles FILE")
        })?;
        let path = path.to_owned();
        let (set, hash) = set_of(&path, &path.display().to_string(), u64::MAX)?;
        let counted = counted_ids(&dir.join("exposures.jsonl"))?;
        if counted.is_some_and(|counted| !set.bundles.iter().map(|b| &b.bundle_id).eq(&counted)) {
            let message = format!("{} holds other bundles than the run was trained on", path.display());
            return Err(CliError::new(Exit::Data, message).advise("put back the file that it was trained on"));
        }
        let (source_hash, content_hash) = (hex(&hash), content_hash(&set));
        Ok((path, BundlesRecord { source_hash, content_hash, bundles: set.bundles.len(), packed: None }))
    }

    /// Packs an eval set, for the scoreboards that were made of it.
    ///
    /// # Errors
    /// It can't be read, none was, or an adapter's vectors are at hand and its events are not among them.
    pub(super) fn add_eval(&mut self, path: &Path) -> CliResult<()> {
        let (set, hash) = set_of(path, &path.display().to_string(), u64::MAX)?;
        let (source, content) = (hex(&hash), content_hash(&set));
        let name = packed_name(EVAL_FOLDER, path);
        let mut of_it = false;
        for (eval, board) in self.evals.iter_mut().zip(&self.boards) {
            let header = &board.eval_header;
            if header.source_hash == source || header.content_hash == content {
                // The very bytes win over the same content.
                if eval.packed.is_none() || header.source_hash == source {
                    eval.packed = Some(name.clone());
                }
                of_it = true;
            }
        }
        if !of_it {
            let message = format!("--include-eval {}: no scoreboard of this run was made of it", path.display());
            let known: Vec<&str> = self.evals.iter().map(|eval| eval.fingerprint.as_str()).collect();
            return Err(CliError::new(Exit::Data, message).advise(format!(
                "the scoreboards are of {}; its SHA-256 begins with {}",
                if known.is_empty() { "no eval".to_owned() } else { known.join(", ") },
                &source[..16]
            )));
        }
        let ready = training::ready(&self.config).filter(|ready| ready.files().iter().all(|(_, path)| path.is_file()));
        with_vectors(ready.as_ref(), path, &set.events)
            .map_err(|e| e.advise("score it with the vectors that data.embeddings names, or leave it out"))?;
        self.add(&name, path.to_owned())
    }

    /// Packs the ready vectors that an adapter reads, where it does: without them its bundles and eval sets say little.
    ///
    /// # Errors
    /// Their ids are packed themselves.
    pub(super) fn add_vectors(&mut self, ctx: &Context) -> CliResult<()> {
        let Some(source) = training::ready(&self.config) else { return Ok(()) };
        let paths: Vec<PathBuf> = source.files().into_iter().map(|(_, path)| path.to_owned()).collect();
        if let Some(path) = paths.iter().find(|path| !path.is_file()) {
            let what = "the vectors that the adapter reads are not there, and will not be in the capsule";
            ctx.reporter.warn(format!("{}: {what}; `capsule verify` will ask for them", path.display()));
            return Ok(());
        }
        for path in paths {
            let name = packed_name(VECTORS_FOLDER, &path);
            if FileKind::of(&name).is_none() {
                let message = format!("{}: ids are packed as they are, not compressed", path.display());
                return Err(CliError::usage(message).advise("unpack the file, and name it with data.embedding_ids"));
            }
            self.add(&name, path)?;
        }
        Ok(())
    }

    /// Hashes all files.
    ///
    /// # Errors
    /// One can't be read.
    pub(super) fn records(&self) -> CliResult<Vec<FileRecord>> {
        let record = |(name, path): (&String, &PathBuf)| {
            let (sha256, size) = hash_of(path)?;
            let kind =
                FileKind::of(name).ok_or_else(|| CliError::usage(format!("{name} has no place in a capsule")))?;
            Ok(FileRecord { path: name.clone(), kind, size, sha256 })
        };
        self.files.iter().map(record).collect()
    }
}

/// The folder of a trial, or of a run.
pub(super) fn run_folder(dir: &Path, trial: Option<&str>) -> CliResult<PathBuf> {
    let Some(trial) = trial else { return Ok(dir.to_owned()) };
    let plain = |c: std::path::Component<'_>| matches!(c, std::path::Component::Normal(_));
    if trial.is_empty() || !Path::new(trial).components().all(plain) {
        return Err(CliError::usage(format!("--trial {trial}: expected a name such as R75_15_10/seed_42")));
    }
    Ok(dir.join(trial))
}

fn refuse_unfinished(dir: &Path) -> CliResult<()> {
    let there = |name: &str| dir.join(name).is_file();
    if there(CONFIG) && there(CHECKPOINT) {
        return Ok(());
    }
    let shown = dir.display();
    if !dir.is_dir() {
        return Err(CliError::usage(format!("{shown} is no folder")).advise("name the folder of a run"));
    }
    let trials = trials_below(dir);
    let (message, advice) = if there(CONFIG) {
        lock::refuse_busy(dir)?;
        (format!("{shown} holds a run that is not finished"), "finish it: `crucible train --resume`".to_owned())
    } else if trials.is_empty() {
        (format!("{shown} holds no run"), "name the --output-dir of `crucible train`".to_owned())
    } else {
        let some: Vec<&str> = trials.iter().take(4).map(String::as_str).collect();
        let more = if trials.len() > some.len() { ", …" } else { "" };
        (format!("{shown} holds {} runs", trials.len()), format!("choose with --trial: {}{more}", some.join(", ")))
    };
    Err(CliError::usage(message).advise(advice))
}

/// Finished runs one or two folders below, by name.
fn trials_below(dir: &Path) -> Vec<String> {
    let folders = |dir: &Path| {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter(|e| e.path().is_dir()).filter_map(|e| e.file_name().into_string().ok()).collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    };
    let mut found = Vec::new();
    for name in folders(dir) {
        let finished = |name: &str| dir.join(name).join(CHECKPOINT).is_file();
        let inner = folders(&dir.join(&name)).into_iter().map(|inner| format!("{name}/{inner}"));
        found.extend(inner.filter(|name| finished(name)));
        if finished(&name) {
            found.push(name);
        }
    }
    found
}

/// The items beside a scoreboard, in any form.
pub(super) fn items_of(scoreboard: &Path) -> Option<PathBuf> {
    Some(scoreboards::items_found(scoreboard)).filter(|path| path.is_file())
}

/// Bundles and the SHA-256 of their file. It may be packed itself: no more than `limit` bytes of it are taken.
pub(super) fn set_of(path: &Path, name: &str, limit: u64) -> CliResult<(BundleSet, [u8; 32])> {
    let mut file = io::open_hashed(path)?;
    let mut reader = BufReader::new(file.reader().take(limit));
    let set = read_bundles(&mut reader, name)?;
    if reader.into_inner().limit() == 0 {
        return Err(CliError::new(Exit::Data, format!("{name} unpacks to {limit} bytes or more")));
    }
    Ok((set, file.sha256()?))
}

/// The ids that a run counted, in the order of its bundles; none where it left no such file.
pub(super) fn counted_ids(path: &Path) -> CliResult<Option<Vec<String>>> {
    #[derive(Deserialize)]
    struct Line {
        bundle_id: String,
    }
    if !path.is_file() {
        return Ok(None);
    }
    let mut ids = Vec::new();
    for line in io::open(path)?.lines() {
        let line = line.map_err(|e| CliError::io("read", path, &e))?;
        let line: Line = serde_json::from_str(&line)
            .map_err(|e| CliError::new(Exit::Data, format!("{}: line {}: {e}", path.display(), ids.len() + 1)))?;
        ids.push(line.bundle_id);
    }
    Ok(Some(ids))
}

fn device(log: &Path) -> CliResult<Option<String>> {
    if !log.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let file = io::open_raw(log)?;
    file.take(MAX_LOG_BYTES as u64).read_to_end(&mut bytes).map_err(|e| CliError::io("read", log, &e))?;
    Ok(training::device_of_log(&String::from_utf8_lossy(&bytes)).map(str::to_owned))
}

fn hash_of(path: &Path) -> CliResult<(String, u64)> {
    let failed = |e: std::io::Error| CliError::io("read", path, &e);
    let mut file = io::open_raw(path)?;
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = file.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            return Ok((hex(&hash.finalize()), size));
        }
        hash.update(&buffer[..count]);
        size += count as u64;
    }
}

/// The capsule's name where none was given: after the run, or the trial.
pub(super) fn default_name(dir: &Path, trial: Option<&str>) -> PathBuf {
    let whole = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let folder = whole.file_name().map_or_else(|| "run".to_owned(), |n| n.to_string_lossy().into_owned());
    let name = trial.map_or_else(|| folder.clone(), |trial| format!("{folder}_{}", trial.replace(['/', '\\'], "_")));
    output::beside(Path::new(&format!("{name}.json")), super::pack::ENDING)
}
