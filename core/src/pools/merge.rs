//! Several files of bundles into one, without duplicates.
//!
//! A bundle is a duplicate of an earlier one with the same anchor, the same positive and the same set of negatives. An
//! organic bundle is already one of an earlier tier3 bundle with the same anchor and positive, as in mining (SPEC §8):
//! other negatives make no new killer there, whereas a variant in the expanded pool lives by them. Events are the same when
//! id and text are. The earlier one stays.
//!
//! Legacy bundles come first, then organic, then expanded, each in the order in which they were added; but organic ones
//! as mining writes them, hardest first: most passes, then most danger, then the lower id. So the shards of a run, in any
//! order, make the file of the whole run, and the cap of that file is met again here: a shard's own cap leaves out no
//! bundle that the whole would have kept.

use super::keys::{Key, Keys};
use super::manifest::{Duplicate, InputFile};
use super::review::Verdicts;
use crate::data::{
    Bundle, BundleSet, BundleSetBuilder, Fault, Faults, Metadata, Pool, Tier, WholeBundle, stream_bundles,
};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::io::BufRead;

/// Duplicates that are named; all are counted.
const EXAMPLES: usize = 20;

/// Where a bundle was read.
#[derive(Clone)]
struct Place {
    bundle_id: String,
    file: usize,
    line: u64,
}

/// Takes files one after another.
#[derive(Default)]
pub struct Merger {
    files: Vec<String>,
    by_pair: HashMap<Key, Place>,
    by_whole: HashMap<Key, Place>,
    /// What each id stands for, and where.
    ids: HashMap<String, (Keys, usize, u64)>,
    set: BundleSetBuilder,
    /// What each bundle of the set was given as.
    pools: Vec<Pool>,
    duplicates: Vec<Duplicate>,
    verdicts: Verdicts,
    /// Bundles of the verdicts that came.
    judged: HashSet<String>,
}

/// What a merge gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// The bundles.
    pub set: BundleSet,
    /// The first duplicates that were dropped.
    pub duplicates: Vec<Duplicate>,
    /// Organic bundles that were cut off.
    pub over_max_output: u64,
    /// Bundles with a verdict that did not come.
    pub unknown_verdicts: u64,
}

/// What became of a bundle.
enum Taken {
    Kept,
    Duplicate,
    FalseNegative,
}

impl Merger {
    /// A merge that leaves out the bundles that a review found false.
    #[must_use]
    pub fn new(verdicts: Verdicts) -> Self {
        Self { verdicts, ..Self::default() }
    }

    /// Adds the bundles of a file given as of `pool`. A tier3 bundle that says nothing of its source gets that of the
    /// pool, one without a tier is of tier3; a legacy file may hold other tiers, which are carried along.
    ///
    /// # Errors
    /// All faults of the file: those of [`stream_bundles`]; bundles of another pool or tier; an id that stands for
    /// another bundle, here or in an earlier file. More files may be added, to find their faults too.
    pub fn add(&mut self, pool: Pool, source: &str, reader: &mut dyn BufRead) -> Result<InputFile, Faults> {
        let mut input = InputFile { path: source.to_owned(), pool: Some(pool), ..InputFile::default() };
        self.files.push(source.to_owned());
        stream_bundles(reader, source, &mut |line, mut bundle| {
            input.bundles += 1;
            claim(&mut bundle.metadata, pool)?;
            match self.take(pool, line, bundle)? {
                Taken::Kept => input.kept += 1,
                Taken::Duplicate => input.duplicates += 1,
                Taken::FalseNegative => input.false_negatives += 1,
            }
            Ok(())
        })?;
        Ok(input)
    }

    fn take(&mut self, pool: Pool, line: u64, bundle: WholeBundle) -> Result<Taken, Fault> {
        let Verdicts { false_negatives, kept, .. } = &self.verdicts;
        let spoiled = false_negatives.contains(&bundle.bundle_id);
        if spoiled || kept.contains(&bundle.bundle_id) {
            self.judged.insert(bundle.bundle_id.clone());
        }
        if spoiled {
            return Ok(Taken::FalseNegative);
        }
        let keys = Keys::of(&bundle);
        let file = self.files.len() - 1;
        let by_pair = self.by_pair.get(&keys.pair).filter(|_| pool == Pool::Organic);
        if let Some(kept) = by_pair.or_else(|| self.by_whole.get(&keys.whole)) {
            if self.duplicates.len() < EXAMPLES {
                let at = |file: usize, line: u64| format!("{}, line {line}", self.files[file]);
                self.duplicates.push(Duplicate {
                    at: at(file, line),
                    bundle_id: bundle.bundle_id,
                    kept: kept.bundle_id.clone(),
                    kept_at: at(kept.file, kept.line),
                });
            }
            return Ok(Taken::Duplicate);
        }
        if let Some((_, other, at)) = self.ids.get(&bundle.bundle_id) {
            let message = format!(
                "\"{}\" stands for another bundle in {}, line {at}; give one of the two another id",
                bundle.bundle_id, self.files[*other]
            );
            return Err(Fault { line: None, field: Some("bundle_id".to_owned()), message });
        }
        let place = Place { bundle_id: bundle.bundle_id.clone(), file, line };
        self.ids.insert(bundle.bundle_id.clone(), (keys, file, line));
        if bundle.metadata.tier == Some(Tier::Adversarial) {
            self.by_pair.entry(keys.pair).or_insert_with(|| place.clone());
        }
        self.by_whole.insert(keys.whole, place);
        self.set.push(bundle);
        self.pools.push(pool);
        Ok(Taken::Kept)
    }

    /// The merged bundles, of organic ones the hardest `max_output`.
    #[must_use]
    pub fn finish(self, max_output: usize) -> Merged {
        let mut set = self.set.finish();
        let mut by_pool: [Vec<Bundle>; 3] = Default::default();
        for (bundle, pool) in set.bundles.drain(..).zip(&self.pools) {
            by_pool[pool.index()].push(bundle);
        }
        let organic = &mut by_pool[Pool::Organic.index()];
        organic.sort_by(hardest_first);
        let over_max_output = organic.len().saturating_sub(max_output) as u64;
        organic.truncate(max_output);
        set.bundles = by_pool.into_iter().flatten().collect();
        let Verdicts { false_negatives, kept, .. } = &self.verdicts;
        let unknown_verdicts = (false_negatives.len() + kept.len() - self.judged.len()) as u64;
        Merged { set, duplicates: self.duplicates, over_max_output, unknown_verdicts }
    }
}

/// The order of mining (`mining::rank`), told from metadata. A bundle that names no passes has none.
fn hardest_first(a: &Bundle, b: &Bundle) -> Ordering {
    let key = |bundle: &Bundle| {
        let passes = bundle.metadata.extra.get("passes").and_then(serde_json::Value::as_u64);
        (passes.unwrap_or(0), bundle.metadata.danger_score.unwrap_or(f64::NEG_INFINITY))
    };
    let ((passes_a, danger_a), (passes_b, danger_b)) = (key(a), key(b));
    passes_b.cmp(&passes_a).then(danger_b.total_cmp(&danger_a)).then_with(|| a.bundle_id.cmp(&b.bundle_id))
}

/// Makes a bundle's metadata say what pool it is of, or refuses.
fn claim(metadata: &mut Metadata, pool: Pool) -> Result<(), Fault> {
    let fault = |field: &str, message| Fault { line: None, field: Some(format!("metadata.{field}")), message };
    let tier = *metadata.tier.get_or_insert(Tier::Adversarial);
    if tier != Tier::Adversarial {
        return match pool {
            Pool::Legacy => Ok(()),
            _ => Err(fault(
                "tier",
                format!("is {}; the {} pool is of {}", tier.name(), pool.name(), Tier::Adversarial.name()),
            )),
        };
    }
    if metadata.source.is_none() && metadata.expansion.is_none() {
        match pool {
            Pool::Legacy => {}
            Pool::Organic => metadata.source = Some(Metadata::ORGANIC.to_owned()),
            Pool::Expanded => {
                metadata.source = Some(Metadata::EXPANSION_SOURCE.to_owned());
                metadata.expansion = Some(Metadata::EXPANSION.to_owned());
            }
        }
    }
    match metadata.pool() {
        Some(named) if named != pool => {
            let source = metadata.source.as_ref().map_or("its expansion".to_owned(), |s| format!("\"{s}\""));
            let message = format!(
                "{source} puts it into the {} pool, but the file was given with --{}",
                named.name(),
                pool.name()
            );
            Err(fault("source", message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bundle of the events `texts`: anchor, positive, negatives.
    fn line(id: &str, texts: &str, metadata: &str) -> String {
        let event = |e: char, more: &str| {
            let sense = if e.is_uppercase() { "s#1" } else { "s#2" };
            format!(r#"{{"event_id":"{e}","sense":"{sense}","text":"text {e}"{more}}}"#)
        };
        let events: Vec<char> = texts.chars().collect();
        let negatives: Vec<String> = events[2..].iter().map(|e| event(*e, r#","source":"within_lemma""#)).collect();
        format!(
            r#"{{"bundle_id":"{id}","anchor":{},"positive":{},"negatives":[{}],"metadata":{{{metadata}}}}}"#,
            event(events[0], ""),
            event(events[1], ""),
            negatives.join(",")
        )
    }

    fn merged(files: &[(Pool, &[String])]) -> Result<(BundleSet, Vec<InputFile>, Vec<Duplicate>), Faults> {
        let mut merger = Merger::default();
        let mut inputs = Vec::new();
        for (pool, lines) in files {
            inputs.push(merger.add(*pool, &format!("{}.jsonl", pool.name()), &mut lines.join("\n").as_bytes())?);
        }
        let Merged { set, duplicates, .. } = merger.finish(usize::MAX);
        Ok((set, inputs, duplicates))
    }

    fn ids(set: &BundleSet) -> Vec<&str> {
        set.bundles.iter().map(|b| b.bundle_id.as_str()).collect()
    }

    const ORGANIC: &str = r#""tier":"tier3_adversarial","source":"tier3_organic_miner""#;

    #[test]
    fn duplicates_are_those_of_the_rule() {
        // Of another tier, a bundle takes no pair away.
        let easy = [line("0", "DAcd", r#""tier":"tier1_easy""#)];
        let (set, ..) =
            merged(&[(Pool::Legacy, &easy), (Pool::Organic, &[line("1", "DAxy", ORGANIC)])]).expect("merges");
        assert_eq!(ids(&set), ["0", "1"]);

        let legacy = [line("1", "ABcd", ""), line("2", "ABdc", ""), line("3", "ABce", ""), line("4", "BAcd", "")];
        let organic = [line("5", "ABxy", ORGANIC), line("6", "ACcd", ORGANIC), line("7", "ACxy", "")];
        let expanded = [line("8", "ACcd", ""), line("9", "ACef", ""), line("10", "ACfe", "")];
        let files = [(Pool::Legacy, &legacy[..]), (Pool::Organic, &organic), (Pool::Expanded, &expanded)];
        let (set, inputs, duplicates) = merged(&files).expect("merges");
        // 2 is 1 with its negatives turned; 5 and 7 repeat a pair in the organic pool; 8 repeats 6, 10 repeats 9.
        assert_eq!(ids(&set), ["1", "3", "4", "6", "9"]);
        let counts: Vec<_> = inputs.iter().map(|i| (i.bundles, i.kept, i.duplicates)).collect();
        assert_eq!(counts, [(4, 3, 1), (3, 1, 2), (3, 1, 2)]);
        assert_eq!(
            duplicates[1],
            Duplicate {
                bundle_id: "5".to_owned(),
                at: "organic.jsonl, line 1".to_owned(),
                kept: "1".to_owned(),
                kept_at: "legacy.jsonl, line 1".to_owned(),
            }
        );
        assert_eq!(set.pool_counts(), [3, 1, 1]);
        assert_eq!(set.bundles[4].metadata.expansion.as_deref(), Some("tier3x"));
    }

    #[test]
    fn one_id_for_two_bundles_names_both_places() {
        let legacy = [line("1", "ABcd", ""), line("2", "ABce", "")];
        let faults = merged(&[
            (Pool::Legacy, &legacy),
            (Pool::Organic, &[line("9", "BCcd", ORGANIC), line("2", "BDcd", ORGANIC)]),
        ]);
        let message = faults.expect_err("clashes").to_string();
        assert_eq!(
            message,
            "organic.jsonl: line 2: `bundle_id`: \"2\" stands for another bundle in legacy.jsonl, line 2; \
            give one of the two another id"
        );
        // The same bundle under the same id is a duplicate like any other.
        let (set, inputs, _) = merged(&[(Pool::Legacy, &legacy), (Pool::Legacy, &legacy)]).expect("merges");
        assert_eq!((ids(&set), inputs[1].duplicates), (vec!["1", "2"], 2));
    }

    #[test]
    fn bundles_of_another_pool_or_tier_are_refused() {
        for (pool, metadata, said) in [
            (Pool::Legacy, ORGANIC, "`metadata.source`: \"tier3_organic_miner\" puts it into the organic pool"),
            (
                Pool::Organic,
                r#""source":"bundle_generator""#,
                "puts it into the legacy pool, but the file was given with --organic",
            ),
            (Pool::Organic, r#""tier":"tier1_easy""#, "`metadata.tier`: is tier1_easy; the organic pool is of tier3"),
            (Pool::Expanded, ORGANIC, "organic pool"),
        ] {
            let faults = merged(&[(pool, &[line("1", "ABcd", metadata)])]).expect_err(said);
            assert!(faults.to_string().contains(said), "{faults}");
        }
        let easy = [line("1", "ABcd", r#""tier":"tier1_easy","source":"bundle_generator""#)];
        assert_eq!(merged(&[(Pool::Legacy, &easy)]).expect("carried along").0.tier_counts(), [1, 0, 0, 0]);
    }

    #[test]
    fn what_is_kept_is_kept_as_it_was() {
        let lines = [line("1", "ABcd", &format!(r#"{ORGANIC},"passes":7,"lineup_dangers":[0.25,1e-7]"#))];
        let (set, ..) = merged(&[(Pool::Organic, &lines)]).expect("merges");
        let mut out = Vec::new();
        set.write(&mut out).expect("writes");
        let written: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        let read: serde_json::Value = serde_json::from_str(&lines[0]).expect("JSON");
        assert_eq!(written["metadata"], read["metadata"]);
        // Written again, it is the same bytes.
        let again = merged(&[(Pool::Organic, &[String::from_utf8(out.clone()).expect("text")])]).expect("merges").0;
        let mut twice = Vec::new();
        again.write(&mut twice).expect("writes");
        assert_eq!(twice, out);
    }

    #[test]
    fn organic_bundles_come_hardest_first_whatever_the_shards() {
        let mined = |id: &str, texts: &str, passes: usize, danger: f64| {
            line(id, texts, &format!(r#"{ORGANIC},"passes":{passes},"danger_score":{danger}"#))
        };
        let all = [
            mined("organic_3", "ABcd", 9, 0.1),
            mined("organic_1", "ACcd", 9, 0.3),
            mined("organic_0", "ADcd", 3, 0.9),
            mined("organic_2", "AEcd", 9, 0.1),
            line("organic_4", "AFcd", ORGANIC),
        ];
        let finish = |shards: &[&[String]], most: usize| {
            let mut merger = Merger::default();
            for shard in shards {
                merger.add(Pool::Organic, "shard", &mut shard.join("\n").as_bytes()).expect("reads");
            }
            merger.add(Pool::Legacy, "legacy", &mut line("l", "BDcd", "").as_bytes()).expect("reads");
            let merged = merger.finish(most);
            (ids(&merged.set).join(" "), merged.over_max_output)
        };
        let whole = ("l organic_1 organic_2 organic_3 organic_0 organic_4".to_owned(), 0);
        assert_eq!(finish(&[&all], usize::MAX), whole);
        assert_eq!(finish(&[&all[3..], &all[..2], &all[2..3]], usize::MAX), whole);
        assert_eq!(finish(&[&all[2..], &all[..2]], 2), ("l organic_1 organic_2".to_owned(), 3));
    }

    #[test]
    fn verdicts_drop_false_negatives_and_keep_the_rest() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        let verdicts = Verdicts { false_negatives: names(&["1", "gone"]), kept: names(&["2"]), open: 3 };
        let mut merger = Merger::new(verdicts);
        let lines = [line("1", "ABcd", ORGANIC), line("2", "ACcd", ORGANIC), line("3", "ADcd", ORGANIC)];
        let input = merger.add(Pool::Organic, "o", &mut lines.join("\n").as_bytes()).expect("reads");
        assert_eq!((input.bundles, input.kept, input.false_negatives), (3, 2, 1));
        let merged = merger.finish(usize::MAX);
        assert_eq!((ids(&merged.set), merged.unknown_verdicts), (vec!["2", "3"], 1));
    }
}
