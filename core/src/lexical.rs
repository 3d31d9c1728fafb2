//! The lexical embedding: hashed, IDF-weighted words and pairs of words. It needs no training and gives the same
//! numbers everywhere, so bundles can be made, and their danger scored, before there is any model.
//!
//! - Words are runs of letters and digits, lower-cased; features are words and pairs of neighbouring words.
//! - A feature's number is the 64-bit FNV-1a hash of its UTF-8 bytes (a pair joined by one space, which no word
//!   holds), its halves XORed to 32 bits. Features that collide share a weight.
//! - Weight: `(1 + ln tf) · (1 + ln((1 + N) / (1 + df)))` with N and df counted over distinct texts, then scaled to
//!   unit length. The logarithm is computed here, since that of the platform may differ in its last bits.

mod index;

pub use index::Index;

use crate::parallel;
use std::collections::HashSet;

/// A sparse vector: features in ascending order, each once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sparse {
    features: Vec<u32>,
    weights: Vec<f32>,
}

impl Sparse {
    /// The unit vector along the sum of `pairs`; empty when that sum has no length.
    #[must_use]
    pub fn unit(mut pairs: Vec<(u32, f64)>) -> Self {
        // Stable, so that equal features are added in the order given.
        pairs.sort_by_key(|p| p.0);
        pairs.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        let norm = pairs.iter().map(|p| p.1 * p.1).sum::<f64>().sqrt();
        if norm <= 0.0 || !norm.is_finite() {
            return Self::default();
        }
        Self {
            features: pairs.iter().map(|p| p.0).collect(),
            weights: pairs.iter().map(|p| (p.1 / norm) as f32).collect(),
        }
    }

    /// `(feature, weight)`, features ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.features.iter().copied().zip(self.weights.iter().copied())
    }

    /// Number of features.
    #[must_use]
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Whether it is the zero vector.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }
}

/// Cosine of two unit vectors: the sum, in `f64` and by ascending feature, of the products. 0 with a zero vector.
#[must_use]
pub fn cosine(a: &Sparse, b: &Sparse) -> f64 {
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    while i < a.features.len() && j < b.features.len() {
        let (x, y) = (a.features[i], b.features[j]);
        if x == y {
            sum += f64::from(a.weights[i]) * f64::from(b.weights[j]);
        }
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    sum
}

/// How often features occur over a corpus: what it takes to embed a text.
#[derive(Clone, Debug, Default)]
pub struct Lexical {
    /// Distinct texts.
    texts: usize,
    /// `(feature, texts that hold it)`, features ascending.
    frequencies: Vec<(u32, u32)>,
}

impl Lexical {
    /// Counts features over the distinct `texts`.
    #[must_use]
    pub fn fit<T: AsRef<str> + Sync>(texts: &[T]) -> Self {
        let mut seen = HashSet::new();
        let distinct: Vec<&str> = texts.iter().map(AsRef::as_ref).filter(|t| seen.insert(*t)).collect();
        let mut all: Vec<u32> =
            parallel::map(distinct.len(), |i| counts(distinct[i]).into_iter().map(|c| c.0).collect::<Vec<_>>())
                .concat();
        all.sort_unstable();
        let frequencies = all.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u32)).collect();
        Self { texts: distinct.len(), frequencies }
    }

    /// The vector of a text; the zero vector when it holds no word.
    #[must_use]
    pub fn embed(&self, text: &str) -> Sparse {
        let weight = |(feature, count): (u32, u32)| {
            let known = self.frequencies.binary_search_by_key(&feature, |f| f.0);
            let df = known.map_or(0, |i| self.frequencies[i].1);
            let idf = 1.0 + ln((1.0 + self.texts as f64) / (1.0 + f64::from(df)));
            (feature, (1.0 + ln(f64::from(count))) * idf)
        };
        Sparse::unit(counts(text).into_iter().map(weight).collect())
    }
}

/// `(feature, occurrences)` of a text, features ascending.
fn counts(text: &str) -> Vec<(u32, u32)> {
    let lower = text.to_lowercase();
    let mut features = Vec::new();
    let mut previous = "";
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        features.push(folded(hash(&[word])));
        if !previous.is_empty() {
            features.push(folded(hash(&[previous, " ", word])));
        }
        previous = word;
    }
    features.sort_unstable();
    features.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u32)).collect()
}

/// 64-bit FNV-1a over the parts' bytes, one after another.
#[must_use]
pub fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|p| p.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

fn folded(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

/// `ln x` for normal x ≥ 1, within a few units in the last place: `x = m · 2^e` with m in `[√½, √2)`, and the series of
/// `2 atanh((m − 1) / (m + 1))`.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i32 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa >= std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    // |z| ≤ 0.172: the term after z^21 / 21 is below 1e-18.
    let series = (0..=10).rev().fold(0.0, |sum, i| sum * (z * z) + 1.0 / f64::from(2 * i + 1));
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * z * series
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The definition once more, in words instead of hashes and with the platform's logarithm.
    fn naive(corpus: &[&str], text: &str) -> BTreeMap<String, f64> {
        let grams = |text: &str| {
            let spaced: String =
                text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
            let words: Vec<_> = spaced.split_whitespace().map(str::to_owned).collect();
            let pairs: Vec<_> = words.windows(2).map(|w| w.join("+")).collect();
            [words, pairs].concat()
        };
        let distinct: HashSet<_> = corpus.iter().collect();
        let mut out = BTreeMap::new();
        for gram in grams(text) {
            *out.entry(gram).or_insert(0f64) += 1.0;
        }
        for (gram, tf) in &mut out {
            let df = distinct.iter().filter(|t| grams(t).contains(gram)).count() as f64;
            *tf = (1.0 + tf.ln()) * (1.0 + ((1.0 + distinct.len() as f64) / (1.0 + df)).ln());
        }
        let norm = out.values().map(|w| w * w).sum::<f64>().sqrt();
        out.values_mut().for_each(|w| *w /= norm);
        out
    }

    #[test]
    fn agrees_with_the_definition_in_words() {
        let corpus = [
            "The bank of the river, the river.",
            "A bank lends money",
            "a BANK lends",
            "Ça coûte 12 euros; a bank!",
            "A bank lends money",
        ];
        let lexical = Lexical::fit(&corpus);
        for a in corpus.iter().chain(&["an unseen bank"]) {
            for b in corpus {
                let (x, y) = (naive(&corpus, a), naive(&corpus, b));
                let want: f64 = x.iter().filter_map(|(gram, w)| Some(w * y.get(gram)?)).sum();
                let got = cosine(&lexical.embed(a), &lexical.embed(b));
                assert!((got - want).abs() < 1e-6, "{a} / {b}: {got}, expected {want}");
            }
            assert_eq!(lexical.embed(a).len(), naive(&corpus, a).len());
        }
    }

    #[test]
    fn texts_without_words_are_zero_and_hashes_are_fnv() {
        let lexical = Lexical::fit(&["?!", "one"]);
        assert!(lexical.embed(" -- ").is_empty());
        assert_eq!(cosine(&lexical.embed("?"), &lexical.embed("one")), 0.0);
        // Published test vectors of FNV-1a.
        assert_eq!(hash(&[]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(&["foo", "bar"]), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_logarithm_is_close_to_the_platforms() {
        for i in 0..40_000 {
            let x = 1.0 + f64::from(i) * f64::from(i) * 0.37;
            assert!((ln(x) - x.ln()).abs() <= 1e-15 * (1.0 + x.ln()), "ln({x})");
        }
        assert_eq!(ln(1.0), 0.0);
    }
}
