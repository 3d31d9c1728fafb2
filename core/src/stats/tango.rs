//! Bounds of a paired difference of two rates that hold with few flips, too.

/// The score interval of `(gained − lost) / n` whose ends are `z` standard errors away: all differences Δ that
/// `|gained − lost − n·Δ| / √(n·(2·q(Δ) − Δ·(1 + Δ)))  ≤ z` does not refuse, where `q` is the restricted maximum likelihood
/// estimate of the share of losses. `n` must not be 0.
///
/// T. Tango, Statistics in Medicine 17 (1998) 891–908, equations 3 to 8. Unlike a resampled interval it keeps its width when
/// nobody flipped: then it ends at ∓z² / (n + z²). It takes items for independent.
///
/// # Panics
/// When there are more flips than items, or none.
#[must_use]
pub fn tango(lost: usize, gained: usize, n: usize, z: f64) -> (f64, f64) {
    assert!(n > 0 && lost + gained <= n, "{lost} and {gained} flips of {n} items");
    let estimate = (gained as f64 - lost as f64) / n as f64;
    let far = |delta: f64| score(lost as f64, gained as f64, n as f64, delta);
    // The score falls as Δ grows.
    let low = bisect(-1.0, estimate, |delta| far(delta) > z);
    let high = bisect(estimate, 1.0, |delta| far(delta) > -z);
    (low, high)
}

/// How many standard errors the observed difference lies above Δ.
fn score(lost: f64, gained: f64, n: f64, delta: f64) -> f64 {
    let a = 2.0 * n;
    let b = -gained - lost + (2.0 * n - gained + lost) * delta;
    let c = -lost * delta * (1.0 - delta);
    let q = ((b * b - 4.0 * a * c).max(0.0).sqrt() - b) / (2.0 * a);
    let variance = n * (2.0 * q + delta * (1.0 - delta));
    let apart = gained - lost - n * delta;
    if apart == 0.0 { 0.0 } else { apart / variance.max(f64::MIN_POSITIVE).sqrt() }
}

/// Where `below`, true at `low`, turns false; to the last bit that counts.
fn bisect(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> f64 {
    if !below(low) {
        return low;
    }
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if below(middle) { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::Z;

    #[test]
    fn no_flips_leave_the_width_that_the_number_of_items_gives() {
        for n in [1usize, 20, 1000] {
            let (low, high) = tango(0, 0, n, Z);
            let end = Z * Z / (n as f64 + Z * Z);
            assert!((low + end).abs() < 1e-9 && (high - end).abs() < 1e-9, "{n}: {low}, {high}, expected {end}");
        }
    }

    #[test]
    fn swapping_sides_mirrors_the_interval() {
        for (lost, gained, n) in [(3, 10, 50), (0, 5, 30), (20, 20, 40), (1, 0, 1)] {
            let ((a, b), (c, d)) = (tango(lost, gained, n, Z), tango(gained, lost, n, Z));
            assert!((a + d).abs() < 1e-9 && (b + c).abs() < 1e-9, "{lost}, {gained} of {n}");
            let estimate = (gained as f64 - lost as f64) / n as f64;
            assert!(a <= estimate && estimate <= b, "{a} {estimate} {b}");
        }
    }
}
