//! The document that a report's page shows.

use super::columns::Column;
use super::texts::Texts;
use crate::curriculum::exposure::RunExposures;
use crate::data::{Pool, Tier};
use crate::estimate::Interval;
use crate::eval::{GroupKind, Scoreboard};
use crate::guardrails::Finding;
use crate::stats::PairedChange;
use crate::sweep::{Analysis, Ellipse, Kind, Truth};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Of the document's form.
pub const VERSION: u32 = 1;

/// What can be asked of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SectionKind {
    /// Conditions side by side, guardrails, what to know first.
    Summary,
    /// Any two axes against each other.
    Pareto,
    /// Margins per tier against a baseline.
    MarginDist,
    /// Rates in the course of training, and cliffs.
    StepTrajectory,
    /// Expected and real exposures per pool.
    Dilution,
}

impl SectionKind {
    /// All, in the order of tabs.
    pub const ALL: [Self; 5] = [Self::Summary, Self::Pareto, Self::MarginDist, Self::StepTrajectory, Self::Dilution];

    /// As `--type` names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["summary", "pareto", "margin-dist", "step-trajectory", "dilution"][self as usize]
    }
}

/// Why something can't be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Missing {
    /// What the results lack.
    pub reason: String,
    /// What to run.
    pub advice: String,
}

/// A part of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Section {
    /// Which.
    pub kind: SectionKind,
    /// Why it can't be shown; null where it can.
    pub missing: Option<Missing>,
}

/// What lay in the results folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// A sweep with its plan.
    Sweep,
    /// One run, or several.
    Runs,
    /// Scoreboards alone.
    Scoreboards,
}

/// The items that runs were scored on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvalItems {
    /// `frozen`, `organic`, or what the scoreboard's file is called.
    pub name: String,
    /// Which question it answers; null where the name does not tell.
    pub truth: Option<Truth>,
    /// The eval file, as its scoreboard names it.
    pub path: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Items.
    pub count: usize,
    /// Hash of its content.
    pub content_hash: String,
    /// Hash over content and rules of scoring.
    pub protocol_hash: String,
    /// `bundle_id` of each item; empty where no items were kept.
    pub ids: Vec<String>,
    /// What a group is.
    pub group_kind: Option<GroupKind>,
    /// Names of the groups.
    pub groups: Vec<String>,
    /// Each item's group.
    pub group: Column,
    /// Its tier: 1 to 3, 0 for none.
    pub tier: Column,
    /// Its pool: 1 legacy, 2 organic, 3 expanded, 0 for none.
    pub pool: Column,
    /// Its texts; null where they are not here.
    pub texts: Option<Texts>,
    /// Why not, or why not all.
    pub no_texts: Option<String>,
    /// Events that won against a positive, where texts are not here: `winner` counts in this list.
    pub winners: Vec<String>,
}

/// One setting of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// Such as `training.steps`.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// Whether it is the same in all conditions.
    pub shared: bool,
}

/// One setting of a sweep, or one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    /// Its name.
    pub name: String,
    /// The step at which it was evaluated, in a sweep over steps.
    pub step: Option<u64>,
    /// The first run's configuration, leaf by leaf; empty where it is not there.
    pub settings: Vec<Setting>,
    /// It comes from outside the folder, to compare with.
    pub foreign: bool,
}

/// Loss and gradients at one step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrainingPoint {
    /// The step.
    pub step: u64,
    /// Mean loss since the point before; null where it was no number.
    pub loss: Option<f64>,
    /// Norm of the gradient.
    pub gradient_norm: Option<f64>,
}

/// A value with its interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// The value.
    pub value: f64,
    /// Its interval; null where nothing can be resampled.
    pub interval: Option<Interval>,
}

/// How a run's items moved against the baseline's run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Which items.
    pub subset: Subset,
    /// How.
    pub change: PairedChange,
}

/// One run on one eval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Board {
    /// Number of the eval.
    pub eval: usize,
    /// The scoreboard as it was written.
    pub scoreboard: Scoreboard,
    /// By measure of this eval, in their order; null for a measure that it has no items for. Empty without items.
    pub values: Vec<Option<Range>>,
    /// Margins in the eval's order; null without items.
    pub margin: Option<Column>,
    /// Similarity of anchor and positive.
    pub pos_sim: Option<Column>,
    /// Ranks.
    pub rank: Option<Column>,
    /// The winning negative: number among the item's negatives where it has texts, plus 1; else number in `winners`, plus 1,
    /// where the eval has no texts; 0 where not known.
    pub winner: Option<Column>,
    /// Against the baseline's run; empty where there is none.
    pub changes: Vec<Change>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Number of its condition.
    pub condition: usize,
    /// Its seed, where it is known.
    pub seed: Option<u64>,
    /// Its folder or file, below the results folder.
    pub place: String,
    /// Where it was evaluated.
    pub boards: Vec<Board>,
    /// Expected and real exposures.
    pub exposures: Option<RunExposures>,
    /// Its course; in a sweep over steps only with the last step's run.
    pub training: Vec<TrainingPoint>,
}

/// Which items of an eval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subset {
    /// All of them.
    All,
    /// A tier.
    Tier(Tier),
    /// A pool of tier3.
    Pool(Pool),
}

impl Subset {
    /// A short name: `all`, `tier3_adversarial`, `legacy`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Tier(tier) => tier.name(),
            Self::Pool(pool) => pool.name(),
        }
    }
}

/// What is computed of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Share that passes.
    PassRate,
    /// Mean margin, in cosine units.
    MeanMargin,
    /// 10 % quantile of the margin.
    Q10Margin,
    /// Its median.
    MedianMargin,
    /// 90 % quantile.
    Q90Margin,
    /// Mean rank of the positive, from 1: the lower the better.
    MeanRank,
}

impl Statistic {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::PassRate, Self::MeanMargin, Self::Q10Margin, Self::MedianMargin, Self::Q90Margin, Self::MeanRank];

    /// As in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["pass_rate", "mean_margin", "q10_margin", "median_margin", "q90_margin", "mean_rank"][self as usize]
    }
}

/// An axis that runs can be compared on. Each is of one eval: no axis mixes the two questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measure {
    /// Such as `frozen.tier3_adversarial.pass_rate`.
    pub key: String,
    /// Number of the eval.
    pub eval: usize,
    /// Which items.
    pub subset: Subset,
    /// What of them.
    pub statistic: Statistic,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// Items that it is computed from.
    pub items: usize,
}

/// A condition on one axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// Mean over the runs that are compared.
    pub mean: f64,
    /// Standard deviation over runs; null with one.
    pub std: Option<f64>,
    /// Over runs and groups of items; null where nothing can be resampled.
    pub interval: Option<Interval>,
}

/// A condition in a plane of two axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanePoint {
    /// Number of the condition.
    pub condition: usize,
    /// No other condition is better.
    pub on_frontier: bool,
    /// Share of resamples in which that is so.
    pub p_on_frontier: f64,
    /// Share of resamples in which it is better than the baseline on both axes; null for the baseline.
    pub p_beats_baseline: Option<f64>,
    /// Where its means may lie.
    pub ellipse: Option<Ellipse>,
    /// Where its changes against the baseline may lie: what both share by chance is taken out. Null for the baseline.
    pub change: Option<Ellipse>,
}

/// What two axes say together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plane {
    /// Number of the measure across.
    pub x: usize,
    /// Of the one upwards; larger than `x`.
    pub y: usize,
    /// Conditions that both axes know.
    pub points: Vec<PlanePoint>,
    /// Conditions on the frontier, by falling x (or rising, where less is better).
    pub frontier: Vec<usize>,
    /// Where it bends most.
    pub knee: Option<usize>,
}

/// A condition against the baseline on one axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Condition less baseline.
    pub mean: f64,
    /// Over runs and groups of items, both sides drawn alike.
    pub interval: Option<Interval>,
}

/// All conditions on all axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Landscape {
    /// Seeds that are compared, where conditions share seeds.
    pub seeds: Vec<u64>,
    /// Runs of each condition that are compared, by their numbers.
    pub runs: Vec<Vec<usize>>,
    /// Resamples behind the intervals.
    pub resamples: usize,
    /// `[condition][measure]`; null where a condition was not evaluated there.
    pub points: Vec<Vec<Option<Point>>>,
    /// `[condition][measure]` against the baseline; null for the baseline.
    pub differences: Vec<Vec<Option<Difference>>>,
    /// Every two axes.
    pub planes: Vec<Plane>,
    /// What a reader should know of it.
    pub warnings: Vec<String>,
}

/// A condition where known cases rise and new ones fall (guardrail G8), as means over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cliff {
    /// Number of the condition that it is held to: the step before with the best organic rate, or the baseline.
    pub from: usize,
    /// Number of the condition at the cliff.
    pub to: usize,
    /// What the guardrail says.
    pub finding: Finding,
}

/// A finding and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelledFinding {
    /// The run or condition, below the results folder; empty for all.
    pub place: String,
    /// What was found.
    pub finding: Finding,
}

/// All that a folder of results says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Of this document's form.
    pub report_version: u32,
    /// Of the program that wrote it.
    pub crucible_version: String,
    /// The results folder's name.
    pub title: String,
    /// What lay there.
    pub view: View,
    /// What a sweep is about.
    pub sweep: Option<Kind>,
    /// Trials of a sweep that are finished, and all.
    pub trials: Option<[usize; 2]>,
    /// Parts, shown or not.
    pub sections: Vec<Section>,
    /// Number of the condition that others are compared with.
    pub baseline: Option<usize>,
    /// What was scored on.
    pub evals: Vec<EvalItems>,
    /// Conditions, in the plan's order.
    pub conditions: Vec<Condition>,
    /// Runs, by condition.
    pub runs: Vec<Run>,
    /// Axes.
    pub measures: Vec<Measure>,
    /// Conditions on the axes; null where no run has items.
    pub landscape: Option<Landscape>,
    /// The sweep's analysis; null where it takes more.
    pub analysis: Option<Analysis>,
    /// Why there is none.
    pub no_analysis: Option<String>,
    /// Cliffs.
    pub cliffs: Vec<Cliff>,
    /// What guardrails found.
    pub findings: Vec<LabelledFinding>,
    /// Guardrails that had nothing to look at, with what they need.
    pub not_run: Vec<String>,
    /// What a reader should know first.
    pub warnings: Vec<String>,
    /// What is rounded or left out in this document.
    pub roundings: Vec<String>,
}
