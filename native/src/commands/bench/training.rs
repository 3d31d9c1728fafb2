//! `crucible bench training`.

use super::{Scale, Setting, Spread};
use crate::context::Context;
use crate::device;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::table;
use crucible_core::backend::BackendError;
use crucible_core::bench::{self, Plan, Timing, Training};
use crucible_core::train::{self, DeviceTrainee, Engine};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Instant;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How large the model is; without it full on a GPU, quick elsewhere
    #[arg(long, value_enum)]
    size: Option<Scale>,
    /// Bundles in a batch; without it 32, 256 and 4096, or 8 and 32 in a quick run
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: Vec<u32>,
    /// How often each time is taken
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
}

/// What `crucible bench training --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TrainingTimes {
    /// The program's version.
    pub crucible_version: String,
    /// What was measured: `cpu`, or the adapter's name.
    pub device: String,
    /// Threads that computed, on the CPU.
    pub threads: Option<usize>,
    /// How large the model was: 30,000 rows of 256 numbers, or 2,000 in a quick run.
    pub size: Scale,
    /// By batch size.
    pub batches: Vec<BatchTimes>,
}

/// Steps of one batch size.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct BatchTimes {
    /// Bundles in a batch.
    pub batch: u32,
    /// By the host's clock, with bringing batches to the device and losses back.
    pub steps_per_second: Spread,
    /// How many times were taken.
    pub repeats: u32,
    /// Steps behind each.
    pub steps: u32,
    /// Loss of the last step: a sign that something was learned.
    pub loss: f64,
}

/// Measures and prints.
///
/// # Errors
/// A device that is missing or fails (4).
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let setting = Setting::new(ctx, args.size)?;
    let usual: &[u32] = if setting.scale == Scale::Full { &[32, 256, 4096] } else { &[8, 32] };
    let sizes = if args.batch.is_empty() { usual } else { &args.batch };
    let progress = ctx.reporter.start("measuring", "batch sizes", sizes.len() as u64);
    let mut batches = Vec::new();
    for &batch in sizes {
        progress.message(format!("batches of {batch}"));
        batches.push(times(&setting, batch, args.repeats, ctx)?);
        progress.inc(1);
    }
    drop(progress);
    let times = TrainingTimes {
        crucible_version: env!("CARGO_PKG_VERSION").to_owned(),
        device: setting.device(),
        threads: setting.backend.is_none().then(rayon::current_num_threads),
        size: setting.scale,
        batches,
    };
    ctx.print(&times, &text(&times))?;
    Ok(Exit::Success)
}

fn times(setting: &Setting, batch: u32, repeats: u32, ctx: &Context) -> CliResult<BatchTimes> {
    let mut training = Training::new(batch as usize, setting.scale.into());
    let (encoder, optimizer) = training.start();
    let plan = setting.plan(repeats);
    // An engine keeps its device: each batch size gets its own.
    let backend = if setting.backend.is_some() { super::open(ctx)? } else { None };
    let timed = match backend {
        // On a worker of the pool, where forking off work is cheapest.
        None => rayon::scope(|_| time(&mut training, train::cpu(encoder, optimizer)?.as_mut(), &plan)),
        Some(backend) => DeviceTrainee::new(backend, &encoder, &optimizer)
            .and_then(|mut engine| time(&mut training, &mut engine, &plan)),
    };
    let (timing, loss) = timed.map_err(|e| device::failed(&e))?;
    let rate = |seconds: f64| f64::from(training.steps()) / seconds;
    let steps_per_second = Spread { median: rate(timing.median), min: rate(timing.max), max: rate(timing.min) };
    Ok(BatchTimes { batch, steps_per_second, repeats: timing.repeats, steps: timing.runs * training.steps(), loss })
}

/// Times runs of `training`; with the last step's loss.
fn time(training: &mut Training, engine: &mut dyn Engine, plan: &Plan) -> Result<(Timing, f64), BackendError> {
    let mut loss = f64::NAN;
    let timing = bench::measure(plan, |runs| {
        let clock = Instant::now();
        loss = training.run(engine, runs)?;
        Ok(clock.elapsed().as_secs_f64())
    })?;
    Ok((timing, loss))
}

fn text(times: &TrainingTimes) -> String {
    let title = ["batch", "steps/s", "least", "most", "loss"].map(str::to_owned);
    let line = |row: &BatchTimes| {
        let Spread { median, min, max } = row.steps_per_second;
        [
            row.batch.to_string(),
            format!("{median:.1}"),
            format!("{min:.1}"),
            format!("{max:.1}"),
            format!("{:.3}", row.loss),
        ]
    };
    let rows: Vec<[String; 5]> = std::iter::once(title).chain(times.batches.iter().map(line)).collect();
    let vocabulary = if times.size == Scale::Full { "30,000" } else { "2,000" };
    let head = format!(
        "{}: a static encoder of {vocabulary} rows of 256 numbers, a head of two layers of 256, five negatives, 29 tokens \
         a text.",
        times.device
    );
    table::wrapped("", 0, &head) + "\n" + &table::aligned(&rows)
}
