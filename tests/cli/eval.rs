//! `crucible eval`, `crucible probe` and `crucible embed`.

use crate::util::Dir;
use crucible_core::config::{Model, TokenizerKind};
use crucible_core::encoder::{Checkpoint, Corpus, StaticEncoder, Tokenizer};
use std::fmt::Write;

/// Senses of two lemmas, told apart by a word.
pub(crate) fn events(from: usize, count: usize) -> Vec<String> {
    let word = |sense: usize| ["river", "money", "ball", "night"][sense];
    let event = |i: usize| {
        let (lemma, sense) = (["bank", "bat"][i % 4 / 2], i % 2 + 1);
        let text = format!("the {lemma} by the {} number {i}", word(i % 4));
        format!(r#"{{"event_id":"e{i}","sense":"{lemma}#{sense}","text":"{text}","span":[4,{}]}}"#, 4 + lemma.len())
    };
    (from..from + count).map(event).collect()
}

pub(crate) fn bundles() -> String {
    let events = events(0, 60);
    let mut text = String::new();
    for i in 0..48 {
        let tier = ["tier1_easy", "tier2_robust", "tier3_adversarial"][i % 3];
        let negative = |n: usize| events[n].replacen('{', r#"{"source":"within_lemma","#, 1);
        let _ = writeln!(
            text,
            r#"{{"bundle_id":"b{i}","anchor":{},"positive":{},"negatives":[{},{}],"metadata":{{"tier":"{tier}"}}}}"#,
            events[i],
            events[i + 4],
            negative(i + 1 - 2 * (i % 2)),
            negative(i + 5 - 2 * (i % 2)),
        );
    }
    text
}

pub(crate) fn checkpoint(seed: u64) -> Vec<u8> {
    let texts = events(0, 100);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let tokenizer = Tokenizer::train(TokenizerKind::Wordpiece, 200, &texts).expect("trains");
    let config = Model { embedding_dim: 16, hidden_dim: 16, vocab_size: 200, ..Model::default() };
    let vocab = tokenizer.vocab_size();
    let encoder = StaticEncoder::init(&config, vocab, &Corpus::default(), seed).expect("fits");
    let checkpoint = Checkpoint { encoder, tokenizer: Some(tokenizer), step: 0, seed, version: "0".to_owned() };
    checkpoint.to_bytes().expect("writes")
}

/// A folder with a model and an eval set.
fn prepared() -> Dir {
    let dir = Dir::new();
    std::fs::write(dir.path().join("m.safetensors"), checkpoint(1)).expect("writes");
    dir.file("e.jsonl", &bundles());
    dir.file("train.jsonl", &events(0, 80).join("\n"));
    dir.file("test.jsonl", &events(80, 40).join("\n"));
    dir
}

const EVAL: [&str; 5] = ["eval", "--checkpoint", "m.safetensors", "--eval-set", "e.jsonl"];

fn eval<'a>(more: &[&'a str]) -> Vec<&'a str> {
    EVAL.iter().chain(more).copied().collect()
}

#[test]
fn a_scoreboard_and_its_items() {
    let dir = prepared();
    let ran = dir.run(&eval(&["--output", "out/s.json"]));
    for part in ["overall", "tier3_adversarial", "95 % interval", "chance", "33.3 %", "Sanity:", "s_items.jsonl"] {
        assert!(ran.ok().contains(part), "{part}: {ran:?}");
    }
    let board: serde_json::Value = serde_json::from_str(&dir.read("out/s.json")).expect("JSON");
    assert_eq!(board["overall"]["n"], 48);
    assert!(board["eval_header"]["fingerprint"].as_str().is_some_and(|f| f.ends_with("|42|48")), "{board}");
    assert_eq!(dir.read("out/s_items.jsonl").lines().count(), 48);
    let json = dir.run(&eval(&["--output", "t.json", "--items", "i.jsonl", "--json", "--batch-size", "8"])).json();
    assert_eq!(json["overall"], board["overall"]);
    assert_eq!(dir.read("i.jsonl"), dir.read("out/s_items.jsonl"));
}

#[test]
fn baselines() {
    let dir = prepared();
    dir.run(&eval(&["--output", "a.json"])).ok();
    let again = ["--output", "b.json", "--baseline-scoreboard", "a.json"];
    let json = dir.run(&eval(&[&again[..], &["--json"]].concat())).json();
    assert_eq!(json["baseline"]["passed"], true);
    assert_eq!(json["baseline"]["flips"]["lost"], 0);

    let other = [&again[..], &["--seed", "7"]].concat();
    std::fs::remove_file(dir.path().join("b.json")).expect("is there");
    let ran = dir.run(&eval(&other));
    assert!(ran.failed(5).contains("the seeds differ (7 and 42)"), "{ran:?}");
    assert!(!dir.path().join("b.json").exists(), "nothing was written");
    let json = dir.run(&eval(&[&other[..], &["--allow-fingerprint-mismatch", "--json"]].concat())).json();
    assert_eq!(json["overrides"][0]["acknowledged_by"], "--allow-fingerprint-mismatch");

    // A baseline that passed everything.
    let mut board: serde_json::Value = serde_json::from_str(&dir.read("a.json")).expect("JSON");
    board["by_tier"]["tier1_easy"]["pass_rate"] = 2.into();
    dir.file("good.json", &board.to_string());
    let ran = dir.run(&eval(&["--output", "c.json", "--baseline-scoreboard", "good.json"]));
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("tier1_easy from 200.0 %") && !ran.stderr.contains("tier2"), "{ran:?}");
    assert!(ran.stdout.contains("regressed") && dir.path().join("c.json").exists());
}

#[test]
fn inputs_that_cannot_be_used() {
    let dir = prepared();
    let whole = checkpoint(1);
    std::fs::write(dir.path().join("cut.safetensors"), &whole[..whole.len() / 2]).expect("writes");
    dir.file("page.safetensors", "<!DOCTYPE html><html>Not found</html>");
    dir.file("empty.safetensors", "");
    dir.file("v.npy", "x");
    std::fs::create_dir(dir.path().join("folder")).expect("creates");
    for (file, code, part) in [
        ("cut.safetensors", 3, "is the file complete?"),
        ("page.safetensors", 3, "a web page"),
        ("empty.safetensors", 3, "is empty"),
        ("v.npy", 3, "is neither a .npy nor a .safetensors file"),
        ("folder", 2, "is a folder"),
        ("m.safetensor", 1, "did you mean m.safetensors?"),
    ] {
        let ran = dir.run(&["eval", "--checkpoint", file, "--eval-set", "e.jsonl", "--output", "s.json"]);
        assert!(ran.failed(code).contains(part), "{ran:?}");
    }
    for output in ["e.jsonl", "./m.safetensors"] {
        assert!(dir.run(&eval(&["--output", output])).failed(2).contains("would overwrite"));
    }
    let broken = dir.run(&eval(&["--output", "s.json", "--baseline-scoreboard", "e.jsonl"]));
    assert!(broken.failed(3).contains("is no scoreboard"), "{broken:?}");
    assert!(!dir.path().join("s.json").exists());
}

#[test]
fn a_probe() {
    let dir = prepared();
    let args = ["probe", "--checkpoint", "m.safetensors", "--train-events", "train.jsonl", "--test-events"];
    let json = dir.run(&[&args[..], &["test.jsonl", "--k", "3", "--json"]].concat()).json();
    assert_eq!((json["lemmas"].as_u64(), json["neighbours"].as_u64()), (Some(2), Some(3)));
    assert!(json["macro_f1"].as_f64().is_some_and(|f1| f1 > 0.5), "{json}");
    let ran = dir.run(&[&args[..], &["train.jsonl"]].concat());
    assert!(ran.ok().contains("5 nearest neighbours") && ran.stderr.contains("80 of 80 test texts"), "{ran:?}");
    dir.file("other.jsonl", r#"{"event_id":"x","sense":"x#1","text":"x"}"#);
    assert!(dir.run(&[&args[..], &["other.jsonl"]].concat()).failed(3).contains("nothing to probe"));
}

#[test]
fn vectors() {
    let dir = prepared();
    let args = ["embed", "--checkpoint", "m.safetensors", "--events", "test.jsonl", "--output"];
    dir.run(&[&args[..], &["v.npy"]].concat()).ok();
    let bytes = std::fs::read(dir.path().join("v.npy")).expect("is there");
    assert_eq!(bytes.len(), 128 + 40 * 16 * 4);
    let row = bytes[128..192].as_chunks::<4>().0;
    let norm: f32 = row.iter().map(|x| f32::from_le_bytes(*x).powi(2)).sum();
    assert!((norm - 1.0).abs() < 1e-5, "{norm}");
    assert!(dir.read("v_ids.jsonl").starts_with("\"e80\"\n\"e81\"\n"));
    let json = dir.run(&[&args[..], &["w.safetensors", "--json"]].concat()).json();
    assert_eq!((json["rows"].as_u64(), json["dim"].as_u64()), (Some(40), Some(16)));
    let tensors = std::fs::read(dir.path().join("w.safetensors")).expect("is there");
    assert!(tensors.ends_with(&bytes[128..]));
    assert!(dir.run(&[&args[..], &["v.csv"]].concat()).failed(2).contains(".npy, .safetensors or .parquet"));
}
