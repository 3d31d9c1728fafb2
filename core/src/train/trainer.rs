//! The training loop: draws batches, steps, watches, logs, saves.
//!
//! It knows no files and no clock: what happens is told to an [`Observer`], which also says when to stop.

use super::batch::{Batcher, number_senses};
use super::engine::{Start, cpu};
use super::schedule::learning_rate;
use super::step::{Hyper, Optimizer, StepStats};
use crate::backend::BackendError;
use crate::config::{Config, Guardrails};
use crate::curriculum::{CELLS, Sampler};
use crate::data::BundleSet;
use crate::encoder::{Corpus, StaticEncoder};
use crate::guardrails::{Finding, Level, Report, gradients, loss_spike, quota};
use crate::parallel;
use serde::{Deserialize, Serialize};

/// Steps whose batches are made together.
const AHEAD: u64 = 16;

/// A run between two steps: everything that the next step depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// The model.
    pub encoder: StaticEncoder,
    /// The optimiser's memory.
    pub optimizer: Optimizer,
    /// What the guardrails remember.
    pub watch: Watch,
    /// Sums since the last logged step.
    pub window: Window,
}

impl State {
    /// Before the first step.
    #[must_use]
    pub fn new(encoder: StaticEncoder, guardrails: &Guardrails) -> Self {
        let optimizer = Optimizer::new(&encoder);
        Self { step: 0, encoder, optimizer, watch: Watch::new(guardrails), window: Window::default() }
    }

    /// The encoder as it is exported: pending weight decay applied.
    #[must_use]
    pub fn exported(&self) -> StaticEncoder {
        let mut encoder = self.encoder.clone();
        if encoder.learns_tokens() {
            self.optimizer.settle(&mut encoder.tokens, encoder.config.embedding_dim);
        } else {
            encoder.tokens = Vec::new();
        }
        encoder
    }
}

/// The monitors, and what they found since step 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// G5's.
    pub loss: loss_spike::Monitor,
    /// G6's.
    pub gradients: gradients::Monitor,
    /// Everything the guardrails said, in order.
    pub findings: Vec<Finding>,
}

impl Watch {
    fn new(config: &Guardrails) -> Self {
        Self {
            loss: loss_spike::Monitor::new(config.loss_window, config.loss_sigmas),
            gradients: gradients::Monitor::new(config.gradient_min, config.gradient_max),
            findings: Vec::new(),
        }
    }
}

/// Sums over the steps since the last logged one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Steps in it.
    pub steps: u64,
    /// Sum of losses.
    pub loss: f64,
    /// Sum of gradient norms.
    pub gradient_norm: f64,
    /// Slots drawn per cell.
    pub quota: [u64; CELLS],
}

/// One line of `metrics.jsonl`. It holds no time, so that the file repeats byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Steps done.
    pub step: u64,
    /// Mean loss since the line before.
    pub loss: f64,
    /// Mean gradient norm before clipping, since the line before.
    pub gradient_norm: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Slots per step for tier1, tier2 and tier3's legacy, organic, expanded.
    pub quota: [f64; CELLS],
}

/// Is told what happens.
pub trait Observer {
    /// A logged step.
    fn metrics(&mut self, metrics: &Metrics) -> Result<(), String>;
    /// Something that the user should know.
    fn warning(&mut self, message: &str);
    /// A guardrail's finding.
    fn finding(&mut self, finding: &Finding);
    /// The run should be saved as it is.
    fn save(&mut self, state: &State) -> Result<(), String>;
    /// The model should be scored as it is now: every [`eval_every`](crate::config::Experiment::eval_every) steps.
    fn evaluate(&mut self, _state: &State) -> Result<(), String> {
        Ok(())
    }
    /// A step was done; true to save and stop. Where several steps are done together, it is asked after the last of them.
    fn stop(&mut self, step: u64) -> bool;

    /// A step after which it will be asked, whatever is done together.
    fn halts_at(&self) -> Option<u64> {
        None
    }
}

/// Why a training ended early with an error.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A guardrail stopped it.
    #[error("{} {} ({}) stopped the run at step {step}: {}; {}", .finding.id, .finding.name, .finding.level.name(), .finding.message, .finding.advice)]
    Guardrail {
        /// Steps done.
        step: u64,
        /// The finding.
        finding: Box<Finding>,
    },
    /// The device failed.
    #[error("{0}")]
    Device(#[from] BackendError),
    /// The observer could not write.
    #[error("{0}")]
    Observer(String),
}

/// How a training ended.
#[derive(Debug)]
pub struct Outcome {
    /// The run after its last step.
    pub state: State,
    /// Whether it was stopped before the configured number of steps.
    pub stopped: bool,
    /// `[bundles]`: how often each bundle was drawn, since step 0.
    pub exposures: Vec<u32>,
    /// Bundles of each cell.
    pub cells: [Vec<u32>; CELLS],
}

/// Trains from `state` to the configured number of steps, or until the observer stops it.
///
/// # Errors
/// A guardrail that stops, or an observer that cannot write.
pub fn train(
    config: &Config,
    set: &BundleSet,
    corpus: &Corpus,
    seed: u64,
    state: State,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    train_on(&mut cpu, config, set, corpus, seed, state, observer)
}

/// [`train`] on the engine that `start` makes.
///
/// # Errors
/// As it, and a device that fails.
pub fn train_on(
    start: Start<'_>,
    config: &Config,
    set: &BundleSet,
    corpus: &Corpus,
    seed: u64,
    state: State,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let training = &config.training;
    let (mut sampler, warnings) = Sampler::new(set, &config.curriculum, training.steps, training.batch_size, seed);
    if state.step == 0 {
        warnings.iter().for_each(|w| observer.warning(w));
    }
    let batcher = Batcher {
        set,
        corpus,
        senses: number_senses(set),
        vocab: state.optimizer.row_decay.len(),
        weighted: !state.encoder.span_weights.is_empty(),
        window: state.encoder.config.span_window,
        token_dropout: state.encoder.config.token_dropout,
        seed,
    };
    let hyper = Hyper {
        loss: training.loss,
        temperature: training.temperature as f32,
        margin: training.margin as f32,
        in_batch: training.in_batch_negatives,
        clip: training.gradient_clip,
        weight_decay: training.weight_decay,
    };
    let mut exposures = vec![0u32; set.bundles.len()];
    let mut totals = [0u64; CELLS];
    let mut expected = [0f64; CELLS];
    let mut draws = Vec::new();
    let State { step: first, encoder, optimizer, mut watch, mut window } = state;
    for step in 0..first {
        let draw = sampler.draw();
        tally(&mut exposures, &mut totals, &mut expected, &draw, sampler.shares(step), training.batch_size);
    }
    let mut engine = start(encoder, optimizer)?;
    let every = config.experiment.checkpoint_every;
    let score_every = config.experiment.eval_every;
    let guard = &config.guardrails;
    let mut step = first;
    let mut stopped = false;
    'run: while step < training.steps {
        // A step after which the run is saved or scored ends a set of batches.
        let to_save = if every > 0 { every - step % every } else { AHEAD };
        let to_score = if score_every > 0 { score_every - step % score_every } else { AHEAD };
        let to_halt = observer.halts_at().and_then(|halt| halt.checked_sub(step)).filter(|n| *n > 0).unwrap_or(AHEAD);
        let ahead = AHEAD.min(training.steps - step).min(to_save).min(to_score).min(to_halt);
        draws.clear();
        for k in 0..ahead {
            let draw = sampler.draw();
            tally(&mut exposures, &mut totals, &mut expected, &draw, sampler.shares(step + k), training.batch_size);
            draws.push(draw);
        }
        let batches = parallel::map(ahead as usize, |k| batcher.batch(step + k as u64, &draws[k].bundles));
        let together = engine.together().max(1);
        for (batches, draws) in batches.chunks(together).zip(draws.chunks(together)) {
            let rates: Vec<f64> = (0..batches.len() as u64).map(|k| learning_rate(training, step + k)).collect();
            let stats = engine.steps(batches, &hyper, step + 1, &rates)?;
            for ((StepStats { loss, gradient_norm }, draw), lr) in stats.into_iter().zip(draws).zip(rates) {
                step += 1;
                window.steps += 1;
                window.loss += loss;
                window.gradient_norm += gradient_norm;
                window.quota.iter_mut().zip(draw.quota).for_each(|(w, q)| *w += q as u64);
                let seen = [watch.gradients.push(step, gradient_norm), watch.loss.push(step, loss)];
                for finding in seen.into_iter().flatten() {
                    observer.finding(&finding);
                    let report = Report::judge(vec![finding.clone()], guard.block_on_critical, &guard.overrides);
                    // Numbers that are lost stop any run.
                    if report.stops && (guard.enabled || finding.level >= Level::Severe) {
                        return Err(TrainError::Guardrail { step, finding: Box::new(finding) });
                    }
                    watch.findings.push(finding);
                }
                if step.is_multiple_of(config.experiment.log_every.max(1)) || step == training.steps {
                    observer.metrics(&metrics(&window, step, lr)).map_err(TrainError::Observer)?;
                    window = Window::default();
                }
            }
            let due = every > 0 && step.is_multiple_of(every) && step < training.steps;
            let stop = step < training.steps && observer.stop(step);
            let to_be_scored = score_every > 0 && step.is_multiple_of(score_every);
            if due || stop || to_be_scored {
                let (encoder, optimizer) = engine.take()?;
                let state = State { step, encoder, optimizer, watch, window };
                // Scored first: who goes on from here has been scored here.
                let scored = if to_be_scored { observer.evaluate(&state) } else { Ok(()) };
                let saved = scored.and_then(|()| if due || stop { observer.save(&state) } else { Ok(()) });
                let encoder;
                let optimizer;
                State { encoder, optimizer, watch, window, .. } = state;
                engine.put(encoder, optimizer);
                saved.map_err(TrainError::Observer)?;
            }
            if stop {
                stopped = true;
                break 'run;
            }
        }
    }
    if !stopped {
        let by_tier = |x: [f64; CELLS]| [x[0], x[1], x[2] + x[3] + x[4]];
        let drawn = by_tier(totals.map(|n| n as f64)).map(|n| n as u64);
        for finding in quota::check(drawn, by_tier(expected), guard.quota_floor) {
            observer.finding(&finding);
            watch.findings.push(finding);
        }
    }
    let cells = std::array::from_fn(|c| sampler.cell(c).to_vec());
    let (encoder, optimizer) = engine.take()?;
    Ok(Outcome { state: State { step, encoder, optimizer, watch, window }, stopped, exposures, cells })
}

fn tally(
    exposures: &mut [u32],
    totals: &mut [u64; CELLS],
    expected: &mut [f64; CELLS],
    draw: &crate::curriculum::Draw,
    shares: [f64; CELLS],
    batch_size: usize,
) {
    draw.bundles.iter().for_each(|b| exposures[*b as usize] += 1);
    for c in 0..CELLS {
        totals[c] += draw.quota[c] as u64;
        expected[c] += shares[c] * batch_size as f64;
    }
}

fn metrics(window: &Window, step: u64, learning_rate: f64) -> Metrics {
    let n = window.steps.max(1) as f64;
    Metrics {
        step,
        loss: window.loss / n,
        gradient_norm: window.gradient_norm / n,
        learning_rate,
        quota: window.quota.map(|q| q as f64 / n),
    }
}
