//! Items of finished trials, as tables that can be resampled.

use crate::data::Tier;
use crate::eval::Item;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Which of the two questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// The frozen eval: retention. Its hardest tier, where it has one.
    Frozen,
    /// The organic holdout: generalisation. All of it.
    Organic,
}

impl Truth {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Frozen, Self::Organic];

    /// As in file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["frozen", "organic"][self as usize]
    }
}

/// One evaluated model.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its condition.
    pub condition: String,
    /// Its seed.
    pub seed: u64,
    /// Items of the frozen eval and of the organic holdout.
    pub items: [Vec<Item<'static>>; 2],
}

/// Why results can't be set side by side.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResultsError {
    /// No condition at all.
    #[error("no trial has finished with both evaluations")]
    Nothing,
    /// Conditions share no seed.
    #[error("no seed is finished in every condition")]
    NoSeed,
    /// Other items.
    #[error("{condition} seed {seed} was evaluated on other {truth} items than the rest")]
    OtherItems {
        /// Which.
        condition: String,
        /// Which.
        seed: u64,
        /// Which eval.
        truth: &'static str,
    },
    /// An empty eval.
    #[error("the {0} eval has no items")]
    Empty(&'static str),
}

/// One truth's results: `passes[condition][seed][item]`.
pub(super) struct Table {
    /// What is counted, in words.
    pub(super) what: String,
    /// Bundle ids of the counted items.
    pub(super) ids: Vec<String>,
    /// Each item's group.
    pub(super) group: Vec<u32>,
    /// Names of the groups.
    pub(super) groups: Vec<String>,
    pub(super) passes: Vec<Vec<Vec<bool>>>,
}

/// Results of every condition under the same seeds and on the same items.
pub struct Results {
    /// In the order given.
    pub conditions: Vec<String>,
    /// Those that every condition has.
    pub seeds: Vec<u64>,
    /// Seeds that some condition lacks; they are left out.
    pub left_out: Vec<u64>,
    pub(super) tables: [Table; 2],
}

impl Results {
    /// Sets outcomes side by side; conditions in order of first appearance.
    ///
    /// # Errors
    /// Nothing finished, no common seed, items that differ.
    pub fn new(outcomes: &[Outcome]) -> Result<Self, ResultsError> {
        let mut conditions: Vec<String> = Vec::new();
        let mut by: BTreeMap<(usize, u64), &Outcome> = BTreeMap::new();
        for outcome in outcomes {
            let at = conditions.iter().position(|c| *c == outcome.condition).unwrap_or_else(|| {
                conditions.push(outcome.condition.clone());
                conditions.len() - 1
            });
            by.insert((at, outcome.seed), outcome);
        }
        if conditions.is_empty() {
            return Err(ResultsError::Nothing);
        }
        let all: BTreeSet<u64> = outcomes.iter().map(|o| o.seed).collect();
        let everywhere = |seed: &u64| (0..conditions.len()).all(|c| by.contains_key(&(c, *seed)));
        let (seeds, left_out): (Vec<u64>, Vec<u64>) = all.into_iter().partition(everywhere);
        if seeds.is_empty() {
            return Err(ResultsError::NoSeed);
        }
        let chosen: Vec<Vec<&Outcome>> =
            (0..conditions.len()).map(|c| seeds.iter().map(|s| by[&(c, *s)]).collect()).collect();
        let tables = [Table::new(&chosen, Truth::Frozen)?, Table::new(&chosen, Truth::Organic)?];
        Ok(Self { conditions, seeds, left_out, tables })
    }
}

impl Table {
    fn new(outcomes: &[Vec<&Outcome>], truth: Truth) -> Result<Self, ResultsError> {
        let first = &outcomes[0][0].items[truth as usize];
        let hardest = truth == Truth::Frozen && first.iter().any(|i| i.tier == Some(Tier::Adversarial));
        let counted: Vec<&Item<'_>> = first.iter().filter(|i| !hardest || i.tier == Some(Tier::Adversarial)).collect();
        if counted.is_empty() {
            return Err(ResultsError::Empty(truth.name()));
        }
        let what = format!("{}, {}", truth.name(), if hardest { Tier::Adversarial.name() } else { "all items" });
        let place: HashMap<&str, usize> = counted.iter().map(|i| i.bundle_id.as_ref()).zip(0..).collect();
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut groups = Vec::new();
        let group = counted.iter().map(|item| {
            *numbers.entry(item.group.as_ref()).or_insert_with(|| {
                groups.push(item.group.clone().into_owned());
                groups.len() as u32 - 1
            })
        });
        let group = group.collect();
        let row = |outcome: &Outcome| {
            let other = || ResultsError::OtherItems {
                condition: outcome.condition.clone(),
                seed: outcome.seed,
                truth: truth.name(),
            };
            let items = &outcome.items[truth as usize];
            let mut passes: Vec<Option<bool>> = vec![None; counted.len()];
            for item in items {
                if let Some(at) = place.get(item.bundle_id.as_ref()) {
                    passes[*at] = Some(item.passes());
                }
            }
            let passes: Option<Vec<bool>> = passes.into_iter().collect();
            passes.filter(|_| items.len() == first.len()).ok_or_else(other)
        };
        let passes = outcomes
            .iter()
            .map(|seeds| seeds.iter().map(|outcome| row(outcome)).collect::<Result<Vec<_>, _>>())
            .collect::<Result<Vec<_>, _>>()?;
        let ids = counted.iter().map(|i| i.bundle_id.clone().into_owned()).collect();
        Ok(Self { what, ids, group, groups, passes })
    }
}
