//! The most that the CPU does, by loops that do nothing else.

use crate::kernels::{peak_copy as copy, peak_fma as fma};
use crate::parallel;

/// `rounds` rounds of multiplications and additions on `tasks` tasks at once; how many single operations that were.
#[must_use]
pub fn peak_fma(tasks: usize, rounds: usize) -> u64 {
    let done = parallel::map(tasks, |_| {
        let (count, sum) = fma::fast(rounds);
        // What was computed must seem to matter; a sum that is no number would be a fault.
        if sum.is_nan() { 0 } else { 2 * count }
    });
    done.iter().sum()
}

/// Copies `from` to `to`; how many bytes were moved.
///
/// # Panics
/// When they differ in length.
#[must_use]
pub fn peak_copy(from: &[f32], to: &mut [f32]) -> u64 {
    copy::fast(from, to);
    2 * size_of_val(from) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_count_what_they_do() {
        assert_eq!(peak_fma(3, 200), 3 * peak_fma(1, 200));
        assert!(peak_fma(1, 200) >= 2 * 200 * fma::CHAINS as u64);
        let (from, mut to) = ([1.0, 2.0, 3.0], [0.0; 3]);
        assert_eq!(peak_copy(&from, &mut to), 24);
        assert_eq!(to, from);
    }
}
