//! Near-duplicates between two collections of texts, without comparing all with all.
//!
//! Two sets of shingles with a Jaccard index of `t` or more share a shingle among the first `m − ⌈t·m⌉ + 1` of each (m:
//! its size), whatever the order, as long as it is one (S. Chaudhuri, V. Ganti and R. Kaushik, "A primitive operator for
//! similarity joins in data cleaning", ICDE 2006). With the rarest first, few pairs are left to compare.

use super::shingles::Shingles;
use crate::parallel;
use std::collections::HashMap;

/// For each of `queries` the numbers of its near-duplicates among `texts`, ascending: those with a Jaccard index of
/// `threshold` or more that `wanted(query, text)` lets pass. Texts without words are near to none.
///
/// # Panics
/// For a threshold outside (0, 1].
#[must_use]
pub fn near_duplicates(
    texts: &[&str],
    queries: &[&str],
    threshold: f64,
    wanted: impl Fn(u32, u32) -> bool + Sync + Send,
) -> Vec<Vec<u32>> {
    assert!(threshold > 0.0 && threshold <= 1.0, "an index of {threshold} is reached by all or none");
    let all: Vec<&str> = texts.iter().chain(queries).copied().collect();
    let shingles = Shingles::new(&all);
    let mut frequency: HashMap<u64, u32> = HashMap::new();
    for text in 0..all.len() as u32 {
        for hash in shingles.set(text) {
            *frequency.entry(*hash).or_default() += 1;
        }
    }
    let prefix = |text: u32| {
        let mut rarest = shingles.set(text).to_vec();
        // Less a hair, so that rounding makes a prefix too long, never too short.
        let kept = (threshold * rarest.len() as f64 - 1e-9).ceil() as usize;
        let length = (rarest.len() + 1).saturating_sub(kept).min(rarest.len());
        rarest.sort_unstable_by_key(|hash| (frequency[hash], *hash));
        rarest.truncate(length);
        rarest
    };
    let mut holders: HashMap<u64, Vec<u32>> = HashMap::new();
    for text in 0..texts.len() as u32 {
        for hash in prefix(text) {
            holders.entry(hash).or_default().push(text);
        }
    }
    parallel::map(queries.len(), |query| {
        let number = (texts.len() + query) as u32;
        let mut found: Vec<u32> =
            prefix(number).iter().filter_map(|hash| holders.get(hash)).flatten().copied().collect();
        found.sort_unstable();
        found.dedup();
        found.retain(|text| wanted(query as u32, *text) && shingles.alike(number, *text, threshold));
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn finds_what_comparing_all_with_all_finds() {
        let mut found = 0;
        for round in 0..40 {
            let mut stream = Stream::new(11, "near", round);
            let mut texts = |count: usize| -> Vec<String> {
                let mut word = || ["a", "b", "c", "d"][stream.below(4)];
                (0..count).map(|i| (0..i % 9).map(|_| word()).collect::<Vec<_>>().join(" ")).collect()
            };
            let (texts, queries) = (texts(60), texts(40));
            let [texts, queries]: [Vec<&str>; 2] = [&texts, &queries].map(|t| t.iter().map(String::as_str).collect());
            for threshold in [0.2, 0.5, 0.8, 1.0] {
                let near = near_duplicates(&texts, &queries, threshold, |q, t| !(q + t).is_multiple_of(5));
                let all: Vec<&str> = texts.iter().chain(&queries).copied().collect();
                let shingles = Shingles::new(&all);
                for (q, near) in (0u32..).zip(&near) {
                    let alike = |t: &u32| !(q + t).is_multiple_of(5) && shingles.jaccard(60 + q, *t) >= threshold;
                    let wanted: Vec<u32> = (0..60).filter(alike).collect();
                    assert_eq!(*near, wanted, "query {q}, threshold {threshold}");
                    found += wanted.len();
                }
            }
        }
        assert!(found > 1000, "{found}");
        assert!(near_duplicates(&[], &["a b c"], 0.5, |_, _| true)[0].is_empty());
    }
}
