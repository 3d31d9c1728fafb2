//! `crucible pool split`.

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::io;
use crate::output;
use crate::replace::Replace;
use crucible_core::data::{Pool, hex, read_bundles};
use crucible_core::pools::{self, InputFile, Manifest};
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundles to split (.jsonl, also .gz or .zst)
    #[arg(long, value_name = "FILE")]
    pub bundles: PathBuf,
    /// Where the training part goes
    #[arg(long, value_name = "FILE")]
    pub train: PathBuf,
    /// Where the holdout goes
    #[arg(long, value_name = "FILE")]
    pub holdout: PathBuf,
    /// The holdout's share of the bundles
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = super::fraction)]
    pub holdout_fraction: f64,
    /// Seed of the draw
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// What stays together: bundles of one anchor sense, or nothing
    #[arg(long, value_enum, default_value_t = By::Sense)]
    pub by: By,
    /// The pool that the holdout is drawn from; others stay in training, and where their sense is held out, in neither
    #[arg(long, value_enum)]
    pub pool: Option<PoolName>,
    /// Where the manifest goes; without it beside the holdout: X.jsonl, X_manifest.json
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// What stays together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// Bundles of one anchor sense
    Sense,
    /// Nothing: a sense may be on both sides
    Bundle,
}

/// A pool of tier3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PoolName {
    /// Original core killers
    Legacy,
    /// Mined
    Organic,
    /// Variants of legacy killers
    Expanded,
}

impl PoolName {
    fn pool(self) -> Pool {
        match self {
            Self::Legacy => Pool::Legacy,
            Self::Organic => Pool::Organic,
            Self::Expanded => Pool::Expanded,
        }
    }
}

/// Splits a file of bundles.
///
/// # Errors
/// Faults of the file, and a part that would be empty (exit status 3); files that can't be read or written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let manifest_path = args.manifest.clone().unwrap_or_else(|| output::beside(&args.holdout, "_manifest.json"));
    let outputs = [("--train", &*args.train), ("--holdout", &*args.holdout), ("the manifest", &*manifest_path)];
    args.replace.check(&outputs, &[("--bundles", &args.bundles)])?;

    let mut file = io::open_hashed(&args.bundles)?;
    let path = args.bundles.display().to_string();
    let set = read_bundles(file.reader(), &path)?;
    let pool = args.pool.map(PoolName::pool);
    let by = if args.by == By::Sense { pools::By::Sense } else { pools::By::Bundle };
    let split = pools::split(&set, args.holdout_fraction, args.seed, by, pool);
    if split.holdout.is_empty() || split.train.is_empty() {
        let part = if split.holdout.is_empty() { "holdout" } else { "training part" };
        let of = pool.map(|p| format!(" of the {} pool", p.name())).unwrap_or_default();
        let message = format!("{path}: the {part} would be empty: there are too few bundles or senses{of}");
        return Err(super::nothing_left(message, "choose another --holdout-fraction, --pool or --by bundle"));
    }

    let settings = [
        ("holdout_fraction", json!(args.holdout_fraction)),
        ("seed", json!(args.seed)),
        ("by", json!(if args.by == By::Sense { "sense" } else { "bundle" })),
        ("pool", json!(pool)),
    ];
    let mut manifest = super::manifest("pool split", settings);
    let bundles = set.bundles.len() as u64;
    let kept = bundles - split.counts.left_out;
    let sha256 = hex(&file.sha256()?);
    manifest.inputs.push(InputFile { path, sha256, bundles, kept, ..InputFile::default() });
    manifest.split = Some(split.counts);
    let mut files = Vec::new();
    for (path, part) in [(&args.train, &split.train), (&args.holdout, &split.holdout)] {
        let (file, written) = super::written(path, &set, part.iter().copied())?;
        files.push(file);
        manifest.outputs.push(written);
    }
    super::appear(files, &manifest, Some(&manifest_path))?;
    ctx.print(&manifest, &text(&manifest))?;
    Ok(Exit::Success)
}

fn text(manifest: &Manifest) -> String {
    let mut text = String::new();
    for (part, file) in ["train", "holdout"].iter().zip(&manifest.outputs) {
        let _ = writeln!(text, "{part:<8} {} → {}", super::said(&file.counts), file.path);
    }
    let counts = manifest.split.unwrap_or_default();
    let _ = writeln!(
        text,
        "Senses of anchors: {} in training, {} held out, {} in both.",
        counts.train_senses, counts.holdout_senses, counts.shared_senses
    );
    for (count, what) in [
        (counts.left_out, "bundles of held-out senses are of other pools: they are in neither part"),
        (counts.train_with_held_out_negatives, "training bundles have a negative of a held-out sense"),
        (counts.holdout_with_known_texts, "holdout bundles have an anchor or positive whose text training has too"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "  ! {count} {what}");
        }
    }
    text
}
