//! `crucible sweep`: conditions times seeds, trained and evaluated, and what they say together.

mod args;
pub(crate) mod collect;
mod local;
mod present;
mod slurm;
mod tracked;
mod upfront;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::signals::Stop;
use crate::tracking::Server;
use crate::tracking::journal::Status;
use crate::trials::{self, Found, PLAN, State};
use crate::{guards, io, output};
pub(super) use tracked::server;

use args::{Ablation, Common, Executor, Ratio, StatusArgs, Steps};
use crucible_core::config::{Config, decides};
use crucible_core::curriculum::{CELLS, cell_sizes, exposure};
use crucible_core::data::{hex, read_bundles};
use crucible_core::guardrails::Before;
use crucible_core::sweep::{Trial, plan};
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// What to sweep, or what to do with a sweep.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Shares of tier3's pools
    Ratio(Ratio),
    /// How long to train: one run a seed, evaluated at each step
    Steps(Steps),
    /// Training bundles
    Ablation(Ablation),
    /// Write the trials of a sweep, one a line, and run nothing
    #[command(subcommand)]
    Plan(Plan),
    /// How far the trials of a sweep are
    Status(StatusArgs),
    /// Put the results of finished trials together
    Collect(args::CollectArgs),
}

/// What to plan.
#[derive(Debug, clap::Subcommand)]
pub enum Plan {
    /// Shares of tier3's pools
    Ratio(Ratio),
    /// How long to train
    Steps(Steps),
    /// Training bundles
    Ablation(Ablation),
}

impl Action {
    /// Whether it reads the configuration.
    #[must_use]
    pub fn plans(&self) -> bool {
        !matches!(self, Self::Status(_) | Self::Collect(_))
    }
}

/// Runs it.
///
/// # Errors
/// Faults in flags or configuration, a folder of another sweep, and the first trial's that failed.
pub fn run(action: &Action, ctx: &Context) -> CliResult<Exit> {
    match action {
        Action::Ratio(args) => sweep(&args.planned(ctx)?, &args.common, ctx),
        Action::Steps(args) => sweep(&args.planned(ctx)?, &args.common, ctx),
        Action::Ablation(args) => sweep(&args.planned(ctx)?, &args.common, ctx),
        Action::Plan(Plan::Ratio(args)) => write_plan(&args.planned(ctx)?, ctx),
        Action::Plan(Plan::Steps(args)) => write_plan(&args.planned(ctx)?, ctx),
        Action::Plan(Plan::Ablation(args)) => write_plan(&args.planned(ctx)?, ctx),
        Action::Status(args) => status(&args.output_dir, ctx),
        Action::Collect(args) => {
            let trials = trials::read(&args.output_dir.join(PLAN))?;
            upfront::baseline(args.analysis.baseline.as_deref(), &trials)?;
            let collected = collect::collect(&args.output_dir, &trials, &args.analysis)?;
            tracked::collected(&args.output_dir, &trials, ctx)?;
            ctx.print(&collected, &present::collected(&collected, &args.output_dir))?;
            Ok(Exit::Success)
        }
    }
}

/// Trials and the folder that they go to.
struct Planned {
    trials: Vec<Trial>,
    root: std::path::PathBuf,
    /// The configuration of whoever runs the sweep. A plan holds no secrets: trials get them from here.
    caller: Config,
}

fn write_plan(planned: &Planned, ctx: &Context) -> CliResult<Exit> {
    let _lock = upfront::lock(&planned.root)?;
    let path = save_plan(planned)?;
    let n = planned.trials.len();
    let text = format!(
        "{n} trials → {}\nrun one: crucible trial run --plan {0} --index 0   (to {})\n",
        path.display(),
        n.saturating_sub(1)
    );
    ctx.print(&json!({"plan": path, "trials": n}), &text)?;
    Ok(Exit::Success)
}

/// Writes the plan; one that is there may only be added to.
fn save_plan(planned: &Planned) -> CliResult<std::path::PathBuf> {
    output::create_folder(&planned.root)?;
    let path = planned.root.join(PLAN);
    output::remove_leftovers(&path)?;
    if path.exists() {
        let known = |old: &Trial| {
            let new = planned.trials.iter().find(|t| t.dir == old.dir);
            new.is_some_and(|new| {
                new.identity() == old.identity() || trials::failed_untrained(&planned.root.join(&old.dir))
            })
        };
        if let Some(other) = trials::read(&path)?.iter().find(|old| !known(old)) {
            let message = format!("{} is the plan of another sweep: {} is not in this one", path.display(), other.dir);
            return Err(CliError::usage(message).advise("choose another --output-dir, or give the same settings"));
        }
    }
    output::write_json_lines(&path, &planned.trials)?;
    Ok(path)
}

fn sweep(planned: &Planned, common: &Common, ctx: &Context) -> CliResult<Exit> {
    if common.dry_run {
        return dry_run(planned, ctx);
    }
    let server = tracked::needed(planned)?;
    upfront::refuse_running(&planned.root)?;
    let found = upfront::look(planned, common.executor == Executor::Local, ctx)?;
    let _lock = upfront::lock(&planned.root)?;
    let plan = save_plan(planned)?;
    let tracked = tracked::sweep(&planned.root, &planned.trials, server.clone(), &ctx.reporter);
    if common.executor == Executor::Slurm {
        if let Some(tracked) = &tracked {
            tracked.begin(None);
            tracked.leave();
        }
        return slurm::submit(planned, common, &plan, ctx);
    }
    let stop = Stop::listen()?;
    if let Some(tracked) = &tracked {
        tracked.begin(None);
    }
    let ended = here(planned, common, found, server, &stop, ctx);
    if let Some(tracked) = &tracked {
        tracked.end(match &ended {
            Ok(Exit::Success) => Status::Finished,
            Ok(_) => Status::Killed,
            Err(_) => Status::Failed,
        });
    }
    ended
}

/// Runs the trials on this machine, and puts their results together.
fn here(
    planned: &Planned,
    common: &Common,
    found: Found,
    server: Option<Arc<Server>>,
    stop: &Stop,
    ctx: &Context,
) -> CliResult<Exit> {
    let done = local::run(planned, common, found, server, stop, ctx)?;
    if let Some(exit) = stop.exit().filter(|_| done.stopped) {
        ctx.reporter.note("stopped and saved; the same command goes on");
        return Ok(exit);
    }
    let Some((_, first)) = done.failed.first() else {
        let collected = collect::collect(&planned.root, &planned.trials, &common.analysis)?;
        ctx.print(&collected, &present::collected(&collected, &planned.root))?;
        return Ok(Exit::Success);
    };
    for (name, error) in &done.failed {
        ctx.reporter.error(format!("{name}: {error}"));
    }
    let message = format!("{} of {} trials failed", done.failed.len(), planned.trials.len());
    let failed =
        CliError::new(first.exit, message).advise("mend the cause and run the same command: finished ones are kept");
    if done.failed.len() < planned.trials.len() {
        let collected = collect::collect(&planned.root, &planned.trials, &common.analysis)?;
        ctx.print(&collected, &present::collected(&collected, &planned.root))?;
    }
    Err(failed)
}

/// What would be run, and how often each legacy bundle would be seen.
fn dry_run(planned: &Planned, ctx: &Context) -> CliResult<Exit> {
    let mut rows =
        vec![["condition", "seeds", "steps", "looks a legacy bundle", "organic", "expanded"].map(str::to_owned)];
    let mut json = Vec::new();
    let mut sizes: BTreeMap<&str, [u64; CELLS]> = BTreeMap::new();
    for trials in planned.trials.chunk_by(|a, b| a.condition == b.condition) {
        let config = &trials[0].config;
        let bundles = config.data.bundles.as_deref().unwrap_or_default();
        let sizes = match sizes.entry(bundles) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(new) => new.insert(cell_sizes(&read_bundles(&mut io::open(Path::new(bundles))?, bundles)?)),
        };
        let exposures = exposure::exposures(config, *sizes);
        let looks = exposures.pools.iter().map(|p| p.expected);
        let cells: Vec<String> = looks.map(|x| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.1}"))).collect();
        let seeds: Vec<String> = trials.iter().map(|t| t.seed.to_string()).collect();
        let cell = |i: usize| cells.get(i).cloned().unwrap_or_default();
        rows.push([
            trials[0].condition.clone(),
            seeds.join(" "),
            config.training.steps.to_string(),
            cell(0),
            cell(1),
            cell(2),
        ]);
        json.push(json!({"condition": trials[0].condition, "seeds": seeds, "exposures": exposures}));
    }
    let mut text = crate::table::aligned(&rows);
    let _ = writeln!(
        text,
        "\n{} trials would go to {}; nothing was written.",
        planned.trials.len(),
        planned.root.display()
    );
    ctx.print(&json, &text)?;
    Ok(Exit::Success)
}

fn status(root: &Path, ctx: &Context) -> CliResult<Exit> {
    let trials = trials::read(&root.join(PLAN))?;
    let states = trials.iter().map(|t| trials::state(root, t)).collect::<CliResult<Vec<State>>>()?;
    let before: Vec<_> = trials.iter().map(|t| guards::read_before(&root.join(&t.dir))).collect::<CliResult<_>>()?;
    let of = |((t, state), before): ((&Trial, &State), &Option<Before>)| {
        json!({
            "index": t.index, "condition": t.condition, "seed": t.seed, "dir": t.dir, "is": state,
            "guardrails_before": before,
        })
    };
    let json: Vec<_> = trials.iter().zip(&states).zip(&before).map(of).collect();
    ctx.print(&json, &present::status(&trials, &states, &before))?;
    Ok(Exit::Success)
}

fn planned(config: &Config, conditions: &crucible_core::sweep::Conditions, common: &Common) -> CliResult<Planned> {
    let seeds = common.seeds(config);
    let root = common.root(config)?;
    let mut trials = plan(config, conditions, &seeds).map_err(|e| CliError::usage(e.to_string()))?;
    upfront::baseline(common.analysis.baseline.as_deref(), &trials)?;
    hash_inputs(&mut trials)?;
    Ok(Planned { trials, root, caller: config.clone() })
}

/// Notes what the input files of trials hold. One that is not there is left to whoever reads it.
fn hash_inputs(trials: &mut [Trial]) -> CliResult<()> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for trial in trials {
        for (key, path) in decides::inputs(&trial.config) {
            if !Path::new(&path).is_file() {
                continue;
            }
            let hash = match known.get(&path) {
                Some(hash) => hash.clone(),
                None => hex(&io::sha256(Path::new(&path))?),
            };
            known.insert(path, hash.clone());
            trial.inputs.insert(key, hash);
        }
    }
    Ok(())
}
