//! `crucible split events`.

use crate::checkpoint::events;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output;
use crate::replace::Replace;
use crucible_core::bundles::{HeldBack, SplitBy, hold_back};
use crucible_core::data::Event;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Events (JSON Lines; .gz and .zst are unpacked)
    #[arg(long, value_name = "FILE")]
    pub events: PathBuf,
    /// Where the events to train on go
    #[arg(long, value_name = "FILE")]
    pub train: PathBuf,
    /// Where the events that are kept back go
    #[arg(long, value_name = "FILE")]
    pub holdout: PathBuf,
    /// The share of the events that is kept back
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = fraction)]
    pub fraction: f64,
    /// What stays together
    #[arg(long, value_enum, default_value_t = By::Document)]
    pub by: By,
    /// Jaccard index of word shingles from which on two texts are near-duplicates: one of the holdout that nearly
    /// repeats a text to train on is in neither file
    #[arg(long, value_name = "INDEX", default_value_t = 0.8, value_parser = jaccard)]
    pub near_duplicate: f64,
    /// Seed of the draw
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// What stays together when events are kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Documents (the events' `doc`); events without one, by text
    Document,
    /// Lemmas: the holdout asks about words that training never compares
    Lemma,
    /// Senses: the holdout asks about senses that training never pulls together
    Sense,
    /// Single texts
    Text,
}

impl From<By> for SplitBy {
    fn from(by: By) -> Self {
        match by {
            By::Document => Self::Document,
            By::Lemma => Self::Lemma,
            By::Sense => Self::Sense,
            By::Text => Self::Event,
        }
    }
}

/// A share between 0 and 1, both excluded.
pub(crate) fn fraction(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("expected a share between 0 and 1, such as 0.2".to_owned()),
    }
}

fn jaccard(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(index) if index > 0.0 && index <= 1.0 => Ok(index),
        _ => Err("expected an index above 0, up to 1 (1: only the same shingles)".to_owned()),
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Parts {
    /// Events read.
    pub events: usize,
    /// What stayed together.
    pub by: By,
    /// The share that was asked for.
    pub fraction: f64,
    /// Seed of the draw.
    pub seed: u64,
    /// The part to train on.
    pub train: Part,
    /// The part that is kept back.
    pub holdout: Part,
    /// Events in neither part: they were drawn for the holdout, and their texts repeat one to train on.
    pub repeated: usize,
    /// Senses of which both parts have events.
    pub shared_senses: usize,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Part {
    /// Its path.
    pub path: String,
    /// Events.
    pub events: usize,
    /// Senses.
    pub senses: usize,
    /// Lemmas.
    pub lemmas: usize,
}

impl Part {
    fn new(path: &Path, events: &[&Event]) -> Self {
        let count = |of: fn(&Event) -> &str| events.iter().map(|e| of(e)).collect::<BTreeSet<_>>().len();
        Self {
            path: path.display().to_string(),
            events: events.len(),
            senses: count(|e| &e.sense),
            lemmas: count(|e| &e.lemma),
        }
    }
}

/// Splits a file of events.
///
/// # Errors
/// Faults of the file, a part that would be empty (exit status 3); files that can't be read or written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    args.replace.check(&[("--train", &args.train), ("--holdout", &args.holdout)], &[("--events", &args.events)])?;
    let events = events(&args.events)?;
    let HeldBack { train, holdout, repeated } =
        hold_back(&events, args.fraction, args.seed, args.by.into(), args.near_duplicate);
    let pick = |places: &[usize]| places.iter().map(|i| &events[*i]).collect::<Vec<&Event>>();
    let (train, holdout) = (pick(&train), pick(&holdout));
    if train.is_empty() || holdout.is_empty() {
        return Err(empty(args, holdout.is_empty(), repeated.len()));
    }
    let senses = |of: &[&Event]| of.iter().map(|e| e.sense.clone()).collect::<BTreeSet<_>>();
    let parts = Parts {
        events: events.len(),
        by: args.by,
        fraction: args.fraction,
        seed: args.seed,
        train: Part::new(&args.train, &train),
        holdout: Part::new(&args.holdout, &holdout),
        repeated: repeated.len(),
        shared_senses: senses(&train).intersection(&senses(&holdout)).count(),
    };
    output::commit_all([output::json_lines(&args.train, &train)?, output::json_lines(&args.holdout, &holdout)?])?;
    ctx.print(&parts, &text(&parts))?;
    Ok(Exit::Success)
}

fn empty(args: &Args, holdout: bool, repeated: usize) -> CliError {
    let part = if holdout { "the holdout" } else { "the part to train on" };
    let message = match repeated {
        0 => format!("{}: {part} would be empty", args.events.display()),
        n => format!("{}: {part} would be empty: {n} events repeat a text to train on", args.events.display()),
    };
    CliError::new(Exit::Data, message).advise("choose another --fraction or --by (text parts the most evenly)")
}

fn text(parts: &Parts) -> String {
    let mut out = String::new();
    for (name, part) in [("train", &parts.train), ("holdout", &parts.holdout)] {
        let Part { path, events, senses, lemmas } = part;
        let _ = writeln!(out, "{name:<8} {events} events ({senses} senses, {lemmas} lemmas) → {path}");
    }
    let _ = writeln!(out, "Senses in both: {}.", parts.shared_senses);
    if parts.repeated > 0 {
        let _ = writeln!(out, "In neither: {} events whose texts repeat one to train on.", parts.repeated);
    }
    out
}
