//! `crucible split events`, and `--exclude`: no event of an eval set is used for what training sees.

use crate::util::Dir;
use serde_json::Value;
use std::collections::BTreeSet;

const SPLIT: [&str; 8] = ["split", "events", "--events", "e.jsonl", "--train", "t.jsonl", "--holdout", "h.jsonl"];

/// Events with fields of their own: 12 senses of 6 lemmas, in 20 documents; three more that nearly repeat one text.
fn events() -> String {
    let mut lines: Vec<String> = (0..240)
        .map(|i| {
            let text = format!("word{} stands before word{} and the {i}th of all", i % 7, i % 11);
            format!(
                r#"{{"event_id":"e{i}","sense":"l{}#{}","text":"{text}","doc":"d{}","mark":{i}}}"#,
                i % 6,
                i % 12,
                i % 20
            )
        })
        .collect();
    let text = "The committee of the northern harbour met on Monday in the old town hall to vote again";
    for (i, text) in [text.to_owned(), text.to_uppercase(), format!("{text} today")].iter().enumerate() {
        lines.push(format!(r#"{{"event_id":"n{i}","sense":"l{i}#{i}","text":"{text}","doc":"d{i}"}}"#));
    }
    lines.join("\n") + "\n"
}

fn prepared() -> Dir {
    let dir = Dir::new();
    dir.file("e.jsonl", &events());
    dir
}

fn lines(dir: &Dir, file: &str) -> Vec<Value> {
    dir.read(file).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What `field` of every event in a file of events or bundles holds, in any role.
fn values(dir: &Dir, file: &str, field: &str) -> BTreeSet<String> {
    fn walk(value: &Value, field: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get(field).and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| walk(value, field, found));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, field, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    lines(dir, file).iter().for_each(|line| walk(line, field, &mut found));
    found
}

#[test]
fn events_are_parted_by_what_is_asked_and_no_text_is_on_both_sides() {
    let dir = prepared();
    for (by, field) in [("document", "doc"), ("lemma", "lemma"), ("sense", "sense"), ("text", "text")] {
        let parts = dir.run(&[&SPLIT[..], &["--by", by, "--fraction", "0.3", "--seed", "5", "--json"]].concat()).json();
        let (train, holdout) = (lines(&dir, "t.jsonl"), lines(&dir, "h.jsonl"));
        let count = |value: &Value| value.as_u64().expect("a count") as usize;
        assert_eq!(
            (count(&parts["train"]["events"]), count(&parts["holdout"]["events"])),
            (train.len(), holdout.len())
        );
        assert_eq!(train.len() + holdout.len() + count(&parts["repeated"]), 243, "{parts}");
        assert!((50..=90).contains(&holdout.len()), "{by}: {}", holdout.len());
        assert!(values(&dir, "t.jsonl", field).is_disjoint(&values(&dir, "h.jsonl", field)), "{by}");
        let near =
            |events: &[Value]| events.iter().any(|e| e["event_id"].as_str().is_some_and(|id| id.starts_with('n')));
        assert!(!(near(&train) && near(&holdout)), "{by}: near-duplicates are on both sides");
        for event in train.iter().chain(&holdout).filter(|e| e["mark"].is_u64()) {
            assert_eq!(event["event_id"].as_str(), Some(&*format!("e{}", event["mark"])), "unknown fields are carried");
        }
        let before = (dir.read("t.jsonl"), dir.read("h.jsonl"));
        for name in ["t.jsonl", "h.jsonl"] {
            std::fs::remove_file(dir.path().join(name)).expect("removes");
        }
        let said = dir.run(&[&SPLIT[..], &["--by", by, "--fraction", "0.3", "--seed", "5", "--threads", "1"]].concat());
        assert!(said.ok().contains(&format!("{} events", holdout.len())), "{said:?}");
        assert!((dir.read("t.jsonl"), dir.read("h.jsonl")) == before, "{by}: the same seed, the same files");
        for name in ["t.jsonl", "h.jsonl"] {
            std::fs::remove_file(dir.path().join(name)).expect("removes");
        }
    }
}

#[test]
fn a_split_that_can_not_be_is_refused_before_anything_is_written() {
    let dir = prepared();
    dir.file("one.jsonl", "{\"event_id\":\"a\",\"sense\":\"l#1\",\"text\":\"t\",\"doc\":\"d\"}\n");
    for (args, code, said) in [
        (&["--fraction", "1"][..], 2, "between 0 and 1"),
        (&["--near-duplicate", "0"], 2, "above 0"),
        (&["--by", "words"], 2, "document"),
        (&["--fraction", "0.001"], 3, "the holdout would be empty"),
    ] {
        assert!(dir.run(&[&SPLIT[..], args].concat()).failed(code).contains(said), "{args:?}");
    }
    let split = |events, train, holdout| {
        dir.run(&["split", "events", "--events", events, "--train", train, "--holdout", holdout])
    };
    assert!(split("one.jsonl", "t.jsonl", "h.jsonl").failed(3).contains("would be empty"));
    assert!(split("e.jsonl", "e.jsonl", "h.jsonl").failed(2).contains("--train"));
    assert!(split("e.jsonl", "t.jsonl", "t.jsonl").failed(2).contains("--holdout"));
    assert!(!dir.path().join("t.jsonl").exists() && !dir.path().join("h.jsonl").exists());
}

#[test]
fn bundle_and_mine_use_no_event_of_an_eval() {
    let dir = Dir::new();
    dir.run(&["init", "p", "--sample-data", "--quiet"]).ok();
    let events = "p/data/events.jsonl";
    dir.run(&["bundle", "--events", events, "--output", "b.jsonl", "--holdout", "f.jsonl", "--quiet"]).ok();
    assert!(
        values(&dir, "b_events.jsonl", "text").is_disjoint(&values(&dir, "f.jsonl", "text")),
        "the rest is written"
    );
    // A second eval: events, two of which were edited since, under the ids that they had; one has another id and sense and
    // a longer text.
    let more: Vec<Value> = lines(&dir, "b_events.jsonl").into_iter().take(40).collect();
    let edited = |(i, mut event): (usize, Value)| {
        if i < 2 {
            event["text"] = format!("edited since, the {i}th").into();
            event["span"] = Value::Null;
        } else if i == 2 {
            event["text"] = format!("{} indeed", event["text"].as_str().expect("a text")).into();
            event["event_id"] = "another".into();
            event["sense"] = "other#1".into();
            event["lemma"] = "other".into();
        }
        event.to_string()
    };
    dir.file("more.jsonl", &more.clone().into_iter().enumerate().map(edited).collect::<Vec<_>>().join("\n"));
    let exclude = ["--exclude", "f.jsonl", "more.jsonl", "--json"];
    let held = values(&dir, "f.jsonl", "event_id");
    let asked: BTreeSet<String> =
        held.iter().cloned().chain(more.iter().map(|e| e["event_id"].as_str().expect("an id").to_owned())).collect();

    let bundled = dir.run(&[&["bundle", "--events", events, "--output", "c.jsonl"][..], &exclude].concat()).json();
    let mined = dir
        .run(
            &[
                &["mine", "--events", events, "--output", "o.jsonl", "--threshold", "-0.02", "--null-candidates", "0"]
                    [..],
                &exclude,
            ]
            .concat(),
        )
        .json();
    let stats: Value = serde_json::from_str(&dir.read("o_stats.json")).expect("JSON");
    assert_eq!(stats["excluded"], mined["excluded"]);
    for (file, excluded) in [("c.jsonl", &bundled["excluded"]), ("o.jsonl", &mined["excluded"])] {
        let used = values(&dir, file, "event_id");
        assert!(used.len() > 500 && used.is_disjoint(&asked), "{file}: {:?}", used.intersection(&asked).next());
        assert!(values(&dir, file, "text").is_disjoint(&values(&dir, "f.jsonl", "text")), "{file}");
        let count = |name: &str| excluded[name].as_u64().expect("a count");
        assert_eq!(count("events"), count("same_text") + count("same_id") + count("near_duplicates"), "{excluded}");
        assert_eq!((count("same_text"), count("same_id")), (held.len() as u64 + 37, 2), "{excluded}");
        assert_eq!((count("near_duplicates"), &excluded["evals"][1]["excluded"]), (1, &40.into()), "{excluded}");
    }
    assert_eq!(
        bundled["events"].as_u64().zip(bundled["excluded"]["events"].as_u64()).map(|(a, b)| a + b),
        Some(lines(&dir, events).len() as u64)
    );
    // The guardrail against leakage agrees.
    let check = ["guardrail", "check", "--bundles", "c.jsonl", "--frozen-eval", "f.jsonl", "--json"];
    let findings = dir.run(&check).json()["findings"].clone();
    let leakage = findings.as_array().expect("findings").iter().find(|f| f["id"] == "G11").expect("G11").clone();
    assert_eq!(leakage["level"], "OK", "{leakage}");
    // Variants of old killers take their positives and negatives from events, too.
    let expand =
        ["pool", "expand", "--bundles", "c.jsonl", "--events", events, "--output", "x.jsonl", "--threshold", "-0.1"];
    let manifest = dir.run(&[&expand[..], &exclude].concat()).json();
    assert!(values(&dir, "x.jsonl", "event_id").is_disjoint(&asked));
    assert!(manifest["settings"]["excluded"]["events"].as_u64() > Some(700), "{manifest}");
    let without = ["pool", "expand", "--bundles", "c.jsonl", "--output", "y.jsonl", "--exclude", "f.jsonl"];
    assert!(dir.run(&without).failed(2).contains("--events"));
}

#[test]
fn excluded_files_are_read_like_others() {
    let dir = prepared();
    let bundle = ["bundle", "--events", "e.jsonl", "--output", "b.jsonl", "--exclude"];
    for (file, code, said) in [
        ("none.jsonl", 1, "no such file"),
        ("e.jsonl", 3, "all of its events"),
        ("bad.jsonl", 3, "bad.jsonl"),
        ("b.jsonl", 2, "--exclude"),
    ] {
        dir.file("bad.jsonl", "{\"event_id\":\"a\",\"sense\":\"l#1\"}\n");
        let ran = dir.run(&[&bundle[..], &[file]].concat());
        assert!(ran.failed(code).contains(said), "{file}: {ran:?}");
        assert!(!dir.path().join("b.jsonl").exists(), "{file}");
    }
    // The resume state of a mining belongs to the evals that it excludes.
    dir.file("one.jsonl", &events().lines().take(1).collect::<String>());
    let mine = ["mine", "--events", "e.jsonl", "--output", "o.jsonl", "--null-candidates", "0"];
    let said = dir.run(&[&mine[..], &["--exclude", "one.jsonl"]].concat());
    assert!(said.ok().contains("excluded: 1 events that are in one.jsonl (1 by text"), "{said:?}");
}
