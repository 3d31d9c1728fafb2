//! Lineups: sets of negatives that a pair has to stand against, and what came of them.

use super::pools::Confuser;
use crate::data::NegativeSource;
use crate::rng::Stream;
use serde::{Deserialize, Serialize};

/// A pair that was tested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Number of the anchor.
    pub anchor: u32,
    /// Number of the positive.
    pub positive: u32,
    /// First 64 bits of SHA-256 over both ids: the same pair has the same in every run.
    pub id: u64,
    /// Lineups that passed.
    pub passes: u32,
    /// Danger of each lineup, in the order drawn.
    pub dangers: Vec<f64>,
    /// Greatest danger of a lineup that passed.
    pub danger: f64,
    /// The negatives of that lineup, by source.
    pub negatives: Vec<(u32, NegativeSource)>,
    /// Lineups that passed under each further model.
    pub others: Vec<u32>,
}

/// `lineups` independent lineups, each of `size` of the pool's confusers without replacement, as numbers in the pool,
/// whose first `within` confusers are those from within the lemma. The first of a lineup is one of these, where there is
/// one; the others are drawn from all that is left.
///
/// The draws of one lineup: a number below `within` (below `total` when that is 0) is swapped to the front of
/// `0..total`; then, for each further place `i`, one of the places from `i` on is swapped to it.
pub fn draw_lineups(
    stream: &mut Stream,
    within: usize,
    total: usize,
    size: usize,
    lineups: usize,
    mut take: impl FnMut(&[u32]),
) {
    let size = size.min(total);
    let mut order: Vec<u32> = Vec::with_capacity(total);
    for _ in 0..lineups {
        order.clear();
        order.extend(0..total as u32);
        for place in 0..size {
            let drawn = match place {
                0 if within > 0 => stream.below(within),
                _ => place + stream.below(total - place),
            };
            order.swap(place, drawn);
        }
        take(&order[..size]);
    }
}

/// Danger of a lineup: its greatest similarity less the positive's.
pub(super) fn danger(similarities: impl Iterator<Item = f64>, positive: f64) -> f64 {
    similarities.fold(f64::NEG_INFINITY, f64::max) - positive
}

/// Of lineups with their dangers: how many pass, and the one of the greatest danger among these (the first of equals).
#[must_use]
pub fn best_lineup(dangers: &[f64], threshold: f64) -> (u32, Option<usize>) {
    let mut passes = 0;
    let mut best: Option<usize> = None;
    for (i, &danger) in dangers.iter().enumerate().filter(|d| *d.1 >= threshold) {
        passes += 1;
        if best.is_none_or(|b| danger > dangers[b]) {
            best = Some(i);
        }
    }
    (passes, best)
}

/// A lineup's negatives by source, nearest first.
pub(super) fn negatives(pool: &[Confuser], lineup: &[u32]) -> Vec<(u32, NegativeSource)> {
    let mut places: Vec<u32> = lineup.to_vec();
    // The pool lies by source, and by rank within one.
    places.sort_unstable();
    places.into_iter().map(|p| (pool[p as usize].event, pool[p as usize].source)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_lineup_has_one_from_within_the_lemma_and_nobody_twice() {
        let mut stream = Stream::new(1, "lineups", 0);
        for (within, total, size) in [(0, 9, 4), (1, 9, 4), (3, 35, 5), (9, 9, 9), (2, 2, 7), (0, 1, 1), (0, 0, 3)] {
            let mut seen = vec![0usize; total];
            let mut lineups = 0;
            draw_lineups(&mut stream, within, total, size, 2000, |lineup| {
                lineups += 1;
                assert_eq!(lineup.len(), size.min(total));
                assert_eq!(lineup.iter().collect::<BTreeSet<_>>().len(), lineup.len(), "nobody twice");
                assert!(within == 0 || lineup.iter().any(|i| (*i as usize) < within), "one from within the lemma");
                lineup.iter().for_each(|i| seen[*i as usize] += 1);
            });
            assert_eq!(lineups, 2000);
            assert!(seen.iter().all(|n| *n > 0), "everybody comes to his turn: {seen:?}");
        }
    }

    #[test]
    fn the_first_of_the_most_dangerous_lineups_is_held() {
        assert_eq!(best_lineup(&[0.1, 0.3, -0.1, 0.3], 0.0), (3, Some(1)));
        assert_eq!(best_lineup(&[0.1, 0.3, 0.0], 0.0), (3, Some(1)), "at the threshold is a pass");
        assert_eq!(best_lineup(&[0.1, 0.3], 0.31), (0, None));
        assert_eq!(best_lineup(&[-0.5, -0.6], -0.6), (2, Some(0)));
        assert_eq!(best_lineup(&[], 0.0), (0, None));
    }
}
