//! Trainings whose device fails: the run ends with the device's exit status, and what was saved goes on.
//!
//! A device can't be lost from outside of the program, so these call what `crucible train` calls.

use crate::eval::bundles;
use crate::util::Dir;
use crucible_cli::cli::Global;
use crucible_cli::context::Context;
use crucible_cli::error::{CliError, CliResult};
use crucible_cli::exit::Exit;
use crucible_cli::progress::{Level, Reporter};
use crucible_cli::signals::Stop;
use crucible_cli::training::{self, CHECKPOINT, Inputs, Summary};
use crucible_core::backend::BackendError;
use crucible_core::backend::gpu::{AdapterChoice, GpuBackend, GpuDevice};
use crucible_core::config::{Config, Experiment, Model, Training};
use crucible_core::data::read_bundles;
use std::path::{Path, PathBuf};
use std::time::Duration;

const STATE: &str = "resume_state.safetensors";

/// A GPU or a software adapter; none, with a printed line, where there is neither.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn device() -> Option<GpuDevice> {
    let opened = pollster::block_on(async {
        match GpuDevice::open(AdapterChoice::Best).await {
            Err(BackendError::NoDevice { .. }) => GpuDevice::open(AdapterChoice::Software).await,
            other => other,
        }
    });
    match opened {
        Ok(device) => Some(device),
        Err(BackendError::NoDevice { found, .. }) => {
            let required = std::env::var("CRUCIBLE_REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!required, "CRUCIBLE_REQUIRE_GPU is set, and there is no adapter; found: {found}");
            println!("skipped: no adapter, not even a software one; found: {found}");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

fn backend(device: GpuDevice) -> GpuBackend {
    pollster::block_on(GpuBackend::new(device)).unwrap_or_else(|e| panic!("{e}"))
}

struct Run {
    dir: Dir,
    inputs: Inputs,
    config: Config,
}

impl Run {
    fn new() -> Self {
        let training = Training { steps: 400, batch_size: 8, ..Training::default() };
        let model = Model { embedding_dim: 16, hidden_dim: 16, vocab_size: 200, ..Model::default() };
        let experiment = Experiment { log_every: 5, checkpoint_every: 20, ..Experiment::default() };
        let config = Config { training, model, experiment, ..Config::default() };
        let set = read_bundles(&mut bundles().as_bytes(), "bundles").expect("the test's own bundles are sound");
        let inputs = Inputs::prepare(set, &config).expect("prepares");
        Self { dir: Dir::new(), inputs, config }
    }

    fn path(&self, run: &str) -> PathBuf {
        self.dir.path().join(run)
    }

    fn train(&self, backend: GpuBackend, run: &str, resume: bool) -> CliResult<Summary> {
        let global = Global { quiet: true, ..Global::default() };
        let ctx = Context::new(global, Vec::new(), Reporter::new(Level::Quiet));
        let stop = Stop::default();
        training::run_seed_on(
            Some(backend),
            &self.inputs,
            &self.config,
            42,
            &self.path(run),
            training::Span { resume, ..training::Span::default() },
            &stop,
            &ctx,
        )
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[track_caller]
fn device_error(result: CliResult<Summary>, part: &str) -> CliError {
    let Err(error) = result else { panic!("the device fails") };
    assert_eq!(error.exit, Exit::Device, "{error}");
    assert!(error.message.contains(part), "{error}");
    assert!(error.advice.is_some(), "{error}");
    error
}

#[test]
fn a_lost_device_ends_with_4_and_the_run_goes_on_to_the_same_bytes() {
    let Some(first) = device() else { return };
    let run = Run::new();
    let destroy = first.destroyer();
    let state = run.path("run").join(STATE);
    let seen = state.clone();
    // As soon as something was saved.
    let thread = std::thread::spawn(move || {
        while !seen.exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        destroy();
    });
    let error = device_error(run.train(backend(first), "run", false), "the device was lost");
    thread.join().expect("ends");
    assert!(error.advice.as_deref().is_some_and(|a| a.contains("--resume")), "{error}");
    assert!(state.exists() && !run.path("run").join(CHECKPOINT).exists());
    let log = String::from_utf8(read(&run.path("run").join("train.log"))).expect("text");
    assert!(log.contains("the device was lost"), "{log}");

    let summary = run.train(backend(device().expect("there was one")), "run", true).expect("goes on");
    assert!(summary.finished && summary.steps == 400, "{summary:?}");
    run.train(backend(device().expect("there was one")), "alone", false).expect("trains");
    for file in [CHECKPOINT, "metrics.jsonl", "exposures.jsonl"] {
        let [got, want] = ["run", "alone"].map(|name| read(&run.path(name).join(file)));
        assert!(got == want, "another {file}");
    }
    assert!(!state.exists(), "a finished run needs no state");
}

#[test]
fn a_model_that_the_device_can_not_hold_ends_with_4_before_anything_is_written() {
    let Some(small) = device() else { return };
    let run = Run::new();
    device_error(run.train(backend(small.with_max_len(100)), "run", false), "the token vectors: ");
    let Some(full) = device() else { return };
    let exhaust = full.exhauster();
    let full = backend(full);
    exhaust();
    device_error(run.train(full, "run", false), "out of memory");
    assert!(!run.path("run").exists());
}
