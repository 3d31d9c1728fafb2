//! The best few of many, one a text.

/// Keeps the `k` best items of distinct keys: by higher score, then by lower item number. The order in which items are
/// offered does not matter.
pub(super) struct Top {
    k: usize,
    /// `(score, item, key)`, best first.
    kept: Vec<(f64, u32, u32)>,
}

impl Top {
    pub(super) fn new(k: usize) -> Self {
        Self { k, kept: Vec::new() }
    }

    /// What an item must at least score to matter.
    pub(super) fn threshold(&self) -> f64 {
        if self.k == 0 {
            return f64::INFINITY;
        }
        if self.kept.len() < self.k { f64::NEG_INFINITY } else { self.kept[self.k - 1].0 }
    }

    pub(super) fn offer(&mut self, score: f64, item: u32, key: u32) {
        let before = |a: &(f64, u32, u32)| a.0 > score || (a.0 == score && a.1 < item);
        if self.kept.len() == self.k && self.kept.last().is_none_or(before) {
            return;
        }
        if let Some(same) = self.kept.iter().position(|a| a.2 == key) {
            if before(&self.kept[same]) {
                return;
            }
            self.kept.remove(same);
        }
        let at = self.kept.partition_point(before);
        self.kept.insert(at, (score, item, key));
        self.kept.truncate(self.k);
    }

    /// The items, best first.
    pub(super) fn items(self) -> Vec<u32> {
        self.kept.into_iter().map(|a| a.1).collect()
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
            let k = round % 9;
            stream.shuffle(&mut items);
            let mut top = Top::new(k);
            for &(score, item, key) in &items {
                if score >= top.threshold() {
                    top.offer(score, item, key);
                }
            }
            items.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let mut keys = BTreeSet::new();
            let want: Vec<u32> = items.iter().filter(|a| keys.insert(a.2)).map(|a| a.1).take(k).collect();
            assert_eq!(top.items(), want);
        }
    }
}
