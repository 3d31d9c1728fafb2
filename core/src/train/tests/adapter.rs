//! Adapters: a head learns on ready vectors, and these stay as they are.

use super::device::{on, same_curve};
use super::runs::{Notes, config, toy};
use super::*;
use crate::backend::cpu::CpuBackend;
use crate::config::{Config, ModelKind};
use crate::encoder::{Checkpoint, CorpusBuilder, Encoder, EncoderError};
use crate::eval::score;

const DIM: usize = 12;

/// The toy's events with vectors: their sense is in the last four numbers, beneath noise in the others.
fn ready() -> Toy {
    let mut toy = toy();
    let mut stream = Stream::new(7, "ready", 0);
    let senses = number_senses(&toy.set);
    for (event, sense) in toy.set.events.iter_mut().zip(senses) {
        let mut vector: Vec<f32> = (0..DIM).map(|_| stream.symmetric(2.0)).collect();
        for (bit, x) in vector[DIM - 4..].iter_mut().enumerate() {
            *x = 0.5 * (if (sense >> bit) & 1 == 1 { 1.0 } else { -1.0 }) + stream.symmetric(0.1);
        }
        event.embedding = Some(vector);
    }
    let mut builder = CorpusBuilder::of_ready(DIM);
    builder.extend(&toy.set.events).expect("all have vectors");
    toy.corpus = builder.finish();
    toy.vocab = 0;
    toy
}

fn settings(steps: u64) -> Config {
    let mut config = config(steps);
    config.model = Model { embedding_dim: DIM, hidden_dim: DIM, kind: ModelKind::Adapter, ..config.model };
    config
}

fn fresh(toy: &Toy, config: &Config) -> State {
    State::new(StaticEncoder::init(&config.model, 0, &toy.corpus, 42).expect("fits"), &config.guardrails)
}

fn passed(toy: &Toy, encoder: &StaticEncoder) -> usize {
    score(&toy.set, &encoder.embed(&toy.corpus)).iter().filter(|score| score.passes()).count()
}

#[test]
fn its_first_step_is_that_of_token_vectors_and_the_vectors_stay() {
    let toy = ready();
    let config = settings(1);
    let encoder = StaticEncoder::init(&config.model, 0, &toy.corpus, 3).expect("fits");
    let mut free = encoder.clone();
    // As many tokens as events, each with that event's vector.
    free.config = Model { kind: ModelKind::Static, span_window: 0, ..free.config };
    let batcher = |vocab| Batcher {
        vocab,
        weighted: false,
        window: 0,
        senses: number_senses(&toy.set),
        ..toy.batcher(&config.model, 5)
    };
    let bundles: Vec<u32> = (0..24).collect();
    let hyper = hyper(Loss::InfoNce, true);
    let step = |encoder: StaticEncoder, vocab| {
        let optimizer = Optimizer::new(&encoder);
        let mut trainee = Trainee::new(encoder, optimizer);
        trainee.step(&batcher(vocab).batch(0, &bundles), &hyper, 1, 0.01);
        trainee.encoder
    };
    let before = encoder.clone();
    let (fixed, free) = (step(encoder, 0), step(free, toy.set.events.len()));
    assert_eq!(fixed.layers, free.layers, "the head's step is the same, bit for bit");
    assert_ne!(fixed.layers, before.layers);
    assert_eq!(fixed.tokens, before.tokens);
    assert_ne!(free.tokens, before.tokens);
}

#[test]
fn it_learns_what_noise_hides_on_the_cpu_and_on_a_device() {
    let toy = ready();
    let mut config = settings(150);
    config.experiment.log_every = 10;
    let start = fresh(&toy, &config);
    let before = passed(&toy, &start.encoder);
    let mut notes = Notes::default();
    let outcome = train(&config, &toy.set, &toy.corpus, 42, start, &mut notes).expect("trains");
    let after = passed(&toy, &outcome.state.exported());
    assert!(before < 40 && after > before + 6, "{before} of 48 before, {after} after");
    let (there, other) = on(|| CpuBackend, &toy, &config, fresh(&toy, &config));
    same_curve("adapter", &other.metrics[..4], &notes.metrics[..4], 1e-3);
    assert_eq!(there.state.encoder.tokens, outcome.state.encoder.tokens, "ready vectors stay");
}

#[test]
fn a_resumed_run_ends_in_the_same_bytes_and_its_state_holds_no_vectors() {
    let toy = ready();
    let config = settings(40);
    let mut notes = Notes { stop_at: Some(16), ..Notes::default() };
    let stopped = train(&config, &toy.set, &toy.corpus, 42, fresh(&toy, &config), &mut notes).expect("trains");
    assert!(stopped.stopped);
    let bytes = stopped.state.to_bytes("run").expect("writes");
    let row: Vec<u8> = toy.corpus_row(0).iter().flat_map(|x| x.to_le_bytes()).collect();
    assert!(!bytes.windows(row.len()).any(|w| w == row), "a ready vector is in the state");
    let state = State::from_bytes(&bytes, "run", fresh(&toy, &config)).expect("reads");
    let resumed = train(&config, &toy.set, &toy.corpus, 42, state, &mut Notes::default()).expect("trains");
    let whole = train(&config, &toy.set, &toy.corpus, 42, fresh(&toy, &config), &mut Notes::default()).expect("trains");
    assert_eq!(resumed.state.exported(), whole.state.exported());
}

impl Toy {
    fn corpus_row(&self, event: usize) -> Vec<f32> {
        let mut encoder = StaticEncoder::default();
        encoder.take_ready(&self.corpus);
        encoder.tokens[event * DIM..][..DIM].to_vec()
    }
}

#[test]
fn its_checkpoint_is_a_head_alone_and_comes_back() {
    let toy = ready();
    let config = settings(1);
    let encoder = fresh(&toy, &config).exported();
    let checkpoint = Checkpoint { encoder, tokenizer: None, step: 9, seed: 42, version: "0".to_owned() };
    let bytes = checkpoint.to_bytes().expect("writes");
    let back = Checkpoint::from_bytes(&bytes).expect("reads");
    assert_eq!((&back.encoder, back.step), (&checkpoint.encoder, 9));
    assert!(back.tokenizer.is_none() && back.encoder.tokens.is_empty());
    let embedded = back.embed_events(&toy.set.events).expect("embeds");
    assert_eq!(embedded, checkpoint.encoder.embed(&toy.corpus));
    let conditions = back.conditions().expect("are known");
    assert_eq!((&conditions["loader"], &conditions["input_dim"]), (&"crucible_adapter".into(), &DIM.into()));

    // A file that says it is one kind and is the other.
    let liar = Model { kind: ModelKind::Static, ..checkpoint.encoder.config.clone() };
    let encoder = StaticEncoder { config: liar, ..checkpoint.encoder.clone() };
    assert!(Checkpoint { encoder, ..checkpoint }.to_bytes().and_then(|b| Checkpoint::from_bytes(&b)).is_err());
}

#[test]
fn events_without_vectors_or_with_others_are_named() {
    let toy = ready();
    let refused = |change: &dyn Fn(&mut Event)| {
        let mut events = toy.set.events.clone();
        change(&mut events[7]);
        let mut builder = CorpusBuilder::of_ready(DIM);
        builder.extend(&events).expect_err("is refused")
    };
    let event_id = toy.set.events[7].event_id.clone();
    let error = refused(&|event| event.embedding = None);
    assert_eq!(error, EncoderError::NoVector { event_id: event_id.clone() });
    let error = refused(&|event| event.embedding = Some(vec![1.0; 3]));
    assert_eq!(error, EncoderError::VectorWidth { event_id, found: 3, expected: DIM });
    let no_head = Model { num_layers: 0, ..settings(1).model };
    assert!(StaticEncoder::init(&no_head, 0, &toy.corpus, 1).is_err(), "without a head there is nothing to learn");
}

#[cfg(feature = "gpu")]
#[test]
fn on_a_gpu_it_takes_the_same_steps() {
    let make = || crate::backend::gpu::tests::backend(|device| device);
    let Some(backend) = make() else { return };
    let toy = ready();
    let mut config = settings(40);
    config.training.learning_rate = 1e-3;
    config.experiment.log_every = 4;
    let mut notes = Notes::default();
    let cpu = train(&config, &toy.set, &toy.corpus, 42, fresh(&toy, &config), &mut notes).expect("trains");
    let (gpu, seen) = on(|| make().expect("opened a moment ago"), &toy, &config, fresh(&toy, &config));
    same_curve("adapter", &seen.metrics, &notes.metrics, 1e-3);
    assert_eq!(gpu.state.encoder.tokens, cpu.state.encoder.tokens, "ready vectors stay");
    let encoder = cpu.state.exported();
    let there = pollster::block_on(encoder.embed_on(&backend, &toy.corpus)).expect("embeds");
    let here = encoder.embed(&toy.corpus);
    let far = there.vectors.iter().zip(&here.vectors).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(there.dim == here.dim && far < 1e-5, "{far} apart");
}
