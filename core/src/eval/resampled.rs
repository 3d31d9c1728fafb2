//! How sure margins and ranks are: intervals from resampling whole groups of bundles (SPEC §11).

use super::numeric::dot;
use super::score::Score;
use crate::estimate::{BCA_BY_GROUP, Interval, LEVEL, bca, quantile};
use crate::kernels::simd::widest;
use crate::parallel;
use crate::rng::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Resamples behind every interval.
pub const RESAMPLES: usize = 2000;
/// Resamples that share their buffers.
const BLOCK: usize = 100;
/// Landmarks of a search, and the most counts at all landmarks together.
const LANDMARKS: usize = 64;
const MOST_COUNTS: usize = 4 << 20;
/// The quantiles of the margin that a summary names.
const QUANTILES: [f64; 3] = [0.1, 0.5, 0.9];

/// Intervals of a summary's margins and ranks. Bundles of one document, or of one lemma where documents are not known,
/// are drawn together, since they are not independent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupIntervals {
    /// Documents or lemmas.
    pub groups: usize,
    /// Resamples.
    pub resamples: usize,
    /// Of the mean margin.
    pub mean_margin: Interval,
    /// Of the median margin.
    pub median_margin: Interval,
    /// Of the margin's 10th percentile.
    pub q10_margin: Interval,
    /// Of the margin's 90th percentile.
    pub q90_margin: Interval,
    /// Of the mean rank.
    pub mean_rank: Interval,
}

/// Which bundles are resampled together, and the seed of the resamples.
#[derive(Clone, Debug)]
pub struct Resampling {
    /// For each bundle.
    pub groups: Vec<u32>,
    /// Of the streams.
    pub seed: u64,
}

/// The five numbers in the order of the fields.
type Numbers = [f64; 5];

impl GroupIntervals {
    /// Of those `scores` that `members` name. None with fewer than two groups.
    ///
    /// # Panics
    /// When a member has no score or no group.
    #[must_use]
    pub fn of(scores: &[Score], members: &[usize], resampling: &Resampling) -> Option<Self> {
        let sample = Sample::new(scores, members, &resampling.groups);
        let count = sample.sizes.len();
        if count < 2 {
            return None;
        }
        let resamples = sample.resamples(resampling.seed);
        let left_out: Vec<Numbers> = (0..count).map(|group| sample.without(group)).collect();
        let whole = sample.numbers(&vec![1; count]);
        let interval = |i: usize| {
            let of = |rows: &[Numbers]| rows.iter().map(|row| row[i]).collect::<Vec<f64>>();
            let bca = bca(whole[i], of(&resamples), &of(&left_out))?;
            let (low, high) = (bca.bound((1.0 - LEVEL) / 2.0), bca.bound(f64::midpoint(1.0, LEVEL)));
            Some(Interval { low, high, level: LEVEL, method: BCA_BY_GROUP.to_owned() })
        };
        let intervals: Option<Vec<Interval>> = parallel::map(whole.len(), interval).into_iter().collect();
        let [mean_margin, median_margin, q10_margin, q90_margin, mean_rank] = intervals?.try_into().ok()?;
        Some(Self {
            groups: count,
            resamples: RESAMPLES,
            mean_margin,
            median_margin,
            q10_margin,
            q90_margin,
            mean_rank,
        })
    }
}

/// Scores in an order in which quantiles of any choice of groups are quickly found.
struct Sample {
    /// Ascending.
    margins: Vec<f64>,
    /// The group of each margin.
    owner: Vec<u32>,
    /// Of each group: how many bundles, the sums of their margins and ranks, their places among all margins.
    sizes: Vec<u32>,
    margin_sums: Vec<f64>,
    rank_sums: Vec<f64>,
    places: Vec<Vec<u32>>,
    /// Sums of all margins and of all ranks.
    whole: [f64; 2],
    /// Margins from one landmark to the next.
    stride: usize,
    /// `below[k][g]`: bundles of group `g` before place `k · stride`.
    below: Vec<Vec<u32>>,
}

impl Sample {
    fn new(scores: &[Score], members: &[usize], groups: &[u32]) -> Self {
        // Numbered in order of first appearance: the same whatever the groups' own numbers are.
        let mut numbers = HashMap::new();
        let (mut margin_sums, mut rank_sums) = (Vec::new(), Vec::new());
        let mut placed = Vec::with_capacity(members.len());
        for member in members {
            let next = numbers.len() as u32;
            let number = *numbers.entry(groups[*member]).or_insert(next);
            margin_sums.resize(numbers.len(), 0.0);
            rank_sums.resize(numbers.len(), 0.0);
            margin_sums[number as usize] += scores[*member].margin;
            rank_sums[number as usize] += f64::from(scores[*member].rank);
            placed.push((scores[*member].margin, number));
        }
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (margins, owner): (Vec<f64>, Vec<u32>) = placed.into_iter().unzip();
        let mut places = vec![Vec::new(); numbers.len()];
        for (place, group) in (0..).zip(&owner) {
            places[*group as usize].push(place);
        }
        let landmarks = LANDMARKS.min(MOST_COUNTS / numbers.len().max(1)).max(1);
        let stride = owner.len().div_ceil(landmarks).max(1);
        let mut counts = vec![0u32; numbers.len()];
        let mut below = Vec::new();
        for block in owner.chunks(stride) {
            below.push(counts.clone());
            block.iter().for_each(|group| counts[*group as usize] += 1);
        }
        let whole = [&margin_sums, &rank_sums].map(|sums| sums.iter().sum());
        Self { margins, owner, sizes: counts, margin_sums, rank_sums, places, whole, stride, below }
    }

    fn resamples(&self, seed: u64) -> Vec<Numbers> {
        let count = self.sizes.len();
        let blocks = parallel::map(RESAMPLES.div_ceil(BLOCK), |block| {
            let mut weights = vec![0u32; count];
            let numbers = block * BLOCK..RESAMPLES.min((block + 1) * BLOCK);
            let draw = |number: usize| {
                let mut stream = Stream::new(seed, "scoreboard intervals", number as u64);
                weights.fill(0);
                (0..count).for_each(|_| weights[stream.below(count)] += 1);
                self.numbers(&weights)
            };
            numbers.map(draw).collect::<Vec<_>>()
        });
        blocks.concat()
    }

    /// The numbers of a sample that holds group `g` `weights[g]` times.
    fn numbers(&self, weights: &[u32]) -> Numbers {
        let n = weighted(weights, &self.sizes);
        let times: Vec<f64> = weights.iter().map(|w| f64::from(*w)).collect();
        let mean = |sums| widest!(dot(&times, sums)) / n as f64;
        let [q10, median, q90] = QUANTILES.map(|q| {
            let at = (n - 1) as f64 * q;
            let (low, high) = self.neighbours(weights, q, [at.floor() as u64, at.ceil() as u64]);
            between(low, high, at - at.floor())
        });
        [mean(&self.margin_sums), median, q10, q90, mean(&self.rank_sums)]
    }

    /// The margins at two places of the sample, the same or the next, which lie at its quantile `q`.
    fn neighbours(&self, weights: &[u32], q: f64, [low, high]: [u64; 2]) -> (f64, f64) {
        // The last landmark with no more than `low` margins before it: not far from where it is among all of them.
        let before = |landmark: usize| weighted(weights, &self.below[landmark]);
        let mut landmark = ((self.below.len() - 1) as f64 * q) as usize;
        let mut passed = before(landmark);
        while passed > low {
            landmark -= 1;
            passed = before(landmark);
        }
        while landmark + 1 < self.below.len() {
            let further = before(landmark + 1);
            if further > low {
                break;
            }
            (landmark, passed) = (landmark + 1, further);
        }
        let mut first = None;
        for place in landmark * self.stride..self.owner.len() {
            passed += u64::from(weights[self.owner[place] as usize]);
            if passed > low && first.is_none() {
                first = Some(self.margins[place]);
            }
            if passed > high {
                return (first.unwrap_or(self.margins[place]), self.margins[place]);
            }
        }
        unreachable!("places lie inside the sample")
    }

    /// The numbers without one group.
    fn without(&self, left: usize) -> Numbers {
        let (places, n) = (&self.places[left], self.margins.len() - self.places[left].len());
        let mean = |sums: &[f64], whole: f64| (whole - sums[left]) / n as f64;
        let at = |place: f64| {
            // Every margin that is gone moves the later ones up by one.
            let moved = places.iter().zip(0..).take_while(|(p, before)| **p <= place as u32 + before).count();
            self.margins[place as usize + moved]
        };
        let [q10, median, q90] = QUANTILES.map(|q| {
            let place = (n - 1) as f64 * q;
            between(at(place.floor()), at(place.ceil()), place - place.floor())
        });
        [mean(&self.margin_sums, self.whole[0]), median, q10, q90, mean(&self.rank_sums, self.whole[1])]
    }
}

/// As [`quantile`] does.
fn between(low: f64, high: f64, share: f64) -> f64 {
    quantile(&[low, high], share).unwrap_or(f64::NAN)
}

fn weighted(weights: &[u32], counts: &[u32]) -> u64 {
    widest!({
        let mut sum = 0;
        for (w, c) in weights.iter().zip(counts) {
            sum += u64::from(*w) * u64::from(*c);
        }
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(margins: &[f64]) -> Vec<Score> {
        let score = |(i, margin): (usize, &f64)| Score {
            margin: *margin,
            rank: 1 + (i % 3) as u32,
            pos_sim: *margin,
            max_neg_sim: 0.0,
            winner: 0,
            zero_vector: false,
        };
        margins.iter().enumerate().map(score).collect()
    }

    /// `n` margins with ties in groups of uneven size.
    fn drawn(n: usize, groups: usize, seed: u64) -> (Vec<Score>, Resampling) {
        let mut stream = Stream::new(seed, "test", 0);
        let margins: Vec<f64> = (0..n).map(|_| (stream.unit() * 40.0).floor() / 20.0 - 1.0).collect();
        let square = |u: f64| (u * u * groups as f64) as u32 * 7;
        let groups = (0..n).map(|_| square(stream.unit())).collect();
        (scores(&margins), Resampling { groups, seed })
    }

    fn all(scores: &[Score]) -> Vec<usize> {
        (0..scores.len()).collect()
    }

    /// The same numbers, by writing the sample out.
    fn plainly(scores: &[Score], groups: &[u32], weight: impl Fn(u32) -> u32) -> Numbers {
        let chosen: Vec<&Score> = scores
            .iter()
            .zip(groups)
            .flat_map(|(score, group)| std::iter::repeat_n(score, weight(*group) as usize))
            .collect();
        let mut margins: Vec<f64> = chosen.iter().map(|s| s.margin).collect();
        margins.sort_unstable_by(f64::total_cmp);
        let n = chosen.len() as f64;
        let at = |q| quantile(&margins, q).expect("not empty");
        let ranks: f64 = chosen.iter().map(|s| f64::from(s.rank)).sum();
        [margins.iter().sum::<f64>() / n, at(0.5), at(0.1), at(0.9), ranks / n]
    }

    fn close(a: Numbers, b: Numbers) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
    }

    #[test]
    fn weighted_samples_are_as_if_written_out() {
        for (n, groups) in [(2, 2), (7, 3), (64, 9), (500, 40), (1000, 900)] {
            let (scores, resampling) = drawn(n, groups, n as u64);
            let sample = Sample::new(&scores, &all(&scores), &resampling.groups);
            let mut names: Vec<u32> = Vec::new();
            resampling.groups.iter().for_each(|g| {
                if !names.contains(g) {
                    names.push(*g)
                }
            });
            let number = |group| names.iter().position(|name| *name == group).expect("named");
            let mut stream = Stream::new(3, "weights", n as u64);
            for _ in 0..20 {
                let mut weights: Vec<u32> = names.iter().map(|_| stream.below(4) as u32).collect();
                weights[0] += 1;
                let want = plainly(&scores, &resampling.groups, |group| weights[number(group)]);
                assert!(close(sample.numbers(&weights), want), "{n} {weights:?}");
            }
            for left in 0..names.len().min(20) * usize::from(names.len() > 1) {
                let want = plainly(&scores, &resampling.groups, |group| u32::from(number(group) != left));
                assert!(close(sample.without(left), want), "{n} without {left}");
            }
        }
    }

    #[test]
    fn a_sample_may_be_one_group_alone() {
        // Groups from the least margins to the greatest: quantiles lie far from where they are among all.
        let margins: Vec<f64> = (0..1000).map(|i| f64::from(i) / 500.0 - 1.0).collect();
        let (scores, groups): (_, Vec<u32>) = (scores(&margins), (0..1000).map(|i| i / 50).collect());
        let sample = Sample::new(&scores, &all(&scores), &groups);
        for alone in 0..20 {
            let weight = |group: u32| if group == alone { 20 } else { 0 };
            let weights: Vec<u32> = (0..20).map(weight).collect();
            assert!(close(sample.numbers(&weights), plainly(&scores, &groups, weight)), "{alone}");
        }
    }

    #[test]
    fn only_members_count_and_one_group_has_no_interval() {
        let (mut all_scores, mut resampling) = drawn(300, 30, 5);
        let alone = GroupIntervals::of(&all_scores, &all(&all_scores), &resampling);
        let members = all(&all_scores);
        all_scores.extend(scores(&[-2.0; 50]));
        resampling.groups.extend([1_000_000; 50]);
        assert_eq!(GroupIntervals::of(&all_scores, &members, &resampling), alone);
        assert!(alone.is_some());
        let last: Vec<usize> = (300..350).collect();
        assert_eq!(GroupIntervals::of(&all_scores, &last, &resampling), None);
        assert_eq!(GroupIntervals::of(&all_scores, &[], &resampling), None);
    }

    #[test]
    fn bundles_of_one_group_say_less_than_as_many_groups() {
        let margins: Vec<f64> = (0..400).map(|i| f64::from(i / 20 % 5) / 5.0).collect();
        let scores = scores(&margins);
        let width = |together: u32| {
            let groups = (0..400).map(|i| i / together).collect();
            let interval = GroupIntervals::of(&scores, &all(&scores), &Resampling { groups, seed: 1 }).expect("groups");
            interval.mean_margin.high - interval.mean_margin.low
        };
        assert!(width(20) > 3.0 * width(1), "{} {}", width(20), width(1));
    }

    #[test]
    fn intervals_cover_what_they_claim() {
        // Groups share half of their variance; the true median and mean margin are 0.
        let (mut covered, trials) = ([0; 2], 200);
        for trial in 0..trials {
            let mut stream = Stream::new(trial, "coverage", 0);
            let mut normal = || (0..12).map(|_| stream.unit()).sum::<f64>() - 6.0;
            let (mut margins, mut groups) = (Vec::new(), Vec::new());
            for group in 0..60 {
                let shared = normal();
                for _ in 0..5 {
                    margins.push(0.1 * (shared + normal()));
                    groups.push(group);
                }
            }
            let scores = scores(&margins);
            let got = GroupIntervals::of(&scores, &all(&scores), &Resampling { groups, seed: trial }).expect("groups");
            for (count, interval) in covered.iter_mut().zip([got.mean_margin, got.median_margin]) {
                *count += usize::from(interval.low <= 0.0 && 0.0 <= interval.high);
            }
        }
        // 190 expected, standard deviation 3: beyond 180 or 199 something is wrong.
        assert!(covered.iter().all(|c| (180..=199).contains(c)), "{covered:?} of {trials}");
    }
}
