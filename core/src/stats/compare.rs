//! Two scoreboards and their items in one document, with a verdict.

use super::{Pair, PairedChange, Pairs, Settings, Verdict, change};
use crate::data::{Pool, Tier};
use crate::eval::{Checkpoint, Item, Match, Scoreboard, match_headers};
use crate::guardrails::{Finding, Level, Override, fingerprint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Which bundles the verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// The hardest tier, where both sides have it; else all.
    Tier3,
    /// All of them.
    Overall,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    /// The model.
    pub checkpoint: Checkpoint,
    /// When it was evaluated, RFC 3339.
    pub timestamp: String,
    /// On what.
    pub device: String,
    /// By which version of the program.
    pub crucible_version: String,
}

/// A condition of the model that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionDifference {
    /// Its name in `model_conditions`.
    pub name: String,
    /// The baseline's; null where it has none.
    pub baseline: Value,
    /// The candidate's; null where it has none.
    pub candidate: Value,
}

/// What the candidate's scoreboard says of the baseline's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The model that is there.
    pub baseline: Side,
    /// The model that may take its place.
    pub candidate: Side,
    /// Whether both measured the same thing.
    #[serde(rename = "match")]
    pub matched: Match,
    /// What was fixed beforehand.
    pub settings: Settings,
    /// What `verdict` is about: `overall` or `tier3_adversarial`.
    pub verdict_on: String,
    /// The verdict on retention.
    pub verdict: Verdict,
    /// All bundles.
    pub overall: PairedChange,
    /// By tier. Their verdicts are for orientation: with several looks, one in twenty is wrong by chance.
    pub by_tier: BTreeMap<Tier, PairedChange>,
    /// By pool of tier3.
    pub by_pool: BTreeMap<Pool, PairedChange>,
    /// Ids of bundles that passed before and fail now.
    pub lost: Vec<String>,
    /// Ids of bundles that failed before and pass now.
    pub gained: Vec<String>,
    /// Bundles in one of the two items files only.
    pub unpaired: usize,
    /// How the models' conditions differ.
    pub conditions: Vec<ConditionDifference>,
    /// What a reader should know before believing the verdict.
    pub warnings: Vec<String>,
    /// Mismatches that somebody chose to pass over.
    pub overrides: Vec<Override>,
}

impl Comparison {
    /// The change that the verdict is about.
    #[must_use]
    pub fn headline(&self) -> &PairedChange {
        self.by_tier.get(&Tier::Adversarial).filter(|_| self.verdict_on != OVERALL).unwrap_or(&self.overall)
    }
}

const OVERALL: &str = "overall";
/// With fewer groups, resampling them says little.
const FEW_GROUPS: usize = 20;

/// Sets a candidate beside a baseline, each a scoreboard with its items.
///
/// # Errors
/// The guardrail's finding (G9) when fingerprint or protocol differ and `allow_mismatch` is not given; one of the same kind
/// when no bundle is in both items files.
pub fn compare(
    (baseline, before): (&Scoreboard, &[Item<'_>]),
    (candidate, after): (&Scoreboard, &[Item<'_>]),
    on: On,
    settings: &Settings,
    allow_mismatch: bool,
) -> Result<Comparison, Box<Finding>> {
    let (finding, overridden) = fingerprint::check(&candidate.eval_header, &baseline.eval_header, allow_mismatch);
    if finding.level >= Level::Critical {
        return Err(Box::new(finding));
    }
    let Pairs { pairs, unpaired } = Pairs::of(before, after);
    let of = |wanted: &dyn Fn(&Pair) -> bool| {
        let chosen: Vec<&Pair> = pairs.iter().filter(|p| wanted(p)).collect();
        change(&chosen, settings)
    };
    let Some(overall) = of(&|_| true) else {
        let message = "no bundle is in both items files".to_owned();
        return Err(Box::new(Finding { message, level: Level::Critical, ..finding }));
    };
    let by_tier: BTreeMap<_, _> =
        Tier::ALL.into_iter().filter_map(|tier| Some((tier, of(&|p| p.tier == Some(tier))?))).collect();
    let pools: BTreeSet<Pool> = pairs.iter().filter_map(|p| p.pool).collect();
    let by_pool = pools.into_iter().filter_map(|pool| Some((pool, of(&|p| p.pool == Some(pool))?))).collect();
    let tier3 = by_tier.get(&Tier::Adversarial).filter(|_| on == On::Tier3);
    let verdict_on = if tier3.is_some() { Tier::Adversarial.name() } else { OVERALL };
    let headline = tier3.unwrap_or(&overall);
    let conditions = differences(&baseline.model_conditions, &candidate.model_conditions);
    let ids = |flipped: fn(&Pair) -> bool| pairs.iter().filter(|p| flipped(p)).map(|p| p.bundle_id.clone()).collect();
    Ok(Comparison {
        verdict_on: verdict_on.to_owned(),
        verdict: headline.verdict,
        warnings: warnings(baseline, candidate, headline, &conditions, unpaired),
        baseline: side(baseline),
        candidate: side(candidate),
        matched: match_headers(&candidate.eval_header, &baseline.eval_header),
        settings: *settings,
        overall,
        by_tier,
        by_pool,
        lost: ids(Pair::lost),
        gained: ids(Pair::gained),
        unpaired,
        conditions,
        overrides: overridden.into_iter().collect(),
    })
}

fn side(board: &Scoreboard) -> Side {
    Side {
        checkpoint: board.checkpoint.clone(),
        timestamp: board.timestamp.clone(),
        device: board.device.clone(),
        crucible_version: board.crucible_version.clone(),
    }
}

fn differences(baseline: &BTreeMap<String, Value>, candidate: &BTreeMap<String, Value>) -> Vec<ConditionDifference> {
    let names: BTreeSet<&String> = baseline.keys().chain(candidate.keys()).collect();
    let of = |side: &BTreeMap<String, Value>, name: &String| side.get(name).cloned().unwrap_or(Value::Null);
    names
        .into_iter()
        .map(|name| ConditionDifference {
            name: name.clone(),
            baseline: of(baseline, name),
            candidate: of(candidate, name),
        })
        .filter(|d| d.baseline != d.candidate)
        .collect()
}

fn warnings(
    baseline: &Scoreboard,
    candidate: &Scoreboard,
    headline: &PairedChange,
    conditions: &[ConditionDifference],
    unpaired: usize,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if baseline.checkpoint.hash == candidate.checkpoint.hash {
        warnings.push(if conditions.is_empty() {
            "both scoreboards are of the same checkpoint".to_owned()
        } else {
            "both scoreboards are of the same checkpoint, read in two ways: the change is that of the reading"
                .to_owned()
        });
    }
    if headline.groups < FEW_GROUPS {
        let groups = headline.groups;
        warnings.push(format!("only {groups} groups (lemmas or documents): the bounds may be too narrow"));
    }
    if unpaired > 0 {
        warnings.push(format!("{unpaired} bundles are in one of the two items files only, and were left out"));
    }
    for (name, board) in [("baseline", baseline), ("candidate", candidate)] {
        warnings.extend(board.sanity.warnings.iter().map(|w| format!("{name}: {}", w.message)));
    }
    warnings
}
