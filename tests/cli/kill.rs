//! Trainings that are killed at any moment: what they leave is enough to end in the same bytes.

use crate::util::{Dir, kill_moments};
use crucible_core::rng::Stream;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Kills that must have happened.
const KILLS: usize = 20;
/// Files that tell times, and so differ.
const DIFFER: &str = "train.log";

/// Small, long enough to be hit, and with findings of both monitors all along the way.
const CONFIG: &str = "
training: {steps: 4000, batch_size: 8, learning_rate: 0.003}
curriculum: {tier3_ratios: {legacy: 1.0, organic: 0.0, expanded: 0.0}}
model: {embedding_dim: 16, hidden_dim: 16, vocab_size: 600}
experiment: {checkpoint_every: 20, log_every: 7, eval_every: 390}
guardrails: {loss_window: 13, loss_sigmas: 1.5, gradient_max: 5.0}
data: {bundles: b.jsonl, frozen_eval: f.jsonl}
";

/// Waits for `start`, then (if named) for a file that begins with `file`, then for `more`.
struct Moment {
    start: Duration,
    file: Option<&'static str>,
    more: Duration,
}

impl Moment {
    /// In turn: while it starts, trains, saves, writes its results.
    fn draw(stream: &mut Stream, turn: usize, whole: Duration) -> Self {
        let start = whole.mul_f64(stream.unit() * [0.1, 0.5, 0.5, 0.0][turn % 4]);
        let file = [None, None, Some(".resume_state."), Some("exposures.")][turn % 4];
        let more = Duration::from_micros(if file.is_some() { stream.below(4000) as u64 } else { 0 });
        Self { start, file, more }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|e| e.expect("an entry").file_name().into_string().expect("plain names")).collect();
    names.sort();
    names
}

fn prepared() -> Dir {
    let dir = Dir::new();
    dir.run(&["init", "p", "--sample-data"]).ok();
    let bundle = ["bundle", "--events", "p/data/events.jsonl", "--output", "b.jsonl", "--max-per-sense", "4"];
    dir.run(&[&bundle[..], &["--holdout", "f.jsonl"]].concat()).ok();
    dir.file("crucible.yaml", CONFIG);
    dir
}

/// Trains in `run`, from what is there, and kills that at `moment`. False when it had ended before.
fn killed(dir: &Dir, moment: Option<&Moment>) -> bool {
    let said = dir.path().join("said");
    let mut command = dir.command(&["train", "--output-dir", "run", "--resume", "--quiet"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(File::create(&said).expect("creates"))
        .spawn()
        .expect("the program starts");
    if let Some(Moment { start, file, more }) = moment {
        let started = Instant::now();
        let run = dir.path().join("run");
        let here = || file.is_none_or(|file| names(&run).iter().any(|name| name.starts_with(file)));
        while (started.elapsed() < *start || !here()) && child.try_wait().expect("waits").is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(*more);
        child.kill().expect("kills");
    }
    let status = child.wait().expect("waits");
    let killed = status.signal() == Some(9);
    assert!(killed || status.success(), "{status}: {}", dir.read("said"));
    killed
}

/// Moves the finished run away, to compare another with it: its folder's name is part of `config.yaml`.
fn put_by(dir: &Dir, name: &str) {
    std::fs::rename(dir.path().join("run"), dir.path().join(name)).expect("moves");
}

/// The same files, and the same bytes in them.
#[track_caller]
fn assert_same(dir: &Dir, other: &str, what: &str) {
    let [run, other] = ["run", other].map(|name| dir.path().join(name));
    let files = names(&other);
    assert_eq!(names(&run), files, "{what}: other files");
    for file in ["checkpoint_final.safetensors", "metrics.jsonl", "evals.jsonl", "exposures.json", "exposures.jsonl"] {
        assert!(files.iter().any(|name| name == file), "{file} is written");
    }
    for file in files.iter().filter(|name| *name != DIFFER) {
        let [run, other] = [&run, &other].map(|folder| std::fs::read(folder.join(file)).expect("reads"));
        assert!(run == other, "{what}: another {file}\n{}", first_difference(&run, &other));
    }
}

fn first_difference(a: &[u8], b: &[u8]) -> String {
    let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let part = |x: &[u8]| String::from_utf8_lossy(&x[at.saturating_sub(60)..x.len().min(at + 60)]).into_owned();
    format!("lengths {} and {}, from byte {at} on:\n{}\n{}", a.len(), b.len(), part(a), part(b))
}

#[test]
#[expect(clippy::print_stdout, reason = "a seed is of use only when it is known")]
fn killed_and_resumed_runs_end_in_the_bytes_of_one_that_was_left_alone() {
    let (mut stream, seed) = kill_moments("kill");
    let dir = prepared();
    let started = Instant::now();
    assert!(!killed(&dir, None));
    let whole = started.elapsed();
    let findings = dir.read("run/guardrails.json");
    for id in ["G5", "G6"] {
        assert!(findings.matches(id).count() > 10, "{id}: the monitors have something to forget");
    }
    put_by(&dir, "alone");

    let (mut kills, mut turn, mut runs) = (0, 0, 0);
    while kills < KILLS {
        loop {
            let moment = Moment::draw(&mut stream, turn, whole);
            turn += 1;
            if !killed(&dir, Some(&moment).filter(|_| kills < KILLS)) {
                break;
            }
            kills += 1;
        }
        runs += 1;
        assert_same(&dir, "alone", &format!("run {runs}, seed {seed}"));
        std::fs::remove_dir_all(dir.path().join("run")).expect("removes");
    }
    println!("{kills} kills in {runs} runs; one left alone took {whole:.1?}, all {:.1?}", started.elapsed());
}

#[test]
fn one_and_two_threads_end_in_the_same_bytes() {
    let dir = prepared();
    for threads in ["1", "2"] {
        dir.run(&["train", "--output-dir", "run", "--threads", threads, "--training.steps", "600"]).ok();
        if threads == "1" {
            put_by(&dir, "one");
        }
    }
    assert_same(&dir, "one", "threads");
}

#[test]
fn a_run_that_starts_over_is_not_resumed_from_an_older_one() {
    let dir = prepared();
    let started = Instant::now();
    killed(&dir, None);
    let whole = started.elapsed();
    put_by(&dir, "alone");
    let saved = Moment { start: whole.mul_f64(0.4), file: Some("resume_state"), more: Duration::ZERO };
    assert!(killed(&dir, Some(&saved)), "the older one, with a state");
    // Ends before it saves.
    let early = ["--guardrails.enabled", "true", "--guardrails.gradient_max", "1e-6"];
    let ran = dir.run(&[&["train", "--output-dir", "run", "--force"], &early[..]].concat());
    assert!(ran.failed(6).contains("stopped the run at step 10:"), "{ran:?}");
    assert!(!killed(&dir, None));
    assert_same(&dir, "alone", "started over");
}
