//! Guardrails: what can go wrong with a run, found before, while or after it happens.
//!
//! Each guardrail is one file with a `RULE` (id and name) and a `check`, or a monitor that is fed step by step. It
//! turns numbers into [`Finding`]s and decides nothing else; [`Report::judge`] decides what stops a run and what
//! somebody chose to pass over. A finding is data: the command line prints it, a web page shows it, CI reads it.
//!
//! **To add the next guardrail**: write `your_name.rs` here with `pub const RULE: Rule`, a `check` that returns an OK
//! finding on healthy input, and tests that it fires on a planted fault, is silent on a healthy input, and can be
//! overridden if (and only if) it is CRITICAL at most; then add its `RULE` to [`RULES`]. Thresholds that users may want
//! to change belong to the configuration's `guardrails` section and come as arguments. Where a count or rate decides,
//! allow for chance: a guardrail that fires on luck is soon ignored.

pub mod chance_level;
pub mod collapsed_space;
pub mod configuration;
pub mod dilution;
pub mod eval_versions;
pub mod false_negatives;
pub mod fingerprint;
pub mod frozen_regression;
pub mod gradients;
pub mod leakage;
pub mod loss_spike;
pub mod margin_shift;
pub mod overfitting_cliff;
pub mod pool_composition;
pub mod pseudo_killers;
pub mod quota;
mod report;
pub mod scoreboards;
pub mod seed_sensitivity;

pub use report::{Before, NotRun, Override, Report, coverage, unknown_overrides};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How bad it is, mildest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// Healthy.
    #[default]
    Ok,
    /// Worth reading; never stops.
    Warning,
    /// Stops unless acknowledged, when `block_on_critical` is set.
    Critical,
    /// Stops, whatever was acknowledged.
    Severe,
    /// Stops: going on would give no result, or a meaningless one.
    Error,
}

impl Level {
    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["OK", "WARNING", "CRITICAL", "SEVERE", "ERROR"][self as usize]
    }
}

/// A guardrail's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `G1`, `G2`, …; never reused.
    pub id: &'static str,
    /// In snake case; either of the two names an override.
    pub name: &'static str,
}

/// All guardrails, by number.
pub const RULES: &[Rule] = &[
    dilution::RULE,
    configuration::RULE,
    pool_composition::RULE,
    quota::RULE,
    loss_spike::RULE,
    gradients::RULE,
    frozen_regression::RULE,
    overfitting_cliff::RULE,
    fingerprint::RULE,
    margin_shift::RULE,
    leakage::RULE,
    false_negatives::RULE,
    pseudo_killers::RULE,
    seed_sensitivity::RULE,
    eval_versions::RULE,
    collapsed_space::RULE,
    chance_level::RULE,
];

/// What a guardrail found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The guardrail, such as `G1`.
    pub id: String,
    /// Its name, such as `dilution`.
    pub name: String,
    /// How bad it is.
    pub level: Level,
    /// What was seen, in one sentence.
    pub message: String,
    /// The numbers behind it, by name; all finite.
    pub numbers: BTreeMap<String, f64>,
    /// What to do about it; empty when nothing is wrong.
    pub advice: String,
}

impl Rule {
    /// A finding of this guardrail.
    #[must_use]
    pub fn finding(&self, level: Level, message: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding {
            id: self.id.to_owned(),
            name: self.name.to_owned(),
            level,
            message: message.into(),
            numbers: BTreeMap::new(),
            advice: advice.into(),
        }
    }

    /// A finding that nothing is wrong.
    #[must_use]
    pub fn ok(&self, message: impl Into<String>) -> Finding {
        self.finding(Level::Ok, message, "")
    }

    /// Whether `word` names this guardrail, by id or name, in any case.
    #[must_use]
    pub fn is_named(&self, word: &str) -> bool {
        let word = word.trim();
        self.id.eq_ignore_ascii_case(word) || self.name.eq_ignore_ascii_case(word)
    }
}

impl Finding {
    /// Adds a number; one that is not finite is left out, since JSON has no word for it (the message names it).
    #[must_use]
    pub fn with(mut self, name: &str, value: f64) -> Self {
        if value.is_finite() {
            self.numbers.insert(name.to_owned(), value);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rules_have_ids_and_names_of_their_own() {
        let words: BTreeSet<_> = RULES.iter().flat_map(|r| [r.id.to_owned(), r.name.to_owned()]).collect();
        assert_eq!(words.len(), 2 * RULES.len());
        assert!(RULES.iter().all(|r| r.is_named(&r.id.to_lowercase()) && r.is_named(&r.name.to_uppercase())));
    }

    #[test]
    fn levels_are_ordered_and_spelled_as_specified() {
        use Level::{Critical, Error, Ok, Severe, Warning};
        let levels = [Ok, Warning, Critical, Severe, Error];
        assert!(levels.is_sorted_by(|a, b| a < b));
        let text = serde_json::to_string(&levels).expect("levels are plain names");
        assert_eq!(text, r#"["OK","WARNING","CRITICAL","SEVERE","ERROR"]"#);
    }

    #[test]
    fn json_of_a_finding_is_stable() {
        let finding =
            dilution::RULE.finding(Level::Warning, "m", "a").with("z", 1.5).with("a", 2.0).with("n", f64::NAN);
        let text = serde_json::to_string(&finding).expect("findings are finite");
        assert_eq!(
            text,
            r#"{"id":"G1","name":"dilution","level":"WARNING","message":"m","numbers":{"a":2.0,"z":1.5},"advice":"a"}"#
        );
        assert_eq!(serde_json::from_str::<Finding>(&text).expect("own output is sound"), finding);
    }
}
