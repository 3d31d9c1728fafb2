//! `crucible export`: what other programs read.

mod beir;
mod static_folder;
mod trec;
mod triplets;

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// What to write.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// A trained static model as a folder for sentence-transformers and model2vec
    Static(static_folder::Args),
    /// Bundles as rows that sentence-transformers, FlagEmbedding or Tevatron train on
    Triplets(triplets::Args),
    /// Bundles as a BEIR folder (corpus, queries, relevances)
    Beir(beir::Args),
    /// A model's ranking as a TREC run, with relevances
    Trec(Box<trec::Args>),
}

/// Runs one of them.
///
/// # Errors
/// Inputs that can't be read or have no such form, outputs that can't be written.
pub fn run(action: &Action, ctx: &Context) -> CliResult<Exit> {
    match action {
        Action::Static(args) => static_folder::run(args, ctx),
        Action::Triplets(args) => triplets::run(args, ctx),
        Action::Beir(args) => beir::run(args, ctx),
        Action::Trec(args) => trec::run(args, ctx),
    }
}
