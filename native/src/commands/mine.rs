//! `crucible mine`: new killers from events, validated over many lineups.
//!
//! `*_resume_state.json` lies beside the output until the run is finished: which batches are done, and what they gave.
//! A run that starts over removes it first. Bundles hold no time, so a run that was killed ends in the same bytes as one
//! that was not; times go to the statistics.

mod args;
mod said;
mod state;
mod threshold;

pub use args::{Args, GuardArgs, Preset, ThresholdArg};

use crate::context::Context;
use crate::device::GpuScreen;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::io;
use crate::output::{self, AtomicFile, WholeFile};
use crate::signals::Stop;
use crate::vectors::{Access, Source, Vectors};
use args::Outputs;
use crucible_core::data::{BundleSet, Event, hex, read_bundles, read_events};
use crucible_core::mining::{self, Candidate, Corpus, Known, Miner, Null, RunInfo, Seconds, Settings, Threshold};
use crucible_core::neighbours::Screen;
use crucible_core::overlap::Exclusion;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use state::{Keeper, State};
use std::path::Path;
use std::time::{Duration, Instant};

/// Vectors in a file that take more memory than this are left there.
const MAP_FROM: u64 = 1 << 30;

/// What is read before the work.
struct Inputs {
    /// Without those that eval sets hold.
    events: Vec<Event>,
    events_sha256: String,
    /// What was left out of them.
    excluded: Option<Exclusion>,
    /// With the SHA-256 of the file.
    existing: Option<(BundleSet, String)>,
}

/// Mines.
///
/// # Errors
/// Settings out of range (2), faults in events, vectors or bundles (3), outputs that can't be written (1).
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let settings = args.settings()?;
    let sources = args.sources();
    let outputs = args.outputs(&sources)?;
    if args.resume && outputs.are_finished() {
        ctx.reporter.note(format!("{} is finished; skipped", args.output.display()));
        return Ok(Exit::Success);
    }
    // Before the work: a queue that can't be read is not replaced.
    outputs.review.as_deref().map(verdicts).transpose()?;
    let stop = Stop::listen()?;
    let mut seconds = Seconds::default();
    let inputs = timed(&mut seconds.read, || read(args, &settings))?;
    let vectors = timed(&mut seconds.embed, || load(args, &sources, &inputs, ctx))?;

    let clock = Instant::now();
    let corpus = Corpus::new(&inputs.events)
        .map_err(|e| CliError::new(Exit::Data, format!("{}: {e}", args.events.display())))?;
    let thresholds = threshold::all(args, &sources, &vectors, &inputs, &corpus, ctx)?;
    let known = inputs.existing.as_ref().map(|(set, _)| Known::new(&corpus, set)).unwrap_or_default();
    let existing_bundles = known.bundles();
    let models: Vec<_> = vectors.iter().map(Vectors::similarity).collect();
    let values = thresholds.iter().map(|t| t.value).collect();
    let screen = GpuScreen::asked_for(ctx.global.device.as_deref(), vectors[0].rows())?;
    if let Some(screen) = &screen {
        ctx.reporter.note(format!("searching on {}", screen.name()));
    }
    let miner = Miner::new(&corpus, &models, values, known, settings.clone())
        .map_err(|e| CliError::new(Exit::Error, e.to_string()))?;
    let plan = miner.plan(args.shard, args.batch);
    seconds.prepare = clock.elapsed().as_secs_f64();
    if plan.candidates == 0 {
        let message = format!("{}: no sense has two texts, so there is no pair to test", args.events.display());
        return Err(CliError::new(Exit::Data, message).advise(said::left_out(&corpus)));
    }

    outputs.tidy()?;
    let run_id = run_id(args, &settings, &inputs, &vectors, &thresholds);
    let mut keeper =
        Keeper::open(&outputs.state, run_id, args.resume, Duration::from_secs_f64(args.save_every.max(0.0)))?;
    let mut state = keeper.state(seconds);
    if !mine(&miner, screen.as_ref(), &plan, &mut state, &mut keeper, &stop, ctx)? {
        ctx.reporter.note("stopped and saved; the same command with --resume goes on");
        return Ok(stop.exit().unwrap_or(Exit::Interrupted));
    }
    if let Some(failure) = screen.as_ref().and_then(GpuScreen::failure) {
        ctx.reporter.warn(format!("the device failed, and the CPU did its work: {failure}"));
    }
    let null = timed(&mut state.seconds.null, || if args.null_candidates > 0 { miner.null() } else { None });
    keeper.save_once(&state)?;
    finish(args, &outputs, &miner, state, (&vectors, thresholds), null, (&inputs, existing_bundles), ctx)?;
    keeper.remove()?;
    Ok(Exit::Success)
}

fn timed<R>(seconds: &mut f64, f: impl FnOnce() -> R) -> R {
    let clock = Instant::now();
    let result = f();
    *seconds += clock.elapsed().as_secs_f64();
    result
}

fn read(args: &Args, settings: &Settings) -> CliResult<Inputs> {
    let mut file = io::open_hashed(&args.events)?;
    let events = read_events(file.reader(), &args.events.display().to_string())?;
    let events_sha256 = hex(&file.sha256()?);
    let (events, excluded) = args.exclude.apply(&args.events, events, settings.near_duplicate)?;
    let existing = match &args.existing_tier3 {
        None => None,
        Some(path) => {
            let mut file = io::open_hashed(path)?;
            let set = read_bundles(file.reader(), &path.display().to_string())?;
            Some((set, hex(&file.sha256()?)))
        }
    };
    Ok(Inputs { events, events_sha256, excluded, existing })
}

/// What a person wrote into the review queue that is there; nothing where there is none.
fn verdicts(path: &Path) -> CliResult<Vec<Map<String, Value>>> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    mining::read_queue(&mut *io::open(path)?, &path.display().to_string()).map_err(|faults| {
        CliError::from(faults).advise("it may hold somebody's verdicts: correct it, move it, or name another --review")
    })
}

/// The vectors of the events, of each model.
fn load(args: &Args, sources: &[Source], inputs: &Inputs, ctx: &Context) -> CliResult<Vec<Vectors>> {
    let device = ctx.global.device.as_deref();
    let access = |source: &Source| match source {
        Source::File { vectors, .. } => {
            let large = std::fs::metadata(vectors).is_ok_and(|m| m.len() > MAP_FROM);
            if args.map_embeddings || large { Access::Mapped } else { Access::Memory }
        }
        _ => Access::Memory,
    };
    let load = |source: &Source| {
        let vectors = source.load(device, &args.events, &inputs.events, access(source))?;
        vectors.notes.tell(&ctx.reporter);
        Ok(vectors)
    };
    sources.iter().map(load).collect()
}

/// What a resume state must belong to: all that decides what is mined.
fn run_id(args: &Args, settings: &Settings, inputs: &Inputs, vectors: &[Vectors], thresholds: &[Threshold]) -> String {
    let decides = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "settings": settings,
        "events": inputs.events_sha256,
        "existing": inputs.existing.as_ref().map(|e| &e.1),
        "excluded": inputs.excluded.as_ref().map(|e| e.evals.iter().map(|eval| &eval.sha256).collect::<Vec<_>>()),
        "models": vectors.iter().map(|v| v.origin.id()).collect::<Vec<_>>(),
        "thresholds": thresholds.iter().map(|t| t.value).collect::<Vec<_>>(),
        "shard": args.shard.map(|s| (s.number, s.of)),
        "batch": args.batch,
    });
    hex(&Sha256::digest(decides.to_string().as_bytes()))
}

/// Works through the batches from where the state is; false when it was stopped before the end.
fn mine(
    miner: &Miner<'_>,
    screen: Option<&GpuScreen<'_>>,
    plan: &mining::Plan,
    state: &mut State,
    keeper: &mut Keeper,
    stop: &Stop,
    ctx: &Context,
) -> CliResult<bool> {
    let progress = ctx.reporter.start("mining", "candidates", plan.candidates as u64);
    let started = Instant::now();
    let before = state.mined.counts.candidates;
    progress.set(before);
    let screen = screen.map(|screen| screen as &dyn Screen);
    while state.next < plan.batches.len() {
        if stop.requested() {
            keeper.save(state)?;
            return Ok(false);
        }
        let searched = timed(&mut state.seconds.search, || miner.search(&plan.batches[state.next], screen));
        let mined = timed(&mut state.seconds.validate, || miner.validate(&searched));
        state.mined.add(mined, miner.settings().max_output);
        state.next += 1;
        let counts = &state.mined.counts;
        let rate = (counts.candidates - before) as f64 / started.elapsed().as_secs_f64();
        progress.message(format!("{rate:.0} candidates/s, {} accepted", counts.accepted));
        progress.set(counts.candidates);
        if state.next < plan.batches.len() {
            keeper.save_in_time(state)?;
        }
    }
    Ok(true)
}

/// Writes what was mined, the statistics last: where they are, what they speak of is too.
#[expect(clippy::too_many_arguments, reason = "the end of a run meets all of it")]
fn finish(
    args: &Args,
    outputs: &Outputs,
    miner: &Miner<'_>,
    mut state: State,
    (vectors, thresholds): (&[Vectors], Vec<Threshold>),
    null: Option<Null>,
    (inputs, existing_bundles): (&Inputs, usize),
    ctx: &Context,
) -> CliResult<()> {
    let clock = Instant::now();
    let mut more = Map::new();
    more.insert("scored_by".to_owned(), json!(vectors.iter().map(|v| v.origin.id()).collect::<Vec<_>>()));
    more.extend(args.mined_at.iter().map(|time| ("mined_at".to_owned(), json!(time))));
    let mut files = vec![bundles(&outputs.bundles, miner, &state.mined.accepted, &more)?];
    let mut quarantined = 0;
    if let Some(path) = &outputs.quarantine {
        let mut more = more.clone();
        more.insert("quarantined".to_owned(), Value::Bool(true));
        quarantined = state.mined.quarantined.len();
        files.push(bundles(path, miner, &state.mined.quarantined, &more)?);
    }
    let mut suspects = None;
    if let Some(path) = &outputs.review {
        let found = mining::suspects(miner, &state.mined.accepted);
        suspects = Some(found.len());
        // Read again: somebody may have worked on it meanwhile.
        let (queue, carried) = mining::carry_over(found, verdicts(path)?);
        said::carried(carried, path, ctx);
        files.push(output::json_lines(path, &queue)?.finish()?);
    }
    state.seconds.write += clock.elapsed().as_secs_f64();
    let stats = mining::stats(
        miner,
        &state.mined,
        RunInfo {
            events_path: args.events.display().to_string(),
            events_sha256: inputs.events_sha256.clone(),
            existing_path: args.existing_tier3.as_ref().map(|path| path.display().to_string()),
            existing_bundles,
            excluded: inputs.excluded.clone(),
            shard: args.shard.map(|s| format!("{}/{}", s.number, s.of)),
            thresholds,
            null,
            written: state.mined.accepted.len(),
            quarantined,
            suspects,
            seconds: state.seconds,
            timestamp: crate::clock::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
    );
    files.push(AtomicFile::holding(&outputs.stats, output::json_text(&stats)?.as_bytes())?.finish()?);
    output::appear_all(files)?;
    said::warn(&stats, ctx);
    if args.timings {
        ctx.reporter.note(said::seconds(&stats));
    } else {
        ctx.reporter.detail(said::seconds(&stats));
    }
    ctx.print(&stats, &said::text(&stats, outputs))
}

fn bundles(
    path: &Path,
    miner: &Miner<'_>,
    candidates: &[Candidate],
    more: &Map<String, Value>,
) -> CliResult<WholeFile> {
    let mut file = AtomicFile::create(path)?;
    miner.bundles(candidates, more).write(&mut file).map_err(|e| CliError::io("write", path, &e))?;
    file.finish()
}
