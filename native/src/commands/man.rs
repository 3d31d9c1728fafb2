//! `crucible man`: the manual, made from the command line's own help.

use crate::cli::Cli;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output;
use crate::replace::Replace;
use clap::CommandFactory;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "For example: crucible man | man -l -")]
pub struct Args {
    /// Writes crucible.1 and a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
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
            let pages = pages(&command, folder)?;
            let outputs: Vec<_> = pages.iter().map(|(path, _)| ("the page", path.as_path())).collect();
            args.replace.check(&outputs, &[])?;
            pages.iter().try_for_each(|(path, page)| output::write_file(path, page))?;
            ctx.reporter.note(format!("wrote {} pages to {}", pages.len(), folder.display()));
        }
    }
    Ok(Exit::Success)
}

/// The pages of a command and of those below it, each with its file.
fn pages(command: &clap::Command, folder: &Path) -> CliResult<Vec<(PathBuf, Vec<u8>)>> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut all = vec![(folder.join(format!("{name}.1")), page(command.clone())?)];
    for inner in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        all.extend(pages(inner, folder)?);
    }
    Ok(all)
}

fn page(command: clap::Command) -> CliResult<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|e| CliError::new(Exit::Error, format!("the manual page could not be made: {e}")))?;
    Ok(page)
}
