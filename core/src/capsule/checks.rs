//! What the contents of a capsule are worth: one line for each thing that was checked.
//!
//! Reading the archive has settled names, sizes and hashes by then ([`super::Inventory`]). Here the files are held
//! against each other: a checkpoint against the configuration, a scoreboard against the checkpoint, its items and its
//! eval set.

use super::{BundlesRecord, EvalRecord, FileRecord, Metadata};
use crate::config::{Config, Model};
use crate::data::{BundleSet, Tier, content_hash, protocol_hash};
use crate::encoder::Checkpoint;
use crate::eval::{self, EvalHeader, Item, Match, Score, Scoreboard};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Items whose margin is nearer to 0 than this may change sides by rounding alone.
const MARGIN_UNDECIDED: f64 = 1e-6;
/// Margins of the same model on the same items agree to this, whatever computed them.
const MARGIN_TOLERANCE: f64 = 1e-4;

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What kind of check: `files`, `signature`, `checkpoint`, `config`, `scoreboard`, `items`, `eval_set`, `scores`,
    /// `bundles`, `rerun`.
    pub check: String,
    /// The file it is about, where it is about one.
    pub file: Option<String>,
    /// Whether it holds.
    pub passed: bool,
    /// In words.
    pub message: String,
}

/// A signature that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signature {
    /// The key's number, as minisign prints it.
    pub key_id: String,
    /// The comment that was signed along.
    pub trusted_comment: String,
}

/// What `capsule verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "CapsuleReport")]
pub struct Report {
    /// Whether every check holds.
    pub passed: bool,
    /// Who signed it, where that was asked.
    pub signature: Option<Signature>,
    /// All checks, in order.
    pub checks: Vec<Check>,
}

impl Report {
    /// Nothing was checked yet.
    #[must_use]
    pub fn new() -> Self {
        Self { passed: true, ..Self::default() }
    }

    /// Adds a check: in words what holds, or what does not.
    pub fn add(&mut self, check: &str, file: Option<&str>, result: Result<String, String>) {
        let passed = result.is_ok();
        self.passed &= passed;
        let message = result.unwrap_or_else(|e| e);
        self.checks.push(Check { check: check.to_owned(), file: file.map(str::to_owned), passed, message });
    }

    /// How many checks do not hold.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.checks.iter().filter(|check| !check.passed).count()
    }

    /// The checkpoint against what `metadata.json` says of it.
    pub fn checkpoint(&mut self, metadata: &Metadata, checkpoint: &Checkpoint) {
        let record = &metadata.checkpoint;
        let sha256 = metadata.file(super::CHECKPOINT).map_or("", |file| &file.sha256);
        let said = [record.sha256.as_str(), &record.crucible_version];
        let same = said == [sha256, &checkpoint.version] && (record.seed, record.step) == of(checkpoint);
        let what = format!("seed {}, step {}, Crucible {}", checkpoint.seed, checkpoint.step, checkpoint.version);
        self.add(
            "checkpoint",
            Some(super::CHECKPOINT),
            if same { Ok(what) } else { Err(format!("metadata.json speaks of another checkpoint than this ({what})")) },
        );
    }

    /// The configuration against the checkpoint: a run of the one ends in the other, as far as that shows.
    pub fn config(&mut self, config: &Config, checkpoint: &Checkpoint) {
        // Where the tokenizer lay is no matter: it is in the checkpoint.
        let model = |model: &Model| Model { tokenizer_file: None, ..model.clone() };
        let mut differ = Vec::new();
        if model(&config.model) != model(&checkpoint.encoder.config) {
            differ.push("the model's settings differ".to_owned());
        }
        if config.experiment.seeds != [checkpoint.seed] {
            differ.push(format!("the seeds differ ({:?} and {})", config.experiment.seeds, checkpoint.seed));
        }
        if config.training.steps != checkpoint.step {
            differ.push(format!("the steps differ ({} and {})", config.training.steps, checkpoint.step));
        }
        let result = match differ.is_empty() {
            true => Ok("its model, seed and steps are the checkpoint's".to_owned()),
            false => Err(format!("it is not the checkpoint's: {}", differ.join(", "))),
        };
        self.add("config", Some(super::CONFIG), result);
    }

    /// A scoreboard against the checkpoint, its own fingerprint, and what `metadata.json` says of it.
    pub fn scoreboard(&mut self, file: &FileRecord, board: &Scoreboard, metadata: &Metadata) {
        let record = metadata.evals.iter().find(|record| record.scoreboard == file.path);
        let checkpoint = &metadata.checkpoint.sha256;
        let result = if board.checkpoint.hash != *checkpoint {
            Err(format!("it is of another checkpoint ({}) than the capsule's ({checkpoint})", board.checkpoint.hash))
        } else {
            header_fault(&board.eval_header, record)
                .map_or_else(|| Ok(format!("of this checkpoint; eval {}", board.eval_header.fingerprint)), Err)
        };
        self.add("scoreboard", Some(&file.path), result);
    }

    /// The items of a scoreboard: its counts follow from them.
    pub fn items(&mut self, file: &str, board: &Scoreboard, items: &[Item<'_>]) {
        let count = |tier: Option<Tier>| {
            let of_tier = items.iter().filter(|item| tier.is_none() || item.tier == tier);
            of_tier.fold((0, 0), |(n, passed), item| (n + 1, passed + usize::from(item.passes())))
        };
        let tiers = board.by_tier.iter().map(|(tier, summary)| (tier.name(), count(Some(*tier)), summary));
        let mut all = std::iter::once(("overall", count(None), &board.overall)).chain(tiers);
        let wrong = all.find(|(_, found, summary)| *found != (summary.n, summary.correct));
        let result = match wrong {
            None => Ok(format!("{} of {} bundles pass, as the scoreboard says", board.overall.correct, items.len())),
            Some((name, (n, passed), summary)) => Err(format!(
                "{passed} of {n} bundles pass ({name}), and the scoreboard says {} of {}",
                summary.correct, summary.n
            )),
        };
        self.add("items", Some(file), result);
    }

    /// An eval set against the scoreboard that was made of it.
    pub fn eval_set(&mut self, file: &str, set: &BundleSet, file_sha256: &[u8], board: &Scoreboard, scoreboard: &str) {
        let said = &board.eval_header;
        let found = EvalHeader::of(set, &said.eval_path, file_sha256, said.seed, &said.version);
        let result = match eval::match_headers(&found, said) {
            Match::Same => Ok(format!("{scoreboard} was made of it, byte for byte")),
            Match::SameContent => Ok(format!("{scoreboard} was made of the same bundles in other bytes")),
            Match::Different { reasons } => Err(format!("{scoreboard} was not made of it: {}", reasons.join(", "))),
        };
        self.add("eval_set", Some(file), result);
    }

    /// The checkpoint's scores on an eval set, computed anew, against the items that a scoreboard was made of.
    pub fn scores(&mut self, scoreboard: &str, set: &BundleSet, scores: &[Score], items: &[Item<'_>]) {
        let fresh = eval::items(set, scores);
        let differs = |(now, then): &(&Item<'_>, &Item<'_>)| {
            let undecided = now.margin.abs() < MARGIN_UNDECIDED || then.margin.abs() < MARGIN_UNDECIDED;
            now.bundle_id != then.bundle_id
                || (now.margin - then.margin).abs() > MARGIN_TOLERANCE
                || (now.passes() != then.passes() && !undecided)
        };
        let result = if fresh.len() == items.len() {
            match fresh.iter().zip(items).find(differs) {
                None => Ok(format!("scored anew, all {} margins are as its items say", items.len())),
                Some((now, then)) => Err(format!(
                    "scored anew, {:?} has the margin {:.6}, and the items say {:?}: {:.6}",
                    now.bundle_id, now.margin, then.bundle_id, then.margin
                )),
            }
        } else {
            Err(format!("scored anew, it has {} items, and {} are there", fresh.len(), items.len()))
        };
        self.add("scores", Some(scoreboard), result);
    }

    /// Training bundles against what `metadata.json` says of them, and against the ids that the run counted.
    pub fn bundles(&mut self, file: &str, set: &BundleSet, record: &BundlesRecord, counted: Option<&[String]>) {
        self.add("bundles", Some(file), bundles_fault(set, record, counted));
    }
}

fn of(checkpoint: &Checkpoint) -> (u64, u64) {
    (checkpoint.seed, checkpoint.step)
}

/// Why a scoreboard's header can't be right.
fn header_fault(header: &EvalHeader, record: Option<&EvalRecord>) -> Option<String> {
    let start = header.source_hash.get(..16).unwrap_or_default();
    let fingerprint = format!("{start}|{}|{}", header.seed, header.item_count);
    if header.fingerprint != fingerprint {
        return Some(format!("its fingerprint is {}, and its header gives {fingerprint}", header.fingerprint));
    }
    if header.protocol_hash != protocol_hash(&header.content_hash) {
        return Some(
            "its protocol hash is not that of its content hash and this version's rules of scoring".to_owned(),
        );
    }
    match record {
        None => Some("metadata.json does not speak of it".to_owned()),
        Some(record) if record.fingerprint == fingerprint && record.protocol_hash == header.protocol_hash => None,
        Some(record) => Some(format!("metadata.json says the eval {}, it says {fingerprint}", record.fingerprint)),
    }
}

fn bundles_fault(set: &BundleSet, record: &BundlesRecord, counted: Option<&[String]>) -> Result<String, String> {
    if content_hash(set) != record.content_hash {
        return Err("they are not those that metadata.json speaks of".to_owned());
    }
    let Some(counted) = counted else {
        return Ok(format!("{} bundles, as metadata.json says", set.bundles.len()));
    };
    if !set.bundles.iter().map(|bundle| &bundle.bundle_id).eq(counted) {
        return Err("they are not those that the run counted in exposures.jsonl".to_owned());
    }
    Ok(format!("{} bundles, those that the run counted", set.bundles.len()))
}

#[cfg(test)]
mod tests {
    use super::super::metadata::tests::metadata;
    use super::*;
    use crate::embeddings::Embeddings;
    use crate::eval::{Inputs, items, score, scoreboard};

    fn set() -> BundleSet {
        let event = |id: &str, sense: &str| format!(r#"{{"event_id":"{id}","sense":"{sense}","text":"{id} text"}}"#);
        let line = |id: &str, negative: &str| {
            let negative = event(negative, "x#2").replacen('{', r#"{"source":"within_lemma","#, 1);
            let (a, p) = (event("a", "x#1"), event("p", "x#1"));
            format!(
                r#"{{"bundle_id":"{id}","anchor":{a},"positive":{p},"negatives":[{negative}],"metadata":{{"tier":"tier3_adversarial"}}}}"#
            )
        };
        let text = [line("b1", "n"), line("b2", "m")].join("\n");
        crate::data::read_bundles(&mut text.as_bytes(), "test").expect("bundles")
    }

    /// a, p, n and m in the order of the set's events.
    fn vectors(set: &BundleSet) -> Embeddings {
        let vector = |id: &str| match id {
            "a" => [1.0, 0.0],
            "p" => [0.8, 0.6],
            "n" => [0.6, 0.8],
            _ => [0.96, 0.28],
        };
        let rows = set.events.iter().flat_map(|e| vector(&e.event_id)).collect();
        Embeddings::normalised(2, rows)
    }

    fn board(set: &BundleSet) -> (Scoreboard, Vec<Item<'_>>, Vec<Score>) {
        let vectors = vectors(set);
        let scores = score(set, &vectors);
        let inputs = Inputs {
            eval_header: EvalHeader::of(set, "e.jsonl", &[7; 32], 42, "1"),
            checkpoint: eval::Checkpoint { path: String::new(), hash: metadata().checkpoint.sha256 },
            model_conditions: Default::default(),
            timestamp: String::new(),
            device: "cpu".to_owned(),
        };
        let board = scoreboard(set, &vectors, &scores, inputs);
        let items = items(set, &scores);
        (board, items, scores)
    }

    fn recorded(board: &Scoreboard) -> Metadata {
        let mut metadata = metadata();
        metadata.evals.push(EvalRecord {
            scoreboard: "x.json".to_owned(),
            fingerprint: board.eval_header.fingerprint.clone(),
            protocol_hash: board.eval_header.protocol_hash.clone(),
            packed: None,
        });
        metadata.files.push(super::super::metadata::tests::file("x.json", b""));
        metadata
    }

    /// The words of the one check that `add` makes, and whether it holds.
    fn one(add: impl FnOnce(&mut Report)) -> (bool, String) {
        let mut report = Report::new();
        add(&mut report);
        assert_eq!(report.checks.len(), 1);
        assert_eq!(report.passed, report.failed() == 0);
        (report.passed, report.checks.remove(0).message)
    }

    #[test]
    fn scoreboards_belong_to_checkpoint_and_metadata() {
        let set = set();
        let (good, ..) = board(&set);
        let metadata = recorded(&good);
        let check = |board: &Scoreboard| one(|r| r.scoreboard(&metadata.files[3], board, &metadata));
        assert!(check(&good).0, "{:?}", check(&good));
        let with = |change: &dyn Fn(&mut Scoreboard)| {
            let mut board = good.clone();
            change(&mut board);
            check(&board)
        };
        for (found, part) in [
            (with(&|b| b.checkpoint.hash = "00".to_owned()), "another checkpoint"),
            (with(&|b| b.eval_header.fingerprint += "1"), "its header gives"),
            (with(&|b| b.eval_header.source_hash.clear()), "its header gives"),
            (with(&|b| b.eval_header.content_hash = "00".to_owned()), "protocol hash"),
            (
                with(&|b| {
                    b.eval_header.source_hash.replace_range(..1, "f");
                    b.eval_header.fingerprint.replace_range(..1, "f");
                }),
                "metadata.json says the eval",
            ),
        ] {
            assert!(!found.0 && found.1.contains(part), "{part}: {found:?}");
        }
    }

    #[test]
    fn items_and_eval_sets_belong_to_their_scoreboard() {
        let set = set();
        let (good, items, scores) = board(&set);
        assert_eq!((good.overall.n, good.overall.correct), (2, 1));
        assert!(one(|r| r.items("i", &good, &items)).0);
        let mut better = good.clone();
        better.overall.correct = 2;
        let found = one(|r| r.items("i", &better, &items));
        assert!(
            !found.0 && found.1.contains("1 of 2 bundles pass (overall), and the scoreboard says 2 of 2"),
            "{found:?}"
        );
        let mut tier = good.clone();
        tier.by_tier.values_mut().for_each(|s| s.correct = 0);
        assert!(!one(|r| r.items("i", &tier, &items)).0, "tiers are counted, too");

        let eval_set = |set: &BundleSet, hash: u8| one(|r| r.eval_set("eval/e", set, &[hash; 32], &good, "x.json"));
        assert!(eval_set(&set, 7).1.contains("byte for byte"));
        assert!(eval_set(&set, 8).0 && eval_set(&set, 8).1.contains("in other bytes"));
        let mut other = set.clone();
        other.events[0].text.push('!');
        assert!(!eval_set(&other, 7).0);

        assert!(one(|r| r.scores("x.json", &set, &scores, &items)).0);
        for change in [1e-3, -2.0] {
            let mut lying = items.clone();
            lying[0].margin += change;
            assert!(!one(|r| r.scores("x.json", &set, &scores, &lying)).0, "{change}");
        }
        assert!(!one(|r| r.scores("x.json", &set, &scores, &items[1..])).0);
    }

    #[test]
    fn bundles_are_those_of_the_run() {
        let set = set();
        let hash = content_hash(&set);
        let record = BundlesRecord { source_hash: hash.clone(), content_hash: hash, bundles: 2, packed: None };
        let ids = ["b1", "b2"].map(str::to_owned);
        let check = |set: &BundleSet, ids: Option<&[String]>| one(|r| r.bundles("bundles/b", set, &record, ids)).0;
        assert!(check(&set, None) && check(&set, Some(&ids)));
        assert!(!check(&set, Some(&ids[..1])));
        let mut other = set.clone();
        other.events[0].text.push('!');
        assert!(!check(&other, None));
    }
}
