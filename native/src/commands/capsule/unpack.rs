//! `crucible capsule unpack`.

use super::archive::{self, Receiver};
use super::{Source, list};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::new_folder::{NewFolder, refuse_taken};
use crate::signals::Stop;
use std::io::Write;
use std::path::PathBuf;

const HELP: &str = "\
Everything is unpacked into a new folder beside the output, checked, and only then given its name: a capsule that is \
refused leaves nothing.

    crucible capsule unpack first.capsule.tar.zst --output-dir runs/first
    crucible capsule unpack first.capsule.tar.zst --output-dir first --public-key release.pub --max-bytes 500M";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// What is read.
    #[command(flatten)]
    pub source: Source,
    /// The folder to make; one that is there must be empty
    #[arg(long, short, value_name = "DIR")]
    pub output_dir: PathBuf,
}

/// Unpacks a capsule.
///
/// # Errors
/// The capsule is refused (exit status 3), the folder is not empty (2) or can't be written (1).
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let target = &args.output_dir;
    refuse_taken("--output-dir", target)?;
    let stop = Stop::listen()?;
    let (file, _) = args.source.open(ctx)?;
    let mut folder = NewFolder::beside(target)?;
    let metadata = archive::read(&args.source.capsule, file, args.source.limits(), &mut folder, &stop)?;
    folder.appear(target)?;
    ctx.print(&metadata, &format!("{}\nUnpacked: {}\n", list::text(&metadata), target.display()))?;
    Ok(Exit::Success)
}

impl Receiver for NewFolder {
    fn file(&mut self, path: &str) -> CliResult<Box<dyn Write + '_>> {
        // Names were checked, and all that is in the folder came from here: no link leads out of it.
        NewFolder::file(self, path)
    }
}
