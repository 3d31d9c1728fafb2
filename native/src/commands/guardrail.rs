//! `crucible guardrail`: every guardrail over what is there, and the versions of a frozen eval.

pub(crate) mod boards;
pub mod check;
mod foreign;
mod present;
pub(crate) mod runs;
mod version;

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// What to do with guardrails.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Run every guardrail that what is given allows; exit status 6 when one stops
    Check(Box<check::Args>),
    /// Record what was appended to a frozen eval in its versions file
    AddVersion(version::Args),
}

/// Runs one of them.
///
/// # Errors
/// Inputs that can't be read, outputs that can't be written.
pub fn run(action: &Action, ctx: &Context) -> CliResult<Exit> {
    match action {
        Action::Check(args) => check::run(args, ctx),
        Action::AddVersion(args) => version::run(args, ctx),
    }
}
