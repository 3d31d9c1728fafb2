//! `crucible compare`: a candidate's scoreboard beside a baseline's, with a verdict.

mod present;

use super::eval::{mismatch, share};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::formats::Format;
use crate::{output, scoreboards};
use crucible_core::eval::{Item, Scoreboard};
use crucible_core::stats::{self, On, Settings, Verdict};
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The baseline: a scoreboard that `crucible eval` wrote, with its items beside it
    #[arg(value_name = "A.json")]
    pub baseline: PathBuf,
    /// The candidate, on the same eval set
    #[arg(value_name = "B.json")]
    pub candidate: PathBuf,
    /// The baseline's items, where they do not lie beside it
    #[arg(long, value_name = "FILE")]
    pub baseline_items: Option<PathBuf>,
    /// The candidate's items, where they do not lie beside it
    #[arg(long, value_name = "FILE")]
    pub candidate_items: Option<PathBuf>,
    /// A drop of the pass rate by this share is the least that matters; fix it beforehand
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, value_parser = delta)]
    pub delta: f64,
    /// What the verdict is about; tier3 falls back to all bundles where there is none
    #[arg(long, value_enum, default_value_t = Subject::Tier3)]
    pub on: Subject,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Compares what was measured on another eval set or by other rules; the output records it
    #[arg(long)]
    pub allow_fingerprint_mismatch: bool,
    /// Exit status of an INCONCLUSIVE verdict
    #[arg(long, value_name = "STATUS", default_value = "7", value_parser = ["0", "7"])]
    pub inconclusive_exit: String,
    /// Resamples of the bootstrap, and draws of signs
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(200..=100_000))]
    pub resamples: u32,
    /// Of the resamples
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
}

/// What a verdict is about.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Subject {
    /// The hardest tier
    Tier3,
    /// All bundles
    Overall,
}

/// Compares.
///
/// # Errors
/// Scoreboards or items that can't be read, and scoreboards of other evals (exit status 5).
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let read = |board: &Path, items: &Option<PathBuf>| -> CliResult<(Scoreboard, Vec<Item<'static>>)> {
        Ok((scoreboards::read(board)?, read_items(board, items.as_deref())?))
    };
    let baseline = read(&args.baseline, &args.baseline_items)?;
    let candidate = read(&args.candidate, &args.candidate_items)?;
    let settings = Settings { delta: args.delta, level: 0.95, resamples: args.resamples as usize, seed: args.seed };
    let on = match args.on {
        Subject::Tier3 => On::Tier3,
        Subject::Overall => On::Overall,
    };
    let sides = ((&baseline.0, baseline.1.as_slice()), (&candidate.0, candidate.1.as_slice()));
    let comparison = stats::compare(sides.0, sides.1, on, &settings, args.allow_fingerprint_mismatch)
        .map_err(|finding| mismatch(&args.baseline, &finding))?;
    for passed_over in &comparison.overrides {
        ctx.reporter.warn(format!("{} was passed over: {}", passed_over.id, passed_over.message));
    }
    if ctx.global.json || args.format == Format::Json {
        output::print_json(&comparison)?;
    } else {
        ctx.print(
            &comparison,
            &match args.format {
                Format::Markdown => present::markdown(&comparison),
                Format::Junit => present::junit(&comparison),
                _ => present::text(&comparison),
            },
        )?;
    }
    Ok(match comparison.verdict {
        Verdict::Pass => Exit::Success,
        Verdict::Fail => Exit::Stopped,
        Verdict::Inconclusive if args.inconclusive_exit == "0" => Exit::Success,
        Verdict::Inconclusive => Exit::Inconclusive,
    })
}

fn read_items(board: &Path, items: Option<&Path>) -> CliResult<Vec<Item<'static>>> {
    let path = items.map_or_else(|| scoreboards::items_found(board), Path::to_owned);
    scoreboards::read_items(&path).map_err(|e| {
        if path.exists() {
            return e;
        }
        let message = format!("{} has no items beside it: {} is not there", board.display(), path.display());
        CliError::new(Exit::Data, message)
            .advise("`crucible eval` writes both; name the file with --baseline-items or --candidate-items")
    })
}

fn delta(text: &str) -> Result<f64, String> {
    share(text).and_then(|delta| if delta > 0.0 { Ok(delta) } else { Err("a margin of 0 is never kept".to_owned()) })
}
