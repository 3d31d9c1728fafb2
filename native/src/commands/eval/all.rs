//! `crucible eval --results-dir`: all runs below a folder, on one or both truths.

use super::{Args, guarded, percent};
use crate::checkpoint::Loaded;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::evaluation::{self, EvalSet};
use crate::exit::Exit;
use crate::formats::counted;
use crate::io::is_hidden;
use crate::lock::FolderLock;
use crate::replace::{Named, refuse_overwriting};
use crate::training::CHECKPOINT;
use crate::trials::board_name;
use crate::{device, scoreboards, table};
use crucible_core::backend::gpu::GpuBackend;
use crucible_core::eval::Scoreboard;
use crucible_core::sweep::Truth;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Folders within folders that are looked into: a sweep's trials lie three deep.
const DEEPEST: usize = 8;

/// One scoreboard that `eval --results-dir --json` wrote; it prints a list of them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Written {
    /// The run's folder.
    pub run: String,
    /// Which of the two eval sets.
    pub truth: Truth,
    /// The file.
    pub scoreboard: String,
    /// The overall result.
    #[serde(flatten)]
    pub board: Short,
}

/// The overall result; the file has all of it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Short {
    /// Bundles.
    pub n: usize,
    /// Share that passed.
    pub pass_rate: Option<f64>,
    /// Its 95 % interval: low, high.
    pub ci95: Option<[f64; 2]>,
    /// What guessing would pass.
    pub chance: Option<f64>,
}

impl Short {
    fn of(board: &Scoreboard) -> Self {
        let overall = &board.overall;
        Self {
            n: overall.n,
            pass_rate: overall.pass_rate,
            ci95: overall.ci95.as_ref().map(|ci| [ci.low, ci.high]),
            chance: board.sanity.chance.overall.level,
        }
    }
}

/// Scores every run. One that can't be scored is told and passed over; the exit status is then its.
///
/// # Errors
/// A folder without runs, eval sets that can't be read, no device of that name.
pub(super) fn run(root: &Path, args: &Args, ctx: &Context) -> CliResult<Exit> {
    let mut runs = Vec::new();
    find(root, DEEPEST, &mut runs)?;
    if runs.is_empty() {
        let message = format!("{}: there is no {CHECKPOINT} in it or below", root.display());
        return Err(CliError::new(Exit::Data, message).advise("name the --output-dir of `crucible train` or `sweep`"));
    }
    check_outputs(&runs, args)?;
    let given = super::model::given(args);
    let mut sets = Vec::new();
    for (truth, path) in [(Truth::Frozen, &args.frozen_eval), (Truth::Organic, &args.organic_eval)] {
        if let Some(path) = path {
            sets.push((truth, EvalSet::read(path)?.with_vectors(given.as_ref())?));
        }
    }
    let backend = device::asked_for(ctx.global.device.as_deref())?;
    let mut exit = Exit::Success;
    let mut written = Vec::new();
    for dir in &runs {
        let scored = score(dir, &sets, args, backend.as_ref(), ctx, &mut written);
        if let Err(error) = scored {
            ctx.reporter.error(format!("{} is passed over: {error}", dir.display()));
            if exit == Exit::Success {
                exit = error.exit;
            }
        }
    }
    ctx.print(&written, &text(&written, root))?;
    Ok(exit)
}

/// None of the scoreboards is there, unless they may be replaced.
fn check_outputs(runs: &[PathBuf], args: &Args) -> CliResult<()> {
    let truths = [(Truth::Frozen, &args.frozen_eval), (Truth::Organic, &args.organic_eval)];
    let asked: Vec<Truth> = truths.iter().filter(|(_, path)| path.is_some()).map(|(truth, _)| *truth).collect();
    let boards = runs.iter().flat_map(|dir| asked.iter().map(|truth| dir.join(board_name(*truth))));
    let paths: Vec<PathBuf> = boards.flat_map(|board| [scoreboards::items_beside(&board), board]).collect();
    let outputs: Vec<Named<'_>> = paths.iter().map(|path| ("the scoreboard", path.as_path())).collect();
    let inputs = [("--frozen-eval", &args.frozen_eval), ("--organic-eval", &args.organic_eval)];
    let inputs: Vec<Named<'_>> = inputs.iter().filter_map(|(flag, path)| Some((*flag, path.as_deref()?))).collect();
    args.replace.check(&outputs, &inputs)?;
    // It is added to, so it may be there.
    args.ledger
        .as_deref()
        .map_or(Ok(()), |ledger| refuse_overwriting(&[("--ledger", ledger)], &[inputs, outputs].concat()))
}

/// Folders with a checkpoint, by name. Links to folders are not followed: they may lead in circles.
fn find(dir: &Path, deepest: usize, found: &mut Vec<PathBuf>) -> CliResult<()> {
    let failed = |error| CliError::io("read", dir, &error);
    if dir.join(CHECKPOINT).is_file() {
        found.push(dir.to_owned());
    }
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // Hidden ones are made meanwhile, or put aside.
        if entry.file_type().map_err(failed)?.is_dir() && !is_hidden(&entry.file_name()) {
            folders.push(entry.path());
        }
    }
    folders.sort_unstable();
    match deepest {
        0 => Ok(()),
        _ => folders.iter().try_for_each(|folder| find(folder, deepest - 1, found)),
    }
}

fn score(
    dir: &Path,
    sets: &[(Truth, EvalSet)],
    args: &Args,
    backend: Option<&GpuBackend>,
    ctx: &Context,
    written: &mut Vec<Written>,
) -> CliResult<()> {
    let _lock = FolderLock::take(dir)?;
    let checkpoint = dir.join(CHECKPOINT);
    ctx.reporter.detail(format!("scoring {}", checkpoint.display()));
    let loaded = Loaded::read(&checkpoint, &args.model)?;
    loaded.notes.tell(&ctx.reporter);
    for (truth, set) in sets {
        let file = dir.join(board_name(*truth));
        let header = set.header(args.seed, &args.eval_version);
        let named = checkpoint.display().to_string();
        let board = evaluation::evaluate(set, header, &loaded, &named, backend, &file)?;
        if let Some(ledger) = guarded::ledger_path(args, &file) {
            guarded::look(&ledger, &board, ctx);
        }
        let (run, scoreboard) = (dir.display().to_string(), file.display().to_string());
        written.push(Written { run, truth: *truth, scoreboard, board: Short::of(&board) });
    }
    Ok(())
}

fn text(written: &[Written], root: &Path) -> String {
    let mut rows = vec![["run", "truth", "n", "passed", "95 % interval", "chance"].map(str::to_owned)];
    for Written { run, truth, board, .. } in written {
        let interval = board.ci95.map(|[low, high]| format!("{:.1} to {:.1} %", 100.0 * low, 100.0 * high));
        rows.push([
            run.clone(),
            truth.name().to_owned(),
            board.n.to_string(),
            percent(board.pass_rate),
            interval.unwrap_or_else(|| "-".to_owned()),
            percent(board.chance),
        ]);
    }
    let files = counted(written.len(), "scoreboard");
    format!("{}\nWritten: {files} beside their checkpoints, in and below {}\n", table::aligned(&rows), root.display())
}
