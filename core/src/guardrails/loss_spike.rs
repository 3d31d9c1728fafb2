//! G5 loss spike: a loss far above those just before it.

use super::{Finding, Level, Rule};
use std::collections::VecDeque;

/// This guardrail.
pub const RULE: Rule = Rule { id: "G5", name: "loss_spike" };

/// A spike of this many times the configured deviations that also doubles the mean is a divergence (CRITICAL).
const DIVERGENCE: f64 = 4.0;
/// The deviation is taken to be at least this share of the mean: on a plateau, the last digits are not a spike.
const LEAST_SD_SHARE: f64 = 1e-3;

/// Watches the loss step by step; keep one for a run, and its state with the run's when it is to be resumed.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Monitor {
    window: usize,
    sigmas: f64,
    losses: VecDeque<f64>,
    quiet: usize,
}

impl Monitor {
    /// A loss is a spike when it lies more than `sigmas` standard deviations above the mean of the `window` losses
    /// before it (`guardrails.loss_sigmas` and `loss_window`). Windows under 2 are taken as 2.
    #[must_use]
    pub fn new(window: usize, sigmas: f64) -> Self {
        Self { window: window.max(2), sigmas, losses: VecDeque::new(), quiet: 0 }
    }

    /// Takes the loss of `step`. A NaN or infinite loss is SEVERE. Nothing else is reported before the window is full,
    /// nor for one window after a spike: its own losses would only repeat the news. Divergence is told at any time.
    pub fn push(&mut self, step: u64, loss: f64) -> Option<Finding> {
        if !loss.is_finite() {
            let message = format!("the loss at step {step} is {loss}");
            let advice =
                "resume from the last good state with a lower learning rate; check the data for broken vectors";
            return Some(RULE.finding(Level::Severe, message, advice).with("step", step as f64));
        }
        let full = self.losses.len() == self.window;
        let finding = if full { self.judge(step, loss) } else { None };
        if full {
            self.losses.pop_front();
        }
        self.losses.push_back(loss);
        let silenced = self.quiet > 0 && finding.as_ref().is_some_and(|f| f.level == Level::Warning);
        self.quiet = self.quiet.saturating_sub(1);
        if silenced {
            return None;
        }
        if finding.is_some() {
            self.quiet = self.window;
        }
        finding
    }

    fn judge(&self, step: u64, loss: f64) -> Option<Finding> {
        let n = self.losses.len() as f64;
        let mean = self.losses.iter().sum::<f64>() / n;
        let variance = self.losses.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        // A new loss differs from the window's mean by its own spread and by the mean's.
        let sd = (variance * (1.0 + 1.0 / n)).sqrt().max(LEAST_SD_SHARE * mean.abs()).max(f64::MIN_POSITIVE);
        let deviations = (loss - mean) / sd;
        if deviations <= self.sigmas {
            return None;
        }
        let diverged = deviations > DIVERGENCE * self.sigmas && loss > 2.0 * mean.abs();
        let level = if diverged { Level::Critical } else { Level::Warning };
        let message = format!(
            "the loss at step {step} is {loss:.4}, {deviations:.1} standard deviations above the mean of the {} before \
             it ({mean:.4})",
            self.losses.len()
        );
        let advice = "a lone spike is often one bad batch; repeated ones ask for a lower learning rate or clipping";
        let numbers = [("step", step as f64), ("loss", loss), ("window_mean", mean), ("deviations", deviations)];
        Some(numbers.iter().fold(RULE.finding(level, message, advice), |f, (name, x)| f.with(name, *x)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardrails::Report;
    use crate::rng::Stream;

    /// A falling loss with uniform noise, as a healthy run has.
    fn healthy(steps: u64) -> Vec<f64> {
        let mut stream = Stream::new(1, "loss", 0);
        (0..steps).map(|i| 0.5 + 3.0 * (-(i as f64) / 300.0).exp() + 0.2 * (stream.unit() - 0.5)).collect()
    }

    fn levels(losses: &[f64]) -> Vec<(usize, Level)> {
        let mut monitor = Monitor::new(50, 3.0);
        let push = |(step, loss): (usize, &f64)| monitor.push(step as u64, *loss).map(|f| (step, f.level));
        losses.iter().enumerate().filter_map(push).collect()
    }

    #[test]
    fn silent_on_a_healthy_run_and_on_plateaus() {
        assert_eq!(levels(&healthy(3000)), []);
        assert_eq!(levels(&[0.7; 500]), []);
        assert_eq!(levels(&[[0.7; 100], [0.7001; 100]].concat()), []);
    }

    #[test]
    fn a_planted_spike_is_told_once() {
        let mut losses = healthy(1000);
        losses[600] += 0.8;
        losses[610] += 0.8;
        assert_eq!(levels(&losses), [(600, Level::Warning)]);
        losses[20] = 50.0;
        assert_eq!(levels(&losses), [(600, Level::Warning)], "before the window is full nothing is known");
    }

    #[test]
    fn divergence_is_critical_and_can_be_overridden_and_nan_is_severe() {
        let mut losses = healthy(1000);
        losses[700] = 40.0;
        assert_eq!(levels(&losses), [(700, Level::Critical)]);
        losses[800] = f64::NAN;
        assert_eq!(levels(&losses), [(700, Level::Critical), (800, Level::Severe)]);
        let critical = RULE.finding(Level::Critical, "", "");
        assert!(!Report::judge(vec![critical], true, &["loss_spike".to_owned()]).stops);
    }
}
