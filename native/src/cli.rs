//! The command line: what may be typed. What it means is decided in the commands.

use crate::commands::Command;
use crate::progress::Level;
use clap::{Args, Parser};
use std::num::NonZeroUsize;
use std::path::PathBuf;

// One line for each paragraph: clap wraps them to the terminal.
const AFTER_HELP: &str = "\
Any key of the configuration is a flag too: --training.steps 20000, --experiment.seeds 1,2,3.

Exit status: 0 success, 1 other error, 2 usage or configuration, 3 faults in data, 4 device, 5 different fingerprints, \
6 stopped by a guardrail or a FAIL verdict, 7 INCONCLUSIVE verdict, 75 stopped by SIGTERM, SIGUSR1 or SIGHUP after saving, \
130 interrupted.

Environment: CRUCIBLE_CONFIG, CRUCIBLE_DEVICE, CRUCIBLE_WEBHOOK, CRUCIBLE_CACHE_DIR, NO_COLOR.";

/// Train embedding models on hard cases, and see which ones they keep.
#[derive(Debug, Parser)]
#[command(name = "crucible", version, after_long_help = AFTER_HELP, subcommand_required = true, max_term_width = 120)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Configuration file; without it ./crucible.yaml, if it is there
    #[arg(long, global = true, value_name = "PATH", env = "CRUCIBLE_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// Says more about what it does
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Prints only errors and results. Warnings about a result are also in its files and in --json
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Where to compute: auto, cpu, gpu or gpu:N [env: CRUCIBLE_DEVICE]
    // The variable is read with the configuration, so that `config show` can name it.
    #[arg(long, global = true, value_name = "DEVICE", value_parser = device)]
    pub device: Option<String>,
    /// Threads to compute with; without it one for each core
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Prints results as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

impl Global {
    /// How much is said.
    #[must_use]
    pub fn level(&self) -> Level {
        match (self.quiet, self.verbose) {
            (true, _) => Level::Quiet,
            (false, true) => Level::Verbose,
            (false, false) => Level::Normal,
        }
    }
}

fn device(text: &str) -> Result<String, String> {
    match crucible_core::config::is_device(text) {
        true => Ok(text.to_owned()),
        false => {
            Err("expected auto, cpu, gpu or gpu:N (cuda is accepted for gpu); `crucible devices` lists them".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_and_command_has_help() {
        fn walk(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{} {} has no help", command.get_name(), arg.get_id());
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }
}
