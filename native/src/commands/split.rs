//! `crucible split`: parts of a file that are kept apart.

mod events;

pub(crate) use events::fraction;
pub use events::{Args, By, Part, Parts};

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// What is split.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Keep a share of the events back for an eval set, without what repeats a text to train on
    Events(events::Args),
}

/// Splits a file.
///
/// # Errors
/// Faults of the input, outputs that can't be written.
pub fn run(action: &Action, ctx: &Context) -> CliResult<Exit> {
    match action {
        Action::Events(args) => events::run(args, ctx),
    }
}
