//! `crucible import`: what others wrote, as Crucible's own files.

pub(super) mod beir;
mod labelled;
mod predictions;
mod rows;
mod spool;
mod triplets;

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// What to read.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Texts with labels (CSV, TSV, JSON, Parquet) to events
    Labelled(Box<labelled::Args>),
    /// Anchors, positives and negatives of other libraries (JSON, CSV, TSV, Parquet) to bundles
    Triplets(Box<triplets::Args>),
    /// A BEIR folder (corpus, queries, relevances) to bundles
    Beir(beir::Args),
    /// Rankings that another program made to a scoreboard with items
    Predictions(predictions::Args),
}

/// What the user should know about an input, under the result.
fn with_notes(mut text: String, notes: &[String]) -> String {
    for note in notes {
        text += &format!("  ! {note}\n");
    }
    text
}

/// Runs it.
///
/// # Errors
/// Inputs with faults, outputs that can't be written.
pub fn run(action: &Action, ctx: &Context) -> CliResult<Exit> {
    match action {
        Action::Labelled(args) => labelled::run(args, ctx),
        Action::Triplets(args) => triplets::run(args, ctx),
        Action::Beir(args) => beir::run(args, ctx),
        Action::Predictions(args) => predictions::run(args, ctx),
    }
}
