//! How a batch is shared out among its cells: what the sampler draws by, and what a forecast counts with.

use crate::config::{Curriculum, CurriculumKind};
use crate::data::{Bundle, BundleSet, Pool, Tier};

/// Cells of a batch: tier1, tier2, then tier3 legacy, organic, expanded.
pub const CELLS: usize = 5;

/// Names of the cells, for logs.
pub const CELL_NAMES: [&str; CELLS] = ["tier1_easy", "tier2_robust", "legacy", "organic", "expanded"];

/// The cell of a bundle; one without a tier is taken as tier1.
#[must_use]
pub(super) fn cell_of(bundle: &Bundle) -> usize {
    match (bundle.metadata.tier, bundle.metadata.pool()) {
        (None | Some(Tier::Easy), _) => 0,
        (Some(Tier::Robust), _) => 1,
        (Some(Tier::Adversarial), pool) => 2 + pool.unwrap_or(Pool::Legacy).index(),
    }
}

/// Bundles in each cell.
#[must_use]
pub fn cell_sizes(set: &BundleSet) -> [u64; CELLS] {
    let mut sizes = [0; CELLS];
    set.bundles.iter().for_each(|bundle| sizes[cell_of(bundle)] += 1);
    sizes
}

/// The tier probabilities of a step (from 0).
#[must_use]
pub fn tier_probabilities(curriculum: &Curriculum, steps: u64, step: u64) -> [f64; 3] {
    match curriculum.kind {
        CurriculumKind::Uniform => curriculum.tier_probabilities,
        CurriculumKind::Phased => curriculum
            .phases
            .iter()
            .find(|phase| step < phase.until_step)
            .or(curriculum.phases.last())
            .map_or(curriculum.tier_probabilities, |phase| phase.tier_probabilities),
        CurriculumKind::PhasedV2 => {
            let from = curriculum.start_probabilities.unwrap_or(curriculum.tier_probabilities);
            let to = curriculum.end_probabilities.unwrap_or(curriculum.tier_probabilities);
            let (first, last) = (curriculum.start_step, curriculum.end_step.unwrap_or(steps));
            let length = last.saturating_sub(first).max(1) as f64;
            let at = (step.saturating_sub(first) as f64 / length).clamp(0.0, 1.0);
            std::array::from_fn(|tier| from[tier] + (to[tier] - from[tier]) * at)
        }
    }
}

/// What the settings give each cell, whatever is in it.
pub(super) fn wanted(curriculum: &Curriculum, p: [f64; 3]) -> [f64; CELLS] {
    let r = curriculum.tier3_ratios.by_pool();
    [p[0], p[1], p[2] * r[0], p[2] * r[1], p[2] * r[2]]
}

/// Shares of a batch under tier probabilities `p`, after empty cells gave theirs away: an empty pool's to the other
/// pools, an empty tier's to the other tiers; then tier caps.
#[must_use]
pub fn shares(curriculum: &Curriculum, p: [f64; 3], batch_size: usize, sizes: [u64; CELLS]) -> [f64; CELLS] {
    let mut shares = wanted(curriculum, p);
    for (share, size) in shares.iter_mut().zip(sizes) {
        if size == 0 {
            *share = 0.0;
        }
    }
    let pools: f64 = shares[2..].iter().sum();
    if pools > 0.0 {
        shares[2..].iter_mut().for_each(|s| *s *= p[2] / pools);
    }
    let total: f64 = shares.iter().sum();
    if total > 0.0 {
        shares.iter_mut().for_each(|s| *s /= total);
    } else {
        // Everything that has a share is empty: draw from all that there is.
        let all = sizes.iter().fold(0, |sum: u64, n| sum.saturating_add(*n));
        shares = sizes.map(|n| n as f64 / all.max(1) as f64);
    }
    capped(curriculum, batch_size, shares)
}

/// The shares under the tiers' caps: what a tier may not take goes to the others, in proportion.
fn capped(curriculum: &Curriculum, batch_size: usize, mut shares: [f64; CELLS]) -> [f64; CELLS] {
    let tier_of = |c: usize| c.min(2);
    let caps = curriculum.tier_caps.map(|cap| cap.map_or(1.0, |n| n as f64 / batch_size as f64));
    let tier_share = |s: &[f64; CELLS], t| (0..CELLS).filter(|&c| tier_of(c) == t).map(|c| s[c]).sum::<f64>();
    let mut fixed = [false; 3];
    // Each round fixes at least one tier at its cap, so three rounds suffice.
    for _ in 0..3 {
        let over = (0..3).find(|&t| !fixed[t] && tier_share(&shares, t) > caps[t]);
        let Some(tier) = over else { break };
        fixed[tier] = true;
        let had = tier_share(&shares, tier);
        let free: f64 = (0..3).filter(|&t| !fixed[t]).map(|t| tier_share(&shares, t)).sum();
        if free <= 0.0 {
            break; // nobody can take it
        }
        for c in 0..CELLS {
            if tier_of(c) == tier {
                shares[c] *= caps[tier] / had;
            } else if !fixed[tier_of(c)] {
                shares[c] *= 1.0 + (had - caps[tier]) / free;
            }
        }
    }
    shares
}
