//! `crucible capsule`: what is packed comes back, what a stranger packed does no harm.

use crate::util::{Dir, finish};
use crucible_core::capsule::{CheckpointRecord, FORMAT, FORMAT_VERSION, FileKind, FileRecord, METADATA, Metadata};
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
const CHECKPOINT: &str = "checkpoint_final.safetensors";
/// Ten gigabytes.
const BOMB: u64 = 10 << 30;

type Files = BTreeMap<String, Vec<u8>>;

/// All files below a folder, by name.
fn files_below(root: &Path) -> Files {
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

fn write_all(root: &Path, files: &Files) {
    for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with('/')) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
        std::fs::write(path, bytes).expect("writes");
    }
}

/// A folder with bundles, an eval set and a trained and evaluated run in `run`; trained once for all tests.
fn trained() -> Dir {
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
fn packed() -> Dir {
    let dir = trained();
    dir.run(&["capsule", "pack", "run", "-o", "c.tar.zst", "--include-bundles", "--include-eval", "e.jsonl"]).ok();
    dir
}

/// One entry of an archive.
struct Part {
    name: Vec<u8>,
    kind: EntryType,
    link: &'static str,
    size: u64,
    bytes: Vec<u8>,
}

fn part(name: &str, bytes: &[u8]) -> Part {
    let (name, bytes) = (name.as_bytes().to_vec(), bytes.to_vec());
    Part { name, kind: EntryType::Regular, link: "", size: bytes.len() as u64, bytes }
}

/// The head of an entry, with any name: the library would not write what these tests need.
fn head(part: &Part) -> Vec<u8> {
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

fn tar_of(parts: &[Part]) -> Vec<u8> {
    let mut tar = Vec::new();
    for part in parts {
        tar.extend(head(part));
        tar.extend(&part.bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("packs")
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// `metadata.json` of files that are no run, but look like one.
fn metadata(files: &[(&str, &[u8])]) -> Metadata {
    let record = |(path, bytes): &(&str, &[u8])| FileRecord {
        path: (*path).to_owned(),
        kind: FileKind::of(path).unwrap_or(FileKind::Log),
        size: bytes.len() as u64,
        sha256: sha256(bytes),
    };
    Metadata {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        crucible_version: "0.1.0".to_owned(),
        trial: None,
        device: None,
        git: None,
        packed_at: None,
        checkpoint: CheckpointRecord {
            sha256: sha256(b"weights"),
            seed: 42,
            step: 60,
            crucible_version: "0.1.0".to_owned(),
        },
        bundles: None,
        evals: Vec::new(),
        files: files.iter().map(record).collect(),
    }
}

const FILES: [(&str, &[u8]); 3] = [(CHECKPOINT, b"weights"), ("config.yaml", b"{}"), ("train.log", b"a line\n")];

fn listed(metadata: &Metadata) -> Part {
    part(METADATA, serde_json::to_string_pretty(metadata).expect("is JSON").as_bytes())
}

/// A capsule of [`FILES`] with another list or other entries.
fn capsule(change: impl FnOnce(&mut Metadata, &mut Vec<Part>)) -> Vec<u8> {
    let mut list = metadata(&FILES);
    let mut parts: Vec<Part> = FILES.iter().map(|(name, bytes)| part(name, bytes)).collect();
    change(&mut list, &mut parts);
    parts.insert(0, listed(&list));
    zst(&tar_of(&parts))
}

/// Runs `unpack` and `verify`: both refuse with `part` and leave nothing anywhere.
#[track_caller]
fn assert_refused(what: &str, bytes: &[u8], more: &[&str], part: &str) {
    let dir = Dir::new();
    std::fs::create_dir_all(dir.path().join("in/tmp")).expect("creates");
    std::fs::write(dir.path().join("in/c.tar.zst"), bytes).expect("writes");
    let before: Vec<String> = files_below(dir.path()).into_keys().collect();
    for command in ["unpack", "verify"] {
        let mut args = vec!["capsule", command, "in/c.tar.zst"];
        args.extend(more);
        args.extend(if command == "unpack" { &["--output-dir", "in/deep/er/out"][..] } else { &[] });
        let ran = finish(dir.command(&args).env("TMPDIR", dir.path().join("in/tmp")));
        let message = ran.failed(3);
        assert!(message.contains(part), "{what}, {command}: {part:?} is not in {message}");
        assert!(message.contains("in/c.tar.zst: ") && message.contains("help: "), "{what}: {message}");
        assert!(!message.contains('\u{1b}'), "{what}: names of strangers are escaped");
        let after: Vec<String> = files_below(dir.path()).into_keys().collect();
        assert_eq!(before, after, "{what}, {command}: something was left");
    }
}

fn link(kind: EntryType, name: &str) -> Part {
    Part { kind, link: "/etc/passwd", ..part(name, b"") }
}

#[test]
fn the_capsule_that_the_hostile_ones_are_made_of_is_fine() {
    let dir = Dir::new();
    std::fs::write(dir.path().join("c.tar.zst"), capsule(|_, _| ())).expect("writes");
    dir.run(&["capsule", "unpack", "c.tar.zst", "-o", "out"]).ok();
    assert_eq!(dir.read("out/train.log"), "a line\n");
}

#[test]
fn entries_that_lead_elsewhere_are_refused() {
    for (name, words) in [
        ("/tmp/crucible_capsule_test", "has an absolute path"),
        ("C:\\evil.txt", "has an absolute path"),
        ("../evil.txt", "leads out of its folder by `..`"),
        ("eval/../../evil.txt", "leads out of its folder by `..`"),
        ("eval\\..\\evil.txt", "leads out of its folder by `..`"),
        ("a\u{1b}[2Jb", "name that is not allowed"),
        ("eval/ä.jsonl", "name that is not allowed"),
        ("eval//x.jsonl", "name that is not allowed"),
        ("aux.json", "name that is not allowed"),
    ] {
        assert_refused(name, &capsule(|_, parts| parts.push(part(name, b"x"))), &[], words);
        // The list is as hostile as the archive.
        let bytes = capsule(|list, parts| {
            list.files.push(FileRecord { path: name.to_owned(), ..list.files[2].clone() });
            parts.push(part(name, b"a line\n"));
        });
        assert_refused(name, &bytes, &[], words);
        // Even as the first entry.
        assert_refused(name, &zst(&tar_of(&[part(name, b"x")])), &[], words);
    }
    let outside = std::env::temp_dir().join("crucible_capsule_test");
    assert!(!outside.exists(), "nothing is written outside");
}

#[test]
fn what_is_no_plain_file_is_refused() {
    for (kind, words) in [
        (EntryType::Symlink, "is a symbolic link"),
        (EntryType::Link, "is a hard link"),
        (EntryType::Char, "is a device"),
        (EntryType::Block, "is a device"),
        (EntryType::Fifo, "is a pipe"),
        (EntryType::Directory, "is a folder"),
        (EntryType::GNULongName, "is an extension of tar"),
        (EntryType::XHeader, "is an extension of tar"),
        (EntryType::XGlobalHeader, "is an extension of tar"),
        (EntryType::GNUSparse, "is an extension of tar"),
        (EntryType::new(b'?'), "is an extension of tar"),
    ] {
        let what = format!("{kind:?}");
        // Under the name of a file that is listed.
        let bytes = capsule(|_, parts| parts[2] = link(kind, "train.log"));
        assert_refused(&what, &bytes, &[], words);
        assert_refused(&what, &zst(&tar_of(&[link(kind, METADATA)])), &[], words);
    }
}

#[test]
fn archive_and_list_must_agree() {
    let twice = capsule(|_, parts| parts.push(part("train.log", b"a line\n")));
    assert_refused("twice", &twice, &[], "comes twice");
    let case = capsule(|list, parts| {
        list.files.push(FileRecord { path: "x.json".to_owned(), kind: FileKind::Scoreboard, ..list.files[2].clone() });
        parts.extend([part("x.json", b"a line\n"), part("X.json", b"a line\n")]);
    });
    assert_refused("one name on some disks", &case, &[], "comes twice");
    let extra = capsule(|_, parts| parts.push(part("notes.json", b"x")));
    assert_refused("extra", &extra, &[], "the entry notes.json is not listed");
    let missing = capsule(|_, parts| drop(parts.pop()));
    assert_refused("missing", &missing, &[], "the file train.log is listed in metadata.json, but not in the archive");
    let hash = capsule(|_, parts| parts[2].bytes[0] = b'A');
    assert_refused("hash", &hash, &[], "the file train.log has the SHA-256");
    let size = capsule(|_, parts| parts[2] = part("train.log", b"a line and more\n"));
    assert_refused("size", &size, &[], "has 16 bytes, and metadata.json lists 7");
    let unknown = capsule(|list, _| list.files[2].path = "zz.sh".to_owned());
    assert_refused("no file of capsules", &unknown, &[], "capsules hold no such file");
    let kind = capsule(|list, _| list.files[2].kind = FileKind::Metrics);
    assert_refused("kind", &kind, &[], "calls train.log metrics");
    let newer = capsule(|list, _| list.format_version = 2);
    assert_refused("newer", &newer, &[], "a capsule of format 2");
    let others = zst(&tar_of(&FILES.map(|(name, bytes)| part(name, bytes))));
    assert_refused("no metadata", &others, &[], "it is no capsule: it begins with checkpoint_final.safetensors");
    assert_refused("empty", &zst(&tar_of(&[])), &[], "it is no capsule");
    assert_refused("another file", b"PK\x03\x04 no archive at all", &[], "it is no capsule");
    assert_refused("text in zstd", &zst(&[b'x'; 2000]), &[], "it is no capsule");
    assert_refused("broken list", &zst(&tar_of(&[part(METADATA, b"{\"format\": 1}")])), &[], "can't be used");
}

#[test]
fn truncated_archives_are_refused_wherever_they_end() {
    let noise: Vec<u8> = (0u32..20_000).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let mut list = metadata(&[FILES[0], FILES[1], ("train.log", &noise)]);
    list.files.sort_by(|a, b| a.path.cmp(&b.path));
    let parts = [listed(&list), part(FILES[0].0, FILES[0].1), part("config.yaml", b"{}"), part("train.log", &noise)];
    let tar = tar_of(&parts);
    let whole = zst(&tar);
    for cut in [1, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        assert_refused(&format!("packed, {cut}"), &whole[..cut], &[], "it is truncated");
    }
    // Cut before it was packed: within the list, between two files, within a head, within a file.
    let list = 512 + parts[0].bytes.len().next_multiple_of(512);
    for (cut, words) in [
        (600, "truncated: it ends within metadata.json"),
        (list, "is listed in metadata.json, but not in the archive"),
        (list + 100, "truncated: it ends after metadata.json"),
        (list + 512 + 3, "truncated: it ends within checkpoint_final.safetensors"),
        (tar.len() - 30_000, "truncated: it ends within train.log"),
    ] {
        assert_refused(&format!("unpacked, {cut}"), &zst(&tar[..cut]), &[], words);
    }
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0xff;
    let dir = Dir::new();
    std::fs::write(dir.path().join("c.tar.zst"), damaged).expect("writes");
    dir.run(&["capsule", "unpack", "c.tar.zst", "-o", "out"]).failed(3);
    assert!(!dir.path().join("out").exists());
}

/// An archive that ends in ten gigabytes of zeros: frames of 64 MiB, the same one again and again.
fn bomb(tar_before: &[u8]) -> Vec<u8> {
    let frame = zst(&vec![0; 64 << 20]);
    let mut bytes = zst(tar_before);
    for _ in 0..BOMB / (64 << 20) {
        bytes.extend(&frame);
    }
    assert!(bytes.len() < 4 << 20, "a bomb is small");
    bytes
}

#[test]
fn bombs_are_refused_before_they_are_expanded() {
    let started = std::time::Instant::now();
    let log = |size: u64| Part { size, ..part("train.log", b"") };
    let until = |parts: &[Part]| {
        let tar = tar_of(parts);
        tar[..tar.len() - 1024].to_vec()
    };
    let files = |list: &Metadata| vec![listed(list), part(FILES[0].0, FILES[0].1), part(FILES[1].0, FILES[1].1)];
    let honest = metadata(&FILES);
    let mut huge = honest.clone();
    huge.files[2].size = BOMB;
    let with = |list: &Metadata, last: Part| {
        let mut parts = files(list);
        parts.push(last);
        until(&parts)
    };
    let listed_bomb = bomb(&with(&huge, log(BOMB)));
    assert_refused("listed", &listed_bomb, &[], "it would unpack to more than 4294967296 bytes");
    assert_refused("a limit of one's own", &listed_bomb, &["--max-bytes", "9G"], "more than 9663676416 bytes");
    let hidden = bomb(&with(&honest, log(BOMB)));
    assert_refused("hidden", &hidden, &[], "has 10737418240 bytes, and metadata.json lists 7");
    let extension = Part { kind: EntryType::GNULongName, ..log(BOMB) };
    assert_refused("a long name", &bomb(&with(&honest, extension)), &[], "is an extension of tar");
    let list = Part { name: METADATA.into(), ..log(BOMB) };
    assert_refused("a long list", &bomb(&until(&[list])), &[], "metadata.json can't be used: it has 10737418240 bytes");
    let mut parts = files(&honest);
    parts.push(part(FILES[2].0, FILES[2].1));
    assert_refused("after the end", &bomb(&tar_of(&parts)), &[], "it goes on after the end of its archive");
    // Zeros until the limit are a lot; all of these together must be nothing like that.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn limits_can_be_set() {
    let fine = capsule(|_, _| ());
    assert_refused("bytes", &fine, &["--max-bytes", "15"], "more than 15 bytes (its files are listed with 16)");
    assert_refused("entries", &fine, &["--max-entries", "3"], "holds more than 3 entries");
    let many = capsule(|list, parts| {
        for i in 0..1000 {
            let name = format!("x{i:04}.json");
            list.files.push(FileRecord {
                path: name.clone(),
                kind: FileKind::Scoreboard,
                size: 0,
                sha256: sha256(b""),
            });
            parts.push(part(&name, b""));
        }
    });
    assert_refused("entries, unasked", &many, &[], "holds more than 1000 entries");
    let mut parts = vec![listed(&metadata(&FILES))];
    parts.extend(FILES.map(|(name, bytes)| part(name, bytes)));
    let trailing = zst(&[tar_of(&parts), b"and more".to_vec()].concat());
    assert_refused("trailing", &trailing, &[], "goes on after the end");
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
    let args = ["capsule", "pack", "run", "-o", "c.tar.zst", "--include-bundles", "--include-eval", "e.jsonl"];
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
        let ran = dir.run(&["capsule", "pack", "run", "--output", "c.tar.zst", "--json"]);
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
    let ran = dir.run(&["capsule", "pack", "run", "--output", "c.tar.zst", "--json"]);
    assert!(ran.stderr.contains("other_scoreboard.json is the scoreboard of another checkpoint"), "{ran:?}");
    assert_eq!(ran.json()["evals"].as_array().map(Vec::len), Some(1));

    // The bundles lie elsewhere by now.
    let pack = ["capsule", "pack", "run", "--output", "c.tar.zst", "--bundles"];
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
    let state = || dir.run(&["capsule", "pack", "run", "--output", "c.tar.zst", "--json"]).json()["git"].clone();
    let clean = state();
    assert_eq!((clean["commit"].as_str().map(str::len), &clean["dirty"]), (Some(40), &false.into()), "{clean}");
    dir.file("crucible.yaml", "training: {steps: 1}");
    assert_eq!(state()["dirty"], true);
}

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn skipped() {
    println!("skipped: there is no git");
}

/// Writes `to` as `from` with other files in it; the list is made to agree.
fn changed(dir: &Dir, from: &str, to: &str, change: impl FnOnce(&mut Files, &mut Value)) {
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

/// The checks of a capsule that do not hold: `check file`, and their words.
fn failures(dir: &Dir, args: &[&str]) -> BTreeMap<String, String> {
    let ran = dir.run(&[&["capsule", "verify", "--json"][..], args].concat());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    let failed: BTreeMap<String, String> = report["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter(|check| check["passed"] == false)
        .map(|check| {
            let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
            (format!("{} {}", text("check"), text("file")), text("message"))
        })
        .collect();
    assert_eq!(report["passed"], failed.is_empty());
    assert_eq!(ran.code, if failed.is_empty() { 0 } else { 3 }, "{ran:#?}");
    failed
}

#[test]
fn a_capsule_that_holds() {
    let dir = packed();
    let ran = dir.run(&["capsule", "verify", "c.tar.zst"]);
    for part in
        ["ok     files", "ok     config", "ok     scoreboard", "ok     items", "ok     eval_set", "ok     bundles"]
    {
        assert!(ran.ok().contains(part), "{part}: {ran:?}");
    }
    assert!(
        ran.stdout.contains("scored anew, all") && ran.stdout.contains("The capsule holds; who packed it"),
        "{ran:?}"
    );
    assert!(failures(&dir, &["c.tar.zst"]).is_empty());
}

#[test]
fn what_does_not_fit_together_is_found() {
    let dir = packed();
    let with = |change: &dyn Fn(&mut Files, &mut Value)| {
        changed(&dir, "c.tar.zst", "d.tar.zst", change);
        failures(&dir, &["d.tar.zst"])
    };
    assert_eq!(with(&|_, _| ()), BTreeMap::new(), "the changing itself does no harm");
    let edit = |files: &mut Files, name: &str, from: &str, to: &str| {
        let text = String::from_utf8(files[name].clone()).expect("text");
        assert!(text.contains(from), "{from} in {name}");
        files.insert(name.to_owned(), text.replacen(from, to, 1).into_bytes());
    };
    let keys = |found: &BTreeMap<String, String>| found.keys().cloned().collect::<Vec<_>>();

    // One bit of one weight.
    let found = with(&|files, _| *files.get_mut(CHECKPOINT).and_then(|b| b.last_mut()).expect("bytes") ^= 1);
    assert!(keys(&found).contains(&format!("checkpoint {CHECKPOINT}")), "{found:?}");
    let found = with(&|files, _| files.get_mut(CHECKPOINT).expect("is there").truncate(1000));
    assert!(found[&format!("checkpoint {CHECKPOINT}")].contains("checkpoint_final.safetensors"), "{found:?}");

    let found = with(&|files, _| edit(files, "config.yaml", "steps: 60", "steps: 61"));
    assert_eq!(keys(&found), ["config config.yaml"], "{found:?}");
    assert!(found["config config.yaml"].contains("the steps differ (61 and 60)"));
    let found = with(&|files, _| edit(files, "config.yaml", "embedding_dim: 16", "embedding_dim: 32"));
    assert!(!found.is_empty(), "another model");
    for hostile in ["extends: /etc/hostname\n", "training: {steps: ${HOME}}\n", "tracking: {\n", "more: 1\n"] {
        let found = with(&|files, _| drop(files.insert("config.yaml".to_owned(), hostile.as_bytes().to_vec())));
        assert_eq!(keys(&found), ["config config.yaml"], "{hostile}: {found:?}");
        assert!(!found["config config.yaml"].contains(std::env::temp_dir().to_str().expect("plain")), "{found:?}");
    }

    let board = "frozen_scoreboard.json";
    let found = with(&|files, _| {
        let mut value: Value = serde_json::from_slice(&files[board]).expect("JSON");
        value["overall"]["correct"] = (value["overall"]["correct"].as_u64().expect("a number") + 1).into();
        files.insert(board.to_owned(), value.to_string().into_bytes());
    });
    assert_eq!(keys(&found), ["items frozen_scoreboard_items.jsonl"], "{found:?}");
    let found = with(&|files, _| {
        // Numbers that were made up, all alike.
        let text = String::from_utf8(files["frozen_scoreboard_items.jsonl"].clone()).expect("text");
        let mut passed = 0;
        let lines: String = text
            .lines()
            .map(|line| {
                let mut item: Value = serde_json::from_str(line).expect("JSON");
                if item["margin"].as_f64().expect("a number") <= 0.0 {
                    item["margin"] = 0.5.into();
                    passed += 1;
                }
                item.to_string() + "\n"
            })
            .collect();
        assert!(passed > 0, "some failed");
        files.insert("frozen_scoreboard_items.jsonl".to_owned(), lines.into_bytes());
        let mut value: Value = serde_json::from_slice(&files[board]).expect("JSON");
        value["overall"]["correct"] = value["overall"]["n"].clone();
        value["by_tier"].as_object_mut().expect("tiers").values_mut().for_each(|t| t["correct"] = t["n"].clone());
        files.insert(board.to_owned(), value.to_string().into_bytes());
    });
    assert_eq!(keys(&found), ["scores frozen_scoreboard.json"], "{found:?}");
    let found = with(&|files, _| edit(files, "eval/e.jsonl", "\"text\":\"", "\"text\":\"Other "));
    assert!(keys(&found).contains(&"eval_set eval/e.jsonl".to_owned()), "{found:?}");
    let found = with(&|files, _| edit(files, "bundles/b.jsonl", "\"text\":\"", "\"text\":\"Other "));
    assert_eq!(keys(&found), ["bundles bundles/b.jsonl"], "{found:?}");
    let found = with(&|_, list| list["evals"][0]["fingerprint"] = "0123456789abcdef|42|1".into());
    assert_eq!(keys(&found), ["scoreboard frozen_scoreboard.json"], "{found:?}");
    let found = with(&|files, _| drop(files.remove(board)));
    assert_eq!(keys(&found), ["items frozen_scoreboard_items.jsonl", "scoreboard frozen_scoreboard.json"], "{found:?}");
    let found = with(&|files, _| drop(files.insert("x.json".to_owned(), b"{}".to_vec())));
    assert_eq!(keys(&found), ["scoreboard x.json"], "{found:?}");
    // An eval set that is a bomb itself.
    changed(&dir, "c.tar.zst", "d.tar.zst", |files, list| {
        let eval = files.remove("eval/e.jsonl").expect("is there");
        let packed = [zst(&eval), zst(&vec![b'\n'; 32 << 20])].concat();
        files.insert("eval/e.jsonl.zst".to_owned(), packed);
        list["evals"][0]["packed"] = "eval/e.jsonl.zst".into();
    });
    let found = failures(&dir, &["d.tar.zst", "--max-bytes", "8M"]);
    assert!(found["eval_set eval/e.jsonl.zst"].contains("unpacks to 8388608 bytes or more"), "{found:?}");
}

#[test]
fn a_rerun_ends_in_the_same_bits() {
    let dir = packed();
    let ran = dir.run(&["capsule", "verify", "c.tar.zst", "--rerun"]);
    assert!(ran.ok().contains("checkpoint, bit for bit"), "{ran:?}");
    assert_eq!(ran.stdout.matches("the same bytes").count(), 4, "metrics, exposures and findings, too: {ran:?}");
    let before: Vec<String> = files_below(dir.path()).into_keys().collect();
    assert!(before.iter().all(|name| !name.contains("again")), "{before:?}");

    // A setting that the checkpoint does not show.
    changed(&dir, "c.tar.zst", "d.tar.zst", |files, _| {
        let text = String::from_utf8(files["config.yaml"].clone()).expect("text");
        assert!(text.contains("learning_rate: 0.003"), "{text}");
        files.insert(
            "config.yaml".to_owned(),
            text.replace("learning_rate: 0.003", "learning_rate: 0.004").into_bytes(),
        );
    });
    assert!(failures(&dir, &["d.tar.zst"]).is_empty(), "without a rerun nobody sees it");
    let found = failures(&dir, &["d.tar.zst", "--rerun"]);
    assert!(found[&format!("rerun {CHECKPOINT}")].contains("another checkpoint"), "{found:?}");
    assert!(found["rerun metrics.jsonl"].contains("differs from line 1 on"), "{found:?}");

    // One bit of one weight, and everything else made to fit.
    changed(&dir, "c.tar.zst", "d.tar.zst", |files, list| {
        *files.get_mut(CHECKPOINT).and_then(|b| b.last_mut()).expect("bytes") ^= 1;
        list["checkpoint"]["sha256"] = sha256(&files[CHECKPOINT]).into();
        files.retain(|name, _| !name.starts_with("frozen") && !name.starts_with("eval/"));
        list["evals"] = Value::Array(Vec::new());
    });
    assert!(failures(&dir, &["d.tar.zst"]).is_empty());
    let found = failures(&dir, &["d.tar.zst", "--rerun"]);
    assert_eq!(found.keys().collect::<Vec<_>>(), [&format!("rerun {CHECKPOINT}")], "{found:?}");
}

#[test]
fn a_rerun_takes_bundles_from_outside_if_they_are_the_same() {
    let dir = trained();
    dir.run(&["capsule", "pack", "run", "-o", "c.tar.zst"]).ok();
    let rerun = ["capsule", "verify", "c.tar.zst", "--rerun"];
    assert!(dir.run(&rerun).failed(2).contains("--rerun needs the training bundles"));
    let with = |name: &str| dir.run(&[&rerun[..], &["--bundles", name]].concat());
    // The same bundles in other bytes.
    dir.file("crlf.jsonl", &dir.read("b.jsonl").replace('\n', "\r\n"));
    assert!(with("crlf.jsonl").ok().contains("bit for bit"));
    assert!(with("e.jsonl").failed(5).contains("e.jsonl holds other bundles than the run was trained on"));
    let ran = dir.run(&["capsule", "verify", "c.tar.zst", "--bundles", "b.jsonl"]);
    ran.failed(2);
}

#[test]
fn a_ready_tokenizer_is_taken_from_the_checkpoint() {
    let dir = trained();
    let bytes = std::fs::read(dir.path().join("run").join(CHECKPOINT)).expect("reads");
    let checkpoint = crucible_core::encoder::Checkpoint::from_bytes(&bytes).expect("a checkpoint");
    dir.file("t.json", &checkpoint.tokenizer.to_json().expect("JSON"));
    dir.run(&["train", "--output-dir", "r2", "--device", "cpu", "--model.tokenizer_file", "t.json"]).ok();
    dir.run(&["capsule", "pack", "r2", "-o", "c.tar.zst", "--include-bundles"]).ok();
    std::fs::remove_file(dir.path().join("t.json")).expect("removes");
    assert!(dir.run(&["capsule", "verify", "c.tar.zst", "--rerun"]).ok().contains("bit for bit"));
}

#[test]
fn a_rerun_is_for_the_same_device() {
    let dir = packed();
    changed(&dir, "c.tar.zst", "d.tar.zst", |_, list| list["device"] = "Some board (Vulkan)".into());
    let ran = dir.run(&["capsule", "verify", "d.tar.zst", "--rerun"]);
    ran.failed(4);
    let ran = dir.run(&["capsule", "verify", "d.tar.zst", "--rerun", "--device", "cpu"]);
    assert!(ran.ok().contains("bit for bit") && ran.stderr.contains("it was trained on Some board"), "{ran:?}");
}

fn signed() -> Dir {
    let dir = trained();
    for name in ["ours", "theirs"] {
        dir.run(&["capsule", "keygen", "--output", name, "--no-password"]).ok();
    }
    dir.run(&["capsule", "pack", "run", "-o", "c.tar.zst", "--sign", "ours.key"]).ok();
    dir
}

#[test]
fn signatures() {
    let dir = signed();
    let verify = |key: &str| dir.run(&["capsule", "verify", "c.tar.zst", "--public-key", key]);
    let ran = verify("ours.pub");
    assert!(ran.ok().contains("ok     signature") && ran.stdout.contains("The capsule holds."), "{ran:?}");
    let text = dir.read("ours.pub").lines().nth(1).expect("a key").to_owned();
    assert!(verify(&text).ok().contains("file:c.tar.zst"));
    let unasked = dir.run(&["capsule", "verify", "c.tar.zst"]);
    assert!(unasked.stderr.contains("c.tar.zst.minisig was not looked at"), "{unasked:?}");

    // Each of these also stops an unpacking.
    let refused = |key: &str, part: &str| {
        let ran = verify(key);
        assert!(ran.failed(3).contains(part), "{part}: {ran:?}");
        let ran = dir.run(&["capsule", "unpack", "c.tar.zst", "-o", "out", "--public-key", key]);
        assert!(ran.failed(3).contains(part) && !dir.path().join("out").exists(), "{part}: {ran:?}");
    };
    refused("theirs.pub", "was signed with the key");
    // Another key under the same number.
    let (ours, theirs) = (dir.read("ours.pub"), dir.read("theirs.pub"));
    let key = |text: &str| text.lines().nth(1).expect("a key").to_owned();
    // 2 bytes of algorithm and 8 of number are 13 characters and a bit: the 14th is shared.
    let forged = key(&ours)[..13].to_owned() + &key(&theirs)[13..];
    if verify(&forged).stderr.contains("does not hold") {
        refused(&forged, "does not hold");
    }
    let signature = dir.read("c.tar.zst.minisig");
    for (change, part) in [
        (signature.replace("file:c.tar.zst", "file:d.tar.zst"), "does not hold"),
        ("untrusted comment: x\n".to_owned(), "is no signature of minisign"),
        (signature.lines().take(3).map(|l| format!("{l}\n")).collect(), "is no signature of minisign"),
        // Too short for what the library takes for granted.
        (signature.lines().take(3).map(|l| format!("{l}\n")).collect::<String>() + "AAAA\n", "is no signature"),
        (String::new(), "is no signature of minisign"),
    ] {
        dir.file("c.tar.zst.minisig", &change);
        refused("ours.pub", part);
    }
    dir.file("c.tar.zst.minisig", &signature);
    verify("ours.pub").ok();
    // One byte of the archive.
    let path = dir.path().join("c.tar.zst");
    let whole = std::fs::read(&path).expect("reads");
    let mut other = whole.clone();
    other[whole.len() / 2] ^= 1;
    std::fs::write(&path, other).expect("writes");
    refused("ours.pub", "does not hold");
    std::fs::write(&path, &whole).expect("writes");
    std::fs::rename(dir.path().join("c.tar.zst.minisig"), dir.path().join("moved")).expect("moves");
    refused("ours.pub", "is not signed: there is no c.tar.zst.minisig");
    dir.run(&["capsule", "verify", "c.tar.zst", "--public-key", "ours.pub", "--signature", "moved"]).ok();
    assert!(verify("nowhere.pub").failed(2).contains("neither a file"));
    assert!(verify("ours.key").failed(2).contains("neither a file"));
}

#[test]
fn a_signature_does_not_outlive_what_it_signed() {
    let dir = signed();
    let pack = ["capsule", "pack", "run", "-o", "c.tar.zst", "--packed-at", "noon"];
    assert!(dir.run(&pack).failed(2).contains("c.tar.zst.minisig signs what c.tar.zst held so far"));
    dir.run(&[&pack[..], &["--sign", "ours.key"]].concat()).ok();
    let ran = dir.run(&["capsule", "verify", "c.tar.zst", "--public-key", "ours.pub"]);
    assert!(ran.ok().contains("packed_at:noon"), "{ran:?}");
}

#[test]
fn keys_with_a_password() {
    let dir = trained();
    let with = |password: Option<&str>, args: &[&str]| {
        let mut command = dir.command(args);
        command.env_remove("CRUCIBLE_SIGN_PASSWORD").stdin(std::process::Stdio::null());
        if let Some(password) = password {
            command.env("CRUCIBLE_SIGN_PASSWORD", password);
        }
        finish(&mut command)
    };
    let keygen = ["capsule", "keygen", "--output", "k"];
    assert!(with(None, &keygen).failed(2).contains("set CRUCIBLE_SIGN_PASSWORD"));
    assert!(with(Some(""), &keygen).failed(2).contains("--no-password"));
    with(Some("open sesame"), &keygen).ok();
    assert!(with(Some("open sesame"), &keygen).failed(2).contains("keys are not replaced"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.path().join("k.key")).expect("is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "a secret is for its owner alone");
    }
    let pack = ["capsule", "pack", "run", "-o", "c.tar.zst", "--sign", "k.key"];
    assert!(with(None, &pack).failed(2).contains("has a password"));
    assert!(with(Some("wrong"), &pack).failed(2).contains("can't be opened"));
    assert!(!dir.path().join("c.tar.zst").exists());
    with(Some("open sesame"), &pack).ok();
    dir.run(&["capsule", "verify", "c.tar.zst", "--public-key", "k.pub"]).ok();
    let ran = dir.run(&["capsule", "pack", "run", "-o", "d.tar.zst", "--sign", "k.pub"]);
    assert!(ran.failed(2).contains("is no secret key of minisign"), "{ran:?}");
}

/// Written by minisign 0.11 (`minisign -G -W`, `minisign -S -t file:text`): a key without a password, what it signed.
mod of_minisign {
    pub(super) const TEXT: &str = "signed by minisign 0.11\n";
    pub(super) const SECRET: &str = "untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAmmY/rHzDGU6fo9RxaMOduFoDrLwWUeiHwCKyAk3pGqqOvJ+gEaEW3bYzx1w97E+plM7E1F8eX8E/uXbUlDTAdbKSyVqQ4jwWAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
";
    pub(super) const PUBLIC: &str = "RWSaZj+sfMMZTrYzx1w97E+plM7E1F8eX8E/uXbUlDTAdbKSyVqQ4jwW";
    pub(super) const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUSaZj+sfMMZTpBhVGHSllUqb7/fKYRNauYMZwUx1IEO45iM/T5hb4oxDW49261SGMCi9nfxvMXJK2vvlEyz4fsCF8H7ZCml2AQ=
trusted comment: file:text
p+LU/NOv6mxqucRwTJJf5phF1ggKWaq5vLd9vikzN6zXuD9CnOGNFGS9iDZsJmKKPaAfJTDbHPHmjPdzvrzrBg==
";
    pub(super) const OLD_KIND: &str = "untrusted comment: signature from minisign secret key
RWSaZj+sfMMZTmy1Rm7Ql+kfTl6TkZngtna66fh96MoM1JzajzF1v8/Rd0geH3gXGabb0ZMSOQjXB4a3CYFDOOXswkdj4Fri2Qs=
trusted comment: timestamp:1795521967\tfile:text
cSLdyUxGMMtknbm6Yz1See/ttMRLdIOq9xL201HwYWuSQkulEqEQdjzfln7iqrt9pMtTZrM2U5rNVH4x04apDw==
";
}

#[test]
fn keys_and_signatures_of_minisign_are_read() {
    let dir = trained();
    dir.file("m.key", of_minisign::SECRET);
    dir.run(&["capsule", "pack", "run", "-o", "c.tar.zst", "--sign", "m.key"]).ok();
    let ran = dir.run(&["capsule", "verify", "c.tar.zst", "--public-key", of_minisign::PUBLIC, "--json"]);
    assert_eq!(ran.json()["signature"]["key_id"], "4E19C37CAC3F669A", "as minisign prints it");
    // A key whose halves don't belong together signs nothing.
    let damaged = of_minisign::SECRET.replacen("zUW3bYzx1w", "", 1).replacen("bYzx1w97", "bYzx1w98", 1);
    dir.file("damaged.key", &damaged);
    dir.run(&["capsule", "pack", "run", "-o", "d.tar.zst", "--sign", "damaged.key"]).failed(1);
    assert!(!dir.path().join("d.tar.zst").exists());

    dir.file("text", of_minisign::TEXT);
    let verify = |signature: &str| {
        dir.file("text.minisig", signature);
        dir.run(&["capsule", "verify", "text", "--public-key", of_minisign::PUBLIC]).failed(3).to_owned()
    };
    assert!(
        verify(of_minisign::SIGNATURE).contains("text: it is no capsule"),
        "the signature holds, the rest does not"
    );
    assert!(verify(of_minisign::OLD_KIND).contains("old kind"));
    dir.file("text", "another text\n");
    assert!(verify(of_minisign::SIGNATURE).contains("does not hold"));
}

#[test]
fn an_output_that_can_not_be_made_leaves_nothing() {
    let dir = Dir::new();
    std::fs::write(dir.path().join("c.tar.zst"), capsule(|_, _| ())).expect("writes");
    dir.file("file", "x");
    dir.run(&["capsule", "unpack", "c.tar.zst", "-o", "file/out"]).failed(1);
    assert!(dir.run(&["capsule", "unpack", "c.tar.zst", "-o", "file"]).failed(2).contains("no folder"));
    let left: Vec<String> = files_below(dir.path()).into_keys().collect();
    assert_eq!(left, ["c.tar.zst", "file"]);
}
