//! G8 overfitting cliff: known cases still get better while new ones get worse.
//!
//! The frozen eval alone looks like progress there, which is why the two truths are never mixed.

use super::{Finding, Level, Rule};
use crate::estimate::normal_quantile;
use crate::stats::{Bounds, PairedChange};

/// This guardrail.
pub const RULE: Rule = Rule { id: "G8", name: "overfitting_cliff" };

/// Level of the one-sided bound beyond which a fall is no chance.
const LEVEL: f64 = 0.95;

/// How one pass rate moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    /// Before, 0 to 1.
    pub before: f64,
    /// After.
    pub after: f64,
    /// One-sided upper bound of `after − before`; none where nothing is known of the bundles behind it.
    pub high: Option<f64>,
}

impl Move {
    /// From paired items.
    #[must_use]
    pub fn paired(change: &PairedChange) -> Self {
        let Bounds { high, .. } = change.bounds;
        Self { before: change.baseline, after: change.candidate, high: Some(high) }
    }

    /// From two rates over `n` bundles each, as if they were different bundles: the normal bound of a difference of
    /// proportions, with one bundle of each outcome added so that rates of 0 and 1 have a width, too (A. Agresti and
    /// B. Caffo, The American Statistician 54 (2000) 280–288). Wider than the paired bound of the same rates.
    #[must_use]
    pub fn unpaired(before: f64, after: f64, n: usize) -> Self {
        let n = n as f64 + 2.0;
        let moved = |rate: f64| (rate * (n - 2.0) + 1.0) / n;
        let (p, q) = (moved(before), moved(after));
        let half = normal_quantile(LEVEL) * ((p * (1.0 - p) + q * (1.0 - q)) / n).sqrt();
        Self { before, after, high: (n > 2.0).then_some(q - p + half) }
    }

    /// From two rates of which nothing else is known.
    #[must_use]
    pub fn bare(before: f64, after: f64) -> Self {
        Self { before, after, high: None }
    }

    fn change(&self) -> f64 {
        self.after - self.before
    }
}

/// Judges two moves between the same two models: a cliff is a rise of the frozen pass rate by more than `rise` with a
/// fall of the organic one by more than `fall` (shares; `guardrails.cliff_rise` and `cliff_fall`). It is CRITICAL when
/// chance alone would not lower the organic rate so, and a WARNING when it might or when that is not known.
#[must_use]
pub fn check(frozen: Move, organic: Move, rise: f64, fall: f64) -> Finding {
    // 0.31 − 0.30 is a hair above 0.01 in binary.
    let cliff = frozen.change() > rise + 1e-12 && organic.change() < -fall - 1e-12;
    let points = |m: Move| {
        let change = 100.0 * m.change();
        format!("{change:+.1} points ({:.1} to {:.1} %)", 100.0 * m.before, 100.0 * m.after)
    };
    let seen = format!("frozen {}, organic {}", points(frozen), points(organic));
    let finding = if [frozen.before, frozen.after, organic.before, organic.after].iter().any(|x| !x.is_finite()) {
        RULE.finding(Level::Error, format!("a pass rate is no number: {seen}"), "evaluate again")
    } else if !cliff {
        RULE.ok(format!("{seen}: no cliff"))
    } else {
        let advice = "use the earlier checkpoint or fewer steps, and give the organic pool a larger share";
        match organic.high {
            Some(high) if high < 0.0 => {
                RULE.finding(Level::Critical, format!("{seen}: known cases rise at the cost of new ones"), advice)
            }
            Some(_) => {
                let message = format!("{seen}: a cliff, if the fall of the organic rate is no chance");
                RULE.finding(Level::Warning, message, "evaluate more organic bundles, or another seed")
            }
            None => RULE.finding(Level::Warning, format!("{seen}: a cliff; how certain is not known"), advice),
        }
    };
    let numbers = [
        ("frozen_before", frozen.before),
        ("frozen_after", frozen.after),
        ("organic_before", organic.before),
        ("organic_after", organic.after),
        ("organic_high", organic.high.unwrap_or(f64::NAN)),
        ("rise", rise),
        ("fall", fall),
    ];
    numbers.iter().fold(finding, |f, (name, x)| f.with(name, *x))
}

/// One evaluation on both truths in the course of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Training step.
    pub step: u64,
    /// Frozen pass rate, 0 to 1.
    pub frozen: f64,
    /// Organic pass rate.
    pub organic: f64,
    /// Bundles behind the organic rate, where that is known.
    pub n: Option<usize>,
}

/// Judges a run's evaluations, in order of their steps: the last one against the one with the best organic rate before
/// it, for that is the checkpoint to go back to. None for fewer than two.
#[must_use]
pub fn check_steps(points: &[Point], rise: f64, fall: f64) -> Option<Finding> {
    let (last, earlier) = points.split_last()?;
    // Of equals the first.
    let best = earlier.iter().reduce(|a, b| if b.organic > a.organic { b } else { a })?;
    let organic = match last.n {
        Some(n) => Move::unpaired(best.organic, last.organic, n),
        None => Move::bare(best.organic, last.organic),
    };
    let mut finding = check(Move::bare(best.frozen, last.frozen), organic, rise, fall);
    finding.message = format!("from step {} to {}: {}", best.step, last.step, finding.message);
    Some(finding.with("best_step", best.step as f64).with("step", last.step as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardrails::Report;

    fn level(frozen: (f64, f64), organic: (f64, f64), n: usize) -> Level {
        check(Move::bare(frozen.0, frozen.1), Move::unpaired(organic.0, organic.1, n), 0.01, 0.02).level
    }

    #[test]
    fn fires_where_the_truths_part() {
        assert_eq!(level((0.30, 0.33), (0.40, 0.30), 2000), Level::Critical);
        // The same on few bundles may be chance.
        assert_eq!(level((0.30, 0.33), (0.40, 0.30), 30), Level::Warning);
        assert_eq!(check(Move::bare(0.3, 0.33), Move::bare(0.4, 0.3), 0.01, 0.02).level, Level::Warning);
        assert_eq!(level((0.30, f64::NAN), (0.40, 0.30), 30), Level::Error);
    }

    #[test]
    fn silent_when_both_rise_both_fall_or_little_moves() {
        for (frozen, organic) in [
            ((0.30, 0.35), (0.40, 0.45)),
            ((0.30, 0.25), (0.40, 0.30)),
            ((0.30, 0.31), (0.40, 0.30)),
            ((0.30, 0.40), (0.40, 0.38)),
            ((0.30, 0.30), (0.40, 0.40)),
        ] {
            assert_eq!(level(frozen, organic, 5000), Level::Ok, "{frozen:?} {organic:?}");
        }
    }

    #[test]
    fn a_run_is_held_to_its_best_step() {
        let point = |step, frozen, organic| Point { step, frozen, organic, n: Some(3000) };
        // The original project's figures: organic 31.5 % at 10,000 steps, 28.5 % at 20,000.
        let run = [point(5000, 0.26, 0.30), point(10_000, 0.30, 0.315), point(20_000, 0.32, 0.285)];
        let finding = check_steps(&run, 0.01, 0.02).expect("three points");
        assert_eq!((finding.level, finding.numbers["best_step"]), (Level::Critical, 10_000.0), "{finding:?}");
        assert_eq!(check_steps(&run[..2], 0.01, 0.02).map(|f| f.level), Some(Level::Ok));
        assert_eq!(check_steps(&run[..1], 0.01, 0.02), None);
    }

    #[test]
    fn honest_noise_is_never_critical_often() {
        use crate::rng::Stream;
        let mut critical = 0;
        for run in 0..1000 {
            let mut stream = Stream::new(8, "cliff", run);
            let n = 400;
            let mut rate = || (0..n).filter(|_| stream.unit() < 0.4).count() as f64 / n as f64;
            let (before, after) = (rate(), rate());
            let finding = check(Move::bare(0.3, 0.4), Move::unpaired(before, after, n), 0.01, 0.02);
            critical += usize::from(finding.level == Level::Critical);
        }
        assert!(critical <= 75, "{critical} of 1000, at a level of 5 %");
    }

    #[test]
    fn a_cliff_can_be_overridden() {
        let findings = vec![check(Move::bare(0.3, 0.33), Move::unpaired(0.4, 0.3, 2000), 0.01, 0.02)];
        assert!(Report::judge(findings.clone(), true, &[]).stops);
        assert!(!Report::judge(findings, true, &["G8".to_owned()]).stops);
    }
}
