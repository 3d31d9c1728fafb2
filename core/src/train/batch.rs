//! A batch as the step needs it: tokens of all its texts, grouped by table row, with everything random already drawn.
//!
//! It is made from indices alone and depends on `(seed, step)` only, so batches of many steps are made side by side.

use crate::data::{Bundle, BundleSet};
use crate::encoder::Corpus;
use crate::kernels::pool_weights::bucket;
use crate::kernels::simd::prefetch;
use crate::rng::Stream;

/// Texts between asking for one's tokens and copying them: they lie anywhere in memory.
const AHEAD: usize = 8;

/// One batch. Texts are the anchors, then the positives, then all negatives bundle by bundle; candidates are the
/// texts after the anchors.
#[derive(Default)]
pub struct Batch {
    /// Bundles in the batch; also the number of anchors and of positives.
    pub anchors: usize,
    /// `[tokens]`: rows of the token table.
    pub ids: Vec<u32>,
    /// `[texts + 1]`: where each text begins in `ids`.
    pub starts: Vec<u32>,
    /// `[tokens]`: the text of each token.
    pub text_of: Vec<u32>,
    /// `[tokens]`: buckets by distance to the span; empty for a plain mean.
    pub buckets: Vec<u8>,
    /// Distinct rows of the token table, ascending; none where it stays as it is.
    pub rows: Vec<u32>,
    /// `[rows + 1]`: where each row's occurrences begin in `occurrences`.
    pub segments: Vec<u32>,
    /// `[tokens]`: token positions grouped by row, ascending within it.
    pub occurrences: Vec<u32>,
    /// `[texts]`: the sense of each text.
    pub senses: Vec<u32>,
    /// `[texts]`: the distinct text behind each text.
    pub texts: Vec<u32>,
    /// `[anchors + 1]`: where each bundle's negatives begin among the candidates.
    pub negatives: Vec<u32>,
    /// Seed of this step's dropout mask.
    pub dropout_seed: u32,
}

impl Batch {
    /// Texts in the batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.senses.len()
    }

    /// Whether it holds no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.senses.is_empty()
    }
}

/// Makes batches.
pub struct Batcher<'a> {
    /// The bundles.
    pub set: &'a BundleSet,
    /// Their events' tokens.
    pub corpus: &'a Corpus,
    /// `[events]`: a number for each event's sense.
    pub senses: Vec<u32>,
    /// Rows of the token table that training moves.
    pub vocab: usize,
    /// Whether pooling is weighted by distance to the span.
    pub weighted: bool,
    /// Its window.
    pub window: usize,
    /// Share of tokens left out.
    pub token_dropout: f64,
    /// The run's seed.
    pub seed: u64,
}

/// Numbers the senses of events in order of first appearance.
#[must_use]
pub fn number_senses(set: &BundleSet) -> Vec<u32> {
    let mut known = std::collections::HashMap::new();
    set.events
        .iter()
        .map(|event| {
            let next = known.len() as u32;
            *known.entry(event.sense.as_str()).or_insert(next)
        })
        .collect()
}

impl Batcher<'_> {
    /// The batch of `bundles` at `step`.
    #[must_use]
    pub fn batch(&self, step: u64, bundles: &[u32]) -> Batch {
        let mut stream = Stream::new(self.seed, "batch", step);
        let mut batch = Batch { anchors: bundles.len(), dropout_seed: stream.bits32(), ..Batch::default() };
        let bundles: Vec<&Bundle> = bundles.iter().map(|b| &self.set.bundles[*b as usize]).collect();
        let mut events: Vec<u32> = bundles.iter().map(|b| b.anchor).chain(bundles.iter().map(|b| b.positive)).collect();
        batch.negatives.push(bundles.len() as u32);
        for bundle in &bundles {
            events.extend(bundle.negatives.iter().map(|n| n.event));
            batch.negatives.push((events.len() - bundles.len()) as u32);
        }
        let tokens = events.iter().map(|event| self.corpus.ids(*event as usize).len()).sum();
        [&mut batch.ids, &mut batch.text_of].into_iter().for_each(|list| list.reserve_exact(tokens));
        if self.weighted {
            batch.buckets.reserve_exact(tokens);
        }
        batch.starts.push(0);
        for (i, event) in events.iter().enumerate() {
            if let Some(later) = events.get(i + AHEAD) {
                prefetch(bytemuck::cast_slice(self.corpus.ids(*later as usize)));
            }
            self.push(&mut batch, *event, &mut stream);
        }
        let moved = if self.vocab > 0 { batch.ids.as_slice() } else { &[] };
        (batch.rows, batch.segments, batch.occurrences) = group_by_row(moved, self.vocab);
        batch
    }

    fn push(&self, batch: &mut Batch, event: u32, stream: &mut Stream) {
        let ids = self.corpus.ids(event as usize);
        let first = batch.ids.len();
        if self.weighted {
            let span = self.corpus.span(event as usize);
            batch.buckets.extend((0..ids.len()).map(|token| bucket(self.window, token, span)));
        }
        // 16 bits a token: the share is honoured to 1/65536.
        let threshold = (self.token_dropout * 65_536.0) as u64;
        if threshold == 0 || ids.len() < 2 {
            batch.ids.extend_from_slice(ids);
        } else {
            let mut bits = 0;
            for (i, id) in ids.iter().enumerate() {
                bits = if i % 4 == 0 { stream.bits() } else { bits >> 16 };
                if bits & 0xFFFF >= threshold {
                    if self.weighted {
                        batch.buckets[batch.ids.len()] = batch.buckets[first + i];
                    }
                    batch.ids.push(*id);
                }
            }
            if batch.ids.len() == first {
                // All were drawn: a text keeps at least its first token.
                batch.ids.push(ids[0]);
            }
            if self.weighted {
                batch.buckets.truncate(batch.ids.len());
            }
        }
        batch.text_of.resize(batch.ids.len(), batch.senses.len() as u32);
        batch.starts.push(batch.ids.len() as u32);
        batch.senses.push(self.senses[event as usize]);
        batch.texts.push(self.corpus.text_id(event as usize));
    }
}

/// A counting sort of token positions by row: rows ascending, positions ascending within each. Returns what a [`Batch`] calls
/// `rows`, `segments` and `occurrences`.
pub(crate) fn group_by_row(ids: &[u32], vocab: usize) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    let mut next = vec![0u32; vocab];
    // A bit for each row that occurs: they are few, and to look at every row's count would take longer than all the rest.
    let mut occurs = vec![0u64; vocab.div_ceil(64)];
    for &id in ids {
        next[id as usize] += 1;
        occurs[id as usize / 64] |= 1 << (id % 64);
    }
    let distinct = occurs.iter().map(|bits| bits.count_ones() as usize).sum();
    let (mut rows, mut segments) = (Vec::with_capacity(distinct), Vec::with_capacity(distinct + 1));
    let mut at = 0;
    for (first, mut bits) in (0..).step_by(64).zip(occurs) {
        while bits != 0 {
            let row = first + bits.trailing_zeros();
            bits &= bits - 1;
            rows.push(row);
            segments.push(at);
            at += std::mem::replace(&mut next[row as usize], at);
        }
    }
    segments.push(at);
    let mut occurrences = vec![0; ids.len()];
    for (position, &id) in ids.iter().enumerate() {
        let cell = &mut next[id as usize];
        occurrences[*cell as usize] = position as u32;
        *cell += 1;
    }
    (rows, segments, occurrences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_grouped_as_a_stable_sort_groups_them() {
        let mut stream = Stream::new(3, "test", 0);
        for vocab in [1, 63, 64, 65, 1000] {
            for count in [0, 1, 5, 300] {
                let ids: Vec<u32> = (0..count).map(|_| stream.below(vocab) as u32).collect();
                let mut order: Vec<u32> = (0..count as u32).collect();
                order.sort_by_key(|position| ids[*position as usize]);
                let mut want = ids.clone();
                want.sort_unstable();
                want.dedup();
                let (rows, segments, occurrences) = group_by_row(&ids, vocab);
                assert_eq!((&rows, &occurrences), (&want, &order), "{count} of {vocab}");
                assert_eq!((segments[0], segments[rows.len()]), (0, count as u32));
                for (row, range) in rows.iter().zip(segments.windows(2)) {
                    let own = &occurrences[range[0] as usize..range[1] as usize];
                    assert!(!own.is_empty() && own.iter().all(|position| ids[*position as usize] == *row));
                }
            }
        }
        assert_eq!(group_by_row(&[], 0), (vec![], vec![0], vec![]));
    }
}
