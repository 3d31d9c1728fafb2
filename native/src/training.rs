//! A training run in its folder: what is read, what is written, how it goes on after a stop.
//!
//! `resume_state.safetensors` lies beside the outputs until the run is finished; a run that starts over removes it
//! first, and puts a finished run aside ([`crate::previous`]). `metrics.jsonl` holds no time and is cut back to the
//! resumed step, so a run that was killed ends in the same bytes as one that was not; times go to `train.log`.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::evals::{self, EVALS, Evals};
use crate::exit::Exit;
use crate::progress::{Progress, Reporter};
use crate::signals::Stop;
use crate::vectors::Source;
use crate::{clock, device, guards, io, output, previous, tracking, webhook};
use crucible_core::backend::BackendError;
use crucible_core::backend::gpu::GpuBackend;
use crucible_core::config::{self, Config, Model, ModelKind, Precision, decides};
use crucible_core::curriculum::exposure::{self, CellExposure, RunExposures};
use crucible_core::curriculum::{CELL_NAMES, CELLS, cell_sizes};
use crucible_core::data::{BundleSet, content_hash, hex};
use crucible_core::encoder::{Checkpoint, Corpus, CorpusBuilder, EncoderError, StaticEncoder, Tokenizer};
use crucible_core::guardrails::{self, Before, Finding, Level, Report, loss_spike};
use crucible_core::printable;
use crucible_core::train::{
    DeviceTrainee, Engine, Metrics, Observer, Optimizer, Outcome, State, StateError, TrainError, train, train_on,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The largest tokenizer.json that is read.
const MAX_TOKENIZER_BYTES: usize = 256 << 20;
/// The largest resume state that is read.
const MAX_STATE_BYTES: usize = 32 << 30;
/// Where a run's state lies until it is finished.
const STATE: &str = "resume_state.safetensors";
/// The result.
pub const CHECKPOINT: &str = "checkpoint_final.safetensors";
/// Between the steps and the device, in the line of `train.log` that starts a run.
const ON_DEVICE: &str = " on ";
/// What a run writes whole: killed meanwhile, it leaves temporary files of these names.
const WRITTEN: [&str; 8] =
    [STATE, CHECKPOINT, "config.yaml", "metrics.jsonl", EVALS, "exposures.json", "exposures.jsonl", "guardrails.json"];

/// What all seeds of an experiment share.
pub struct Inputs {
    /// The bundles.
    pub set: BundleSet,
    /// The tokenizer, trained on their texts or given; none for an adapter.
    pub tokenizer: Option<Tokenizer>,
    /// The events' tokens, or their ready vectors.
    pub corpus: Corpus,
    content: String,
}

impl Inputs {
    /// Trains or reads the tokenizer and splits every text.
    ///
    /// # Errors
    /// A tokenizer file that can't be used.
    pub fn prepare(set: BundleSet, config: &Config) -> CliResult<Self> {
        let data = |e: crucible_core::encoder::EncoderError| CliError::new(Exit::Data, e.to_string());
        if config.model.kind == ModelKind::Adapter {
            return Self::of_vectors(set, config);
        }
        let tokenizer = match &config.model.tokenizer_file {
            Some(path) => Tokenizer::from_json(&io::read_text(Path::new(path), MAX_TOKENIZER_BYTES)?)
                .map_err(|e| CliError::new(Exit::Data, format!("{path}: {e}")))?,
            None => {
                let texts: BTreeSet<&str> = set.events.iter().map(|e| e.text.as_str()).collect();
                let texts: Vec<&str> = texts.into_iter().collect();
                Tokenizer::train(config.model.tokenizer, config.model.vocab_size, &texts).map_err(data)?
            }
        };
        let corpus =
            Corpus::build(&tokenizer, &set.events, config.model.span_window, config.model.max_tokens).map_err(data)?;
        let mut content = content_hash(&set);
        if config.model.tokenizer_file.is_some() {
            let text = tokenizer.to_json().map_err(data)?;
            content = format!("{content} {}", hex(&Sha256::digest(text.as_bytes())));
        }
        Ok(Self { set, tokenizer: Some(tokenizer), corpus, content })
    }

    /// For an adapter, which reads ready vectors and no texts.
    fn of_vectors(mut set: BundleSet, config: &Config) -> CliResult<Self> {
        if let Some(source) = ready(config) {
            let named = config.data.bundles.clone().unwrap_or_default();
            set.events = source.given_to(Path::new(&named), &set.events)?;
        }
        let mut corpus = CorpusBuilder::of_ready(config.model.embedding_dim);
        corpus.extend(&set.events).map_err(no_vectors)?;
        let (corpus, content) = (corpus.finish(), content_hash(&set));
        Ok(Self { corpus, set, tokenizer: None, content })
    }

    /// What a resume state must belong to: settings that decide numbers, contents of the inputs, seed, program.
    /// Files count by what they hold, however they are named.
    fn run_id(&self, config: &Config, seed: u64) -> String {
        let (settings, content) = (decides::deciding(config), &self.content);
        let text = format!("{settings}{content}\n{seed}\n{}", env!("CARGO_PKG_VERSION"));
        hex(&Sha256::digest(text.as_bytes()))
    }
}

/// Where an adapter's vectors come from, if not from the events themselves.
#[must_use]
pub fn ready(config: &Config) -> Option<Source> {
    Source::of_config(&config.data).filter(|_| config.model.kind == ModelKind::Adapter)
}

/// Events that an adapter can't read, and what to do.
fn no_vectors(error: EncoderError) -> CliError {
    let advice = match &error {
        EncoderError::VectorWidth { found, .. } => format!(
            "give the width of the vectors: --model.embedding_dim {found}, and --model.hidden_dim {found} where \
             model.residual is on"
        ),
        _ => {
            "bundles keep the vectors of their events: `crucible bundle` of events with an `embedding`, or name a file \
              of vectors with --embeddings (data.embeddings)"
                .to_owned()
        }
    };
    CliError::new(Exit::Data, error.to_string()).advise(advice)
}

/// How one run ended.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The run's folder.
    #[serde(serialize_with = "output::shown")]
    pub dir: PathBuf,
    /// Its seed.
    pub seed: u64,
    /// Steps done.
    pub steps: u64,
    /// Whether all steps were done.
    pub finished: bool,
    /// The last logged mean loss.
    pub loss: Option<f64>,
    /// SHA-256 of the checkpoint, where there is one.
    pub checkpoint_sha256: Option<String>,
    /// Seconds of this call.
    pub seconds: f64,
}

/// Guardrails that look before the first step. Prints findings; an error if one stops the run.
///
/// # Errors
/// Exit status 6 with what stopped it.
pub fn check_before(config: &Config, set: &BundleSet, ctx: &Context) -> CliResult<Before> {
    let may_stop = if config.guardrails.enabled { MayStop::All } else { MayStop::None };
    judge_before(find_before(config, set, ctx), config, may_stop, ctx)
}

/// What those guardrails find, and which of them had nothing to look at: the same for every seed.
#[must_use]
pub fn find_before(config: &Config, set: &BundleSet, ctx: &Context) -> Before {
    let mut findings = guardrails::configuration::check(config);
    findings.extend(guards::of_bundles(set, config));
    findings.extend(guards::dilution(set, config));
    let (evals, mut missing) = guards::named_evals(config, ctx);
    findings.extend(guards::leakage(set, &evals, &config.guardrails));
    for eval in evals.iter().filter(|e| e.name == guards::FROZEN) {
        match guards::versions(eval) {
            Ok(finding) => findings.extend(finding),
            Err(error) => {
                let message = format!("the versions of {} were not checked: {error}", eval.path.display());
                ctx.reporter.warn(&message);
                missing.push(message);
            }
        }
    }
    guards::before(findings, &missing)
}

/// Which guardrails may stop a run before its first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayStop {
    /// They only record what they found.
    None,
    /// Those that say of the data that results would mean nothing (G11, G12, G13, G15). How the conditions of a sweep
    /// train is what the sweep tries out: what is found there is recorded.
    Data,
    /// All of them.
    All,
}

impl MayStop {
    /// Of the trials of a sweep.
    #[must_use]
    pub fn in_sweep(config: &Config) -> Self {
        if config.guardrails.enabled { Self::All } else { Self::Data }
    }

    fn may(self, finding: &Finding) -> bool {
        match self {
            Self::None => false,
            Self::Data => ["G11", "G12", "G13", "G15"].contains(&finding.id.as_str()),
            Self::All => true,
        }
    }
}

/// Prints them and tells whom it concerns; an error if one stops the run, which takes `may_stop`.
///
/// # Errors
/// As [`check_before`].
pub fn judge_before(before: Before, config: &Config, may_stop: MayStop, ctx: &Context) -> CliResult<Before> {
    let webhook = config.guardrails.webhook.as_deref();
    let decided = decide_before(before.clone(), config, may_stop);
    webhook::tell(webhook, "train", &before.findings, decided.is_err(), &ctx.reporter);
    for finding in before.findings.iter().filter(|f| f.level > Level::Ok) {
        ctx.reporter.warn(describe(finding));
    }
    decided
}

/// The same, and nobody hears of it.
///
/// # Errors
/// As [`check_before`].
pub fn decide_before(before: Before, config: &Config, may_stop: MayStop) -> CliResult<Before> {
    let judged = |findings: Vec<Finding>| {
        Report::judge(findings, config.guardrails.block_on_critical, &config.guardrails.overrides)
    };
    let may = judged(before.findings.iter().filter(|f| may_stop.may(f)).cloned().collect());
    let report = judged(before.findings);
    if may.stops {
        let acknowledged = |f: &Finding| may.overrides.iter().any(|o| o.id == f.id && o.message == f.message);
        let worst = may.findings.iter().filter(|f| !acknowledged(f)).max_by_key(|f| f.level);
        let message = worst.map_or_else(String::new, describe);
        let error = CliError::new(Exit::Stopped, format!("stopped before training by a guardrail: {message}"));
        return Err(error.advise("fix the cause, or acknowledge a CRITICAL finding with --guardrail-override NAME"));
    }
    Ok(Before { findings: report.findings, overrides: report.overrides, not_run: before.not_run })
}

/// One line about a finding.
#[must_use]
pub fn describe(finding: &Finding) -> String {
    let level = json!(finding.level);
    let level = level.as_str().unwrap_or_default();
    let advice = if finding.advice.is_empty() { String::new() } else { format!(" ({})", finding.advice) };
    format!("{} {} [{level}]: {}{advice}", finding.id, finding.name, finding.message)
}

/// Trains one seed in `dir`, on the device that `config` names.
///
/// # Errors
/// A guardrail that stops the run (6), outputs that can't be written (1), a resume state of another run (2), a device
/// that is not there or fails (4).
pub fn run_seed(
    inputs: &Inputs,
    config: &Config,
    seed: u64,
    dir: &Path,
    span: Span<'_>,
    stop: &Stop,
    ctx: &Context,
) -> CliResult<Summary> {
    // Before anything is written.
    let backend = device::open(&config.device.kind)?;
    run_seed_on(backend, inputs, config, seed, dir, span, stop, ctx)
}

/// Which part of a run is done now, and who hears of it.
#[derive(Clone, Copy, Default)]
pub struct Span<'a> {
    /// From where it was saved.
    pub resume: bool,
    /// To this step, whose model is written to [`at_step`]; none: to the end.
    pub until: Option<u64>,
    /// The run's tracker.
    pub tracked: Option<&'a tracking::Run>,
    /// What guardrails said before it; kept in its folder.
    pub before: Option<&'a Before>,
}

/// Where the model of a step on the way lies.
#[must_use]
pub fn at_step(dir: &Path, step: u64) -> PathBuf {
    dir.join(format!("checkpoint_step_{step}.safetensors"))
}

/// [`run_seed`] on a device that is open; none: the CPU.
///
/// # Errors
/// As it.
#[expect(clippy::too_many_arguments, reason = "those of `run_seed`, and the device")]
pub fn run_seed_on(
    backend: Option<GpuBackend>,
    inputs: &Inputs,
    config: &Config,
    seed: u64,
    dir: &Path,
    Span { resume, until, tracked, before }: Span<'_>,
    stop: &Stop,
    ctx: &Context,
) -> CliResult<Summary> {
    let started = Instant::now();
    if config.device.precision == Precision::F16 {
        ctx.reporter.warn("device.precision: f16 is for similarities alone; training computes in 32 bits");
    }
    if let Some(backend) = &backend {
        ctx.reporter.note(format!("training on {}", backend.device().name()));
    }
    let device_name = device::name(backend.as_ref());
    let evals = Evals::read(config)?;
    let run_id = inputs.run_id(config, seed);
    // Where the tokenizer lay says nothing about the model, which holds all of it.
    let model = Model { tokenizer_file: None, ..config.model.clone() };
    let vocab = inputs.tokenizer.as_ref().map_or(0, Tokenizer::vocab_size);
    let unusable = |e: crucible_core::encoder::EncoderError| CliError::usage(e.to_string());
    let state_path = dir.join(STATE);
    let state = if resume && state_path.exists() {
        let bytes = io::read_bytes(&state_path, MAX_STATE_BYTES)?;
        let mut empty = StaticEncoder::zeros(&model, vocab).map_err(unusable)?;
        empty.take_ready(&inputs.corpus);
        State::from_bytes(&bytes, &run_id, State::new(empty, &config.guardrails))
            .map_err(|e| unusable_state(&state_path, &e))?
    } else {
        let encoder = StaticEncoder::init(&model, vocab, &inputs.corpus, seed).map_err(unusable)?;
        State::new(encoder, &config.guardrails)
    };
    let first = state.step;
    // The model goes up before anything is written: one that the device can't hold leaves no trace.
    let mut trainee = match backend {
        None => None,
        Some(backend) => {
            let trainee =
                DeviceTrainee::new(backend, &state.encoder, &state.optimizer).map_err(|e| device::failed(&e))?;
            pollster::block_on(trainee.arrived()).map_err(|e| device::failed(&e))?;
            Some(trainee)
        }
    };
    output::create_folder(dir)?;
    if !resume {
        previous::put_aside(dir)?;
        // Else a stop before the first save would be resumed from what an earlier run left.
        output::remove_file(&state_path)?;
        output::remove_file(&dir.join(EVALS))?;
        tracking::forget(dir)?;
    }
    WRITTEN.iter().try_for_each(|name| output::remove_leftovers(&dir.join(name)))?;
    let mut own = decides::without_secrets(&seen_from(config, dir));
    own.experiment.seeds = vec![seed];
    own.tracking = config::Tracking::default();
    output::write_file(&dir.join("config.yaml"), config::to_yaml(&own).as_bytes())?;
    output::remove_leftovers(&dir.join(guards::BEFORE))?;
    match before {
        Some(before) => output::write_json(&dir.join(guards::BEFORE), before)?,
        None => output::remove_file(&dir.join(guards::BEFORE))?,
    }
    if let Some(tracked) = tracked {
        tracked.begin((first > 0).then_some(first));
    }
    let progress = ctx.reporter.start("training", "steps", config.training.steps);
    progress.set(first);
    let mut files = RunFiles {
        metrics: reopen(&dir.join("metrics.jsonl"), first)?,
        scores: if config.experiment.eval_every > 0 { Some(reopen(&dir.join(EVALS), first)?) } else { None },
        evals,
        inputs,
        seed,
        log: append(&dir.join("train.log"))?,
        state_path: state_path.clone(),
        run_id,
        started,
        progress,
        reporter: ctx.reporter.clone(),
        stop,
        until,
        tracked,
        webhook: config.guardrails.webhook.clone(),
        loss: None,
        told: BTreeSet::new(),
        spike: None,
        failure: None,
    };
    files.say(&format!("seed {seed}: from step {first} of {}{ON_DEVICE}{device_name}", config.training.steps));
    if let Some(step) = until.filter(|step| first > 0 && *step == first) {
        // It was saved there and killed before the model was written.
        write_at_step(dir, step, state.exported(), inputs, seed)?;
        return Ok(files.summary(dir, seed, step, false, None));
    }
    let outcome = if trainee.is_none() {
        // On a worker of the pool, where forking off work is cheapest.
        rayon::scope(|_| train(config, &inputs.set, &inputs.corpus, seed, state, &mut files))
    } else {
        // It already has the state's model.
        let mut start = |_: StaticEncoder, _: Optimizer| -> Result<Box<dyn Engine>, BackendError> {
            let used = || BackendError::Device { operation: "starting".into(), message: "started twice".into() };
            Ok(Box::new(trainee.take().ok_or_else(used)?))
        };
        train_on(&mut start, config, &inputs.set, &inputs.corpus, seed, state, &mut files)
    };
    let outcome = outcome.map_err(|e| {
        files.say(&e.to_string());
        files.failure.take().unwrap_or_else(|| match &e {
            TrainError::Guardrail { .. } => CliError::new(Exit::Stopped, e.to_string()),
            TrainError::Device(e) => device::failed(e),
            TrainError::Observer(_) => CliError::new(Exit::Error, e.to_string()),
        })
    })?;
    write_exposures(dir, inputs, config, &outcome)?;
    output::write_json(&dir.join("guardrails.json"), &outcome.state.watch.findings)?;
    let (step, stopped) = (outcome.state.step, outcome.stopped);
    let mut checkpoint_sha256 = None;
    if !stopped {
        let bytes = checkpoint(outcome.state.exported(), step, inputs, seed)?;
        drop(outcome);
        checkpoint_sha256 = Some(hex(&Sha256::digest(&bytes)));
        output::write_file(&dir.join(CHECKPOINT), &bytes)?;
        tidy_finished(dir)?;
    } else if until == Some(step) {
        write_at_step(dir, step, outcome.state.exported(), inputs, seed)?;
    }
    Ok(files.summary(dir, seed, step, !stopped, checkpoint_sha256))
}

fn checkpoint(encoder: StaticEncoder, step: u64, inputs: &Inputs, seed: u64) -> CliResult<Vec<u8>> {
    checkpoint_of(encoder, step, inputs, seed)?.to_bytes().map_err(internal)
}

fn checkpoint_of(encoder: StaticEncoder, step: u64, inputs: &Inputs, seed: u64) -> CliResult<Checkpoint> {
    let copied = |tokenizer: &Tokenizer| Tokenizer::from_json(&tokenizer.to_json()?);
    let tokenizer = inputs.tokenizer.as_ref().map(copied).transpose().map_err(internal)?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(Checkpoint { encoder, tokenizer, step, seed, version })
}

fn write_at_step(dir: &Path, step: u64, encoder: StaticEncoder, inputs: &Inputs, seed: u64) -> CliResult<()> {
    output::write_file(&at_step(dir, step), &checkpoint(encoder, step, inputs, seed)?)
}

/// The device of a run, as its `train.log` names it where it started last.
#[must_use]
pub fn device_of_log(log: &str) -> Option<&str> {
    // "TIME seed 42: from step 0 of 100 on cpu"
    let device = |line: &'_ str| -> Option<usize> {
        let (start, device) = line.split_once(ON_DEVICE)?;
        let words: Vec<&str> = start.split(' ').skip(1).collect();
        let ["seed", seed, "from", "step", step, "of", steps] = words.as_slice() else { return None };
        let seed = seed.strip_suffix(':')?;
        [seed, step, steps].iter().all(|n| n.parse::<u64>().is_ok()).then_some(device.len())
    };
    log.lines().rev().find_map(|line| Some(&line[line.len() - device(line)?..]))
}

/// The configuration with its paths as seen from the run's folder: relative ones where that takes names alone.
fn seen_from(config: &Config, dir: &Path) -> Config {
    let here = std::env::current_dir().unwrap_or_default();
    let inside = dir.strip_prefix(&here).unwrap_or(dir);
    if inside.is_relative() {
        return config::seen_from(config, inside);
    }
    let mut config = config.clone();
    for path in config.input_paths_mut() {
        if let Some(whole) = here.join(&*path).to_str() {
            *path = whole.to_owned();
        }
    }
    config
}

/// Removes what a run that was killed at its very end left beside its result.
///
/// # Errors
/// The folder can't be written.
pub fn tidy_finished(dir: &Path) -> CliResult<()> {
    output::remove_file(&dir.join(STATE))?;
    previous::remove(dir)
}

/// Refuses to train anew in a folder that holds a run, finished or not.
///
/// # Errors
/// It holds one; with exit status 2.
pub fn refuse_taken(dir: &Path) -> CliResult<()> {
    let there = |name: &str| dir.join(name).exists();
    if there(CHECKPOINT) {
        let message = format!("{} holds a finished run", dir.display());
        let advice =
            "choose another --output-dir, or replace it with --force: it is kept until the new run is finished";
        return Err(CliError::usage(message).advise(advice));
    }
    match WRITTEN.iter().find(|name| there(name)) {
        Some(name) => {
            let message = format!("{} holds a run that is not finished: {name} is there", dir.display());
            Err(CliError::usage(message)
                .advise("go on with --resume, start over with --force, or choose another --output-dir"))
        }
        None => Ok(()),
    }
}

fn unusable_state(path: &Path, error: &StateError) -> CliError {
    let message = format!("{}: {error}", path.display());
    let advice = "train with --force instead of --resume to start over";
    match error {
        StateError::Broken(_) => {
            CliError::new(Exit::Data, message).advise(format!("put back a copy of it, or {advice}"))
        }
        StateError::Other(_) => {
            CliError::usage(message).advise(format!("resume with the settings and files of that run, or {advice}"))
        }
    }
}

fn internal(e: crucible_core::encoder::EncoderError) -> CliError {
    CliError::new(Exit::Error, e.to_string())
}

/// Expected and real looks per cell, and the real ones of every bundle.
fn write_exposures(dir: &Path, inputs: &Inputs, config: &Config, outcome: &Outcome) -> CliResult<()> {
    let expected = exposure::exposures(config, cell_sizes(&inputs.set));
    let cells: Vec<_> = (0..CELLS)
        .map(|c| {
            let looks = || outcome.cells[c].iter().map(|b| u64::from(outcome.exposures[*b as usize]));
            let n = outcome.cells[c].len();
            let mean = (n > 0).then(|| looks().sum::<u64>() as f64 / n as f64);
            CellExposure { cell: CELL_NAMES[c].to_owned(), bundles: n, mean, min: looks().min(), max: looks().max() }
        })
        .collect();
    output::write_json(&dir.join("exposures.json"), &RunExposures { expected, real: cells })?;
    let lines: String = inputs
        .set
        .bundles
        .iter()
        .zip(&outcome.exposures)
        .map(|(bundle, looks)| json!({"bundle_id": bundle.bundle_id, "exposures": looks}).to_string() + "\n")
        .collect();
    output::write_file(&dir.join("exposures.jsonl"), lines.as_bytes())
}

struct RunFiles<'a> {
    metrics: File,
    /// [`EVALS`], where models are scored on the way.
    scores: Option<File>,
    evals: Evals,
    inputs: &'a Inputs,
    seed: u64,
    log: File,
    state_path: PathBuf,
    run_id: String,
    started: Instant,
    progress: Progress,
    reporter: Reporter,
    stop: &'a Stop,
    /// A step to stop at.
    until: Option<u64>,
    tracked: Option<&'a tracking::Run>,
    webhook: Option<String>,
    loss: Option<f64>,
    told: BTreeSet<(String, Level)>,
    /// The last spike that may be a divergence. Healthy runs have such spikes, too: only the run's end tells.
    spike: Option<Finding>,
    /// What could not be written, with what to do about it.
    failure: Option<CliError>,
}

impl RunFiles<'_> {
    fn say(&mut self, text: &str) {
        let (now, text) = (clock::timestamp(), printable(text));
        // A log that can't be written stops no training.
        let _ = append_whole(&mut self.log, &format!("{now} {text}\n"));
    }

    fn metrics_error(&self, error: &std::io::Error) -> CliError {
        CliError::io("write", &self.state_path.with_file_name("metrics.jsonl"), error)
    }

    /// Scores the model as it would be exported now.
    fn scored(&mut self, state: &State) -> CliResult<()> {
        let Some(file) = &mut self.scores else { return Ok(()) };
        let boards = self.evals.score(checkpoint_of(state.exported(), state.step, self.inputs, self.seed)?)?;
        let path = self.state_path.with_file_name(EVALS);
        let failed = |error: std::io::Error| CliError::io("write", &path, &error);
        let mut said = Vec::new();
        for (truth, board) in &boards {
            let line = serde_json::to_string(&evals::line(state.step, *truth, board));
            let line = line.map_err(|e| CliError::new(Exit::Error, e.to_string()))? + "\n";
            append_whole(file, &line).map_err(failed)?;
            let passed = 100.0 * board.overall.pass_rate.unwrap_or_default();
            said.push(format!("step {} {}: {passed:.1} % of {} passed", state.step, truth.name(), board.overall.n));
            if let Some(tracked) = self.tracked {
                tracked.scoreboard(*truth, state.step, board);
            }
        }
        file.sync_data().map_err(failed)?;
        said.iter().for_each(|text| self.say(text));
        Ok(())
    }

    fn summary(&mut self, dir: &Path, seed: u64, steps: u64, finished: bool, checkpoint: Option<String>) -> Summary {
        let seconds = self.started.elapsed().as_secs_f64();
        self.say(&format!("seed {seed}: at step {steps} after {seconds:.1} s"));
        let stayed =
            |spike: &Finding, loss: f64| spike.numbers.get("window_mean").is_some_and(|mean| loss > 2.0 * mean);
        if let (Some(spike), Some(loss), false) = (&self.spike, self.loss, self.reporter.is_within())
            && stayed(spike, loss)
        {
            self.reporter.warn(format!("{}; the loss did not come back, it ends at {loss:.4}", describe(spike)));
        }
        let (dir, loss) = (dir.to_owned(), self.loss);
        Summary { dir, seed, steps, finished, loss, checkpoint_sha256: checkpoint, seconds }
    }

    /// Keeps an error for `run_seed`; the training loop only wants its words.
    fn failed(&mut self, error: CliError) -> String {
        let message = error.message.clone();
        self.failure = Some(error);
        message
    }
}

impl Observer for RunFiles<'_> {
    fn metrics(&mut self, metrics: &Metrics) -> Result<(), String> {
        let line = serde_json::to_string(metrics).map_err(|e| e.to_string())? + "\n";
        append_whole(&mut self.metrics, &line).map_err(|e| self.failed(self.metrics_error(&e)))?;
        let quota: Vec<String> = metrics.quota.iter().map(|q| format!("{q:.1}")).collect();
        let rate = metrics.step as f64 / self.started.elapsed().as_secs_f64();
        let (loss, norm, lr) = (metrics.loss, metrics.gradient_norm, metrics.learning_rate);
        let text = format!("loss={loss:.4} grad={norm:.3} lr={lr:.2e} quota={}", quota.join("/"));
        self.say(&format!("step {} {text} {rate:.0} steps/s", metrics.step));
        if let Some(tracked) = self.tracked {
            tracked.training(metrics);
        }
        self.progress.message(format!("loss {loss:.4}"));
        self.progress.set(metrics.step);
        self.loss = Some(loss);
        Ok(())
    }

    fn warning(&mut self, message: &str) {
        self.say(message);
        // G3 and G4 judge what it is about.
        self.reporter.detail(message);
    }

    fn finding(&mut self, finding: &Finding) {
        let text = describe(finding);
        self.say(&text);
        let lone_spike = finding.id == loss_spike::RULE.id && finding.level < Level::Severe;
        if lone_spike && finding.level == Level::Critical {
            self.spike = Some(finding.clone());
        }
        // A noisy loss spikes again and again: the terminal hears of each kind once, the log of all.
        if finding.level > Level::Ok && self.told.insert((finding.id.clone(), finding.level)) {
            // Of many runs, not even that.
            if lone_spike {
                self.reporter.detail(text);
            } else if !self.reporter.is_within() {
                self.reporter.warn(format!("{text} (further ones go to train.log)"));
            }
            let one = std::slice::from_ref(finding);
            webhook::tell(self.webhook.as_deref(), "train", one, false, &self.reporter);
        }
    }

    fn save(&mut self, state: &State) -> Result<(), String> {
        self.metrics.sync_data().map_err(|e| self.failed(self.metrics_error(&e)))?;
        let bytes = state.to_bytes(&self.run_id).map_err(|e| e.to_string())?;
        output::write_file(&self.state_path, &bytes).map_err(|e| self.failed(e))?;
        self.say(&format!("saved at step {}", state.step));
        Ok(())
    }

    fn evaluate(&mut self, state: &State) -> Result<(), String> {
        self.scored(state).map_err(|e| self.failed(e))
    }

    fn stop(&mut self, step: u64) -> bool {
        self.stop.requested() || self.until == Some(step)
    }

    fn halts_at(&self) -> Option<u64> {
        self.until
    }
}

fn append(path: &Path) -> CliResult<File> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|e| CliError::io("write", path, &e))
}

/// Appends a line, or none of it.
fn append_whole(file: &mut File, line: &str) -> std::io::Result<()> {
    let before = file.metadata()?.len();
    file.write_all(line.as_bytes()).inspect_err(|_| {
        let _ = file.set_len(before);
    })
}

/// Keeps the whole lines up to `step` and opens the file to append; a new run starts an empty one.
fn reopen(path: &Path, step: u64) -> CliResult<File> {
    #[derive(Deserialize)]
    struct Line {
        step: u64,
    }
    let mut kept = String::new();
    if step > 0 && path.exists() {
        let text = io::read_text(path, MAX_TOKENIZER_BYTES)?;
        let within = |line: &&str| serde_json::from_str::<Line>(line).is_ok_and(|line| line.step <= step);
        kept = text.lines().filter(within).map(|line| format!("{line}\n")).collect();
    }
    output::write_file(path, kept.as_bytes())?;
    append(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(config: &Config, text: &str) -> Inputs {
        let event = |id: &str, sense: &str, text: &str| json!({"event_id": id, "sense": sense, "text": text, "source": "sibling"});
        let line = json!({
            "bundle_id": "b", "anchor": event("a", "x#1", text), "positive": event("p", "x#1", "another word"),
            "negatives": [event("n", "x#2", "the third")],
        });
        let set = crucible_core::data::read_bundles(&mut line.to_string().as_bytes(), "b.jsonl").expect("reads");
        Inputs::prepare(set, config).expect("prepares")
    }

    #[test]
    fn a_run_is_known_by_what_its_files_hold_and_not_by_their_names() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut config = Config::default();
        config.model.vocab_size = 64;
        let plain = inputs(&config, "a word");
        let id = plain.run_id(&config, 1);
        let mut respelled = config.clone();
        respelled.data.bundles = Some("x/../b.jsonl".to_owned());
        respelled.data.frozen_eval = Some("/elsewhere/f.jsonl".to_owned());
        respelled.experiment.output_dir = Some("./r/".to_owned());
        assert_eq!(plain.run_id(&respelled, 1), id);
        assert_ne!(plain.run_id(&config, 2), id);
        assert_ne!(inputs(&config, "another").run_id(&config, 1), id);
        let mut longer = config.clone();
        longer.training.steps += 1;
        assert_ne!(plain.run_id(&longer, 1), id);
        // A tokenizer's file, too.
        let json = |text: &str| inputs(&config, text).tokenizer.expect("trained").to_json().expect("JSON");
        let id_of = |name: &str, json: &str| {
            let path = dir.path().join(name);
            output::write_file(&path, json.as_bytes()).expect("writes");
            let mut named = config.clone();
            named.model.tokenizer_file = Some(path.display().to_string());
            inputs(&named, "a word").run_id(&named, 1)
        };
        let one = id_of("one.json", &json("a word"));
        assert_eq!(id_of("two.json", &json("a word")), one);
        assert_ne!(id_of("one.json", &json("quite other letters")), one);
    }

    #[test]
    fn a_damaged_state_is_a_fault_of_data_and_another_runs_one_of_usage() {
        let path = Path::new("r/resume_state.safetensors");
        for (error, exit) in
            [(StateError::Broken("x".to_owned()), Exit::Data), (StateError::Other("x".to_owned()), Exit::Usage)]
        {
            let error = unusable_state(path, &error);
            assert!(error.exit == exit && error.to_string().contains("--force"), "{error}");
        }
    }

    #[test]
    fn a_folder_with_a_run_is_not_trained_in_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        refuse_taken(dir.path()).expect("is empty");
        std::fs::write(dir.path().join("notes.txt"), "").expect("writes");
        refuse_taken(dir.path()).expect("holds no run");
        for (name, said) in [("config.yaml", "--resume"), (STATE, "--resume"), (CHECKPOINT, "a finished run")] {
            std::fs::write(dir.path().join(name), "").expect("writes");
            let error = refuse_taken(dir.path()).expect_err("holds a run");
            assert!(error.exit == Exit::Usage && error.to_string().contains(said), "{name}: {error}");
        }
    }

    #[test]
    fn the_device_is_read_from_the_line_that_says_it() {
        let line = |seed: u64, device: &str| {
            format!("2026-01-01T00:00:00.5Z seed {seed}: from step 5 of 9{ON_DEVICE}{device}\n")
        };
        let log = line(1, "cpu") + "2026-01-01T00:00:01Z step 9 loss=1 on fire\n";
        assert_eq!(device_of_log(&log), Some("cpu"));
        assert_eq!(device_of_log(&(log + &line(1, "GPU on board (Vulkan)"))), Some("GPU on board (Vulkan)"));
        assert_eq!(device_of_log("x seed a: from step 5 of 9 on cpu\nseed 1: at step 9 after 1.0 s\n"), None);
    }
}
