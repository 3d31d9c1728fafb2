//! `crucible man`: the manual, made from the command line's own help.

use crate::cli::Cli;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output;
use clap::CommandFactory;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "For example: crucible man | man -l -")]
pub struct Args {
    /// Writes crucible.1 and a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
}

/// Prints the main page, or writes all of them.
///
/// # Errors
/// The output can't be written.
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    match &args.output_dir {
        None => output::print(&String::from_utf8_lossy(&page(command)?))?,
        Some(folder) => {
            let count = write_pages(&command, folder)?;
            ctx.reporter.note(format!("wrote {count} pages to {}", folder.display()));
        }
    }
    Ok(Exit::Success)
}

fn write_pages(command: &clap::Command, folder: &Path) -> CliResult<usize> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    output::write_file(&folder.join(format!("{name}.1")), &page(command.clone())?)?;
    let mut count = 1;
    for inner in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        count += write_pages(inner, folder)?;
    }
    Ok(count)
}

fn page(command: clap::Command) -> CliResult<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|e| CliError::new(Exit::Error, format!("the manual page could not be made: {e}")))?;
    Ok(page)
}
