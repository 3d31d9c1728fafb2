//! Models whose vectors come ready: scored as they are, or through a head that learns on them.

use crate::eval::{bundles, checkpoint, events};
use crate::util::Dir;
use serde_json::Value;

/// An eval set, a model, and its vectors of all events.
fn prepared() -> Dir {
    let dir = Dir::new();
    std::fs::write(dir.path().join("m.safetensors"), checkpoint(1)).expect("writes");
    dir.file("e.jsonl", &bundles());
    dir.file("events.jsonl", &events(0, 60).join("\n"));
    let embed = ["embed", "--checkpoint", "m.safetensors", "--events", "events.jsonl", "--output", "v.npy"];
    dir.run(&embed).ok();
    dir
}

const TRAIN: [&str; 14] = [
    "train",
    "--bundles",
    "e.jsonl",
    "--model.type",
    "adapter",
    "--model.embedding_dim",
    "16",
    "--model.hidden_dim",
    "16",
    "--steps",
    "400",
    "--output-dir",
    "run",
    "--quiet",
];

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    TRAIN.iter().chain(more).copied().collect()
}

fn eval<'a>(checkpoint: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let eval = ["eval", "--checkpoint", checkpoint, "--eval-set", "e.jsonl", "--output", output];
    eval.iter().chain(more).copied().collect()
}

fn json(dir: &Dir, name: &str) -> Value {
    serde_json::from_str(&dir.read(name)).expect("JSON")
}

#[test]
fn ready_vectors_are_scored_as_the_model_that_they_are_of() {
    let dir = prepared();
    dir.run(&eval("m.safetensors", "model.json", &[])).ok();
    dir.run(&eval("v.npy", "ready.json", &[])).ok();
    let (model, ready) = (json(&dir, "model.json"), json(&dir, "ready.json"));
    assert_eq!(model["eval_header"], ready["eval_header"]);
    assert_eq!(ready["model_conditions"]["loader"], "ready_vectors");
    assert_ne!(model["checkpoint"]["hash"], ready["checkpoint"]["hash"]);
    let items = |name: &str| -> Vec<Value> {
        dir.read(name).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    for (a, b) in items("model_items.jsonl").iter().zip(items("ready_items.jsonl")) {
        let apart = a["margin"].as_f64().zip(b["margin"].as_f64()).map(|(a, b)| (a - b).abs());
        assert!(a["bundle_id"] == b["bundle_id"] && apart < Some(1e-6), "{a} {b}");
    }
    // The ids lie elsewhere; then, not all of the events are there.
    std::fs::rename(dir.path().join("v_ids.jsonl"), dir.path().join("ids.jsonl")).expect("moves");
    dir.run(&eval("v.npy", "named.json", &["--embedding-ids", "ids.jsonl"])).ok();
    let message = dir.run(&eval("v.npy", "none.json", &[]));
    assert!(message.failed(3).contains("v_ids.jsonl"), "{message:?}");
    let ids = dir.read("ids.jsonl").replacen("\"e1\"", "\"x1\"", 1);
    dir.file("ids.jsonl", &ids);
    let message = dir.run(&eval("v.npy", "none.json", &["--embedding-ids", "ids.jsonl"]));
    assert!(message.failed(3).contains("\"e1\""), "{message:?}");
    assert!(!dir.path().join("none.json").exists());
}

#[test]
fn a_head_learns_on_vectors_from_a_file() {
    let dir = prepared();
    dir.run(&train(&["--embeddings", "v.npy"])).ok();
    let adapter = "run/checkpoint_final.safetensors";
    let size = |name: &str| std::fs::metadata(dir.path().join(name)).expect("is there").len();
    assert!(size(adapter) < size("m.safetensors"), "no token vectors are in it");
    dir.run(&eval("v.npy", "before.json", &[])).ok();
    dir.run(&eval(adapter, "after.json", &["--embeddings", "v.npy"])).ok();
    let (before, after) = (json(&dir, "before.json"), json(&dir, "after.json"));
    assert_eq!(after["model_conditions"]["loader"], "crucible_adapter");
    let rate = |board: &Value| board["overall"]["pass_rate"].as_f64().expect("a rate");
    assert!(rate(&after) > rate(&before) + 0.1, "{} before, {} after", rate(&before), rate(&after));
    // The same from a configuration, with the vectors in the events; the same bytes with another number of threads.
    let vectors = numbers(&dir);
    let with_vectors = |text: &str| -> String {
        let line = |line: &str| {
            let mut bundle: Value = serde_json::from_str(line).expect("JSON");
            let give = |event: &mut Value| {
                let number: usize = event["event_id"].as_str().expect("text")[1..].parse().expect("a number");
                event["embedding"] = vectors[number * 16..][..16].to_vec().into();
            };
            give(&mut bundle["anchor"]);
            give(&mut bundle["positive"]);
            bundle["negatives"].as_array_mut().expect("a list").iter_mut().for_each(give);
            bundle.to_string() + "\n"
        };
        text.lines().map(line).collect()
    };
    let own = with_vectors(&dir.read("e.jsonl"));
    dir.file("own.jsonl", &own);
    let more = ["--bundles", "own.jsonl", "--output-dir", "own", "--threads", "1"];
    let args: Vec<&str> = TRAIN
        .iter()
        .filter(|a| !["--bundles", "e.jsonl", "--output-dir", "run"].contains(a))
        .copied()
        .chain(more)
        .collect();
    dir.run(&args).ok();
    let bytes = |name: &str| std::fs::read(dir.path().join(name)).expect("is there");
    assert!(bytes(adapter) == bytes("own/checkpoint_final.safetensors"), "the same head");
    let args = ["eval", "--checkpoint", adapter, "--eval-set", "own.jsonl", "--output", "own.json"];
    dir.run(&args).ok();
    assert_eq!(json(&dir, "own.json")["overall"], after["overall"]);
}

/// The numbers of `v.npy` behind its header.
fn numbers(dir: &Dir) -> Vec<f32> {
    let bytes = std::fs::read(dir.path().join("v.npy")).expect("is there");
    bytes[128..].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

#[test]
fn a_sweep_of_adapters_scores_every_one_on_the_ready_vectors() {
    let dir = prepared();
    let sweep =
        ["sweep", "ratio", "--ratios", "100_0_0,50_25_25", "--seeds", "1,2", "--bundles", "e.jsonl", "--frozen-eval"];
    let more = ["e.jsonl", "--output-dir", "s", "--model.type", "adapter", "--data.embeddings", "v.npy", "--quiet"];
    let sizes = ["--model.embedding_dim", "16", "--model.hidden_dim", "16", "--training.steps", "20"];
    dir.run(&[&sweep[..], &more, &sizes].concat()).ok();
    let mut boards = 0;
    for entry in walk(&dir.path().join("s")) {
        if entry.ends_with("frozen_scoreboard.json") {
            let board: Value = serde_json::from_str(&std::fs::read_to_string(&entry).expect("reads")).expect("JSON");
            // The sweep's own board, beside those of its trials, is of no model.
            let Some(conditions) = board.get("model_conditions") else { continue };
            assert_eq!(conditions["loader"], "crucible_adapter", "{}", entry.display());
            boards += 1;
        }
    }
    assert_eq!(boards, 4);
}

/// All files below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn what_an_adapter_can_not_do_is_said() {
    let dir = prepared();
    let told = |args: &[&str], code: i32, parts: &[&str]| {
        let ran = dir.run(args);
        for part in parts {
            assert!(ran.failed(code).contains(part), "{part:?} is not said: {ran:#?}");
        }
    };
    told(&train(&[]), 3, &["has no `embedding`", "--embeddings"]);
    let wide: Vec<&str> = train(&["--embeddings", "v.npy"]).iter().map(|a| if *a == "16" { "24" } else { a }).collect();
    told(&wide, 3, &["16 numbers; expected 24", "--model.embedding_dim 16"]);
    told(&train(&["--embeddings", "v.npy", "--model.num_layers", "0"]), 2, &["model.num_layers"]);
    assert!(!dir.path().join("run/checkpoint_final.safetensors").exists());
    dir.run(&train(&["--embeddings", "v.npy"])).ok();
    let adapter = "run/checkpoint_final.safetensors";
    told(&eval(adapter, "x.json", &[]), 3, &["has no `embedding`"]);
    told(&eval("m.safetensors", "x.json", &["--embeddings", "v.npy"]), 2, &["--embeddings", "adapter"]);
    told(&eval("v.npy", "x.json", &["--embeddings", "v.npy"]), 2, &["--embeddings"]);
    told(&["export", "static", "--checkpoint", adapter, "--output", "folder"], 2, &["adapter"]);
    told(&eval(adapter, "v.npy", &["--embeddings", "v.npy"]), 2, &["--embeddings"]);
    assert!(!dir.path().join("x.json").exists() && !dir.path().join("folder").exists());
}
