//! G9 fingerprint: two scoreboards are compared only when they measured the same items by the same rules.

use super::{Finding, Level, Override, Rule};
use crate::eval::{EvalHeader, Match, match_headers};

/// This guardrail.
pub const RULE: Rule = Rule { id: "G9", name: "fingerprint" };

/// The flag that allows a mismatch.
pub const FLAG: &str = "--allow-fingerprint-mismatch";

/// Judges whether evaluations under the headers `a` and `b` may be compared. A mismatch is an ERROR that no general
/// acknowledgement silences; `allowed` (the flag) turns it into a WARNING with an override to record.
#[must_use]
pub fn check(a: &EvalHeader, b: &EvalHeader, allowed: bool) -> (Finding, Option<Override>) {
    let reasons = match match_headers(a, b) {
        Match::Same => return (RULE.ok("both scoreboards measured the same items by the same rules"), None),
        Match::SameContent => {
            let message = format!(
                "the eval files differ in bytes ({} and {}) and hold the same items: comparable",
                a.fingerprint, b.fingerprint
            );
            return (RULE.ok(message), None);
        }
        Match::Different { reasons } => reasons.join("; "),
    };
    let message =
        format!("the scoreboards are not comparable: {reasons} ({} against {})", a.fingerprint, b.fingerprint);
    let advice =
        format!("evaluate both models on one eval file with one version of the program, or accept with {FLAG}");
    let mut finding = RULE
        .finding(Level::Error, message, advice)
        .with("item_count", a.item_count as f64)
        .with("other_item_count", b.item_count as f64);
    let overridden = allowed.then(|| Override::of(&finding, FLAG));
    if allowed {
        finding.level = Level::Warning;
    }
    (finding, overridden)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::BundleSet;
    use crate::guardrails::Report;

    fn header(file: u8, seed: u64) -> EvalHeader {
        EvalHeader::of(&BundleSet::default(), "e.jsonl", &[file; 32], seed, "1")
    }

    #[test]
    fn silent_when_nothing_or_only_bytes_differ() {
        let (same, none) = check(&header(1, 1), &header(1, 1), false);
        assert_eq!((same.level, none), (Level::Ok, None));
        let (bytes, none) = check(&header(1, 1), &header(2, 1), false);
        assert_eq!((bytes.level, none), (Level::Ok, None));
        assert!(bytes.message.contains("differ in bytes"), "{}", bytes.message);
    }

    #[test]
    fn a_mismatch_is_an_error_until_the_flag_allows_it() {
        let (finding, none) = check(&header(1, 1), &header(1, 2), false);
        assert_eq!((finding.level, none), (Level::Error, None));
        assert!(Report::judge(vec![finding], false, &["G9".to_owned()]).stops, "only the flag allows it");
        let (finding, overridden) = check(&header(1, 1), &header(1, 2), true);
        assert!(!Report::judge(vec![finding], true, &[]).stops);
        let overridden = overridden.expect("the override is recorded");
        assert_eq!((overridden.level, overridden.acknowledged_by.as_str()), (Level::Error, FLAG));
    }
}
