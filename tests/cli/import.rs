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
    dir.file("other", "r Q0 d 1 0.5 t\n");
    dir.file("two.csv", "text,label,intent\na,b,c\n");
    dir.file("own.jsonl", "{\"event_id\": \"1\", \"sense\": \"a\", \"text\": \"t\"}\n");
    dir.file("lfs.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    dir.file("ids.csv", "id,query,domain,negative\n1,a,b,c\n");
    let predictions = |predictions: &'static str, qrels: &'static str| {
        vec!["import", "predictions", "--predictions", predictions, "--qrels", qrels, "--output", "out/o.json"]
    };
    for (args, code, said) in [
        (vec!["import", "labelled", "--input", "e.csv", "--output", "out/o"], 2, "there are a, b"),
        (vec!["import", "labelled", "--input", "e.xlsx", "--output", "out/o"], 2, "told by its name"),
        (vec!["import", "labelled", "--input", "e.csv", "--output", "e.csv"], 2, "--input"),
        (vec!["import", "triplets", "--input", "bad.jsonl", "--output", "out/o"], 2, "--positive"),
        (vec!["import", "triplets", "--input", "few.csv", "--output", "out/o"], 3, "crucible import labelled"),
        (predictions("run", "qrels"), 3, "no query has a relevant document"),
        (predictions("html", "qrels"), 3, "html: is a web page"),
        (predictions("run", "html"), 3, "html: is a web page"),
        (predictions("other", "qrels"), 3, "share no query: the first has r, the second q"),
        (predictions("qrels", "qrels"), 3, "line 1: has 4 fields, as relevances have"),
        (
            vec!["import", "labelled", "--input", "two.csv", "--output", "out/o"],
            2,
            "label, intent; choose one with --label",
        ),
        (vec!["import", "labelled", "--input", "own.jsonl", "--output", "out/o"], 3, "own.jsonl holds events"),
        (vec!["import", "triplets", "--input", "own.jsonl", "--output", "out/o"], 3, "own.jsonl holds events"),
        (vec!["import", "labelled", "--input", "own.jsonl", "--delimiter", ";", "--output", "out/o"], 2, "--delimiter"),
        (vec!["import", "labelled", "--input", "e.csv", "--delimiter", "ab", "--output", "out/o"], 2, "one character"),
        (vec!["import", "labelled", "--input", "lfs.csv", "--output", "out/o"], 3, "git lfs pull"),
        (vec!["import", "triplets", "--input", "ids.csv", "--output", "out/o"], 2, "--positive"),
        (predictions("none", "qrels"), 1, "none"),
    ] {
        let ran = dir.run(&args);
        assert!(ran.failed(code).contains(said), "{args:?}: {ran:?}");
        assert!(!dir.path().join("out").exists(), "{args:?}");
    }
}

#[test]
fn what_was_taken_of_a_file_is_printed() {
    let dir = Dir::new();
    dir.file("hwu.csv", "answerid;intent;text\n1;query;\"which, if any\"\n2;query ;list them\n");
    let import = |more: &[&str]| {
        dir.run(&[&["import", "labelled", "--input", "hwu.csv", "-o", "e.jsonl", "--force"], more].concat())
    };
    let ran = import(&[]);
    let said = ran.ok();
    for part in [
        "2 events, 1 label, 1 group of labels",
        "text from \"text\", label from \"intent\"; ids are made of text and label (--id \"answerid\" takes that column); not used: answerid",
        "! cells are separated by semicolons",
        "! 1 rows had blanks",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let json = import(&["--json"]).json();
    assert_eq!((json["columns"]["label"].as_str(), json["tidied"].as_u64()), (Some("intent"), Some(1)));
    assert_eq!(json["notes"].as_array().map(Vec::len), Some(2), "{json}");
    assert!(import(&["--id", "answerid"]).ok().contains("id from \"answerid\""));
    assert!(dir.read("e.jsonl").starts_with("{\"event_id\":\"1\",\"sense\":\"query\""), "{}", dir.read("e.jsonl"));
    dir.file("rows.csv", "id,query,document,negative\n17,how,cash,nine\n18,when,nine,cash\n");
    let ran = dir.run(&["import", "triplets", "--input", "rows.csv", "-o", "b.jsonl"]);
    let columns = "Columns: anchor from \"query\", positive from \"document\", negatives from negative; not used: id";
    assert!(ran.ok().contains(columns) && ran.ok().starts_with("2 bundles, 6 texts"), "{ran:?}");
    let flags = ["--anchor", "document", "--positive", "query", "--negative", "negative", "--json"];
    let ran =
        dir.run(&[&["import", "triplets", "--input", "rows.csv", "-o", "b.jsonl", "--force"][..], &flags].concat());
    assert_eq!(ran.json()["columns"][0]["anchor"], "document");
}

#[test]
fn figures_of_rankings_say_what_is_special_about_them() {
    let dir = Dir::new();
    dir.file("qrels", "# judged\nq1 0 a 1\nq1 0 b 0\nq2 0 c 0\nq3 0 c 1\n");
    dir.file("run", "q1 Q0 a 1 0.9000000002 t\nq1 Q0 b 2 0.9000000001 t\nq2 Q0 c 1 2 t\nq9 Q0 c 1 2 t\n");
    let import =
        ["import", "predictions", "--predictions", "run", "--qrels", "qrels", "-o", "b.json", "--metrics", "m.json"];
    let ran = dir.run(&import);
    for part in [
        "first for 50.0 %",
        "! 1 queries are not in the predictions",
        "! 1 judged queries have no relevant document",
        "! 1 queries of the predictions are not judged",
        "! 1 queries have scores that are equal in 32 bits only",
    ] {
        assert!(ran.ok().contains(part), "{part}: {}", ran.stdout);
    }
    let metrics: serde_json::Value = serde_json::from_str(&dir.read("m.json")).expect("JSON");
    assert_eq!((&metrics["queries"], &metrics["mean"]["ndcg"]["1"]), (&3.into(), &0.0.into()));
    assert!(!ran.stdout.contains("-0.0") && !dir.read("m.json").contains("-0.0"), "{}", ran.stdout);
    dir.file("run", "q1 Q0 x 1 0.9 t\n");
    assert!(dir.run(&[&import[..], &["--force"]].concat()).ok().contains("are the ids those of the qrels"));
}
