//! `crucible train`: bundles to a checkpoint, one run for each seed.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::io;
use crate::lock::FolderLock;
use crate::overrides::of_whole_path;
use crate::signals::Stop;
use crate::tracking::journal::Status;
use crate::tracking::{self, Server};
use crate::training::{self, CHECKPOINT, Inputs, Span, Summary};
use crucible_core::config::{Config, Override};
use crucible_core::data::read_bundles;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments. Each but the first three and `--resume` sets a key of the configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Training bundles (JSON Lines); data.bundles
    #[arg(long, value_name = "FILE")]
    pub bundles: Option<PathBuf>,
    /// Ready vectors of all events, for an adapter; data.embeddings
    #[arg(long, value_name = "FILE")]
    pub embeddings: Option<PathBuf>,
    /// Where the run is written; experiment.output_dir
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Goes on where a stopped run was saved; finished seeds are skipped
    #[arg(long)]
    pub resume: bool,
    /// Starts over where a run is; a finished one stays in .previous until the new one is finished
    #[arg(long, conflicts_with = "resume")]
    pub force: bool,
    /// Optimiser steps
    #[arg(long, value_name = "N")]
    pub steps: Option<String>,
    /// Bundles a step
    #[arg(long, value_name = "N")]
    pub batch_size: Option<String>,
    /// Peak learning rate
    #[arg(long, value_name = "X")]
    pub lr: Option<String>,
    /// Decoupled weight decay
    #[arg(long, value_name = "X")]
    pub weight_decay: Option<String>,
    /// One seed
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub seed: Option<String>,
    /// Several seeds, one run each, in seed_N below the output folder
    #[arg(long, value_name = "A,B,C")]
    pub seeds: Option<String>,
    /// uniform, phased or phased_v2
    #[arg(long, value_name = "KIND")]
    pub curriculum: Option<String>,
    /// Probabilities of the three tiers
    #[arg(long, value_name = "A,B,C")]
    pub tier_probabilities: Option<String>,
    /// Share of the legacy pool in tier3
    #[arg(long, value_name = "X")]
    pub tier3_legacy: Option<String>,
    /// Share of the organic pool in tier3
    #[arg(long, value_name = "X")]
    pub tier3_organic: Option<String>,
    /// Share of the expanded pool in tier3
    #[arg(long, value_name = "X")]
    pub tier3_expanded: Option<String>,
    /// Where metrics are sent: none, mlflow, tensorboard or both; tracking.type
    #[arg(long, value_name = "KIND")]
    pub tracking: Option<String>,
    /// Guardrails may stop the run
    #[arg(long)]
    pub check_guardrails: bool,
    /// Acknowledges a CRITICAL guardrail, by id (G1) or name (dilution); several with commas
    #[arg(long, value_name = "NAME")]
    pub guardrail_override: Option<String>,
}

impl Args {
    fn overrides(&self) -> CliResult<Vec<Override>> {
        let list = |text: &String| format!("[{text}]");
        let flags = [
            ("--steps", "training.steps", self.steps.clone()),
            ("--batch-size", "training.batch_size", self.batch_size.clone()),
            ("--lr", "training.learning_rate", self.lr.clone()),
            ("--weight-decay", "training.weight_decay", self.weight_decay.clone()),
            ("--seed", "experiment.seeds", self.seed.as_ref().map(list)),
            ("--seeds", "experiment.seeds", self.seeds.as_ref().map(list)),
            ("--curriculum", "curriculum.type", self.curriculum.clone()),
            ("--tier-probabilities", "curriculum.tier_probabilities", self.tier_probabilities.as_ref().map(list)),
            ("--tier3-legacy", "curriculum.tier3_ratios.legacy", self.tier3_legacy.clone()),
            ("--tier3-organic", "curriculum.tier3_ratios.organic", self.tier3_organic.clone()),
            ("--tier3-expanded", "curriculum.tier3_ratios.expanded", self.tier3_expanded.clone()),
            ("--tracking", "tracking.type", self.tracking.clone()),
            ("--check-guardrails", "guardrails.enabled", self.check_guardrails.then(|| "true".to_owned())),
            ("--guardrail-override", "guardrails.overrides", self.guardrail_override.as_ref().map(list)),
        ];
        let files = [
            ("--bundles", "data.bundles", &self.bundles),
            ("--embeddings", "data.embeddings", &self.embeddings),
            ("--output-dir", "experiment.output_dir", &self.output_dir),
        ];
        let files = files.into_iter().filter_map(|(flag, key, path)| Some(of_whole_path(flag, key, path.as_ref()?)));
        let flags = flags.into_iter().filter_map(|(flag, path, v)| Some(Ok(Override::named(flag, path, &v?))));
        files.chain(flags).collect()
    }
}

/// Trains every seed.
///
/// # Errors
/// Faults in the configuration or the bundles, a guardrail that stops, outputs that can't be written.
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let config = ctx.resolved_with(&args.overrides()?)?.config;
    let needed = |value: &Option<String>, key: &str, flag: &str| {
        value.clone().ok_or_else(|| CliError::usage(format!("{key} is not set")).advise(format!("give {flag}")))
    };
    let bundles = PathBuf::from(needed(&config.data.bundles, "data.bundles", "--bundles FILE")?);
    let out = PathBuf::from(needed(&config.experiment.output_dir, "experiment.output_dir", "--output-dir DIR")?);
    let server = config.tracking.kind.mlflow().then(Server::needed).transpose()?.map(Arc::new);
    let seeds = &config.experiment.seeds;
    let dir_of = |seed: u64| if seeds.len() == 1 { out.clone() } else { out.join(format!("seed_{seed}")) };
    let anew = !args.resume && !args.force;
    for seed in seeds.iter().filter(|_| anew) {
        training::refuse_taken(&dir_of(*seed))?;
    }
    let set = read_bundles(&mut io::open(&bundles)?, &bundles.display().to_string())?;
    let before = training::check_before(&config, &set, ctx)?;
    let stop = Stop::listen()?;
    let inputs = Inputs::prepare(set, &config)?;
    let mut summaries: Vec<Summary> = Vec::new();
    for seed in seeds {
        let dir = dir_of(*seed);
        let _lock = FolderLock::take(&dir)?;
        if anew {
            // Again: another process may have been here since.
            training::refuse_taken(&dir)?;
        }
        if args.resume && dir.join(CHECKPOINT).exists() {
            training::tidy_finished(&dir)?;
            ctx.reporter.note(format!("{} is finished; skipped", dir.display()));
            continue;
        }
        let tracked = tracked(&config, *seed, &dir, server.clone(), ctx);
        let span = Span { resume: args.resume, until: None, tracked: Some(&tracked), before: Some(&before) };
        let ended = training::run_seed(&inputs, &config, *seed, &dir, span, &stop, ctx);
        tracked.end(match &ended {
            Ok(summary) if summary.finished => Status::Finished,
            Ok(_) => Status::Killed,
            Err(_) => Status::Failed,
        });
        let summary = ended?;
        let finished = summary.finished;
        summaries.push(summary);
        if !finished {
            break;
        }
    }
    ctx.print(&summaries, &text(&summaries))?;
    Ok(stop.exit().filter(|_| summaries.iter().any(|s| !s.finished)).unwrap_or(Exit::Success))
}

/// The tracker of one seed's run.
fn tracked(config: &Config, seed: u64, dir: &Path, server: Option<Arc<Server>>, ctx: &Context) -> tracking::Run {
    let mut own = config.clone();
    own.experiment.seeds = vec![seed];
    let about = tracking::About {
        // `runs/first/seed_1` is `first/seed_1` where there are several.
        name: tracking::name_of(dir, config.experiment.seeds.len().min(2)),
        parent: None,
        tags: tracking::tags([("crucible.seed", seed.to_string())]),
        params: tracking::params(&own),
    };
    tracking::Run::new(dir, dir, &config.tracking, server, about, &ctx.reporter)
}

fn text(summaries: &[Summary]) -> String {
    let mut out = String::new();
    for s in summaries {
        let loss = s.loss.map_or_else(String::new, |l| format!(", loss {l:.4}"));
        let _ = writeln!(out, "seed {}: {} steps in {:.1} s{loss} → {}", s.seed, s.steps, s.seconds, s.dir.display());
        if !s.finished {
            let _ = writeln!(out, "stopped and saved; the same command with --resume goes on");
        }
    }
    out
}
