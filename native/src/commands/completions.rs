//! `crucible completions SHELL`.

use crate::cli::Cli;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::output;
use clap::CommandFactory;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "For example: crucible completions bash > ~/.local/share/bash-completion/completions/crucible")]
pub struct Args {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Prints the script.
///
/// # Errors
/// The output can't be written.
pub fn run(args: &Args, _: &Context) -> CliResult<Exit> {
    // Through a buffer: the library would panic on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "crucible", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
