//! G14 seed sensitivity: runs of one setting differ by more than the bundles of the eval explain.
//!
//! Where they do, one run of a setting says little about the setting, and a comparison needs several seeds a side.

use super::{Finding, Level, Rule};
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// This guardrail.
pub const RULE: Rule = Rule { id: "G14", name: "seed_sensitivity" };

/// A spread that chance brings about less often than this is no chance.
const CHANCE: f64 = 0.01;

/// What one seed's run passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Bundles passed.
    pub correct: usize,
    /// Of so many; the same eval set for all runs.
    pub n: usize,
}

/// Judges the runs of `setting`, one for each seed, on one eval set. None for fewer than two, or without bundles.
///
/// The test is that of homogeneity, `Σ (kᵢ − k̄)² / (n p̄ (1 − p̄))` against χ² with runs − 1 degrees of freedom. It takes
/// the runs' bundles for independent; as they are the same bundles, some easy and some hard for every seed, their
/// errors are smaller than that, so it errs on the silent side.
#[must_use]
pub fn check(setting: &str, runs: &[Run]) -> Option<Finding> {
    let n = runs.first()?.n;
    if runs.len() < 2 || n == 0 {
        return None;
    }
    if runs.iter().any(|r| r.n != n || r.correct > n) {
        let message = format!("{setting}: the seeds were evaluated on different numbers of bundles");
        return Some(RULE.finding(Level::Error, message, "evaluate all seeds of a setting on one eval set"));
    }
    let (count, n) = (runs.len() as f64, n as f64);
    let rates: Vec<f64> = runs.iter().map(|r| r.correct as f64 / n).collect();
    let mean = rates.iter().sum::<f64>() / count;
    let squares: f64 = rates.iter().map(|r| (r - mean).powi(2)).sum();
    let sd = (squares / (count - 1.0)).sqrt();
    let item_error = (mean * (1.0 - mean) / n).sqrt();
    let p = match item_error {
        // All passed everything, or nothing: no spread at all.
        0.0 => 1.0,
        error => ChiSquared::new(count - 1.0).map_or(1.0, |chi| chi.sf(squares / error.powi(2))),
    };
    let (low, high) = rates.iter().fold((1.0, 0.0), |(low, high), r| (f64::min(low, *r), f64::max(high, *r)));
    let seen = format!(
        "{setting}: {} seeds pass {:.1} to {:.1} %, a standard deviation of {:.1} points where the bundles explain {:.1}",
        runs.len(),
        100.0 * low,
        100.0 * high,
        100.0 * sd,
        100.0 * item_error
    );
    let finding = if p < CHANCE {
        let advice =
            "judge the setting by several seeds (crucible power --seed-spread says how many), never by one run";
        RULE.finding(Level::Warning, seen, advice)
    } else {
        RULE.ok(seen)
    };
    let numbers = [("seeds", count), ("mean", mean), ("seed_sd", sd), ("item_error", item_error), ("p", p), ("n", n)];
    Some(numbers.iter().fold(finding, |f, (name, x)| f.with(name, *x)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardrails::Report;
    use crate::rng::Stream;

    fn found(correct: &[usize], n: usize) -> Option<Finding> {
        check("R75", &correct.iter().map(|correct| Run { correct: *correct, n }).collect::<Vec<_>>())
    }

    #[test]
    fn fires_on_a_spread_that_bundles_do_not_explain() {
        let finding = found(&[300, 400, 350], 1000).expect("three seeds");
        assert_eq!(finding.level, Level::Warning, "{finding:?}");
        // With two degrees of freedom the tail is exp(−x / 2), x = 1000 · 0.005 / (0.35 · 0.65).
        assert!((finding.numbers["p"] - 1.688_625e-5).abs() < 1e-10, "{finding:?}");
        let mixed = check("R75", &[Run { correct: 1, n: 2 }, Run { correct: 1, n: 3 }]);
        assert_eq!(mixed.map(|f| f.level), Some(Level::Error));
    }

    #[test]
    fn silent_on_item_error_and_on_too_little() {
        assert_eq!(found(&[340, 350, 360], 1000).map(|f| f.level), Some(Level::Ok));
        assert_eq!(found(&[10, 10], 10).map(|f| f.level), Some(Level::Ok));
        assert_eq!(found(&[0, 0, 0], 10).map(|f| f.level), Some(Level::Ok));
        assert!(found(&[5], 10).is_none() && found(&[], 10).is_none() && found(&[0, 0], 0).is_none());
    }

    #[test]
    fn seeds_that_differ_by_chance_alone_hardly_ever_fire() {
        let mut fired = 0;
        for run in 0..2000 {
            let mut stream = Stream::new(14, "seeds", run);
            let mut passed = || (0..200).filter(|_| stream.unit() < 0.3).count();
            let correct = [passed(), passed(), passed(), passed()];
            fired += usize::from(found(&correct, 200).is_some_and(|f| f.level > Level::Ok));
        }
        assert!(fired <= 34, "{fired} of 2000, at a level of 1 %");
    }

    #[test]
    fn it_never_stops_a_run() {
        let findings = vec![found(&[300, 400, 350], 1000).expect("three seeds")];
        let report = Report::judge(findings, true, &["G14".to_owned()]);
        assert!(!report.stops && report.overrides.is_empty(), "a warning needs no override");
    }
}
