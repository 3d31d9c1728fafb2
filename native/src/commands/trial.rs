//! `crucible trial`: one run of a sweep's plan, by itself. Every engine that runs sweeps calls it.

use super::sweep;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::signals::Stop;
use crate::trials::{self, Ended, Runner};
use crucible_core::config::Config;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to do with a trial.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Train and evaluate one line of a plan; finished, it is skipped, broken, it is resumed
    Run(Args),
}

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The plan, as `crucible sweep plan` writes it; results go to folders beside it
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// Which of its trials, from 0
    #[arg(long, value_name = "I")]
    pub index: usize,
}

/// The configuration of this machine, for what a plan never holds: secrets. Trials run without them, too.
fn caller(ctx: &Context) -> Config {
    ctx.config().unwrap_or_else(|error| {
        ctx.reporter.warn(format!("no webhook is told, since the configuration of this folder can't be used: {error}"));
        Config::default()
    })
}

/// Runs it.
///
/// # Errors
/// No such trial, and whatever stops it.
pub fn run(action: &Action, ctx: &Context) -> CliResult<Exit> {
    let Action::Run(args) = action;
    let plan = trials::read(&args.plan)?;
    let count = plan.len();
    let trial = plan.into_iter().nth(args.index).ok_or_else(|| {
        CliError::usage(format!("{} holds {count} trials, there is no {}", args.plan.display(), args.index))
            .advise("indices begin at 0")
    })?;
    let stop = Stop::listen()?;
    let root = args.plan.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let named = format!("{} seed {}", trial.condition, trial.seed);
    let server = sweep::server(&trial.config, ctx)?.map(Arc::new);
    let caller = caller(ctx);
    let ended = Runner::new(root, &caller, server, &stop, ctx)
        .run(&trial, &|what| ctx.reporter.note(format!("{named}: {what}")))?;
    let dir = root.join(&trial.dir);
    let state = match ended {
        Ended::Finished => "finished",
        Ended::Skipped => "was finished",
        Ended::Stopped => "stopped and saved; the same command goes on",
    };
    let json = json!({"dir": dir.display().to_string(), "condition": trial.condition, "seed": trial.seed, "finished": ended != Ended::Stopped});
    ctx.print(&json, &format!("{named}: {state} → {}\n", dir.display()))?;
    Ok(stop.exit().filter(|_| ended == Ended::Stopped).unwrap_or(Exit::Success))
}
