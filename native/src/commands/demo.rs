//! `crucible demo`: the whole loop on generated sample data.
//!
//! It trains twice on the same bundles. The second time the legacy pool is diluted: every tier2 bundle is declared a
//! legacy killer, as uncontrolled expansion does. The dilution guardrail stops that run; the demo acknowledges it and
//! trains all the same, so that its price can be read off the table. All files stay in the output folder.

use super::report;
use crate::checkpoint::Loaded;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::evaluation::{self, EvalSet};
use crate::exit::Exit;
use crate::lock::FolderLock;
use crate::replace::Replace;
use crate::signals::Stop;
use crate::training::{self, Inputs, Summary};
use crate::{output, table, trials};
use crucible_core::bundles::{HeldBack, Settings, Similarity, SplitBy, generate, hold_back};
use crucible_core::config::{Config, Guardrails, Tier3Ratios};
use crucible_core::curriculum::{cell_sizes, exposure};
use crucible_core::data::{BundleSet, Event, Tier};
use crucible_core::eval::{self, SEED, Scoreboard, VERSION};
use crucible_core::sample::{self, SampleSpec};
use crucible_core::sweep::Truth;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The page that it ends in.
const REPORT: &str = "report.html";

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where everything is written
    #[arg(long, value_name = "DIR", default_value = "crucible-demo")]
    pub output_dir: PathBuf,
    /// Optimiser steps of each run
    #[arg(long, default_value_t = 2500)]
    pub steps: u64,
    /// Seed of data, bundles and training
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// One row of the closing table.
#[derive(Debug, Serialize)]
struct Row {
    run: &'static str,
    legacy_bundles: u64,
    looks_per_legacy_bundle: Option<f64>,
    guardrail: String,
    frozen_tier3: eval::Summary,
    frozen_overall: eval::Summary,
    organic_overall: eval::Summary,
    training: Option<Summary>,
}

struct Material {
    train: BundleSet,
    frozen: EvalSet,
    organic: EvalSet,
}

/// Runs the demo.
///
/// # Errors
/// The output folder can't be written.
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let dir = &args.output_dir;
    args.replace.check_folder(dir)?;
    output::create_folder(dir)?;
    let stop = Stop::listen()?;
    ctx.reporter.note("1/4 sample data → events → tiered bundles");
    let material = material(args)?;
    ctx.reporter.note("2/4 train on the bundles, each legacy killer seen often enough");
    let config = config(args);
    let healthy = trial(&material, material.train.clone(), &config, "healthy", args, &stop, ctx)?;
    let Some(healthy) = healthy else { return Ok(stop.exit().unwrap_or(Exit::Interrupted)) };
    ctx.reporter.note("3/4 the same again, with every tier2 bundle thrown into the legacy pool");
    let diluted = trial(&material, dilute(&material.train), &config, "diluted", args, &stop, ctx)?;
    let Some(diluted) = diluted else { return Ok(stop.exit().unwrap_or(Exit::Interrupted)) };
    ctx.reporter.note("4/4 both questions, side by side\n");
    report::of_folder(dir, &dir.join(REPORT), Some("healthy"), ctx)?;
    let chance = chance(&material.frozen.set);
    let rows = [healthy, diluted];
    ctx.print(&rows, &text(&rows, chance, args))?;
    Ok(Exit::Success)
}

fn material(args: &Args) -> CliResult<Material> {
    let data = sample::generate(&SampleSpec { seed: args.seed, ..SampleSpec::default() });
    let near_duplicate = Guardrails::default().near_duplicate;
    let HeldBack { train: known, holdout: held_out, .. } =
        hold_back(&data.train, 0.2, args.seed, SplitBy::Document, near_duplicate);
    let pick = |which: &[usize]| which.iter().map(|i| data.train[*i].clone()).collect::<Vec<Event>>();
    let bundles = |events: &[Event]| {
        generate(events, Similarity::Lexical, &Settings::default(), args.seed)
            .map(|(set, _)| set)
            .map_err(|e| CliError::new(Exit::Error, e.to_string()))
    };
    let dir = &args.output_dir;
    output::write_json_lines(&dir.join("events.jsonl"), &pick(&known))?;
    output::write_json_lines(&dir.join("organic_events.jsonl"), &data.organic)?;
    let train = bundles(&pick(&known))?;
    let eval = |name: &str, set: &BundleSet| {
        let path = dir.join(name);
        write_set(&path, set)?;
        EvalSet::read(&path)
    };
    write_set(&dir.join("train_bundles.jsonl"), &train)?;
    let frozen = eval("frozen_eval.jsonl", &bundles(&pick(&held_out))?)?;
    let organic = eval("organic_eval.jsonl", &bundles(&data.organic)?)?;
    Ok(Material { train, frozen, organic })
}

fn write_set(path: &Path, set: &BundleSet) -> CliResult<()> {
    let mut file = output::AtomicFile::create(path)?;
    set.write(&mut file).map_err(|e| CliError::io("write", path, &e))?;
    file.commit()
}

fn config(args: &Args) -> Config {
    let mut config = Config::default();
    config.training.steps = args.steps;
    config.curriculum.tier_probabilities = [0.5, 0.3, 0.2];
    // The sample holds no mined and no expanded killers yet.
    config.curriculum.tier3_ratios = Tier3Ratios { legacy: 1.0, organic: 0.0, expanded: 0.0 };
    config.guardrails.enabled = true;
    config.experiment.seeds = vec![args.seed];
    config.model.vocab_size = 4000;
    config
}

/// What uncontrolled expansion does: easier bundles called legacy killers.
fn dilute(set: &BundleSet) -> BundleSet {
    let mut diluted = set.clone();
    for bundle in &mut diluted.bundles {
        if bundle.metadata.tier == Some(Tier::Robust) {
            bundle.metadata.tier = Some(Tier::Adversarial);
        }
    }
    diluted
}

/// Trains and evaluates; none when interrupted.
fn trial(
    material: &Material,
    set: BundleSet,
    config: &Config,
    name: &'static str,
    args: &Args,
    stop: &Stop,
    ctx: &Context,
) -> CliResult<Option<Row>> {
    let exposures = exposure::exposures(config, cell_sizes(&set));
    let mut config = config.clone();
    let guardrail = match training::check_before(&config, &set, ctx) {
        Ok(_) => "silent".to_owned(),
        Err(error) if error.exit == Exit::Stopped => {
            ctx.reporter.note(format!("    {}", error.message));
            ctx.reporter.note("    The demo goes on with guardrails off, to show what that costs.");
            config.guardrails.enabled = false;
            "G1 stopped it".to_owned()
        }
        Err(error) => return Err(error),
    };
    let inputs = Inputs::prepare(set, &config)?;
    let dir = args.output_dir.join(name);
    let _lock = FolderLock::take(&dir)?;
    let summary = training::run_seed(&inputs, &config, args.seed, &dir, training::Span::default(), stop, ctx)?;
    if !summary.finished {
        return Ok(None);
    }
    let frozen = evaluated(&dir, &material.frozen, Truth::Frozen)?;
    let organic = evaluated(&dir, &material.organic, Truth::Organic)?;
    let legacy = exposures.pools.first();
    Ok(Some(Row {
        run: name,
        legacy_bundles: legacy.map_or(0, |p| p.size),
        looks_per_legacy_bundle: legacy.and_then(|p| p.expected),
        guardrail,
        frozen_tier3: frozen.by_tier.get(&Tier::Adversarial).cloned().unwrap_or_default(),
        frozen_overall: frozen.overall,
        organic_overall: organic.overall,
        training: Some(summary),
    }))
}

/// Writes a scoreboard into the run's folder.
fn evaluated(dir: &Path, set: &EvalSet, truth: Truth) -> CliResult<Scoreboard> {
    let model = dir.join(training::CHECKPOINT);
    let board = dir.join(trials::board_name(truth));
    let header = set.header(SEED, VERSION);
    evaluation::evaluate(set, header, &Loaded::own(&model)?, &model.display().to_string(), None, &board)
}

fn chance(set: &BundleSet) -> f64 {
    let sum: f64 = set.bundles.iter().map(|b| 1.0 / (1.0 + b.negatives.len() as f64)).sum();
    sum / set.bundles.len().max(1) as f64
}

fn text(rows: &[Row], chance: f64, args: &Args) -> String {
    let cell = |s: &eval::Summary| match (s.pass_rate, &s.ci95) {
        (Some(rate), Some(ci)) => format!("{:.0} [{:.0}, {:.0}]", rate * 100.0, ci.low * 100.0, ci.high * 100.0),
        _ => "-".to_owned(),
    };
    let mut cells =
        vec![["run", "legacy", "looks", "guardrail", "kept: tier3", "kept: all", "new: all"].map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        [
            row.run.to_owned(),
            row.legacy_bundles.to_string(),
            row.looks_per_legacy_bundle.map_or_else(|| "-".to_owned(), |x| format!("{x:.1}")),
            row.guardrail.clone(),
            cell(&row.frozen_tier3),
            cell(&row.frozen_overall),
            cell(&row.organic_overall),
        ]
    }));
    let mut out = table::aligned(&cells);
    out.push('\n');
    let guessing = format!("gives {:.1} %", chance * 100.0);
    for (word, meaning) in [
        ("legacy: ", "bundles in the pool of known killers"),
        ("looks: ", "how often training is expected to see each of them"),
        ("guardrail: ", "G1 is dilution; the demo went on without it, to show its price"),
        (
            "kept: ",
            "percent of the frozen eval's bundles whose positive beats every negative, with the 95 % Wilson interval; \
             tier3 are its hardest bundles",
        ),
        ("new: ", "the same of the organic holdout"),
        ("guessing: ", &guessing),
    ] {
        out += &table::wrapped(word, 11, meaning);
    }
    let dir = args.output_dir.display();
    let _ = write!(
        out,
        "\nOne seed each: intervals that overlap decide nothing between the runs.\n\n\
         All of it on one page: {dir}/{REPORT} (open it in a browser)\n\n\
         Try next:\n  \
         crucible compare {dir}/healthy/frozen_scoreboard.json {dir}/diluted/frozen_scoreboard.json\n  \
         crucible init my-project --sample-data\n"
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crucible_core::estimate::Interval;

    #[test]
    fn the_closing_table_fits_a_terminal() {
        let whole = Interval { low: 0.0, high: 1.0, level: 0.95, method: "m".into() };
        let wide = eval::Summary { pass_rate: Some(0.996), ci95: Some(whole), ..eval::Summary::default() };
        let row = |run, [frozen_tier3, frozen_overall, organic_overall]: [eval::Summary; 3]| Row {
            run,
            legacy_bundles: 99_999,
            looks_per_legacy_bundle: Some(1234.56),
            guardrail: "G1 stopped it".into(),
            frozen_tier3,
            frozen_overall,
            organic_overall,
            training: None,
        };
        let none = eval::Summary::default();
        let rows =
            [row("healthy", [wide.clone(), wide.clone(), wide]), row("diluted", [none.clone(), none.clone(), none])];
        let args = Args { output_dir: "crucible-demo".into(), steps: 1, seed: 1, replace: Replace::default() };
        let text = text(&rows, 1.0 / 6.0, &args);
        let (own, commands) = text.split_once("Try next").expect("what to do next");
        assert!(own.contains("100 [0, 100]") && own.contains("1234.6") && own.contains("16.7 %"), "{own}");
        assert!(own.lines().all(|line| line.chars().count() <= 80), "{own}");
        assert!(commands.contains("crucible-demo/diluted/frozen_scoreboard.json"), "{commands}");
    }
}
