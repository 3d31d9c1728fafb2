//! Flags of the sweeps.

use super::{Planned, planned};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::overrides::{absolute, of_path};
use crucible_core::config::{Config, Override};
use crucible_core::sweep::Conditions;
use std::path::{Path, PathBuf};

/// Who runs the trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Executor {
    /// This machine
    #[default]
    Local,
    /// A job array of a Slurm cluster
    Slurm,
}

/// How results are analysed.
#[derive(Clone, Debug, clap::Args)]
pub struct AnalysisArgs {
    /// The condition that others are compared with; without it the first
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// Resamples of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub resamples: u32,
}

/// Flags of every sweep.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Training bundles; data.bundles
    #[arg(long, value_name = "FILE")]
    pub bundles: Option<PathBuf>,
    /// The frozen eval: did we keep what we knew? data.frozen_eval
    #[arg(long, value_name = "FILE")]
    pub frozen_eval: Option<PathBuf>,
    /// The organic holdout: can we handle what is new? data.organic_eval
    #[arg(long, value_name = "FILE")]
    pub organic_eval: Option<PathBuf>,
    /// The sweep's folder; experiment.output_dir
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Seeds of every condition; sweep.seeds
    #[arg(long, value_name = "A,B,C")]
    pub seeds: Option<String>,
    /// Where metrics are sent: none, mlflow, tensorboard or both; tracking.type
    #[arg(long, value_name = "KIND")]
    pub tracking: Option<String>,
    /// Trials at a time; the threads are shared out
    #[arg(long, value_name = "N", default_value = "1")]
    pub parallel: std::num::NonZeroUsize,
    /// Acknowledges a CRITICAL guardrail, by id (G11) or name (leakage); several with commas
    #[arg(long, value_name = "NAME")]
    pub guardrail_override: Option<String>,
    /// Who runs the trials
    #[arg(long, value_enum, default_value = "local")]
    pub executor: Executor,
    /// A further `#SBATCH` option, such as `--partition=gpu`; may be repeated
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    pub sbatch: Vec<String>,
    /// Shows what would be run
    #[arg(long)]
    pub dry_run: bool,
    /// How results are analysed
    #[command(flatten)]
    pub analysis: AnalysisArgs,
}

impl Common {
    fn overrides(&self) -> Vec<Override> {
        let files = [
            ("--bundles", "data.bundles", &self.bundles),
            ("--frozen-eval", "data.frozen_eval", &self.frozen_eval),
            ("--organic-eval", "data.organic_eval", &self.organic_eval),
            ("--output-dir", "experiment.output_dir", &self.output_dir),
        ];
        let files = files.into_iter().filter_map(|(flag, key, path)| Some(of_path(flag, key, path.as_ref()?)));
        let seeds = self.seeds.as_ref().map(|text| Override::named("--seeds", "sweep.seeds", &format!("[{text}]")));
        let tracking = self.tracking.as_ref().map(|kind| Override::named("--tracking", "tracking.type", kind));
        let overrides = self.guardrail_override.as_ref();
        let overrides = overrides
            .map(|words| Override::named("--guardrail-override", "guardrails.overrides", &format!("[{words}]")));
        files.chain(seeds).chain(tracking).chain(overrides).collect()
    }

    /// The seeds: the sweep's, else the experiment's.
    pub(super) fn seeds(&self, config: &Config) -> Vec<u64> {
        if config.sweep.seeds.is_empty() { config.experiment.seeds.clone() } else { config.sweep.seeds.clone() }
    }

    /// The sweep's folder.
    pub(super) fn root(&self, config: &Config) -> CliResult<PathBuf> {
        let dir = config.experiment.output_dir.clone();
        dir.map(PathBuf::from)
            .ok_or_else(|| CliError::usage("experiment.output_dir is not set").advise("give --output-dir DIR"))
    }

    /// The configuration, with absolute paths: a trial may run elsewhere.
    fn config(&self, more: &[Override], bundles: bool, ctx: &Context) -> CliResult<Config> {
        let mut config = ctx.resolved_with(&[self.overrides(), more.to_vec()].concat())?.config;
        let data = &config.data;
        let needed = [(bundles, &data.bundles, "data.bundles", "--bundles FILE")];
        if let Some((.., key, flag)) = needed.iter().find(|(needed, value, ..)| *needed && value.is_none()) {
            return Err(CliError::usage(format!("{key} is not set")).advise(format!("give {flag}")));
        }
        if data.frozen_eval.is_none() && data.organic_eval.is_none() {
            let message = "neither data.frozen_eval nor data.organic_eval is set: a sweep would measure nothing";
            return Err(CliError::usage(message).advise("give --frozen-eval FILE and --organic-eval FILE"));
        }
        config.input_paths_mut().for_each(|path| *path = absolute(Path::new(path)).display().to_string());
        let data = &config.data;
        for path in [&data.bundles, &data.frozen_eval, &data.organic_eval].into_iter().flatten() {
            // Hours later would be too late.
            crate::io::open(Path::new(path))?;
        }
        Ok(config)
    }
}

/// Arguments of `sweep ratio`.
#[derive(Clone, Debug, clap::Args)]
pub struct Ratio {
    /// Percent of legacy, organic and expanded; sweep.ratios
    #[arg(long, value_name = "85_10_5,75_15_10")]
    pub ratios: Option<String>,
    /// Optimiser steps of each run; training.steps
    #[arg(long, value_name = "N")]
    pub steps: Option<String>,
    /// Those of every sweep
    #[command(flatten)]
    pub common: Common,
}

impl Ratio {
    pub(super) fn planned(&self, ctx: &Context) -> CliResult<Planned> {
        let quoted = |text: &String| {
            let specs: Vec<String> = text.split(',').map(|s| format!("\"{}\"", s.trim())).collect();
            format!("[{}]", specs.join(","))
        };
        let flags = [
            ("--ratios", "sweep.ratios", self.ratios.as_ref().map(quoted)),
            ("--steps", "training.steps", self.steps.clone()),
        ];
        let flags: Vec<Override> =
            flags.into_iter().filter_map(|(flag, key, value)| Some(Override::named(flag, key, &value?))).collect();
        let config = self.common.config(&flags, true, ctx)?;
        planned(&config, &Conditions::Ratios(config.sweep.ratios.clone()), &self.common)
    }
}

/// Arguments of `sweep steps`.
#[derive(Clone, Debug, clap::Args)]
pub struct Steps {
    /// Steps to evaluate at; the last is the run's length; sweep.steps
    #[arg(long, value_name = "2500,5000,10000")]
    pub steps: Option<String>,
    /// Those of every sweep
    #[command(flatten)]
    pub common: Common,
}

impl Steps {
    pub(super) fn planned(&self, ctx: &Context) -> CliResult<Planned> {
        let steps = self.steps.as_ref().map(|text| Override::named("--steps", "sweep.steps", &format!("[{text}]")));
        let config = self.common.config(&steps.into_iter().collect::<Vec<_>>(), true, ctx)?;
        planned(&config, &Conditions::Steps(config.sweep.steps.clone()), &self.common)
    }
}

/// Arguments of `sweep ablation`.
#[derive(Clone, Debug, clap::Args)]
pub struct Ablation {
    /// Names, and the bundles of each
    #[arg(long, value_name = "NAME:FILE,…", required = true)]
    pub conditions: String,
    /// Optimiser steps of each run; training.steps
    #[arg(long, value_name = "N")]
    pub steps: Option<String>,
    /// Those of every sweep
    #[command(flatten)]
    pub common: Common,
}

impl Ablation {
    pub(super) fn planned(&self, ctx: &Context) -> CliResult<Planned> {
        let mut named = Vec::new();
        for part in self.conditions.split(',') {
            let Some((name, file)) = part.trim().split_once(':').filter(|(_, file)| !file.is_empty()) else {
                let message = format!("--conditions: `{part}` is not NAME:FILE");
                return Err(CliError::usage(message).advise("such as --conditions old:old.jsonl,new:new.jsonl"));
            };
            crate::io::open(Path::new(file))?;
            named.push((name.to_owned(), absolute(Path::new(file)).display().to_string()));
        }
        let steps = self.steps.as_ref().map(|text| Override::named("--steps", "training.steps", text));
        let config = self.common.config(&steps.into_iter().collect::<Vec<_>>(), false, ctx)?;
        planned(&config, &Conditions::Ablation(named), &self.common)
    }
}

/// Arguments of `sweep status`.
#[derive(Clone, Debug, clap::Args)]
pub struct StatusArgs {
    /// The sweep's folder
    #[arg(long, value_name = "DIR")]
    pub output_dir: PathBuf,
}

/// Arguments of `sweep collect`.
#[derive(Clone, Debug, clap::Args)]
pub struct CollectArgs {
    /// The sweep's folder
    #[arg(long, value_name = "DIR")]
    pub output_dir: PathBuf,
    /// How results are analysed
    #[command(flatten)]
    pub analysis: AnalysisArgs,
}
