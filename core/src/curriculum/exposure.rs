//! Exposure: how often a tier3 bundle is expected to be seen, and whether that is enough.
//!
//! Dilution is the failure that this shows before a run: every bundle added to a pool takes looks from the others.

use crate::config::{Config, CurriculumKind};
use crate::data::Pool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether the legacy pool is seen often enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExposureStatus {
    /// 50 looks and more.
    Healthy,
    /// 30 and more.
    Warning,
    /// 10 and more.
    Critical,
    /// Fewer.
    Severe,
}

impl ExposureStatus {
    /// The status of a legacy bundle that is seen `expected` times. NaN is severe.
    #[must_use]
    pub fn of(expected: f64) -> Self {
        match expected {
            e if e >= 50.0 => Self::Healthy,
            e if e >= 30.0 => Self::Warning,
            e if e >= 10.0 => Self::Critical,
            _ => Self::Severe,
        }
    }

    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Severe => "severe",
        }
    }
}

/// Expected looks per bundle: `steps × batch × p_tier3 × r_pool / pool size`; none for an empty pool.
#[must_use]
pub fn expected_exposure(steps: u64, batch_size: usize, p_tier3: f64, r_pool: f64, pool_size: u64) -> Option<f64> {
    (pool_size > 0).then(|| steps as f64 * batch_size as f64 * p_tier3 * r_pool / pool_size as f64)
}

/// One pool's row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PoolExposure {
    /// The pool.
    pub pool: Pool,
    /// Bundles in it.
    pub size: u64,
    /// Its share of tier3's slots, after the shares of empty pools went to the others.
    pub share: f64,
    /// Expected looks per bundle; none for an empty pool.
    pub expected: Option<f64>,
    /// For the legacy pool.
    pub status: Option<ExposureStatus>,
}

/// Expected exposures of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exposures {
    /// Steps of the run.
    pub steps: u64,
    /// Bundles a step.
    pub batch_size: usize,
    /// Tier3's probability, as a mean over the steps.
    pub p_tier3: f64,
    /// In the order of [`Pool::ALL`].
    pub pools: Vec<PoolExposure>,
    /// What makes the real numbers differ.
    pub warnings: Vec<String>,
}

/// How often the bundles of one cell were really seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellExposure {
    /// A tier, or a pool of tier3.
    pub cell: String,
    /// Bundles in it.
    pub bundles: usize,
    /// Mean looks per bundle; null for an empty cell.
    pub mean: Option<f64>,
    /// Those of the bundle that was seen least.
    pub min: Option<u64>,
    /// Of the one that was seen most.
    pub max: Option<u64>,
}

/// What `exposures.json` of a run says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunExposures {
    /// Before training.
    pub expected: Exposures,
    /// Counted while training, in the order of cells.
    pub real: Vec<CellExposure>,
}

/// Expected exposures of pools of these sizes (in the order of [`Pool::ALL`]).
#[must_use]
pub fn exposures(config: &Config, sizes: [u64; 3]) -> Exposures {
    let p_tier3 = mean_tier3_probability(config);
    let (steps, batch_size) = (config.training.steps, config.training.batch_size);
    let mut warnings = Vec::new();
    let shares = shares(config.curriculum.tier3_ratios.by_pool(), sizes, &mut warnings);
    if let Some(cap) = config.curriculum.tier_caps[2].filter(|cap| (*cap as f64) < batch_size as f64 * p_tier3 * 1.5) {
        warnings.push(format!(
            "`curriculum.tier_caps` lets tier3 take {cap} of {batch_size} slots: real exposures are lower"
        ));
    }
    let row = |pool: Pool| {
        let (size, share) = (sizes[pool.index()], shares[pool.index()]);
        let expected = expected_exposure(steps, batch_size, p_tier3, share, size);
        let status = expected.filter(|_| pool == Pool::Legacy).map(ExposureStatus::of);
        PoolExposure { pool, size, share, expected, status }
    };
    Exposures { steps, batch_size, p_tier3, pools: Pool::ALL.map(row).to_vec(), warnings }
}

/// Shares of tier3's slots: an empty pool's goes to the others, in proportion.
fn shares(ratios: [f64; 3], sizes: [u64; 3], warnings: &mut Vec<String>) -> [f64; 3] {
    let there = |pool: Pool| sizes[pool.index()] > 0;
    let sum: f64 = Pool::ALL.into_iter().filter(|p| there(*p)).map(|p| ratios[p.index()]).sum();
    for pool in Pool::ALL.into_iter().filter(|p| !there(*p) && ratios[p.index()] > 0.0) {
        let share = ratios[pool.index()];
        warnings.push(format!("the {} pool is empty: its share of {share} goes to the others", pool.name()));
    }
    Pool::ALL.map(|pool| if there(pool) && sum > 0.0 { ratios[pool.index()] / sum } else { 0.0 })
}

/// Tier3's probability as a mean over all steps of the run, for any curriculum.
#[must_use]
pub fn mean_tier3_probability(config: &Config) -> f64 {
    let c = &config.curriculum;
    let steps = config.training.steps;
    match c.kind {
        CurriculumKind::Uniform => c.tier_probabilities[2],
        CurriculumKind::Phased => {
            let mut from = 0;
            let mut sum = 0.0;
            for (i, phase) in c.phases.iter().enumerate() {
                // The last phase goes on.
                let until = if i + 1 == c.phases.len() { steps } else { phase.until_step.min(steps) };
                sum += until.saturating_sub(from) as f64 * phase.tier_probabilities[2];
                from = from.max(until);
            }
            if steps == 0 { 0.0 } else { sum / steps as f64 }
        }
        CurriculumKind::PhasedV2 => {
            let [a, b] = [c.start_probabilities, c.end_probabilities].map(|p| p.unwrap_or(c.tier_probabilities)[2]);
            ramp_mean(a, b, c.start_step, c.end_step.unwrap_or(steps), steps)
        }
    }
}

/// The mean over steps `0..steps` of a line from `a` at `start` to `b` at `end`, level before and after.
fn ramp_mean(a: f64, b: f64, start: u64, end: u64, steps: u64) -> f64 {
    if steps == 0 || end <= start {
        return b;
    }
    let before = start.min(steps) as f64;
    let after = steps.saturating_sub(end) as f64;
    // Steps on the ramp: `start..min(end, steps)`, an arithmetic series.
    let count = end.min(steps).saturating_sub(start) as f64;
    let width = (end - start) as f64;
    let ramp = count * a + (b - a) * count * (count - 1.0).max(0.0) / 2.0 / width;
    (before * a + ramp + after * b) / steps as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Phase;

    #[test]
    fn the_worked_example() {
        let expected = expected_exposure(10_000, 32, 0.10, 0.75, 454).expect("a pool");
        assert_eq!(format!("{expected:.1}"), "52.9");
        let table = exposures(&Config::default(), [454, 100, 100]);
        assert_eq!(table.pools[0].expected, Some(expected));
        assert_eq!(table.pools[0].status, Some(ExposureStatus::Healthy));
        assert!(table.warnings.is_empty());
    }

    #[test]
    fn statuses_begin_at_their_limits() {
        use ExposureStatus::{Critical, Healthy, Severe, Warning};
        let cases =
            [(50.0, Healthy), (49.99, Warning), (30.0, Warning), (29.9, Critical), (10.0, Critical), (9.9, Severe)];
        for (expected, status) in cases {
            assert_eq!(ExposureStatus::of(expected), status, "{expected}");
        }
        assert_eq!(ExposureStatus::of(f64::NAN), Severe);
    }

    #[test]
    fn an_empty_pools_share_goes_to_the_others() {
        let table = exposures(&Config::default(), [454, 0, 100]);
        assert!((table.pools[0].share - 0.75 / 0.85).abs() < 1e-12);
        assert_eq!((table.pools[1].share, table.pools[1].expected), (0.0, None));
        assert_eq!(table.warnings.len(), 1);
        let none = exposures(&Config::default(), [0; 3]);
        assert!(none.pools.iter().all(|p| p.expected.is_none() && p.share == 0.0));
    }

    #[test]
    fn phases_count_by_their_length() {
        let mut config = Config::default();
        config.training.steps = 100;
        config.curriculum.kind = CurriculumKind::Phased;
        let phase = |until_step, p| Phase { until_step, tier_probabilities: [1.0 - p, 0.0, p] };
        config.curriculum.phases = vec![phase(20, 0.0), phase(60, 0.1), phase(80, 0.3)];
        assert!((mean_tier3_probability(&config) - (40.0 * 0.1 + 40.0 * 0.3) / 100.0).abs() < 1e-12);
        config.training.steps = 10;
        assert_eq!(mean_tier3_probability(&config), 0.0);
    }

    #[test]
    fn a_ramp_equals_its_sum() {
        for (start, end, steps) in [(0, 100, 100), (20, 60, 100), (20, 300, 100), (150, 300, 100), (0, 1, 7)] {
            let at = |s: u64| 0.1 + 0.4 * ((s as f64 - start as f64) / (end - start) as f64).clamp(0.0, 1.0);
            let mean = (0..steps).map(at).sum::<f64>() / steps as f64;
            let fast = ramp_mean(0.1, 0.5, start, end, steps);
            assert!((fast - mean).abs() < 1e-12, "{start} {end} {steps}: {fast} {mean}");
        }
    }
}
