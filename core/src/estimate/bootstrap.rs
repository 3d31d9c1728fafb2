//! Resampling by group, and the intervals that come of it.

use super::{normal_cdf, normal_quantile, quantile};
use crate::parallel;
use crate::rng::Stream;

/// Name of the method where whole groups are drawn, written beside an interval.
pub const BCA_BY_GROUP: &str = "bca_by_group";

/// `statistic` of `count` resamples: each is as many group numbers as there are groups, drawn with replacement from
/// the stream `(seed, purpose, number of the resample)`.
#[must_use]
pub fn replicates(
    groups: usize,
    count: usize,
    seed: u64,
    purpose: &str,
    statistic: impl Fn(&[u32]) -> f64 + Sync + Send,
) -> Vec<f64> {
    parallel::map(count, |number| {
        let mut stream = Stream::new(seed, purpose, number as u64);
        let drawn: Vec<u32> = (0..groups).map(|_| stream.below(groups) as u32).collect();
        statistic(&drawn)
    })
}

/// What the bias-corrected and accelerated bootstrap makes of resamples (B. Efron, Journal of the American Statistical
/// Association 82 (1987) 171–185).
#[derive(Clone, Debug)]
pub struct Bca {
    sorted: Vec<f64>,
    /// Bias: the normal quantile of the share of resamples below the estimate.
    bias: f64,
    /// Acceleration, from leaving out one group at a time.
    acceleration: f64,
}

/// From the `estimate`, its resamples, and its values with each group left out. None without resamples, with fewer than
/// two groups, or where a value is not finite.
#[must_use]
pub fn bca(estimate: f64, mut resamples: Vec<f64>, left_out: &[f64]) -> Option<Bca> {
    let sound = resamples.iter().chain(left_out).all(|x| x.is_finite());
    if resamples.is_empty() || left_out.len() < 2 || !sound {
        return None;
    }
    resamples.sort_unstable_by(f64::total_cmp);
    let n = resamples.len() as f64;
    let below = resamples.iter().filter(|x| **x < estimate).count() as f64;
    let equal = resamples.iter().filter(|x| **x == estimate).count() as f64;
    // Where all lie on one side, the share is taken to be half of one resample away from the end.
    let share = ((below + 0.5 * equal) / n).clamp(0.5 / n, 1.0 - 0.5 / n);
    let mean = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let moment = |power: i32| left_out.iter().map(|x| (mean - x).powi(power)).sum::<f64>();
    let spread = moment(2).powf(1.5);
    let acceleration = if spread > 0.0 { moment(3) / (6.0 * spread) } else { 0.0 };
    Some(Bca { sorted: resamples, bias: normal_quantile(share), acceleration })
}

impl Bca {
    /// The value that a share `p` of the corrected distribution lies below.
    #[must_use]
    pub fn bound(&self, p: f64) -> f64 {
        let z = self.bias + normal_quantile(p);
        let corrected = normal_cdf(self.bias + z / (1.0 - self.acceleration * z));
        quantile(&self.sorted, corrected).unwrap_or(f64::NAN)
    }

    /// Standard deviation of the resamples: the estimate's standard error.
    #[must_use]
    pub fn standard_error(&self) -> f64 {
        let n = self.sorted.len() as f64;
        let mean = self.sorted.iter().sum::<f64>() / n;
        (self.sorted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_bias_and_skew_bounds_are_plain_quantiles() {
        let resamples: Vec<f64> = (0..=1000).map(|i| f64::from(i) / 1000.0).collect();
        let bca = bca(0.5, resamples, &[0.4, 0.5, 0.6]).expect("sound");
        for p in [0.025, 0.05, 0.5, 0.95] {
            assert!((bca.bound(p) - p).abs() < 2e-3, "{p}: {}", bca.bound(p));
        }
    }

    #[test]
    fn what_can_not_be_resampled_has_no_interval() {
        assert!(bca(0.0, vec![], &[0.0, 1.0]).is_none());
        assert!(bca(0.0, vec![0.0], &[0.0]).is_none());
        assert!(bca(0.0, vec![f64::NAN], &[0.0, 1.0]).is_none());
        let constant = bca(0.2, vec![0.2; 50], &[0.2; 4]).expect("sound");
        assert_eq!((constant.bound(0.05), constant.bound(0.95)), (0.2, 0.2));
        assert!(constant.standard_error() < 1e-12);
    }

    #[test]
    fn resamples_repeat_and_depend_on_the_seed() {
        let of = |seed| replicates(7, 20, seed, "test", |drawn| drawn.iter().map(|g| f64::from(*g)).sum());
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
