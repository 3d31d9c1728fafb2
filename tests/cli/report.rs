//! Reports: what they hold, that no text breaks out of them, how large they get, what they refuse.

use crate::sweep::{RATIO, prepared};
use crate::util::Dir;
use crucible_core::data::{BundleSet, read_bundles};
use crucible_core::embeddings::Embeddings;
use crucible_core::eval::{self, Checkpoint, EvalHeader, Inputs};
use crucible_core::rng::Stream;
use crucible_core::sweep::Truth;
use ct_codecs::{Base64, Decoder, Encoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// A text that every careless page would run.
const HOSTILE: &str = "<img src=x onerror=alert(1)></script><script>alert(2)</script><!--";

/// Bundles with five negatives each, and texts of some length; the first says something hostile.
fn bundles(n: usize, seed: u64) -> String {
    let mut stream = Stream::new(seed, "report test", 0);
    let mut words = |count: usize| -> String {
        let word = |stream: &mut Stream| -> String {
            (0..2 + stream.below(8)).map(|_| char::from(b'a' + stream.below(26) as u8)).collect()
        };
        (0..count).map(|_| word(&mut stream)).collect::<Vec<_>>().join(" ")
    };
    let texts: Vec<String> = (0..2 * n).map(|_| words(18)).collect();
    let mut draw = Stream::new(seed, "report test", 1);
    let event = |i: usize| {
        let text = if i == 0 { HOSTILE } else { &texts[i] };
        json!({"event_id": format!("evt_{i:06}"), "sense": format!("word{}#{}", i % 400, i % 3), "text": text, "doc": format!("doc{}", i % 200)})
    };
    let mut out = String::new();
    for i in 0..n {
        let negatives: Vec<Value> = (0..5)
            .map(|_| {
                let at = draw.below(2 * n);
                let mut event = event(at);
                event["sense"] = format!("word{}#{}", at % 400, 3 + at % 2).into();
                event["event_id"] = format!("neg_{at:06}").into();
                event["source"] = "cross_lemma".into();
                event
            })
            .collect();
        let (anchor, mut positive) = (event(i), event(n + i));
        positive["sense"] = anchor["sense"].clone();
        let tier = ["tier1_easy", "tier1_easy", "tier2_robust", "tier3_adversarial"][i % 4];
        let bundle = json!({"bundle_id": format!("bundle_{i:05}"), "anchor": anchor, "positive": positive, "negatives": negatives, "metadata": {"tier": tier}});
        out += &(bundle.to_string() + "\n");
    }
    out
}

/// A scoreboard and its items, of made-up vectors.
fn scoreboard(set: &BundleSet, path: &str, hash: &[u8], seed: u64, to: &Path) {
    let mut stream = Stream::new(seed, path, 0);
    let values = (0..set.events.len() * 6).map(|_| stream.below(2001) as f32 / 1000.0 - 1.0).collect();
    let embeddings = Embeddings::normalised(6, values);
    let scores = eval::score(set, &embeddings);
    let inputs = Inputs {
        eval_header: EvalHeader::of(set, path, hash, 42, "1"),
        checkpoint: Checkpoint { path: "checkpoint_final.safetensors".into(), hash: format!("{seed:064x}") },
        model_conditions: BTreeMap::new(),
        timestamp: "2026-01-01T00:00:00Z".into(),
        device: "cpu".into(),
    };
    let board = eval::scoreboard(set, &embeddings, &scores, inputs);
    let mut items = Vec::new();
    eval::write_items(&eval::items(set, &scores), &mut items).expect("a Vec takes everything");
    std::fs::write(to, serde_json::to_string_pretty(&board).expect("JSON")).expect("writes");
    let name = to.file_stem().expect("a name").to_string_lossy().into_owned();
    std::fs::write(to.with_file_name(format!("{name}_items.jsonl")), items).expect("writes");
}

/// `R0 … Rn/seed_1 …`, each a run with scoreboards on two evals of `items` bundles.
pub(crate) fn results(dir: &Dir, conditions: usize, seeds: u64, items: usize) {
    for (number, truth) in Truth::ALL.into_iter().enumerate() {
        let name = format!("{}.jsonl", truth.name());
        let text = bundles(items, number as u64);
        dir.file(&name, &text);
        let set = read_bundles(&mut text.as_bytes(), &name).expect("sound bundles");
        let hash = Sha256::digest(&text);
        for condition in 0..conditions {
            for seed in 1..=seeds {
                let run = format!("runs/R{condition}/seed_{seed}");
                dir.file(&format!("{run}/config.yaml"), "training: {steps: 100}\n");
                let to = dir.path().join(&run).join(format!("{}_scoreboard.json", truth.name()));
                scoreboard(&set, &name, &hash, 1000 * condition as u64 + seed, &to);
            }
        }
    }
}

const REPORT: [&str; 6] = ["report", "--results-dir", "runs", "--output", "r.html", "--force"];

/// What a page holds.
pub(crate) fn document(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"report-data\">").expect("data");
    let (data, _) = rest.split_once("</script>").expect("an end");
    let packed = Base64::decode_to_vec(data, None).expect("base64");
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).expect("gzip");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_sweeps_report_says_what_its_files_say() {
    let dir = prepared();
    dir.run(&RATIO).ok();
    let ran = dir.run(&["report", "--results-dir", "s", "--output", "out/r.html", "--resamples", "60", "--json"]);
    let json = ran.json();
    assert_eq!(json["shown"], json!(["summary", "pareto", "margin-dist", "step-trajectory", "dilution"]), "{json:#}");
    let page = dir.read("out/r.html");
    assert_eq!(json["bytes"], page.len());
    let report = document(&page);
    let analysis: Value = serde_json::from_str(&dir.read("s/pareto_analysis.json")).expect("JSON");
    assert_eq!(
        report["analysis"]["conditions"][1]["retention"]["mean"],
        analysis["conditions"][1]["retention"]["mean"]
    );
    assert_eq!(report["trials"], json!([4, 4]));
    let run = &report["runs"][2];
    let board: Value = serde_json::from_str(&dir.read("s/R40_40_20/seed_1/frozen_scoreboard.json")).expect("JSON");
    assert_eq!(run["boards"][0]["scoreboard"]["overall"], board["overall"]);
    let exposures: Value = serde_json::from_str(&dir.read("s/R40_40_20/seed_1/exposures.json")).expect("JSON");
    assert_eq!(run["exposures"], exposures);
    assert!(report["findings"].as_array().is_some_and(|f| f.iter().any(|f| f["finding"]["id"] == "G1")));
    assert!(report["evals"][0]["texts"]["texts"].as_array().is_some_and(|t| t.len() > 50));
    // The settings in which conditions differ are marked; the disk they lay on is not named.
    let settings = report["conditions"][1]["settings"].as_array().expect("settings");
    let of = |key: &str| settings.iter().find(|s| s["key"] == key).unwrap_or_else(|| panic!("no {key}"));
    assert_eq!(
        of("curriculum.tier3_ratios.organic"),
        &json!({"key": "curriculum.tier3_ratios.organic", "value": 0.4, "shared": false})
    );
    assert_eq!(of("data.frozen_eval")["value"], "frozen.jsonl");
    let folder = dir.path().display().to_string();
    assert!(!serde_json::to_string(&report).expect("JSON").contains(&folder), "the report names {folder}");
    // Another baseline, by name.
    let ran = dir.run(&[
        "report",
        "--results-dir",
        "s",
        "--output",
        "b.html",
        "--resamples",
        "20",
        "--baseline",
        "R40_40_20",
    ]);
    ran.ok();
    let other = document(&dir.read("b.html"));
    assert_eq!((&other["baseline"], &other["analysis"]["baseline"]), (&json!(1), &json!("R40_40_20")));
    // One run alone has no frontier; it says so, and what to do.
    let ran = dir.run(&["report", "--results-dir", "s/R40_40_20/seed_1", "--output", "one.html", "--resamples", "20"]);
    let said = ran.ok();
    assert!(
        said.contains("not shown: pareto: there is one condition only") && said.contains("crucible sweep ratio"),
        "{said}"
    );
    let ran = dir.run(&["report", "--results-dir", "s/R40_40_20/seed_1", "--output", "x.html", "--type", "pareto"]);
    assert!(ran.failed(3).contains("--type pareto: there is one condition only"), "{ran:?}");
    assert!(!dir.path().join("x.html").exists(), "nothing half written");
}

#[test]
fn no_text_breaks_out_and_nothing_is_allowed_but_the_pages_own() {
    let dir = Dir::new();
    results(&dir, 2, 2, 40);
    // A name from the file system is as strange as a text.
    std::fs::rename(dir.path().join("runs"), dir.path().join("<b>runs & \"co\"")).expect("renames");
    dir.run(&["report", "--results-dir", "<b>runs & \"co\"", "--output", "r.html", "--resamples", "20"]).ok();
    let page = dir.read("r.html");
    assert!(!page.contains("onerror=alert") && !page.contains("<b>runs"), "a text stands in the page's markup");
    assert!(page.contains("<title>&lt;b&gt;runs &amp; &quot;co&quot;"), "the title is escaped");
    let report = document(&page);
    assert!(report["evals"][0]["texts"]["texts"].as_array().is_some_and(|t| t.contains(&json!(HOSTILE))));
    // The policy allows exactly what stands in the page.
    let (_, rest) = page.split_once("Content-Security-Policy\" content=\"").expect("a policy");
    let (policy, _) = rest.split_once('"').expect("an end");
    assert!(
        policy.starts_with("default-src 'none'")
            && !policy.contains("unsafe-inline")
            && !policy.contains("'unsafe-eval'")
            && !policy.contains("connect"),
        "{policy}"
    );
    let mut scripts = 0;
    for part in page.split("<script>").skip(1).chain(page.split("<style>").skip(1)) {
        let end = part.find("</script>").into_iter().chain(part.find("</style>")).min().expect("an end");
        let hash = Base64::encode_to_string(Sha256::digest(&part[..end])).expect("short");
        assert!(policy.contains(&format!("'sha256-{hash}'")), "a part of the page is not in its policy");
        scripts += 1;
    }
    assert_eq!(scripts, 3, "two scripts and a sheet of styles");
    for remote in ["src=\"http", "href=\"http", "url(\"", "url(http", "url(/", "@import", "src=\"//"] {
        assert!(!page.contains(remote), "the page asks for something from elsewhere: {remote}");
    }
}

#[test]
fn the_same_results_are_the_same_bytes_and_texts_can_stay_out() {
    let dir = Dir::new();
    results(&dir, 2, 2, 40);
    dir.run(&[&REPORT[..], &["--resamples", "20"]].concat()).ok();
    let first = dir.read("r.html");
    dir.run(&[&REPORT[..], &["--resamples", "20", "--threads", "1"]].concat()).ok();
    assert!(first == dir.read("r.html"), "another run, other bytes");
    dir.run(&[&REPORT[..], &["--resamples", "20", "--no-texts", "--data", "r.json"]].concat()).ok();
    let report = document(&dir.read("r.html"));
    assert_eq!(report, serde_json::from_str::<Value>(&dir.read("r.json")).expect("JSON"));
    assert_eq!(
        (&report["evals"][0]["texts"], &report["evals"][0]["no_texts"]),
        (&Value::Null, &json!("the report was made with --no-texts"))
    );
    assert!(!serde_json::to_string(&report).expect("JSON").contains("onerror"), "no text");
    // Evals that are gone or changed are no error: the report says why it has no texts.
    std::fs::remove_file(dir.path().join("frozen.jsonl")).expect("removes");
    dir.file("organic.jsonl", &bundles(40, 9));
    dir.run(&[&REPORT[..], &["--resamples", "20"]].concat()).ok();
    let report = document(&dir.read("r.html"));
    let why = |e: usize| report["evals"][e]["no_texts"].as_str().expect("a reason").to_owned();
    assert!(why(0).contains("no longer where it was") && why(1).contains("another file"), "{} {}", why(0), why(1));
}

#[test]
fn each_type_shows_its_part_alone() {
    let dir = Dir::new();
    results(&dir, 2, 2, 40);
    for kind in ["summary", "pareto", "margin-dist"] {
        let json = dir.run(&[&REPORT[..], &["--resamples", "20", "--type", kind, "--json"]].concat()).json();
        assert_eq!(json["shown"], json!([kind]));
        let report = document(&dir.read("r.html"));
        assert_eq!(report["sections"].as_array().map(Vec::len), Some(1));
        let items = report["evals"][0]["ids"].as_array().map(Vec::len);
        assert_eq!(items, Some(if kind == "summary" { 0 } else { 40 }), "{kind}");
    }
    for kind in ["dilution", "step-trajectory"] {
        let ran = dir.run(&[&REPORT[..], &["--type", kind]].concat());
        assert!(ran.failed(3).contains("help: "), "{ran:?}");
    }
}

#[test]
fn scoreboards_alone_and_a_baseline_from_elsewhere() {
    let dir = Dir::new();
    results(&dir, 3, 1, 40);
    let copy = |from: &str, to: &str| {
        for (end, new) in [(".json", ".json"), ("_items.jsonl", "_items.jsonl")] {
            std::fs::create_dir_all(dir.path().join("boards")).expect("creates");
            std::fs::copy(dir.path().join(format!("{from}{end}")), dir.path().join(format!("{to}{new}")))
                .expect("copies");
        }
    };
    copy("runs/R0/seed_1/frozen_scoreboard", "boards/small_frozen");
    copy("runs/R1/seed_1/frozen_scoreboard", "boards/large_frozen");
    copy("runs/R1/seed_1/organic_scoreboard", "boards/large_organic_scoreboard");
    copy("runs/R2/seed_1/frozen_scoreboard", "old");
    dir.file("boards/notes.json", "{}");
    let of_boards = ["report", "--results-dir", "boards", "--output", "r.html", "--resamples", "20", "--force"];
    let ran = dir.run(&of_boards);
    assert!(ran.ok().contains("notes.json is no scoreboard"), "{ran:?}");
    let report = document(&dir.read("r.html"));
    let names: Vec<&Value> = report["conditions"].as_array().expect("conditions").iter().map(|c| &c["name"]).collect();
    assert_eq!(names, ["large", "small"]);
    let ran = dir.run(&[&of_boards[..], &["--baseline", "old.json"]].concat());
    ran.ok();
    let report = document(&dir.read("r.html"));
    let base = report["baseline"].as_u64().expect("a baseline") as usize;
    assert_eq!(report["conditions"][base], json!({"name": "baseline", "step": null, "settings": [], "foreign": true}));
    let changes = report["runs"][0]["boards"][0]["changes"].as_array().expect("changes");
    assert!(!changes.is_empty() && changes.iter().all(|c| c["change"]["verdict"].is_string()), "{changes:?}");

    let ran = dir.run(&[&of_boards[..], &["--baseline", "nobody"]].concat());
    assert!(ran.failed(2).contains("one of large, small"), "{ran:?}");
    results(&dir, 1, 1, 20);
    let ran = dir.run(&[&of_boards[..], &["--baseline", "runs/R0/seed_1/frozen_scoreboard.json"]].concat());
    assert!(ran.failed(5).contains("other items"), "{ran:?}");
}

#[test]
fn no_result_is_written_over() {
    let dir = Dir::new();
    results(&dir, 2, 1, 20);
    let report = |output: &str, more: &[&str]| {
        dir.run(
            &[&["report", "--results-dir", "runs", "--force", "--resamples", "20", "--output", output], more].concat(),
        )
    };
    let run = "runs/R0/seed_1";
    for name in ["config.yaml", "frozen_scoreboard.json", "frozen_scoreboard_items.jsonl"] {
        let ran = report(&format!("./runs/../{run}/{name}"), &[]);
        assert!(ran.failed(2).contains("would overwrite one of the results"), "{ran:?}");
    }
    assert!(report("x.html", &["--data", &format!("{run}/frozen_scoreboard.json")]).failed(2).contains("--data"));
    // Nor what they were made of.
    let before = dir.read("frozen.jsonl");
    assert!(report("frozen.jsonl", &[]).failed(2).contains("would overwrite the eval set"));
    assert_eq!(dir.read("frozen.jsonl"), before);
    // A page beside them may be made again, with its data.
    for _ in 0..2 {
        report("runs/r.html", &["--data", "runs/r.json"]).ok();
    }
}

#[test]
fn folders_without_results_and_files_that_are_none() {
    let dir = Dir::new();
    let ran = dir.run(&REPORT);
    assert!(ran.failed(3).contains("no such folder"), "{ran:?}");
    std::fs::create_dir(dir.path().join("runs")).expect("creates");
    let ran = dir.run(&REPORT);
    assert!(ran.failed(3).contains("holds no sweep, no run and no scoreboard"), "{ran:?}");
    results(&dir, 1, 1, 20);
    dir.file("runs/R0/seed_1/exposures.json", "{}");
    let ran = dir.run(&REPORT);
    assert!(ran.failed(3).contains("exposures.json"), "{ran:?}");
    std::fs::remove_file(dir.path().join("runs/R0/seed_1/exposures.json")).expect("removes");
    dir.file("runs/R0/seed_1/frozen_scoreboard.json", "{\"eval_header\": 3}");
    let ran = dir.run(&REPORT);
    assert!(ran.failed(3).contains("is no scoreboard"), "{ran:?}");
    assert!(!dir.path().join("r.html").exists());
    let ran = dir.run(&["report", "--results-dir", "runs", "--output", "runs"]);
    assert!(ran.failed(1).contains("it is a folder"), "{ran:?}");
}

#[test]
fn a_large_sweeps_report_stays_under_12_mb() {
    let dir = Dir::new();
    results(&dir, 6, 6, 5000);
    let json = dir.run(&[&REPORT[..], &["--resamples", "5", "--json"]].concat()).json();
    assert_eq!((&json["conditions"], &json["runs"]), (&json!(6), &json!(36)));
    let bytes = json["bytes"].as_u64().expect("a size");
    assert!(bytes < 12_000_000, "{bytes} bytes");
    // All items are in it, and their texts.
    let report = document(&dir.read("r.html"));
    for eval in report["evals"].as_array().expect("two evals") {
        assert_eq!((eval["ids"].as_array().map(Vec::len), &eval["texts"]["items"]), (Some(5000), &json!(5000)));
    }
    let boards = report["runs"].as_array().expect("runs").iter().flat_map(|r| r["boards"].as_array().expect("boards"));
    assert_eq!(boards.filter(|b| b["margin"]["data"].as_str().is_some_and(|d| d.len() > 13_000)).count(), 72);
}
