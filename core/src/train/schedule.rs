//! The learning rate by step.

use crate::config::{LrSchedule, Training};

/// Learning rate of `step` (from 0): rises in a line over the warm-up, then stays or falls to 0 at the last step.
#[must_use]
pub fn learning_rate(training: &Training, step: u64) -> f64 {
    let warmup = training.warmup_steps.min(training.steps);
    if step < warmup {
        return training.learning_rate * (step + 1) as f64 / warmup as f64;
    }
    let length = (training.steps - warmup).max(1) as f64;
    let left = (1.0 - (step - warmup) as f64 / length).clamp(0.0, 1.0);
    training.learning_rate
        * match training.lr_schedule {
            LrSchedule::Constant => 1.0,
            LrSchedule::Linear => left,
            LrSchedule::Cosine => 0.5 * (1.0 - (std::f64::consts::PI * left).cos()),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls() {
        let training = Training { steps: 110, warmup_steps: 10, learning_rate: 1.0, ..Training::default() };
        let at = |schedule, step| learning_rate(&Training { lr_schedule: schedule, ..training.clone() }, step);
        assert!((at(LrSchedule::Linear, 0) - 0.1).abs() < 1e-12, "first step of ten");
        assert!((at(LrSchedule::Linear, 9) - 1.0).abs() < 1e-12, "the peak");
        assert!((at(LrSchedule::Linear, 60) - 0.5).abs() < 1e-12, "half way down");
        assert!((at(LrSchedule::Cosine, 60) - 0.5).abs() < 1e-12, "half way down");
        assert!((at(LrSchedule::Constant, 109) - 1.0).abs() < 1e-12, "stays");
    }
}
