//! G6 gradients: the global gradient norm while training, before clipping.

use super::{Finding, Level, Rule};

/// This guardrail.
pub const RULE: Rule = Rule { id: "G6", name: "gradients" };

/// Steps in a row before a small norm counts as vanishing, and a large one as exploding: a single batch may hold
/// nothing to learn, or an outlier that clipping deals with.
pub const STREAK: u32 = 10;

/// Watches the norm step by step; keep one for a run, and its state with the run's when it is to be resumed.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Monitor {
    min: f64,
    max: f64,
    small: u32,
    large: u32,
}

impl Monitor {
    /// Norms under `min` vanish, over `max` explode (`guardrails.gradient_min` and `gradient_max`).
    #[must_use]
    pub fn new(min: f64, max: f64) -> Self {
        Self { min, max, small: 0, large: 0 }
    }

    /// Takes the norm of `step`. Reports a NaN or infinite norm at once (SEVERE); a large norm when it first appears
    /// (WARNING) and again after [`STREAK`] steps of it (CRITICAL); a small one after [`STREAK`] steps (WARNING).
    pub fn push(&mut self, step: u64, norm: f64) -> Option<Finding> {
        let count = |streak: &mut u32, on: bool| *streak = if on { streak.saturating_add(1) } else { 0 };
        count(&mut self.small, norm < self.min);
        count(&mut self.large, norm > self.max);
        let (level, message, advice) = if !norm.is_finite() {
            let message = format!("the gradient norm at step {step} is {norm}");
            (Level::Severe, message, "resume from the last good state with a lower learning rate")
        } else if self.large == STREAK {
            let message =
                format!("the gradient norm explodes: over {} for {STREAK} steps, {norm:.3e} at {step}", self.max);
            (Level::Critical, message, "lower the learning rate, lengthen the warm-up, or clip gradients")
        } else if self.large == 1 {
            let message = format!("the gradient norm at step {step} is {norm:.3e}, over {}", self.max);
            (Level::Warning, message, "watch the loss; if this goes on, lower the learning rate or clip gradients")
        } else if self.small == STREAK {
            let message =
                format!("the gradient vanishes: norm under {} for {STREAK} steps, {norm:.3e} at {step}", self.min);
            (
                Level::Warning,
                message,
                "check that batches hold anything left to learn, and the loss's margin or temperature",
            )
        } else {
            return None;
        };
        Some(RULE.finding(level, message, advice).with("step", step as f64).with("gradient_norm", norm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardrails::Report;

    fn levels(norms: impl IntoIterator<Item = f64>) -> Vec<(u64, Level)> {
        let mut monitor = Monitor::new(1e-7, 1e3);
        (0..).zip(norms).filter_map(|(step, norm)| monitor.push(step, norm).map(|f| (step, f.level))).collect()
    }

    #[test]
    fn silent_on_healthy_norms() {
        assert_eq!(levels((0..1000).map(|i| 0.5 + (f64::from(i) * 0.1).sin() * 0.4)), []);
        // One batch without anything to learn is no fault, nor are nine.
        assert_eq!(levels([[0.0; 9].as_slice(), &[1.0], &[0.0; 9]].concat()), []);
    }

    #[test]
    fn nan_and_infinity_are_severe_at_once() {
        assert_eq!(levels([1.0, f64::NAN]), [(1, Level::Severe)]);
        assert_eq!(levels([f64::INFINITY])[0], (0, Level::Severe));
        let finding = Monitor::new(1e-7, 1e3).push(3, f64::NAN).expect("NaN is found");
        assert!(!finding.numbers.contains_key("gradient_norm") && finding.message.contains("NaN"));
        assert!(Report::judge(vec![finding], true, &["G6".to_owned()]).stops);
    }

    #[test]
    fn vanishing_and_exploding_are_told_once() {
        assert_eq!(levels([1e-9; 100]), [(9, Level::Warning)]);
        assert_eq!(levels([1e4; 100]), [(0, Level::Warning), (9, Level::Critical)]);
        assert_eq!(levels([1e4, 1.0, 1e4, 1.0]), [(0, Level::Warning), (2, Level::Warning)]);
    }

    #[test]
    fn exploding_can_be_overridden() {
        let mut monitor = Monitor::new(1e-7, 1e3);
        let finding = (0..10).filter_map(|step| monitor.push(step, 1e5)).last().expect("ten large norms");
        assert!(Report::judge(vec![finding.clone()], true, &[]).stops);
        assert!(!Report::judge(vec![finding], true, &["gradients".to_owned()]).stops);
    }
}
