//! Sweeps: what they leave, that nothing is done twice, that nothing is lost, whoever kills them.

use crate::tracking::stub::{Mood, Stub};
use crate::util::{Dir, finish, kill_moments};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Kills that must have happened.
const KILLS: usize = 50;

const CONFIG: &str = "
training: {steps: 400, batch_size: 8, learning_rate: 0.003}
curriculum: {tier_probabilities: [0.4, 0.3, 0.3]}
model: {embedding_dim: 16, hidden_dim: 16, vocab_size: 600}
experiment: {checkpoint_every: 50, log_every: 50, output_dir: s}
data: {bundles: b.jsonl, frozen_eval: frozen.jsonl, organic_eval: organic.jsonl}
# Bundles of one small set: training and evals share events.
guardrails: {overrides: [G11]}
";

/// A project with bundles of all pools, and evals of both kinds.
pub(crate) fn prepared() -> Dir {
    let dir = Dir::new();
    dir.run(&["init", "p", "--sample-data"]).ok();
    dir.run(&["bundle", "--events", "p/data/events.jsonl", "--output", "all.jsonl", "--max-per-sense", "4"]).ok();
    // Every third hard bundle is organic, every other third expanded.
    let mut hard = 0;
    let lines: Vec<Value> = dir.read("all.jsonl").lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let mut text = String::new();
    for (i, mut bundle) in lines.iter().cloned().enumerate() {
        if bundle["metadata"]["tier"] == "tier3_adversarial" {
            hard += 1;
            match hard % 3 {
                1 => bundle["metadata"]["source"] = "tier3_organic_miner".into(),
                2 => bundle["metadata"]["expansion"] = "tier3x".into(),
                _ => {}
            }
        }
        if i % 4 > 0 {
            text += &(bundle.to_string() + "\n");
        }
    }
    dir.file("b.jsonl", &text);
    let of = |rest: usize| -> String {
        lines.iter().enumerate().filter(|(i, _)| i % 8 == rest).map(|(_, l)| l.to_string() + "\n").collect()
    };
    dir.file("frozen.jsonl", &of(0));
    dir.file("organic.jsonl", &of(4));
    dir.file("crucible.yaml", CONFIG);
    dir
}

/// All files below a folder, with what tells times left out.
pub(crate) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, out: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, out);
                continue;
            }
            let name = path.strip_prefix(root).expect("below").display().to_string();
            let bytes = std::fs::read(&path).expect("reads");
            let bytes = if name.ends_with("train.log") {
                Vec::new()
            } else if name.ends_with("scoreboard.json") {
                let text = String::from_utf8(bytes).expect("text");
                text.lines().filter(|l| !l.contains("\"timestamp\"")).collect::<Vec<_>>().join("\n").into_bytes()
            } else {
                bytes
            };
            out.insert(name, bytes);
        }
    }
    let mut out = BTreeMap::new();
    walk(root, root, &mut out);
    out
}

#[track_caller]
pub(crate) fn assert_same(a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>, what: &str) {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "{what}: other files");
    for (name, bytes) in a {
        assert!(b[name] == *bytes, "{what}: another {name}");
    }
}

pub(crate) const RATIO: [&str; 7] = ["sweep", "ratio", "--ratios", "85_10_5,40_40_20", "--seeds", "1,2", "--quiet"];

#[test]
fn a_sweep_leaves_what_the_specification_says_and_is_done_once() {
    let dir = prepared();
    let ran = dir.run(&[&RATIO[..], &["--json"]].concat());
    let json = ran.json();
    assert_eq!((&json["trials"], &json["finished"]), (&4.into(), &4.into()), "{json:#}");
    for file in [
        "s/R85_10_5/seed_1/checkpoint_final.safetensors",
        "s/R85_10_5/seed_1/train.log",
        "s/R85_10_5/seed_1/metrics.jsonl",
        "s/R85_10_5/seed_1/config.yaml",
        "s/R40_40_20/seed_2/frozen_scoreboard.json",
        "s/R40_40_20/seed_2/organic_scoreboard_items.jsonl",
        "s/frozen_scoreboard.json",
        "s/organic_scoreboard.json",
        "s/pareto_analysis.json",
        "s/plan.jsonl",
    ] {
        assert!(dir.path().join(file).exists(), "{file}");
    }
    let analysis: Value = serde_json::from_str(&dir.read("s/pareto_analysis.json")).expect("JSON");
    assert_eq!(analysis["conditions"].as_array().map(Vec::len), Some(2));
    // The means are those of the runs' own scoreboards.
    let rate = |seed: u64| -> f64 {
        let board: Value =
            serde_json::from_str(&dir.read(&format!("s/R40_40_20/seed_{seed}/organic_scoreboard.json"))).expect("JSON");
        board["overall"]["pass_rate"].as_f64().expect("a rate")
    };
    let mean = analysis["conditions"][1]["generalisation"]["mean"].as_f64().expect("a mean");
    assert!((mean - f64::midpoint(rate(1), rate(2))).abs() < 1e-12, "{mean}");
    // The ratio is in the runs.
    let config = dir.read("s/R40_40_20/seed_2/config.yaml");
    assert!(config.contains("organic: 0.4") && config.contains("seeds:"), "{config}");

    let before = files(&dir.path().join("s"));
    let again = dir.run(&RATIO[..6]);
    again.ok();
    assert_eq!(again.stderr.matches("was finished; skipped").count(), 4, "{again:?}");
    assert_same(&before, &files(&dir.path().join("s")), "again");

    // Two at a time, and one by one through the plan: the same bytes.
    std::fs::rename(dir.path().join("s"), dir.path().join("alone")).expect("moves");
    dir.run(&[&RATIO[..], &["--parallel", "2"]].concat()).ok();
    assert_same(&before, &files(&dir.path().join("s")), "two at a time");
    std::fs::remove_dir_all(dir.path().join("s")).expect("removes");
    let plan = ["sweep", "plan", "ratio", "--ratios", "85_10_5,40_40_20", "--seeds", "1,2"];
    assert!(dir.run(&plan).ok().contains("4 trials"));
    for index in ["3", "1", "0", "2"] {
        dir.run(&["trial", "run", "--plan", "s/plan.jsonl", "--index", index, "--quiet"]).ok();
    }
    dir.run(&["sweep", "collect", "--output-dir", "s"]).ok();
    assert_same(&before, &files(&dir.path().join("s")), "one by one");
}

#[test]
fn one_run_is_evaluated_on_its_way() {
    let dir = prepared();
    let ran = dir.run(&["sweep", "steps", "--steps", "130,400,60", "--seeds", "5", "--quiet", "--json"]);
    let names: Vec<String> = ran.json()["analysis"]["conditions"]
        .as_array()
        .expect("conditions")
        .iter()
        .map(|c| c["name"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(names, ["step_60", "step_130", "step_400"]);
    // Stopping on the way changes nothing.
    dir.run(&["train", "--output-dir", "t", "--seed", "5", "--quiet"]).ok();
    let read = |path: &str| std::fs::read(dir.path().join(path)).expect("reads");
    assert!(read("t/checkpoint_final.safetensors") == read("s/steps/seed_5/checkpoint_final.safetensors"));
    let hash = |step: u64| -> String {
        let board: Value =
            serde_json::from_str(&dir.read(&format!("s/steps/seed_5/step_{step}/frozen_scoreboard.json")))
                .expect("JSON");
        board["checkpoint"]["hash"].as_str().expect("a hash").to_owned()
    };
    assert!(hash(60) != hash(130) && hash(130) != hash(400));
}

#[test]
fn a_trial_that_fails_stops_no_other_and_is_named() {
    let dir = prepared();
    dir.file("bad.jsonl", "{\"bundle_id\": 3}\n");
    let args = ["sweep", "ablation", "--conditions", "good:b.jsonl,bad:bad.jsonl,also:b.jsonl", "--seeds", "1"];
    let ran = dir.run(&args);
    assert_eq!(ran.code, 3, "{ran:#?}");
    assert!(ran.stderr.contains("bad/seed_1: ") && ran.stderr.contains("1 of 3 trials failed"), "{ran:#?}");
    assert!(ran.stdout.contains("2 of 3 trials are finished"), "{ran:#?}");
    let status = dir.run(&["sweep", "status", "--output-dir", "s"]);
    let status = status.ok();
    assert!(status.contains("2 of 3 finished") && status.contains("failed: "), "{status}");
    // Mended, it alone is run.
    std::fs::copy(dir.path().join("b.jsonl"), dir.path().join("bad.jsonl")).expect("copies");
    let ran = dir.run(&args);
    ran.ok();
    assert_eq!(ran.stderr.matches("skipped").count(), 2, "{ran:#?}");
    assert!(!dir.path().join("s/bad/seed_1/trial_error.json").exists());
}

#[test]
fn a_folder_keeps_one_sweep() {
    let dir = prepared();
    dir.run(&["sweep", "plan", "ratio", "--ratios", "85_10_5", "--seeds", "1"]).ok();
    let other = dir.run(&["sweep", "plan", "ratio", "--ratios", "85_10_5", "--seeds", "1", "--steps", "7"]);
    assert!(other.failed(2).contains("is the plan of another sweep"), "{other:?}");
    // More of the same is welcome.
    assert!(
        dir.run(&["sweep", "plan", "ratio", "--ratios", "85_10_5,0_50_50", "--seeds", "1,2"]).ok().contains("4 trials")
    );
    let dry = dir.run(&["sweep", "ratio", "--ratios", "85_10_5,0_50_50", "--output-dir", "new", "--dry-run"]);
    assert!(dry.ok().contains("nothing was written") && !dir.path().join("new").exists(), "{dry:?}");
    let cases: [(&[&str], &str); 6] = [
        (&["sweep", "ratio", "--output-dir", "n"], "no ratios are given"),
        (&["sweep", "ratio", "--ratios", "50_10_10", "--output-dir", "n"], "must sum to 100"),
        (&["sweep", "steps", "--steps", "10,10", "--output-dir", "n"], "given twice"),
        (&["sweep", "ablation", "--conditions", "x", "--output-dir", "n"], "`x` is not NAME:FILE"),
        (&["sweep", "ablation", "--conditions", "../x:b.jsonl", "--output-dir", "n"], "can't name a condition"),
        (&["trial", "run", "--plan", "s/plan.jsonl", "--index", "9"], "holds 4 trials, there is no 9"),
    ];
    for (args, message) in cases {
        let ran = dir.run(args);
        assert!(ran.failed(2).contains(message), "{ran:?}");
    }
    assert!(!dir.path().join("n").exists());
}

fn started(dir: &Dir, args: &[&str]) -> Child {
    let mut command = dir.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
}

#[test]
fn a_scheduler_that_wants_its_machine_back_gets_75_and_nothing_is_lost() {
    let dir = prepared();
    dir.run(&RATIO).ok();
    let alone = files(&dir.path().join("s"));
    std::fs::remove_dir_all(dir.path().join("s")).expect("removes");
    let mut child = started(&dir, &RATIO);
    let log = dir.path().join("s/R85_10_5/seed_1/metrics.jsonl");
    while !log.exists() && child.try_wait().expect("waits").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let killed = finish(std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]));
    killed.ok();
    assert_eq!(child.wait().expect("waits").code(), Some(75));
    dir.run(&RATIO).ok();
    assert_same(&alone, &files(&dir.path().join("s")), "after SIGTERM");
}

#[test]
#[expect(clippy::print_stdout, reason = "a seed is of use only when it is known")]
fn a_sweep_that_is_killed_at_any_moment_ends_in_the_bytes_of_one_that_was_left_alone() {
    let (mut stream, seed) = kill_moments("kill a sweep");
    let dir = prepared();
    // Trials that are evaluated on their way: training, evaluating and writing are all there to be hit.
    let args = ["sweep", "steps", "--steps", "100,250,400", "--seeds", "1,2", "--parallel", "2", "--quiet"];
    let clock = Instant::now();
    assert!(started(&dir, &args).wait().expect("waits").success());
    let whole = clock.elapsed();
    let root = dir.path().join("s");
    let alone = files(&root);
    std::fs::remove_dir_all(&root).expect("removes");
    let (mut kills, mut sweeps) = (0, 0);
    while kills < KILLS {
        loop {
            let mut child = started(&dir, &args);
            if kills < KILLS {
                std::thread::sleep(whole.mul_f64(0.8 * stream.unit()));
                child.kill().expect("kills");
            }
            let status = child.wait().expect("waits");
            if status.signal() != Some(9) {
                assert!(status.success(), "{status}, seed {seed}");
                break;
            }
            kills += 1;
        }
        sweeps += 1;
        assert_same(&alone, &files(&root), &format!("sweep {sweeps}, seed {seed}"));
        std::fs::remove_dir_all(&root).expect("removes");
    }
    println!("{kills} kills in {sweeps} sweeps; one left alone took {whole:.1?}, all {:.1?}", clock.elapsed());
}

/// Whether any file below a folder holds a text.
fn holding(root: &Path, text: &str) -> Vec<String> {
    let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    crate::capsule::files_below(root).into_iter().filter(|(_, bytes)| holds(bytes)).map(|(name, _)| name).collect()
}

#[test]
fn no_file_of_a_sweep_holds_a_secret_and_what_decides_nothing_may_change() {
    let dir = prepared();
    let secret = "PLANTEDSECRET";
    let hook = format!("http://127.0.0.1:1/{secret}");
    let args = ["sweep", "ratio", "--ratios", "85_10_5", "--steps", "20", "--quiet", "--seeds"];
    dir.run(&[&args[..], &["1", "--tracking", "tensorboard", "--guardrails.webhook", &hook]].concat()).ok();
    let from_env = |more: &[&str], dir: &Dir| {
        let mut command = dir.command(&[&args[..], more].concat());
        let user = format!("http://{secret}:{secret}@127.0.0.1:1");
        finish(command.env("CRUCIBLE_WEBHOOK", &hook).env("MLFLOW_TRACKING_URI", user))
    };
    // The same sweep goes on: with other intervals, a webhook, a tracker, an acknowledged guardrail, another spelling.
    let plan = dir.read("s/plan.jsonl");
    let more = ["--experiment.log_every", "5", "--experiment.checkpoint_every", "7", "--guardrail-override", "G11"];
    from_env(&[&["1"], &more[..], &["--bundles", "./s/../b.jsonl"]].concat(), &dir).ok();
    from_env(&["1,2", "--tracking", "both"], &dir).ok();
    dir.run(&["capsule", "pack", "s/R85_10_5/seed_1", "-o", "s/c.tar.zst"]).ok();
    dir.run(&["capsule", "unpack", "s/c.tar.zst", "--output-dir", "unpacked"]).ok();
    dir.run(&["report", "--results-dir", "s", "--output", "s/report.html"]).ok();
    assert_eq!(holding(dir.path(), secret), Vec::<String>::new());
    assert!(plan.contains("\"webhook\":null"), "{plan}");
    // Other numbers are another sweep, and so is other data under the same name.
    assert!(from_env(&["1,2", "--training.margin", "0.3"], &dir).failed(2).contains("is the plan of another sweep"));
    let half: String = dir.read("b.jsonl").lines().skip(1).map(|l| l.to_owned() + "\n").collect();
    dir.file("b.jsonl", &half);
    assert!(from_env(&["1,2"], &dir).failed(2).contains("is the plan of another sweep"));
}

#[test]
fn a_trial_tells_the_webhook_of_its_own_machine_and_never_that_of_a_plan() {
    let dir = prepared();
    let (own, planned) = (Stub::new(Mood::Well), Stub::new(Mood::Well));
    dir.run(&["sweep", "plan", "ratio", "--ratios", "85_10_5", "--seeds", "1", "--steps", "20"]).ok();
    let plan = dir.read("s/plan.jsonl");
    dir.file("s/plan.jsonl", &plan.replace("\"webhook\":null", &format!("\"webhook\":\"{}/hook\"", planned.uri)));
    // Every gradient is CRITICAL at least.
    let plan = dir.read("s/plan.jsonl").replace("\"gradient_max\":1000.0", "\"gradient_max\":2e-7");
    dir.file("s/plan.jsonl", &plan);
    let mut run = dir.command(&["trial", "run", "--plan", "s/plan.jsonl", "--index", "0", "--quiet"]);
    let ran = finish(run.env("CRUCIBLE_WEBHOOK", format!("{}/hook", own.uri)));
    assert!(!own.seen().requests.is_empty(), "{ran:?}");
    assert_eq!(planned.seen().requests, Vec::<String>::new(), "{ran:?}");
}

#[test]
fn what_is_used_after_training_is_asked_before() {
    let dir = prepared();
    let args = [&RATIO[..6], &["--steps", "5"]].concat();
    let run = |more: &[&str]| dir.run(&[&args[..], more].concat());
    let typo = run(&["--baseline", "R85_10_6"]);
    assert!(typo.failed(2).contains("did you mean R85_10_5?") && typo.stderr.contains("R40_40_20"), "{typo:?}");
    dir.file("noise.jsonl", "{\"bundle_id\": 3}\n");
    run(&["--organic-eval", "noise.jsonl"]).failed(3);
    dir.file("file", "");
    run(&["--output-dir", "file/s"]).failed(1);
    assert!(!dir.path().join("s").exists(), "nothing was trained");
    assert!(run(&["--baseline", "R40_40_20"]).ok().contains("baseline"));
    let collect = dir.run(&["sweep", "collect", "--output-dir", "s", "--baseline", "R40"]);
    assert!(collect.failed(2).contains("no such condition"), "{collect:?}");
}

#[test]
fn a_sweep_that_leaks_is_stopped_before_training_and_what_was_found_stays_with_its_runs() {
    let dir = prepared();
    let args = ["sweep", "ratio", "--ratios", "85_10_5", "--seeds", "1,2", "--steps", "5", "--frozen-eval", "b.jsonl"];
    let nobody = ["--guardrails.overrides", "[]"];
    let ran = dir.run(&[&args[..], &nobody].concat());
    assert!(ran.failed(6).contains("G11 leakage [CRITICAL]") && !dir.path().join("s").exists(), "{ran:?}");
    // A plan is run by `trial run` alone: it stops, too.
    let plan = ["sweep", "plan", "ratio", "--ratios", "85_10_5", "--seeds", "1", "--frozen-eval", "b.jsonl"];
    dir.run(&[&plan[..], &nobody].concat()).ok();
    dir.run(&["trial", "run", "--plan", "s/plan.jsonl", "--index", "0"]).failed(6);
    std::fs::remove_dir_all(dir.path().join("s")).expect("removes");
    dir.run(&[&args[..], &["--guardrail-override", "G11"]].concat()).ok();
    let kept: Value = serde_json::from_str(&dir.read("s/R85_10_5/seed_2/guardrails_before.json")).expect("JSON");
    assert!(kept["overrides"][0]["id"] == "G11" && kept["not_run"].as_array().is_some_and(|n| !n.is_empty()));
    // The files may go: what was found is known.
    for name in ["b.jsonl", "organic.jsonl", "crucible.yaml"] {
        std::fs::remove_file(dir.path().join(name)).expect("removes");
    }
    let status = dir.run(&["sweep", "status", "--output-dir", "s"]);
    assert!(status.ok().contains("G11 leakage [CRITICAL, acknowledged] R85_10_5/seed_1 and 1 more"), "{status:?}");
    for path in ["s", "s/R85_10_5/seed_1"] {
        let check = dir.run(&["guardrail", "check", path]);
        assert_eq!(check.code, 6, "{check:?}");
        assert!(check.stdout.contains("CRITICAL  G11") && check.stdout.contains("guardrails could look"), "{check:?}");
    }
    dir.run(&["report", "--results-dir", "s", "--output", "r.html", "--data", "r.json"]).ok();
    assert!(dir.read("r.json").contains("acknowledged by G11 when it was trained"));
    dir.run(&["capsule", "pack", "s/R85_10_5/seed_1", "-o", "c.tar.zst"]).ok();
    assert!(dir.run(&["capsule", "list", "c.tar.zst"]).ok().contains("guardrails_before.json"));
}

#[test]
fn a_run_without_a_record_is_judged_by_the_files_that_it_names() {
    let dir = prepared();
    dir.run(&[
        "sweep",
        "ratio",
        "--ratios",
        "85_10_5",
        "--seeds",
        "1,2",
        "--steps",
        "5",
        "--guardrail-override",
        "G11",
    ])
    .ok();
    for seed in [1, 2] {
        std::fs::remove_file(dir.path().join(format!("s/R85_10_5/seed_{seed}/guardrails_before.json"))).expect("there");
    }
    std::fs::remove_file(dir.path().join("crucible.yaml")).expect("removes");
    let check = dir.run(&["guardrail", "check", "s", "--json"]).stdout;
    let check: Value = serde_json::from_str(&check).expect("JSON");
    let of = |id: &str| check["findings"].as_array().expect("findings").iter().filter(|f| f["id"] == id).count();
    assert_eq!((of("G11"), of("G3") > 0), (2, true), "each eval once: {check:#}");
}

#[test]
fn one_sweep_at_a_time_works_in_a_folder() {
    let dir = prepared();
    let args = [&RATIO[..6], &["--steps", "5"]].concat();
    let plan = ["sweep", "plan", "ratio", "--ratios", "85_10_5,40_40_20", "--seeds", "1,2", "--steps", "5"];
    dir.run(&plan).ok();
    let lock = std::fs::File::open(dir.path().join("s/.sweep.lock")).expect("a plan leaves it");
    lock.lock().expect("locks");
    for other in [&args[..], &plan] {
        assert!(dir.run(other).failed(1).contains("another sweep works in this folder"));
    }
    dir.run(&["trial", "run", "--plan", "s/plan.jsonl", "--index", "1"]).ok();
    drop(lock);
    dir.run(&args).ok();
}

#[test]
fn the_settings_of_a_plan_are_checked_before_anything_is_written() {
    let dir = prepared();
    dir.run(&["sweep", "plan", "ratio", "--ratios", "85_10_5", "--seeds", "1"]).ok();
    let plan = dir.read("s/plan.jsonl");
    let trial = |from: &str, to: &str, code: i32| {
        assert!(plan.contains(from), "{from} is not in {plan}");
        dir.file("s/plan.jsonl", &plan.replace(from, to));
        let ran = dir.run(&["trial", "run", "--plan", "s/plan.jsonl", "--index", "0"]);
        ran.failed(code);
        assert!(!dir.path().join("s/R85_10_5").exists(), "{ran:?}");
        ran.stderr
    };
    assert!(trial("\"batch_size\":8", "\"batch_size\":0", 2).contains("training.batch_size"));
    trial("\"batch_size\":8", "\"batch_size\":8589934592", 2);
    trial("\"vocab_size\":600", "\"vocab_size\":1152921504606846976", 2);
    trial("\"dropout\":0.1", "\"dropout\":5.0", 2);
    trial("\"tier_probabilities\":[0.4,0.3,0.3]", "\"tier_probabilities\":[-1,3,0]", 2);
    trial("\"dir\":\"R85_10_5/seed_1\"", "\"dir\":\"../out\"", 3);
    trial("\"kind\":\"ratio\"", &format!("\"kind\":\"{}\"", "x".repeat(2 << 20)), 3);
}
