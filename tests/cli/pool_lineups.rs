//! `crucible pool` where lineups decide: shards and verdicts of `mine` merged, `revalidate`, `expand`.

use crate::util::Dir;
use crucible_core::rng::Stream;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const DIM: usize = 64;
/// Lemmas of each kind.
const LEMMAS: usize = 12;

fn parsed(dir: &Dir, name: &str) -> Vec<Value> {
    dir.read(name).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn unit(stream: &mut Stream) -> Vec<f32> {
    let v: Vec<f32> = (0..DIM).map(|_| stream.symmetric(1.0)).collect();
    let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt();
    v.iter().map(|x| x / norm).collect()
}

/// A vector of that cosine with `to`.
fn at(cosine: f32, to: &[f32], stream: &mut Stream) -> Vec<f32> {
    let mut aside = unit(stream);
    let along: f32 = aside.iter().zip(to).map(|(a, b)| a * b).sum();
    aside.iter_mut().zip(to).for_each(|(a, b)| *a -= along * b);
    let norm = aside.iter().map(|x| x * x).sum::<f32>().sqrt();
    aside.iter().zip(to).map(|(a, b)| cosine * b + (1.0 - cosine * cosine).sqrt() * a / norm).collect()
}

/// Events with vectors and a legacy pool over them, a bundle for each lemma. Killers (`k`): every event of the rival
/// sense is nearer to the anchor than its positive is. Pseudo-killers (`s`): one of ten is, and it is in the bundle.
fn planted() -> Dir {
    let mut stream = Stream::new(11, "planted pools", 0);
    let (mut events, mut bundles) = (Vec::new(), Vec::new());
    for lemma in (0..2 * LEMMAS).map(|i| format!("{}{}", ["k", "s"][i % 2], i / 2)) {
        let killer = lemma.starts_with('k');
        let anchor = unit(&mut stream);
        let mut event = |name: String, sense: usize, vector: Vec<f32>| {
            // Words of its own: no text is nearly another.
            let text: Vec<String> = (0..6).map(|_| format!("w{}", stream.below(1_000_000))).collect();
            json!({"event_id": format!("{lemma}_{name}"), "sense": format!("{lemma}#{sense}"), "text": text.join(" "),
                "embedding": vector})
        };
        let mut vectors = Stream::new(5, &lemma, 1);
        let own: Vec<Value> = (0..6)
            .map(|i| match i {
                0 => event("a".to_owned(), 1, anchor.clone()),
                _ => event(format!("p{i}"), 1, at(0.5, &anchor, &mut vectors)),
            })
            .collect();
        let rivals: Vec<Value> = (0..10)
            .map(|i| {
                let cosine = if killer || i == 0 { 0.9 - 0.03 * i as f32 } else { 0.1 };
                event(format!("n{i}"), 2, at(cosine, &anchor, &mut vectors))
            })
            .collect();
        let negatives: Vec<Value> = rivals[..5]
            .iter()
            .map(|rival| {
                let mut negative = rival.clone();
                negative["source"] = json!("within_lemma");
                negative
            })
            .collect();
        let metadata = json!({"tier": "tier3_adversarial", "danger_score": 0.4, "source": "manual_curation"});
        bundles.push(
            json!({"bundle_id": format!("b_{lemma}"), "anchor": own[0], "positive": own[1],
            "negatives": negatives, "metadata": metadata})
            .to_string(),
        );
        events.extend(own.iter().chain(&rivals).map(Value::to_string));
    }
    let dir = Dir::new();
    dir.file("events.jsonl", &events.join("\n"));
    dir.file("legacy.jsonl", &bundles.join("\n"));
    dir
}

const REVALIDATE: [&str; 6] = ["pool", "revalidate", "--bundles", "legacy.jsonl", "--use-embeddings", "--min-passes"];
const EXPAND: [&str; 8] =
    ["pool", "expand", "--bundles", "legacy.jsonl", "--events", "events.jsonl", "--use-embeddings", "--output"];

#[test]
fn pseudo_killers_are_told_from_killers() {
    let dir = planted();
    let args = ["6", "--events", "events.jsonl", "--output", "new/ok.jsonl", "--quarantine", "new/no.jsonl"];
    let report = dir.run(&[&REVALIDATE[..], &args, &["--json", "--report", "new/r.json"]].concat()).json();
    assert_eq!(report, serde_json::from_str::<Value>(&dir.read("new/r.json")).expect("JSON"));
    assert_eq!(report["overall"], json!({"confirmed": LEMMAS, "pseudo_killers": LEMMAS, "untested": 0}));
    assert_eq!(report["own_lineup_passes"], 2 * LEMMAS, "one lineup takes all of them for killers");
    assert_eq!(report["own_lineup_passes_pseudo"], LEMMAS);
    let listed = report["pseudo_killers"].as_array().expect("a list");
    for found in listed {
        assert!(found["bundle_id"].as_str().is_some_and(|id| id.starts_with("b_s")), "{found}");
        assert!(found["passes"].as_u64() < Some(6) && found["lineups_tested"] == 10, "{found}");
        assert!(found["own_danger"].as_f64().is_some_and(|d| (d - 0.4).abs() < 1e-4), "{found}");
        assert_eq!(found["recorded_danger"], 0.4);
    }
    let passes: Vec<u64> = listed.iter().filter_map(|f| f["passes"].as_u64()).collect();
    assert!(passes.is_sorted() && passes.len() == LEMMAS, "{passes:?}");
    let (ok, no) = (parsed(&dir, "new/ok.jsonl"), parsed(&dir, "new/no.jsonl"));
    assert_eq!((ok.len(), no.len()), (LEMMAS, LEMMAS));
    let is = |bundle: &Value, kind: &str| bundle["bundle_id"].as_str().is_some_and(|id| id.starts_with(kind));
    assert!(ok.iter().all(|b| is(b, "b_k")) && no.iter().all(|b| is(b, "b_s")));
    assert_eq!(ok[0]["metadata"]["revalidation"]["passes"], 10);
    assert_eq!(no[0]["metadata"]["revalidation"]["verdict"], "pseudo_killer");
    assert_eq!(no[0]["metadata"]["source"], "manual_curation");

    // The table, and threads, and the seed.
    let said = dir.run(&[&REVALIDATE[..], &["6", "--events", "events.jsonl", "--threads", "1"]].concat());
    for part in ["pseudo-killer", "b_s", "own negatives pass in 24", "10 lineups of each, 6 have to pass"] {
        assert!(said.ok().contains(part), "{part}: {said:#?}");
    }
    let one =
        dir.run(&[&REVALIDATE[..], &["6", "--events", "events.jsonl", "--threads", "1", "--json"]].concat()).json();
    assert_eq!(one["pseudo_killers"], report["pseudo_killers"]);
    let other =
        dir.run(&[&REVALIDATE[..], &["6", "--events", "events.jsonl", "--seed", "7", "--json"]].concat()).json();
    assert_ne!(other["pseudo_killers"], report["pseudo_killers"]);
    // Not the lineups that it was mined for: of those that just passed, some do no more.
    dir.run(&[&MINE[..], &["o.jsonl", "--min-passes", "1"]].concat()).ok();
    let mined = ["pool", "revalidate", "--bundles", "o.jsonl", "--use-embeddings", "--events", "events.jsonl"];
    let again = dir.run(&[&mined[..], &["--min-passes", "1", "--json"]].concat()).json();
    let numbers = ["confirmed", "pseudo_killers"].map(|name| again["overall"][name].as_u64().expect("a number"));
    assert!(numbers[0] > numbers[1] && numbers[1] > 0, "{numbers:?}");
    // Without events, confusers are those of the pool itself: here five rivals of each lemma, and other lemmas'.
    let alone = dir.run(&[&REVALIDATE[..], &["6", "--json"]].concat()).json();
    assert_eq!(alone["overall"]["untested"], 0, "{alone}");
}

#[test]
fn what_can_not_be_revalidated_is_said() {
    let dir = planted();
    let refused = |more: &[&str], code: i32, parts: &[&str]| {
        let ran = dir.run(&[&REVALIDATE[..], more].concat());
        for part in parts {
            assert!(ran.failed(code).contains(part), "{part}: {ran:#?}");
        }
    };
    refused(&["11"], 2, &["min_passes is 11; expected 1 to 10"]);
    refused(&["6", "--threshold", "3"], 2, &["danger from -2 to 2"]);
    refused(&["6", "--depths", "1,2"], 2, &["--depths takes three numbers"]);
    refused(&["6", "--output", "legacy.jsonl"], 2, &["would overwrite --bundles"]);
    refused(&["6", "--output", "x", "--quarantine", "x"], 2, &["would overwrite --output"]);
    let events = dir.read("events.jsonl");
    dir.file("other.jsonl", &events.replacen("\"text\":\"", "\"text\":\"other ", 1));
    refused(
        &["6", "--events", "other.jsonl"],
        3,
        &["`text`: event \"k0_a\" is \"other ", "help: an id means one event"],
    );
    let legacy = dir.read("legacy.jsonl");
    dir.file("legacy.jsonl", &legacy.replace("tier3_adversarial", "tier1_easy"));
    refused(&["6"], 3, &["none of the 24 bundles is of tier3"]);
    // Two bundles alone: no more confusers than a lineup holds.
    let first: Vec<&str> = legacy.lines().take(1).collect();
    dir.file("legacy.jsonl", &first.join("\n"));
    let report = dir.run(&[&REVALIDATE[..], &["6", "--json", "--quarantine", "q.jsonl"]].concat()).json();
    assert_eq!(report["untested"], json!({"pool_too_small": 1}));
    assert_eq!(report["untestable"][0]["cause"], "pool_too_small");
    assert_eq!(parsed(&dir, "q.jsonl")[0]["metadata"]["revalidation"]["verdict"], "untested");
}

#[test]
fn variants_stand_the_test_and_name_their_parent() {
    let dir = planted();
    let run = |output: &str, more: &[&str]| {
        dir.run(&[&EXPAND[..], &[output, "--min-passes", "6", "--json", "--force"], more].concat())
    };
    let manifest = run("new/x.jsonl", &[]).json();
    assert_eq!(manifest, serde_json::from_str::<Value>(&dir.read("new/x_manifest.json")).expect("JSON"));
    let variants = parsed(&dir, "new/x.jsonl");
    let counts = &manifest["expansion"];
    assert_eq!((&counts["parents"], &counts["parents_with_variants"]), (&json!(2 * LEMMAS), &json!(LEMMAS)));
    assert_eq!(counts["candidates"], 2 * LEMMAS * 5, "the pair itself and four other positives");
    assert_eq!(variants.len(), 3 * LEMMAS, "of killers, three each; of pseudo-killers, none");
    assert_eq!(manifest["outputs"][0]["by_pool"], json!({"expanded": variants.len()}));
    let mut contents = BTreeSet::new();
    for variant in &variants {
        let m = &variant["metadata"];
        assert_eq!((&m["source"], &m["expansion"]), (&json!("tier3_expansion"), &json!("tier3x")));
        assert!(m["parent"].as_str().is_some_and(|p| p.starts_with("b_k")) && m["passes"].as_u64() >= Some(6), "{m}");
        let threshold = |d: &Value| d.as_f64() >= Some(0.0);
        let passes = m["lineup_dangers"].as_array().expect("a list").iter().filter(|d| threshold(d)).count();
        assert_eq!(m["passes"].as_u64(), Some(passes as u64));
        assert!(m["danger_score"].as_f64() > Some(0.0) && m["lineups_tested"] == 10);
        assert_eq!(m["scored_by"], json!(["own_embeddings"]));
        let negatives: BTreeSet<String> =
            variant["negatives"].as_array().expect("a list").iter().map(|n| n["event_id"].to_string()).collect();
        let pair = [&variant["anchor"]["event_id"], &variant["positive"]["event_id"]].map(Value::to_string);
        assert!(contents.insert((pair, negatives)), "no variant twice: {variant}");
    }
    let ids: BTreeSet<&str> = variants.iter().filter_map(|v| v["bundle_id"].as_str()).collect();
    assert_eq!(ids.len(), variants.len());
    // What a pool of legacy and variants is good for: it can be merged.
    let merge =
        ["pool", "merge", "--legacy", "legacy.jsonl", "--expanded", "new/x.jsonl", "--output", "all.jsonl", "--json"];
    assert_eq!(dir.run(&merge).json()["outputs"][0]["by_pool"], json!({"legacy": 24, "expanded": 36}));

    // Of a parent, the variants depend on the seed and the parent alone.
    let before = dir.read("new/x.jsonl");
    run("y.jsonl", &["--threads", "1"]).ok();
    assert!(dir.read("y.jsonl") == before);
    run("y.jsonl", &["--seed", "9"]).ok();
    assert!(dir.read("y.jsonl") != before);
    // Two of four positives are drawn, so the draw shows.
    let drawn = ["--positives", "2", "--variants", "9"];
    run("y.jsonl", &drawn).ok();
    let before = dir.read("y.jsonl");
    let fewer: Vec<String> = dir.read("legacy.jsonl").lines().skip(3).map(str::to_owned).collect();
    dir.file("legacy.jsonl", &fewer.join("\n"));
    run("y.jsonl", &drawn).ok();
    let left: Vec<&str> = before.lines().filter(|l| !l.contains("\"b_k0\"") && !l.contains("\"b_k1\"")).collect();
    assert_eq!(dir.read("y.jsonl").lines().collect::<Vec<_>>(), left);
    run("y.jsonl", &["--variants", "1", "--positives", "0"]).ok();
    assert!(
        parsed(&dir, "y.jsonl").iter().all(|v| v["positive"]["event_id"].as_str().is_some_and(|p| p.ends_with("_p1")))
    );
}

#[test]
fn an_expansion_without_parents_or_variants_writes_nothing() {
    let dir = planted();
    let args = [&EXPAND[..], &["new/x.jsonl", "--min-passes", "6"]].concat();
    let legacy = dir.read("legacy.jsonl");
    let pseudo: Vec<&str> = legacy.lines().filter(|line| line.contains("\"b_s")).collect();
    dir.file("legacy.jsonl", &pseudo.join("\n"));
    assert!(dir.run(&args).failed(3).contains("no variant of its 12 legacy killers stands the test"));
    dir.file("legacy.jsonl", &legacy.replace("manual_curation", "tier3_organic_miner"));
    assert!(dir.run(&args).failed(3).contains("none of the 24 bundles is a legacy killer"));
    assert!(dir.run(&[&args[..], &["--variants", "0"]].concat()).failed(2).contains("--variants"));
    assert!(!dir.path().join("new").exists());
}

const MINE: [&str; 7] = ["mine", "--events", "events.jsonl", "--use-embeddings", "--null-candidates", "0", "--output"];

#[test]
fn shards_of_a_run_merge_into_the_bytes_of_the_whole() {
    let dir = planted();
    let mine = |output: &str, more: &[&str]| {
        dir.run(&[&MINE[..], &[output, "--force"], more].concat()).ok();
    };
    let merge = |most: &str, shards: &[&str]| {
        let args =
            ["pool", "merge", "--output", "merged.jsonl", "--max-output", most, "--json", "--force", "--organic"];
        dir.run(&[&args[..], shards].concat()).json()
    };
    for most in ["20", "15000"] {
        mine("whole.jsonl", &["--max-output", most]);
        let count = dir.read("whole.jsonl").lines().count();
        assert!(count > 15, "{count}");
        for i in 1..=3 {
            mine(&format!("s{i}.jsonl"), &["--max-output", most, "--shard", &format!("{i}/3")]);
        }
        let manifest = merge(most, &["s3.jsonl", "s1.jsonl", "s2.jsonl"]);
        assert_eq!(manifest["outputs"][0]["bundles"], count);
        assert_eq!(manifest["over_max_output"].as_u64().is_some(), most == "20", "{manifest}");
        assert!(dir.read("merged.jsonl") == dir.read("whole.jsonl"), "at most {most}");
    }
}

#[test]
fn verdicts_of_a_review_are_read_back() {
    let dir = planted();
    dir.run(&[&MINE[..], &["o.jsonl", "--review", "r.jsonl"]].concat()).ok();
    let mut suspects = parsed(&dir, "r.jsonl");
    assert!(suspects.len() > 4, "{}", suspects.len());
    let bundle = |s: &Value| s["bundle_id"].as_str().expect("an id").to_owned();
    let (bad, good) =
        (bundle(&suspects[0]), bundle(suspects.iter().find(|s| bundle(s) != bundle(&suspects[0])).expect("another")));
    for suspect in &mut suspects {
        let id = bundle(suspect);
        if id == bad {
            suspect["verdict"] = json!("false_negative");
        } else if id == good {
            suspect["verdict"] = json!("keep");
        }
    }
    let write = |suspects: &[Value]| {
        dir.file("r.jsonl", &suspects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));
    };
    write(&suspects);
    let args = ["pool", "merge", "--organic", "o.jsonl", "--review", "r.jsonl", "--output", "new/all.jsonl", "--json"];
    let manifest = dir.run(&args).json();
    let review = &manifest["review"];
    let numbers = ["false_negatives", "kept", "unknown"].map(|name| review[name].as_u64().expect("a number"));
    assert_eq!(numbers, [1, 1, 0], "{review}");
    assert_eq!(manifest["inputs"][0]["false_negatives"], 1);
    let (before, after) = (dir.read("o.jsonl"), dir.read("new/all.jsonl"));
    let wanted: Vec<&str> = before.lines().filter(|line| !line.contains(&bad)).collect();
    assert_eq!(after.lines().collect::<Vec<_>>(), wanted);
    assert!(after.contains(&good));

    // Mined again: what a person wrote stays, also of bundles that are not mined any more.
    let again = |more: &[&str]| dir.run(&[&MINE[..], &["o.jsonl", "--review", "r.jsonl"], more].concat());
    let judged = |dir: &Dir| -> BTreeSet<String> {
        let lines = parsed(dir, "r.jsonl").into_iter().filter(|s| !s["verdict"].is_null());
        lines.map(|s| format!("{} {} {}", s["bundle_id"], s["negative"], s["verdict"])).collect()
    };
    let verdicts = judged(&dir);
    let queue = dir.read("r.jsonl");
    assert!(again(&[]).failed(2).contains("are there already"));
    assert!(dir.run(&[&MINE[..], &["r.jsonl", "--force"]].concat()).failed(2).contains("verdicts"));
    assert_eq!(dir.read("r.jsonl"), queue);
    again(&["--force"]).ok();
    assert!(judged(&dir) == verdicts && dir.read("r.jsonl").lines().count() == queue.lines().count());
    let other = again(&["--force", "--max-output", "1"]);
    assert!(other.stderr.contains("were kept"), "{other:?}");
    assert_eq!(judged(&dir), verdicts);
    suspects[1]["verdict"] = json!("perhaps");
    write(&suspects);
    std::fs::remove_dir_all(dir.path().join("new")).expect("is there");
    let ran = dir.run(&args);
    assert!(
        ran.failed(3).contains("r.jsonl: line 2: `verdict`: is \"perhaps\"; expected \"false_negative\", \"keep\"")
    );
    assert!(!dir.path().join("new").exists());
}
