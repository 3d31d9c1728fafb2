//! `crucible capsule`: what is packed comes back; and what the other tests of capsules share.

use crate::util::Dir;
use crucible_core::capsule::{FileKind, METADATA};
use crucible_core::data::hex;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;
use tar::EntryType;

const CONFIG: &str = "
training: {steps: 60, batch_size: 8, learning_rate: 0.003}
curriculum: {tier3_ratios: {legacy: 1.0, organic: 0.0, expanded: 0.0}}
model: {embedding_dim: 16, hidden_dim: 16, vocab_size: 600}
experiment: {log_every: 20}
data: {bundles: b.jsonl}
";
pub(crate) const CHECKPOINT: &str = "checkpoint_final.safetensors";
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// All files below a folder, by name.
pub(crate) fn files_below(root: &Path) -> Files {
    fn walk(root: &Path, folder: &Path, found: &mut Files) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = || path.strip_prefix(root).expect("below").to_str().expect("plain").replace('\\', "/");
            if path.is_dir() {
                found.insert(name() + "/", Vec::new());
                walk(root, &path, found);
            } else {
                found.insert(name(), std::fs::read(&path).expect("reads"));
            }
        }
    }
    let mut found = Files::new();
    walk(root, root, &mut found);
    found
}

pub(crate) fn write_all(root: &Path, files: &Files) {
    for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with('/')) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
        std::fs::write(path, bytes).expect("writes");
    }
}

/// A folder with bundles, an eval set and a trained and evaluated run in `run`; trained once for all tests.
pub(crate) fn trained() -> Dir {
    static FILES: OnceLock<Files> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let dir = Dir::new();
        dir.run(&["init", "p", "--sample-data"]).ok();
        for (name, most) in [("b.jsonl", "4"), ("e.jsonl", "2")] {
            dir.run(&["bundle", "--events", "p/data/events.jsonl", "--output", name, "--max-per-sense", most]).ok();
        }
        dir.file("crucible.yaml", CONFIG);
        dir.run(&["train", "--output-dir", "run", "--device", "cpu"]).ok();
        let [checkpoint, board] = [CHECKPOINT, "frozen_scoreboard.json"].map(|name| format!("run/{name}"));
        dir.run(&["eval", "--checkpoint", &checkpoint, "--eval-set", "e.jsonl", "--output", &board]).ok();
        std::fs::remove_dir_all(dir.path().join("p")).expect("removes");
        files_below(dir.path())
    });
    let dir = Dir::new();
    write_all(dir.path(), files);
    dir
}

/// The run as a capsule `c.tar.zst` with everything inside.
pub(crate) fn packed() -> Dir {
    let dir = trained();
    dir.run(&["capsule", "pack", "run", "-o", "c.tar.zst", "--include-bundles", "--include-eval", "e.jsonl"]).ok();
    dir
}

/// One entry of an archive.
pub(crate) struct Part {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: EntryType,
    pub(crate) link: &'static str,
    pub(crate) size: u64,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn part(name: &str, bytes: &[u8]) -> Part {
    let (name, bytes) = (name.as_bytes().to_vec(), bytes.to_vec());
    Part { name, kind: EntryType::Regular, link: "", size: bytes.len() as u64, bytes }
}

/// The head of an entry, with any name: the library would not write what these tests need.
pub(crate) fn head(part: &Part) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(part.kind);
    header.set_size(part.size);
    header.set_mode(0o644);
    let old = header.as_old_mut();
    old.name[..part.name.len()].copy_from_slice(&part.name);
    old.linkname[..part.link.len()].copy_from_slice(part.link.as_bytes());
    header.set_cksum();
    header.as_bytes().to_vec()
}

pub(crate) fn tar_of(parts: &[Part]) -> Vec<u8> {
    let mut tar = Vec::new();
    for part in parts {
        tar.extend(head(part));
        tar.extend(&part.bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

pub(crate) fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("packs")
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Writes `to` as `from` with other files in it; the list is made to agree.
pub(crate) fn changed(dir: &Dir, from: &str, to: &str, change: impl FnOnce(&mut Files, &mut Value)) {
    let packed = std::fs::File::open(dir.path().join(from)).expect("opens");
    let mut archive = tar::Archive::new(zstd::Decoder::new(packed).expect("zstd"));
    let mut files = Files::new();
    for entry in archive.entries().expect("entries") {
        let mut entry = entry.expect("an entry");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("reads");
        files.insert(entry.path().expect("a path").to_str().expect("plain").to_owned(), bytes);
    }
    let mut list: Value = serde_json::from_slice(&files.remove(METADATA).expect("is there")).expect("JSON");
    change(&mut files, &mut list);
    list["files"] = files
        .iter()
        .map(|(path, bytes)| {
            let kind = FileKind::of(path).expect("a kind").name();
            serde_json::json!({"path": path, "kind": kind, "size": bytes.len(), "sha256": sha256(bytes)})
        })
        .collect();
    let mut parts = vec![part(METADATA, list.to_string().as_bytes())];
    parts.extend(files.iter().map(|(name, bytes)| part(name, bytes)));
    std::fs::write(dir.path().join(to), zst(&tar_of(&parts))).expect("writes");
}

#[test]
fn a_run_comes_back_as_it_was() {
    let dir = trained();
    let args = ["capsule", "pack", "run", "--include-bundles", "--include-eval", "e.jsonl", "--json"];
    let metadata = dir.run(&args).json();
    assert_eq!(metadata["device"], "cpu");
    assert_eq!((&metadata["checkpoint"]["seed"], &metadata["checkpoint"]["step"]), (&42.into(), &60.into()));
    assert_eq!(metadata["bundles"]["packed"], "bundles/b.jsonl");
    let fingerprint = metadata["evals"][0]["fingerprint"].as_str().expect("text");
    assert_eq!(fingerprint[..16], sha256(dir.read("e.jsonl").as_bytes())[..16]);
    assert!(metadata.get("packed_at").is_none() && metadata.get("git").is_none(), "{metadata}");
    let listing = dir.run(&["capsule", "list", "run.capsule.tar.zst"]);
    for part in
        [CHECKPOINT, "frozen_scoreboard_items.jsonl", "eval/e.jsonl", "seed 42, 60 steps", "on cpu", fingerprint]
    {
        assert!(listing.ok().contains(part), "{part}: {listing:?}");
    }
    assert_eq!(dir.run(&["capsule", "list", "run.capsule.tar.zst", "--json"]).json(), metadata);

    dir.run(&["capsule", "unpack", "run.capsule.tar.zst", "--output-dir", "deep/er/back"]).ok();
    let mut back = files_below(&dir.path().join("deep/er/back"));
    let list: Value = serde_json::from_slice(&back.remove(METADATA).expect("is there")).expect("JSON");
    assert_eq!(list, metadata);
    assert_eq!(back.remove("bundles/b.jsonl").expect("is there"), dir.read("b.jsonl").as_bytes());
    assert_eq!(back.remove("eval/e.jsonl").expect("is there"), dir.read("e.jsonl").as_bytes());
    back.retain(|name, _| !name.ends_with('/'));
    assert!(back == files_below(&dir.path().join("run")), "the run's files, byte for byte");
    let leftovers = files_below(&dir.path().join("deep/er"));
    assert!(leftovers.keys().all(|name| name.starts_with("back/")), "{:?}", leftovers.keys());

    let again = dir.run(&["capsule", "unpack", "run.capsule.tar.zst", "--output-dir", "deep/er/back"]);
    assert!(again.failed(2).contains("is a folder that is not empty"), "{again:?}");
    std::fs::create_dir(dir.path().join("empty")).expect("creates");
    dir.run(&["capsule", "unpack", "run.capsule.tar.zst", "--output-dir", "empty"]).ok();
    assert!(dir.path().join("empty").join(CHECKPOINT).exists());
    // What was unpacked is a run again.
    dir.run(&["capsule", "pack", "empty", "--output", "second.tar.zst"]).ok();
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let dir = packed();
    let bytes = |dir: &Dir| std::fs::read(dir.path().join("c.tar.zst")).expect("reads");
    // Other times and modes, another folder, other files beside.
    let other = trained();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = other.path().join("run/train.log");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("sets");
        let file = std::fs::File::options().append(true).open(path).expect("opens");
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("sets");
    }
    other.file("run/notes.txt", "mine");
    let args =
        ["capsule", "pack", "run", "-o", "c.tar.zst", "--force", "--include-bundles", "--include-eval", "e.jsonl"];
    other.run(&args).ok();
    assert!(bytes(&dir) == bytes(&other), "the same run, the same bytes");
    other.run(&[&args[..], &["--packed-at", "2026-01-01T00:00:00Z"]].concat()).ok();
    assert!(bytes(&dir) != bytes(&other), "a time is in it when one is given");
    let metadata = other.run(&["capsule", "list", "c.tar.zst", "--json"]).json();
    assert_eq!(metadata["packed_at"], "2026-01-01T00:00:00Z");
}

#[test]
fn trials_of_a_sweep() {
    let dir = trained();
    let run = files_below(&dir.path().join("run"));
    for trial in ["R75_15_10/seed_42", "R60_20_20/seed_42"] {
        write_all(&dir.path().join("sweep").join(trial), &run);
    }
    let which = dir.run(&["capsule", "pack", "sweep"]);
    assert!(which.failed(2).contains("--trial: R60_20_20/seed_42, R75_15_10/seed_42"), "{which:?}");
    let metadata = dir.run(&["capsule", "pack", "sweep", "--trial", "R75_15_10/seed_42", "--json"]).json();
    assert_eq!(metadata["trial"], "R75_15_10/seed_42");
    assert!(dir.path().join("sweep_R75_15_10_seed_42.capsule.tar.zst").exists());
    for bad in ["../run", "/tmp", ""] {
        dir.run(&["capsule", "pack", "sweep", "--trial", bad]).failed(2);
    }
}

#[test]
fn what_can_not_be_packed() {
    let dir = trained();
    dir.file("other.jsonl", &crate::eval::bundles());
    let bundles = dir.read("b.jsonl");
    let ran = dir.run(&["capsule", "pack", "run", "--include-eval", "other.jsonl"]);
    assert!(ran.failed(3).contains("no scoreboard of this run was made of it"), "{ran:?}");
    let ran = dir.run(&["capsule", "pack", "run", "--output", "c.zip"]);
    assert!(ran.failed(2).contains("let its name end with .capsule.tar.zst"), "{ran:?}");
    dir.file("empty/x", "");
    assert!(dir.run(&["capsule", "pack", "empty"]).failed(2).contains("holds no run"));
    assert!(dir.run(&["capsule", "pack", "nowhere"]).failed(2).contains("is no folder"));

    // Bundles that are not those of the run, or not there: said, and an error where they were to be packed.
    for text in [Some(crate::eval::bundles()), None] {
        match &text {
            Some(text) => drop(dir.file("b.jsonl", text)),
            None => std::fs::remove_file(dir.path().join("b.jsonl")).expect("removes"),
        }
        let ran = dir.run(&["capsule", "pack", "run", "--output", "c.tar.zst", "--force", "--json"]);
        assert!(ran.stderr.contains("will not say which bundles it was trained on"), "{ran:?}");
        assert!(ran.json().get("bundles").is_none());
        let ran = dir.run(&["capsule", "pack", "run", "--output", "d.tar.zst", "--include-bundles"]);
        ran.failed(if text.is_some() { 3 } else { 1 });
        assert!(!dir.path().join("d.tar.zst").exists());
    }

    // Another checkpoint's scoreboard is not the run's.
    let mut board: Value = serde_json::from_str(&dir.read("run/frozen_scoreboard.json")).expect("JSON");
    board["checkpoint"]["hash"] = "0".repeat(64).into();
    dir.file("run/other_scoreboard.json", &board.to_string());
    let ran = dir.run(&["capsule", "pack", "run", "--output", "c.tar.zst", "--force", "--json"]);
    assert!(ran.stderr.contains("other_scoreboard.json is the scoreboard of another checkpoint"), "{ran:?}");
    assert_eq!(ran.json()["evals"].as_array().map(Vec::len), Some(1));

    // The bundles lie elsewhere by now.
    let pack = ["capsule", "pack", "run", "--output", "c.tar.zst", "--force", "--bundles"];
    dir.file("moved.jsonl", &bundles);
    dir.run(&[&pack[..], &["moved.jsonl"]].concat()).ok();
    dir.run(&[&pack[..], &["other.jsonl"]].concat()).failed(3);

    std::fs::remove_file(dir.path().join("run").join(CHECKPOINT)).expect("removes");
    assert!(dir.run(&["capsule", "pack", "run"]).failed(2).contains("a run that is not finished"));
}

#[test]
fn the_state_of_git_is_kept() {
    let dir = trained();
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(args).current_dir(dir.path());
        git.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status().is_ok_and(|s| s.success())
    };
    if !(git(&["init", "-q"]) && git(&["add", "crucible.yaml"]) && git(&["commit", "-q", "-m", "x"])) {
        skipped();
        return;
    }
    let state =
        || dir.run(&["capsule", "pack", "run", "--output", "c.tar.zst", "--force", "--json"]).json()["git"].clone();
    let clean = state();
    assert_eq!((clean["commit"].as_str().map(str::len), &clean["dirty"]), (Some(40), &false.into()), "{clean}");
    dir.file("crucible.yaml", "training: {steps: 1}");
    assert_eq!(state()["dirty"], true);
}

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn skipped() {
    println!("skipped: there is no git");
}
