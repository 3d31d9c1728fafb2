//! `crucible guardrail check`: gathers what is given, runs what that allows, names what it does not.

use super::boards::{self, Baselines};
use super::{foreign, present, runs};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::formats::{self, Format};
use crate::guards::{self, EvalSet};
use crate::scoreboards::WithItems;
use crate::{io, ledger, output, webhook};
use crucible_core::config::{Config, Guardrails};
use crucible_core::data::read_bundles;
use crucible_core::eval::{Looks, Scoreboard};
use crucible_core::foreign::EvalNames;
use crucible_core::guardrails::pseudo_killers::{self, Tested};
use crucible_core::guardrails::{Before, Finding, NotRun, Override, RULES, Report, configuration, unknown_overrides};
use crucible_core::pools::Revalidation;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The largest revalidation report that is read.
const MAX_REPORT_BYTES: usize = 1 << 30;

/// Arguments. `data.bundles`, `data.frozen_eval` and `data.organic_eval` of a configuration stand in for their flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Runs, results folders, or runs of other trainers (trainer_state.json, TensorBoard event files)
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// A run's folder
    #[arg(long, value_name = "DIR")]
    pub run_dir: Vec<PathBuf>,
    /// A folder of runs, such as a sweep's
    #[arg(long, value_name = "DIR")]
    pub results_dir: Option<PathBuf>,
    /// Training bundles
    #[arg(long, value_name = "FILE")]
    pub bundles: Option<PathBuf>,
    /// The frozen eval set
    #[arg(long, value_name = "FILE")]
    pub frozen_eval: Option<PathBuf>,
    /// The organic holdout
    #[arg(long, value_name = "FILE")]
    pub organic_eval: Option<PathBuf>,
    /// The baseline's scoreboard on the frozen eval
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// The candidate's scoreboard on the frozen eval
    #[arg(long, value_name = "FILE")]
    pub candidate: Option<PathBuf>,
    /// The baseline's scoreboard on the organic holdout
    #[arg(long, value_name = "FILE")]
    pub organic_baseline: Option<PathBuf>,
    /// The candidate's scoreboard on the organic holdout
    #[arg(long, value_name = "FILE")]
    pub organic_candidate: Option<PathBuf>,
    /// What `pool revalidate --report` or `--json` wrote
    #[arg(long, value_name = "FILE")]
    pub revalidation: Option<PathBuf>,
    /// The frozen eval's versions file; without it beside the eval
    #[arg(long, value_name = "FILE")]
    pub versions: Option<PathBuf>,
    /// The look ledger; without it the project's
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Another trainer's name for the frozen pass rate, such as eval_frozen_accuracy
    #[arg(long, value_name = "NAME")]
    pub frozen_metric: Option<String>,
    /// Another trainer's name for the organic pass rate
    #[arg(long, value_name = "NAME")]
    pub organic_metric: Option<String>,
    /// Compares scoreboards of other evals or other rules; the output records it
    #[arg(long)]
    pub allow_fingerprint_mismatch: bool,
    /// Acknowledges a CRITICAL guardrail, by id (G7) or name; several with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub guardrail_override: Vec<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How often an eval set was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EvalLooks {
    /// The eval set, as its scoreboard names it.
    pub eval_path: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Evaluations.
    pub looks: usize,
    /// Different models among them.
    pub checkpoints: usize,
}

/// What all guardrails together say.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Check {
    /// The decision, and what it comes from.
    #[serde(flatten)]
    pub report: Report,
    /// Whether CRITICAL findings stop.
    pub blocks: bool,
    /// Guardrails for which nothing was given.
    pub not_run: Vec<NotRun>,
    /// From the look ledger.
    pub looks: Vec<EvalLooks>,
    /// Files and folders that were read.
    pub checked: Vec<String>,
}

/// What is found along the way.
#[derive(Default)]
pub(super) struct Gathered {
    findings: Vec<Finding>,
    checked: Vec<String>,
    /// Eval path, fingerprint, content hash of the scoreboards that were read.
    evals: Vec<[String; 3]>,
    /// Fingerprint mismatches that a flag allowed.
    pub(super) mismatches: Vec<Override>,
    /// Why a guardrail could not run, where there is more to say than what it needs.
    pub(super) missing: Vec<(&'static str, String)>,
    /// What runs keep of the guardrails that looked before their first step, each after its label.
    pub(super) before: Vec<(String, Before)>,
    /// Runs that keep nothing of the kind: what they were trained on is looked at, where it is there.
    pub(super) unlooked: Vec<(String, Config)>,
}

/// Files that flags name.
#[derive(Default)]
struct Given {
    bundles: Option<PathBuf>,
    frozen: Option<PathBuf>,
    organic: Option<PathBuf>,
    versions: Option<PathBuf>,
}

impl Gathered {
    /// Adds findings, each message after `label`.
    pub(super) fn add(&mut self, label: &str, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings.into_iter().map(|mut f| {
            f.message.insert_str(0, label);
            f
        }));
    }

    pub(super) fn read(&mut self, path: &Path) {
        self.checked.push(path.display().to_string());
    }

    pub(super) fn board(&mut self, board: &Scoreboard) {
        let header = &board.eval_header;
        if !self.evals.iter().any(|e| e[2] == header.content_hash) {
            self.evals.push([&header.eval_path, &header.fingerprint, &header.content_hash].map(Clone::clone));
        }
    }
}

/// What a guardrail needs, for those that had nothing.
fn needs(id: &str) -> &'static str {
    match id {
        "G1" => "needs training bundles (--bundles) and the configuration that they are trained by",
        "G2" => "needs a configuration (--config, or a run's)",
        "G3" | "G12" => "needs training bundles (--bundles, or data.bundles of the configuration)",
        "G4" => "needs a run of Crucible (--run-dir)",
        "G5" | "G6" => "needs a run that logged it (--run-dir, or another trainer's as PATH)",
        "G7" | "G9" | "G10" => "needs two scoreboards of the frozen eval (--baseline, --candidate)",
        "G8" => "needs both truths before and after (--baseline, --candidate, --organic-baseline, --organic-candidate)",
        "G11" => "needs training bundles and an eval set (--bundles, --frozen-eval, --organic-eval)",
        "G13" => "needs mined bundles that say how many lineups they passed, or --revalidation",
        "G14" => "needs runs of several seeds of one setting, with scoreboards (--results-dir)",
        "G15" => "needs the frozen eval and its versions file (`crucible guardrail add-version` starts one)",
        _ => "needs a scoreboard (--candidate, --run-dir, --results-dir)",
    }
}

/// Runs all that can be run.
///
/// # Errors
/// Inputs that can't be read or hold faults; nothing to check (exit status 2).
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    if let Some(word) = unknown_overrides(&args.guardrail_override).first() {
        let message = format!("--guardrail-override {word}: there is no such guardrail");
        return Err(CliError::usage(message).advise("give an id (G7) or a name (frozen_regression)"));
    }
    let (check, webhook) = check(args, ctx)?;
    webhook::tell(webhook.as_deref(), "guardrail check", &check.report.findings, check.report.stops, &ctx.reporter);
    if ctx.global.json || args.format == Format::Json {
        output::print_json(&check)?;
    } else {
        output::print(&match args.format {
            Format::Markdown => present::markdown(&check),
            Format::Junit => present::junit(&check),
            _ => present::text(&check),
        })?;
    }
    Ok(if check.report.stops { Exit::Stopped } else { Exit::Success })
}

/// What guardrails say of a run's folder, or of all runs below one: findings, and what could not be run, with reasons.
///
/// # Errors
/// Files of a run that can't be read.
pub(crate) fn of_folder(dir: &Path, settings: &Guardrails) -> CliResult<(Vec<Finding>, Vec<NotRun>)> {
    let mut out = Gathered::default();
    if runs::is_run(dir) {
        runs::judge(dir, &Baselines::default(), settings, "", &mut out)?;
    } else {
        runs::judge_all(dir, &Baselines::default(), settings, &mut out)?;
    }
    before_training(settings, &mut out);
    let not_run = not_run(&out);
    Ok((out.findings, not_run))
}

/// Paths by what they are.
#[derive(Default)]
struct Places {
    runs: Vec<PathBuf>,
    results: Vec<PathBuf>,
    foreign: Vec<(PathBuf, Vec<PathBuf>)>,
}

fn places(args: &Args) -> CliResult<Places> {
    let mut out = Places { runs: args.run_dir.clone(), ..Places::default() };
    out.results.extend(args.results_dir.clone());
    for path in &args.paths {
        let files = foreign::files(path);
        if runs::is_run(path) {
            out.runs.push(path.clone());
        } else if !runs::below(path).is_empty() {
            out.results.push(path.clone());
        } else if !files.is_empty() {
            out.foreign.push((path.clone(), files));
        } else if path.exists() {
            let message = format!("{} is no run, holds none, and is none of another trainer's files", path.display());
            return Err(CliError::usage(message).advise(
                "bundles, eval sets and scoreboards have flags of their own (crucible guardrail check --help)",
            ));
        } else {
            // For its message: no such file, and the nearest name.
            drop(io::open(path)?);
        }
    }
    if let Some(dir) = out.runs.iter().find(|dir| !dir.is_dir()) {
        return Err(CliError::usage(format!("{} is no folder", dir.display())));
    }
    Ok(out)
}

fn check(args: &Args, ctx: &Context) -> CliResult<(Check, Option<String>)> {
    let places = places(args)?;
    let mut out = Gathered::default();
    let own_config = ctx.config_path().is_some();
    let mut config = ctx.resolved()?.config;
    if own_config {
        out.add("", configuration::check(&config));
    }
    let settings = config.guardrails.clone();
    let baselines = Baselines {
        frozen: args.baseline.as_deref().map(WithItems::read).transpose()?,
        organic: args.organic_baseline.as_deref().map(WithItems::read).transpose()?,
        allow_mismatch: args.allow_fingerprint_mismatch,
    };
    boards::judge([args.candidate.as_deref(), args.organic_candidate.as_deref()], &baselines, &settings, "", &mut out)?;
    let label = |path: &Path, many: bool| if many { format!("{}: ", path.display()) } else { String::new() };
    for dir in &places.runs {
        let many = places.runs.len() > 1;
        let (of_run, _) = runs::judge(dir, &baselines, &settings, &label(dir, many), &mut out)?;
        // What a single run was trained on is checked, too, unless another configuration was named.
        if let (Some(of_run), false, false) = (of_run, many, own_config) {
            config = Config { guardrails: settings.clone(), ..of_run };
        }
    }
    for dir in &places.results {
        runs::judge_all(dir, &baselines, &settings, &mut out)?;
    }
    let names = EvalNames { frozen: args.frozen_metric.clone(), organic: args.organic_metric.clone() };
    for (path, files) in &places.foreign {
        foreign::judge(files, &names, &settings, &label(path, places.foreign.len() > 1), &mut out)?;
    }
    let given = Given {
        bundles: args.bundles.clone(),
        frozen: args.frozen_eval.clone(),
        organic: args.organic_eval.clone(),
        versions: args.versions.clone(),
    };
    if data(&given, &config, own_config || places.runs.len() == 1, "", &mut out)? {
        out.unlooked.clear();
    }
    before_training(&settings, &mut out);
    revalidation(args.revalidation.as_deref(), &settings, &mut out)?;
    let looks = looks(args, &out, ctx)?;
    Ok((finish(args, &settings, out, looks)?, settings.webhook))
}

/// What guardrails say of the data that runs were trained on: what the runs keep of it, else what the files say that their
/// configurations name. Guardrails that looked at data just now are not asked again.
fn before_training(settings: &Guardrails, out: &mut Gathered) {
    let fresh: Vec<&str> =
        guards::LOOK_BEFORE.into_iter().filter(|id| out.findings.iter().any(|f| f.id == *id)).collect();
    add_kept(&fresh, out);
    let mut looked: Vec<String> = Vec::new();
    for (label, config) in std::mem::take(&mut out.unlooked) {
        let key = json!([config.data, config.curriculum, config.training.steps]).to_string();
        if looked.contains(&key) {
            continue;
        }
        looked.push(key);
        let Some(bundles) = config.data.bundles.clone() else { continue };
        if !Path::new(&bundles).is_file() {
            let reason = format!(
                "{label}the bundles that it was trained on are not there ({bundles}); name them with --bundles"
            );
            out.missing.extend(["G1", "G3", "G11", "G12"].map(|id| (id, reason.clone())));
            continue;
        }
        let config = Config { guardrails: settings.clone(), ..config };
        if let Err(error) = data(&Given::default(), &config, true, &label, out) {
            out.missing.extend(["G3", "G11", "G12"].map(|id| (id, error.message.clone())));
        }
    }
}

/// Adds what runs keep: a finding that several make once, with how many there are.
fn add_kept(fresh: &[&str], out: &mut Gathered) {
    let kept = std::mem::take(&mut out.before);
    let mut found: Vec<(&str, Finding, usize)> = Vec::new();
    for (label, before) in &kept {
        // G2 is asked of every run's configuration.
        for finding in before.findings.iter().filter(|f| f.id != "G2" && !fresh.contains(&f.id.as_str())) {
            let mut finding = finding.clone();
            if let Some(by) = before.overrides.iter().find(|o| o.id == finding.id && o.message == finding.message) {
                finding.message += &format!(" (acknowledged by {} when it was trained)", by.acknowledged_by);
            }
            match found.iter_mut().find(|(_, f, _)| f.id == finding.id && f.message == finding.message) {
                Some((.., count)) => *count += 1,
                None => found.push((label, finding, 1)),
            }
        }
        for n in &before.not_run {
            if let Some(rule) = RULES.iter().find(|rule| rule.id == n.id) {
                out.missing.push((rule.id, format!("before training: {}", n.reason)));
            }
        }
    }
    for (label, mut finding, count) in found {
        if count > 1 {
            finding.message += &format!(" (and of {} more)", formats::counted(count - 1, "run"));
        }
        out.add(label, [finding]);
    }
}

/// Bundles and eval sets: those that were given, else those of the configuration that are there. Whether there were bundles.
fn data(given: &Given, config: &Config, configured: bool, label: &str, out: &mut Gathered) -> CliResult<bool> {
    let named = |flag: &Option<PathBuf>, key: &Option<String>| {
        flag.clone().or_else(|| key.as_ref().map(PathBuf::from).filter(|path| path.is_file()))
    };
    let bundles = named(&given.bundles, &config.data.bundles);
    let train = match &bundles {
        Some(path) => Some(read_bundles(&mut *io::open(path)?, &path.display().to_string())?),
        None => None,
    };
    let mut evals = Vec::new();
    for (name, flag, key, versions) in [
        (guards::FROZEN, &given.frozen, &config.data.frozen_eval, given.versions.as_deref()),
        (guards::ORGANIC, &given.organic, &config.data.organic_eval, None),
    ] {
        if let Some(path) = named(flag, key) {
            evals.push(EvalSet::read(name, &path, versions)?);
            out.read(&path);
        }
    }
    if let (Some(set), Some(path)) = (&train, &bundles) {
        out.read(path);
        out.add(label, guards::of_bundles(set, config));
        out.add(label, guards::leakage(set, &evals, &config.guardrails));
        if configured {
            out.add(label, guards::dilution(set, config));
        }
    }
    for eval in evals.iter().filter(|e| e.name == guards::FROZEN) {
        out.add(label, guards::versions(eval)?);
    }
    Ok(train.is_some())
}

fn revalidation(path: Option<&Path>, settings: &Guardrails, out: &mut Gathered) -> CliResult<()> {
    let Some(path) = path else { return Ok(()) };
    let report: Revalidation = serde_json::from_slice(&io::read_bytes(path, MAX_REPORT_BYTES)?).map_err(|e| {
        CliError::new(Exit::Data, format!("{} is no revalidation report: {e}", path.display()))
            .advise("name what `crucible pool revalidate` wrote")
    })?;
    out.read(path);
    let tested = Tested::of_revalidation(&report);
    out.add("", pseudo_killers::check(tested, "the revalidated pool", settings.pseudo_killer_share));
    Ok(())
}

/// The ledger's count for every eval set whose scoreboard was read.
fn looks(args: &Args, out: &Gathered, ctx: &Context) -> CliResult<Vec<EvalLooks>> {
    let beside_config = || ctx.config_path().and_then(|path| ledger::of_project(&path));
    let beside_checked = || out.checked.iter().find_map(|path| ledger::of_project(Path::new(path)));
    let Some(path) = args.ledger.clone().or_else(beside_config).or_else(beside_checked) else { return Ok(Vec::new()) };
    let (looks, other) = ledger::read(&path)?;
    if other > 0 {
        ctx.reporter.warn(format!("{}: {other} lines are no looks", path.display()));
    }
    let count = |[eval_path, fingerprint, content]: &[String; 3]| {
        let Looks { looks, checkpoints } = Looks::at(&looks, content);
        EvalLooks { eval_path: eval_path.clone(), fingerprint: fingerprint.clone(), looks, checkpoints }
    };
    Ok(out.evals.iter().map(count).collect())
}

/// Guardrails without a finding, each with what it needs.
fn not_run(out: &Gathered) -> Vec<NotRun> {
    let silent = RULES.iter().filter(|rule| !out.findings.iter().any(|f| f.id == rule.id));
    let reason = |id: &str| {
        let special = out.missing.iter().find(|(of, _)| *of == id).map(|(_, reason)| reason.clone());
        special.unwrap_or_else(|| needs(id).to_owned())
    };
    silent.map(|rule| NotRun { id: rule.id.into(), name: rule.name.into(), reason: reason(rule.id) }).collect()
}

fn finish(args: &Args, settings: &Guardrails, out: Gathered, looks: Vec<EvalLooks>) -> CliResult<Check> {
    if out.findings.is_empty() {
        let mut message = "there is nothing to check".to_owned();
        for (id, reason) in &out.missing {
            message += &format!("\n{id} {reason}");
        }
        return Err(CliError::usage(message)
            .advise("name a run, a results folder, bundles or scoreboards (crucible guardrail check --help)"));
    }
    let not_run = not_run(&out);
    let acknowledged: Vec<String> = settings.overrides.iter().chain(&args.guardrail_override).cloned().collect();
    let blocks = settings.block_on_critical;
    let mut report = Report::judge(out.findings, blocks, &acknowledged);
    report.overrides.extend(out.mismatches);
    Ok(Check { report, blocks, not_run, looks, checked: out.checked })
}
