//! Random numbers in named streams.
//!
//! Every unit of work draws from a stream of its own, keyed by `(seed, purpose, index)`, so results do not depend on
//! how work is spread over threads, shards or interrupted runs. The generator is ChaCha8 (portable by definition);
//! the few distributions here use integer and exact floating-point operations only, so that a stream gives the same
//! values on every platform. `rand`'s own distributions may change between its versions, hence not used.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// A stream of random numbers.
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `purpose` number `index` under `seed`.
    #[must_use]
    pub fn new(seed: u64, purpose: &str, index: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(index.to_le_bytes());
        hash.update(purpose.as_bytes());
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// 64 uniform bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// 32 uniform bits.
    pub fn bits32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Uniform in `0..n` without bias (multiply and reject). `n` must not be 0.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "below(0) has no value to draw");
        let n = n as u64;
        let mut product = u128::from(self.bits()) * u128::from(n);
        // What is rejected lies below `2⁶⁴ mod n`, hence below `n`: the division is for those alone that come near it.
        if (product as u64) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u64) < threshold {
                product = u128::from(self.bits()) * u128::from(n);
            }
        }
        (product >> 64) as usize
    }

    /// Uniform in `[0, 1)`, 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `[-bound, bound)`, 24 bits.
    pub fn symmetric(&mut self, bound: f32) -> f32 {
        let unit = (self.bits32() >> 8) as f32 / (1u32 << 24) as f32;
        (2.0 * unit - 1.0) * bound
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// Up to `count` distinct items of `0..n`, in drawn order.
    pub fn sample(&mut self, n: usize, count: usize) -> Vec<usize> {
        // Partial Fisher-Yates over a sparse permutation: memory follows `count`, not `n`.
        let mut moved = std::collections::BTreeMap::new();
        (0..count.min(n))
            .map(|i| {
                let j = i + self.below(n - i);
                let at_j = *moved.get(&j).unwrap_or(&j);
                let at_i = *moved.get(&i).unwrap_or(&i);
                moved.insert(j, at_i);
                at_j
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_purpose_and_index_and_repeat() {
        let first = |s, p, i| Stream::new(s, p, i).bits();
        assert_eq!(first(1, "a", 0), first(1, "a", 0));
        assert_ne!(first(1, "a", 0), first(2, "a", 0));
        assert_ne!(first(1, "a", 0), first(1, "b", 0));
        assert_ne!(first(1, "a", 0), first(1, "a", 1));
    }

    #[test]
    fn below_is_even_over_a_small_range() {
        let mut stream = Stream::new(7, "test", 0);
        let mut counts = [0usize; 6];
        for _ in 0..60_000 {
            counts[stream.below(6)] += 1;
        }
        // 10,000 expected, standard deviation 91: five of them on either side.
        assert!(counts.iter().all(|c| (9_540..10_460).contains(c)), "{counts:?}");
    }

    #[test]
    fn below_rejects_what_would_make_it_uneven() {
        // 2⁶³ + 1 rejects every other draw.
        for n in [1, 3, 1 << 32, (1 << 63) + 1, usize::MAX] {
            let (mut stream, mut same) = (Stream::new(7, "test", 2), Stream::new(7, "test", 2));
            let threshold = (n as u64).wrapping_neg() % n as u64;
            let mut plainly = || loop {
                let product = u128::from(same.bits()) * n as u128;
                if product as u64 >= threshold {
                    return (product >> 64) as usize;
                }
            };
            assert!((0..1000).all(|_| stream.below(n) == plainly()), "{n}");
        }
    }

    #[test]
    fn sample_is_without_replacement() {
        let mut stream = Stream::new(7, "test", 1);
        let mut drawn = stream.sample(10, 10);
        drawn.sort_unstable();
        assert_eq!(drawn, (0..10).collect::<Vec<_>>());
        assert_eq!(stream.sample(3, 9).len(), 3);
        assert!(stream.sample(0, 5).is_empty());
    }
}
