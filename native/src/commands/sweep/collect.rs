//! Results of finished trials, put together in the sweep's folder.

use super::args::AnalysisArgs;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::trials::{self, State, board_name};
use crate::{lock, output, scoreboards};
use crucible_core::config::Guardrails;
use crucible_core::data::Tier;
use crucible_core::eval::Scoreboard;
use crucible_core::sweep::{
    Analysis, Kind, Outcome, Results, Settings, SweepScoreboard, Trial, Truth, judge, sweep_scoreboard,
};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Where the analysis goes.
pub(crate) const ANALYSIS: &str = "pareto_analysis.json";

/// Whoever puts results together holds it. Trials may run meanwhile.
const LOCK: &str = ".collect.lock";
/// How long another one is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was put together.
#[derive(Debug, Serialize)]
pub(super) struct Collected {
    /// Trials of the plan.
    pub(super) trials: usize,
    /// Finished ones.
    pub(super) finished: usize,
    /// Results on the frozen eval.
    pub(super) frozen: Option<SweepScoreboard>,
    /// Results on the organic holdout.
    pub(super) organic: Option<SweepScoreboard>,
    /// Both together; none where one is missing.
    pub(super) analysis: Option<Analysis>,
    /// Why there is no analysis.
    pub(super) no_analysis: Option<String>,
}

/// Reads scoreboards and items of all finished trials and writes what they say together.
pub(super) fn collect(root: &Path, trials: &[Trial], args: &AnalysisArgs) -> CliResult<Collected> {
    let _lock = lock::take_within(&root.join(LOCK), PATIENCE)?.ok_or_else(|| {
        CliError::new(Exit::Error, format!("{}: another process puts these results together", root.display()))
            .advise("wait for it")
    })?;
    for name in [board_name(Truth::Frozen), board_name(Truth::Organic), ANALYSIS.to_owned()] {
        output::remove_leftovers(&root.join(name))?;
    }
    let mut boards: [Vec<(String, u64, Scoreboard)>; 2] = Default::default();
    let mut outcomes = Vec::new();
    let mut finished = 0;
    for trial in trials {
        if trials::state(root, trial)? != State::Finished {
            continue;
        }
        finished += 1;
        for evaluation in trial.evaluations() {
            let mut items = [None, None];
            for (truth, _) in crate::evaluation::eval_sets(&trial.config) {
                let path = root.join(&evaluation.dir).join(board_name(truth));
                boards[truth as usize].push((evaluation.condition.clone(), trial.seed, scoreboards::read(&path)?));
                items[truth as usize] = Some(scoreboards::read_items(&scoreboards::items_found(&path))?);
            }
            if let [Some(frozen), Some(organic)] = items {
                outcomes.push(Outcome { condition: evaluation.condition, seed: trial.seed, items: [frozen, organic] });
            }
        }
    }
    let [frozen, organic] = Truth::ALL.map(|truth| sweep_scoreboard(&boards[truth as usize]));
    for (truth, board) in Truth::ALL.into_iter().zip([&frozen, &organic]) {
        if let Some(board) = board {
            output::write_json(&root.join(board_name(truth)), board)?;
        }
    }
    let first = |truth: Truth| boards[truth as usize].first().map(|(.., board)| board);
    let settings = Settings { resamples: args.resamples as usize, ..Settings::default() };
    let (analysis, no_analysis) = match Results::new(&outcomes) {
        Ok(results) => {
            let baseline = match &args.baseline {
                Some(name) if !results.conditions.contains(name) => {
                    let message = format!("--baseline {name}: no such condition");
                    return Err(CliError::usage(message).advise(format!("one of {}", results.conditions.join(", "))));
                }
                Some(name) => name.as_str(),
                None => "",
            };
            let chance = chance(first(Truth::Frozen), first(Truth::Organic));
            // All trials of a plan are of one kind, under the same limits.
            let (kind, limits) = trials
                .first()
                .map_or_else(|| (Kind::Ratio, Guardrails::default()), |t| (t.kind, t.config.guardrails.clone()));
            (Some(judge(&results, kind, baseline, chance, &settings, &limits).0), None)
        }
        Err(error) => (None, Some(error.to_string())),
    };
    if let Some(analysis) = &analysis {
        output::write_json(&root.join(ANALYSIS), analysis)?;
    }
    if finished == 0 && !trials.is_empty() {
        let message = format!("no trial of {} has finished", root.display());
        return Err(CliError::new(Exit::Error, message).advise("`crucible sweep status` tells how far they are"));
    }
    Ok(Collected { trials: trials.len(), finished, frozen, organic, analysis, no_analysis })
}

/// What guessing passes: on the frozen eval's hardest tier where there is one, and on the organic holdout.
pub(crate) fn chance(frozen: Option<&Scoreboard>, organic: Option<&Scoreboard>) -> [f64; 2] {
    let of = |board: Option<&Scoreboard>| board.map(|b| b.sanity.chance.clone());
    let hardest = of(frozen).and_then(|c| c.by_tier.get(&Tier::Adversarial).or(Some(&c.overall))?.level);
    let organic = of(organic).and_then(|c| c.overall.level);
    [hardest.unwrap_or(0.0), organic.unwrap_or(0.0)]
}
