//! Which bundles each batch holds: exact quotas per tier and pool, and even looks within each.
//!
//! A batch has five *cells*: tier1, tier2, and tier3's three pools. Slots are handed out systematically: with one
//! uniform offset u per step, a cell whose cumulative share of the batch runs from a to b gets ⌊b+u⌋ − ⌊a+u⌋ slots.
//! Each slot is so drawn with the specified probability, and no batch misses a cell's target by a whole slot or more.
//! Within a cell bundles are drawn without replacement, in a new order for each pass. What a step draws follows from
//! the seed and the steps before it, so an interrupted run replays quotas and goes on.

use super::shares::{CELL_NAMES, CELLS, cell_of, shares, tier_probabilities, wanted};
use crate::config::Curriculum;
use crate::data::BundleSet;
use crate::rng::Stream;

/// Draws batches.
pub struct Sampler {
    curriculum: Curriculum,
    steps: u64,
    batch_size: usize,
    seed: u64,
    cells: [Vec<u32>; CELLS],
    /// Draws made from each cell so far.
    drawn: [u64; CELLS],
    /// The current pass's order of each cell.
    orders: [Option<(u64, Vec<u32>)>; CELLS],
    step: u64,
}

/// One batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// Bundles, as indices into the set.
    pub bundles: Vec<u32>,
    /// Slots per cell.
    pub quota: [usize; CELLS],
}

impl Sampler {
    /// Sorts the bundles into cells. Returns warnings beside it: empty cells whose share goes to the others, bundles
    /// without a tier (taken as tier1).
    #[must_use]
    pub fn new(
        set: &BundleSet,
        curriculum: &Curriculum,
        steps: u64,
        batch_size: usize,
        seed: u64,
    ) -> (Self, Vec<String>) {
        let mut cells: [Vec<u32>; CELLS] = Default::default();
        let mut untiered = 0;
        for (i, bundle) in set.bundles.iter().enumerate() {
            untiered += usize::from(bundle.metadata.tier.is_none());
            cells[cell_of(bundle)].push(i as u32);
        }
        let mut warnings = Vec::new();
        if untiered > 0 {
            warnings.push(format!("{untiered} bundles have no tier and are drawn as tier1_easy"));
        }
        let sampler = Self {
            curriculum: curriculum.clone(),
            steps,
            batch_size,
            seed,
            cells,
            drawn: [0; CELLS],
            orders: Default::default(),
            step: 0,
        };
        let wanted = wanted(curriculum, tier_probabilities(curriculum, steps, 0));
        let empty = (0..CELLS).filter(|&c| sampler.cells[c].is_empty() && wanted[c] > 0.0);
        warnings.extend(empty.map(|c| {
            let share = wanted[c] * 100.0;
            format!("no bundles in {}; its {share:.1} % of each batch goes to the others in proportion", CELL_NAMES[c])
        }));
        (sampler, warnings)
    }

    /// Bundles per cell.
    #[must_use]
    pub fn sizes(&self) -> [usize; CELLS] {
        std::array::from_fn(|c| self.cells[c].len())
    }

    /// The cell of each bundle is needed for reports: bundles of cell `c`.
    #[must_use]
    pub fn cell(&self, c: usize) -> &[u32] {
        &self.cells[c]
    }

    /// Shares of the batch at `step`, see [`shares`].
    #[must_use]
    pub fn shares(&self, step: u64) -> [f64; CELLS] {
        let p = tier_probabilities(&self.curriculum, self.steps, step);
        shares(&self.curriculum, p, self.batch_size, self.sizes().map(|n| n as u64))
    }

    /// Slots per cell of the next step, without drawing bundles.
    fn quota(&self) -> [usize; CELLS] {
        let shares = self.shares(self.step);
        let offset = Stream::new(self.seed, "quota", self.step).unit();
        let mut quota = [0; CELLS];
        let (mut reached, mut before) = (0.0, 0usize);
        let last = (0..CELLS).rev().find(|&c| shares[c] > 0.0).unwrap_or(0);
        for c in 0..=last {
            reached += shares[c] * self.batch_size as f64;
            // The last boundary is the batch size itself, whatever rounding made of the sum.
            let upto =
                if c == last { self.batch_size } else { ((reached + offset).floor() as usize).min(self.batch_size) };
            quota[c] = upto.saturating_sub(before);
            before = before.max(upto);
        }
        quota
    }

    /// Draws the next step's batch.
    ///
    /// # Panics
    /// When there are no bundles at all.
    pub fn draw(&mut self) -> Draw {
        let quota = self.quota();
        let mut bundles = Vec::with_capacity(self.batch_size);
        for (cell, slots) in quota.into_iter().enumerate() {
            bundles.extend((0..slots).map(|_| self.next_of(cell)));
        }
        self.step += 1;
        Draw { bundles, quota }
    }

    fn next_of(&mut self, c: usize) -> u32 {
        let n = self.cells[c].len() as u64;
        let (pass, at) = (self.drawn[c] / n, (self.drawn[c] % n) as usize);
        if self.orders[c].as_ref().is_none_or(|(known, _)| *known != pass) {
            let mut order = self.cells[c].clone();
            Stream::new(self.seed, CELL_NAMES[c], pass).shuffle(&mut order);
            self.orders[c] = Some((pass, order));
        }
        self.drawn[c] += 1;
        self.orders[c].as_ref().map_or(0, |(_, order)| order[at])
    }

    /// Moves to `step` as if all steps before it had been drawn, calling `count(bundle)` for each of their draws.
    pub fn replay_to(&mut self, step: u64, mut count: impl FnMut(u32)) {
        while self.step < step {
            self.draw().bundles.into_iter().for_each(&mut count);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::CurriculumKind;
    use crate::data::{Bundle, Metadata, Tier};

    /// So many bundles in each cell.
    pub(in crate::curriculum) fn set(sizes: [usize; CELLS]) -> BundleSet {
        let mut bundles = Vec::new();
        for (c, n) in sizes.into_iter().enumerate() {
            for i in 0..n {
                let tier = Some([Tier::Easy, Tier::Robust, Tier::Adversarial][c.min(2)]);
                let source = (c == 3).then(|| "tier3_organic_miner".to_owned());
                let expansion = (c == 4).then(|| "tier3x".to_owned());
                let metadata = Metadata { tier, source, expansion, ..Metadata::default() };
                let bundle_id = format!("{c}_{i}");
                let extra = serde_json::Map::new();
                bundles.push(Bundle { bundle_id, anchor: 0, positive: 0, negatives: Vec::new(), metadata, extra });
            }
        }
        BundleSet { events: Vec::new(), bundles }
    }

    #[test]
    fn quotas_are_within_one_slot_and_exact_in_the_long_run() {
        let (mut sampler, warnings) = Sampler::new(&set([50, 40, 30, 20, 10]), &Curriculum::default(), 1000, 32, 5);
        assert!(warnings.is_empty(), "{warnings:?}");
        let shares = sampler.shares(0);
        let mut totals = [0usize; CELLS];
        for _ in 0..1000 {
            let draw = sampler.draw();
            assert_eq!(draw.bundles.len(), 32, "a batch is full");
            for c in 0..CELLS {
                assert!((draw.quota[c] as f64 - shares[c] * 32.0).abs() < 1.0 + 1e-9, "{:?}", draw.quota);
                totals[c] += draw.quota[c];
            }
        }
        for c in 0..CELLS {
            let want = shares[c] * 32_000.0;
            assert!((totals[c] as f64 - want).abs() < 5.0 * 1000f64.sqrt() * 0.5, "cell {c}: {} of {want}", totals[c]);
        }
    }

    #[test]
    fn looks_are_even_within_a_cell() {
        let (mut sampler, _) = Sampler::new(&set([7, 5, 3, 2, 2]), &Curriculum::default(), 100, 16, 5);
        let mut looks = [0usize; 19];
        sampler.replay_to(100, |b| looks[b as usize] += 1);
        let (low, high) = (looks[..7].iter().min(), looks[..7].iter().max());
        assert!(high.zip(low).is_some_and(|(h, l)| h - l <= 1), "{looks:?}");
    }

    #[test]
    fn an_empty_pool_gives_its_share_to_the_others_with_a_warning() {
        let (sampler, warnings) = Sampler::new(&set([5, 5, 5, 0, 0]), &Curriculum::default(), 10, 32, 1);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!((sampler.shares(0)[2] - 0.1).abs() < 1e-12, "tier3's whole share");
        let (sampler, _) = Sampler::new(&set([5, 5, 0, 0, 0]), &Curriculum::default(), 10, 32, 1);
        assert!((sampler.shares(0)[0] - 0.6 / 0.9).abs() < 1e-12, "in proportion");
    }

    #[test]
    fn caps_bound_a_tier_and_phases_move() {
        let mut curriculum = Curriculum { tier_caps: [Some(8), None, None], ..Curriculum::default() };
        let (mut sampler, _) = Sampler::new(&set([5, 5, 5, 5, 5]), &curriculum, 10, 32, 1);
        for _ in 0..50 {
            let draw = sampler.draw();
            assert!(draw.quota[0] <= 8 && draw.bundles.len() == 32, "{:?}", draw.quota);
        }
        curriculum.kind = CurriculumKind::PhasedV2;
        curriculum.start_probabilities = Some([1.0, 0.0, 0.0]);
        curriculum.end_probabilities = Some([0.0, 0.0, 1.0]);
        assert_eq!(tier_probabilities(&curriculum, 10, 5), [0.5, 0.0, 0.5]);
        assert_eq!(tier_probabilities(&curriculum, 10, 99), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn replaying_equals_drawing() {
        let whole = set([9, 8, 7, 6, 5]);
        let (mut a, _) = Sampler::new(&whole, &Curriculum::default(), 100, 10, 3);
        let (mut b, _) = Sampler::new(&whole, &Curriculum::default(), 100, 10, 3);
        for _ in 0..37 {
            a.draw();
        }
        b.replay_to(37, |_| ());
        assert_eq!(a.draw(), b.draw());
    }
}
