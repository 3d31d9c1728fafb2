//! Quantiles of numbers that are in order.

/// The quantile `q` (0 to 1) of ascending `sorted`, by linear interpolation between order statistics: numpy's default,
/// method 7 of Hyndman and Fan (The American Statistician 50 (1996) 361–365). None when empty.
#[must_use]
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = last as f64 * q.clamp(0.0, 1.0);
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    let share = at - at.floor();
    // From the nearer end, as numpy does: the result never leaves [low, high].
    Some(if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_between_order_statistics() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[3.0], 0.1), Some(3.0));
        // numpy.quantile([-.2, 0, .1, .4], .1)
        assert!((quantile(&[-0.2, 0.0, 0.1, 0.4], 0.1).expect("not empty") + 0.14).abs() < 1e-12);
    }
}
