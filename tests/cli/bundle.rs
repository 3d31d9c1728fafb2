//! Bundles of events, and a part of the events held back for an eval set.

use crate::util::Dir;
use serde_json::Value;
use std::collections::BTreeSet;

const BUNDLE: [&str; 5] = ["bundle", "--events", "p/data/events.jsonl", "--output", "train.jsonl"];

fn prepared() -> Dir {
    let dir = Dir::new();
    dir.run(&["init", "p", "--sample-data", "--quiet"]).ok();
    dir
}

/// What `field` of every event in a file of bundles holds.
fn values(dir: &Dir, file: &str, field: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in dir.read(file).lines() {
        let bundle: Value = serde_json::from_str(line).expect("JSON");
        let events = [&bundle["anchor"], &bundle["positive"]].into_iter();
        for event in events.chain(bundle["negatives"].as_array().expect("negatives")) {
            found.insert(event[field].as_str().expect("a text").to_owned());
        }
    }
    found
}

#[test]
fn what_is_held_back_shares_senses_with_training_and_no_text() {
    let dir = prepared();
    let held = ["--holdout", "frozen.jsonl", "--json"];
    let report = dir.run(&[&BUNDLE[..], &held].concat()).json();
    let events = |report: &Value| report["events"].as_u64().expect("a count");
    let drawn = |report: &Value| events(&report["holdout"]) + report["holdout"]["repeated"].as_u64().expect("a count");
    let share = drawn(&report) as f64 / (events(&report) + drawn(&report)) as f64;
    assert!((share - 0.2).abs() < 0.01, "{report}");
    // Events that nearly repeat a training text are left out, so the guardrail against leakage finds nothing.
    let lines = dir.read("frozen.jsonl").lines().count() as u64;
    assert_eq!(Some(lines), report["holdout"]["bundles"].as_u64());
    assert!(report["holdout"]["repeated"].as_u64() > Some(0), "{report}");
    // The events that stay are written, for mining: those of no bundle, too.
    assert_eq!(report["holdout"]["train_events"], "train_events.jsonl");
    assert_eq!(dir.read("train_events.jsonl").lines().count() as u64, events(&report));
    let check = ["guardrail", "check", "--bundles", "train.jsonl", "--frozen-eval", "frozen.jsonl", "--json"];
    let findings = dir.run(&check).json()["findings"].as_array().expect("findings").clone();
    assert!(findings.iter().any(|f| f["id"] == "G11" && f["level"] == "OK"), "{findings:?}");
    let of = |field: &str| (values(&dir, "train.jsonl", field), values(&dir, "frozen.jsonl", field));
    let (train, frozen) = of("text");
    assert!(train.is_disjoint(&frozen) && !frozen.is_empty(), "{:?}", train.intersection(&frozen).next());
    let (train, frozen) = of("sense");
    assert!(frozen.is_subset(&train));
    let before = (dir.read("train.jsonl"), dir.read("frozen.jsonl"));
    dir.run(&[&BUNDLE[..], &held, &["--force"]].concat()).ok();
    assert!((dir.read("train.jsonl"), dir.read("frozen.jsonl")) == before);
    // Half of the texts, under another seed.
    let more = ["--holdout", "half.jsonl", "--holdout-share", "0.5", "--split-by", "text", "--seed", "1", "--json"];
    let report = dir.run(&[&BUNDLE[..], &more, &["--force"]].concat()).json();
    assert!(events(&report).abs_diff(drawn(&report)) < 40, "{report}");
}

#[test]
fn vectors_of_a_file_serve_both_parts() {
    let dir = prepared();
    dir.run(&[&BUNDLE[..], &["--quiet"]].concat()).ok();
    let train = ["train", "--bundles", "train.jsonl", "--output-dir", "r", "--training.steps", "5", "--quiet"];
    dir.run(&train).ok();
    let (model, vectors) = ("r/checkpoint_final.safetensors", "v.npy");
    dir.run(&["embed", "--checkpoint", model, "--events", "p/data/events.jsonl", "--output", vectors]).ok();
    dir.run(&[&BUNDLE[..], &["--holdout", "a.jsonl", "--checkpoint", model, "--force"]].concat()).ok();
    let by_model = (dir.read("train.jsonl"), dir.read("a.jsonl"));
    dir.run(&[&BUNDLE[..], &["--holdout", "a.jsonl", "--embeddings", vectors, "--force"]].concat()).ok();
    assert!((dir.read("train.jsonl"), dir.read("a.jsonl")) == by_model);
}

#[test]
fn a_holdout_that_can_not_be_is_refused_before_anything_is_written() {
    let dir = prepared();
    for (more, code, said) in [
        (&["--holdout", "train.jsonl"][..], 2, "--holdout"),
        (&["--holdout", "p/data/events.jsonl"], 2, "--events"),
        (&["--holdout", "h.jsonl", "--holdout-share", "1"], 2, "between 0 and 1"),
        (&["--holdout-share", "0.1"], 2, "--holdout"),
        (&["--train-events", "t.jsonl"], 2, "--holdout"),
        (&["--holdout", "h.jsonl", "--train-events", "h.jsonl"], 2, "--train-events"),
        (&["--holdout", "train_events.jsonl"], 2, "--train-events"),
        (&["--holdout", "h.jsonl", "--holdout-share", "0.0001"], 3, "no bundle can be made for h.jsonl"),
    ] {
        let ran = dir.run(&[&BUNDLE[..], more].concat());
        assert!(ran.failed(code).contains(said), "{more:?}: {ran:?}");
        assert!(!dir.path().join("train.jsonl").exists() && !dir.path().join("h.jsonl").exists(), "{more:?}");
    }
}
