//! G15 eval versions: a frozen eval that was edited instead of appended to.
//!
//! A frozen eval may grow; what it asked once it asks for ever, or figures of different days are of different questions.
//! A versions file beside it says what each version added, by the content of each item, and is itself only appended to.

use super::{Finding, Level, Rule};
use crate::data::{BundleSet, bundle_hashes, content_hash, hex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// This guardrail.
pub const RULE: Rule = Rule { id: "G15", name: "eval_versions" };

/// Ids that a message names, at most.
const NAMED: usize = 3;
/// Hexadecimal digits of an item's hash that are kept.
const DIGITS: usize = 16;

/// One version of a frozen eval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvalVersion {
    /// Its maker's name for it, such as `2`.
    pub version: String,
    /// When it was added, RFC 3339.
    pub date: String,
    /// SHA-256 of the file's bytes, hexadecimal.
    pub source_hash: String,
    /// SHA-256 of what the items say.
    pub content_hash: String,
    /// Items of this version, those of earlier ones included.
    pub item_count: usize,
    /// The items that it added: id, and the first 16 hexadecimal digits of the SHA-256 of what the item says.
    pub added: BTreeMap<String, String>,
    /// SHA-256 over the entry before and this one: an entry that is changed later breaks the chain.
    pub chain: String,
}

/// The versions file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvalVersions {
    /// Oldest first.
    pub versions: Vec<EvalVersion>,
}

/// Hash of every item by id.
fn items(set: &BundleSet) -> BTreeMap<String, String> {
    let hashes = bundle_hashes(set);
    set.bundles.iter().zip(&hashes).map(|(b, hash)| (b.bundle_id.clone(), hex(hash)[..DIGITS].to_owned())).collect()
}

fn chain(before: &str, version: &EvalVersion) -> String {
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    [before, &version.version, &version.date, &version.source_hash, &version.content_hash]
        .into_iter()
        .for_each(&mut field);
    field(&version.item_count.to_string());
    for (id, item) in &version.added {
        field(id);
        field(item);
    }
    hex(&hash.finalize())
}

impl EvalVersions {
    /// Adds `set`, whose file has the SHA-256 `file_sha256`, as a version; `date` is the caller's.
    ///
    /// # Errors
    /// The finding of [`check`] where an earlier version is not whole in `set`; one where the name is taken or nothing
    /// was appended.
    pub fn add(&mut self, set: &BundleSet, file_sha256: &[u8], version: &str, date: &str) -> Result<(), Box<Finding>> {
        let finding = check(self, set);
        if finding.level >= Level::Critical {
            return Err(Box::new(finding));
        }
        let refuse = |message: String, advice: &str| Err(Box::new(RULE.finding(Level::Error, message, advice)));
        if self.versions.iter().any(|v| v.version == version) {
            return refuse(format!("there is a version {version:?} already"), "give it another name");
        }
        let known: BTreeSet<&String> = self.versions.iter().flat_map(|v| v.added.keys()).collect();
        let mut added = items(set);
        if added.len() < set.bundles.len() {
            return refuse("two items have one bundle_id".to_owned(), "give every item an id of its own");
        }
        added.retain(|id, _| !known.contains(id));
        if added.is_empty() {
            return refuse("nothing was appended since the last version".to_owned(), "there is no version to add");
        }
        let before = self.versions.last().map_or("", |v| v.chain.as_str());
        let mut entry = EvalVersion {
            version: version.to_owned(),
            date: date.to_owned(),
            source_hash: hex(file_sha256),
            content_hash: content_hash(set),
            item_count: set.bundles.len(),
            added,
            chain: String::new(),
        };
        entry.chain = chain(before, &entry);
        self.versions.push(entry);
        Ok(())
    }

    fn whole(&self) -> bool {
        let mut before = "";
        self.versions.iter().all(|version| {
            let sound = version.chain == chain(before, version);
            before = &version.chain;
            sound
        })
    }
}

/// Judges the frozen eval `set` by its versions file. A versions file that was edited is SEVERE; items of a version that
/// are gone or say something else are CRITICAL; items that no version knows are a WARNING.
#[must_use]
pub fn check(versions: &EvalVersions, set: &BundleSet) -> Finding {
    if !versions.whole() {
        let advice = "restore the versions file from your version control; it is appended to by `guardrail add-version` \
                      alone";
        return RULE.finding(Level::Severe, "the versions file was edited: its chain of hashes is broken", advice);
    }
    let (now, recorded) = (items(set), versions.versions.iter().flat_map(|v| &v.added));
    let (mut gone, mut changed, mut count) = (Vec::new(), Vec::new(), 0);
    for (id, hash) in recorded {
        count += 1;
        match now.get(id) {
            None => gone.push(id.as_str()),
            Some(there) if there != hash => changed.push(id.as_str()),
            Some(_) => {}
        }
    }
    let latest = versions.versions.last().map_or("none", |v| v.version.as_str());
    let new = (now.len() + gone.len()).saturating_sub(count);
    let finding = if !gone.is_empty() || !changed.is_empty() {
        let names = |ids: &[&str]| {
            let more = if ids.len() > NAMED { ", …" } else { "" };
            if ids.is_empty() { String::new() } else { format!(" ({}{more})", ids[..ids.len().min(NAMED)].join(", ")) }
        };
        let message = format!(
            "the frozen eval was edited: of the {count} items up to version {latest}, {} are gone{} and {} say something \
             else{}",
            gone.len(),
            names(&gone),
            changed.len(),
            names(&changed)
        );
        let advice = "restore them; correct an item by appending a new one, and give an eval that asks other questions \
                      another name";
        RULE.finding(Level::Critical, message, advice)
    } else if new > 0 {
        let message = format!("{new} items were appended since version {latest}, whose {count} are all unchanged");
        RULE.finding(Level::Warning, message, "record them with `crucible guardrail add-version`")
    } else {
        RULE.ok(format!("all {count} items are those of version {latest}"))
    };
    let numbers = [
        ("versions", versions.versions.len() as f64),
        ("recorded", count as f64),
        ("gone", gone.len() as f64),
        ("changed", changed.len() as f64),
        ("new", new as f64),
    ];
    numbers.iter().fold(finding, |f, (name, x)| f.with(name, *x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read_bundles;
    use crate::guardrails::Report;

    fn set(count: usize) -> BundleSet {
        let line = |i: usize| {
            let event = |role: &str, sense: &str| {
                format!(r#"{{"event_id":"{role}{i}","sense":"{sense}","text":"{role} {i}"}}"#)
            };
            let (a, p, n) = (event("a", "l#1"), event("p", "l#1"), event("n", "l#2"));
            format!("{{\"bundle_id\":\"b{i}\",\"anchor\":{a},\"positive\":{p},\"negatives\":[{n}]}}\n")
        };
        let text: String = (0..count).map(line).collect();
        read_bundles(&mut text.as_bytes(), "test").expect("the test's own bundles are sound")
    }

    fn versions() -> EvalVersions {
        let mut versions = EvalVersions::default();
        versions.add(&set(4), &[1; 32], "1", "2026-01-01").expect("the first");
        versions.add(&set(6), &[2; 32], "2", "2026-02-01").expect("two more");
        versions
    }

    #[test]
    fn silent_on_the_last_version_in_any_order() {
        let mut shuffled = set(6);
        shuffled.bundles.reverse();
        assert_eq!(check(&versions(), &shuffled).level, Level::Ok);
        assert_eq!(versions().versions[1].added.keys().collect::<Vec<_>>(), ["b4", "b5"]);
    }

    #[test]
    fn appended_items_are_a_warning_until_they_are_recorded() {
        let finding = check(&versions(), &set(9));
        assert_eq!((finding.level, finding.numbers["new"]), (Level::Warning, 3.0), "{finding:?}");
        let mut more = versions();
        more.add(&set(9), &[3; 32], "3", "2026-03-01").expect("three more");
        assert_eq!(check(&more, &set(9)).level, Level::Ok);
    }

    #[test]
    fn an_edit_is_critical_and_no_version_hides_it() {
        let gone = check(&versions(), &set(5));
        assert_eq!((gone.level, gone.numbers["gone"]), (Level::Critical, 1.0), "{gone:?}");
        let mut edited = set(7);
        let text = edited.bundles[1].anchor as usize;
        edited.events[text].text = "something else".into();
        let finding = check(&versions(), &edited);
        assert_eq!((finding.level, finding.numbers["changed"]), (Level::Critical, 1.0), "{finding:?}");
        assert!(finding.message.contains("(b1)"), "{finding:?}");
        let refused = versions().add(&edited, &[3; 32], "3", "2026-03-01").expect_err("edited");
        assert_eq!(refused.level, Level::Critical);
        assert!(Report::judge(vec![finding.clone()], true, &[]).stops);
        assert!(!Report::judge(vec![finding], true, &["eval_versions".to_owned()]).stops);
    }

    #[test]
    fn an_edited_versions_file_is_severe_and_refuses_overrides() {
        let mut forged = versions();
        forged.versions[0].added.remove("b3");
        let finding = check(&forged, &set(6));
        assert_eq!(finding.level, Level::Severe);
        assert!(Report::judge(vec![finding], true, &["G15".to_owned()]).stops);
        let mut dropped = versions();
        dropped.versions.remove(0);
        assert_eq!(check(&dropped, &set(6)).level, Level::Severe);
    }

    #[test]
    fn what_is_no_version_is_refused() {
        let error = |name: &str, count: usize| versions().add(&set(count), &[0; 32], name, "").expect_err("refused");
        assert!(error("2", 7).message.contains("already"));
        assert!(error("3", 6).message.contains("nothing was appended"));
    }
}
