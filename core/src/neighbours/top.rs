//! The best few of many, one a text.

use super::Neighbour;

/// Keeps the `k` best items of distinct keys: by higher score, then by lower item number. The order in which items are
/// offered does not matter.
pub(super) struct Top {
    k: usize,
    /// Best first.
    kept: Vec<Neighbour>,
    /// A key for each of `kept`; empty where every item is its own.
    keys: Vec<u32>,
}

impl Top {
    pub(super) fn new(k: usize) -> Self {
        Self { k, kept: Vec::new(), keys: Vec::new() }
    }

    /// What an item must at least score to matter.
    pub(super) fn threshold(&self) -> f64 {
        if self.k == 0 {
            return f64::INFINITY;
        }
        if self.kept.len() < self.k { f64::NEG_INFINITY } else { self.kept[self.k - 1].similarity }
    }

    /// An item; either all items have keys or none has.
    pub(super) fn offer(&mut self, similarity: f64, item: u32, key: Option<u32>) {
        let before = |a: &Neighbour| a.similarity > similarity || (a.similarity == similarity && a.item < item);
        if self.kept.len() == self.k && self.kept.last().is_none_or(before) {
            return;
        }
        if let Some(same) = key.and_then(|key| self.keys.iter().position(|k| *k == key)) {
            if before(&self.kept[same]) {
                return;
            }
            self.kept.remove(same);
            self.keys.remove(same);
        }
        let at = self.kept.partition_point(before);
        self.kept.insert(at, Neighbour { item, similarity });
        self.kept.truncate(self.k);
        if let Some(key) = key {
            self.keys.insert(at, key);
            self.keys.truncate(self.k);
        }
    }

    /// The items, best first.
    pub(super) fn into_neighbours(self) -> Vec<Neighbour> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use std::collections::BTreeSet;

    #[test]
    fn keeps_what_sorting_keeps_in_any_order() {
        let mut stream = Stream::new(9, "top", 0);
        for round in 0..200 {
            let mut items: Vec<(f64, u32, u32)> =
                (0..40).map(|i| (stream.below(6) as f64, i, stream.below(15) as u32)).collect();
            let (k, keyed) = (round % 9, round % 2 == 0);
            stream.shuffle(&mut items);
            let mut top = Top::new(k);
            for &(score, item, key) in &items {
                if score >= top.threshold() {
                    top.offer(score, item, keyed.then_some(key));
                }
            }
            items.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let mut keys = BTreeSet::new();
            let want: Vec<(u32, f64)> =
                items.iter().filter(|a| !keyed || keys.insert(a.2)).map(|a| (a.1, a.0)).take(k).collect();
            let got: Vec<(u32, f64)> = top.into_neighbours().iter().map(|n| (n.item, n.similarity)).collect();
            assert_eq!(got, want);
        }
    }
}
