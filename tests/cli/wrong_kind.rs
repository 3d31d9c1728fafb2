//! Files of the wrong kind: one line says what they are, and which command takes them.

use crate::util::Dir;
use std::io::Write;

const EVENTS: &str =
    "{\"event_id\":\"1\",\"sense\":\"a#1\",\"text\":\"t\"}\n{\"event_id\":\"2\",\"sense\":\"a#1\",\"text\":\"u\"}\n";
const BUNDLES: &str = "{\"bundle_id\":\"b\",\"anchor\":{\"event_id\":\"1\",\"sense\":\"a#1\",\"text\":\"t\"},\"positive\":{\"event_id\":\"2\",\
                       \"sense\":\"a#1\",\"text\":\"u\"},\"negatives\":[{\"event_id\":\"3\",\"sense\":\"a#2\",\"text\":\"v\"}]}\n";
const BOARD: &str = "{\n  \"eval_header\": {},\n  \"checkpoint\": {}\n}\n";

fn safetensors(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 64]].concat()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).expect("a Vec takes everything");
    packer.finish().expect("a Vec takes everything")
}

fn capsule() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(2);
    header.set_cksum();
    archive.append_data(&mut header, "metadata.json", &b"{}"[..]).expect("a Vec takes everything");
    zstd::encode_all(&archive.into_inner().expect("ends")[..], 1).expect("packs")
}

/// A file's name and bytes; what it is; what is advised.
fn files() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let utf16: Vec<u8> = EVENTS.encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        ("events.jsonl", text(EVENTS), "is a file of events", "`crucible bundle --events events.jsonl"),
        ("events.jsonl.gz", gzip(EVENTS), "is a file of events", "`crucible bundle --events events.jsonl.gz"),
        ("bundles.jsonl", text(BUNDLES), "is a file of bundles", "crucible train --bundles"),
        ("board.json", text(BOARD), "is a scoreboard", "crucible compare"),
        (
            "items.jsonl",
            text("{\"bundle_id\":\"b\",\"margin\":0.5,\"winning_negative\":\"3\"}\n"),
            "items",
            "the scoreboard that it lies beside",
        ),
        (
            "t.csv",
            text("text,label\nhow much,price\nwhere,place\n"),
            "is a CSV table",
            "`crucible import labelled --input t.csv",
        ),
        ("t.tsv", text("text\tlabel\nhow much\tprice\n"), "is a TSV table", "import labelled"),
        ("rows.jsonl", text("{\"text\":\"t\",\"label\":\"a\"}\n"), "labelled texts", "import labelled"),
        (
            "triplets.jsonl",
            text("{\"anchor\":\"t\",\"positive\":\"u\",\"negative\":\"v\"}\n"),
            "triplets",
            "import triplets",
        ),
        ("array.json", text("[{\"text\":\"t\"},\n {\"text\":\"u\"}]\n"), "is one JSON array", "jq -c '.[]' array.json"),
        ("pretty.json", text("{\n  \"a\": 1\n}\n"), "JSON document over several lines", "jq -c . pretty.json"),
        (
            "pointer",
            text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
            "Git LFS pointer",
            "git lfs pull",
        ),
        (
            "adapter.safetensors",
            safetensors("{\"base.q.lora_A.weight\":{}}"),
            "LoRA adapter",
            "merge it into its base model",
        ),
        ("p.parquet", text("PAR1\u{15}\u{0}"), "is a Parquet file", "import labelled"),
        ("d.sqlite", text("SQLite format 3\u{0}\u{10}"), "is an SQLite database", "import labelled"),
        ("c.capsule.tar.zst", capsule(), "is a capsule", "`crucible capsule unpack c.capsule.tar.zst"),
        ("z.zip", text("PK\u{3}\u{4}\u{14}\u{0}"), "is a zip archive", "unpack it"),
        ("packed.jsonl", gzip(EVENTS), "is a file of events", "`crucible bundle --events packed.jsonl"),
        ("r.pdf", text("%PDF-1.7\n"), "is a PDF", ""),
        ("page.html", text("<!DOCTYPE html>\n<html></html>\n"), "a web page (HTML)", "was the download right?"),
        (
            "utf16.jsonl",
            [&b"\xff\xfe"[..], &utf16].concat(),
            "is text in UTF-16",
            "iconv -f UTF-16 -t UTF-8 utf16.jsonl",
        ),
        ("notes.txt", text("training:\n  steps: 10\n"), "is text, and", "is this the right file?"),
        (
            "program",
            text("\u{7f}ELF\u{2}\u{1}\u{1}\u{0}"),
            "is a binary file of no known kind",
            "is this the right file?",
        ),
    ]
}

/// Runs `args` with each file but `own` in place of `FILE`.
fn refused(args: &[&str], own: &[&str], wanted: &str) {
    let dir = Dir::new();
    dir.file("events.jsonl", EVENTS);
    dir.file("bundles.jsonl", BUNDLES);
    dir.file("crucible.yaml", "training: {steps: 20, warmup_steps: 1}\n");
    for (name, bytes, is, advice) in files() {
        if own.contains(&name) {
            continue;
        }
        std::fs::write(dir.path().join(name), bytes).expect("writes");
        let args: Vec<&str> = args.iter().map(|arg| if *arg == "FILE" { name } else { arg }).collect();
        let ran = dir.run(&args);
        let said = ran.failed(3);
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
        for part in [name, is, wanted, advice] {
            assert!(said.contains(part), "{args:?}: {part}: {said}");
        }
    }
}

#[test]
fn where_events_are_wanted() {
    refused(
        &["bundle", "--events", "FILE", "--output", "o.jsonl"],
        &["events.jsonl", "events.jsonl.gz", "packed.jsonl"],
        "events (JSON Lines) are wanted here",
    );
}

#[test]
fn where_bundles_are_wanted() {
    refused(&["pool", "stats", "FILE"], &["bundles.jsonl"], "bundles (JSON Lines) are wanted here");
    // Training names its files by their whole paths.
    let dir = Dir::new();
    dir.file("events.jsonl", EVENTS);
    let ran = dir.run(&["train", "--bundles", "events.jsonl", "--output-dir", "r", "--quiet"]);
    let said = ran.failed(3);
    assert!(said.lines().count() == 1 && said.contains("is a file of events, and bundles"), "{said}");
    assert!(said.contains("`crucible bundle --events ") && !dir.path().join("r").exists(), "{said}");
}

#[test]
fn where_a_scoreboard_is_wanted() {
    refused(
        &["compare", "FILE", "FILE"],
        &["board.json", "pretty.json", "rows.jsonl", "triplets.jsonl"],
        "a scoreboard (JSON) is wanted here",
    );
}

#[test]
fn where_a_checkpoint_is_wanted() {
    let args = ["embed", "--events", "events.jsonl", "--output", "v.safetensors", "--checkpoint", "FILE"];
    refused(&args, &["own.safetensors"], "a checkpoint (checkpoint_final.safetensors) is wanted here");
}

#[test]
fn where_vectors_are_wanted() {
    let args = [
        "bundle",
        "--events",
        "events.jsonl",
        "--output",
        "o.jsonl",
        "--embedding-ids",
        "events.jsonl",
        "--embeddings",
        "FILE",
    ];
    // Vectors are read at any place of their file, which is not unpacked.
    let own = ["notes.txt", "program", "p.parquet", "events.jsonl.gz", "packed.jsonl", "c.capsule.tar.zst"];
    refused(&args, &own, "vectors (.npy, .safetensors or .parquet) are wanted here");
    let dir = Dir::new();
    dir.file("events.jsonl", EVENTS);
    std::fs::write(dir.path().join("v.npy.gz"), gzip("x")).expect("writes");
    let args = ["bundle", "--events", "events.jsonl", "--output", "o.jsonl", "--embeddings", "v.npy.gz"];
    let ran = dir.run(&[&args[..], &["--embedding-ids", "events.jsonl"]].concat());
    assert!(ran.failed(3).contains("is packed by gzip") && ran.stderr.contains("unpack it first"), "{ran:?}");
}

#[test]
fn a_checkpoint_is_no_eval_set() {
    let dir = Dir::new();
    std::fs::write(dir.path().join("own.safetensors"), safetensors("{\"__metadata__\":{\"crucible\":\"{}\"}}"))
        .expect("writes");
    let ran = dir.run(&["pool", "stats", "own.safetensors"]);
    let said = ran.failed(3);
    assert!(said.contains("is a checkpoint, and bundles") && said.contains("--checkpoint own.safetensors"), "{said}");
}

#[test]
fn lines_of_the_right_kind_are_named() {
    let dir = Dir::new();
    dir.file("b.jsonl", &format!("no JSON\n{BUNDLES}{{\"bundle_id\":\"c\"}}\n"));
    let ran = dir.run(&["pool", "stats", "b.jsonl"]);
    let said = ran.failed(3);
    assert!(said.contains("2 faults") && said.contains("line 1: not JSON") && said.contains("line 3: "), "{said}");
}
