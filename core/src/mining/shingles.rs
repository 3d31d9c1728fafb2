//! Texts that are nearly the same.
//!
//! Words are runs of letters and digits, lower-cased; a text's shingles are its runs of [`WORDS`] words (the whole text
//! where it has fewer), and two texts are alike when the Jaccard index of their sets of shingles reaches a threshold.
//! Exact but for collisions of 64-bit hashes.

use crate::lexical::hash;
use crate::parallel;

/// Words of a shingle.
const WORDS: usize = 3;

/// The shingles of many texts.
pub struct Shingles {
    /// Where each text's hashes start; one more at the end.
    starts: Vec<u32>,
    /// Ascending within a text.
    hashes: Vec<u64>,
    /// For each text the bits `hash mod 64` of its hashes: a bit that another text lacks is a shingle that it lacks.
    marks: Vec<u64>,
}

impl Shingles {
    /// Of each of `texts`.
    #[must_use]
    pub fn new<T: AsRef<str> + Sync>(texts: &[T]) -> Self {
        let sets = parallel::map(texts.len(), |i| shingles(texts[i].as_ref()));
        let (mut starts, mut marks) = (vec![0], Vec::with_capacity(sets.len()));
        let mut hashes = Vec::with_capacity(sets.iter().map(Vec::len).sum());
        for set in sets {
            marks.push(set.iter().fold(0, |marks, hash| marks | 1 << (hash % 64)));
            hashes.extend(set);
            starts.push(u32::try_from(hashes.len()).unwrap_or(u32::MAX));
        }
        Self { starts, hashes, marks }
    }

    pub(super) fn set(&self, text: u32) -> &[u64] {
        &self.hashes[self.starts[text as usize] as usize..self.starts[text as usize + 1] as usize]
    }

    /// The Jaccard index of two texts' shingles; 0 for texts without words.
    #[must_use]
    pub fn jaccard(&self, a: u32, b: u32) -> f64 {
        let (a, b) = (self.set(a), self.set(b));
        let shared = shared(a, b);
        let all = a.len() + b.len() - shared;
        if all == 0 { 0.0 } else { shared as f64 / all as f64 }
    }

    /// Whether the index reaches `threshold`.
    #[must_use]
    pub fn alike(&self, a: u32, b: u32, threshold: f64) -> bool {
        let (least, most) = {
            let (a, b) = (self.set(a).len(), self.set(b).len());
            (a.min(b), a.max(b))
        };
        // The index is at most the ratio of sizes: most pairs end here, and most others at the next question.
        if (least as f64) < threshold * most as f64 || most == 0 {
            return false;
        }
        // From shared / (a + b − shared) ≥ threshold; one less for rounding, as the index has the last word.
        let needed = (((threshold / (1.0 + threshold)) * (least + most) as f64) as usize).saturating_sub(1);
        let lacking = (self.marks[a as usize] & !self.marks[b as usize]).count_ones() as usize;
        self.set(a).len() >= needed + lacking
            && may_share(self.set(a), self.set(b), needed)
            && self.jaccard(a, b) >= threshold
    }
}

/// Whether two ascending lists may share so many numbers; looks no further than where the answer is no.
fn may_share(a: &[u64], b: &[u64], needed: usize) -> bool {
    let (Some(spare_a), Some(spare_b)) = (a.len().checked_sub(needed), b.len().checked_sub(needed)) else {
        return false;
    };
    let (mut i, mut j, mut shared) = (0, 0, 0);
    while i < a.len() && j < b.len() && shared < needed {
        let (x, y) = (a[i], b[j]);
        shared += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
        if i > shared + spare_a || j > shared + spare_b {
            return false;
        }
    }
    true
}

/// How many numbers two ascending lists share.
fn shared(a: &[u64], b: &[u64]) -> usize {
    let (mut i, mut j, mut shared) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        shared += usize::from(a[i] == b[j]);
        let (x, y) = (a[i], b[j]);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    shared
}

/// A text's words, lower-cased, with one space between them: equal for texts that differ in nothing else.
#[must_use]
pub fn normalised(text: &str) -> String {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    words.join(" ")
}

fn shingles(text: &str) -> Vec<u64> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let of = |words: &[&str]| {
        let parts: Vec<&str> = words.iter().flat_map(|w| [*w, " "]).collect();
        hash(&parts)
    };
    let mut set: Vec<u64> = if words.len() < WORDS { vec![of(&words)] } else { words.windows(WORDS).map(of).collect() };
    set.sort_unstable();
    set.dedup();
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn case_and_punctuation_do_not_matter() {
        assert_eq!(normalised("The  BANK, by the river."), "the bank by the river");
        assert_eq!(normalised("?!"), "");
    }

    #[test]
    fn the_index_is_that_of_the_sets() {
        let texts = ["a b c d e", "A, b; c d f!", "b", "B.", "?", "", "a b c a b c", "x y z"];
        let shingles = Shingles::new(&texts);
        let set = |text: &str| -> BTreeSet<Vec<String>> {
            let words: Vec<String> = text
                .to_lowercase()
                .split(|c: char| !c.is_alphanumeric())
                .filter(|w| !w.is_empty())
                .map(str::to_owned)
                .collect();
            if words.is_empty() {
                return BTreeSet::new();
            }
            words.windows(words.len().min(3)).map(<[String]>::to_vec).collect()
        };
        for (i, a) in (0..).zip(texts) {
            for (j, b) in (0..).zip(texts) {
                let (x, y) = (set(a), set(b));
                let all = x.union(&y).count();
                let want = if all == 0 { 0.0 } else { x.intersection(&y).count() as f64 / all as f64 };
                assert_eq!(shingles.jaccard(i, j), want, "{a:?} and {b:?}");
                for threshold in [0.3, 0.5, 0.8, 1.0] {
                    assert_eq!(shingles.alike(i, j, threshold), all > 0 && want >= threshold, "{a:?} and {b:?}");
                }
            }
        }
        assert_eq!(shingles.jaccard(0, 1), 0.5, "two of four");
    }
}
