//! Which documents of a corpus are held.

use super::BeirText;
use crate::lexical::hash;
use crate::rng::Stream;
use std::collections::{BTreeMap, BinaryHeap, HashSet};

/// The judged documents, and of all others as many as there is room for, drawn by seed and id: the order of the file does
/// not matter, and memory does not grow with it.
pub struct Pool {
    judged: HashSet<String>,
    room: usize,
    seed: u64,
    kept: BTreeMap<String, String>,
    /// Drawn numbers with id and text; the greatest go first.
    others: BinaryHeap<(u64, String, String)>,
    /// Documents that were offered.
    pub documents: usize,
    /// Of those, without any text; they are not held.
    pub without_text: usize,
    empty: HashSet<String>,
}

impl Pool {
    /// An empty one for these judged documents and `room` others.
    #[must_use]
    pub fn new(judged: HashSet<String>, room: usize, seed: u64) -> Self {
        Self {
            judged,
            room,
            seed,
            kept: BTreeMap::new(),
            others: BinaryHeap::new(),
            documents: 0,
            without_text: 0,
            empty: HashSet::new(),
        }
    }

    /// Offers a document.
    pub fn offer(&mut self, document: BeirText) {
        let BeirText { id, text } = document;
        self.documents += 1;
        let judged = self.judged.contains(&id);
        if text.is_empty() {
            self.without_text += 1;
            if judged {
                self.empty.insert(id);
            }
        } else if judged {
            self.kept.insert(id, text);
        } else if self.room > 0 {
            let drawn = Stream::new(self.seed, "beir", hash(&[&id])).bits();
            if self.others.len() < self.room {
                self.others.push((drawn, id, text));
            } else if self.others.peek().is_some_and(|greatest| (drawn, &id) < (greatest.0, &greatest.1)) {
                self.others.pop();
                self.others.push((drawn, id, text));
            }
        }
    }

    /// Ends it: everything was offered.
    pub(super) fn close(&mut self) {
        let others = std::mem::take(&mut self.others).into_iter();
        self.kept.extend(others.map(|(_, id, text)| (id, text)));
    }

    /// Whether a judged document was there without any text.
    pub(super) fn is_without_text(&self, id: &str) -> bool {
        self.empty.contains(id)
    }

    /// Texts by id, of a closed pool.
    pub(super) fn texts(&self) -> &BTreeMap<String, String> {
        &self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(order: impl Iterator<Item = usize>, seed: u64) -> Vec<String> {
        let mut pool = Pool::new(["7".to_owned()].into(), 5, seed);
        order.for_each(|i| pool.offer(BeirText { id: i.to_string(), text: "t".to_owned() }));
        pool.close();
        pool.texts().keys().cloned().collect()
    }

    #[test]
    fn what_is_held_does_not_depend_on_the_order() {
        let ids = held(0..100, 1);
        assert_eq!(ids.len(), 6);
        assert!(ids.contains(&"7".to_owned()));
        assert_eq!(held((0..100).rev(), 1), ids);
        assert_ne!(held(0..100, 2), ids);
        assert_eq!(held(0..3, 1), ["0", "1", "2"]);
    }
}
