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
    let again = ["--output", "b.json", "--baseline-scoreboard", "a.json", "--force"];
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
    assert!(broken.failed(3).contains("is a file of bundles, and a scoreboard (JSON) is wanted here"), "{broken:?}");
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

/// All runs below a folder are scored as each of them alone is; one that can't be is told, and the others are scored.
#[test]
fn all_runs_below_a_folder() {
    let dir = prepared();
    dir.file("organic.jsonl", &bundles().lines().take(30).collect::<Vec<_>>().join("\n"));
    for (run, seed) in [("runs/a/seed_1", 1), ("runs/a/seed_2", 2), ("runs/b", 3)] {
        let folder = dir.path().join(run);
        std::fs::create_dir_all(&folder).expect("creates");
        std::fs::write(folder.join("checkpoint_final.safetensors"), checkpoint(seed)).expect("writes");
    }
    let both = ["eval", "--results-dir", "runs", "--frozen-eval", "e.jsonl", "--organic-eval", "organic.jsonl"];
    let ran = dir.run(&both);
    for part in ["runs/a/seed_1", "runs/a/seed_2", "runs/b", "organic", "6 scoreboards"] {
        assert!(ran.ok().contains(part), "{part}: {ran:?}");
    }
    let alone = ["eval", "--checkpoint", "runs/a/seed_2/checkpoint_final.safetensors", "--eval-set", "organic.jsonl"];
    dir.run(&[&alone[..], &["--output", "alone.json"]].concat()).ok();
    let board = |path: &str| {
        let mut board: serde_json::Value = serde_json::from_str(&dir.read(path)).expect("JSON");
        board["timestamp"].take();
        board
    };
    assert!(board("alone.json")["overall"]["n"] == 30);
    assert_eq!(board("runs/a/seed_2/organic_scoreboard.json"), board("alone.json"));
    assert_eq!(dir.read("runs/a/seed_2/organic_scoreboard_items.jsonl"), dir.read("alone_items.jsonl"));
    assert_ne!(board("runs/a/seed_1/organic_scoreboard.json"), board("alone.json"));
    assert_eq!(board("runs/b/frozen_scoreboard.json")["overall"]["n"], 48);

    // One run is broken, and comes first.
    dir.file("runs/a/broken/checkpoint_final.safetensors", "no checkpoint");
    let one = ["eval", "--results-dir", "runs", "--frozen-eval", "e.jsonl", "--json"];
    assert!(dir.run(&one).failed(2).contains("frozen_scoreboard.json"), "there already");
    let one = [&one[..], &["--force"]].concat();
    let ran = dir.run(&one);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("runs/a/broken is passed over"), "{ran:?}");
    let written: Vec<serde_json::Value> = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(written.len(), 3);
    assert_eq!((&written[2]["run"], &written[2]["truth"]), (&"runs/b".into(), &"frozen".into()));
    assert!(!dir.path().join("runs/a/broken/frozen_scoreboard.json").exists());

    // A flag for folders of models is not ignored.
    let prompted = dir.run(&[&one[..], &["--prompt", "query: "]].concat());
    assert_eq!((prompted.code, prompted.stdout.trim()), (2, "[]"), "{prompted:?}");
    assert!(prompted.stderr.contains("--prompt is for folders"), "{prompted:?}");

    std::fs::create_dir(dir.path().join("empty")).expect("creates");
    let empty = dir.run(&["eval", "--results-dir", "empty", "--frozen-eval", "e.jsonl"]);
    assert!(empty.failed(3).contains("no checkpoint_final.safetensors"));
    assert!(dir.run(&["eval", "--results-dir", "runs"]).failed(2).contains("--frozen-eval"));
    assert!(dir.run(&["eval", "--results-dir", "nowhere", "--frozen-eval", "e.jsonl"]).failed(1).contains("nowhere"));
    assert!(dir.run(&[&alone[..], &["--results-dir", "runs"]].concat()).failed(2).contains("cannot be used with"));
    assert!(dir.run(&["eval", "--eval-set", "e.jsonl"]).failed(2).contains("--checkpoint"));
}

/// `experiment.eval_every`: the scores of the last step are those of the finished model, and training does not feel it.
#[test]
fn scores_on_the_way_are_those_of_the_model_at_that_step() {
    let dir = Dir::new();
    dir.run(&["init", "p", "--sample-data"]).ok();
    let bundle = ["bundle", "--events", "p/data/events.jsonl", "--output", "b.jsonl", "--holdout", "f.jsonl"];
    dir.run(&[&bundle[..], &["--max-per-sense", "4"]].concat()).ok();
    let train = |out: &str, more: &[&str]| {
        let common = ["train", "--bundles", "b.jsonl", "--output-dir", out, "--training.steps", "60"];
        let small = ["--model.embedding_dim", "16", "--model.hidden_dim", "16", "--model.vocab_size", "600"];
        dir.run(&[&common[..], &small, more].concat())
    };
    let evals = ["--experiment.eval_every", "20", "--data.frozen_eval", "f.jsonl"];
    train("runs/scored", &evals).ok();
    let lines: Vec<serde_json::Value> =
        dir.read("runs/scored/evals.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let steps: Vec<_> = lines.iter().map(|line| (line["step"].as_u64(), line["truth"].as_str())).collect();
    assert_eq!(steps, [20, 40, 60].map(|step| (Some(step), Some("frozen"))));
    dir.run(&["eval", "--results-dir", "runs", "--frozen-eval", "f.jsonl"]).ok();
    let board: serde_json::Value = serde_json::from_str(&dir.read("runs/scored/frozen_scoreboard.json")).expect("JSON");
    assert_eq!(lines[2]["overall"], board["overall"]);
    assert_eq!(lines[2]["tier3"], board["by_tier"]["tier3_adversarial"]);
    assert_ne!(lines[1]["overall"], board["overall"]);

    train("runs/alone", &["--data.frozen_eval", "f.jsonl"]).ok();
    let model = |run: &str| std::fs::read(dir.path().join(run).join("checkpoint_final.safetensors")).expect("reads");
    assert!(model("runs/scored") == model("runs/alone"), "scoring moved the model");
    // A run that starts over without scores keeps none of the earlier run's.
    train("runs/scored", &["--force", "--data.frozen_eval", "f.jsonl"]).ok();
    assert!(!dir.path().join("runs/scored/evals.jsonl").exists());

    let nothing = train("runs/none", &["--experiment.eval_every", "20"]);
    assert!(nothing.failed(2).contains("names no eval set"), "{nothing:?}");
    let missing = train("runs/none", &["--experiment.eval_every", "20", "--data.frozen_eval", "nowhere.jsonl"]);
    assert!(missing.failed(1).contains("nowhere.jsonl"), "{missing:?}");
    assert!(!dir.path().join("runs/none").exists(), "nothing is written");
}
