//! What the findings together mean: go on or stop, and what was passed over.

use super::{Finding, Level, RULES};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A finding that somebody chose to pass over. Every output of such a run carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Override {
    /// The guardrail, such as `G1`.
    pub id: String,
    /// Its name, such as `dilution`.
    pub name: String,
    /// The level that would have stopped.
    pub level: Level,
    /// What the finding said.
    pub message: String,
    /// The word or flag that acknowledged it.
    pub acknowledged_by: String,
}

/// A guardrail that could not look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotRun {
    /// Such as `G7`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it would need, or what went wrong.
    pub reason: String,
}

/// What guardrails said of a run before its first step, as it is kept with the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Before {
    /// All findings, healthy ones included.
    pub findings: Vec<Finding>,
    /// Findings that were acknowledged and would have stopped the run.
    pub overrides: Vec<Override>,
    /// Guardrails that look before training and could not.
    pub not_run: Vec<NotRun>,
}

/// "3 of 17 guardrails could look".
#[must_use]
pub fn coverage(findings: &[Finding]) -> String {
    let looked = RULES.iter().filter(|rule| findings.iter().any(|f| f.id == rule.id)).count();
    format!("{looked} of {} guardrails could look", RULES.len())
}

/// Findings and the decision over them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The worst level among the findings.
    pub level: Level,
    /// Whether the run must stop.
    pub stops: bool,
    /// All findings, in the order in which they were made.
    pub findings: Vec<Finding>,
    /// CRITICAL findings that were acknowledged and would have stopped otherwise.
    pub overrides: Vec<Override>,
    /// Acknowledged findings that stop all the same, since they are SEVERE or ERROR.
    pub refused_overrides: Vec<Override>,
}

impl Report {
    /// Decides over `findings`: SEVERE and ERROR always stop; CRITICAL stops when `block_on_critical`, unless
    /// `acknowledged` names the guardrail by id or name.
    #[must_use]
    pub fn judge(findings: Vec<Finding>, block_on_critical: bool, acknowledged: &[String]) -> Self {
        let (mut overrides, mut refused_overrides, mut stops) = (Vec::new(), Vec::new(), false);
        for finding in &findings {
            let rule = RULES.iter().find(|r| r.id == finding.id);
            let named = acknowledged.iter().find(|word| rule.is_some_and(|r| r.is_named(word)));
            let stopping = finding.level >= Level::Severe || (finding.level == Level::Critical && block_on_critical);
            match named {
                Some(word) if stopping => {
                    let entry = Override::of(finding, word);
                    let refused = finding.level >= Level::Severe;
                    stops |= refused;
                    if refused { refused_overrides.push(entry) } else { overrides.push(entry) }
                }
                _ => stops |= stopping,
            }
        }
        let level = findings.iter().map(|f| f.level).max().unwrap_or_default();
        Self { level, stops, findings, overrides, refused_overrides }
    }
}

impl Override {
    /// The record that `finding` was passed over because of `word`.
    #[must_use]
    pub fn of(finding: &Finding, word: &str) -> Self {
        Self {
            id: finding.id.clone(),
            name: finding.name.clone(),
            level: finding.level,
            message: finding.message.clone(),
            acknowledged_by: word.to_owned(),
        }
    }
}

/// The words among `acknowledged` that name no guardrail: each is a mistake to report, since it silences nothing.
#[must_use]
pub fn unknown_overrides(acknowledged: &[String]) -> Vec<&str> {
    let unknown = |word: &&String| !RULES.iter().any(|r| r.is_named(word));
    acknowledged.iter().filter(unknown).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardrails::{dilution, quota};

    fn at(level: Level) -> Vec<Finding> {
        vec![quota::RULE.ok("fine"), dilution::RULE.finding(level, "m", "a")]
    }

    fn words(word: &str) -> Vec<String> {
        vec![word.to_owned()]
    }

    #[test]
    fn what_stops() {
        for (level, stops) in [
            (Level::Ok, false),
            (Level::Warning, false),
            (Level::Critical, true),
            (Level::Severe, true),
            (Level::Error, true),
        ] {
            let report = Report::judge(at(level), true, &[]);
            assert_eq!((report.stops, report.level), (stops, level));
            assert!(report.overrides.is_empty() && report.refused_overrides.is_empty());
            // Without blocking, CRITICAL passes and the two above it do not.
            assert_eq!(Report::judge(at(level), false, &[]).stops, level >= Level::Severe);
        }
        assert_eq!(Report::judge(Vec::new(), true, &[]).level, Level::Ok);
    }

    #[test]
    fn critical_is_overridden_by_id_or_name_and_recorded() {
        for word in ["G1", "dilution", "DILUTION"] {
            let report = Report::judge(at(Level::Critical), true, &words(word));
            assert!(!report.stops, "{word}");
            assert_eq!(report.level, Level::Critical, "an override hides nothing");
            assert_eq!(report.overrides.len(), 1);
            assert_eq!(report.overrides[0].acknowledged_by, word);
        }
        assert!(Report::judge(at(Level::Critical), true, &words("quota")).stops, "another guardrail's word");
    }

    #[test]
    fn severe_and_error_refuse_overrides() {
        for level in [Level::Severe, Level::Error] {
            let report = Report::judge(at(level), true, &words("G1"));
            assert!(report.stops && report.overrides.is_empty());
            assert_eq!(report.refused_overrides.len(), 1);
        }
        // Nothing needed overriding: nothing is recorded.
        let report = Report::judge(at(Level::Warning), true, &words("G1"));
        assert!(report.overrides.is_empty() && report.refused_overrides.is_empty());
    }

    #[test]
    fn unknown_words_are_named() {
        let acknowledged = ["g4", "dillution", "loss_spike"].map(str::to_owned);
        assert_eq!(unknown_overrides(&acknowledged), ["dillution"]);
    }
}
