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
    // The same vectors with their ids in one file.
    dir.run(&["embed", "--checkpoint", "m.safetensors", "--events", "events.jsonl", "-o", "v.parquet"]).ok();
    dir.run(&eval("v.parquet", "table.json", &[])).ok();
    assert_eq!(dir.read("table_items.jsonl"), dir.read("ready_items.jsonl"));
    // Flags for folders of models say nothing of vectors.
    for (flag, value) in [("--prompt", "query: "), ("--prompt-name", "query"), ("--loader", "model2vec")] {
        let message = dir.run(&eval("v.npy", "none.json", &[flag, value]));
        let part = format!("{flag} is for folders of models, and v.npy is vectors");
        assert!(message.failed(2).contains(&part), "{message:?}");
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

/// A capsule takes the vectors along, and is checked and trained again where nothing else is.
#[test]
fn a_capsule_of_an_adapter_holds_what_it_reads() {
    let dir = prepared();
    let scores = ["--experiment.eval_every", "100", "--data.frozen_eval", "e.jsonl"];
    dir.run(&train(&[&["--embeddings", "v.npy"], &scores[..]].concat())).ok();
    let adapter = "run/checkpoint_final.safetensors";
    dir.run(&eval(adapter, "run/frozen_scoreboard.json", &["--embeddings", "v.npy"])).ok();
    dir.run(&["capsule", "pack", "run", "-o", "all.tar.zst", "--include-bundles", "--include-eval", "e.jsonl"]).ok();
    dir.run(&["capsule", "pack", "run", "-o", "bare.tar.zst"]).ok();
    let there = Dir::new();
    for name in ["all.tar.zst", "bare.tar.zst"] {
        std::fs::copy(dir.path().join(name), there.path().join(name)).expect("copies");
    }
    let listed = there.run(&["capsule", "list", "all.tar.zst", "--json"]).json();
    let files = listed["files"].as_array().expect("a list");
    let kind = |path: &str| files.iter().find(|file| file["path"] == path).map(|file| file["kind"].clone());
    for path in ["vectors/v.npy", "vectors/v_ids.jsonl"] {
        assert_eq!(kind(path), Some("vectors".into()), "{path}");
    }
    assert_eq!(kind("evals.jsonl"), Some("scores".into()));
    let report = there.run(&["capsule", "verify", "all.tar.zst", "--rerun", "--json"]).json();
    let check = |report: &Value, name: &str| {
        let checks = report["checks"].as_array().expect("a list").clone();
        checks.into_iter().filter(|check| check["check"] == name).collect::<Vec<_>>()
    };
    assert_eq!((&report["passed"], check(&report, "scores").len()), (&true.into(), 1), "{report:#}");
    assert!(check(&report, "rerun")[0]["message"].as_str().expect("text").contains("bit for bit"), "{report:#}");
    // Without them: what needs no vectors, then who lacks them, then those that are given.
    there.run(&["capsule", "verify", "bare.tar.zst"]).ok();
    for name in ["v.npy", "v_ids.jsonl", "e.jsonl"] {
        std::fs::copy(dir.path().join(name), there.path().join(name)).expect("copies");
    }
    let again = ["capsule", "verify", "bare.tar.zst", "--rerun", "--bundles", "e.jsonl"];
    let lacking = there.run(&again);
    assert!(lacking.failed(2).contains("give --embeddings FILE"), "{lacking:?}");
    there.run(&[&again[..], &["--embeddings", "v.npy"]].concat()).ok();
    // Flags that say nothing here; an eval set whose events have no vectors among those.
    let ids = dir.read("v_ids.jsonl").replacen("\"e1\"", "\"x1\"", 1);
    dir.file("v_ids.jsonl", &ids);
    let lacking = dir.run(&["capsule", "pack", "run", "-o", "no.tar.zst", "--include-eval", "e.jsonl"]);
    assert!(lacking.failed(3).contains("\"e1\"") && !dir.path().join("no.tar.zst").exists(), "{lacking:?}");
    std::fs::remove_file(dir.path().join("v.npy")).expect("removes");
    let moved = dir.run(&["capsule", "pack", "run", "-o", "moved.tar.zst", "--include-eval", "e.jsonl"]);
    assert!(moved.code == 0 && moved.stderr.contains("v.npy: the vectors that the adapter reads are not there"));
    // Other vectors: another head.
    let other = there.read("v_ids.jsonl").lines().rev().collect::<Vec<_>>().join("\n");
    there.file("other_ids.jsonl", &other);
    let other = there.run(&[&again[..], &["--embeddings", "v.npy", "--embedding-ids", "other_ids.jsonl"]].concat());
    assert!(other.code == 3 && other.stderr.contains("checks do not hold"), "{other:?}");
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
    let more = [
        "e.jsonl",
        "--output-dir",
        "s",
        "--model.type",
        "adapter",
        "--data.embeddings",
        "v.npy",
        "--quiet",
        "--guardrail-override",
        "G11",
    ];
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
