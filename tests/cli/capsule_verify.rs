//! `crucible capsule verify`: what does not fit together is found, and a run is trained again.

use crate::capsule::{CHECKPOINT, Files, changed, files_below, packed, sha256, trained, zst};
use crate::tracking::stub::{Mood, Stub};
use crate::util::Dir;
use serde_json::Value;
use std::collections::BTreeMap;

/// The checks of a capsule that do not hold: `check file`, and their words.
fn failures(dir: &Dir, args: &[&str]) -> BTreeMap<String, String> {
    let ran = dir.run(&[&["capsule", "verify", "--json"][..], args].concat());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    let failed: BTreeMap<String, String> = report["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter(|check| check["passed"] == false)
        .map(|check| {
            let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
            (format!("{} {}", text("check"), text("file")), text("message"))
        })
        .collect();
    assert_eq!(report["passed"], failed.is_empty());
    assert_eq!(ran.code, if failed.is_empty() { 0 } else { 3 }, "{ran:#?}");
    failed
}

#[test]
fn a_capsule_that_holds() {
    let dir = packed();
    let ran = dir.run(&["capsule", "verify", "c.tar.zst"]);
    for part in
        ["ok     files", "ok     config", "ok     scoreboard", "ok     items", "ok     eval_set", "ok     bundles"]
    {
        assert!(ran.ok().contains(part), "{part}: {ran:?}");
    }
    assert!(
        ran.stdout.contains("scored anew, all") && ran.stdout.contains("The capsule holds; who packed it"),
        "{ran:?}"
    );
    assert!(failures(&dir, &["c.tar.zst"]).is_empty());
}

#[test]
fn what_does_not_fit_together_is_found() {
    let dir = packed();
    let with = |change: &dyn Fn(&mut Files, &mut Value)| {
        changed(&dir, "c.tar.zst", "d.tar.zst", change);
        failures(&dir, &["d.tar.zst"])
    };
    assert_eq!(with(&|_, _| ()), BTreeMap::new(), "the changing itself does no harm");
    let edit = |files: &mut Files, name: &str, from: &str, to: &str| {
        let text = String::from_utf8(files[name].clone()).expect("text");
        assert!(text.contains(from), "{from} in {name}");
        files.insert(name.to_owned(), text.replacen(from, to, 1).into_bytes());
    };
    let keys = |found: &BTreeMap<String, String>| found.keys().cloned().collect::<Vec<_>>();

    // One bit of one weight.
    let found = with(&|files, _| *files.get_mut(CHECKPOINT).and_then(|b| b.last_mut()).expect("bytes") ^= 1);
    assert!(keys(&found).contains(&format!("checkpoint {CHECKPOINT}")), "{found:?}");
    let found = with(&|files, _| files.get_mut(CHECKPOINT).expect("is there").truncate(1000));
    assert!(found[&format!("checkpoint {CHECKPOINT}")].contains("checkpoint_final.safetensors"), "{found:?}");

    let found = with(&|files, _| edit(files, "config.yaml", "steps: 60", "steps: 61"));
    assert_eq!(keys(&found), ["config config.yaml"], "{found:?}");
    assert!(found["config config.yaml"].contains("the steps differ (61 and 60)"));
    let found = with(&|files, _| edit(files, "config.yaml", "embedding_dim: 16", "embedding_dim: 32"));
    assert!(!found.is_empty(), "another model");
    for hostile in ["extends: /etc/hostname\n", "training: {steps: ${HOME}}\n", "tracking: {\n", "more: 1\n"] {
        let found = with(&|files, _| drop(files.insert("config.yaml".to_owned(), hostile.as_bytes().to_vec())));
        assert_eq!(keys(&found), ["config config.yaml"], "{hostile}: {found:?}");
        assert!(!found["config config.yaml"].contains(std::env::temp_dir().to_str().expect("plain")), "{found:?}");
    }

    let board = "frozen_scoreboard.json";
    let found = with(&|files, _| {
        let mut value: Value = serde_json::from_slice(&files[board]).expect("JSON");
        value["overall"]["correct"] = (value["overall"]["correct"].as_u64().expect("a number") + 1).into();
        files.insert(board.to_owned(), value.to_string().into_bytes());
    });
    assert_eq!(keys(&found), ["items frozen_scoreboard_items.jsonl"], "{found:?}");
    let found = with(&|files, _| {
        // Numbers that were made up, all alike.
        let text = String::from_utf8(files["frozen_scoreboard_items.jsonl"].clone()).expect("text");
        let mut passed = 0;
        let lines: String = text
            .lines()
            .map(|line| {
                let mut item: Value = serde_json::from_str(line).expect("JSON");
                if item["margin"].as_f64().expect("a number") <= 0.0 {
                    item["margin"] = 0.5.into();
                    passed += 1;
                }
                item.to_string() + "\n"
            })
            .collect();
        assert!(passed > 0, "some failed");
        files.insert("frozen_scoreboard_items.jsonl".to_owned(), lines.into_bytes());
        let mut value: Value = serde_json::from_slice(&files[board]).expect("JSON");
        value["overall"]["correct"] = value["overall"]["n"].clone();
        value["by_tier"].as_object_mut().expect("tiers").values_mut().for_each(|t| t["correct"] = t["n"].clone());
        files.insert(board.to_owned(), value.to_string().into_bytes());
    });
    assert_eq!(keys(&found), ["scores frozen_scoreboard.json"], "{found:?}");
    let found = with(&|files, _| edit(files, "eval/e.jsonl", "\"text\":\"", "\"text\":\"Other "));
    assert!(keys(&found).contains(&"eval_set eval/e.jsonl".to_owned()), "{found:?}");
    let found = with(&|files, _| edit(files, "bundles/b.jsonl", "\"text\":\"", "\"text\":\"Other "));
    assert_eq!(keys(&found), ["bundles bundles/b.jsonl"], "{found:?}");
    let found = with(&|_, list| list["evals"][0]["fingerprint"] = "0123456789abcdef|42|1".into());
    assert_eq!(keys(&found), ["scoreboard frozen_scoreboard.json"], "{found:?}");
    let found = with(&|files, _| drop(files.remove(board)));
    assert_eq!(keys(&found), ["items frozen_scoreboard_items.jsonl", "scoreboard frozen_scoreboard.json"], "{found:?}");
    let found = with(&|files, _| drop(files.insert("x.json".to_owned(), b"{}".to_vec())));
    assert_eq!(keys(&found), ["scoreboard x.json"], "{found:?}");
    // An eval set that is a bomb itself.
    changed(&dir, "c.tar.zst", "d.tar.zst", |files, list| {
        let eval = files.remove("eval/e.jsonl").expect("is there");
        let packed = [zst(&eval), zst(&vec![b'\n'; 32 << 20])].concat();
        files.insert("eval/e.jsonl.zst".to_owned(), packed);
        list["evals"][0]["packed"] = "eval/e.jsonl.zst".into();
    });
    let found = failures(&dir, &["d.tar.zst", "--max-bytes", "8M"]);
    assert!(found["eval_set eval/e.jsonl.zst"].contains("unpacks to 8388608 bytes or more"), "{found:?}");
}

#[test]
fn a_rerun_ends_in_the_same_bits() {
    let dir = packed();
    let ran = dir.run(&["capsule", "verify", "c.tar.zst", "--rerun"]);
    assert!(ran.ok().contains("checkpoint, bit for bit"), "{ran:?}");
    assert_eq!(ran.stdout.matches("the same bytes").count(), 4, "metrics, exposures and findings, too: {ran:?}");
    let before: Vec<String> = files_below(dir.path()).into_keys().collect();
    assert!(before.iter().all(|name| !name.contains("again")), "{before:?}");

    // A setting that the checkpoint does not show.
    changed(&dir, "c.tar.zst", "d.tar.zst", |files, _| {
        let text = String::from_utf8(files["config.yaml"].clone()).expect("text");
        assert!(text.contains("learning_rate: 0.003"), "{text}");
        files.insert(
            "config.yaml".to_owned(),
            text.replace("learning_rate: 0.003", "learning_rate: 0.004").into_bytes(),
        );
    });
    assert!(failures(&dir, &["d.tar.zst"]).is_empty(), "without a rerun nobody sees it");
    let found = failures(&dir, &["d.tar.zst", "--rerun"]);
    assert!(found[&format!("rerun {CHECKPOINT}")].contains("another checkpoint"), "{found:?}");
    assert!(found["rerun metrics.jsonl"].contains("differs from line 1 on"), "{found:?}");

    // One bit of one weight, and everything else made to fit.
    changed(&dir, "c.tar.zst", "d.tar.zst", |files, list| {
        *files.get_mut(CHECKPOINT).and_then(|b| b.last_mut()).expect("bytes") ^= 1;
        list["checkpoint"]["sha256"] = sha256(&files[CHECKPOINT]).into();
        files.retain(|name, _| !name.starts_with("frozen") && !name.starts_with("eval/"));
        list["evals"] = Value::Array(Vec::new());
    });
    assert!(failures(&dir, &["d.tar.zst"]).is_empty());
    let found = failures(&dir, &["d.tar.zst", "--rerun"]);
    assert_eq!(found.keys().collect::<Vec<_>>(), [&format!("rerun {CHECKPOINT}")], "{found:?}");
}

#[test]
fn a_rerun_takes_bundles_from_outside_if_they_are_the_same() {
    let dir = trained();
    dir.run(&["capsule", "pack", "run", "-o", "c.tar.zst", "--force"]).ok();
    let rerun = ["capsule", "verify", "c.tar.zst", "--rerun"];
    assert!(dir.run(&rerun).failed(2).contains("--rerun needs the training bundles"));
    let with = |name: &str| dir.run(&[&rerun[..], &["--bundles", name]].concat());
    // The same bundles in other bytes.
    dir.file("crlf.jsonl", &dir.read("b.jsonl").replace('\n', "\r\n"));
    assert!(with("crlf.jsonl").ok().contains("bit for bit"));
    assert!(with("e.jsonl").failed(5).contains("e.jsonl holds other bundles than the run was trained on"));
    let ran = dir.run(&["capsule", "verify", "c.tar.zst", "--bundles", "b.jsonl"]);
    ran.failed(2);
}

#[test]
fn a_ready_tokenizer_is_taken_from_the_checkpoint() {
    let dir = trained();
    let bytes = std::fs::read(dir.path().join("run").join(CHECKPOINT)).expect("reads");
    let checkpoint = crucible_core::encoder::Checkpoint::from_bytes(&bytes).expect("a checkpoint");
    dir.file("t.json", &checkpoint.tokenizer.expect("static").to_json().expect("JSON"));
    dir.run(&["train", "--output-dir", "r2", "--device", "cpu", "--model.tokenizer_file", "t.json"]).ok();
    dir.run(&["capsule", "pack", "r2", "-o", "c.tar.zst", "--force", "--include-bundles"]).ok();
    std::fs::remove_file(dir.path().join("t.json")).expect("removes");
    assert!(dir.run(&["capsule", "verify", "c.tar.zst", "--rerun"]).ok().contains("bit for bit"));
}

#[test]
fn a_rerun_calls_nobody() {
    let dir = packed();
    let stub = Stub::new(Mood::Well);
    // Gradients like these explode, and a training tells of it.
    let webhook = format!("{}/hook", stub.uri);
    let strict = ["--guardrails.gradient_max", "2e-7", "--guardrails.webhook", &webhook];
    dir.run(&[&["train", "--output-dir", "r2", "--device", "cpu"], &strict[..]].concat());
    assert!(!stub.seen().requests.is_empty(), "the settings make no training tell");
    stub.forget_requests();

    changed(&dir, "c.tar.zst", "d.tar.zst", |files, _| {
        let text = String::from_utf8(files["config.yaml"].clone()).expect("text");
        let hostile = text
            .replace("webhook: null", &format!("webhook: {webhook}"))
            .replace("gradient_max: 1000.0", "gradient_max: 2.0e-7")
            .replace("type: none", "type: mlflow");
        assert_eq!(hostile.lines().zip(text.lines()).filter(|(a, b)| a != b).count(), 3, "{text}");
        files.insert("config.yaml".to_owned(), hostile.into_bytes());
    });
    let mut rerun = dir.command(&["capsule", "verify", "d.tar.zst", "--rerun"]);
    let ran = crate::util::finish(rerun.env("MLFLOW_TRACKING_URI", &stub.uri));
    assert!(ran.stdout.contains("checkpoint, bit for bit"), "it did not run: {ran:?}");
    assert_eq!(stub.seen().requests, Vec::<String>::new(), "{ran:?}");
}

#[test]
fn a_rerun_is_for_the_same_device() {
    let dir = packed();
    changed(&dir, "c.tar.zst", "d.tar.zst", |_, list| list["device"] = "Some board (Vulkan)".into());
    let ran = dir.run(&["capsule", "verify", "d.tar.zst", "--rerun"]);
    ran.failed(4);
    let ran = dir.run(&["capsule", "verify", "d.tar.zst", "--rerun", "--device", "cpu"]);
    assert!(ran.ok().contains("bit for bit") && ran.stderr.contains("it was trained on Some board"), "{ran:?}");
}
