//! `crucible bundle`: events to tiered bundles.

use crate::checkpoint::events;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output;
use crate::vectors::{Access, Origin, VectorArgs};
use crucible_core::bundles::{GenerateReport, PerSource, Settings, generate};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Events (JSON Lines)
    #[arg(long, value_name = "FILE")]
    pub events: PathBuf,
    /// Where the bundles go (JSON Lines; .gz and .zst are packed)
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// What ranks negatives and scores danger.
    #[command(flatten)]
    pub vectors: VectorArgs,
    /// Negatives from other senses of the lemma, from siblings, from other lemmas
    #[arg(long, value_name = "N,N,N", value_delimiter = ',', default_values_t = [3, 1, 1])]
    pub negatives: Vec<usize>,
    /// How many of the nearest texts of each source they are drawn from
    #[arg(long, value_name = "N,N,N", value_delimiter = ',', default_values_t = [10, 5, 20])]
    pub depths: Vec<usize>,
    /// Bundles of one anchor, each with another positive
    #[arg(long, default_value_t = 1)]
    pub bundles_per_event: usize,
    /// At most so many anchors of a sense
    #[arg(long, value_name = "N")]
    pub max_per_sense: Option<usize>,
    /// Seed of what is drawn
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
}

/// Makes the bundles.
///
/// # Errors
/// Faults in the events, settings out of range, an output that can't be written.
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let settings = Settings {
        negatives: per_source("--negatives", &args.negatives)?,
        depths: per_source("--depths", &args.depths)?,
        bundles_per_event: args.bundles_per_event,
        max_per_sense: args.max_per_sense,
        ..Settings::default()
    };
    settings.check().map_err(|e| CliError::usage(e.to_string()))?;
    let source = args.vectors.source();
    let taken = [vec![("--events", args.events.as_path())], source.files()].concat();
    output::refuse_overwriting("--output", &args.output, &taken)?;
    output::check_writable(&args.output)?;
    let events = events(&args.events)?;
    let vectors = source.load(ctx.global.device.as_deref(), &args.events, &events, Access::Memory)?;
    let (set, report) = generate(&events, vectors.similarity(), &settings, args.seed)
        .map_err(|e| CliError::new(Exit::Data, format!("{}: {e}", args.events.display())))?;
    if set.bundles.is_empty() {
        let message = format!("{}: no bundle can be made of these events", args.events.display());
        return Err(CliError::new(Exit::Data, message).advise(left_out(&report)));
    }
    let mut file = output::AtomicFile::create(&args.output)?;
    set.write(&mut file).map_err(|e| CliError::io("write", &args.output, &e))?;
    file.commit()?;
    let text = text(&report, &vectors.origin, &args.output);
    ctx.print(&Reported { report, vectors: vectors.origin }, &text)?;
    Ok(Exit::Success)
}

/// The generator's report, and what it ranked with.
#[derive(Serialize)]
struct Reported {
    #[serde(flatten)]
    report: GenerateReport,
    vectors: Origin,
}

fn per_source(flag: &str, numbers: &[usize]) -> CliResult<PerSource> {
    match *numbers {
        [within_lemma, sibling, cross_lemma] => Ok(PerSource { within_lemma, sibling, cross_lemma }),
        _ => Err(CliError::usage(format!("{flag} takes three numbers (within the lemma, siblings, other lemmas)"))),
    }
}

fn left_out(report: &GenerateReport) -> String {
    let parts: Vec<String> = report.left_out.iter().map(|l| format!("{} × {:?}", l.events, l.why)).collect();
    format!("events left out: {}", parts.join(", "))
}

fn text(report: &GenerateReport, origin: &Origin, path: &Path) -> String {
    let mut out = format!(
        "{} bundles from {} events ({} senses, {} lemmas) → {}\n",
        report.bundles,
        report.events,
        report.senses,
        report.lemmas,
        path.display()
    );
    let _ = writeln!(out, "  {:<18} {:>8}   within lemma / sibling / cross lemma", "tier", "bundles");
    for (tier, name) in ["tier1_easy", "tier2_robust", "tier3_adversarial"].into_iter().enumerate() {
        let n = &report.tier_negatives[tier];
        let _ = writeln!(
            out,
            "  {name:<18} {:>8}   {} / {} / {}",
            report.tiers[tier], n.within_lemma, n.sibling, n.cross_lemma
        );
    }
    let _ = writeln!(out, "  ranked by {origin}");
    if report.zero_vectors > 0 {
        let _ = writeln!(out, "  ! {} events have a zero vector", report.zero_vectors);
    }
    if !report.left_out.is_empty() {
        let _ = writeln!(out, "  {}", left_out(report));
    }
    out
}
