//! `crucible export`: what other programs read.

mod static_folder;

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// What to write.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// A trained static model as a folder for sentence-transformers and model2vec
    Static(static_folder::Args),
}

/// Runs one of them.
///
/// # Errors
/// Inputs that can't be read or have no such form, outputs that can't be written.
pub fn run(action: &Action, ctx: &Context) -> CliResult<Exit> {
    match action {
        Action::Static(args) => static_folder::run(args, ctx),
    }
}
