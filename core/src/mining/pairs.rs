//! Drawing candidates: pairs of anchor and positive of a sense.

use crate::lexical::hash;
use crate::neighbours::Groups;
use crate::rng::Stream;

/// A drawn pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) sense: u32,
    pub(super) anchor: u32,
    pub(super) positive: u32,
}

/// How many pairs there are to draw: ordered, of distinct texts.
pub(super) fn count(texts: usize) -> usize {
    texts.saturating_mul(texts.saturating_sub(1))
}

/// Up to `most` pairs of a sense. Ordered pairs of distinct texts are drawn without replacement, and of a text that
/// several events share, one event; so no two pairs of a sense are alike. Depends on the seed, the sense's name and its
/// events alone.
pub(super) fn draw(groups: &Groups, sense: u32, most: usize, seed: u64) -> Vec<Pair> {
    let texts = groups.by_text(sense as usize);
    let mut stream = Stream::new(seed, "mine pairs", hash(&[&groups.senses[sense as usize]]));
    let others = texts.len().saturating_sub(1);
    let drawn = stream.sample(count(texts.len()), most);
    let pairs = drawn.into_iter().map(|number| {
        let (a, b) = (number / others, number % others);
        let mut one = |text: usize| texts[text][stream.below(texts[text].len())];
        Pair { sense, anchor: one(a), positive: one(b + usize::from(b >= a)) }
    });
    pairs.collect()
}
