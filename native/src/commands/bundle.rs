//! `crucible bundle`: events to tiered bundles.

use crate::checkpoint::events;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output;
use crate::replace::Replace;
use crate::vectors::{Access, Origin, VectorArgs, Vectors};
use crucible_core::bundles::{self, GenerateReport, PerSource, Settings, generate, split_events};
use crucible_core::config::Guardrails;
use crucible_core::data::{BundleSet, Event};
use crucible_core::guardrails::leakage;
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
    /// Holds a share of the events back and writes their bundles here: an eval set of texts that training never sees
    #[arg(long, value_name = "FILE")]
    pub holdout: Option<PathBuf>,
    /// The share of the events that is held back
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share, requires = "holdout")]
    pub holdout_share: f64,
    /// What is held back whole: documents (the events' `doc`; texts where there is none), or single texts
    #[arg(long, value_enum, default_value_t = SplitBy::Document, requires = "holdout")]
    pub split_by: SplitBy,
    /// Seed of what is drawn
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// What stays together when events are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SplitBy {
    /// A document.
    Document,
    /// A text.
    Text,
}

impl From<SplitBy> for bundles::SplitBy {
    fn from(by: SplitBy) -> Self {
        match by {
            SplitBy::Document => Self::Document,
            SplitBy::Text => Self::Event,
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("expected a share between 0 and 1, such as 0.2".to_owned()),
    }
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
    let inputs = [vec![("--events", args.events.as_path())], source.files()].concat();
    let mut outputs = vec![("--output", args.output.as_path())];
    outputs.extend(args.holdout.as_deref().map(|path| ("--holdout", path)));
    args.replace.check(&outputs, &inputs)?;
    let events = events(&args.events)?;
    let make = |path, events: &[Event]| {
        let vectors = source.load(ctx.global.device.as_deref(), &args.events, events, Access::Memory)?;
        Part::make(path, events, &vectors, &settings, args)
    };
    let Some(holdout) = &args.holdout else {
        let part = make(&args.output, &events)?;
        output::commit_all([part.file(|_| true)?])?;
        return part.print(None, ctx);
    };
    let (known, held) = split_events(&events, args.holdout_share, args.seed, args.split_by.into());
    let pick = |places: Vec<usize>| -> Vec<Event> { places.into_iter().map(|i| events[i].clone()).collect() };
    let (train, held) = (make(&args.output, &pick(known))?, make(holdout, &pick(held))?);
    let repeats = leakage::known(&train.set, &held.set, Guardrails::default().near_duplicate);
    output::commit_all([train.file(|_| true)?, held.file(|bundle| !repeats[bundle])?])?;
    let repeated = repeats.iter().filter(|repeats| **repeats).count();
    train.print(Some((held, repeated)), ctx)
}

/// Bundles of one file.
struct Part<'a> {
    path: &'a Path,
    set: BundleSet,
    report: GenerateReport,
    origin: Origin,
}

impl<'a> Part<'a> {
    fn make(path: &'a Path, events: &[Event], vectors: &Vectors, settings: &Settings, args: &Args) -> CliResult<Self> {
        let (set, report) = generate(events, vectors.similarity(), settings, args.seed)
            .map_err(|e| CliError::new(Exit::Data, format!("{}: {e}", args.events.display())))?;
        if set.bundles.is_empty() {
            let message = format!("{}: no bundle can be made for {}", args.events.display(), path.display());
            return Err(CliError::new(Exit::Data, message).advise(left_out(&report)));
        }
        Ok(Self { path, set, report, origin: vectors.origin.clone() })
    }

    /// Those bundles that are `kept`, ready to appear.
    fn file(&self, kept: impl Fn(usize) -> bool) -> CliResult<output::AtomicFile> {
        let mut file = output::AtomicFile::create(self.path)?;
        let kept = (0..self.set.bundles.len()).filter(|i| kept(*i));
        self.set.write_some(kept, &mut file).map_err(|e| CliError::io("write", self.path, &e))?;
        Ok(file)
    }

    /// With what was held back, and how many bundles of that were left out.
    fn print(self, held: Option<(Self, usize)>, ctx: &Context) -> CliResult<Exit> {
        let mut text = said(&self.report, &self.origin, self.path);
        if let Some((held, repeated)) = &held {
            text += &said(&held.report, &held.origin, held.path);
            if *repeated > 0 {
                let _ = writeln!(
                    text,
                    "  left out: {repeated} held-back bundles, whose texts nearly repeat one to train on"
                );
            }
        }
        let holdout = held.map(|(held, repeated)| Holdout { report: held.report, repeated });
        ctx.print(&Reported { report: self.report, vectors: self.origin, holdout }, &text)?;
        Ok(Exit::Success)
    }
}

/// The generator's report, and what it ranked with.
#[derive(Serialize)]
struct Reported {
    #[serde(flatten)]
    report: GenerateReport,
    vectors: Origin,
    /// Of what was held back.
    #[serde(skip_serializing_if = "Option::is_none")]
    holdout: Option<Holdout>,
}

#[derive(Serialize)]
struct Holdout {
    #[serde(flatten)]
    report: GenerateReport,
    /// Bundles left out, as their texts nearly repeat one to train on.
    repeated: usize,
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

fn said(report: &GenerateReport, origin: &Origin, path: &Path) -> String {
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
