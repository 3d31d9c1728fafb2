use super::*;
use crate::config::{Config, Experiment, Training};
use crate::guardrails::Finding;

/// Notes what it is told; stops after `stop_at` steps.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) stop_at: Option<u64>,
    pub(super) metrics: Vec<Metrics>,
    pub(super) findings: Vec<Finding>,
    pub(super) saved: Vec<State>,
}

impl Observer for Notes {
    fn metrics(&mut self, metrics: &Metrics) -> Result<(), String> {
        self.metrics.push(metrics.clone());
        Ok(())
    }
    fn warning(&mut self, _message: &str) {}
    fn finding(&mut self, finding: &Finding) {
        self.findings.push(finding.clone());
    }
    fn save(&mut self, state: &State) -> Result<(), String> {
        self.saved.push(state.clone());
        Ok(())
    }
    fn stop(&mut self, step: u64) -> bool {
        self.stop_at == Some(step)
    }
}

/// Four lemmas of two senses; each sense has three words of its own among others that say nothing.
pub(super) fn toy() -> Toy {
    let mut stream = Stream::new(11, "toy", 0);
    let (mut events, mut bundles) = (Vec::new(), Vec::new());
    for sense in 0..8 {
        for _ in 0..6 {
            let mut words = vec![format!("l{}", sense / 2), format!("own{sense}x{}", stream.below(3))];
            words.extend((0..4).map(|_| format!("any{}", stream.below(20))));
            stream.shuffle(&mut words);
            let target = words.iter().position(|w| w.starts_with('l'));
            events.push(event(events.len(), &format!("l{}#{}", sense / 2, sense % 2), &words.join(" "), target));
        }
    }
    for anchor in 0..48u32 {
        let (sense, own) = (anchor / 6, anchor % 6);
        let positive = sense * 6 + (own + 1) % 6;
        let negatives = [(sense ^ 1) * 6 + own, (sense + 3) % 8 * 6 + own];
        let tier = Tier::ALL[anchor as usize % 3];
        bundles.push(bundle(anchor as usize, anchor, positive, &negatives, tier));
    }
    Toy::new(BundleSet { events, bundles }, 2)
}

/// Everything on: dropout, clipping, decay, warm-up.
pub(super) fn config(steps: u64) -> Config {
    Config {
        training: Training {
            steps,
            batch_size: 24,
            learning_rate: 0.01,
            weight_decay: 0.1,
            warmup_steps: 5,
            temperature: 0.2,
            ..Training::default()
        },
        model: Model {
            embedding_dim: 16,
            hidden_dim: 16,
            span_window: 2,
            dropout: 0.1,
            token_dropout: 0.1,
            ..Model::default()
        },
        experiment: Experiment { log_every: 4, checkpoint_every: 0, ..Experiment::default() },
        ..Config::default()
    }
}

pub(super) fn fresh(toy: &Toy, config: &Config) -> State {
    let encoder = StaticEncoder::init(&config.model, toy.vocab, &toy.corpus, 42).expect("fits");
    State::new(encoder, &config.guardrails)
}

fn run(toy: &Toy, config: &Config, state: State, notes: &mut Notes) -> Result<Outcome, TrainError> {
    train(config, &toy.set, &toy.corpus, 42, state, notes)
}

pub(super) fn whole(toy: &Toy, config: &Config) -> (Outcome, Notes) {
    let mut notes = Notes::default();
    let outcome = run(toy, config, fresh(toy, config), &mut notes).expect("trains");
    (outcome, notes)
}

/// The bytes tell what `==` does not, such as -0.0 from 0.0.
pub(super) fn bytes(state: &State) -> Vec<u8> {
    state.to_bytes("run").expect("writes")
}

#[test]
fn repeat_bit_for_bit_with_any_number_of_threads() {
    let toy = toy();
    let config = config(30);
    let (first, first_notes) = whole(&toy, &config);
    assert_eq!((first.state.step, first.stopped), (30, false));
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("starts");
        let (again, notes) = pool.install(|| whole(&toy, &config));
        assert!(again.state == first.state && bytes(&again.state) == bytes(&first.state), "{threads} threads");
        assert_eq!(notes.metrics, first_notes.metrics);
        assert_eq!(again.exposures, first.exposures);
    }
    let mut notes = Notes::default();
    let other = train(&config, &toy.set, &toy.corpus, 43, fresh(&toy, &config), &mut notes).expect("trains");
    assert!(other.state != first.state, "another seed, another run");
}

#[test]
fn go_on_where_they_were_stopped() {
    let toy = toy();
    let mut config = config(30);
    // So that both monitors speak before and after the stops.
    (config.guardrails.loss_window, config.guardrails.loss_sigmas, config.guardrails.gradient_max) = (5, 0.1, 1e-6);
    let (want, want_notes) = whole(&toy, &config);
    let found = |id: &str| want.state.watch.findings.iter().filter(|f| f.id == id).count();
    assert!(found("G5") >= 2 && found("G6") == 2, "{:?}", want.state.watch.findings);
    for stop_at in [1, 7, 16, 29] {
        let mut notes = Notes { stop_at: Some(stop_at), ..Notes::default() };
        let stopped = run(&toy, &config, fresh(&toy, &config), &mut notes).expect("stops");
        assert!(stopped.stopped && stopped.state.step == stop_at);
        assert!(matches!(notes.saved.as_slice(), [saved] if *saved == stopped.state), "saved as it stopped");
        let read = State::from_bytes(&bytes(&stopped.state), "run", fresh(&toy, &config)).expect("reads");
        assert!(read == stopped.state, "reads as it was written, at {stop_at}");
        notes.stop_at = None;
        let end = run(&toy, &config, read, &mut notes).expect("goes on");
        assert!(bytes(&end.state) == bytes(&want.state), "stopped at {stop_at}");
        assert_eq!(notes.metrics, want_notes.metrics, "stopped at {stop_at}");
        assert_eq!(end.exposures, want.exposures);
        assert_eq!(end.state.watch.findings, want.state.watch.findings, "stopped at {stop_at}");
    }
}

#[test]
fn rows_that_move_at_once_move_as_those_that_wait_for_clipping() {
    let toy = toy();
    let with_clip = |clip: f64| {
        let mut config = config(40);
        config.training.gradient_clip = clip;
        let (outcome, notes) = whole(&toy, &config);
        (bytes(&outcome.state), notes.metrics)
    };
    // 0 turns clipping off; the other bound is never reached.
    assert!(with_clip(0.0) == with_clip(1e30), "clipping that never clips changes the run");
    assert!(with_clip(0.0) != with_clip(1e-3), "clipping does nothing");
}

#[test]
fn saving_on_the_way_changes_nothing() {
    let toy = toy();
    let mut config = config(30);
    let (want, _) = whole(&toy, &config);
    config.experiment.checkpoint_every = 8;
    let (got, notes) = whole(&toy, &config);
    assert!(got.state == want.state);
    assert_eq!(notes.saved.iter().map(|s| s.step).collect::<Vec<_>>(), [8, 16, 24]);
}

#[test]
fn states_of_another_run_and_broken_ones_are_refused() {
    let toy = toy();
    let config = config(8);
    let state = whole(&toy, &config).0.state;
    let good = bytes(&state);
    let read = |bytes: &[u8], run: &str| State::from_bytes(bytes, run, fresh(&toy, &config));
    assert!(matches!(read(&good, "another"), Err(StateError::Other(_))));
    // A bit that was turned round, in the header, in a tensor, in the last byte: it is found or says nothing.
    for at in (0..good.len()).step_by(good.len() / 97 + 1).chain([good.len() - 1]) {
        let mut flipped = good.clone();
        flipped[at] ^= 0x10;
        assert!(matches!(read(&flipped, "run"), Err(StateError::Broken(_) | StateError::Other(_))), "byte {at}");
    }
    for length in (0..good.len()).step_by(97).chain([good.len() - 1]) {
        assert!(matches!(read(&good[..length], "run"), Err(StateError::Broken(_))), "cut to {length} bytes");
    }
    let header = 8 + u64::from_le_bytes(good[..8].try_into().expect("eight bytes")) as usize;
    for at in 0..header {
        let mut bad = good.clone();
        bad[at] ^= 0x15;
        assert!(read(&bad, "run").is_err(), "byte {at} of the header");
    }
    let mut wider = config.clone();
    (wider.model.embedding_dim, wider.model.hidden_dim) = (17, 17);
    assert!(matches!(State::from_bytes(&good, "run", fresh(&toy, &wider)), Err(StateError::Broken(_))));
}

#[test]
fn learn_a_toy_problem() {
    let toy = toy();
    for loss in [Loss::InfoNce, Loss::Triplet] {
        let mut config = config(150);
        config.training.loss = loss;
        let (outcome, notes) = whole(&toy, &config);
        let mean = |metrics: &[Metrics]| metrics.iter().map(|m| m.loss).sum::<f64>() / metrics.len() as f64;
        let (first, last) = (mean(&notes.metrics[..2]), mean(&notes.metrics[notes.metrics.len() - 2..]));
        assert!(last < 0.4 * first, "{loss:?}: from {first} to {last}");
        // Every anchor's positive beats its two negatives; by chance a third of them would.
        let vectors = outcome.state.exported().embed(&toy.corpus);
        let cosine = |a: u32, b: u32| {
            vectors.row(a as usize).iter().zip(vectors.row(b as usize)).map(|(a, b)| a * b).sum::<f32>()
        };
        let right = |b: &&Bundle| {
            let positive = cosine(b.anchor, b.positive);
            b.negatives.iter().all(|n| positive > cosine(b.anchor, n.event))
        };
        let passed = toy.set.bundles.iter().filter(right).count();
        assert!(passed >= 44, "{loss:?}: {passed} of 48");
    }
}

#[test]
fn the_guardrail_stops_a_run_that_blows_up() {
    let toy = toy();
    let mut config = config(60);
    config.training.learning_rate = 1e30;
    config.training.gradient_clip = 0.0;
    let mut notes = Notes::default();
    let error = run(&toy, &config, fresh(&toy, &config), &mut notes).expect_err("stops");
    let TrainError::Guardrail { step, finding } = &error else { panic!("{error}") };
    assert_eq!(finding.id, "G6", "{error}");
    assert!(*step < 60 && notes.findings.last() == Some(&**finding), "{error}");
    assert!(error.to_string().starts_with("G6 gradients (SEVERE) stopped the run at step "), "{error}");
    // Ten large norms in a row are CRITICAL, which can be acknowledged.
    let mut config = self::config(30);
    config.guardrails.enabled = true;
    config.guardrails.gradient_max = 1e-6;
    let mut notes = Notes::default();
    let error = run(&toy, &config, fresh(&toy, &config), &mut notes).expect_err("stops");
    assert!(matches!(&error, TrainError::Guardrail { step: 10, finding } if finding.id == "G6"), "{error}");
    config.guardrails.overrides = vec!["gradients".to_owned()];
    let (outcome, _) = whole(&toy, &config);
    assert!(outcome.state.step == 30 && outcome.state.watch.findings.len() >= 2);
}
