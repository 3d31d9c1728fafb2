//! What a user may set about mining, and what is refused.

use super::guards::Guards;
use crate::bundles::{MAX_POOL_DEPTH, PerSource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most lineups of a candidate.
const MAX_LINEUPS: usize = 1000;
/// The most negatives of a lineup.
const MAX_NEGATIVES: usize = 512;

/// How killers are mined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Lineups of a candidate.
    pub lineups: usize,
    /// A candidate is accepted when so many of its lineups pass.
    pub min_passes: usize,
    /// Pairs of anchor and positive that are drawn of a sense, at most.
    pub candidates_per_sense: usize,
    /// Negatives of a lineup.
    pub negatives_per_lineup: usize,
    /// Confusers of each source that lineups are drawn from.
    pub depths: PerSource,
    /// Which confusers are left out.
    pub guards: Guards,
    /// Jaccard index of word shingles from which on two texts are near-duplicates.
    pub near_duplicate: f64,
    /// So many bundles are written, at most.
    pub max_output: usize,
    /// Candidates that are tried again with shuffled labels, at most.
    pub null_candidates: usize,
    /// Seed of all that is drawn.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lineups: 10,
            min_passes: 3,
            candidates_per_sense: 15,
            negatives_per_lineup: 5,
            depths: PerSource { within_lemma: 10, sibling: 5, cross_lemma: 20 },
            guards: Guards::default(),
            near_duplicate: 0.8,
            max_output: 15_000,
            null_candidates: 500,
            seed: 42,
        }
    }
}

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{field} is {value}; expected {expected}")]
pub struct SettingsError {
    /// Its name.
    pub field: &'static str,
    /// As given.
    pub value: String,
    /// In words.
    pub expected: String,
}

impl Settings {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let fault = |field, value: String, expected: String| Err(SettingsError { field, value, expected });
        let number = |field, value: usize, least: usize, most: usize| {
            let fits = (least..=most).contains(&value);
            if fits { Ok(()) } else { fault(field, value.to_string(), format!("{least} to {most}")) }
        };
        number("lineups", self.lineups, 1, MAX_LINEUPS)?;
        number("min_passes", self.min_passes, 1, self.lineups)?;
        number("candidates_per_sense", self.candidates_per_sense, 1, 1_000_000)?;
        number("negatives_per_lineup", self.negatives_per_lineup, 1, MAX_NEGATIVES)?;
        let PerSource { within_lemma, sibling, cross_lemma } = self.depths;
        for depth in [within_lemma, sibling, cross_lemma] {
            number("a pool's depth", depth, 0, MAX_POOL_DEPTH)?;
        }
        number("the depth of all pools", self.depths.total(), 1, 3 * MAX_POOL_DEPTH)?;
        number("max_output", self.max_output, 1, usize::MAX)?;
        let guards = &self.guards;
        number("range_min", guards.range_min, 0, MAX_POOL_DEPTH)?;
        if let Some(max) = guards.range_max {
            number("range_max", max, guards.range_min + 1, usize::MAX)?;
        }
        let real = |field, value: Option<f64>, least: f64, most: f64| match value {
            Some(x) if !(least..=most).contains(&x) => fault(field, x.to_string(), format!("{least} to {most}")),
            _ => Ok(()),
        };
        real("max_score", guards.max_score, -1.0, 1.0)?;
        real("min_score", guards.min_score, -1.0, guards.max_score.unwrap_or(1.0))?;
        real("absolute_margin", guards.absolute_margin, -2.0, 2.0)?;
        real("relative_margin", guards.relative_margin, 0.0, 2.0)?;
        if !(self.near_duplicate > 0.0 && self.near_duplicate <= 1.0) {
            let expected = "above 0, up to 1 (1: only the same shingles)".to_owned();
            return fault("near_duplicate", self.near_duplicate.to_string(), expected);
        }
        Ok(())
    }

    /// How deep a source is searched.
    pub(super) fn searched(&self, depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let all = self.guards.range_min + depth;
        self.guards.range_max.map_or(all, |max| max.min(all))
    }

    /// Passes from which on a candidate that is not accepted is put into quarantine: the lower end of `low` pass
    /// strength, a fifth of the lineups, but 2 at least.
    #[must_use]
    pub fn quarantine_from(&self) -> usize {
        self.lineups.div_ceil(5).max(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let set = |change: &dyn Fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check().err().map(|e| e.to_string()).unwrap_or_default()
        };
        assert_eq!(set(&|_| ()), "");
        assert_eq!(set(&|s| s.min_passes = 11), "min_passes is 11; expected 1 to 10");
        assert_eq!(set(&|s| s.depths = PerSource::default()), "the depth of all pools is 0; expected 1 to 1536");
        assert!(set(&|s| s.lineups = 0).starts_with("lineups is 0"));
        assert!(set(&|s| s.guards.range_max = Some(0)).starts_with("range_max is 0; expected 1"));
        assert!(set(&|s| s.guards.max_score = Some(f64::NAN)).starts_with("max_score is NaN"));
        assert!(set(&|s| s.near_duplicate = 0.0).starts_with("near_duplicate is 0"));
        assert!(set(&|s| s.guards.relative_margin = Some(-0.1)).starts_with("relative_margin is -0.1"));
    }

    #[test]
    fn quarantine_starts_with_the_lower_end_of_low() {
        let from = |lineups| Settings { lineups, ..Settings::default() }.quarantine_from();
        assert_eq!([1, 5, 10, 12, 100].map(from), [2, 2, 2, 3, 20]);
    }
}
