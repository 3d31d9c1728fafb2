//! The `crucible` command: files, terminals, signals and threads around the core.
//!
//! A run goes through `main`: dotted flags are taken out (`overrides`), clap reads the rest (`cli`), a [`Context`]
//! holds what every command needs, a command in `commands` does the work, and its outcome becomes an exit status
//! (`exit`) in one place.

pub mod checkpoint;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod context;
pub mod device;
pub mod display;
pub mod error;
pub mod evals;
pub mod evaluation;
pub mod exclude;
pub mod exit;
pub mod folder;
pub mod formats;
pub mod guards;
pub mod http;
pub mod hub;
pub mod huge_pages;
pub mod io;
pub mod ledger;
pub mod lock;
pub mod new_folder;
pub mod output;
pub mod overrides;
pub mod parquet_file;
pub mod previous;
pub mod progress;
pub mod reference;
pub mod replace;
pub mod scoreboards;
pub mod signals;
pub mod table;
pub mod tracking;
pub mod training;
pub mod trials;
pub mod vectors;
pub mod versions;
pub mod web_assets;
pub mod webhook;

use clap::Parser;
use cli::Cli;
use context::Context;
use crucible_core::config::Override;
use error::{CliError, CliResult};
use exit::Exit;
use progress::{Level, Reporter};
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with the arguments that it was started with.
#[must_use]
pub fn main(args: Vec<OsString>) -> ExitCode {
    let unreadable = args.iter().find(|arg| arg.to_str().is_none()).map(|arg| arg.display().to_string());
    let split = overrides::split(args);
    let (cli, overrides) = match split {
        Err(error) => return ended(&Reporter::new(Level::Normal), Err(error)).into(),
        Ok((rest, overrides)) => match Cli::try_parse_from(rest) {
            // Help and version are "errors" of clap's that end with 0 and go to the standard output.
            Err(error) => {
                let code = if error.use_stderr() { Exit::Usage } else { Exit::Success };
                let plain = error.render().to_string();
                match crucible_core::printable_lines(&plain) {
                    std::borrow::Cow::Borrowed(_) => drop(error.print()),
                    // What was typed, such as a name that a shell filled in.
                    std::borrow::Cow::Owned(shown) => {
                        let _ = std::io::Write::write_all(&mut std::io::stderr(), shown.as_bytes());
                    }
                }
                return code.into();
            }
            Ok(cli) => (cli, overrides),
        },
    };
    let reporter = Reporter::new(cli.global.level());
    let result = match unreadable.filter(|_| cli.command.takes_config()) {
        Some(shown) => Err(overrides::not_text(&shown)),
        None => run(cli, overrides, reporter.clone()),
    };
    ended(&reporter, result).into()
}

fn run(cli: Cli, overrides: Vec<Override>, reporter: Reporter) -> CliResult<Exit> {
    let Cli { global, command } = cli;
    if let (Some(first), false) = (overrides.first(), command.takes_config()) {
        let message = format!("`{}` sets a key of the configuration, and this command uses none", first.flag);
        return Err(CliError::usage(message).advise("leave it out"));
    }
    context::start_threads(global.threads)?;
    commands::run(command, &Context::new(global, overrides, reporter))
}

/// The one place where an outcome becomes an exit status and an error is printed.
fn ended(reporter: &Reporter, result: CliResult<Exit>) -> Exit {
    match result {
        Ok(exit) => exit,
        Err(error) => {
            if !error.message.is_empty() {
                reporter.error(&error);
            }
            error.exit
        }
    }
}
