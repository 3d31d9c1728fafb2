//! `crucible capsule verify`.

use super::{Source, archive, config_of, gather, packed_vectors, rerun, with_vectors};
use crate::checkpoint::Loaded;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::new_folder::NewFolder;
use crate::signals::Stop;
use crate::{io, scoreboards, table, training, vectors};
use crucible_core::capsule::{CHECKPOINT, CONFIG, FileKind, FileRecord, Metadata, Report};
use crucible_core::config::Config;
use crucible_core::data::BundleSet;
use crucible_core::encoder::Checkpoint;
use crucible_core::eval::{self, Score};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const HELP: &str = "\
Without a signature this shows that nothing was damaged and all fits together, not who packed it.

    crucible capsule verify first.capsule.tar.zst
    crucible capsule verify first.capsule.tar.zst --public-key release.pub
    crucible capsule verify first.capsule.tar.zst --rerun --bundles data/bundles.jsonl";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// What is read.
    #[command(flatten)]
    pub source: Source,
    /// Trains again, and compares the checkpoint bit for bit; on the kind of device that it was trained on, or --device
    #[arg(long)]
    pub rerun: bool,
    /// The training bundles, where they are not in the capsule
    #[arg(long, value_name = "FILE", requires = "rerun")]
    pub bundles: Option<PathBuf>,
    /// The ready vectors that an adapter reads, where they are not in the capsule
    #[arg(long, value_name = "FILE")]
    pub embeddings: Option<PathBuf>,
    /// The event ids of their rows; without it beside them
    #[arg(long, value_name = "FILE", requires = "embeddings")]
    pub embedding_ids: Option<PathBuf>,
}

/// Checks a capsule.
///
/// # Errors
/// The archive is refused (exit status 3), the rerun lacks bundles (2), has others (5) or the device (4).
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let stop = Stop::listen()?;
    let (file, signature) = args.source.open(ctx)?;
    let mut folder = NewFolder::passing()?;
    let metadata = archive::read(&args.source.capsule, file, args.source.limits(), &mut folder, &stop)?;
    let mut report = Report::new();
    if let Some(signature) = &signature {
        let message = format!("key {}; {}", signature.key_id, signature.trusted_comment);
        report.add("signature", None, Ok(message));
    }
    report.signature = signature;
    let bytes = io::human_bytes(usize::try_from(metadata.total_bytes()).unwrap_or(usize::MAX));
    let message = format!("{} files, {bytes}: all sizes and hashes hold", metadata.files.len());
    report.add("files", None, Ok(message));

    let dir = folder.path();
    // Before the long part: what is missing is said at once.
    let bundles = || rerun::bundles_of(&metadata, args.bundles.as_deref(), dir, args.source.max_bytes);
    let given = args.rerun.then(bundles).transpose()?;
    let loaded = Loaded::own(&dir.join(CHECKPOINT));
    let config = config_of(&dir.join(CONFIG));
    match &loaded {
        Ok(loaded) => report.checkpoint(&metadata, &loaded.model),
        Err(e) => report.add("checkpoint", Some(CHECKPOINT), Err(inside(e, dir))),
    }
    match (&config, &loaded) {
        (Ok(config), Ok(loaded)) => report.config(config, &loaded.model),
        (Ok(_), Err(_)) => {}
        (Err(e), _) => report.add("config", Some(CONFIG), Err(inside(e, dir))),
    }
    let ready = ready(args, config.as_ref().ok(), &metadata, dir)?;
    let contents = Contents { dir, metadata: &metadata, limit: args.source.max_bytes, ready: ready.as_ref() };
    contents.evaluations(loaded.as_ref().ok(), &mut report)?;
    contents.bundles(&mut report);
    if let Some(set) = given {
        match (config, loaded) {
            (Ok(mut config), Ok(loaded)) => {
                if let Some(ready) = &ready {
                    ready.name_in(&mut config.data);
                }
                rerun::rerun(&metadata, config, &loaded.model, set, dir, &stop, ctx, &mut report)?;
            }
            _ => report.add("rerun", None, Err("there is nothing to train again from".to_owned())),
        }
    }
    ctx.print(&report, &text(&report))?;
    if report.passed {
        return Ok(Exit::Success);
    }
    let (failed, all) = (report.failed(), report.checks.len());
    ctx.reporter.error(format!("{}: {failed} of {all} checks do not hold", args.source.capsule.display()));
    Ok(Exit::Data)
}

/// What an adapter reads, where it is not the events' own vectors: those that were given, else those in the capsule.
fn ready(args: &Args, config: Option<&Config>, metadata: &Metadata, dir: &Path) -> CliResult<Option<vectors::Source>> {
    let Some(config) = config.filter(|config| training::ready(config).is_some()) else {
        return match &args.embeddings {
            None => Ok(None),
            Some(_) => {
                Err(CliError::usage("--embeddings is what an adapter reads from a file, and this run read none")
                    .advise("leave it out"))
            }
        };
    };
    let given = args.embeddings.as_ref().map(|path| vectors::Source::file(path, args.embedding_ids.as_deref()));
    let found = given.or_else(|| packed_vectors(config, dir));
    let needed = args.rerun || metadata.of_kind(FileKind::Eval).next().is_some();
    if needed && found.is_none() {
        let message = "its model is an adapter, and the vectors that it reads are not in the capsule";
        let advice = "give --embeddings FILE, or pack with --include-bundles or --include-eval";
        return Err(CliError::usage(message).advise(advice));
    }
    Ok(found)
}

/// An error about an unpacked file, by the file's name in the capsule.
fn inside(error: &CliError, dir: &Path) -> String {
    let folder = format!("{}{}", dir.display(), std::path::MAIN_SEPARATOR);
    error.message.replace(&folder, "")
}

/// An eval set of the capsule, and what the checkpoint makes of it.
struct EvalSet {
    set: BundleSet,
    hash: [u8; 32],
    scores: Option<Vec<Score>>,
}

struct Contents<'a> {
    dir: &'a Path,
    metadata: &'a Metadata,
    /// What a packed file inside may grow to.
    limit: u64,
    /// What an adapter reads, where it is not the events' own vectors.
    ready: Option<&'a vectors::Source>,
}

impl Contents<'_> {
    fn set(&self, file: &FileRecord) -> CliResult<(BundleSet, [u8; 32])> {
        gather::set_of(&self.dir.join(&file.path), &file.path, self.limit)
    }

    /// Eval sets, scoreboards and items against each other.
    fn evaluations(&self, loaded: Option<&Loaded<Checkpoint>>, report: &mut Report) -> CliResult<()> {
        let mut sets = BTreeMap::new();
        for file in self.metadata.of_kind(FileKind::Eval) {
            match self.set(file) {
                Ok((set, hash)) => {
                    // On the CPU, whatever the scoreboard's device: verdicts are the same, margins nearly.
                    let given = match with_vectors(self.ready, Path::new(&file.path), &set.events) {
                        Ok(given) => given,
                        Err(e) => {
                            report.add("eval_set", Some(&file.path), Err(inside(&e, self.dir)));
                            continue;
                        }
                    };
                    let events = given.as_ref().unwrap_or(&set.events);
                    let vectors = loaded.map(|loaded| loaded.embed(None, events)).transpose()?;
                    let scores = vectors.map(|vectors| eval::score(&set, &vectors));
                    sets.insert(file.path.as_str(), EvalSet { set, hash, scores });
                }
                Err(e) => report.add("eval_set", Some(&file.path), Err(inside(&e, self.dir))),
            }
        }
        let mut items_seen = Vec::new();
        for file in self.metadata.of_kind(FileKind::Scoreboard) {
            let path = self.dir.join(&file.path);
            let board = match scoreboards::read(&path) {
                Ok(board) => board,
                Err(e) => {
                    report.add("scoreboard", Some(&file.path), Err(inside(&e, self.dir)));
                    continue;
                }
            };
            report.scoreboard(file, &board, self.metadata);
            let mut items = None;
            if let Some(path) = gather::items_of(&path) {
                let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                match scoreboards::read_items(&path) {
                    Ok(read) => {
                        report.items(&name, &board, &read);
                        items = Some(read);
                    }
                    Err(e) => report.add("items", Some(&name), Err(inside(&e, self.dir))),
                }
                items_seen.push(name);
            }
            let record = self.metadata.evals.iter().find(|record| record.scoreboard == file.path);
            let packed = record.and_then(|record| record.packed.as_deref());
            let Some((name, found)) = packed.and_then(|name| Some((name, sets.get(name)?))) else { continue };
            report.eval_set(name, &found.set, &found.hash, &board, &file.path);
            if let (Some(items), Some(scores)) = (&items, &found.scores) {
                report.scores(&file.path, &found.set, scores, items);
            }
        }
        for file in self.metadata.of_kind(FileKind::Items).filter(|file| !items_seen.contains(&file.path)) {
            report.add("items", Some(&file.path), Err("it belongs to no scoreboard".to_owned()));
        }
        for file in self.metadata.of_kind(FileKind::Eval) {
            if !self.metadata.evals.iter().any(|record| record.packed.as_ref() == Some(&file.path)) {
                report.add("eval_set", Some(&file.path), Err("no scoreboard was made of it".to_owned()));
            }
        }
        for record in &self.metadata.evals {
            if !self.metadata.of_kind(FileKind::Scoreboard).any(|file| file.path == record.scoreboard) {
                let message = "metadata.json speaks of it, and it is not in the capsule";
                report.add("scoreboard", Some(&record.scoreboard), Err(message.to_owned()));
            }
        }
        Ok(())
    }

    /// Training bundles against the run.
    fn bundles(&self, report: &mut Report) {
        let counted = gather::counted_ids(&self.dir.join("exposures.jsonl"));
        let counted = match &counted {
            Ok(counted) => counted.as_deref(),
            Err(e) => return report.add("bundles", Some("exposures.jsonl"), Err(inside(e, self.dir))),
        };
        for file in self.metadata.of_kind(FileKind::Bundles) {
            let record = self.metadata.bundles.as_ref().filter(|record| record.packed.as_ref() == Some(&file.path));
            match (self.set(file), record) {
                (Ok((set, _)), Some(record)) => report.bundles(&file.path, &set, record, counted),
                (Ok(_), None) => {
                    report.add("bundles", Some(&file.path), Err("metadata.json does not speak of them".to_owned()));
                }
                (Err(e), _) => report.add("bundles", Some(&file.path), Err(inside(&e, self.dir))),
            }
        }
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    let width = report.checks.iter().map(|check| check.check.len()).max().unwrap_or(0);
    for check in &report.checks {
        let mark = if check.passed { "ok    " } else { "FAILED" };
        let about = check.file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default();
        let label = format!("{mark} {}", table::padded(&check.check, width));
        let said = format!("{about}{}", check.message);
        text += &table::wrapped(&label, label.len() + 2, &crucible_core::printable(&said));
    }
    let verdict = if report.passed { "The capsule holds" } else { "The capsule does not hold" };
    let who = if report.signature.is_some() { "" } else { "; who packed it was not asked (--public-key)" };
    let _ = writeln!(text, "\n{verdict}{who}.");
    text
}
