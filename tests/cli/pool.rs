//! `crucible pool`: merge, split, stats and filter, with what they refuse.

use crate::util::Dir;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// A bundle of the events `texts` (anchor, positive, negatives), all of one sense but the negatives.
fn bundle(id: &str, sense: &str, texts: &[&str], metadata: &Value) -> String {
    let event = |name: &str, sense: &str| json!({"event_id": name, "sense": sense, "text": format!("text of {name}")});
    let negative = |name: &&str| {
        let mut event = event(name, &format!("{sense}x"));
        event["source"] = json!("within_lemma");
        event
    };
    let negatives: Vec<Value> = texts[2..].iter().map(negative).collect();
    json!({
        "bundle_id": id, "anchor": event(texts[0], sense), "positive": event(texts[1], sense),
        "negatives": negatives, "metadata": metadata,
    })
    .to_string()
}

fn organic(passes: u64, danger: f64) -> Value {
    json!({"tier": "tier3_adversarial", "danger_score": danger, "source": "tier3_organic_miner", "passes": passes,
        "lineups_tested": 10})
}

/// `count` bundles of `senses` senses with names that begin with `name`.
fn lines(name: &str, count: usize, senses: usize, metadata: impl Fn(usize) -> Value) -> String {
    let line = |i: usize| {
        let id = format!("{name}{i}");
        let events = ["a", "p", "n", "m"].map(|role| format!("{name}{role}{i}"));
        let texts: Vec<&str> = events.iter().map(String::as_str).collect();
        bundle(&id, &format!("{name}#{}", i % senses), &texts, &metadata(i)) + "\n"
    };
    (0..count).map(line).collect()
}

/// `legacy.jsonl` with all tiers, `organic.jsonl` of 40 bundles of 8 senses.
fn prepared() -> Dir {
    let dir = Dir::new();
    let tiers = ["tier1_easy", "tier2_robust", "tier3_adversarial"];
    dir.file("legacy.jsonl", &lines("l", 30, 10, |i| json!({"tier": tiers[i % 3], "danger_score": 0.0})));
    dir.file("organic.jsonl", &lines("o", 40, 8, |i| organic(i as u64 % 11, i as f64 / 100.0)));
    dir
}

fn sha256(dir: &Dir, name: &str) -> String {
    crucible_core::data::hex(&Sha256::digest(std::fs::read(dir.path().join(name)).expect("is there")))
}

fn parsed(dir: &Dir, name: &str) -> Vec<Value> {
    dir.read(name).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn senses(bundles: &[Value]) -> BTreeSet<&str> {
    bundles.iter().map(|b| b["anchor"]["sense"].as_str().expect("text")).collect()
}

#[test]
fn merging_keeps_provenance_and_counts_what_it_drops() {
    let dir = prepared();
    // Of the expanded pool: one repeats a legacy bundle with its negatives turned, two are new.
    let tier3x = json!({"expansion": "tier3x", "parent": "l2"});
    let expanded = [
        bundle("x0", "l#2", &["la2", "lp2", "lm2", "ln2"], &tier3x),
        bundle("x1", "l#2", &["la2", "lp12", "lm2", "ln2"], &tier3x),
        bundle("x2", "l#2", &["la2", "lp2", "lm2"], &json!({})),
    ];
    dir.file("expanded.jsonl", &expanded.join("\n"));
    dir.file("again.jsonl", &dir.read("organic.jsonl"));
    let args = ["pool", "merge", "--legacy", "legacy.jsonl", "--organic", "organic.jsonl", "again.jsonl"];
    let all = [&args[..], &["--expanded", "expanded.jsonl", "--output", "new/all.jsonl"]].concat();
    let said = dir.run(&all);
    for part in ["o0 (again.jsonl, line 1) says what o0 (organic.jsonl, line 1) says", "72 bundles (10 tier1_easy"] {
        assert!(said.ok().contains(part), "{part}: {said:#?}");
    }
    let manifest: Value = serde_json::from_str(&dir.read("new/all_manifest.json")).expect("JSON");
    let numbers: Vec<_> = manifest["inputs"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|i| ["bundles", "kept", "duplicates"].map(|name| i[name].as_u64().expect("a number")))
        .collect();
    assert_eq!(numbers, [[30, 30, 0], [40, 40, 0], [40, 0, 40], [3, 2, 1]]);
    for input in manifest["inputs"].as_array().expect("a list") {
        assert_eq!(input["sha256"], sha256(&dir, input["path"].as_str().expect("text")));
    }
    let output = &manifest["outputs"][0];
    assert_eq!(output["sha256"], sha256(&dir, "new/all.jsonl"));
    assert_eq!(output["by_pool"], json!({"legacy": 10, "organic": 40, "expanded": 2}));
    assert_eq!(output["by_tier"], json!({"tier1_easy": 10, "tier2_robust": 10, "tier3_adversarial": 52}));
    let bundles = parsed(&dir, "new/all.jsonl");
    assert_eq!(bundles[1]["metadata"], parsed(&dir, "legacy.jsonl")[1]["metadata"]);
    assert_eq!(bundles[30]["metadata"], organic(10, 0.32), "the hardest of the organic ones comes first");
    assert_eq!(bundles[70]["metadata"]["parent"], "l2");
    assert_eq!(bundles[71]["metadata"]["source"], "tier3_expansion");
    // The same files once more: the same bytes, also of the manifest.
    let json = dir.run(&[&all[..], &["--json", "--force"]].concat()).json();
    assert_eq!(json, manifest);
    assert_eq!(sha256(&dir, "new/all.jsonl"), output["sha256"]);
}

#[test]
fn all_faults_of_all_files_are_said_and_nothing_is_written() {
    let dir = prepared();
    let legacy = dir.read("legacy.jsonl");
    dir.file(
        "legacy.jsonl",
        &legacy.replacen("\"l#4\"", "\"other\"", 1).replacen("\"bundle_id\":\"l7\"", "\"id\":7", 1),
    );
    dir.file("organic.jsonl", &(dir.read("organic.jsonl") + &bundle("l3", "z#1", &["a", "b", "c"], &organic(3, 0.1))));
    let args = ["pool", "merge", "--organic", "organic.jsonl", "--legacy", "legacy.jsonl", "--output", "new/all.jsonl"];
    let ran = dir.run(&args);
    for part in [
        "legacy.jsonl: 2 faults; nothing was used",
        "line 5: `positive.sense`",
        "line 8: missing field `bundle_id`",
        "organic.jsonl: line 41: `bundle_id`: \"l3\" stands for another bundle in legacy.jsonl, line 4",
        "help: ",
    ] {
        assert!(ran.failed(3).contains(part), "{part}: {ran:#?}");
    }
    assert!(!dir.path().join("new").exists());
    dir.file("organic.jsonl", "");
    assert!(dir.run(&["pool", "merge", "--organic", "organic.jsonl", "--output", "b"]).failed(3).contains("is empty"));
    assert!(dir.run(&["pool", "merge", "--output", "b"]).failed(2).contains("--legacy"));
    let over = ["pool", "merge", "--legacy", "legacy.jsonl", "--output", "legacy.jsonl"];
    assert!(dir.run(&over).failed(2).contains("would overwrite --legacy"));
    let over = ["pool", "merge", "--legacy", "legacy.jsonl", "--output", "b.jsonl", "--manifest", "b.jsonl"];
    assert!(dir.run(&over).failed(2).contains("would overwrite --output"));
}

#[test]
fn a_holdout_of_organic_senses_that_training_never_sees() {
    let dir = prepared();
    let merge = ["pool", "merge", "--legacy", "legacy.jsonl", "--organic", "organic.jsonl", "--output", "all.jsonl"];
    dir.run(&merge).ok();
    let split = |more: &[&str]| {
        let args = ["pool", "split", "--bundles", "all.jsonl", "--train", "t.jsonl", "--holdout", "h.jsonl", "--force"];
        dir.run(&[&args[..], &["--json"], more].concat()).json()
    };
    let manifest = split(&["--pool", "organic", "--holdout-fraction", "0.25", "--seed", "5"]);
    let (train, holdout) = (parsed(&dir, "t.jsonl"), parsed(&dir, "h.jsonl"));
    assert_eq!((train.len(), holdout.len()), (60, 10));
    assert!(senses(&train).is_disjoint(&senses(&holdout)));
    assert!(holdout.iter().all(|b| b["metadata"]["source"] == "tier3_organic_miner"));
    assert_eq!(manifest["split"]["holdout_senses"], 2);
    assert_eq!(manifest["outputs"][1]["sha256"], sha256(&dir, "h.jsonl"));
    assert_eq!(manifest["inputs"][0]["sha256"], sha256(&dir, "all.jsonl"));
    assert_eq!(manifest, serde_json::from_str::<Value>(&dir.read("h_manifest.json")).expect("JSON"));
    // Lines move as they are, in order.
    let all = dir.read("all.jsonl");
    let (t, h) = (dir.read("t.jsonl"), dir.read("h.jsonl"));
    let both: BTreeSet<&str> = t.lines().chain(h.lines()).collect();
    assert_eq!(both, all.lines().collect());
    let before = dir.read("h.jsonl");
    split(&["--pool", "organic", "--holdout-fraction", "0.25", "--seed", "5"]);
    assert!(dir.read("h.jsonl") == before);
    split(&["--pool", "organic", "--holdout-fraction", "0.25", "--seed", "6"]);
    assert!(dir.read("h.jsonl") != before);
    let manifest = split(&["--by", "bundle"]);
    assert_eq!(parsed(&dir, "h.jsonl").len(), 14);
    assert!(manifest["split"]["shared_senses"].as_u64() > Some(0), "{manifest}");

    let args = ["pool", "split", "--bundles", "all.jsonl", "--train", "new/t", "--holdout", "new/h"];
    let ran = |more: &[&str]| dir.run(&[&args[..], more].concat());
    assert!(ran(&["--pool", "expanded"]).failed(3).contains("all.jsonl: the holdout would be empty"));
    assert!(ran(&["--holdout-fraction", "0.01"]).failed(3).contains("help: choose another --holdout-fraction"));
    for bad in ["0", "1", "-0.1", "NaN", "x"] {
        assert!(ran(&[&format!("--holdout-fraction={bad}")]).failed(2).contains("between 0 and 1"), "{bad}");
    }
    assert!(!dir.path().join("new").exists());
}

#[test]
fn numbers_of_a_pool() {
    let dir = prepared();
    let said = dir.run(&["pool", "stats", "legacy.jsonl", "organic.jsonl"]);
    for part in ["tier3_adversarial", "  organic", "ultra 8-10", "median", "tier3_organic_miner", "within_lemma"] {
        assert!(said.ok().contains(part), "{part}: {said:#?}");
    }
    let stats = dir.run(&["pool", "stats", "organic.jsonl", "organic.jsonl", "--json"]).json();
    assert_eq!((&stats["overall"]["bundles"], &stats["overall"]["duplicates"]), (&json!(80), &json!(40)));
    let organic = &stats["by_pool"]["organic"];
    assert_eq!(organic["strength"], json!({"ultra": 18, "mid": 22, "low": 24, "weak": 16, "unknown": 0}));
    assert_eq!((&organic["senses"], &organic["lemmas"], &organic["anchors"]), (&json!(8), &json!(1), &json!(40)));
    let median = organic["danger"]["median"].as_f64().expect("a number");
    assert!((median - 0.195).abs() < 1e-12, "{median}");
    dir.file("bad.jsonl", "{}\n[]\n");
    let ran = dir.run(&["pool", "stats", "bad.jsonl", "organic.jsonl"]);
    assert!(ran.failed(3).contains("bad.jsonl: 2 faults"), "{ran:#?}");
    assert!(dir.run(&["pool", "stats", "organc.jsonl"]).failed(1).contains("did you mean organic.jsonl?"));
}

#[test]
fn filters_keep_what_passes_and_say_what_is_missing() {
    let dir = prepared();
    // As this program writes it.
    dir.run(&["pool", "merge", "--organic", "organic.jsonl", "--output", "merged.jsonl"]).ok();
    std::fs::rename(dir.path().join("merged.jsonl"), dir.path().join("organic.jsonl")).expect("renames");
    let args = ["--bundles", "organic.jsonl", "--output", "out.jsonl", "--force"];
    let filter =
        |expression: &str, more: &[&str]| dir.run(&[&["pool", "filter", expression], &args[..], more].concat());
    let json = filter("passes >= 8 and danger_score > 0.1", &["--rejected", "rest.jsonl", "--json"]).json();
    let kept = parsed(&dir, "out.jsonl");
    let wanted = (0..40).filter(|i| i % 11 >= 8 && *i as f64 / 100.0 > 0.1).count();
    assert!(wanted > 0 && kept.len() == wanted, "{}", kept.len());
    assert!(kept.iter().all(|b| b["metadata"]["passes"].as_u64() >= Some(8)));
    assert_eq!(parsed(&dir, "rest.jsonl").len(), 40 - wanted);
    assert_eq!(json["outputs"][0]["sha256"], sha256(&dir, "out.jsonl"));
    let lines = dir.read("organic.jsonl");
    assert!(dir.read("out.jsonl").lines().all(|line| lines.contains(line)), "lines stay as they are");

    dir.file("organic.jsonl", &(lines.clone() + &bundle("k", "k#1", &["1", "2", "3"], &json!({"danger_score": 0.5}))));
    let said = filter("passes < 3 or passes is missing", &[]);
    assert!(said.ok().contains("! 1 bundles have no `passes`"), "{said:#?}");
}

#[test]
fn filters_that_mean_nothing_write_nothing() {
    let dir = prepared();
    let lines = dir.read("organic.jsonl");
    let args = ["--bundles", "organic.jsonl", "--output", "new/out.jsonl"];
    let refused = |expression: &str, code: i32, parts: &[&str]| {
        let ran = dir.run(&[&["pool", "filter", expression], &args[..]].concat());
        for part in parts {
            assert!(ran.failed(code).contains(part), "{expression}: {part}: {ran:#?}");
        }
        assert!(!dir.path().join("new").exists(), "{expression}");
    };
    refused("passes >=", 2, &["column 10: expected a field or a value", "\n  passes >=\n           ^\n", "help: "]);
    refused("pases >= 8", 2, &["column 1: none of the 40 bundles has a field `pases`; did you mean `passes`?"]);
    refused("passes > 10", 3, &["of 40 bundles, none passes the filter", "pool stats"]);
    refused(&"(".repeat(3000), 2, &["nested more than 64 deep"]);
    refused(&"x".repeat(100_000), 2, &["at most 4096 are read"]);
    refused("passes == '8'", 3, &["organic.jsonl: 40 faults", "line 1: `passes`: is the number 0", "the text \"8\""]);
    dir.file("organic.jsonl", &lines.replacen("\"passes\":3", "\"passes\":\"3\"", 1));
    refused("passes >= 8", 3, &["organic.jsonl: line 4: `passes`: is the text \"3\", and the filter compares it with"]);
}
