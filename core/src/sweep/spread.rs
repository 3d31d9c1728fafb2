//! Scoreboards of all seeds and conditions in one document.

use crate::data::Tier;
use crate::eval::{EvalHeader, Scoreboard};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One number over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Seeds that have it.
    pub seeds: usize,
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation; null with one seed.
    pub std: Option<f64>,
    /// Least.
    pub min: f64,
    /// Greatest.
    pub max: f64,
}

impl Spread {
    /// Of some numbers; none of none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        (!values.is_empty()).then(|| Self {
            seeds: values.len(),
            mean,
            std: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// One run's result, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeedBoard {
    /// SHA-256 of the checkpoint.
    pub checkpoint_hash: String,
    /// Pass rate of all items; null without items.
    pub pass_rate: Option<f64>,
    /// Pass rate by tier.
    pub by_tier: BTreeMap<Tier, Option<f64>>,
}

/// One condition's results.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionBoards {
    /// By seed.
    pub seeds: BTreeMap<u64, SeedBoard>,
    /// Pass rate of all items.
    pub pass_rate: Option<Spread>,
    /// Pass rate by tier.
    pub by_tier: BTreeMap<Tier, Spread>,
    /// 10 % quantile of the margins.
    pub q10_margin: Option<Spread>,
}

/// All conditions on one eval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepScoreboard {
    /// The eval set and the rules, as the first scoreboard has them.
    pub eval_header: EvalHeader,
    /// By name.
    pub conditions: BTreeMap<String, ConditionBoards>,
}

/// Puts scoreboards of `(condition, seed)` together; none of none.
#[must_use]
pub fn sweep_scoreboard(boards: &[(String, u64, Scoreboard)]) -> Option<SweepScoreboard> {
    let mut conditions: BTreeMap<String, Vec<(u64, &Scoreboard)>> = BTreeMap::new();
    for (condition, seed, board) in boards {
        conditions.entry(condition.clone()).or_default().push((*seed, board));
    }
    let of = |boards: Vec<(u64, &Scoreboard)>| {
        let spread = |number: &dyn Fn(&Scoreboard) -> Option<f64>| {
            Spread::of(&boards.iter().filter_map(|(_, board)| number(board)).collect::<Vec<_>>())
        };
        let rate = |tier: Tier| spread(&|b| b.by_tier.get(&tier)?.pass_rate);
        let seed = |board: &Scoreboard| SeedBoard {
            checkpoint_hash: board.checkpoint.hash.clone(),
            pass_rate: board.overall.pass_rate,
            by_tier: board.by_tier.iter().map(|(tier, summary)| (*tier, summary.pass_rate)).collect(),
        };
        ConditionBoards {
            pass_rate: spread(&|b| b.overall.pass_rate),
            by_tier: Tier::ALL.into_iter().filter_map(|tier| Some((tier, rate(tier)?))).collect(),
            q10_margin: spread(&|b| b.overall.q10_margin),
            seeds: boards.iter().map(|(number, board)| (*number, seed(board))).collect(),
        }
    };
    Some(SweepScoreboard {
        eval_header: boards.first()?.2.eval_header.clone(),
        conditions: conditions.into_iter().map(|(name, boards)| (name, of(boards))).collect(),
    })
}
