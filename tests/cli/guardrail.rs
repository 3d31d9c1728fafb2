//! `crucible guardrail`, and guardrails in `eval` and `train`.

use crate::compare::boards;
use crate::eval;
use crate::util::{Dir, Ran};
use serde_json::Value;
use std::path::Path;

fn check(dir: &Dir, args: &[&str]) -> Ran {
    dir.run(&[&["guardrail", "check"], args].concat())
}

/// Findings as `(id, level)`; the status may be any.
fn levels(ran: &Ran) -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    let text = |f: &Value, key: &str| f[key].as_str().expect("text").to_owned();
    let findings = document["findings"].as_array().expect("a list");
    findings.iter().map(|f| (text(f, "id"), text(f, "level"))).collect()
}

#[track_caller]
fn has(ran: &Ran, id: &str, level: &str) {
    assert!(levels(ran).contains(&(id.to_owned(), level.to_owned())), "{id} {level}: {ran:#?}");
}

const PAIR: [&str; 4] = ["--baseline", "a.json", "--candidate", "b.json"];

#[test]
fn two_scoreboards_stop_on_a_regression_unless_it_is_acknowledged() {
    let dir = boards(|_, margin| -margin.abs() - 0.2);
    let json = [&PAIR[..], &["--format", "json"]].concat();
    let ran = check(&dir, &json);
    assert_eq!(ran.code, 6, "{ran:#?}");
    has(&ran, "G7", "CRITICAL");
    has(&ran, "G9", "OK");
    let both = [&json[..], &["--guardrail-override", "frozen_regression,G10"]].concat();
    let passed = check(&dir, &both);
    assert_eq!(passed.code, 0, "{passed:#?}");
    let document: Value = serde_json::from_str(&passed.stdout).expect("JSON");
    assert_eq!(document["overrides"][0]["acknowledged_by"], "frozen_regression", "{document}");
    // What could not run says why, and nothing is left out.
    let run: std::collections::BTreeSet<String> = levels(&ran).into_iter().map(|(id, _)| id).collect();
    let not_run = document["not_run"].as_array().expect("a list");
    assert_eq!(run.len() + not_run.len(), 17, "{document}");
    assert!(not_run.iter().all(|n| n["reason"].as_str().is_some_and(|r| r.starts_with("needs"))), "{document}");
    assert!(
        check(&dir, &[&PAIR[..], &["--guardrail-override", "G77"]].concat()).failed(2).contains("no such guardrail")
    );
}

#[test]
fn a_model_that_kept_everything_passes_in_every_form() {
    let dir = boards(|_, margin| margin);
    let ran = check(&dir, &PAIR);
    assert!(ran.ok().starts_with("Guardrails passed: "), "{ran:#?}");
    assert!(ran.stdout.contains("Not run:") && ran.stdout.contains("G8"), "{ran:#?}");
    let markdown = check(&dir, &[&PAIR[..], &["--format", "markdown"]].concat());
    assert!(markdown.ok().contains("| OK | G9 fingerprint |"), "{markdown:#?}");
    let junit = check(&dir, &[&PAIR[..], &["--format", "junit"]].concat());
    assert!(junit.ok().contains("failures=\"0\"") && junit.stdout.contains("<skipped message=\"needs"), "{junit:#?}");
    let failed = boards(|_, margin| -margin.abs() - 0.2);
    let junit = check(&failed, &[&PAIR[..], &["--format", "junit"]].concat());
    assert!(junit.code == 6 && junit.stdout.contains("<failure message=\"CRITICAL: frozen: "), "{junit:#?}");
}

#[test]
fn both_truths_need_both_pairs_and_other_evals_are_refused() {
    let dir = boards(|_, margin| margin);
    let both = [&PAIR[..], &["--organic-baseline", "a.json", "--organic-candidate", "b.json", "--json"]].concat();
    has(&check(&dir, &both), "G8", "OK");
    let half: Vec<String> = eval::bundles().lines().take(24).map(str::to_owned).collect();
    dir.file("half.jsonl", &half.join("\n"));
    dir.run(&["eval", "--checkpoint", "m.safetensors", "--eval-set", "half.jsonl", "--output", "half.json"]).ok();
    let other = check(&dir, &["--baseline", "a.json", "--candidate", "half.json", "--json"]);
    assert_eq!(other.code, 6, "{other:#?}");
    has(&other, "G9", "ERROR");
    let refused = check(&dir, &["--baseline", "a.json", "--candidate", "half.json", "--guardrail-override", "G9"]);
    assert_eq!(refused.code, 6, "an ERROR takes no override: {refused:#?}");
    let allowed =
        check(&dir, &["--baseline", "a.json", "--candidate", "half.json", "--json", "--allow-fingerprint-mismatch"]);
    assert!(allowed.json()["overrides"][0]["acknowledged_by"] == "--allow-fingerprint-mismatch", "{allowed:#?}");
}

#[test]
fn a_planted_leak_is_found_before_training() {
    let dir = Dir::new();
    dir.file("e.jsonl", &eval::bundles());
    let files = ["--bundles", "e.jsonl", "--frozen-eval", "e.jsonl", "--json"];
    let ran = check(&dir, &files);
    assert_eq!(ran.code, 6, "{ran:#?}");
    has(&ran, "G11", "CRITICAL");
    // `train` says the same, and stops where it was told to.
    dir.file("c.yaml", "data: {bundles: e.jsonl, frozen_eval: f.jsonl}\n");
    dir.file("f.jsonl", &eval::bundles());
    let train = ["train", "--config", "c.yaml", "--output-dir", "r", "--check-guardrails"];
    let stopped = dir.run(&train);
    assert!(stopped.failed(6).contains("G11 leakage [CRITICAL]: training knows 48 of the 48 items"), "{stopped:#?}");
    assert!(!dir.path().join("r").exists(), "nothing was written");
    // An eval set that is not there yet is no reason to stop.
    std::fs::remove_file(dir.path().join("f.jsonl")).expect("removes");
    let other = dir.run(&train);
    assert!(!other.failed(6).contains("G11"), "{other:#?}");
}

#[test]
fn a_frozen_eval_may_grow_and_may_not_change() {
    let dir = Dir::new();
    let whole = eval::bundles();
    let first: String = whole.lines().take(30).map(|l| format!("{l}\n")).collect();
    dir.file("f.jsonl", &first);
    let add = |name: &str| dir.run(&["guardrail", "add-version", "--frozen-eval", "f.jsonl", "--name", name]);
    assert!(add("1").ok().contains("30 of 30 items are new"));
    let versions = || check(&dir, &["--frozen-eval", "f.jsonl", "--json"]);
    has(&versions(), "G15", "OK");
    assert!(add("2").failed(2).contains("nothing was appended"));
    dir.file("f.jsonl", &whole);
    has(&versions(), "G15", "WARNING");
    assert!(add("2").ok().contains("18 of 48 items are new"));
    has(&versions(), "G15", "OK");

    dir.file("f.jsonl", &whole.replacen("number 3\"", "number three\"", 1));
    let edited = versions();
    assert_eq!(edited.code, 6, "{edited:#?}");
    has(&edited, "G15", "CRITICAL");
    assert!(add("3").failed(6).contains("was edited"));
    assert_eq!(check(&dir, &["--frozen-eval", "f.jsonl", "--guardrail-override", "G15"]).code, 0);

    dir.file("f.jsonl", &whole);
    dir.file("f_versions.json", &dir.read("f_versions.json").replace("\"item_count\": 30", "\"item_count\": 31"));
    let forged = check(&dir, &["--frozen-eval", "f.jsonl", "--json", "--guardrail-override", "G15"]);
    assert_eq!(forged.code, 6, "SEVERE takes no override: {forged:#?}");
    has(&forged, "G15", "SEVERE");
}

#[test]
fn looks_are_counted_in_a_project_and_nowhere_else() {
    let dir = Dir::new();
    std::fs::write(dir.path().join("m.safetensors"), eval::checkpoint(1)).expect("writes");
    dir.file("e.jsonl", &eval::bundles());
    let look = |more: &[&str]| {
        dir.run(
            &[&["eval", "--checkpoint", "m.safetensors", "--eval-set", "e.jsonl", "--force", "--output"], more]
                .concat(),
        )
    };
    assert!(!look(&["s.json"]).ok().contains("looked at"));
    assert!(!dir.path().join("looks.jsonl").exists(), "no project");
    dir.file("p/crucible.yaml", "");
    assert!(look(&["p/runs/a.json"]).ok().contains("looked at 1 time, with 1 model"));
    assert!(look(&["p/runs/b.json"]).ok().contains("looked at 2 times, with 1 model"));
    assert!(!look(&["p/runs/c.json", "--no-ledger"]).ok().contains("looked at"));
    assert_eq!(dir.read("p/looks.jsonl").lines().count(), 2);
    assert!(look(&["s.json", "--ledger", "own.jsonl"]).ok().contains("(own.jsonl)"));
    let ran = check(&dir, &["--candidate", "p/runs/a.json", "--json"]);
    let document: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&document["looks"][0]["looks"], &document["looks"][0]["checkpoints"]), (&2.into(), &1.into()));
    assert!(look(&["s.json", "--ledger", "e.jsonl"]).failed(2).contains("would overwrite"));
}

#[test]
fn eval_stops_beside_a_baseline_and_records_what_was_acknowledged() {
    // The baseline passed everything by far; the model is what it is.
    let dir = boards(|_, margin| margin.abs() + 0.5);
    let again = ["eval", "--checkpoint", "m.safetensors", "--eval-set", "e.jsonl", "--output", "c.json", "--force"];
    let args = [&again[..], &["--baseline-scoreboard", "b.json"]].concat();
    let ran = dir.run(&args);
    assert_eq!(ran.code, 6, "{ran:#?}");
    assert!(ran.stderr.contains("G10 margin_shift"), "{ran:#?}");
    let board: Value = serde_json::from_str(&dir.read("c.json")).expect("JSON");
    let found = board["guardrails"].as_array().expect("findings");
    for id in ["G7", "G10", "G16", "G17"] {
        assert!(found.iter().any(|f| f["id"] == id), "{id}: {board}");
    }
    // Thresholds are the configuration's; without a baseline none is read.
    let set = ["--guardrails.margin_fall", "4"];
    assert!(!dir.run(&[&args[..], &set].concat()).stderr.contains("G10"));
    assert!(dir.run(&[&again[..], &set].concat()).failed(2).contains("sets a key"));
    let passed = dir.run(&[&args[..], &["--guardrail-override", "G7,G10,G16,G17"]].concat());
    assert_eq!(passed.code, 0, "{passed:#?}");
    let board: Value = serde_json::from_str(&dir.read("c.json")).expect("JSON");
    assert!(board["overrides"].as_array().is_some_and(|o| !o.is_empty()), "{board}");
    let organic = ["--organic-baseline", "a.json", "--organic-scoreboard", "a.json", "--guardrail-override", "G7,G10"];
    dir.run(&[&args[..], &organic].concat());
    assert!(dir.read("c.json").contains("overfitting_cliff"));
    assert!(!dir.read("a.json").contains("\"guardrails\""), "without a baseline the document is what it was");
}

#[test]
fn seeds_of_one_setting_are_set_side_by_side() {
    let dir = boards(|_, margin| margin);
    let mut board: Value = serde_json::from_str(&dir.read("a.json")).expect("JSON");
    for (seed, passed) in [(1, 20), (2, 170), (3, 90)] {
        let tier = &mut board["by_tier"]["tier3_adversarial"];
        (tier["n"], tier["correct"]) = (200.into(), passed.into());
        dir.file(&format!("d/R75/seed_{seed}/frozen_scoreboard.json"), &board.to_string());
        dir.file(&format!("d/R75/seed_{seed}/config.yaml"), "experiment: {seeds: [1]}\n");
        dir.file(&format!("d/R75/seed_{seed}/guardrails.json"), "[]");
    }
    for args in [&["--results-dir", "d", "--json"][..], &["d", "--json"]] {
        let ran = check(&dir, args);
        has(&ran, "G14", "WARNING");
        has(&ran, "G5", "OK");
        assert!(ran.stdout.contains("R75/seed_2: ") || cfg!(windows), "{ran:#?}");
    }
    // A run that was stopped has no list of findings yet; what it logged speaks for it.
    std::fs::remove_file(dir.path().join("d/R75/seed_1/guardrails.json")).expect("removes");
    dir.file(
        "d/R75/seed_1/metrics.jsonl",
        "{\"step\":1,\"loss\":0.5,\"gradient_norm\":1.0}\n{\"step\":2,\"loss\":null}\n{\"st",
    );
    let stopped = check(&dir, &["--run-dir", "d/R75/seed_1", "--json"]);
    has(&stopped, "G5", "SEVERE");
    has(&stopped, "G6", "OK");
    assert!(check(&dir, &["--results-dir", "."]).stdout.contains("R75"));
    assert!(check(&dir, &["--run-dir", "d/R75/seed_1", "--baseline", "a.json", "--json"]).stdout.contains("\"G7\""));
}

#[test]
fn runs_of_other_trainers() {
    let dir = Dir::new();
    let state = |broken: &str| {
        let entries: Vec<String> = (0..200)
            .map(|i| {
                let loss = if i == 150 { broken.to_owned() } else { format!("{}", 1.0 + f64::from(i % 7) * 0.01) };
                format!(r#"{{"epoch": 0.1, "grad_norm": 0.5, "loss": {loss}, "step": {}}}"#, 10 * i)
            })
            .collect();
        format!("{{\"global_step\": 2000, \"log_history\": [{}]}}", entries.join(", "))
    };
    dir.file("good/checkpoint-2000/trainer_state.json", &state("1.0"));
    let good = check(&dir, &["good"]);
    assert!(good.ok().contains("G5  : loss_spike") || good.stdout.contains("G5"), "{good:#?}");
    dir.file("bad/trainer_state.json", &state("NaN"));
    let bad = check(&dir, &["bad", "--json", "--guardrail-override", "G5"]);
    assert_eq!(bad.code, 6, "{bad:#?}");
    has(&bad, "G5", "SEVERE");
    has(&bad, "G6", "OK");
    dir.file("no/trainer_state.json", "{}");
    assert!(check(&dir, &["no"]).failed(3).contains("log_history"));
    let named = check(&dir, &["good", "--frozen-metric", "eval_x"]);
    assert!(named.failed(2).contains("grad_norm, loss"), "{named:#?}");

    // Written by tensorboardX: tests/reference/tensorboard_events.py.
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/foreign/events.out.tfevents.fixture");
    let fixture = fixture.to_str().expect("text");
    let ran = check(&dir, &[fixture, "--json"]);
    assert_eq!(ran.code, 6, "{ran:#?}");
    has(&ran, "G5", "CRITICAL");
    has(&ran, "G6", "OK");
    has(&ran, "G8", "WARNING");
}

#[test]
fn a_webhook_is_told_and_decides_nothing() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let (mut request, mut piece) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&request).trim_end().ends_with("]}") {
            let count = stream.read(&mut piece).expect("reads");
            assert!(count > 0, "the request ended early");
            request.extend(&piece[..count]);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("answers");
        String::from_utf8(request).expect("text")
    });
    let dir = Dir::new();
    let config = |url: &str| {
        let text = format!("guardrails: {{webhook: '{url}'}}\ncurriculum: {{tier_probabilities: [0.7, 0.3, 0.0]}}\n");
        dir.file("crucible.yaml", &text);
    };
    let told = || {
        let mut command = dir.command(&["guardrail", "check"]);
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            command.env_remove(name);
        }
        crate::util::finish(&mut command)
    };
    config(&url);
    let ran = told();
    assert!(ran.code == 6 && ran.stderr.is_empty(), "{ran:#?}");
    let request = server.join().expect("the server ends");
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    let body: Value = serde_json::from_str(request.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
    assert_eq!((&body["level"], &body["stops"]), (&"CRITICAL".into(), &true.into()), "{body}");
    assert_eq!(body["findings"][0]["id"], "G2", "{body}");

    // Nobody listens any more: a warning without the address, and the same result.
    let failed = told();
    assert_eq!((failed.code, &failed.stdout), (6, &ran.stdout), "{failed:#?}");
    assert!(failed.stderr.contains("the webhook was not told") && !failed.stderr.contains("/hook"), "{failed:#?}");
    // Over HTTPS, to a server that is trusted, and to one that is not.
    let stub = crate::tracking::stub::Stub::behind_tls();
    dir.file("ca.pem", crate::tracking::stub::CERTIFICATE);
    config(&format!("{}/hook", stub.uri));
    let strange = told();
    let warned = strange.stderr.contains("the webhook was not told: its certificate is not trusted");
    assert!(warned && !strange.stderr.contains("127.0.0.1") && stub.seen().requests.is_empty(), "{strange:#?}");
    let mut trusting = dir.command(&["guardrail", "check"]);
    let known = crate::util::finish(trusting.env("SSL_CERT_FILE", dir.path().join("ca.pem")));
    assert!(known.code == 6 && known.stderr.is_empty(), "{known:#?}");
    assert_eq!(stub.seen().requests, ["POST /hook"]);
    config("ftp://example.org/hook");
    let refused = told();
    assert!(refused.failed(2).contains("no http:// or https:// address"), "{refused:#?}");
}

#[test]
fn nothing_to_check_is_a_usage_error() {
    let dir = Dir::new();
    assert!(check(&dir, &[]).failed(2).contains("nothing to check"));
    dir.file("x/readme.txt", "x");
    assert!(check(&dir, &["x"]).failed(2).contains("is no run"));
    assert!(check(&dir, &["y"]).failed(1).contains("y"));
    dir.file("r.json", "[]");
    assert!(check(&dir, &["--revalidation", "r.json"]).failed(3).contains("is no revalidation report"));
}

#[test]
fn a_configuration_alone_is_checked() {
    let dir = Dir::new();
    dir.file("crucible.yaml", "curriculum: {tier_probabilities: [0.7, 0.3, 0.0]}\n");
    let ran = check(&dir, &["--json"]);
    assert_eq!(ran.code, 6, "{ran:#?}");
    has(&ran, "G2", "CRITICAL");
    dir.file("crucible.yaml", "guardrails: {overrides: [G2]}\ncurriculum: {tier_probabilities: [0.7, 0.3, 0.0]}\n");
    assert_eq!(check(&dir, &[]).code, 0);
    dir.file("crucible.yaml", "");
    assert_eq!(check(&dir, &[]).code, 0);
}
