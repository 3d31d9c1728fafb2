//! `metadata.json`: what a capsule holds, and where it comes from.

use super::{Refusal, names};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the file is called; it is the first in the archive.
pub const METADATA: &str = "metadata.json";
/// The resolved configuration.
pub const CONFIG: &str = "config.yaml";
/// The model.
pub const CHECKPOINT: &str = "checkpoint_final.safetensors";
/// Where training bundles lie.
pub const BUNDLES_FOLDER: &str = "bundles/";
/// Where eval sets lie.
pub const EVAL_FOLDER: &str = "eval/";
/// Where the ready vectors lie that an adapter reads.
pub const VECTORS_FOLDER: &str = "vectors/";
/// What `format` says.
pub const FORMAT: &str = "crucible-capsule";
/// Raised when a reader of the old form would misread the new one.
pub const FORMAT_VERSION: u64 = 1;
/// More than this is not read.
pub const MAX_METADATA_BYTES: u64 = 4 << 20;

/// What a capsule holds. Two packings of one run are the same bytes; no time is in it unless somebody gave one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "CapsuleMetadata")]
pub struct Metadata {
    /// `crucible-capsule`.
    pub format: String,
    /// 1.
    pub format_version: u64,
    /// Version of the program that packed.
    pub crucible_version: String,
    /// The trial of a sweep, such as `R75_15_10/seed_42`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<String>,
    /// Where the run was trained, as its log names it: `cpu`, or an adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The state of the folder's git repository when it was packed, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<Git>,
    /// When it was packed, in the packer's words (`--packed-at`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed_at: Option<String>,
    /// The model.
    pub checkpoint: CheckpointRecord,
    /// The training bundles, where they were at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundles: Option<BundlesRecord>,
    /// One for each scoreboard.
    pub evals: Vec<EvalRecord>,
    /// All files but this one, by path, in the order in which they follow.
    pub files: Vec<FileRecord>,
}

/// A git repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Git {
    /// The commit, hexadecimal.
    pub commit: String,
    /// Whether tracked files differed from it.
    pub dirty: bool,
}

/// The model of a capsule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointRecord {
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// The seed it was trained with.
    pub seed: u64,
    /// Training steps behind it.
    pub step: u64,
    /// Version of the program that trained it.
    pub crucible_version: String,
}

/// The training bundles of a capsule's run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundlesRecord {
    /// SHA-256 of the file's bytes, hexadecimal.
    pub source_hash: String,
    /// SHA-256 of what the bundles say, whatever the line ends and the order of keys.
    pub content_hash: String,
    /// How many.
    pub bundles: usize,
    /// The file in the capsule, if it was included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<String>,
}

/// What a scoreboard of the capsule measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvalRecord {
    /// The scoreboard in the capsule.
    pub scoreboard: String,
    /// The eval set's fingerprint.
    pub fingerprint: String,
    /// The hash of its content and the rules of scoring.
    pub protocol_hash: String,
    /// The eval set in the capsule, if it was included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<String>,
}

/// A file of a capsule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileRecord {
    /// Its name, with `/` between folders.
    pub path: String,
    /// What it is; it follows from the name.
    pub kind: FileKind,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
}

/// What a file of a capsule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// `config.yaml`: the resolved configuration.
    Config,
    /// `checkpoint_final.safetensors`: the model.
    Checkpoint,
    /// `X.json`: an evaluation of the model.
    Scoreboard,
    /// `X_items.jsonl` or `X_items.parquet`: a line or row for each bundle of that evaluation.
    Items,
    /// `train.log`.
    Log,
    /// `metrics.jsonl`.
    Metrics,
    /// `exposures.json` and `exposures.jsonl`: how often bundles were seen.
    Exposures,
    /// `guardrails.json` and `guardrails_before.json`: findings while training, and before it.
    Guardrails,
    /// `evals.jsonl`: scores on the way.
    Scores,
    /// Training bundles, in `bundles/`.
    Bundles,
    /// An eval set, in `eval/`.
    Eval,
    /// Ready vectors that an adapter reads, or their ids, in `vectors/`.
    Vectors,
}

impl FileKind {
    /// What a file of that path is; none: capsules hold no such file. Kinds follow from names, so that no file can pass
    /// for something that is checked less.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let unpacked = [".gz", ".zst"].iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path);
        Some(match path {
            CONFIG => Self::Config,
            CHECKPOINT => Self::Checkpoint,
            "train.log" => Self::Log,
            "metrics.jsonl" => Self::Metrics,
            "exposures.json" | "exposures.jsonl" => Self::Exposures,
            "guardrails.json" | "guardrails_before.json" => Self::Guardrails,
            "evals.jsonl" => Self::Scores,
            METADATA => return None,
            _ if path.strip_prefix(BUNDLES_FOLDER).is_some_and(|name| !name.contains('/')) => Self::Bundles,
            _ if path.strip_prefix(EVAL_FOLDER).is_some_and(|name| !name.contains('/')) => Self::Eval,
            // Read without a limit of their own, so not in a form that unpacks to more.
            _ if path.strip_prefix(VECTORS_FOLDER).is_some_and(|name| !name.contains('/')) && unpacked == path => {
                Self::Vectors
            }
            _ if path.contains('/') => return None,
            _ if unpacked.ends_with("_items.jsonl") || path.ends_with("_items.parquet") => Self::Items,
            _ if unpacked.ends_with(".json") => Self::Scoreboard,
            _ => return None,
        })
    }

    /// Its name in `metadata.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Checkpoint => "checkpoint",
            Self::Scoreboard => "scoreboard",
            Self::Items => "items",
            Self::Log => "log",
            Self::Metrics => "metrics",
            Self::Exposures => "exposures",
            Self::Guardrails => "guardrails",
            Self::Scores => "scores",
            Self::Bundles => "bundles",
            Self::Eval => "eval",
            Self::Vectors => "vectors",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Metadata {
    /// Reads `metadata.json` and checks that it can be believed: format, names, kinds, hashes in form, and that
    /// configuration and checkpoint are listed. Sizes and counts are [`super::Inventory`]'s.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            format_version: u64,
        }
        let reason = |reason: String| Refusal::Metadata { reason };
        let head: Head = serde_json::from_slice(bytes).map_err(|e| reason(e.to_string()))?;
        if head.format != FORMAT {
            return Err(Refusal::NoCapsule { reason: format!("its format is {:?}", head.format) });
        }
        if head.format_version != FORMAT_VERSION {
            return Err(Refusal::Version { found: head.format_version });
        }
        let metadata: Self = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(bytes))
            .map_err(|e| reason(format!("`{}`: {}", e.path(), e.inner())))?;
        metadata.check()?;
        Ok(metadata)
    }

    fn check(&self) -> Result<(), Refusal> {
        let reason = |reason: String| Err(Refusal::Metadata { reason });
        for file in &self.files {
            let name = names::check(file.path.as_bytes())?;
            match FileKind::of(name) {
                None => return reason(format!("it lists {name}, and capsules hold no such file")),
                Some(kind) if kind != file.kind => {
                    return reason(format!("it calls {name} {}, and by its name that is {kind}", file.kind));
                }
                Some(_) => {}
            }
            if !is_sha256(&file.sha256) {
                return reason(format!("it lists no SHA-256 of {name}"));
            }
        }
        if !self.files.is_sorted_by(|a, b| a.path <= b.path) {
            return reason("its files are not sorted by path".to_owned());
        }
        for needed in [CONFIG, CHECKPOINT] {
            if self.file(needed).is_none() {
                return reason(format!("it lists no {needed}"));
            }
        }
        let packed = self.bundles.iter().map(|b| (&b.packed, FileKind::Bundles));
        for (path, kind) in packed.chain(self.evals.iter().map(|e| (&e.packed, FileKind::Eval))) {
            if let Some(path) = path.as_ref().filter(|path| self.file(path).is_none_or(|f| f.kind != kind)) {
                return reason(format!("it speaks of {path:?}, and lists no {kind} of that name"));
            }
        }
        Ok(())
    }

    /// The file of that path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&FileRecord> {
        self.files.iter().find(|file| file.path == path)
    }

    /// All files of a kind, by path.
    pub fn of_kind(&self, kind: FileKind) -> impl Iterator<Item = &FileRecord> {
        self.files.iter().filter(move |file| file.kind == kind)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::{Value, json};

    pub(in super::super) fn file(path: &str, bytes: &[u8]) -> FileRecord {
        use sha2::{Digest, Sha256};
        FileRecord {
            path: path.to_owned(),
            kind: FileKind::of(path).expect("a file of capsules"),
            size: bytes.len() as u64,
            sha256: crate::data::hex(&Sha256::digest(bytes)),
        }
    }

    pub(in super::super) fn metadata() -> Metadata {
        Metadata {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            crucible_version: "0.1.0".to_owned(),
            trial: None,
            device: Some("cpu".to_owned()),
            git: None,
            packed_at: None,
            checkpoint: CheckpointRecord {
                sha256: file(CHECKPOINT, b"weights").sha256,
                seed: 42,
                step: 10,
                crucible_version: "0.1.0".to_owned(),
            },
            bundles: None,
            evals: Vec::new(),
            files: vec![file(CHECKPOINT, b"weights"), file(CONFIG, b"{}"), file("train.log", b"")],
        }
    }

    fn read(change: &dyn Fn(&mut Value)) -> Result<Metadata, Refusal> {
        let mut value = serde_json::to_value(metadata()).expect("is JSON");
        change(&mut value);
        Metadata::from_json(value.to_string().as_bytes())
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(read(&|_| ()), Ok(metadata()));
        assert_eq!(read(&|v| v["one more"] = json!(1)), Ok(metadata()), "later versions may add");
        assert!(!serde_json::to_string(&metadata()).expect("is JSON").contains("packed_at"), "no time unless given");
    }

    #[test]
    fn what_can_not_be_believed_is_refused() {
        let words = |change: &dyn Fn(&mut Value)| read(change).expect_err("refused").to_string();
        for (words, part) in [
            (words(&|v| v["format"] = json!("zip")), "no capsule: its format is \"zip\""),
            (words(&|v| v["format_version"] = json!(2)), "a capsule of format 2"),
            (words(&|v| v["checkpoint"]["seed"] = json!(-1)), "`checkpoint.seed`"),
            (words(&|v| v["files"][2]["path"] = json!("run.sh")), "capsules hold no such file"),
            (words(&|v| v["files"][2]["path"] = json!("metadata.json")), "capsules hold no such file"),
            (words(&|v| v["files"][2]["path"] = json!("/train.log")), "absolute path"),
            (words(&|v| v["files"][2]["kind"] = json!("metrics")), "calls train.log metrics"),
            (words(&|v| v["files"][2]["sha256"] = json!("AB")), "no SHA-256 of train.log"),
            (words(&|v| v["files"][1] = v["files"][2].clone()), "lists no config.yaml"),
            (words(&|v| v["files"].as_array_mut().expect("a list").reverse()), "not sorted"),
            (
                words(&|v| {
                    v["evals"] = json!([{"scoreboard": "x.json", "fingerprint": "", "protocol_hash": "",
                        "packed": "train.log"}]);
                }),
                "lists no eval of that name",
            ),
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        assert!(Metadata::from_json(b"{").is_err() && Metadata::from_json(b"").is_err());
    }

    #[test]
    fn kinds_follow_from_names() {
        for (path, kind) in [
            ("frozen_scoreboard.json", Some(FileKind::Scoreboard)),
            ("x.json.zst", Some(FileKind::Scoreboard)),
            ("frozen_scoreboard_items.jsonl.gz", Some(FileKind::Items)),
            ("frozen_scoreboard_items.parquet", Some(FileKind::Items)),
            ("frozen_scoreboard.parquet", None),
            ("guardrails.json", Some(FileKind::Guardrails)),
            ("guardrails_before.json", Some(FileKind::Guardrails)),
            ("evals.jsonl", Some(FileKind::Scores)),
            ("vectors/v.npy", Some(FileKind::Vectors)),
            ("vectors/a/v.npy", None),
            ("vectors/v_ids.jsonl.zst", None),
            ("bundles/b.jsonl", Some(FileKind::Bundles)),
            ("eval/metadata.json", Some(FileKind::Eval)),
            ("eval/a/b.jsonl", None),
            ("x/frozen_scoreboard.json", None),
            ("metadata.json", None),
            ("notes.txt", None),
        ] {
            assert_eq!(FileKind::of(path), kind, "{path}");
        }
        for kind in [FileKind::Config, FileKind::Items, FileKind::Eval, FileKind::Scores, FileKind::Vectors] {
            assert_eq!(json!(kind), kind.name());
        }
    }
}
