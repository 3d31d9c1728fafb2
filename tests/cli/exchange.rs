//! What goes to other programs and comes from them: BEIR folders, rows to train on, TREC runs, Parquet.

use crate::eval::{bundles, checkpoint, events};
use crate::util::{Dir, Ran, python_with};
use crucible_cli::parquet_file::{self, Column, Values};
use serde_json::{Value, json};
use std::path::Path;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Anchor, positive and negatives of each bundle.
fn texts(dir: &Dir, name: &str) -> Vec<Vec<String>> {
    let text = |event: &Value| event["text"].as_str().expect("a text").to_owned();
    let all = |bundle: &Value| {
        let negatives = bundle["negatives"].as_array().expect("a list").iter().map(text);
        [text(&bundle["anchor"]), text(&bundle["positive"])].into_iter().chain(negatives).collect()
    };
    lines(&dir.read(name)).iter().map(all).collect()
}

/// A model, an eval set, and a BEIR folder of 56 documents and 4 judged queries.
fn prepared() -> Dir {
    let dir = Dir::new();
    std::fs::write(dir.path().join("m.safetensors"), checkpoint(1)).expect("writes");
    dir.file("set.jsonl", &bundles());
    let texts: Vec<String> =
        events(0, 60).iter().map(|e| serde_json::from_str::<Value>(e).expect("JSON")["text"].to_string()).collect();
    let text = |i: usize| -> String { serde_json::from_str(&texts[i]).expect("a text") };
    let corpus = |i: usize| json!({"_id": format!("{i}"), "title": if i.is_multiple_of(5) { "bank" } else { "" }, "text": text(i)});
    dir.file("beir/corpus.jsonl", &(4..60).map(|i| format!("{}\n", corpus(i))).collect::<String>());
    let query = |i: usize| json!({"_id": format!("{i}"), "text": text(i), "metadata": {}});
    dir.file("beir/queries.jsonl", &(0..5).map(|i| format!("{}\n", query(i))).collect::<String>());
    let mut qrels = String::from("query-id\tcorpus-id\tscore\n");
    for query in 0..4 {
        for (document, grade) in [(query + 4, 2), (query + 8, 1), (query + 13, 0), (query + 14, -1)] {
            qrels += &format!("{query}\t{document}\t{grade}\n");
        }
    }
    dir.file("beir/qrels/test.tsv", &qrels);
    dir
}

/// Rows of a `.npy` file of `f32`.
fn vectors(dir: &Dir, name: &str) -> Vec<Vec<f64>> {
    let bytes = std::fs::read(dir.path().join(name)).expect("is there");
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let numbers: Vec<f64> = bytes[header..].as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect();
    numbers.chunks(16).map(<[f64]>::to_vec).collect()
}

#[test]
fn a_beir_folder_becomes_bundles_and_comes_back() {
    let dir = prepared();
    let import = |folder: &str, output: &str| {
        dir.run(&["import", "beir", folder, "--output", output, "--negatives", "6", "--json"]).json()
    };
    let report = import("beir", "b.jsonl");
    let count = |name: &str| report[name].as_u64().expect("a number");
    assert_eq!(["queries", "bundles", "documents", "pool"].map(count), [4, 8, 56, 56]);
    assert_eq!(["judged_negatives", "found_negatives"].map(count), [2 * 8, 4 * 8]);
    let first = &lines(&dir.read("b.jsonl"))[0];
    assert_eq!((&first["anchor"]["query_id"], &first["positive"]["corpus_id"]), (&json!("0"), &json!("4")));
    assert_eq!((&first["metadata"]["relevance"], &first["bundle_id"]), (&json!(2), &json!("0:4")));
    let judged: Vec<&Value> =
        first["negatives"].as_array().expect("a list")[..2].iter().map(|n| &n["corpus_id"]).collect();
    assert!(judged.contains(&&json!("13")) && judged.contains(&&json!("14")), "{judged:?}");
    dir.run(&["eval", "--checkpoint", "m.safetensors", "--eval-set", "b.jsonl", "--output", "s.json"]).ok();

    // Its negatives are judged there, so they are the first again.
    let export = ["export", "beir", "--bundles", "b.jsonl", "--output", "again", "--with-negatives"];
    dir.run(&export).ok();
    import("again", "again.jsonl");
    let sorted = |name: &str| {
        let mut all = texts(&dir, name);
        all.iter_mut().for_each(|texts| texts[2..].sort());
        all
    };
    assert_eq!(sorted("again.jsonl"), sorted("b.jsonl"));
    assert!(dir.run(&export).failed(2).contains("not empty"));
    // Negatives are no judgements unless they are asked for, and titles are part of texts.
    dir.run(&["export", "beir", "--bundles", "b.jsonl", "--output", "plain", "--split", "dev"]).ok();
    assert_eq!(dir.read("plain/qrels/dev.tsv").lines().count(), 1 + 8);
    assert!(dir.read("plain/corpus.jsonl").contains("\"text\":\"bank the bank by"));
}

#[test]
fn a_ranking_of_a_corpus_is_that_of_the_vectors() {
    let dir = prepared();
    let export =
        ["export", "trec", "--checkpoint", "m.safetensors", "--beir", "beir", "--output", "run", "--depth", "20"];
    assert_eq!(dir.run(&[&export[..], &["--json"]].concat()).json()["lines"], 4 * 20);
    for (file, output) in [("queries", "q"), ("corpus", "c")] {
        let event = |text: &Value| {
            let title = text["title"].as_str().filter(|t| !t.is_empty()).map(|t| format!("{t} ")).unwrap_or_default();
            let whole = title + text["text"].as_str().expect("a text");
            json!({"event_id": text["_id"], "sense": "s#1", "text": whole}).to_string() + "\n"
        };
        let all = lines(&dir.read(&format!("beir/{file}.jsonl")));
        dir.file("e.jsonl", &all.iter().map(event).collect::<String>());
        let npy = format!("{output}.npy");
        dir.run(&["embed", "--checkpoint", "m.safetensors", "--events", "e.jsonl", "--output", &npy]).ok();
    }
    let (queries, corpus) = (vectors(&dir, "q.npy"), vectors(&dir, "c.npy"));
    let run = dir.read("run");
    for (query, vector) in queries.iter().take(4).enumerate() {
        let mut wanted: Vec<(f64, String)> = corpus
            .iter()
            .enumerate()
            .map(|(at, row)| (row.iter().zip(vector).map(|(a, b)| a * b).sum(), (at + 4).to_string()))
            .filter(|(_, id)| *id != query.to_string())
            .collect();
        wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let found: Vec<Vec<&str>> =
            run.lines().map(|l| l.split(' ').collect()).filter(|f: &Vec<&str>| f[0] == query.to_string()).collect();
        assert_eq!(found.len(), 20);
        for ((rank, fields), (score, _)) in (1..).zip(&found).zip(&wanted) {
            assert_eq!(fields[3], rank.to_string());
            let own: f64 = fields[4].parse().expect("a number");
            assert!((own - score).abs() < 1e-6, "{query} {rank}: {own} {score}");
            let by_id = &wanted.iter().find(|(_, id)| id == fields[2]).expect("a document").0;
            assert!((by_id - own).abs() < 1e-6, "{query} {rank}");
        }
    }
    let import =
        ["import", "predictions", "--predictions", "run", "--qrels", "beir/qrels/test.tsv", "--output", "b.json"];
    let metrics = dir.run(&[&import[..], &["--json"]].concat()).json()["metrics"].clone();
    assert_eq!((&metrics["queries"], &metrics["found"]), (&json!(4), &json!(4)));
    let ndcg = metrics["mean"]["ndcg"]["10"].as_f64().expect("a number");
    assert!(ndcg > 0.0 && ndcg <= 1.0, "{metrics}");
    // Prompts of queries and documents apart are for folders of models.
    let prompted = dir.run(&[&export[..], &["--query-prompt", "query: ", "--force"]].concat());
    assert!(prompted.failed(2).contains("--prompt is for folders"), "{prompted:?}");
}

#[test]
fn lineups_as_a_run_say_what_the_scoreboard_says() {
    let dir = prepared();
    let eval = ["eval", "--checkpoint", "m.safetensors", "--eval-set", "set.jsonl", "--output", "s.json", "--json"];
    let board = dir.run(&eval).json();
    let model = ["--checkpoint", "m.safetensors"];
    let items = ["--items", "s_items.jsonl"];
    for (scores, per_query) in [(&model, 3), (&items, 2)] {
        let export = ["export", "trec", "--eval-set", "set.jsonl", "--output", "run", "--qrels", "qrels", "--force"];
        let said = dir.run(&[&export[..], &["--json"], scores].concat()).json();
        assert_eq!((&said["queries"], &said["lines"]), (&json!(48), &json!(48 * per_query)));
        let import =
            ["import", "predictions", "--predictions", "run", "--qrels", "qrels", "--output", "p.json", "--force"];
        let again = dir.run(&[&import[..], &["--json"]].concat()).json()["scoreboard"].clone();
        for field in ["n", "pass_rate", "mean_margin", "mean_rank"] {
            let (a, b) = (&again["overall"][field], &board["overall"][field]);
            let same = field == "mean_rank" && per_query == 2 || a == b;
            assert!(same, "{field}: {a} {b}");
        }
    }
    let export = |more: &[&str]| dir.run(&[&["export", "trec", "--output", "x"][..], more].concat());
    assert!(export(&model).failed(2).contains("--beir"));
    assert!(export(&["--eval-set", "set.jsonl"]).failed(2).contains("--checkpoint"));
    assert!(export(&["--beir", "beir", "--items", "s_items.jsonl"]).code == 2);
    dir.file("other.jsonl", &dir.read("set.jsonl").replace("\"bundle_id\":\"b0\"", "\"bundle_id\":\"x y\""));
    let other = export(&["--eval-set", "other.jsonl", "--items", "s_items.jsonl"]);
    assert!(other.failed(3).contains("\"b0\" is of no bundle"), "{other:?}");
    let blank = export(&["--eval-set", "other.jsonl", "--checkpoint", "m.safetensors"]);
    assert!(blank.failed(3).contains("\"x y\""), "{blank:?}");
    assert!(!dir.path().join("x").exists());
}

/// Bundles whose texts are hard to write.
fn hard(dir: &Dir) {
    let rows = [
        json!({"anchor": "=cmd|' /C calc'!A0", "positive": "a \"b\", c\r\nd\te", "negative_1": "@x", "negative_2": " y "}),
        json!({"anchor": "+1", "positive": "NA", "negative_1": "-2", "negative_2": "null"}),
        json!({"anchor": "é,;", "positive": "'", "negative_1": "\"", "negative_2": "\\n"}),
    ];
    dir.file("in.jsonl", &rows.iter().map(|row| format!("{row}\n")).collect::<String>());
    dir.run(&["import", "triplets", "--input", "in.jsonl", "--output", "hard.jsonl"]).ok();
}

#[test]
fn triplets_come_back_from_every_form() {
    let dir = Dir::new();
    hard(&dir);
    let wanted = texts(&dir, "hard.jsonl");
    let export = |output: &str, more: &[&str]| {
        dir.run(&[&["export", "triplets", "--bundles", "hard.jsonl", "--output", output][..], more].concat())
    };
    for (output, form) in [
        ("r.jsonl", "sentence-transformers"),
        ("r.csv", "sentence-transformers"),
        ("r.tsv.gz", "sentence-transformers"),
        ("r.parquet", "sentence-transformers"),
        ("f.jsonl.zst", "flag-embedding"),
        ("t.jsonl", "tevatron"),
    ] {
        let ran = export(output, &["--form", form]);
        ran.ok();
        let warned = ran.stderr.contains("2 cells say what pandas");
        assert_eq!(warned, output.contains("csv") || output.contains("tsv"), "{output}: {ran:?}");
        dir.run(&["import", "triplets", "--input", output, "--output", "again.jsonl", "--force"]).ok();
        assert_eq!(texts(&dir, "again.jsonl"), wanted, "{output}");
    }
    export("one.csv", &["--negatives", "1"]).ok();
    assert!(dir.read("one.csv").starts_with("anchor,positive,negative\n"));
    assert!(export("x.csv", &["--negatives", "9"]).failed(3).contains("no bundle has 9 negatives"));
    assert!(export("x.csv", &["--form", "tevatron"]).failed(2).contains("as .jsonl"));
    assert!(export("x.xlsx", &[]).failed(2).contains(".parquet"));
    assert!(export("hard.jsonl", &[]).failed(2).contains("would overwrite"));
}

#[test]
fn what_is_wrong_with_a_beir_folder_is_named_and_nothing_is_written() {
    let names = "query-id\tcorpus-id\tscore\n";
    let long = format!("{{\"_id\": \"x\", \"text\": \"{}\"}}\n", "x".repeat(100 << 20));
    for (file, content, code, said) in [
        (
            "qrels/test.tsv",
            format!("{names}0\tnone\t1\n").as_bytes(),
            3,
            "test.tsv: line 2: `corpus-id`: \"none\" is not in corpus.jsonl",
        ),
        ("qrels/test.tsv", format!("{names}none\t4\t1\n").as_bytes(), 3, "line 2: `query-id`"),
        (
            "qrels/test.tsv",
            format!("{names}0\t4\t1\n0\t4\t1\n").as_bytes(),
            3,
            "already judged for this query on line 2",
        ),
        (
            "qrels/test.tsv",
            format!("{names}0\t4\tgood\n").as_bytes(),
            3,
            "line 2: `score`: \"good\" is no whole number",
        ),
        ("qrels/test.tsv", format!("{names}0 4 1\n").as_bytes(), 3, "line 2: has 1 fields between tabs"),
        ("qrels/test.tsv", format!("{names}0\t4\t-1\n").as_bytes(), 3, "no query has a relevant document"),
        ("qrels/test.tsv", names.as_bytes(), 3, "judges nothing"),
        (
            "corpus.jsonl",
            b"{\"_id\": \"4\", \"text\": \"a\"}\n{\"_id\": \"4\", \"text\": \"b\"}\n",
            3,
            "corpus.jsonl: line 2: `_id`: \"4\" was already used on line 1",
        ),
        ("corpus.jsonl", b"{\"_id\": \"4\", \"text\": \"\xff\"}\n", 3, "line 1: invalid UTF-8"),
        ("corpus.jsonl", b"{\"text\": \"a\"}\n", 3, "line 1: missing field `_id`"),
        ("corpus.jsonl", b"{\"_id\": \"4\", \"text\": [1]}\n", 3, "line 1: `text`"),
        ("corpus.jsonl", long.as_bytes(), 3, "line 1: is 104857624 bytes long; at most 16777216 are read"),
        ("corpus.jsonl", b"", 3, "is empty"),
        ("queries.jsonl", b"<html>", 3, "queries.jsonl: is a web page"),
    ] {
        let dir = prepared();
        std::fs::write(dir.path().join("beir").join(file), content).expect("writes");
        let ran = dir.run(&["import", "beir", "beir", "--output", "out/o.jsonl"]);
        assert!(ran.failed(code).contains(said), "{said}: {ran:?}");
        assert!(!dir.path().join("out").exists(), "{said}");
    }
    let dir = prepared();
    let import = |more: &[&str]| dir.run(&[&["import", "beir"][..], more, &["--output", "o.jsonl"]].concat());
    assert!(import(&["beir", "--split", "dev"]).failed(1).contains("--split test"));
    assert!(import(&["beir", "--split", "../qrels/test"]).failed(1).contains("holds no qrels"));
    assert!(import(&["m.safetensors"]).failed(1).contains("is no folder"));
    dir.file("beir/qrels/more.tsv", &(dir.read("beir/qrels/test.tsv") + "0\tnone\t1\n"));
    assert!(import(&["beir", "--split", "more"]).failed(3).contains("--allow-missing"));
    assert!(import(&["beir", "--split", "more", "--allow-missing"]).ok().contains("left out: 1 judgements"));
    std::fs::remove_file(dir.path().join("beir/corpus.jsonl")).expect("was there");
    assert!(import(&["beir"]).failed(1).contains("holds no corpus.jsonl"));
}

#[test]
fn items_and_vectors_in_parquet_are_those_of_the_other_forms() {
    let dir = prepared();
    let eval = |more: &[&str]| -> Ran {
        let eval = ["eval", "--checkpoint", "m.safetensors", "--eval-set", "set.jsonl"];
        dir.run(&[&eval[..], more].concat())
    };
    eval(&["--output", "a.json"]).ok();
    eval(&["--output", "b.json", "--items", "b_items.parquet"]).ok();
    assert!(!dir.path().join("b_items.jsonl").exists());
    let compare = |a: &str, b: &str| {
        // Too few bundles for a verdict.
        let ran = dir.run(&["compare", a, b, "--json"]);
        let mut json: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
        json.as_object_mut().expect("an object").retain(|name, _| name == "overall" || name == "by_tier");
        json
    };
    assert_eq!(compare("a.json", "b.json"), compare("a.json", "a.json"));
    assert_eq!(compare("a.json", "b.json")["overall"]["lost"], 0);
    let taken = eval(&["--output", "a.json", "--items", "a_items.parquet"]);
    assert!(taken.failed(2).contains("a_items.jsonl would be taken"), "{taken:?}");
    dir.file("e.jsonl", &events(0, 20).join("\n"));
    let said = dir.run(&["embed", "--checkpoint", "m.safetensors", "--events", "e.jsonl", "-o", "v.parquet", "--json"]);
    assert_eq!((&said.json()["rows"], &said.json()["ids"]), (&json!(20), &Value::Null));
    dir.run(&["embed", "--checkpoint", "m.safetensors", "--events", "e.jsonl", "-o", "v.npy"]).ok();
    let rows = parquet_file::rows(&dir.path().join("v.parquet")).expect("reads");
    for (i, (row, vector)) in rows.iter().zip(vectors(&dir, "v.npy")).enumerate() {
        assert_eq!((&row.values["event_id"], &row.values["embedding"]), (&json!(format!("e{i}")), &json!(vector)));
    }
}

fn parquet<const N: usize>(dir: &Dir, name: &str, columns: [(&str, Values<'_>); N]) {
    let columns = columns.map(|(name, values)| Column { name: name.to_owned(), values });
    parquet_file::write(&dir.path().join(name), &columns).expect("writes").commit().expect("writes");
}

#[test]
fn what_is_wrong_with_parquet_is_named_by_row_and_column() {
    let dir = Dir::new();
    let text = |texts: &[Option<&'static str>]| Values::Texts(texts.to_vec());
    parquet(&dir, "l.parquet", [("text", text(&[Some("a"), Some("b")])), ("label", text(&[Some("x"), Some("y")]))]);
    let labelled = |input: &str| dir.run(&["import", "labelled", "--input", input, "--output", "o.jsonl"]);
    assert!(labelled("l.parquet").ok().contains("2 events, 2 labels"));
    std::fs::remove_file(dir.path().join("o.jsonl")).expect("was there");
    let whole = std::fs::read(dir.path().join("l.parquet")).expect("reads");
    std::fs::write(dir.path().join("cut.parquet"), &whole[..whole.len() / 2]).expect("writes");
    std::fs::write(dir.path().join("empty.parquet"), b"").expect("writes");
    dir.file("csv.parquet", "text,label\na,x\n");
    parquet(&dir, "null.parquet", [("text", text(&[Some("a"), None])), ("label", text(&[Some("x"), Some("y")]))]);
    parquet(&dir, "list.parquet", [("text", Values::Vectors { dim: 1, rows: &[1.0] }), ("label", text(&[Some("x")]))]);
    parquet(&dir, "other.parquet", [("a", text(&[Some("a")])), ("b", text(&[Some("x")]))]);
    for (input, code, said) in [
        ("cut.parquet", 3, "cut.parquet can't be read as Parquet"),
        ("empty.parquet", 3, "can't be read as Parquet"),
        ("csv.parquet", 3, "can't be read as Parquet"),
        ("null.parquet", 3, "null.parquet: row 2: `text`: is missing, empty, or no text"),
        ("list.parquet", 3, "row 1: `text`"),
        ("other.parquet", 2, "there are a, b"),
        ("none.parquet", 1, "none.parquet"),
    ] {
        let ran = labelled(input);
        assert!(ran.failed(code).contains(said), "{input}: {ran:?}");
        assert!(!dir.path().join("o.jsonl").exists(), "{input}");
    }
    parquet(&dir, "t.parquet", [("anchor", text(&[Some("a"), Some("")])), ("positive", text(&[Some("p"), Some("q")]))]);
    let ran = dir.run(&["import", "triplets", "--input", "t.parquet", "--output", "o.jsonl"]);
    assert!(ran.failed(3).contains("row 2: `anchor`: is empty"), "{ran:?}");
}

#[test]
#[expect(clippy::print_stdout, reason = "a library that is not there is skipped, and said so")]
fn other_libraries_read_what_was_written() {
    let Some(python) = python_with("pandas, pyarrow") else { return };
    let dir = prepared();
    hard(&dir);
    for output in ["rows.csv", "rows.jsonl", "rows.parquet"] {
        dir.run(&["export", "triplets", "--bundles", "hard.jsonl", "--output", output]).ok();
    }
    dir.file("e.jsonl", &events(0, 20).join("\n"));
    dir.run(&["embed", "--checkpoint", "m.safetensors", "--events", "e.jsonl", "-o", "vectors.parquet"]).ok();
    dir.run(&["embed", "--checkpoint", "m.safetensors", "--events", "e.jsonl", "-o", "v.npy"]).ok();
    let eval = ["eval", "--checkpoint", "m.safetensors", "--eval-set", "set.jsonl", "--output"];
    dir.run(&[&eval[..], &["a.json"]].concat()).ok();
    dir.run(&[&eval[..], &["b.json", "--items", "items.parquet"]].concat()).ok();
    let trec = ["export", "trec", "--checkpoint", "m.safetensors", "--eval-set", "set.jsonl"];
    dir.run(&[&trec[..], &["--output", "run.trec", "--qrels", "qrels"]].concat()).ok();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reference/exchange.py");
    let ran = std::process::Command::new(python).arg(script).arg(dir.path()).output().expect("runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let read: Value = serde_json::from_str(&dir.read("read.json")).expect("JSON");

    let rows = texts(&dir, "hard.jsonl");
    let column = |at: usize| rows.iter().map(|row| row[at].clone()).collect::<Vec<_>>();
    let wanted = json!({"anchor": column(0), "positive": column(1), "negative_1": column(2), "negative_2": column(3)});
    for library in ["pandas", "datasets"] {
        if read[library].is_null() {
            println!("skipped: {library} is not installed");
            continue;
        }
        for file in ["rows.csv", "rows.jsonl", "rows.parquet"] {
            assert_eq!(read[library][file], wanted, "{library} {file}");
        }
    }
    let found = &read["pandas"]["items.parquet"];
    for (at, item) in lines(&dir.read("a_items.jsonl")).iter().enumerate() {
        for field in ["bundle_id", "group", "group_kind", "tier", "pool", "rank", "winning_negative"] {
            assert_eq!(found[field][at], item[field], "{field}");
        }
        let apart = found["margin"][at].as_f64().expect("a number") - item["margin"].as_f64().expect("a number");
        assert!(apart.abs() < 1e-14, "pandas' own JSON is off by so much");
    }
    assert_eq!(
        (&read["pyarrow"]["types"]["margin"], &read["pyarrow"]["types"]["rank"]),
        (&json!("double"), &json!("uint32"))
    );
    assert_eq!(read["pyarrow"]["vectors.parquet"]["embedding"], json!(vectors(&dir, "v.npy")));
    match read["pytrec_eval"].as_object() {
        None => println!("skipped: pytrec_eval is not installed"),
        Some(ranks) => {
            for item in lines(&dir.read("a_items.jsonl")) {
                let rank = 1.0 / ranks[item["bundle_id"].as_str().expect("an id")].as_f64().expect("a number");
                // A tie may go either way there.
                let own = item["rank"].as_f64().expect("a number");
                assert!((rank - own).abs() < 1e-4 || item["margin"] == 0.0, "{item}: {rank}");
            }
        }
    }
    for codec in ["none", "snappy", "gzip", "zstd"] {
        let input = format!("written_{codec}.parquet");
        dir.run(&["import", "triplets", "--input", &input, "--output", "w.jsonl", "--force"]).ok();
        let wanted = [vec!["=1+1", "a \"b\",\r\nc", "x", "é"], vec!["NA", "p", "y"]];
        assert_eq!(texts(&dir, "w.jsonl"), wanted, "{codec}");
    }
    let bundle = |vectors: &str| {
        dir.run(&["bundle", "--events", "e.jsonl", "--embeddings", vectors, "--output", "v.jsonl", "--force"]).ok();
        dir.read("v.jsonl")
    };
    let wanted = bundle("v.npy");
    for vectors in ["vectors_32.parquet", "vectors_64.parquet"] {
        assert!(bundle(vectors) == wanted, "{vectors}");
    }
}
