//! `crucible report`: one page that shows what a folder of results says, whole in one file.

mod gather;
mod judged;
mod page;
mod texts;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::replace::{Named, Replace, whole};
use crate::{io, output, scoreboards};
use crucible_core::report::{Report, SectionKind};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One part of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Type {
    /// Conditions side by side, and what guardrails found
    Summary,
    /// Any two measures against each other, with the frontier
    Pareto,
    /// Margins per tier against a baseline
    MarginDist,
    /// Rates and loss in the course of training
    StepTrajectory,
    /// Expected and real exposures per pool
    Dilution,
}

impl Type {
    fn section(self) -> SectionKind {
        SectionKind::ALL[self as usize]
    }
}

/// Arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A sweep's folder, a run's, a folder of runs, or one of scoreboards
    #[arg(long, value_name = "DIR")]
    pub results_dir: PathBuf,
    /// Where the page goes
    #[arg(long, value_name = "FILE.html")]
    pub output: PathBuf,
    /// One part alone; without it, all that the results can show
    #[arg(long = "type", value_enum)]
    pub kind: Option<Type>,
    /// The condition that others are compared with, or a scoreboard from elsewhere; without it the first condition
    #[arg(long, value_name = "NAME|FILE")]
    pub baseline: Option<String>,
    /// The frozen eval, for its texts; without it where the scoreboards say
    #[arg(long, value_name = "FILE")]
    pub frozen_eval: Option<PathBuf>,
    /// The organic holdout, for its texts
    #[arg(long, value_name = "FILE")]
    pub organic_eval: Option<PathBuf>,
    /// Leaves texts out: the page can be shown to people who may not read them
    #[arg(long)]
    pub no_texts: bool,
    /// Leaves the evaluator out, which places a reader's checkpoint on the chart
    #[arg(long)]
    pub no_evaluator: bool,
    /// Resamples of the bootstraps; without it 1000, and the sweep's own number for its two rates
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub resamples: Option<u32>,
    /// Writes the page's data as JSON, too (docs/schemas/report.schema.json)
    #[arg(long, value_name = "FILE.json")]
    pub data: Option<PathBuf>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

impl Args {
    fn outputs(&self) -> Vec<Named<'_>> {
        let mut outputs = vec![("--output", self.output.as_path())];
        outputs.extend(self.data.as_deref().map(|path| ("--data", path)));
        outputs
    }
}

/// What was written.
#[derive(Debug, Serialize)]
struct Written<'a> {
    #[serde(serialize_with = "output::shown")]
    output: &'a PathBuf,
    bytes: usize,
    shown: Vec<&'static str>,
    not_shown: Vec<NotShown<'a>>,
    conditions: usize,
    runs: usize,
    warnings: &'a [String],
}

#[derive(Debug, Serialize)]
struct NotShown<'a> {
    part: &'static str,
    reason: &'a str,
    advice: &'a str,
}

/// Reads the results, computes what they say, writes the page.
///
/// # Errors
/// A folder without results (3), files in it that can't be read, a `--type` that the results can't show (3), an output that
/// can't be written.
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    check_outputs(args)?;
    let report = make(args, ctx)?;
    let page = page::html(&report, evaluates(args, &report))?;
    if let Some(path) = &args.data {
        output::write_json(path, &report)?;
    }
    output::write_file(&args.output, page.as_bytes())?;
    let shown = report.sections.iter().filter(|s| s.missing.is_none()).map(|s| s.kind.name()).collect();
    let not_shown = |(kind, reason, advice)| NotShown { part: kind, reason, advice };
    let written = Written {
        output: &args.output,
        bytes: page.len(),
        shown,
        not_shown: missing(&report).map(not_shown).collect(),
        conditions: report.conditions.len(),
        runs: report.runs.len(),
        warnings: &report.warnings,
    };
    ctx.print(&written, &text(&written))?;
    Ok(Exit::Success)
}

/// Both outputs can be written, and neither is one of the results or another input.
fn check_outputs(args: &Args) -> CliResult<()> {
    let baseline = args.baseline.as_deref().map(Path::new).filter(|path| path.is_file());
    let items = baseline.map(scoreboards::items_found);
    let evals = [("--frozen-eval", &args.frozen_eval), ("--organic-eval", &args.organic_eval)];
    let mut inputs: Vec<Named<'_>> = evals.iter().filter_map(|(flag, path)| Some((*flag, path.as_deref()?))).collect();
    inputs.extend(baseline.map(|path| ("--baseline", path)));
    inputs.extend(items.as_deref().map(|path| ("the baseline's items", path)));
    args.replace.check(&args.outputs(), &inputs)?;
    let results = whole(&args.results_dir);
    for (flag, path) in args.outputs() {
        // A page or its data of an earlier call is no result.
        let earlier = if flag == "--data" { is_data(path) } else { is_page(path) };
        if path.is_file() && whole(path).starts_with(&results) && !earlier {
            let message = format!("{flag} {} would overwrite one of the results", path.display());
            return Err(CliError::usage(message).advise("name another file"));
        }
    }
    Ok(())
}

/// Whether a file is a page: results hold none but those that this command wrote.
fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("html") || e.eq_ignore_ascii_case("htm"))
}

/// Whether a file is the data of a page.
fn is_data(path: &Path) -> bool {
    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "whether they are there is all that counts")]
    struct Marks {
        report_version: serde::de::IgnoredAny,
        sections: serde::de::IgnoredAny,
        conditions: serde::de::IgnoredAny,
    }
    let Ok(file) = io::open(path) else { return false };
    serde_json::from_reader::<_, Marks>(file).is_ok()
}

/// Writes a report with all that a folder shows.
///
/// # Errors
/// As [`run`].
pub(crate) fn of_folder(dir: &Path, output: &Path, baseline: Option<&str>, ctx: &Context) -> CliResult<()> {
    let args = Args {
        results_dir: dir.to_owned(),
        output: output.to_owned(),
        kind: None,
        baseline: baseline.map(str::to_owned),
        frozen_eval: None,
        organic_eval: None,
        no_texts: false,
        no_evaluator: false,
        resamples: None,
        data: None,
        replace: Replace::default(),
    };
    let report = make(&args, ctx)?;
    output::write_file(output, page::html(&report, evaluates(&args, &report))?.as_bytes())
}

/// Whether the page can use an evaluator: where it shows the chart, and has bundles.
fn evaluates(args: &Args, report: &Report) -> bool {
    let chart = report.sections.iter().any(|s| s.kind == SectionKind::Pareto && s.missing.is_none());
    !args.no_evaluator && chart && report.evals.iter().any(|e| !e.ids.is_empty())
}

/// The document of a folder of results.
fn make(args: &Args, ctx: &Context) -> CliResult<Report> {
    let report = crucible_core::report::build(gather::input(args, ctx)?);
    if let (Some(_), Some((kind, reason, advice))) = (args.kind, missing(&report).next()) {
        let message = format!("--type {kind}: {reason} ({})", args.results_dir.display());
        return Err(CliError::new(Exit::Data, message).advise(advice));
    }
    Ok(report)
}

fn missing(report: &Report) -> impl Iterator<Item = (&'static str, &str, &str)> {
    report.sections.iter().filter_map(|s| {
        let missing = s.missing.as_ref()?;
        Some((s.kind.name(), missing.reason.as_str(), missing.advice.as_str()))
    })
}

fn text(written: &Written<'_>) -> String {
    let mut text = format!(
        "{} ({}): {} conditions, {} runs\nshows: {}\n",
        written.output.display(),
        io::human_bytes(written.bytes),
        written.conditions,
        written.runs,
        written.shown.join(", ")
    );
    for NotShown { part, reason, advice } in &written.not_shown {
        let _ = writeln!(text, "not shown: {part}: {reason}\n  help: {advice}");
    }
    for warning in written.warnings {
        let _ = writeln!(text, "note: {warning}");
    }
    text
}
