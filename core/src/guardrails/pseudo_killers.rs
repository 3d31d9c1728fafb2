//! G13 pseudo-killers: bundles of a pool that are hard only for the negatives that they happened to be given.

use super::{Finding, Level, Rule};
use crate::data::{BundleSet, Pool};
use crate::estimate::wilson;
use crate::pools::Revalidation;

/// This guardrail.
pub const RULE: Rule = Rule { id: "G13", name: "pseudo_killers" };

/// A bundle that passed fewer of ten lineups is none: `mine` asks for as many.
const LEAST_OF_TEN: u64 = 3;

/// Bundles that were tested over several lineups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tested {
    /// All of them.
    pub tested: usize,
    /// Those that passed too few.
    pub pseudo: usize,
}

impl Tested {
    /// By `passes` and `lineups_tested` in the metadata of mined bundles. Bundles without them, or with numbers that
    /// make no sense, are not counted.
    #[must_use]
    pub fn of_bundles(set: &BundleSet) -> Self {
        let mut out = Self::default();
        for metadata in set.bundles.iter().map(|b| &b.metadata).filter(|m| m.pool() == Some(Pool::Organic)) {
            let number = |key: &str| metadata.extra.get(key).and_then(serde_json::Value::as_u64);
            let (Some(passes), Some(lineups)) = (number("passes"), number("lineups_tested")) else { continue };
            if lineups > 0 && passes <= lineups {
                out.tested += 1;
                out.pseudo += usize::from(u128::from(passes) * 10 < u128::from(LEAST_OF_TEN) * u128::from(lineups));
            }
        }
        out
    }

    /// By what `pool revalidate` found.
    #[must_use]
    pub fn of_revalidation(revalidation: &Revalidation) -> Self {
        let counts = &revalidation.overall;
        let pseudo = counts.pseudo_killers as usize;
        Self { tested: counts.confirmed as usize + pseudo, pseudo }
    }
}

/// Judges the pool called `name`: a share of pseudo-killers above `most` (`guardrails.pseudo_killer_share`) is a WARNING,
/// and CRITICAL where even the lower end of its 95 % interval lies above. None where nothing was tested.
#[must_use]
pub fn check(tested: Tested, name: &str, most: f64) -> Option<Finding> {
    let ci = wilson(tested.pseudo.min(tested.tested), tested.tested)?;
    let share = tested.pseudo as f64 / tested.tested as f64;
    let seen = format!(
        "{} of {} tested bundles of {name} are pseudo-killers ({:.1} %, {:.1} to {:.1} %)",
        tested.pseudo,
        tested.tested,
        100.0 * share,
        100.0 * ci.low,
        100.0 * ci.high
    );
    let level = match share {
        _ if ci.low > most => Level::Critical,
        x if x > most => Level::Warning,
        _ => Level::Ok,
    };
    let finding = match level {
        Level::Ok => RULE.ok(seen),
        _ => {
            let advice = "keep what stands several lineups (pool filter \"passes >= 3\"), or test the pool again with the \
                          present model (pool revalidate)";
            RULE.finding(level, seen, advice)
        }
    };
    let numbers = [
        ("tested", tested.tested as f64),
        ("pseudo_killers", tested.pseudo as f64),
        ("share", share),
        ("low", ci.low),
        ("pseudo_killer_share", most),
    ];
    Some(numbers.iter().fold(finding, |f, (name, x)| f.with(name, *x)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read_bundles;
    use crate::guardrails::Report;
    use crate::pools::VerdictCounts;
    use std::fmt::Write;

    fn level(pseudo: usize, tested: usize) -> Option<Level> {
        check(Tested { tested, pseudo }, "the organic pool", 0.25).map(|f| f.level)
    }

    #[test]
    fn fires_on_many_and_says_less_on_few() {
        assert_eq!(level(60, 100), Some(Level::Critical));
        assert_eq!(level(2, 4), Some(Level::Warning), "two of four may be chance");
    }

    #[test]
    fn silent_on_a_sound_pool_and_on_nothing() {
        assert_eq!(level(0, 100), Some(Level::Ok));
        assert_eq!(level(25, 100), Some(Level::Ok));
        assert_eq!(level(0, 0), None);
    }

    #[test]
    fn mined_bundles_are_counted_by_their_passes() {
        let mut text = String::new();
        let metadata = [
            r#""passes":2,"lineups_tested":10"#,
            r#""passes":3,"lineups_tested":10"#,
            r#""passes":1,"lineups_tested":5"#,
            r#""passes":9"#,
            r#""passes":7,"lineups_tested":5"#,
        ];
        for (i, numbers) in metadata.iter().enumerate() {
            for source in ["tier3_organic_miner", "manual_curation"] {
                let event =
                    |id: &str, sense: &str| format!(r#"{{"event_id":"{id}{i}{source}","sense":"{sense}","text":"t"}}"#);
                let (a, p, n) = (event("a", "l#1"), event("p", "l#1"), event("n", "l#2"));
                let metadata = format!(r#"{{"tier":"tier3_adversarial","source":"{source}",{numbers}}}"#);
                let _ = writeln!(
                    text,
                    r#"{{"bundle_id":"{i}{source}","anchor":{a},"positive":{p},"negatives":[{n}],"metadata":{metadata}}}"#
                );
            }
        }
        let set = read_bundles(&mut text.as_bytes(), "test").expect("the test's own bundles are sound");
        assert_eq!(Tested::of_bundles(&set), Tested { tested: 3, pseudo: 2 });
        let counts = VerdictCounts { confirmed: 5, pseudo_killers: 7, untested: 9 };
        let revalidation = Revalidation { overall: counts, ..Revalidation::default() };
        assert_eq!(Tested::of_revalidation(&revalidation), Tested { tested: 12, pseudo: 7 });
    }

    #[test]
    fn can_be_overridden() {
        let findings = vec![check(Tested { tested: 100, pseudo: 90 }, "p", 0.25).expect("tested")];
        assert!(Report::judge(findings.clone(), true, &[]).stops);
        assert!(!Report::judge(findings, true, &["pseudo_killers".to_owned()]).stops);
    }
}
