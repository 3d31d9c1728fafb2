//! Capsules of strangers: each is refused with its own words, and leaves nothing.

use crate::capsule::{CHECKPOINT, Part, files_below, part, sha256, tar_of, zst};
use crate::util::{Dir, finish};
use crucible_core::capsule::{CheckpointRecord, FORMAT, FORMAT_VERSION, FileKind, FileRecord, METADATA, Metadata};
use tar::EntryType;

/// Ten gigabytes.
const BOMB: u64 = 10 << 30;

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
fn an_output_that_can_not_be_made_leaves_nothing() {
    let dir = Dir::new();
    std::fs::write(dir.path().join("c.tar.zst"), capsule(|_, _| ())).expect("writes");
    dir.file("file", "x");
    dir.run(&["capsule", "unpack", "c.tar.zst", "-o", "file/out"]).failed(1);
    assert!(dir.run(&["capsule", "unpack", "c.tar.zst", "-o", "file"]).failed(2).contains("no folder"));
    let left: Vec<String> = files_below(dir.path()).into_keys().collect();
    assert_eq!(left, ["c.tar.zst", "file"]);
}
