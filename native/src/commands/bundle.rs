//! `crucible bundle`: events to tiered bundles.

use crate::checkpoint::events;
use crate::commands::split::{By, fraction};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exclude::{self, ExcludeArgs};
use crate::exit::Exit;
use crate::output;
use crate::replace::Replace;
use crate::vectors::{Access, Origin, VectorArgs, Vectors};
use crucible_core::bundles::{GenerateReport, HeldBack, PerSource, Settings, generate, hold_back};
use crucible_core::config::Guardrails;
use crucible_core::data::{BundleSet, Event};
use crucible_core::overlap::Exclusion;
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
    /// Eval sets that are left out of training.
    #[command(flatten)]
    pub exclude: ExcludeArgs,
    /// Keeps a share of the events back and writes their bundles here: an eval set of texts that training never sees
    #[arg(long, value_name = "FILE")]
    pub holdout: Option<PathBuf>,
    /// Where the events go that are not kept back, for `crucible mine`; without it beside the output: X.jsonl,
    /// X_events.jsonl
    #[arg(long, value_name = "FILE", requires = "holdout")]
    pub train_events: Option<PathBuf>,
    /// The share of the events that is kept back
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = fraction, requires = "holdout")]
    pub holdout_share: f64,
    /// What stays together when events are kept back
    #[arg(long, value_enum, default_value_t = By::Document, requires = "holdout")]
    pub split_by: By,
    /// Seed of what is drawn
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

impl Args {
    /// Where the events go that are not kept back.
    fn train_events(&self) -> Option<PathBuf> {
        self.holdout.as_ref()?;
        Some(self.train_events.clone().unwrap_or_else(|| output::beside(&self.output, "_events.jsonl")))
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
    let mut inputs = vec![("--events", args.events.as_path())];
    inputs.extend(source.files().into_iter().chain(args.exclude.files()));
    let rest = args.train_events();
    let outputs =
        [("--output", Some(&args.output)), ("--holdout", args.holdout.as_ref()), ("--train-events", rest.as_ref())];
    let outputs: Vec<_> = outputs.into_iter().filter_map(|(flag, path)| Some((flag, path?.as_path()))).collect();
    args.replace.check(&outputs, &inputs)?;
    let near_duplicate = Guardrails::default().near_duplicate;
    let (events, excluded) = args.exclude.apply(&args.events, events(&args.events)?, near_duplicate)?;
    let make = |path, events: &[Event]| {
        let vectors = source.load(ctx.global.device.as_deref(), &args.events, events, Access::Memory)?;
        #[expect(clippy::op_ref, reason = "the type of `path` is known from it")]
        let once = path == &args.output;
        if once {
            vectors.notes.tell(&ctx.reporter);
        }
        Part::make(path, events, &vectors, &settings, args)
    };
    let (Some(holdout), Some(rest)) = (&args.holdout, args.train_events()) else {
        let part = make(&args.output, &events)?;
        output::commit_all([part.file()?])?;
        return print(part, excluded, None, ctx);
    };
    let by = args.split_by.into();
    let HeldBack { train, holdout: held, repeated } =
        hold_back(&events, args.holdout_share, args.seed, by, near_duplicate);
    let pick = |places: Vec<usize>| -> Vec<Event> { places.into_iter().map(|i| events[i].clone()).collect() };
    let (train, held) = (pick(train), make(holdout, &pick(held))?);
    let part = make(&args.output, &train)?;
    output::commit_all([part.file()?, held.file()?, output::json_lines(&rest, &train)?])?;
    print(part, excluded, Some((held, repeated.len(), rest)), ctx)
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

    /// Its bundles, ready to appear.
    fn file(&self) -> CliResult<output::AtomicFile> {
        let mut file = output::AtomicFile::create(self.path)?;
        self.set.write(&mut file).map_err(|e| CliError::io("write", self.path, &e))?;
        Ok(file)
    }
}

/// With what was kept back: its bundles, the events that were left out as repeated, and where the others went.
fn print(
    part: Part<'_>,
    excluded: Option<Exclusion>,
    held: Option<(Part<'_>, usize, PathBuf)>,
    ctx: &Context,
) -> CliResult<Exit> {
    let mut text = said(&part.report, &part.origin, part.path);
    if let Some(exclusion) = &excluded {
        text += &exclude::said(exclusion);
    }
    if let Some((held, repeated, rest)) = &held {
        text += &said(&held.report, &held.origin, held.path);
        if *repeated > 0 {
            let _ = writeln!(text, "  left out: {repeated} kept-back events, whose texts repeat one to train on");
        }
        let _ = writeln!(text, "{} events to train on and to mine → {}", part.report.events, rest.display());
    }
    let holdout = held.map(|(held, repeated, train_events)| Holdout { report: held.report, repeated, train_events });
    ctx.print(&Reported { report: part.report, vectors: part.origin, excluded, holdout }, &text)?;
    Ok(Exit::Success)
}

/// The generator's report, and what it ranked with.
#[derive(Serialize)]
struct Reported {
    #[serde(flatten)]
    report: GenerateReport,
    vectors: Origin,
    /// What `--exclude` left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    excluded: Option<Exclusion>,
    /// Of what was kept back.
    #[serde(skip_serializing_if = "Option::is_none")]
    holdout: Option<Holdout>,
}

#[derive(Serialize)]
struct Holdout {
    #[serde(flatten)]
    report: GenerateReport,
    /// Events left out, as their texts repeat one to train on.
    repeated: usize,
    /// Where the events that were not kept back are.
    train_events: PathBuf,
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
