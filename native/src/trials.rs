//! Trials in their folders: run, skipped where finished, resumed where broken.
//!
//! `trial.json` is written first and last: it says which trial a folder belongs to, and whether all of it is there. Whoever
//! runs a trial holds a lock on `.lock`, so that two schedulers never write to one folder.

use crate::checkpoint::Loaded;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::evaluation::{self, EvalSet, eval_sets};
use crate::exit::Exit;
use crate::signals::Stop;
use crate::tracking::journal::Status;
use crate::tracking::{self, Server};
use crate::training::{self, CHECKPOINT, Inputs, MayStop, Span};
use crate::{device, io, lock, output};
use crucible_core::config::{Config, check_values, decides};
use crucible_core::data::read_bundles;
use crucible_core::eval::{SEED, VERSION};
use crucible_core::guardrails::Before;
use crucible_core::sweep::{Evaluation, Trial, Truth, read_plan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The plan, in the sweep's folder.
pub const PLAN: &str = "plan.jsonl";
const RECORD: &str = "trial.json";
const ERROR: &str = "trial_error.json";
const LOCK: &str = ".lock";
/// Whoever only looks holds the lock for less.
const SOON: Duration = Duration::from_secs(1);
/// A record or an error larger than this is something else.
const MAX_RECORD_BYTES: usize = 1 << 20;
/// Of a run's metrics, what is read to see its last step: many lines.
const END_BYTES: u64 = 64 << 10;
/// Inputs that are kept for further trials.
const KEPT: usize = 2;

/// What `trial.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The trial's condition.
    pub condition: String,
    /// Its seed.
    pub seed: u64,
    /// Hash of the settings that decide its results.
    pub identity: String,
    /// Whether training and all evaluations are done.
    pub finished: bool,
    /// By which version of the program.
    pub crucible_version: String,
}

/// What `trial_error.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Exit status that the trial alone would have ended with.
    pub exit_status: u8,
    /// What went wrong.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
}

/// How far a trial is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Nobody began.
    Waiting,
    /// Somebody works on it.
    Running {
        /// The last step in its metrics.
        step: u64,
    },
    /// Begun, and nobody works on it: it will be resumed.
    Stopped {
        /// The last step in its metrics.
        step: u64,
    },
    /// Ended with an error.
    Failed(Failure),
    /// All of it is there.
    Finished,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is finished now.
    Finished,
    /// It was finished before.
    Skipped,
    /// A signal stopped it; saved.
    Stopped,
}

/// Reads the plan of a file.
///
/// # Errors
/// A file that can't be read, or is no plan (3).
pub fn read(path: &Path) -> CliResult<Vec<Trial>> {
    read_plan(BufReader::new(io::open(path)?)).map_err(|e| {
        CliError::new(Exit::Data, format!("{}: {e}", path.display())).advise("write it with `crucible sweep plan`")
    })
}

/// What guardrails find before training, by the settings that they looked at.
pub(crate) type Found = Vec<(String, Arc<Before>)>;

/// Settings as a key of [`Found`]: the same for all seeds of a condition.
pub(crate) fn found_key(config: &Config) -> String {
    let mut all_seeds = decides::without_secrets(config);
    all_seeds.experiment.seeds.clear();
    serde_json::to_string(&all_seeds).unwrap_or_default()
}

/// Runs trials of one plan. Threads may share it.
pub struct Runner<'a> {
    root: &'a Path,
    caller: &'a Config,
    stop: &'a Stop,
    ctx: &'a Context,
    inputs: Mutex<Vec<(String, Arc<Inputs>)>>,
    evals: Mutex<Vec<(String, Arc<EvalSet>)>>,
    found: Mutex<Found>,
    /// Whether `found` was told already.
    told: bool,
    server: Option<Arc<Server>>,
}

impl<'a> Runner<'a> {
    /// Of the plan in `root`. Secrets come from the configuration of the caller, never from the plan; what trials track is
    /// sent to `server`, if there is one.
    #[must_use]
    pub fn new(
        root: &'a Path,
        caller: &'a Config,
        server: Option<Arc<Server>>,
        stop: &'a Stop,
        ctx: &'a Context,
    ) -> Self {
        Self {
            root,
            caller,
            stop,
            ctx,
            told: false,
            inputs: Mutex::default(),
            evals: Mutex::default(),
            found: Mutex::default(),
            server,
        }
    }

    /// The same, where guardrails have looked already, and the user was told.
    #[must_use]
    pub(crate) fn knowing(mut self, found: Found) -> Self {
        (self.found, self.told) = (Mutex::new(found), true);
        self
    }

    /// Runs a trial to its end, from wherever it is. `said` hears what it is at.
    ///
    /// # Errors
    /// Settings that no configuration may have (2), before anything is written. Whatever stops it; that is written to
    /// `trial_error.json`, too.
    pub fn run(&self, trial: &Trial, said: &dyn Fn(&str)) -> CliResult<Ended> {
        check_values(&trial.config).map_err(|faults| {
            CliError::usage(format!("the plan's settings of {} can't be used: {faults}", trial.dir))
                .advise("write the plan again with `crucible sweep plan`")
        })?;
        let dir = self.root.join(&trial.dir);
        output::create_folder(&dir)?;
        let lock = lock::take_within(&dir.join(LOCK), SOON)?.ok_or_else(|| {
            CliError::new(Exit::Error, format!("{}: another process works on this trial", dir.display()))
                .advise("wait for it, or end it")
        })?;
        let path = dir.join(ERROR);
        let failed_before = failed_untrained(&dir);
        output::remove_file(&path)?;
        let ended = self.run_locked(trial, &dir, failed_before, said);
        if let Err(error) = &ended {
            let failure = Failure {
                exit_status: error.exit.code(),
                message: error.message.clone(),
                advice: error.advice.clone(),
            };
            // The error itself is the news.
            let _ = output::write_json(&path, &failure);
        }
        drop(lock);
        ended
    }

    fn run_locked(&self, trial: &Trial, dir: &Path, failed_before: bool, said: &dyn Fn(&str)) -> CliResult<Ended> {
        let identity = trial.identity();
        let record = |finished| Record {
            condition: trial.condition.clone(),
            seed: trial.seed,
            identity: identity.clone(),
            finished,
            crucible_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let record_path = dir.join(RECORD);
        match read_record(dir)? {
            Some(there) if there.identity != identity && !failed_before => {
                let message = format!("{} holds a trial of other settings", dir.display());
                return Err(CliError::usage(message).advise("choose another --output-dir, or remove that folder"));
            }
            Some(there) if there.finished => return Ok(Ended::Skipped),
            _ => {}
        }
        [RECORD, ERROR].iter().try_for_each(|name| output::remove_leftovers(&dir.join(name)))?;
        output::write_json(&record_path, &record(false))?;
        let tracked = self.tracked(trial, dir);
        let ended = self.go_on(trial, dir, &tracked, said);
        tracked.end(match &ended {
            Ok(Ended::Stopped) => Status::Killed,
            Ok(_) => Status::Finished,
            Err(_) => Status::Failed,
        });
        if ended? == Ended::Stopped {
            return Ok(Ended::Stopped);
        }
        output::write_json(&record_path, &record(true))?;
        Ok(Ended::Finished)
    }

    /// Trains and evaluates what is not there yet.
    fn go_on(&self, trial: &Trial, dir: &Path, tracked: &tracking::Run, said: &dyn Fn(&str)) -> CliResult<Ended> {
        let config = &decides::with_secrets_of(&trial.config, self.caller);
        let inputs = self.inputs(config)?;
        let mut before = None;
        for evaluation in trial.evaluations() {
            let last = evaluation.step == config.training.steps;
            let model = if last { dir.join(CHECKPOINT) } else { training::at_step(dir, evaluation.step) };
            output::remove_leftovers(&model)?;
            if !model.exists() {
                let before = match &mut before {
                    Some(before) => before,
                    none => none.insert(self.judged(config, &inputs)?),
                };
                said("training");
                let backend = device::open(&config.device.kind)?;
                let until = (!last).then_some(evaluation.step);
                let span = Span { resume: true, until, tracked: Some(tracked), before: Some(before) };
                training::run_seed_on(backend, &inputs, config, trial.seed, dir, span, self.stop, self.ctx)?;
                if !model.exists() {
                    return Ok(Ended::Stopped);
                }
            } else if last {
                training::tidy_finished(dir)?;
            }
            said("evaluating");
            self.evaluate(config, &evaluation, &model, tracked)?;
            if self.stop.requested() && !last {
                return Ok(Ended::Stopped);
            }
        }
        Ok(Ended::Finished)
    }

    fn tracked(&self, trial: &Trial, dir: &Path) -> tracking::Run {
        let about = tracking::About {
            name: format!("{} seed {}", trial.condition, trial.seed),
            parent: Some(vec![".."; Path::new(&trial.dir).components().count()].join("/")),
            tags: tracking::tags([
                ("crucible.condition", trial.condition.clone()),
                ("crucible.seed", trial.seed.to_string()),
            ]),
            params: tracking::params(&trial.config),
        };
        let server = self.server.clone();
        tracking::Run::new(dir, self.root, &trial.config.tracking, server, about, &self.ctx.reporter)
    }

    fn evaluate(
        &self,
        config: &Config,
        evaluation: &Evaluation,
        model: &Path,
        tracked: &tracking::Run,
    ) -> CliResult<()> {
        let folder = self.root.join(&evaluation.dir);
        output::create_folder(&folder)?;
        let boards: Vec<(Truth, PathBuf, &String)> =
            eval_sets(config).into_iter().map(|(truth, path)| (truth, folder.join(board_name(truth)), path)).collect();
        let owed: Vec<&(Truth, PathBuf, &String)> = boards.iter().filter(|(_, board, _)| !board.exists()).collect();
        if !owed.is_empty() {
            let loaded = Loaded::own(model)?;
            let named = model.strip_prefix(self.root).unwrap_or(model).display().to_string();
            let backend = device::open(&config.device.kind)?;
            for (_, board, path) in &owed {
                output::remove_leftovers(board)?;
                output::remove_leftovers(&crate::scoreboards::items_beside(board))?;
                let set = self.eval_set(path, config)?;
                let header = set.header(SEED, VERSION);
                evaluation::evaluate(&set, header, &loaded, &named, backend.as_ref(), board)?;
            }
        }
        // Those of an earlier call, too, if it was killed before it told of them.
        tracked.begin(None);
        for (truth, path, _) in &boards {
            let new = owed.iter().any(|(t, ..)| t == truth);
            if (new || tracked.lacks(truth.name(), evaluation.step))
                && let Ok(board) = crate::scoreboards::read(path)
            {
                tracked.scoreboard(*truth, evaluation.step, &board);
            }
        }
        Ok(())
    }

    /// Bundles, tokenizer and tokens: the same for all trials of one file and one model.
    fn inputs(&self, config: &Config) -> CliResult<Arc<Inputs>> {
        let bundles = config.data.bundles.as_ref().ok_or_else(|| CliError::usage("data.bundles is not set"))?;
        let model = serde_json::to_string(&config.model).unwrap_or_default();
        cached(&self.inputs, &format!("{bundles}\n{model}"), || {
            let set = read_bundles(&mut io::open(Path::new(bundles))?, bundles)?;
            Inputs::prepare(set, config)
        })
    }

    /// What guardrails find before training. A CRITICAL finding that nobody acknowledged stops the trial.
    fn judged(&self, config: &Config, inputs: &Inputs) -> CliResult<Before> {
        let find = || Ok(training::find_before(config, &inputs.set, self.ctx));
        let found = cached(&self.found, &found_key(config), find)?.as_ref().clone();
        match self.told {
            true => training::decide_before(found, config, MayStop::in_sweep(config)),
            false => training::judge_before(found, config, MayStop::in_sweep(config), self.ctx),
        }
    }

    fn eval_set(&self, path: &str, config: &Config) -> CliResult<Arc<EvalSet>> {
        let ready = training::ready(config);
        let key = format!("{path}\n{ready:?}");
        cached(&self.evals, &key, || EvalSet::read(Path::new(path))?.with_vectors(ready.as_ref()))
    }
}

/// The value of a key, made once; whoever else needs it waits.
fn cached<T>(kept: &Mutex<Vec<(String, Arc<T>)>>, key: &str, make: impl FnOnce() -> CliResult<T>) -> CliResult<Arc<T>> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, value)) = kept.iter().find(|(name, _)| name == key) {
        return Ok(Arc::clone(value));
    }
    let value = Arc::new(make()?);
    kept.truncate(KEPT - 1);
    kept.insert(0, (key.to_owned(), Arc::clone(&value)));
    Ok(value)
}

/// A scoreboard's name in a run's folder.
#[must_use]
pub fn board_name(truth: Truth) -> String {
    format!("{}_scoreboard.json", truth.name())
}

/// How far a trial is.
///
/// # Errors
/// Files that can't be read.
pub fn state(root: &Path, trial: &Trial) -> CliResult<State> {
    let dir = root.join(&trial.dir);
    let Some(record) = read_record(&dir)? else { return Ok(State::Waiting) };
    if record.finished {
        return Ok(State::Finished);
    }
    if dir.join(ERROR).exists() {
        let bytes = io::read_bytes(&dir.join(ERROR), MAX_RECORD_BYTES)?;
        if let Ok(failure) = serde_json::from_slice(&bytes) {
            return Ok(State::Failed(failure));
        }
    }
    let step = last_step(&dir.join("metrics.jsonl"));
    Ok(if lock::take(&dir.join(LOCK))?.is_none() { State::Running { step } } else { State::Stopped { step } })
}

/// Whether a trial ended with an error before it trained anything: its data may have been mended since.
pub(crate) fn failed_untrained(dir: &Path) -> bool {
    dir.join(ERROR).is_file() && !dir.join("metrics.jsonl").exists() && !dir.join(CHECKPOINT).exists()
}

/// The step of the last whole line; only the file's end is read.
fn last_step(metrics: &Path) -> u64 {
    let end = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(metrics)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(END_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let step = |line: &[u8]| serde_json::from_slice::<serde_json::Value>(line).ok()?.get("step")?.as_u64();
    end().unwrap_or_default().rsplit(|b| *b == b'\n').find_map(step).unwrap_or(0)
}

fn read_record(dir: &Path) -> CliResult<Option<Record>> {
    let path = dir.join(RECORD);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = io::read_bytes(&path, MAX_RECORD_BYTES)?;
    serde_json::from_slice(&bytes).map(Some).map_err(|e| {
        CliError::new(Exit::Data, format!("{} is no trial's record: {e}", path.display())).advise("remove that folder")
    })
}
