//! Tiers by danger, and the three pools of the hardest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A bundle's tier by danger percentile over the corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Tier {
    /// Up to the 70th percentile.
    #[serde(rename = "tier1_easy")]
    Easy,
    /// Up to the 90th.
    #[serde(rename = "tier2_robust")]
    Robust,
    /// Above.
    #[serde(rename = "tier3_adversarial")]
    Adversarial,
}

impl Tier {
    /// All tiers, easiest first.
    pub const ALL: [Self; 3] = [Self::Easy, Self::Robust, Self::Adversarial];

    /// 0, 1 or 2.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["tier1_easy", "tier2_robust", "tier3_adversarial"][self.index()]
    }
}

/// The pool of a tier3 bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// Original core killers.
    Legacy,
    /// Mined.
    Organic,
    /// Vetted variants of legacy killers.
    Expanded,
}

impl Pool {
    /// All pools, in the order of ratio names (`legacy_organic_expanded`).
    pub const ALL: [Self; 3] = [Self::Legacy, Self::Organic, Self::Expanded];

    /// 0, 1 or 2.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["legacy", "organic", "expanded"][self.index()]
    }
}

/// Sorts dangers into tiers: cut-offs are `sorted[floor(n·0.7)]` and `sorted[floor(n·0.9)]`, and a danger equal to a
/// cut-off belongs to the lower tier. `dangers` must not hold NaN.
#[must_use]
pub fn tiers_of(dangers: &[f64]) -> Vec<Tier> {
    let mut sorted = dangers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    // In integers: 0.7 · 10 is 7.000000000000001 or 6.99… depending on how it is rounded.
    let cut = |tenths: usize| sorted.get(n * tenths / 10).copied().unwrap_or(f64::INFINITY);
    let (robust, adversarial) = (cut(7), cut(9));
    let tier = |&d: &f64| match d {
        d if d <= robust => Tier::Easy,
        d if d <= adversarial => Tier::Robust,
        _ => Tier::Adversarial,
    };
    dangers.iter().map(tier).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_offs_follow_the_specification() {
        let dangers: Vec<f64> = (0..10).map(f64::from).collect();
        let tiers = tiers_of(&dangers);
        // sorted[7] = 7 and sorted[9] = 9; an equal danger belongs to the lower tier.
        assert_eq!(tiers.iter().filter(|t| **t == Tier::Easy).count(), 8);
        assert_eq!(tiers.iter().filter(|t| **t == Tier::Robust).count(), 2);
        assert!(tiers_of(&[]).is_empty());
        assert_eq!(tiers_of(&[0.5; 20]), vec![Tier::Easy; 20]);
        let hundred: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(tiers_of(&hundred).iter().filter(|t| **t == Tier::Adversarial).count(), 9);
    }
}
