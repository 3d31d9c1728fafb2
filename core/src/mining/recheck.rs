//! Testing pairs that are given, not drawn: those of an existing pool, or of variants of its bundles.

use super::lineups::{Candidate, danger};
use super::miner::{Cause, Miner};
use super::pairs::Pair;
use crate::parallel;
use crate::rng::Stream;

/// Pairs whose confusers are held at a time.
const TOGETHER: usize = 16_384;
/// Pairs that one task tests.
const BLOCK: usize = 64;

impl Miner<'_> {
    /// Tests pairs of anchor and positive (numbers of the corpus) as mining tests drawn ones: the same confusers, and
    /// lineups that depend on the seed and the pair's ids alone. One outcome for each pair, in their order.
    ///
    /// # Panics
    /// A number that no event has.
    #[must_use]
    pub fn test_pairs(&self, pairs: &[(u32, u32)]) -> Vec<Result<Candidate, Cause>> {
        let view = self.view();
        let sense = &self.corpus.groups.sense;
        let mut out = Vec::with_capacity(pairs.len());
        for pairs in pairs.chunks(TOGETHER) {
            let pairs =
                pairs.iter().map(|&(anchor, positive)| Pair { sense: sense[anchor as usize], anchor, positive });
            let pairs: Vec<Pair> = pairs.collect();
            let searched = self.searched(&view, pairs.clone(), None);
            let tested = parallel::map(pairs.len().div_ceil(BLOCK), |block| {
                let mut pool = Vec::new();
                let test = |pair: &Pair| match self.left_out(pair) {
                    Some(cause) => Err(cause),
                    None => self.test(&view, pair, &searched, &mut pool).map(|tested| tested.0),
                };
                pairs[block * BLOCK..pairs.len().min((block + 1) * BLOCK)].iter().map(test).collect::<Vec<_>>()
            });
            out.extend(tested.into_iter().flatten());
        }
        out
    }

    /// Danger of one given lineup under the first model; none where anchor, positive or all negatives have no direction.
    #[must_use]
    pub fn danger_of(&self, anchor: u32, positive: u32, negatives: &[u32]) -> Option<f64> {
        let space = &self.spaces[0];
        let pointing = |event: u32| !space.is_zero(event);
        if !pointing(anchor) || !pointing(positive) || !negatives.iter().any(|n| pointing(*n)) {
            return None;
        }
        let negatives = negatives.iter().filter(|n| pointing(**n)).map(|n| space.similarity(anchor, *n));
        Some(danger(negatives, space.similarity(anchor, positive)))
    }

    /// Up to `most` other events of the anchor's sense, of texts that are neither its own nor that of `except`; of a
    /// text that several share, one. Drawn without replacement from `stream`.
    #[must_use]
    pub fn other_positives(&self, anchor: u32, except: u32, most: usize, stream: &mut Stream) -> Vec<u32> {
        let groups = &self.corpus.groups;
        let mut texts = groups.by_text(groups.sense[anchor as usize] as usize);
        let text = |event: u32| groups.text[event as usize];
        texts.retain(|events| text(events[0]) != text(anchor) && text(events[0]) != text(except));
        let drawn = stream.sample(texts.len(), most);
        drawn.into_iter().map(|t| texts[t][stream.below(texts[t].len())]).collect()
    }
}
