//! Exposure: how often a tier3 bundle is expected to be seen, and whether that is enough.
//!
//! Dilution is the failure that this shows before a run: every bundle added to a pool takes looks from the others.

use super::shares::{CELL_NAMES, CELLS, shares, tier_probabilities};
use crate::config::{Config, Curriculum, CurriculumKind};
use crate::data::Pool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pieces that a long ramp of `phased_v2` is cut into; inside a piece the shares are those of its mean probabilities.
const RAMP_PIECES: u64 = 4096;

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
    /// Its share of tier3's slots, as a mean over the steps, after the shares of empty pools went to the others.
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
    /// Tier3's share of the slots, as a mean over the steps: its probability, with what empty tiers leave to it and tier
    /// caps take from it or give to it.
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

/// Expected exposures with cells of these sizes: tier1, tier2, and tier3's pools in the order of [`Pool::ALL`], as
/// [`cell_sizes`](super::cell_sizes) counts them. The slots are those that the sampler hands out, step by step.
#[must_use]
pub fn exposures(config: &Config, sizes: [u64; CELLS]) -> Exposures {
    let (c, steps, batch_size) = (&config.curriculum, config.training.steps, config.training.batch_size);
    // Steps, weighted with each cell's share of a batch.
    let mut weights = [0.0; CELLS];
    let mut wanted = [0.0; 3];
    for (from, to) in stretches(c, steps) {
        let [first, last] = [from, to - 1].map(|step| tier_probabilities(c, steps, step));
        let p: [f64; 3] = std::array::from_fn(|tier| (first[tier] + last[tier]) / 2.0);
        let length = (to - from) as f64;
        let shares = shares(c, p, batch_size, sizes);
        weights.iter_mut().zip(shares).for_each(|(sum, share)| *sum += length * share);
        wanted.iter_mut().zip(p).for_each(|(sum, share)| *sum += length * share);
    }
    let tier3: f64 = weights[2..].iter().sum();
    let pools = Pool::ALL.map(|pool| {
        let (size, weight) = (sizes[2 + pool.index()], weights[2 + pool.index()]);
        let share = if tier3 > 0.0 { weight / tier3 } else { 0.0 };
        let expected = (size > 0).then(|| weight * batch_size as f64 / size as f64);
        let status = expected.filter(|_| pool == Pool::Legacy).map(ExposureStatus::of);
        PoolExposure { pool, size, share, expected, status }
    });
    let mean = |sum: f64| if steps == 0 { 0.0 } else { sum / steps as f64 };
    let warnings = warnings(c, wanted.map(mean), sizes);
    Exposures { steps, batch_size, p_tier3: mean(tier3), pools: pools.to_vec(), warnings }
}

/// What empty tiers and pools leave to the others.
fn warnings(c: &Curriculum, wanted: [f64; 3], sizes: [u64; CELLS]) -> Vec<String> {
    let mut out = Vec::new();
    for tier in 0..2 {
        if sizes[tier] == 0 && wanted[tier] > 0.0 {
            let (name, share) = (CELL_NAMES[tier], wanted[tier]);
            out.push(format!("{name} is empty: its share of {share:.4} goes to the other tiers"));
        }
    }
    let ratios = c.tier3_ratios.by_pool();
    for pool in Pool::ALL.into_iter().filter(|p| sizes[2 + p.index()] == 0 && ratios[p.index()] > 0.0) {
        let share = ratios[pool.index()];
        out.push(format!("the {} pool is empty: its share of {share} goes to the others", pool.name()));
    }
    out
}

/// The steps cut into stretches `from..to` over which the tier probabilities do not change, or change in a line.
fn stretches(c: &Curriculum, steps: u64) -> Vec<(u64, u64)> {
    let mut cuts = vec![0, steps];
    match c.kind {
        CurriculumKind::Uniform => {}
        CurriculumKind::Phased => cuts.extend(c.phases.iter().map(|phase| phase.until_step)),
        CurriculumKind::PhasedV2 => {
            let first = c.start_step;
            let length = c.end_step.unwrap_or(steps).saturating_sub(first).max(1);
            let pieces = length.min(RAMP_PIECES);
            let cut = |i: u64| first.saturating_add((u128::from(length) * u128::from(i) / u128::from(pieces)) as u64);
            cuts.extend((0..=pieces).map(cut));
        }
    }
    cuts.retain(|cut| *cut <= steps);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Phase;
    use crate::curriculum::{Sampler, cell_sizes};

    /// Bundles in all five cells.
    fn full(pools: [u64; 3]) -> [u64; CELLS] {
        [3000, 900, pools[0], pools[1], pools[2]]
    }

    #[test]
    fn the_worked_example() {
        let expected = expected_exposure(10_000, 32, 0.10, 0.75, 454).expect("a pool");
        assert_eq!(format!("{expected:.1}"), "52.9");
        let table = exposures(&Config::default(), full([454, 100, 100]));
        assert!((table.pools[0].expected.expect("a pool") - expected).abs() < 1e-9);
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
        let table = exposures(&Config::default(), full([454, 0, 100]));
        assert!((table.pools[0].share - 0.75 / 0.85).abs() < 1e-12);
        assert_eq!((table.pools[1].share, table.pools[1].expected), (0.0, None));
        assert_eq!(table.warnings.len(), 1);
        let none = exposures(&Config::default(), full([0; 3]));
        assert!(none.pools.iter().all(|p| p.expected.is_none() && p.share == 0.0));
        assert_eq!((none.p_tier3, none.warnings.len()), (0.0, 3));
    }

    #[test]
    fn an_empty_tiers_share_goes_to_the_others() {
        let table = exposures(&Config::default(), [500, 0, 100, 50, 50]);
        assert!((table.p_tier3 - 0.1 / 0.7).abs() < 1e-12, "{}", table.p_tier3);
        assert!(table.warnings[0].contains("tier2_robust"), "{:?}", table.warnings);
        let both = exposures(&Config::default(), [0, 0, 100, 50, 50]);
        assert!((both.p_tier3 - 1.0).abs() < 1e-12);
    }

    fn phased(phases: &[(u64, f64)]) -> Curriculum {
        let phase = |&(until_step, p): &(u64, f64)| Phase { until_step, tier_probabilities: [1.0 - p, 0.0, p] };
        Curriculum { kind: CurriculumKind::Phased, phases: phases.iter().map(phase).collect(), ..Curriculum::default() }
    }

    fn ramp(start: u64, end: Option<u64>) -> Curriculum {
        Curriculum {
            kind: CurriculumKind::PhasedV2,
            start_probabilities: Some([0.8, 0.1, 0.1]),
            end_probabilities: Some([0.2, 0.2, 0.6]),
            start_step: start,
            end_step: end,
            ..Curriculum::default()
        }
    }

    fn of(curriculum: Curriculum, steps: u64) -> Config {
        let mut config = Config { curriculum, ..Config::default() };
        config.training.steps = steps;
        config
    }

    #[test]
    fn phases_count_by_their_length() {
        let mean = |config: &Config| exposures(config, full([9, 9, 9])).p_tier3;
        let phases = [(20, 0.0), (60, 0.1), (80, 0.3)];
        let got = mean(&of(phased(&phases), 100));
        assert!((got - (40.0 * 0.1 + 40.0 * 0.3) / 100.0).abs() < 1e-12, "the last phase goes on: {got}");
        assert_eq!(mean(&of(phased(&phases), 10)), 0.0);
    }

    #[test]
    fn a_ramp_equals_its_sum() {
        for (start, end, steps) in
            [(0, 100, 100), (20, 60, 100), (20, 300, 100), (150, 300, 100), (0, 1, 7), (0, 90_001, 99_999)]
        {
            let at = |s: u64| 0.1 + 0.5 * ((s as f64 - start as f64) / (end - start) as f64).clamp(0.0, 1.0);
            let mean = (0..steps).map(at).sum::<f64>() / steps as f64;
            let fast = exposures(&of(ramp(start, Some(end)), steps), full([9, 9, 9])).p_tier3;
            assert!((fast - mean).abs() < 1e-9, "{start} {end} {steps}: {fast} {mean}");
        }
    }

    #[test]
    fn numbers_at_the_ends_of_their_range_are_no_trouble() {
        for (start, end, steps) in [(0, None, u64::MAX), (u64::MAX, Some(0), 10), (5, Some(u64::MAX), u64::MAX)] {
            let table = exposures(&of(ramp(start, end), steps), [u64::MAX; CELLS]);
            assert!((0.0..=1.0).contains(&table.p_tier3), "{table:?}");
        }
        assert_eq!(exposures(&of(ramp(0, None), 0), full([1; 3])).p_tier3, 0.0);
    }

    /// What the sampler really draws is what was forecast, to the rounding of its quotas.
    #[test]
    fn the_sampler_counts_what_was_forecast() {
        let uniform = Curriculum::default;
        let cap = |caps| Curriculum { tier_caps: caps, ..Curriculum::default() };
        let ratios = |legacy, organic, expanded| {
            let tier3_ratios = crate::config::Tier3Ratios { legacy, organic, expanded };
            Curriculum { tier3_ratios, ..Curriculum::default() }
        };
        let curricula = [
            uniform(),
            ratios(0.0, 0.5, 0.5),
            cap([Some(8), None, None]),
            cap([None, None, Some(1)]),
            cap([Some(8), Some(8), None]),
            phased(&[(100, 0.0), (250, 0.5)]),
            ramp(50, Some(300)),
            Curriculum { tier_caps: [None, None, Some(6)], ..ramp(50, Some(300)) },
        ];
        let sets = [
            [50, 40, 30, 20, 10],
            [50, 0, 30, 20, 10],
            [0, 40, 30, 20, 10],
            [0, 0, 30, 20, 10],
            [50, 40, 30, 0, 0],
            [50, 0, 0, 20, 0],
            [50, 40, 0, 0, 0],
        ];
        let (steps, batch) = (400, 32);
        for (i, curriculum) in curricula.into_iter().enumerate() {
            for sizes in sets {
                let set = super::super::sampler::tests::set(sizes);
                let (mut sampler, _) = Sampler::new(&set, &curriculum, steps, batch, 7);
                let mut slots = [0u64; CELLS];
                for _ in 0..steps {
                    slots.iter_mut().zip(sampler.draw().quota).for_each(|(sum, quota)| *sum += quota as u64);
                }
                let table = exposures(&of(curriculum.clone(), steps), cell_sizes(&set));
                for (pool, slots) in table.pools.iter().zip(&slots[2..]) {
                    let forecast = pool.expected.unwrap_or(0.0) * pool.size as f64;
                    // Five standard deviations: a quota is rounded by a draw of its own, of variance 1/4 at most.
                    let near = 5.0 * (steps as f64).sqrt() * 0.5;
                    assert!(
                        (forecast - *slots as f64).abs() <= near,
                        "curriculum {i}, {sizes:?}: {:?} forecast at {forecast}, drawn {slots}",
                        pool.pool
                    );
                }
            }
        }
    }
}
