//! `crucible bundle`: events to tiered bundles.

use crate::checkpoint::Loaded;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::{io, output};
use crucible_core::bundles::{GenerateReport, PerSource, Settings, Similarity, generate};
use crucible_core::data::{Event, read_events};
use crucible_core::embeddings::Embeddings;
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
    /// Ranks negatives and scores danger with this model instead of the lexical embedding
    #[arg(long, value_name = "FILE", conflicts_with = "own_embeddings")]
    pub checkpoint: Option<PathBuf>,
    /// Ranks and scores with the events' own `embedding`s
    #[arg(long)]
    pub own_embeddings: bool,
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
    output::check_writable(&args.output)?;
    let events = read_events(&mut io::open(&args.events)?, &args.events.display().to_string())?;
    let vectors = vectors(args, ctx.global.device.as_deref(), &events)?;
    let similarity = vectors.as_ref().map_or(Similarity::Lexical, Similarity::Vectors);
    let (set, report) = generate(&events, similarity, &settings, args.seed)
        .map_err(|e| CliError::new(Exit::Data, format!("{}: {e}", args.events.display())))?;
    if set.bundles.is_empty() {
        let message = format!("{}: no bundle can be made of these events", args.events.display());
        return Err(CliError::new(Exit::Data, message).advise(left_out(&report)));
    }
    let mut file = output::AtomicFile::create(&args.output)?;
    set.write(&mut file).map_err(|e| CliError::io("write", &args.output, &e))?;
    file.commit()?;
    ctx.print(&report, &text(&report, &args.output))?;
    Ok(Exit::Success)
}

fn per_source(flag: &str, numbers: &[usize]) -> CliResult<PerSource> {
    match *numbers {
        [within_lemma, sibling, cross_lemma] => Ok(PerSource { within_lemma, sibling, cross_lemma }),
        _ => Err(CliError::usage(format!("{flag} takes three numbers (within the lemma, siblings, other lemmas)"))),
    }
}

fn vectors(args: &Args, device: Option<&str>, events: &[Event]) -> CliResult<Option<Embeddings>> {
    if let Some(path) = &args.checkpoint {
        return Loaded::read(path)?.embed(device, events).map(Some);
    }
    if !args.own_embeddings {
        return Ok(None);
    }
    let mut flat = Vec::new();
    let mut dim = 0;
    for event in events {
        let Some(vector) = &event.embedding else {
            let message = format!("{}: event \"{}\" has no `embedding`", args.events.display(), event.event_id);
            return Err(CliError::new(Exit::Data, message).advise("leave out --own-embeddings to rank by words"));
        };
        dim = vector.len();
        flat.extend_from_slice(vector);
    }
    Ok(Some(Embeddings::normalised(dim.max(1), flat)))
}

fn left_out(report: &GenerateReport) -> String {
    let parts: Vec<String> = report.left_out.iter().map(|l| format!("{} × {:?}", l.events, l.why)).collect();
    format!("events left out: {}", parts.join(", "))
}

fn text(report: &GenerateReport, path: &Path) -> String {
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
    if !report.left_out.is_empty() {
        let _ = writeln!(out, "  {}", left_out(report));
    }
    out
}
