//! What trackers hear of a run, and that a run is none the worse for them, whatever they do.

mod events;
mod real;
pub(crate) mod stub;

use crate::sweep::{RATIO, prepared};
use crate::util::{Dir, Ran, finish};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};
use stub::{Mood, Stub};

/// Numbers of a logged step.
const OF_STEP: usize = 8;

/// The program in `dir` with an MLflow server, and nothing else of the outer environment that concerns one.
fn command(dir: &Dir, uri: &str, args: &[&str]) -> Command {
    let mut command = dir.command(args);
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MLFLOW_") {
            command.env_remove(name);
        }
    }
    command.env("MLFLOW_TRACKING_URI", uri);
    command
}

fn run(dir: &Dir, uri: &str, args: &[&str]) -> Ran {
    finish(&mut command(dir, uri, args))
}

/// Trains in `out`, logging every step.
fn train(dir: &Dir, uri: &str, out: &str, more: &[&str]) -> Ran {
    let args = ["train", "--output-dir", out, "--json", "--experiment.log_every", "1"];
    run(dir, uri, &[&args[..], more].concat())
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

/// Each number of `expected` steps is there, once.
#[track_caller]
fn once(run: &stub::StubRun, steps: usize) {
    let training = run.metrics.iter().filter(|(key, ..)| key.starts_with("train/") || key.starts_with("quota/"));
    let keys: Vec<(&String, u64)> = training.map(|(key, step, _)| (key, *step)).collect();
    let different: BTreeSet<&(&String, u64)> = keys.iter().collect();
    assert_eq!((keys.len(), different.len()), (steps * OF_STEP, steps * OF_STEP), "of {steps} steps");
}

/// A tracked run as a folder, without a training: so many settings, and steps of one number each.
fn written(dir: &Dir, out: &str, params: usize, steps: usize) {
    let params: serde_json::Map<String, Value> =
        (0..params).map(|i| (format!("p.{i}"), "x".repeat(7000 * usize::from(i == 0) + 1).into())).collect();
    let start = json!({"entry": "start", "key": out, "experiment": "an 'experiment' & more", "name": out, "time": 1, "tags": {}, "params": params});
    let mut text = start.to_string() + "\n";
    for step in 1..=steps {
        let value = match step {
            1 => "NaN".into(),
            2 => "-Infinity".into(),
            _ => json!(0.5),
        };
        let line = json!({"entry": "metrics", "group": "train", "step": step, "time": 2, "values": {"x": value}});
        text += &(line.to_string() + "\n");
    }
    text += "{\"entry\":\"end\",\"status\":\"FINISHED\",\"time\":3}\n";
    dir.file(&format!("{out}/tracking.jsonl"), &text);
    dir.file(&format!("{out}/config.yaml"), "training: {}\n");
}

#[track_caller]
fn all_of(stub: &Stub, params: usize, steps: u64) {
    let run = stub.run();
    assert_eq!(run.params.len(), params);
    let counted: Vec<u64> = run.metrics.iter().map(|(_, step, _)| *step).collect();
    assert_eq!(counted, (1..=steps).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(run.files["config.yaml"], b"training: {}\n");
    assert_eq!(run.status, ["FINISHED"]);
}

#[test]
fn a_run_is_told_whole_and_trains_as_without() {
    let dir = prepared();
    dir.run(&["train", "--output-dir", "plain", "--quiet", "--experiment.log_every", "1"]).ok();
    let stub = Stub::new(Mood::Well);
    let mut tracked =
        command(&dir, &stub.uri, &["train", "--output-dir", "r", "--quiet", "--experiment.log_every", "1"]);
    tracked.args([
        "--tracking",
        "mlflow",
        "--tracking.experiment",
        "of mine",
        "--guardrails.webhook",
        "http://127.0.0.1:9/swordfish",
    ]);
    let ran = finish(tracked.env("MLFLOW_TRACKING_USERNAME", "me").env("MLFLOW_TRACKING_PASSWORD", "swordfish"));
    ran.ok();
    assert!(!ran.stderr.contains("MLflow"), "{ran:?}");

    let run = stub.run();
    once(&run, 400);
    assert_eq!(stub.seen().experiments, ["of mine"]);
    assert!(stub.seen().batches.iter().all(|n| *n <= 1000), "{:?}", stub.seen().batches);
    assert!(stub.seen().batches.len() < 100, "lines go out together: {:?}", stub.seen().batches);
    assert_eq!(
        (run.name.as_str(), &run.tags["crucible.seed"], run.status.as_slice()),
        ("r", &"42".to_owned(), &["FINISHED".to_owned()][..])
    );
    assert_eq!(
        (run.params["training.steps"].as_str(), run.params["training.learning_rate"].as_str()),
        ("400", "0.003")
    );
    assert!(!run.params.keys().any(|k| k.contains("webhook") || k.starts_with("tracking")), "{:?}", run.params);
    for name in ["config.yaml", "guardrails.json", "exposures.json"] {
        assert_eq!(run.files[name], dir.read(&format!("r/{name}")).into_bytes(), "{name}");
    }
    // Its numbers are those of the run.
    let last: Value = serde_json::from_str(dir.read("r/metrics.jsonl").lines().last().expect("a line")).expect("JSON");
    assert!(run.metrics.iter().any(|(k, step, x)| k == "train/loss" && *step == 400 && *x == last["loss"]), "{last}");

    // No tracker shows in what a run leaves, and no secret.
    for name in ["checkpoint_final.safetensors", "metrics.jsonl", "exposures.jsonl"] {
        let bytes = |run: &str| std::fs::read(dir.path().join(run).join(name)).expect("reads");
        assert!(bytes("plain") == bytes("r"), "{name}");
    }
    assert!(!dir.read("r/config.yaml").contains("of mine"));
    for name in ["tracking.jsonl", "tracking.json", "config.yaml", "train.log"] {
        assert!(!dir.read(&format!("r/{name}")).contains("swordfish"), "{name}");
    }
    // printf me:swordfish | base64
    assert!(stub.seen().authorization.iter().all(|a| a == "Basic bWU6c3dvcmRmaXNo"), "{:?}", stub.seen().authorization);
    assert_eq!(stub.seen().authorization.len(), stub.seen().requests.len());

    // There is nothing left to send; a scoreboard that comes later is.
    stub.forget_requests();
    let synced = run_sync(&dir, &stub, "r").json();
    assert_eq!((&synced[0]["entries_sent"], &synced[0]["files_sent"]), (&0.into(), &0.into()), "{synced}");
    assert_eq!(stub.seen().requests.len(), 0, "{:?}", stub.seen().requests);
    dir.file("r/frozen_scoreboard.json", "{}");
    assert_eq!(run_sync(&dir, &stub, "r").json()[0]["files_sent"], 1);
    assert_eq!(stub.run().files["frozen_scoreboard.json"], b"{}");
}

fn run_sync(dir: &Dir, stub: &Stub, out: &str) -> Ran {
    run(dir, &stub.uri, &["sync", out, "--json"])
}

/// Over HTTPS the same is told, to a server whose certificate is trusted; to another nothing is, and the run goes on.
#[test]
fn a_server_behind_tls_is_told_if_it_is_trusted() {
    let dir = prepared();
    let stub = Stub::behind_tls();
    dir.file("ca.pem", stub::CERTIFICATE);
    let train = |out: &str, trusted: bool| {
        let args = ["train", "--output-dir", out, "--json", "--experiment.log_every", "1", "--tracking"];
        let mut command = command(&dir, &stub.uri, &[&args[..], &["mlflow"]].concat());
        command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        if trusted {
            command.env("SSL_CERT_FILE", dir.path().join("ca.pem"));
        }
        finish(&mut command)
    };
    let strange = train("strange", false);
    let warned = strange.code == 0 && strange.stderr.contains("crucible sync");
    assert!(warned && stub.seen().requests.is_empty(), "{strange:?}");
    let known = train("known", true);
    assert!(known.code == 0 && !known.stderr.contains("crucible sync"), "{known:?}");
    let run = stub.run();
    assert_eq!(run.status, ["FINISHED"]);
    once(&run, dir.read("known/metrics.jsonl").lines().count());
}

#[test]
fn what_a_server_did_not_hear_is_sent_once() {
    let dir = prepared();
    let stub = Stub::new(Mood::Well);
    let ran = train(&dir, &nobody(), "r", &["--tracking", "mlflow"]);
    ran.ok();
    assert!(ran.stderr.contains("MLflow was not told everything") && ran.stderr.contains("crucible sync"), "{ran:?}");
    let plain = train(&dir, &nobody(), "plain", &[]);
    plain.ok();
    let checkpoint =
        |run: &str| std::fs::read(dir.path().join(run).join("checkpoint_final.safetensors")).expect("reads");
    assert!(checkpoint("r") == checkpoint("plain"));

    let down = run(&dir, &nobody(), &["sync", "r"]);
    assert!(down.code == 1 && down.stderr.contains("goes on there"), "{down:?}");
    let text = run(&dir, &stub.uri, &["sync", "r"]);
    assert!(text.ok().contains("402 lines and 4 files sent → run run0"), "{text:?}");
    once(&stub.run(), 400);
    assert_eq!(stub.run().status, ["FINISHED"]);
    stub.forget_requests();
    run_sync(&dir, &stub, "r").ok();
    assert_eq!(stub.seen().requests.len(), 0, "{:?}", stub.seen().requests);

    // A run that replaces it is another one.
    train(&dir, &stub.uri, "r", &["--tracking", "mlflow", "--force"]).ok();
    assert_eq!(stub.seen().runs.len(), 2);
    once(&stub.seen().runs["run1"], 400);
    // And one that replaces that is none.
    train(&dir, &stub.uri, "r", &["--force"]).ok();
    assert!(run_sync(&dir, &stub, "r").failed(2).contains("no tracking.jsonl"));
}

#[test]
fn limits_and_numbers_that_json_lacks() {
    let dir = Dir::new();
    written(&dir, "r", 250, 2500);
    let stub = Stub::new(Mood::Well);
    run_sync(&dir, &stub, "r").ok();
    all_of(&stub, 250, 2500);
    assert_eq!(stub.seen().batches, [1000, 1000, 500]);
    let run = stub.run();
    assert_eq!((run.metrics[0].2.clone(), run.metrics[1].2.clone()), ("NaN".into(), "-Infinity".into()));
    assert_eq!(run.params["p.0"].len(), 6000, "cut to what MLflow takes");
    assert_eq!(stub.seen().experiments, ["an 'experiment' & more"]);
    assert!(stub.seen().requests[0].ends_with("experiment_name=an%20%27experiment%27%20%26%20more"));
}

#[test]
fn a_sync_that_is_cut_off_goes_on_where_it_was() {
    // Whenever the server gives up, and whichever answer is lost.
    for cut in 0..12 {
        let dir = Dir::new();
        written(&dir, "r", 150, 2500);
        let stub = Stub::new(Mood::Tires(cut));
        let ran = run_sync(&dir, &stub, "r");
        assert_eq!(ran.code, i32::from(cut < 11), "cut at {cut}: {ran:?}");
        stub.mood(Mood::Well);
        run_sync(&dir, &stub, "r").ok();
        all_of(&stub, 150, 2500);
    }
    for lost in 0..4 {
        let dir = Dir::new();
        written(&dir, "r", 150, 2500);
        let stub = Stub::new(Mood::Loses(lost));
        run_sync(&dir, &stub, "r").ok();
        all_of(&stub, 150, 2500);
    }
    // What was written last was cut off, and how far it was sent is forgotten: the server still knows the run.
    let dir = Dir::new();
    written(&dir, "r", 1, 5);
    let stub = Stub::new(Mood::Well);
    run_sync(&dir, &stub, "r").ok();
    dir.file("r/tracking.json", "{\"key\":");
    dir.file("r/config.yaml", "training: {steps: 1}\n");
    let text = dir.read("r/tracking.jsonl") + "{\"entry\":\"metr";
    dir.file("r/tracking.jsonl", &text);
    run_sync(&dir, &stub, "r").ok();
    stub.run();
}

#[test]
fn a_server_that_fails_for_a_moment_is_tried_again() {
    let dir = prepared();
    let stub = Stub::new(Mood::Fails(2));
    let ran = train(&dir, &stub.uri, "r", &["--tracking", "mlflow"]);
    ran.ok();
    assert!(!ran.stderr.contains("MLflow"), "{ran:?}");
    once(&stub.run(), 400);
    assert_eq!(stub.run().status, ["FINISHED"]);
}

#[test]
fn a_server_that_hangs_holds_up_no_step_and_the_end_but_little() {
    let dir = prepared();
    let plain = train(&dir, "", "plain", &[]).json();
    let stub = Stub::new(Mood::Hangs);
    let started = Instant::now();
    let ran = train(&dir, &stub.uri, "r", &["--tracking", "mlflow"]);
    let whole = started.elapsed().as_secs_f64();
    let (plain, tracked) = (plain[0]["seconds"].as_f64().expect("s"), ran.json()[0]["seconds"].as_f64().expect("s"));
    // A request waits for 10 s: a step that waited for one would show. Others compute on this machine meanwhile.
    assert!(tracked < plain * 3.0 + 4.0, "{tracked} s of training, {plain} s without a tracker");
    assert!(whole < tracked + 20.0 + 10.0, "{whole} s in all, {tracked} s of training");
    assert!(ran.stderr.contains("MLflow was not told everything"), "{ran:?}");
    stub.mood(Mood::Well);
    run_sync(&dir, &stub, "r").ok();
    once(&stub.run(), 400);
}

#[test]
fn strange_answers_lose_nothing() {
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    let json = |text: &str| (head(text.len()) + text).into_bytes();
    let answers = [
        ("not JSON", json("<!DOCTYPE html><html>Sign in</html>")),
        ("huge", [head(64 << 20).into_bytes(), vec![b' '; 64 << 20]].concat()),
        ("a lie about its length", (head(1 << 40) + "{}").into_bytes()),
        ("deep", json(&"[".repeat(200_000))),
        ("a list", json("[1]")),
        ("no names", json("{}")),
        ("a name that leads elsewhere", json(r#"{"experiment":{"experiment_id":"../../x"}}"#)),
        ("a name that is too long", json(&format!(r#"{{"experiment":{{"experiment_id":"{}"}}}}"#, "1".repeat(1000)))),
        ("elsewhere", b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ("no HTTP", b"SSH-2.0-x\r\n\r\n".to_vec()),
        ("nothing", Vec::new()),
        ("not allowed", b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in answers {
        let dir = Dir::new();
        written(&dir, "r", 3, 5);
        let stub = Stub::new(Mood::Says(bytes));
        let started = Instant::now();
        let ran = run(&dir, &stub.uri, &["sync", "r"]);
        assert!(ran.code == 1 && !ran.stderr.contains("panicked"), "{what}: {ran:?}");
        assert!(ran.stderr.len() < 1000 && ran.stdout.contains("7 wait"), "{what}: {ran:?}");
        assert!(started.elapsed() < Duration::from_secs(25), "{what}: {:?}", started.elapsed());
        stub.mood(Mood::Well);
        run_sync(&dir, &stub, "r").ok();
        all_of(&stub, 3, 5);
    }
}

#[test]
fn what_a_server_never_takes_is_passed_over_and_counted() {
    let dir = Dir::new();
    written(&dir, "r", 3, 5);
    let stub = Stub::new(Mood::Refuses("log-batch", 400, "INVALID_PARAMETER_VALUE"));
    let ran = run_sync(&dir, &stub, "r");
    let synced = ran.json();
    assert_eq!((&synced[0]["refused"], &synced[0]["entries_left"]), (&2.into(), &0.into()), "{synced}");
    assert_eq!(stub.run().status, ["FINISHED"], "what follows is sent");
    // Another server's run is not passed over: nothing of it would arrive.
    written(&dir, "other", 3, 5);
    stub.mood(Mood::Refuses("log-batch", 404, "RESOURCE_DOES_NOT_EXIST"));
    let ran = run(&dir, &stub.uri, &["sync", "other"]);
    assert!(ran.code == 1 && ran.stderr.contains("is this the server"), "{ran:?}");
    assert!(!ran.stderr.contains('\u{1b}'), "a server's words do not colour a terminal: {ran:?}");
}

#[test]
fn a_sweep_is_a_run_with_parts() {
    let dir = prepared();
    let stub = Stub::new(Mood::Well);
    let sweep = [&RATIO[..], &["--parallel", "2", "--tracking", "both"]].concat();
    run(&dir, &stub.uri, &sweep).ok();
    let check = |stub: &Stub| {
        let seen = stub.seen();
        assert_eq!(seen.runs.len(), 5, "{:?}", seen.runs.values().map(|r| &r.name).collect::<Vec<_>>());
        let (id, parent) = seen.runs.iter().find(|(_, r)| r.tags.contains_key("crucible.sweep")).expect("the sweep's");
        assert_eq!((parent.name.as_str(), parent.params["sweep.seeds"].as_str()), ("s", "[1,2]"));
        assert_eq!(parent.status.last().map(String::as_str), Some("FINISHED"));
        for name in ["pareto_analysis.json", "frozen_scoreboard.json"] {
            assert_eq!(parent.files[name], dir.read(&format!("s/{name}")).into_bytes(), "{name}");
        }
        let mut names = Vec::new();
        for part in seen.runs.values().filter(|r| r.tags.get("mlflow.parentRunId") == Some(id)) {
            names.push(part.name.as_str());
            let board = format!("s/{}/frozen_scoreboard.json", part.name.replace(" seed ", "/seed_"));
            let board = dir.read(&board);
            assert_eq!(part.files["frozen_scoreboard.json"], board.as_bytes());
            let board: Value = serde_json::from_str(&board).expect("JSON");
            let rate = (&"frozen/pass_rate".to_owned(), &400, &board["overall"]["pass_rate"]);
            assert!(part.metrics.iter().any(|(k, step, x)| (k, step, x) == rate), "{rate:?} of {}", part.name);
            assert_eq!(part.status, ["FINISHED"]);
            assert_eq!(part.tags["crucible.condition"], part.name.split(' ').next().expect("a word"));
        }
        names.sort_unstable();
        assert_eq!(names, ["R40_40_20 seed 1", "R40_40_20 seed 2", "R85_10_5 seed 1", "R85_10_5 seed 2"]);
    };
    check(&stub);
    assert!(events::files(&dir.path().join("s")).is_empty());
    assert_eq!(events::files(&dir.path().join("s/R85_10_5/seed_2")).len(), 1);
    // The same again: nothing new but that the sweep's own run went on.
    run(&dir, &stub.uri, &sweep).ok();
    check(&stub);

    // Trial by trial, with a server that comes late, is the same; so is a sweep that tracks elsewhere than it began.
    std::fs::remove_dir_all(dir.path().join("s")).expect("removes");
    let plan = ["sweep", "plan", "ratio", "--ratios", "85_10_5,40_40_20", "--seeds", "1,2", "--tracking", "mlflow"];
    dir.run(&plan).ok();
    let mut trial = command(&dir, "", &["trial", "run", "--plan", "s/plan.jsonl", "--index", "3"]);
    let ran = finish(&mut trial);
    assert!(ran.ok().contains("finished") && ran.stderr.contains("MLFLOW_TRACKING_URI is not set"), "{ran:?}");
    let late = Stub::new(Mood::Well);
    run(&dir, &late.uri, &[&RATIO[..], &["--tracking", "mlflow"]].concat()).ok();
    run(&dir, &late.uri, &["sync", "s"]).ok();
    check(&late);
}

#[cfg(unix)]
#[test]
fn a_run_that_goes_on_is_the_same_run() {
    let dir = prepared();
    let stub = Stub::new(Mood::Well);
    let args = ["--tracking", "both", "--steps", "4000", "--experiment.checkpoint_every", "100"];
    let all = [&["train", "--output-dir", "r", "--quiet", "--experiment.log_every", "1"], &args[..]].concat();
    let mut child = command(&dir, &stub.uri, &all).spawn().expect("starts");
    let logged = || std::fs::read_to_string(dir.path().join("r/metrics.jsonl")).map_or(0, |t| t.lines().count());
    while logged() < 250 && child.try_wait().expect("waits").is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Killed outright: its last lines are sent by nobody, and steps after the save are made again.
    child.kill().expect("kills");
    child.wait().expect("ends");
    assert!(logged() < 4000, "killed too late to tell");
    let more = train(&dir, &stub.uri, "r", &[&args[..], &["--resume"]].concat());
    more.ok();
    let run = stub.run();
    once(&run, 4000);
    assert_eq!(run.status, ["RUNNING", "FINISHED"]);
    let plain = train(&dir, "", "plain", &[&args[2..]].concat());
    plain.ok();
    assert_eq!(dir.read("r/metrics.jsonl"), dir.read("plain/metrics.jsonl"));
    events::check(&dir.path().join("r"), &dir.read("r/metrics.jsonl"), 2);
    // A run of its own begins without those of the one that it replaces.
    train(&dir, "", "r", &["--force", "--tracking", "tensorboard"]).ok();
    events::check(&dir.path().join("r"), &dir.read("r/metrics.jsonl"), 1);
}

#[test]
fn faults_are_told_before_anything_is_done() {
    let dir = prepared();
    let refused = |uri: &str, args: &[&str]| run(&dir, uri, args).failed(2).to_owned();
    let train = ["train", "--output-dir", "r", "--tracking", "mlflow"];
    assert!(refused("", &train).contains("MLFLOW_TRACKING_URI is not set"));
    let other = refused("ftp://me:hidden@example.org", &train);
    assert!(other.contains("no http:// or https:// address") && !other.contains("hidden"), "{other}");
    assert!(refused("sqlite:///x.db", &train).contains("mlflow server"));
    assert!(refused("", &[&RATIO[..], &["--tracking", "mlflow"]].concat()).contains("is not set"));
    let other = refused("", &["train", "--output-dir", "r", "--tracking", "wandb"]);
    assert!(other.contains("tensorboard"), "{other}");
    assert!(refused("", &["train", "--output-dir", "r", "--tracking.experiment", "' '"]).contains("1 to 256"));
    assert!(refused("", &["sync", "r"]).contains("is not set"));
    assert!(!dir.path().join("r").exists() && !dir.path().join("s").exists());
    dir.file("x/y", "");
    assert!(refused("http://127.0.0.1:9", &["sync", "x"]).contains("no tracking.jsonl"));
    assert!(run(&dir, "http://127.0.0.1:9", &["sync", "none"]).failed(1).contains("none"));
    // Damage, and a journal from a stranger.
    let stub = Stub::new(Mood::Well);
    dir.file("bad/tracking.jsonl", "{}\n");
    let bad = run(&dir, &stub.uri, &["sync", "bad"]);
    assert!(bad.code == 1 && bad.stderr.contains("has no beginning"), "{bad:?}");
    let start = json!({"entry": "start", "key": "k", "experiment": "e", "name": "n", "time": 1, "parent": "/etc", "tags": {}, "params": {}});
    dir.file("odd/tracking.jsonl", &format!("{start}\n\u{0}\n{{\"entry\":\"metrics\"}}\n"));
    let odd = run(&dir, &stub.uri, &["sync", "odd", "--json"]).json();
    assert_eq!((&odd[0]["refused"], &odd[0]["entries_left"]), (&2.into(), &0.into()), "{odd}");
}
