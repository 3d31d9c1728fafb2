//! Guards against false negatives, by the names of sentence-transformers' `mine_hard_negatives`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which confusers are left out of the pools. Scores are cosines with the anchor; without a value a guard does nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Guards {
    /// So many of the nearest of each source are passed over.
    pub range_min: usize,
    /// No confuser beyond this rank of its source, counted with those that are passed over.
    pub range_max: Option<usize>,
    /// No confuser that scores more.
    pub max_score: Option<f64>,
    /// No confuser that scores less.
    pub min_score: Option<f64>,
    /// No confuser that scores more than the positive less this.
    pub absolute_margin: Option<f64>,
    /// No confuser that scores more than `positive − margin · |positive|`: 0.05 keeps those of at most 95 % of the
    /// positive's score. With a positive below 0 the limit lies below the positive too, never above it.
    pub relative_margin: Option<f64>,
}

/// Guards with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardPreset {
    /// At most 95 % of the positive's score (`relative_margin` 0.05).
    TopkPercPos,
    /// At least 0.05 below the positive's score (`absolute_margin` 0.05).
    TopkMarginPos,
}

impl Guards {
    /// Takes the preset's values where none is set.
    pub fn preset(&mut self, preset: GuardPreset) {
        match preset {
            GuardPreset::TopkPercPos => self.relative_margin = self.relative_margin.or(Some(0.05)),
            GuardPreset::TopkMarginPos => self.absolute_margin = self.absolute_margin.or(Some(0.05)),
        }
    }

    /// Whether a confuser of this score may stand beside a positive of that one.
    #[must_use]
    pub fn allows(&self, score: f64, positive: f64) -> bool {
        let relative = |m: f64| positive * if positive < 0.0 { 1.0 + m } else { 1.0 - m };
        self.max_score.is_none_or(|max| score <= max)
            && self.min_score.is_none_or(|min| score >= min)
            && self.absolute_margin.is_none_or(|m| score + m <= positive)
            && self.relative_margin.is_none_or(|m| score <= relative(m))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_guard_has_its_side_and_its_edge() {
        let none = Guards::default();
        assert!(none.allows(1.0, -1.0) && none.allows(-1.0, 1.0));
        let max = Guards { max_score: Some(0.5), ..Guards::default() };
        assert!(max.allows(0.5, 0.0) && !max.allows(0.51, 0.9));
        let min = Guards { min_score: Some(0.5), ..Guards::default() };
        assert!(min.allows(0.5, 0.0) && !min.allows(0.49, 0.9));
        let absolute = Guards { absolute_margin: Some(0.25), ..Guards::default() };
        assert!(absolute.allows(0.5, 0.75) && !absolute.allows(0.51, 0.75));
        assert!(absolute.allows(-0.5, -0.25) && !absolute.allows(-0.49, -0.25));
        let relative = Guards { relative_margin: Some(0.25), ..Guards::default() };
        assert!(relative.allows(0.6, 0.8) && !relative.allows(0.61, 0.8));
        // Without care for the sign, 75 % of −0.8 would be −0.6, above the positive.
        assert!(relative.allows(-1.0, -0.8) && !relative.allows(-0.99, -0.8) && !relative.allows(-0.7, -0.8));
    }

    #[test]
    fn a_preset_gives_way_to_what_is_set() {
        let mut guards = Guards { relative_margin: Some(0.2), ..Guards::default() };
        guards.preset(GuardPreset::TopkPercPos);
        guards.preset(GuardPreset::TopkMarginPos);
        assert_eq!((guards.relative_margin, guards.absolute_margin), (Some(0.2), Some(0.05)));
    }
}
