//! The commands, one file each: read, call the core, present.
//!
//! To add one:
//!
//! 1. a file here with `pub struct Args` (clap's, its doc comments are the help) and
//!    `pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit>`;
//! 2. a variant of [`Command`] whose doc comment is the one line in `crucible --help`, and its arm in [`run`];
//! 3. if it reads no configuration, its name in [`Command::takes_config`];
//! 4. a module in `tests/cli/` that runs it.
//!
//! A command gets the configuration from [`Context::resolved_with`], prints results with [`Context::print`], writes
//! files with [`crate::output`] and says everything else through `ctx.reporter`. One that writes files which the user names
//! has a flattened [`crate::replace::Replace`], and calls its `check` with all of them before the work. Long ones poll
//! [`crate::signals::Stop`].

pub mod bench;
pub mod bundle;
pub mod capsule;
pub mod compare;
pub mod completions;
pub mod config;
pub mod demo;
pub mod devices;
pub mod embed;
pub mod eval;
pub mod export;
pub mod guardrail;
pub mod import;
pub mod init;
pub mod man;
pub mod mine;
pub mod pool;
pub mod power;
pub mod probe;
pub mod report;
pub mod serve;
pub mod split;
pub mod sweep;
pub mod sync;
pub mod train;
pub mod trial;

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use clap::Subcommand;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole loop on generated sample data, in about a minute
    Demo(demo::Args),
    /// Start a new project
    Init(init::Args),
    /// Keep events back for an eval set
    #[command(subcommand)]
    Split(split::Action),
    /// Make tiered bundles of events
    Bundle(bundle::Args),
    /// Train an encoder on bundles
    Train(train::Args),
    /// Read what others wrote: labelled texts, triplets, rankings
    #[command(subcommand)]
    Import(import::Action),
    /// Check and show the configuration
    #[command(subcommand)]
    Config(config::Action),
    /// Score a model on an eval set
    Eval(eval::Args),
    /// Set two scoreboards side by side: flips, intervals, a verdict
    Compare(compare::Args),
    /// Train and evaluate several conditions with several seeds, and map what they trade
    #[command(subcommand)]
    Sweep(sweep::Action),
    /// Run one line of a sweep's plan
    #[command(subcommand)]
    Trial(trial::Action),
    /// Send an MLflow server what runs could not tell it while they ran
    Sync(sync::Args),
    /// Run the guardrails over a configuration, data, a run or a results folder
    #[command(subcommand)]
    Guardrail(guardrail::Action),
    /// Write one page that shows what a folder of results says
    Report(report::Args),
    /// How many items or seeds it takes to see a change
    Power(power::Args),
    /// Tell senses apart by a model's vectors: centroids and neighbours
    Probe(probe::Args),
    /// Mine new killers from events, validated over many lineups
    Mine(mine::Args),
    /// Write a model's vectors of events
    Embed(embed::Args),
    /// Write what other programs read
    #[command(subcommand)]
    Export(export::Action),
    /// Merge, split, count and filter pools of hard bundles
    #[command(subcommand)]
    Pool(pool::Action),
    /// Pack a run with all that it takes to check and repeat it
    #[command(subcommand)]
    Capsule(capsule::Action),
    /// Evaluate checkpoints in the browser: the page, on an address of this machine
    Serve(serve::Args),
    /// List adapters, and which one `--device auto` takes
    Devices(devices::Args),
    /// Measure how fast this machine computes
    #[command(subcommand)]
    Bench(bench::Action),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page, or write one for each command
    Man(man::Args),
}

impl Command {
    /// Whether it reads the configuration: dotted flags are refused where they would do nothing.
    #[must_use]
    pub fn takes_config(&self) -> bool {
        match self {
            Self::Train(_) => true,
            Self::Sweep(action) => action.plans(),
            // Its guardrails need one.
            Self::Eval(args) => args.baseline_scoreboard.is_some(),
            Self::Guardrail(action) => matches!(action, guardrail::Action::Check(_)),
            Self::Split(_) => false,
            Self::Demo(_) | Self::Init(_) | Self::Bundle(_) | Self::Probe(_) | Self::Embed(_) | Self::Trial(_) => false,
            Self::Compare(_) | Self::Power(_) | Self::Import(_) | Self::Mine(_) | Self::Pool(_) | Self::Capsule(_) => {
                false
            }
            Self::Export(_) | Self::Report(_) | Self::Sync(_) => false,
            Self::Serve(_) | Self::Devices(_) | Self::Bench(_) | Self::Completions(_) | Self::Man(_) => false,
            Self::Config(action) => !matches!(action, config::Action::Schema),
        }
    }
}

/// Runs a command.
///
/// # Errors
/// Whatever stopped it.
pub fn run(command: Command, ctx: &Context) -> CliResult<Exit> {
    match command {
        Command::Demo(args) => demo::run(&args, ctx),
        Command::Init(args) => init::run(&args, ctx),
        Command::Split(action) => split::run(&action, ctx),
        Command::Bundle(args) => bundle::run(&args, ctx),
        Command::Train(args) => train::run(&args, ctx),
        Command::Import(action) => import::run(&action, ctx),
        Command::Config(action) => config::run(&action, ctx),
        Command::Eval(args) => eval::run(&args, ctx),
        Command::Compare(args) => compare::run(&args, ctx),
        Command::Sweep(action) => sweep::run(&action, ctx),
        Command::Sync(args) => sync::run(&args, ctx),
        Command::Trial(action) => trial::run(&action, ctx),
        Command::Guardrail(action) => guardrail::run(&action, ctx),
        Command::Power(args) => power::run(&args, ctx),
        Command::Probe(args) => probe::run(&args, ctx),
        Command::Mine(args) => mine::run(&args, ctx),
        Command::Embed(args) => embed::run(&args, ctx),
        Command::Export(action) => export::run(&action, ctx),
        Command::Pool(action) => pool::run(&action, ctx),
        Command::Report(args) => report::run(&args, ctx),
        Command::Capsule(action) => capsule::run(&action, ctx),
        Command::Serve(args) => serve::run(&args, ctx),
        Command::Devices(args) => devices::run(&args, ctx),
        Command::Bench(action) => bench::run(&action, ctx),
        Command::Completions(args) => completions::run(&args, ctx),
        Command::Man(args) => man::run(&args, ctx),
    }
}
