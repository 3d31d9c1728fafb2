//! The steps as kernels against the CPU's own: on the kernels' twins everywhere, on a GPU where there is one.

use super::runs::{Notes, bytes, config, fresh, toy, whole};
use super::*;
use crate::backend::Backend;
use crate::backend::cpu::CpuBackend;
use crate::config::Config;

pub(super) fn on<B: Backend + 'static>(
    make: impl Fn() -> B,
    toy: &Toy,
    config: &Config,
    state: State,
) -> (Outcome, Notes) {
    let mut notes = Notes::default();
    let outcome = go_on(make, toy, config, state, &mut notes);
    (outcome, notes)
}

fn go_on<B: Backend + 'static>(
    make: impl Fn() -> B,
    toy: &Toy,
    config: &Config,
    state: State,
    notes: &mut Notes,
) -> Outcome {
    let mut start = |encoder: StaticEncoder, optimizer: Optimizer| -> Result<Box<dyn Engine>, _> {
        Ok(Box::new(DeviceTrainee::new(make(), &encoder, &optimizer)?))
    };
    train_on(&mut start, config, &toy.set, &toy.corpus, 42, state, notes).expect("trains")
}

/// Every path of the step: heads, losses, pooling with and without weights, clipping or not.
fn settings(steps: u64) -> Vec<(&'static str, Config)> {
    let with = |name, change: &dyn Fn(&mut Config)| {
        let mut config = config(steps);
        change(&mut config);
        (name, config)
    };
    vec![
        with("as it comes", &|_| {}),
        with("no head", &|c| c.model.num_layers = 0),
        with("one layer, no residual", &|c| (c.model.num_layers, c.model.residual) = (1, false)),
        with("three layers of GELU", &|c| (c.model.num_layers, c.model.activation) = (3, Activation::Gelu)),
        with("tanh, a narrower head", &|c| {
            (c.model.activation, c.model.residual, c.model.hidden_dim) = (Activation::Tanh, false, 10);
        }),
        with("plain mean", &|c| c.model.span_window = 0),
        with("triplet", &|c| c.training.loss = Loss::Triplet),
        with("own negatives alone, no clipping, no decay", &|c| {
            (c.training.in_batch_negatives, c.training.gradient_clip, c.training.weight_decay) = (false, 0.0, 0.0);
        }),
    ]
}

/// The losses of both runs at each logged step, within `relative`.
pub(super) fn same_curve(case: &str, got: &[Metrics], want: &[Metrics], relative: f64) {
    assert_eq!(got.len(), want.len(), "{case}");
    for (got, want) in got.iter().zip(want) {
        let apart = (got.loss - want.loss).abs() / want.loss.abs().max(1e-2);
        assert!(apart < relative, "{case}, step {}: loss {}, expected {}", got.step, got.loss, want.loss);
        let apart = (got.gradient_norm - want.gradient_norm).abs() / want.gradient_norm.abs().max(1e-2);
        assert!(apart < 10.0 * relative, "{case}, step {}: {got:?}, expected {want:?}", got.step);
        assert_eq!((got.step, got.quota, got.learning_rate), (want.step, want.quota, want.learning_rate));
    }
}

#[test]
fn twins_take_the_same_steps() {
    for (case, mut config) in settings(24) {
        let mut toy = toy();
        if config.model.span_window == 0 {
            toy = Toy::new(toy.set, 0);
        }
        config.experiment.log_every = 1;
        let (want, want_notes) = whole(&toy, &config);
        let (got, notes) = on(|| CpuBackend, &toy, &config, fresh(&toy, &config));
        same_curve(case, &notes.metrics, &want_notes.metrics, 1e-4);
        let (got, want) = (got.state.exported(), want.state.exported());
        let far = got.tokens.iter().zip(&want.tokens).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-3, "{case}: token vectors {far} apart");
    }
}

#[test]
fn a_stop_on_a_device_changes_nothing() {
    let (toy, config) = (toy(), config(40));
    let (want, _) = on(|| CpuBackend, &toy, &config, fresh(&toy, &config));
    // Runs on a device stop where a set of steps ends.
    let mut notes = Notes { stop_at: Some(16), ..Notes::default() };
    let stopped = go_on(|| CpuBackend, &toy, &config, fresh(&toy, &config), &mut notes);
    assert!(stopped.stopped && stopped.state.step == 16);
    let read = State::from_bytes(&bytes(&stopped.state), "run", fresh(&toy, &config)).expect("reads");
    let (end, _) = on(|| CpuBackend, &toy, &config, read);
    assert!(bytes(&end.state) == bytes(&want.state));
}

/// Every vector that `backend` gives, against the CPU's, and every verdict of an evaluation.
fn embeds_alike<B: Backend>(backend: &B) {
    for (case, config) in settings(8) {
        let toy = Toy::new(toy().set, config.model.span_window);
        let encoder = whole(&toy, &config).0.state.exported();
        let want = encoder.embed(&toy.corpus);
        let got = pollster::block_on(encoder.embed_on(backend, &toy.corpus)).unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!((got.dim, got.vectors.len(), got.norms.len()), (want.dim, want.vectors.len(), want.norms.len()));
        let numbers = got.vectors.iter().chain(&got.norms).zip(want.vectors.iter().chain(&want.norms));
        for (got, want) in numbers {
            assert!((got - want).abs() < 1e-5, "{case}: {got}, expected {want}");
        }
        let margins = |embeddings| crate::eval::score(&toy.set, embeddings);
        for (got, want) in margins(&got).iter().zip(margins(&want)) {
            assert!(got.passes() == want.passes() || want.margin.abs() <= 1e-6, "{case}: {got:?}, expected {want:?}");
        }
    }
}

#[test]
fn twins_embed_alike() {
    embeds_alike(&CpuBackend);
}

#[cfg(feature = "gpu")]
mod gpu {
    use super::*;
    use crate::backend::BackendError;
    use crate::backend::gpu::GpuBackend;
    use crate::backend::gpu::tests::backend as changed;

    fn backend() -> Option<GpuBackend> {
        changed(|device| device)
    }

    fn make() -> GpuBackend {
        backend().expect("opened a moment ago")
    }

    #[test]
    fn two_hundred_steps_follow_the_cpus_curve() {
        if backend().is_none() {
            return;
        }
        for (case, mut config) in settings(200).into_iter().step_by(3) {
            // The curve of one seed, not of chaos: a small rate keeps rounding from growing.
            config.training.learning_rate = 1e-3;
            let toy = toy();
            let (_, want) = whole(&toy, &config);
            let (_, got) = on(make, &toy, &config, fresh(&toy, &config));
            same_curve(case, &got.metrics, &want.metrics, 1e-3);
        }
    }

    #[test]
    fn a_gpu_embeds_alike() {
        if let Some(backend) = backend() {
            embeds_alike(&backend);
        }
    }

    #[test]
    fn two_runs_on_one_adapter_are_bit_identical() {
        if backend().is_none() {
            return;
        }
        let (toy, config) = (toy(), config(50));
        let (first, _) = on(make, &toy, &config, fresh(&toy, &config));
        let (second, _) = on(make, &toy, &config, fresh(&toy, &config));
        assert!(bytes(&first.state) == bytes(&second.state));
    }

    /// Notes, and does something once when a step is logged.
    struct At<'a> {
        notes: Notes,
        step: u64,
        act: Option<Box<dyn FnOnce() + 'a>>,
    }

    impl Observer for At<'_> {
        fn metrics(&mut self, metrics: &Metrics) -> Result<(), String> {
            if metrics.step >= self.step
                && let Some(act) = self.act.take()
            {
                act();
            }
            self.notes.metrics(metrics)
        }
        fn warning(&mut self, message: &str) {
            self.notes.warning(message);
        }
        fn finding(&mut self, finding: &crate::guardrails::Finding) {
            self.notes.finding(finding);
        }
        fn save(&mut self, state: &State) -> Result<(), String> {
            self.notes.save(state)
        }
        fn stop(&mut self, step: u64) -> bool {
            self.notes.stop(step)
        }
    }

    /// Trains on `backend`, which fails after step `step` was logged and `act` was done. What the run says, and what it
    /// had saved.
    fn fails(
        backend: GpuBackend,
        toy: &Toy,
        config: &Config,
        step: u64,
        act: impl FnOnce() + 'static,
    ) -> (TrainError, Vec<State>) {
        let mut backend = Some(backend);
        let mut start = |encoder: StaticEncoder, optimizer: Optimizer| -> Result<Box<dyn Engine>, _> {
            Ok(Box::new(DeviceTrainee::new(backend.take().expect("starts once"), &encoder, &optimizer)?))
        };
        let mut observer = At { notes: Notes::default(), step, act: Some(Box::new(act)) };
        let state = fresh(toy, config);
        let outcome = train_on(&mut start, config, &toy.set, &toy.corpus, 42, state, &mut observer);
        let Err(error) = outcome else { panic!("the device fails") };
        (error, observer.notes.saved)
    }

    /// A run that `fails` goes on from what it saved, on a device that is well, and ends as one that was left alone.
    fn goes_on(toy: &Toy, config: &Config, saved: &[State]) {
        let (want, _) = on(make, toy, config, fresh(toy, config));
        let last = saved.last().expect("something was saved");
        let read = State::from_bytes(&bytes(last), "run", fresh(toy, config)).expect("reads");
        let (end, _) = on(make, toy, config, read);
        assert!(bytes(&end.state) == bytes(&want.state), "from step {}", last.step);
    }

    /// Saves often enough that something is saved before the fault.
    fn saving() -> Config {
        let mut config = config(60);
        config.experiment.checkpoint_every = 10;
        config
    }

    #[test]
    fn a_lost_device_ends_the_run_and_what_was_saved_goes_on() {
        let Some(backend) = backend() else { return };
        let (toy, config) = (toy(), saving());
        let destroy = backend.device().destroyer();
        let (error, saved) = fails(backend, &toy, &config, 32, destroy);
        assert!(matches!(error, TrainError::Device(BackendError::Lost { .. })), "{error}");
        assert_eq!(saved.iter().map(|s| s.step).collect::<Vec<_>>(), [10, 20, 30]);
        goes_on(&toy, &config, &saved);
    }

    #[test]
    fn a_device_without_memory_ends_the_run_and_what_was_saved_goes_on() {
        let (toy, config) = (toy(), saving());
        let Some(backend) = backend() else { return };
        let exhaust = backend.device().exhauster();
        let (error, saved) = fails(backend, &toy, &config, 32, exhaust);
        assert!(matches!(error, TrainError::Device(BackendError::OutOfMemory { .. })), "{error}");
        assert!(saved.iter().any(|s| s.step == 30), "{} states", saved.len());
        goes_on(&toy, &config, &saved);
    }

    #[test]
    fn a_model_that_the_device_can_not_hold_is_refused_at_once() {
        let (toy, config) = (toy(), config(10));
        let State { encoder, optimizer, .. } = fresh(&toy, &config);
        let table = encoder.tokens.len();
        let Some(backend) = changed(|device| device.with_max_len(table - 1)) else { return };
        let error = DeviceTrainee::new(backend, &encoder, &optimizer).err().expect("is refused");
        assert!(matches!(error, BackendError::TooLarge { operation: "the token vectors", .. }), "{error}");
        let Some(backend) = changed(|device| device.with_max_len(table)) else { return };
        backend.device().exhauster()();
        let trainee = DeviceTrainee::new(backend, &encoder, &optimizer).expect("is only asked for");
        let error = pollster::block_on(trainee.arrived()).expect_err("there is no room");
        assert!(matches!(error, BackendError::OutOfMemory { .. }), "{error}");
    }
}
