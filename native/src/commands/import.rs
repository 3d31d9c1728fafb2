//! `crucible import`: what others wrote, as Crucible's own files.

pub(super) mod beir;
mod labelled;
mod predictions;
mod triplets;

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// What to read.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Texts with labels (CSV, TSV, JSON Lines or Parquet) to events
    Labelled(labelled::Args),
    /// Anchors, positives and negatives of other libraries (JSON Lines, CSV, TSV, Parquet) to bundles
    Triplets(triplets::Args),
    /// A BEIR folder (corpus, queries, relevances) to bundles
    Beir(beir::Args),
    /// Rankings that another program made to a scoreboard with items
    Predictions(predictions::Args),
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
