//! `crucible compare` and `crucible power`.

use crate::eval;
use crate::util::{Dir, Ran};

/// Two scoreboards of one eval set: `a.json`, and `b.json` whose items are `a`'s with margins turned by `turn`.
pub(crate) fn boards(turn: impl Fn(usize, f64) -> f64) -> Dir {
    let dir = Dir::new();
    std::fs::write(dir.path().join("m.safetensors"), eval::checkpoint(1)).expect("writes");
    dir.file("e.jsonl", &eval::bundles());
    for board in ["a.json", "b.json"] {
        dir.run(&["eval", "--checkpoint", "m.safetensors", "--eval-set", "e.jsonl", "--output", board]).ok();
    }
    let items = dir.read("a_items.jsonl");
    let turned: Vec<String> = items
        .lines()
        .enumerate()
        .map(|(i, line)| {
            let mut item: serde_json::Value = serde_json::from_str(line).expect("an item");
            item["margin"] = turn(i, item["margin"].as_f64().expect("a margin")).into();
            item.to_string()
        })
        .collect();
    dir.file("b_items.jsonl", &turned.join("\n"));
    dir
}

fn compare(dir: &Dir, more: &[&str]) -> Ran {
    dir.run(&[&["compare", "a.json", "b.json"], more].concat())
}

#[test]
fn three_verdicts_have_three_statuses() {
    let same = boards(|_, margin| margin);
    // 16 bundles of tier3 decide nothing at 2 points; at 20 they do.
    let undecided = compare(&same, &[]);
    assert_eq!(undecided.code, 7, "{undecided:#?}");
    assert!(undecided.stdout.contains("INCONCLUSIVE on tier3_adversarial") && undecided.stdout.contains("about "));
    assert_eq!(compare(&same, &["--inconclusive-exit", "0"]).code, 0);
    let passed = compare(&same, &["--delta", "0.2"]);
    assert_eq!(passed.code, 0, "{passed:#?}");
    assert!(passed.stdout.contains("PASS on tier3_adversarial"), "{passed:#?}");
    assert!(passed.stdout.contains("the same checkpoint"), "{passed:#?}");
    let all_lost = boards(|_, margin| -margin.abs());
    let failed = compare(&all_lost, &["--on", "overall"]);
    assert_eq!(failed.code, 6, "{failed:#?}");
    assert!(failed.stdout.contains("FAIL on overall") && failed.stdout.contains("Lost: b"), "{failed:#?}");
}

#[test]
fn the_document_holds_every_flip_and_follows_its_schema() {
    let dir = boards(|i, margin| if i % 4 == 0 { -margin } else { margin });
    let ran = compare(&dir, &["--format", "json", "--inconclusive-exit", "0"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let flipped =
        document["lost"].as_array().expect("a list").len() + document["gained"].as_array().expect("a list").len();
    assert_eq!(flipped, 12, "{document}");
    let overall = &document["overall"];
    assert_eq!(overall["lost"].as_u64().expect("n") + overall["gained"].as_u64().expect("n"), 12);
    let bounds = &overall["bounds"];
    let (low, high) = (bounds["low"].as_f64().expect("low"), bounds["high"].as_f64().expect("high"));
    let change = overall["change"].as_f64().expect("change");
    assert!(low < change && change < high, "{overall}");
    // The same again, byte for byte; other resamples with another seed.
    assert_eq!(compare(&dir, &["--format", "json", "--inconclusive-exit", "0"]).stdout, ran.stdout);
    let other = compare(&dir, &["--format", "json", "--inconclusive-exit", "0", "--seed", "1"]);
    assert_ne!(other.stdout, ran.stdout);
}

#[test]
fn markdown_and_junit_say_the_verdict() {
    let dir = boards(|_, margin| -margin.abs());
    let markdown = compare(&dir, &["--format", "markdown", "--on", "overall"]).stdout;
    assert!(markdown.starts_with("**FAIL on overall") && markdown.contains("| overall | 48 |"), "{markdown}");
    let junit = compare(&dir, &["--format", "junit", "--on", "overall"]).stdout;
    assert!(junit.contains("failures=\"1\"") && junit.contains("<failure message=\"FAIL on overall"), "{junit}");
}

#[test]
fn what_can_not_be_compared_is_refused() {
    let dir = boards(|_, margin| margin);
    // Another eval set.
    let half: Vec<String> = eval::bundles().lines().take(24).map(str::to_owned).collect();
    dir.file("half.jsonl", &half.join("\n"));
    dir.run(&["eval", "--checkpoint", "m.safetensors", "--eval-set", "half.jsonl", "--output", "half.json"]).ok();
    let other = dir.run(&["compare", "a.json", "half.json"]);
    assert!(other.failed(5).contains("G9"), "{other:#?}");
    let allowed =
        dir.run(&["compare", "a.json", "half.json", "--allow-fingerprint-mismatch", "--inconclusive-exit", "0"]);
    assert!(allowed.ok().contains("24 bundles are in one of the two items files only"), "{allowed:#?}");
    assert!(allowed.stderr.contains("passed over"), "{allowed:#?}");
    std::fs::remove_file(dir.path().join("b_items.jsonl")).expect("removes");
    let without = compare(&dir, &[]);
    assert!(without.failed(3).contains("--candidate-items"), "{without:#?}");
    dir.file("no.json", "{}");
    assert!(dir.run(&["compare", "a.json", "no.json"]).failed(3).contains("is no scoreboard"));
    assert!(compare(&dir, &["--delta", "0"]).failed(2).contains("--delta"));
}

#[test]
fn power_answers_in_items_and_seeds() {
    let dir = boards(|i, margin| if i % 6 == 0 { -margin } else { margin });
    let ran = dir.run(&["power", "--discordance", "0.1", "--seed-spread", "0.02", "--json"]);
    let answer = ran.json();
    assert_eq!((answer["items"].as_u64(), answer["seeds"].as_u64()), (Some(1546), Some(8)), "{answer}");
    let measured = dir.run(&["power", "--scoreboards", "a.json", "b.json"]);
    assert!(measured.ok().contains("16.7 % flip"), "{measured:#?}");
    assert!(dir.run(&["power"]).failed(2).contains("--scoreboards"));
    assert!(dir.run(&["power", "--discordance", "0.1", "--change", "-0.02"]).failed(2).contains("margin"));
}
