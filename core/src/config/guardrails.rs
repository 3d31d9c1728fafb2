//! The section `guardrails`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stops a run. Thresholds that SPEC §12 names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Guardrails {
    /// Checks while training; without it they are only recorded.
    pub enabled: bool,
    /// CRITICAL findings stop the run unless acknowledged.
    pub block_on_critical: bool,
    /// Acknowledged guardrails, by id (`G1`) or name (`dilution`).
    pub overrides: Vec<String>,
    /// G4: a tier drawn under this share of its target.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub quota_floor: f64,
    /// G5: steps in the window.
    #[schemars(range(min = 2, max = 1000000))]
    pub loss_window: usize,
    /// G5: standard deviations over the window's mean.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub loss_sigmas: f64,
    /// G6: a gradient norm under this vanishes.
    #[schemars(range(min = 0.0))]
    pub gradient_min: f64,
    /// G6: a gradient norm over this explodes.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub gradient_max: f64,
    /// G7: the drop of the frozen pass rate that is allowed, as a share; fix it beforehand.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0))]
    pub regression_delta: f64,
    /// G8: a cliff is a rise of the frozen pass rate by more than this share.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub cliff_rise: f64,
    /// G8: with a fall of the organic pass rate by more than this share.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub cliff_fall: f64,
    /// G10: a fall of the margins' 10 % quantile that is allowed, in cosine units.
    #[schemars(range(min = 0.0, max = 4.0))]
    pub margin_fall: f64,
    /// G11: eval items that training has seen, as a share of all; more are CRITICAL.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub leakage_share: f64,
    /// G11, G12: Jaccard index of word shingles from which on two texts are near-duplicates.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0))]
    pub near_duplicate: f64,
    /// G12: negatives that are suspected to be of the anchor's sense, as a share of all; more are CRITICAL.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub false_negative_share: f64,
    /// G13: pseudo-killers in a pool, as a share of those that were tested; more are CRITICAL.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub pseudo_killer_share: f64,
    /// G16: mean cosine of random pairs of texts from which on the space has collapsed.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_mean_cosine: f64,
    /// G16: effective rank (about the vectors' mean) under which it has.
    #[schemars(range(min = 0.0))]
    pub min_effective_rank: f64,
    /// Findings from CRITICAL up are posted here as JSON: an `http://` or `https://` address. Not written into runs' own
    /// configurations, nor into a sweep's plan: `crucible trial run` takes it from the variable `CRUCIBLE_WEBHOOK` or
    /// from the `crucible.yaml` of the folder that it runs in.
    pub webhook: Option<String>,
}

impl Default for Guardrails {
    fn default() -> Self {
        Self {
            enabled: false,
            block_on_critical: true,
            overrides: Vec::new(),
            quota_floor: 0.8,
            loss_window: 50,
            loss_sigmas: 3.0,
            gradient_min: 1e-7,
            gradient_max: 1e3,
            regression_delta: 0.02,
            cliff_rise: 0.01,
            cliff_fall: 0.02,
            margin_fall: 0.05,
            leakage_share: 0.01,
            near_duplicate: 0.8,
            false_negative_share: 0.05,
            pseudo_killer_share: 0.25,
            max_mean_cosine: 0.99,
            min_effective_rank: 2.0,
            webhook: None,
        }
    }
}
