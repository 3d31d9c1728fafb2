//! What others wrote, brought in and used.

use crate::util::Dir;

/// A run in which the documents of each query score as given.
fn run(scores: &[(&str, &[(&str, f64)])]) -> String {
    let line = |query: &str, (document, score): &(&str, f64)| format!("{query} Q0 {document} 0 {score} t\n");
    scores.iter().flat_map(|(query, documents)| documents.iter().map(move |d| line(query, d))).collect()
}

#[test]
fn labelled_texts_become_a_frozen_eval_and_bundles() {
    let dir = Dir::new();
    let mut csv = String::from("text,intent,day\n");
    for (label, words) in
        [("refund", "money back please"), ("delay", "parcel late again"), ("login", "password reset code")]
    {
        for i in 0..30 {
            csv += &format!("\"{words}, case {i} of {}\",{label},d{}\n", i * 31 % 17, i % 10);
        }
    }
    dir.file("tickets.csv", &csv);
    let ran = dir.run(&[
        "import",
        "labelled",
        "--input",
        "tickets.csv",
        "--output",
        "e.jsonl",
        "--document",
        "day",
        "--json",
    ]);
    assert_eq!((ran.json()["events"].as_u64(), ran.json()["senses"].as_u64()), (Some(90), Some(3)));
    assert!(dir.read("e.jsonl").contains("\"lemma\":\"labels\"") && dir.read("e.jsonl").contains("\"doc\":\"d3\""));
    dir.run(&["bundle", "--events", "e.jsonl", "--output", "train.jsonl", "--holdout", "frozen.jsonl"]).ok();
    // Labels of one group are confused with each other.
    assert!(dir.read("train.jsonl").contains("within_lemma"));
}

#[test]
fn triplets_can_be_trained_on() {
    let dir = Dir::new();
    let rows: String = (0..40)
        .map(|i| format!("{{\"anchor\": \"question {i} of x{}\", \"positive\": \"answer {i} y{}\", \"negative\": \"other {i} z{}\"}}\n", i % 7, i % 5, i % 3))
        .collect();
    dir.file("rows.jsonl", &rows);
    let ran = dir.run(&["import", "triplets", "--input", "rows.jsonl", "--output", "b.jsonl", "--json"]);
    assert_eq!(ran.json()["bundles"], 40);
    dir.run(&["train", "--bundles", "b.jsonl", "--output-dir", "r", "--training.steps", "5", "--quiet"]).ok();
    dir.run(&["eval", "--checkpoint", "r/checkpoint_final.safetensors", "--eval-set", "b.jsonl", "--output", "s.json"])
        .ok();
}

#[test]
fn two_rankings_are_compared_as_scoreboards_are() {
    let dir = Dir::new();
    let queries: Vec<String> = (0..200).map(|i| format!("q{i}")).collect();
    let of = |lost: usize| -> String {
        let scores: Vec<(&str, &[(&str, f64)])> = queries
            .iter()
            .enumerate()
            .map(|(i, q)| {
                (
                    q.as_str(),
                    if i < lost { &[("bad", 0.9), ("good", 0.1)][..] } else { &[("good", 0.9), ("bad", 12.5e-2)][..] },
                )
            })
            .collect();
        run(&scores)
    };
    dir.file("before.trec", &of(10));
    dir.file("after.trec", &of(60));
    dir.file(
        "qrels.tsv",
        &(String::from("query-id\tcorpus-id\tscore\n")
            + &queries.iter().map(|q| format!("{q}\tgood\t1\n")).collect::<String>()),
    );
    for name in ["before", "after"] {
        let (predictions, output) = (format!("{name}.trec"), format!("{name}.json"));
        let ran = dir.run(&[
            "import",
            "predictions",
            "--predictions",
            &predictions,
            "--qrels",
            "qrels.tsv",
            "--output",
            &output,
            "--metrics",
            "m.json",
            "--force",
            "--json",
        ]);
        let first = if name == "before" { 0.95 } else { 0.7 };
        assert_eq!(ran.json()["scoreboard"]["overall"]["pass_rate"], first);
        assert_eq!(ran.json()["metrics"]["mean"]["ndcg"]["1"], first);
        let written: serde_json::Value = serde_json::from_str(&dir.read("m.json")).expect("JSON");
        assert_eq!(written, ran.json()["metrics"]);
    }
    let ran = dir.run(&["compare", "before.json", "after.json"]);
    assert!(ran.code == 6 && ran.stdout.contains("FAIL"), "{ran:?}");
    let same = dir.run(&["compare", "before.json", "before.json", "--json"]);
    assert_eq!(same.json()["overall"]["lost"], 0, "{same:?}");
    let check = dir.run(&["guardrail", "check", "--baseline", "before.json", "--candidate", "after.json", "--json"]);
    assert!(check.code == 6 && check.stdout.contains("\"G7\""), "{check:?}");
    // Other relevances are another eval.
    dir.file("more.tsv", &dir.read("qrels.tsv").replace("q0\tgood", "q0\tbad"));
    dir.run(&["import", "predictions", "--predictions", "after.trec", "--qrels", "more.tsv", "--output", "other.json"])
        .ok();
    assert_eq!(dir.run(&["compare", "before.json", "other.json"]).code, 5);
}

#[test]
fn what_can_not_be_read_is_named_and_nothing_is_written() {
    let dir = Dir::new();
    dir.file("e.csv", "a,b\nx,y\n");
    dir.file("bad.jsonl", "{\"query\": 1}\n");
    dir.file("few.csv", "anchor,positive\na,p\n");
    dir.file("run", "q Q0 d 1 0.5 t\n");
    dir.file("qrels", "q 0 d 0\n");
    dir.file("html", "<html>\n");
    let predictions = |predictions: &'static str, qrels: &'static str| {
        vec!["import", "predictions", "--predictions", predictions, "--qrels", qrels, "--output", "out/o.json"]
    };
    for (args, code, said) in [
        (vec!["import", "labelled", "--input", "e.csv", "--output", "out/o"], 2, "there are a, b"),
        (vec!["import", "labelled", "--input", "e.xlsx", "--output", "out/o"], 2, "told by its name"),
        (vec!["import", "labelled", "--input", "e.csv", "--output", "e.csv"], 2, "--input"),
        (vec!["import", "triplets", "--input", "bad.jsonl", "--output", "out/o"], 3, "line 1"),
        (vec!["import", "triplets", "--input", "few.csv", "--output", "out/o"], 3, "crucible import labelled"),
        (predictions("run", "qrels"), 3, "no query has a relevant document"),
        (predictions("html", "qrels"), 3, "has 1 fields"),
        (predictions("run", "html"), 3, "line 1"),
        (predictions("none", "qrels"), 1, "none"),
    ] {
        let ran = dir.run(&args);
        assert!(ran.failed(code).contains(said), "{args:?}: {ran:?}");
        assert!(!dir.path().join("out").exists(), "{args:?}");
    }
}
