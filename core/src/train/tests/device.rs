//! The steps as kernels against the CPU's own: on the kernels' twins everywhere, on a GPU where there is one.

use super::runs::{Notes, bytes, config, fresh, toy, whole};
use super::*;
use crate::backend::Backend;
use crate::backend::cpu::CpuBackend;
use crate::config::Config;

fn on<B: Backend + 'static>(make: impl Fn() -> B, toy: &Toy, config: &Config, state: State) -> (Outcome, Notes) {
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
fn same_curve(case: &str, got: &[Metrics], want: &[Metrics], relative: f64) {
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
    use crate::backend::gpu::{AdapterChoice, GpuBackend, GpuDevice};

    /// A backend on the GPU, or on a software adapter; none where there is neither and none is required.
    #[expect(clippy::disallowed_methods, reason = "whether a GPU is required is said by the environment")]
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    fn backend() -> Option<GpuBackend> {
        pollster::block_on(async {
            let device = match GpuDevice::open(AdapterChoice::Best).await {
                Err(BackendError::NoDevice { .. }) => GpuDevice::open(AdapterChoice::Software).await,
                other => other,
            };
            match device {
                Ok(device) => Some(GpuBackend::new(device).await.unwrap_or_else(|e| panic!("{e}"))),
                Err(BackendError::NoDevice { found, .. }) => {
                    let required = std::env::var("CRUCIBLE_REQUIRE_GPU").is_ok_and(|value| value == "1");
                    assert!(!required, "CRUCIBLE_REQUIRE_GPU is set, and there is no adapter; found: {found}");
                    println!("skipped: no adapter, not even a software one; found: {found}");
                    None
                }
                Err(e) => panic!("{e}"),
            }
        })
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
}
