//! `crucible export static`.

use crate::checkpoint::Loaded;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::new_folder::{NewFolder, refuse_taken};
use crucible_core::encoder::{EncoderError, export_static};
use serde_json::json;
use std::path::PathBuf;

const HELP: &str = "\
Both libraries then give the vectors that Crucible gives: sentence-transformers for every text, model2vec for texts in which \
every token is known and which are not cut (docs/ENCODERS.md says why).

    crucible export static --checkpoint runs/first/checkpoint_final.safetensors --output first-model
    python -c \"from sentence_transformers import SentenceTransformer as S; print(S('first-model').encode('bank'))\"";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The model: a checkpoint_final.safetensors
    #[arg(long, value_name = "FILE")]
    pub checkpoint: PathBuf,
    /// The folder to make; one that is there must be empty
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// Leaves out weights by distance to the marked word: vectors are then those of texts without one
    #[arg(long)]
    pub without_span_weights: bool,
}

/// Writes the folder.
///
/// # Errors
/// A checkpoint that can't be read, or that such a folder can't hold (exit status 2); a folder that can't be written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    refuse_taken("--output", &args.output)?;
    let loaded = Loaded::own(&args.checkpoint)?;
    let files = export_static(&loaded.model, args.without_span_weights).map_err(|error| {
        let message = format!("{}: {error}", args.checkpoint.display());
        match &error {
            EncoderError::NotRepresentable { .. } if loaded.model.encoder.config.num_layers > 1 => {
                CliError::usage(message)
                    .advise("train with --model.num_layers 1 or 0, or write its vectors with `crucible embed`")
            }
            EncoderError::NotRepresentable { .. } => CliError::usage(message)
                .advise("--without-span-weights leaves them out; or train with --model.span_window 0"),
            _ => CliError::new(Exit::Error, message),
        }
    })?;
    let folder = NewFolder::beside(&args.output)?;
    for (name, bytes) in &files {
        let mut file = folder.file(name)?;
        file.write_all(bytes).and_then(|()| file.flush()).map_err(|e| CliError::io("write", &args.output, &e))?;
    }
    folder.appear(&args.output)?;
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let json = json!({ "output": args.output.display().to_string(), "files": names, "checkpoint_hash": loaded.hash });
    ctx.print(&json, &format!("{}: {}\n", args.output.display(), names.join(", ")))?;
    Ok(Exit::Success)
}
