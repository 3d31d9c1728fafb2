//! How often candidates would be accepted if labels meant nothing.
//!
//! The lineups of a candidate share negatives, so `k of n passes` has no binomial law. Instead the labels are shuffled
//! among the events of each lemma, senses keep their sizes, and pairs are drawn and tested in the same way: a positive
//! is then no nearer to its anchor than chance makes it. A rate of acceptance as high as this says that labels, as the
//! model sees them, are worth nothing.

use super::miner::Miner;
use super::pairs;
use super::pools::{Search, siblings};
use crate::estimate::{Interval, wilson};
use crate::parallel;
use crate::rng::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What shuffled labels gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Null {
    /// Candidates drawn under shuffled labels: one of a sense, of lemmas with two senses or more.
    pub candidates: u64,
    /// Of them, how many had enough passes.
    pub accepted: u64,
    /// Their share.
    pub rate: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
    /// Candidates by lineups passed: 0 to all.
    pub passes: Vec<u64>,
}

/// The null of a miner; none where no candidate is asked for or no lemma has two senses.
pub(super) fn null(miner: &Miner<'_>) -> Option<Null> {
    let (groups, settings) = (&miner.corpus.groups, &miner.settings);
    let shuffled = groups.shuffled(settings.seed);
    let count = groups.senses.len();
    let mut senses: Vec<u32> =
        (0..count).filter(|s| groups.has_rivals(*s) && shuffled.has_two_texts(*s)).map(|s| s as u32).collect();
    Stream::new(settings.seed, "mine null", 0).shuffle(&mut senses);
    senses.truncate(settings.null_candidates);
    if senses.is_empty() {
        return None;
    }
    senses.sort_unstable();
    let mut wanted = vec![false; count];
    senses.iter().for_each(|s| wanted[*s as usize] = true);
    let siblings = siblings(&shuffled, &miner.spaces[0], settings, &wanted);
    let search =
        Search { corpus: miner.corpus, groups: &shuffled, siblings: &siblings, space: &miner.spaces[0], settings };
    let pairs: Vec<_> = senses.iter().flat_map(|s| pairs::draw(&shuffled, *s, 1, settings.seed)).collect();
    let searched = miner.searched(&search, pairs.clone(), None);
    let tested = parallel::map(pairs.len(), |i| miner.test_sense(&search, &pairs[i..=i], &searched).counts.passes);
    let mut passes = vec![0u64; settings.lineups + 1];
    tested.iter().for_each(|p| passes.iter_mut().zip(p).for_each(|(a, b)| *a += b));
    let candidates: u64 = passes.iter().sum();
    let accepted: u64 = passes[settings.min_passes..].iter().sum();
    Some(Null {
        candidates,
        accepted,
        rate: (candidates > 0).then(|| accepted as f64 / candidates as f64),
        interval: wilson(accepted as usize, candidates as usize),
        passes,
    })
}
