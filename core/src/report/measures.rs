//! What runs can be compared on: statistics of groups of items, under any number of times that each group counts.

use super::document::{Measure, Statistic, Subset};
use crate::data::{Pool, Tier};
use crate::eval::Item;

/// All items of one run on one eval, in the eval's order.
pub(super) struct RunValues {
    pub(super) margin: Vec<f64>,
    pub(super) rank: Vec<u32>,
}

impl RunValues {
    pub(super) fn of(items: &[&Item<'static>]) -> Self {
        Self { margin: items.iter().map(|i| i.margin).collect(), rank: items.iter().map(|i| i.rank).collect() }
    }
}

/// What is fixed of an eval: groups, tiers, pools.
pub(super) struct Frame {
    pub(super) group: Vec<u32>,
    pub(super) groups: usize,
    pub(super) tier: Vec<Option<Tier>>,
    pub(super) pool: Vec<Option<Pool>>,
}

impl Frame {
    /// Subsets that occur: all, the tiers where there is more than one, and pools where tier3 has more than one.
    pub(super) fn subsets(&self) -> Vec<Subset> {
        let mut subsets = vec![Subset::All];
        let whole = |tier: Tier| self.tier.iter().all(|t| *t == Some(tier));
        let there = |tier: &Tier| self.tier.contains(&Some(*tier)) && !whole(*tier);
        subsets.extend(Tier::ALL.into_iter().filter(there).map(Subset::Tier));
        let pools: Vec<Pool> = Pool::ALL.into_iter().filter(|p| self.pool.contains(&Some(*p))).collect();
        if pools.len() > 1 {
            subsets.extend(pools.into_iter().map(Subset::Pool));
        }
        subsets
    }

    /// What counts of the frozen truth: its hardest tier, where it has others, too.
    pub(super) fn hardest(&self) -> Subset {
        let tier = Subset::Tier(Tier::Adversarial);
        if self.subsets().contains(&tier) { tier } else { Subset::All }
    }

    pub(super) fn holds(&self, subset: Subset, item: usize) -> bool {
        match subset {
            Subset::All => true,
            Subset::Tier(tier) => self.tier[item] == Some(tier),
            Subset::Pool(pool) => self.pool[item] == Some(pool),
        }
    }
}

/// What is measured of every eval: pass rates of all subsets; margins and ranks of all items and of the hardest tier.
pub(super) fn measures(name: &str, eval: usize, frame: &Frame) -> Vec<Measure> {
    let subsets = frame.subsets();
    let measure = |subset: Subset, statistic: Statistic| Measure {
        key: format!("{name}.{}.{}", subset.key(), statistic.name()),
        eval,
        subset,
        statistic,
        higher_is_better: statistic != Statistic::MeanRank,
        items: (0..frame.group.len()).filter(|i| frame.holds(subset, *i)).count(),
    };
    let rates = subsets.iter().map(|s| measure(*s, Statistic::PassRate));
    let detailed = subsets.iter().filter(|s| matches!(s, Subset::All | Subset::Tier(Tier::Adversarial)));
    let rest = detailed.flat_map(|s| Statistic::ALL.into_iter().skip(1).map(|statistic| measure(*s, statistic)));
    rates.chain(rest).collect()
}

/// One subset of one run's items, ready to be measured again and again.
pub(super) struct Prepared {
    /// Items of each group.
    sizes: Vec<f64>,
    /// Sums over each group: passes, margins, ranks.
    sums: [Vec<f64>; 3],
    /// Margins, ascending, with their groups.
    sorted: Vec<(f64, u32)>,
}

impl Prepared {
    pub(super) fn new(frame: &Frame, subset: Subset, run: &RunValues) -> Self {
        let mut sizes = vec![0.0; frame.groups];
        let mut sums = [const { Vec::new() }; 3].map(|_: Vec<f64>| vec![0.0; frame.groups]);
        let mut sorted = Vec::new();
        for item in (0..frame.group.len()).filter(|i| frame.holds(subset, *i)) {
            let (group, margin) = (frame.group[item] as usize, run.margin[item]);
            sizes[group] += 1.0;
            sums[0][group] += f64::from(u8::from(margin > 0.0));
            sums[1][group] += margin;
            sums[2][group] += f64::from(run.rank[item]);
            sorted.push((margin, frame.group[item]));
        }
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { sizes, sums, sorted }
    }

    /// Groups that hold items.
    pub(super) fn groups(&self) -> Vec<usize> {
        (0..self.sizes.len()).filter(|g| self.sizes[*g] > 0.0).collect()
    }

    /// Passed items, and items.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.sums[0].iter().sum::<f64>() as usize, self.sorted.len())
    }

    /// The statistic when each group counts so many times; NaN when no item is left.
    pub(super) fn value(&self, statistic: Statistic, times: &[f64]) -> f64 {
        let total: f64 = self.sizes.iter().zip(times).map(|(n, t)| n * t).sum();
        let mean = |sums: &[f64]| sums.iter().zip(times).map(|(s, t)| s * t).sum::<f64>() / total;
        match statistic {
            Statistic::PassRate => mean(&self.sums[0]),
            Statistic::MeanMargin => mean(&self.sums[1]),
            Statistic::MeanRank => mean(&self.sums[2]),
            Statistic::Q10Margin => self.quantile(0.1, total, times),
            Statistic::MedianMargin => self.quantile(0.5, total, times),
            Statistic::Q90Margin => self.quantile(0.9, total, times),
        }
    }

    /// As [`crate::eval::quantile`], of each margin as many times as its group counts.
    fn quantile(&self, q: f64, total: f64, times: &[f64]) -> f64 {
        if total < 1.0 {
            return f64::NAN;
        }
        let at = (total - 1.0) * q;
        let (floor, share) = (at.floor(), at - at.floor());
        let mut below = 0.0;
        let mut low = None;
        for (margin, group) in &self.sorted {
            below += times[*group as usize];
            if low.is_none() && below > floor {
                low = Some(*margin);
            }
            if let Some(low) = low
                && (share == 0.0 || below > floor + 1.0)
            {
                let high = if share == 0.0 { low } else { *margin };
                return if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) };
            }
        }
        low.unwrap_or(f64::NAN)
    }
}
