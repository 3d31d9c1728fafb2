//! How many of its lineups a mined bundle passed, in three words.

use crate::data::Metadata;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lineups of a bundle whose metadata does not say how many were tested.
const LINEUPS: u64 = 10;

/// Pass strength of a mined bundle (SPEC §2), of 10 lineups; other numbers of lineups are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// 8 to 10 passed.
    Ultra,
    /// 5 to 7.
    Mid,
    /// 2 to 4.
    Low,
    /// Fewer.
    Weak,
}

impl Strength {
    /// All, strongest first.
    pub const ALL: [Self; 4] = [Self::Ultra, Self::Mid, Self::Low, Self::Weak];

    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ultra => "ultra",
            Self::Mid => "mid",
            Self::Low => "low",
            Self::Weak => "weak",
        }
    }

    /// By `passes` and `lineups_tested`; none where they are absent or make no sense.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Option<Self> {
        let passes = metadata.extra.get("passes")?.as_u64()?;
        let lineups = match metadata.extra.get("lineups_tested").filter(|n| !n.is_null()) {
            Some(tested) => tested.as_u64()?,
            None => LINEUPS,
        };
        Self::of_passes(passes, lineups)
    }

    /// Of so many passes of so many lineups; none where that makes no sense.
    #[must_use]
    pub fn of_passes(passes: u64, lineups: u64) -> Option<Self> {
        if lineups == 0 || passes > lineups {
            return None;
        }
        // Of 10, in whole numbers: 4 of 5 are 8 of 10.
        let at_least = |tenths: u128| u128::from(passes) * 10 >= tenths * u128::from(lineups);
        Some(match () {
            () if at_least(8) => Self::Ultra,
            () if at_least(5) => Self::Mid,
            () if at_least(2) => Self::Low,
            () => Self::Weak,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strength_is_passes_of_ten() {
        let of = |json: &str| Strength::of(&serde_json::from_str(json).expect("metadata"));
        let ten = |passes: usize| of(&format!("{{\"passes\":{passes},\"lineups_tested\":10}}"));
        let wanted = [Strength::Weak; 2].into_iter().chain([Strength::Low; 3]).chain([Strength::Mid; 3]);
        for (passes, wanted) in wanted.chain([Strength::Ultra; 3]).enumerate() {
            assert_eq!(ten(passes), Some(wanted), "{passes}");
            assert_eq!(of(&format!("{{\"passes\":{passes}}}")), Some(wanted), "ten by default");
        }
        assert_eq!(of("{\"passes\":4,\"lineups_tested\":5}"), Some(Strength::Ultra));
        assert_eq!(
            of("{\"passes\":18446744073709551615,\"lineups_tested\":18446744073709551615}"),
            Some(Strength::Ultra)
        );
        for none in
            ["{}", "{\"passes\":11}", "{\"passes\":-1}", "{\"passes\":\"9\"}", "{\"passes\":1,\"lineups_tested\":0}"]
        {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
