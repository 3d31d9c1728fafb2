//! The crossed bootstrap: seeds and groups of items are both drawn again, since both are samples (A. B. Owen, Annals of
//! Applied Statistics 1 (2007) 386–411).

use super::results::{Results, Table};
use super::{Settings, seeds_of};
use crate::parallel;
use crate::rng::Stream;

/// Sums over each group, so that a resample costs groups and not items.
struct Sums {
    /// Items of each group.
    sizes: Vec<f64>,
    /// `[condition][seed][group]`: passes.
    passes: Vec<Vec<Vec<f64>>>,
}

impl Sums {
    /// Of the items for which `wanted`.
    fn of(table: &Table, wanted: &dyn Fn(u32) -> bool) -> Self {
        let mut sizes = vec![0.0; table.groups.len()];
        let items: Vec<usize> = (0..table.group.len()).filter(|i| wanted(table.group[*i])).collect();
        items.iter().for_each(|&i| sizes[table.group[i] as usize] += 1.0);
        let row = |passes: &Vec<bool>| {
            let mut sums = vec![0.0; table.groups.len()];
            items.iter().for_each(|&i| sums[table.group[i] as usize] += f64::from(u8::from(passes[i])));
            sums
        };
        let passes = table.passes.iter().map(|seeds| seeds.iter().map(row).collect()).collect();
        Self { sizes, passes }
    }

    /// Pass rate of each condition under these numbers of times that each group, and these seeds.
    fn rates(&self, times: &[f64], seeds: &[usize]) -> Vec<f64> {
        let total: f64 = self.sizes.iter().zip(times).map(|(n, t)| n * t).sum();
        let rate = |of: &Vec<Vec<f64>>| {
            let sum: f64 = seeds.iter().map(|s| of[*s].iter().zip(times).map(|(p, t)| p * t).sum::<f64>()).sum();
            sum / (total * seeds.len() as f64)
        };
        self.passes.iter().map(rate).collect()
    }

    /// Groups that hold items.
    fn groups(&self) -> Vec<usize> {
        (0..self.sizes.len()).filter(|g| self.sizes[*g] > 0.0).collect()
    }
}

/// What is drawn again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Drawn {
    /// Seeds and groups.
    Both,
    /// Groups alone: the error of items.
    Groups,
}

/// Points `[retention, generalisation]` of the conditions.
pub(super) type Points = Vec<[f64; 2]>;

/// Both tables, or halves of them.
pub(super) struct Crossed {
    sums: [Sums; 2],
    seeds: usize,
}

impl Crossed {
    /// Of the groups whose name is `wanted`.
    pub(super) fn new(results: &Results, wanted: impl Fn(&str) -> bool) -> Self {
        let sums = results.tables.each_ref().map(|t| Sums::of(t, &|g| wanted(&t.groups[g as usize])));
        Self { sums, seeds: results.seeds.len() }
    }

    /// Whether both truths have items.
    pub(super) fn is_sound(&self) -> bool {
        self.sums.iter().all(|s| !s.groups().is_empty())
    }

    /// Mean pass rates over `seeds`.
    pub(super) fn points(&self, seeds: &[usize]) -> Points {
        let [x, y] = self.sums.each_ref().map(|s| s.rates(&vec![1.0; s.sizes.len()], seeds));
        x.into_iter().zip(y).map(|(x, y)| [x, y]).collect()
    }

    /// The same of resamples, each from the stream `(seed, "sweep", number)`. Seeds and groups are drawn once a resample:
    /// conditions share them, so that differences are paired.
    pub(super) fn resamples(&self, count: usize, seed: u64, drawn: Drawn) -> Vec<Points> {
        parallel::map(count, |number| {
            let mut stream = Stream::new(seed, "sweep", number as u64);
            let all: Vec<usize> = (0..self.seeds).collect();
            let seeds: Vec<usize> = match drawn {
                Drawn::Both => all.iter().map(|_| stream.below(self.seeds)).collect(),
                Drawn::Groups => all,
            };
            let [x, y] = self.sums.each_ref().map(|sums| {
                let groups = sums.groups();
                let mut times = vec![0.0; sums.sizes.len()];
                groups.iter().for_each(|_| times[groups[stream.below(groups.len())]] += 1.0);
                sums.rates(&times, &seeds)
            });
            x.into_iter().zip(y).map(|(x, y)| [x, y]).collect()
        })
    }
}

/// The points of a sweep and their resamples: drawn once, for all that is said of them.
pub(super) struct Draws {
    pub(super) crossed: Crossed,
    pub(super) points: Points,
    pub(super) resamples: Vec<Points>,
}

impl Draws {
    /// Over seeds and groups, `settings.resamples` times.
    pub(super) fn new(results: &Results, settings: &Settings) -> Self {
        let crossed = Crossed::new(results, |_| true);
        let points = crossed.points(&seeds_of(results));
        let resamples = crossed.resamples(settings.resamples.max(1), settings.seed, Drawn::Both);
        Self { crossed, points, resamples }
    }
}
