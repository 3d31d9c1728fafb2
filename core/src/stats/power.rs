//! How many items or seeds a question needs: asked before the work, or after an INCONCLUSIVE verdict.

use crate::estimate::normal_quantile;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// More than this is no answer.
const MOST: f64 = 1e12;

/// What is to be seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    /// The margin δ of the non-inferiority test, as a share (0.02: two points).
    pub delta: f64,
    /// The change that is really there, such as 0; it must be above −δ.
    pub change: f64,
    /// One-sided level of the bounds, such as 0.95.
    pub level: f64,
    /// The chance to get PASS, such as 0.8.
    pub power: f64,
}

impl Question {
    /// `z_level + z_power`.
    fn z(&self) -> f64 {
        normal_quantile(self.level) + normal_quantile(self.power)
    }

    /// Items for PASS, where a share `discordance` of items flips and items of a group resemble each other by
    /// `design_effect` (1: independent): `n = (z_level + z_power)² · (discordance − change²) · design_effect / (δ + change)²`,
    /// the normal approximation for a paired difference of rates. None where no number is enough.
    #[must_use]
    pub fn items(&self, discordance: f64, design_effect: f64) -> Option<u64> {
        let room = self.delta + self.change;
        let variance = (discordance - self.change * self.change) * design_effect;
        let n = (self.z() / room).powi(2) * variance;
        (room > 0.0 && variance >= 0.0 && n < MOST).then(|| (n.ceil() as u64).max(1))
    }

    /// Seeds a side for PASS, where the pass rate varies by a standard deviation of `spread` between seeds: paired seeds
    /// whose spread is that of the difference. Starts at the normal approximation and grows until Student's quantiles
    /// of `seeds − 1` degrees agree.
    #[must_use]
    pub fn seeds(&self, spread: f64) -> Option<u64> {
        let room = self.delta + self.change;
        if room <= 0.0 || !(0.0..MOST).contains(&(self.z() * spread / room).powi(2)) {
            return None;
        }
        let start = ((self.z() * spread / room).powi(2).ceil() as u64).max(2);
        (start..=start + 100).find(|seeds| {
            let t = StudentsT::new(0.0, 1.0, (*seeds - 1) as f64);
            t.is_ok_and(|t| {
                let z = t.inverse_cdf(self.level) + t.inverse_cdf(self.power);
                *seeds as f64 >= (z * spread / room).powi(2)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worked_case() {
        // (1.6449 + 0.8416)² = 6.1826; 6.1826 · 0.10 / 0.02² = 1545.6.
        let question = Question { delta: 0.02, change: 0.0, level: 0.95, power: 0.8 };
        assert_eq!(question.items(0.10, 1.0), Some(1546));
        assert_eq!(question.items(0.10, 2.0), Some(3092));
        assert_eq!(question.items(0.0, 1.0), Some(1));
        // 6.1826 · (0.02/0.02)² = 6.2, and Student's quantiles ask for more.
        assert_eq!(question.seeds(0.02), Some(8));
    }

    #[test]
    fn a_drop_of_delta_is_never_passed() {
        let question = Question { delta: 0.02, change: -0.02, level: 0.95, power: 0.8 };
        assert_eq!((question.items(0.1, 1.0), question.seeds(0.01)), (None, None));
    }
}
