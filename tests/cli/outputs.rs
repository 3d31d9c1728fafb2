//! Outputs: nothing that is there is replaced unless `--force` says so, and a run's folder belongs to one process.

use crate::eval::{bundles, checkpoint, events};
use crate::util::Dir;
use crucible_cli::lock::FolderLock;
use std::path::Path;

/// Every command that writes files, with a file that it would write; `in`, `in2` and so on are not there.
const WRITERS: [(&[&str], &[&str]); 22] = [
    (&["split", "events", "--events", "in", "--train", "t", "--holdout", "h"], &["t", "h"]),
    (&["bundle", "--events", "in", "--output", "o", "--holdout", "h", "--train-events", "e"], &["e"]),
    (&["bundle", "--events", "in", "--output", "o", "--holdout", "h"], &["o", "h"]),
    (
        &["mine", "--events", "in", "--output", "o.jsonl", "--quarantine", "q", "--review", "r", "--stats", "s"],
        &["o.jsonl", "q", "r", "s"],
    ),
    (&["mine", "--events", "in", "--output", "o.jsonl"], &["o_stats.json", "o_resume_state.json"]),
    (&["mine", "--events", "in", "--output", "o.jsonl", "--resume"], &["o.jsonl"]),
    (&["import", "labelled", "--input", "in.csv", "--output", "o"], &["o"]),
    (&["import", "triplets", "--input", "in.csv", "--output", "o"], &["o"]),
    (&["import", "beir", "set", "--output", "o"], &["o"]),
    (
        &["import", "predictions", "--predictions", "in", "--qrels", "in2", "--output", "o.json", "--metrics", "m"],
        &["o.json", "o_items.jsonl", "m"],
    ),
    (&["export", "triplets", "--bundles", "in", "--output", "o.csv"], &["o.csv"]),
    (&["export", "trec", "--checkpoint", "in", "--eval-set", "in2", "--output", "o", "--qrels", "q"], &["o", "q"]),
    (&["embed", "--checkpoint", "in", "--events", "in2", "--output", "o.npy"], &["o.npy", "o_ids.jsonl"]),
    (&["eval", "--checkpoint", "in", "--eval-set", "in2", "--output", "o.json"], &["o.json", "o_items.jsonl"]),
    (&["eval", "--checkpoint", "in", "--eval-set", "in2", "--output", "o.json", "--items", "i.jsonl"], &["i.jsonl"]),
    (&["report", "--results-dir", "in", "--output", "o.html", "--data", "d.json"], &["o.html", "d.json"]),
    (&["pool", "merge", "--legacy", "in", "--output", "o.jsonl"], &["o.jsonl", "o_manifest.json"]),
    (
        &["pool", "split", "--bundles", "in", "--train", "t", "--holdout", "h.jsonl"],
        &["t", "h.jsonl", "h_manifest.json"],
    ),
    (
        &["pool", "filter", "passes > 1", "--bundles", "in", "--output", "o", "--rejected", "r", "--manifest", "m"],
        &["o", "r", "m"],
    ),
    (&["pool", "expand", "--bundles", "in", "--output", "o.jsonl"], &["o.jsonl", "o_manifest.json"]),
    (
        &["pool", "revalidate", "--bundles", "in", "--output", "o", "--quarantine", "q", "--report", "r"],
        &["o", "q", "r"],
    ),
    (&["man", "--output-dir", "pages"], &["pages/crucible.1", "pages/crucible-pool-merge.1"]),
];

#[test]
fn what_is_there_is_refused_before_any_work_and_stays() {
    let dir = Dir::new();
    for name in ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"] {
        dir.file(&format!("set/{name}"), "");
    }
    // A name of no file could be a model of the hub.
    dir.file("in", "");
    for (args, files) in WRITERS {
        for file in files {
            let path = dir.file(file, "mine");
            let ran = dir.run(args);
            assert!(ran.failed(2).contains(&format!("{file} ")) && ran.stderr.contains("--force"), "{args:?}: {ran:?}");
            assert_eq!(dir.read(file), "mine", "{args:?}");
            std::fs::remove_file(path).expect("removes");
        }
    }
}

#[test]
fn folders_of_files_are_written_over_only_with_force() {
    let dir = Dir::new();
    dir.file("full/x", "mine");
    for args in [&["demo", "--output-dir", "full"][..], &["init", "full"]] {
        assert!(dir.run(args).failed(2).contains("full is not empty"), "{args:?}");
    }
    dir.run(&["man", "--output-dir", "pages", "--quiet"]).ok();
    dir.run(&["man", "--output-dir", "pages"]).failed(2);
    dir.run(&["man", "--output-dir", "pages", "--force", "--quiet"]).ok();
}

fn trained(dir: &Dir) {
    dir.file("b.jsonl", &bundles());
    train(dir, &["--training.steps", "5"]).ok();
}

fn train(dir: &Dir, more: &[&str]) -> crate::util::Ran {
    dir.run(&args(more))
}

fn args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let common = ["train", "--bundles", "b.jsonl", "--output-dir", "run", "--device", "cpu", "--quiet"];
    let small = ["--model.embedding_dim", "16", "--model.hidden_dim", "16", "--model.vocab_size", "200"];
    [&common[..], &small, more].concat()
}

#[test]
fn a_runs_folder_belongs_to_one_process() {
    let dir = Dir::new();
    trained(&dir);
    let lock = FolderLock::take(&dir.path().join("run")).expect("is free");
    let pack = ["capsule", "pack", "run", "--output", "c.tar.zst"];
    let eval = ["eval", "--results-dir", "run", "--frozen-eval", "b.jsonl"];
    let busy = "another process works in this folder";
    for ran in [train(&dir, &["--force"]), train(&dir, &["--resume"]), dir.run(&pack)] {
        assert!(ran.failed(1).contains(busy), "{ran:?}");
    }
    let passed_over = dir.run(&eval);
    assert!(passed_over.code == 1 && passed_over.stderr.contains(busy), "{passed_over:?}");
    drop(lock);
    dir.run(&eval).ok();
    dir.run(&pack).ok();
    let lock = FolderLock::take(&dir.path().join("new")).expect("is free");
    let other = dir.run(&["train", "--bundles", "b.jsonl", "--output-dir", "new"]);
    assert!(other.failed(1).contains(busy), "{other:?}");
    drop(lock);
    assert!(!dir.path().join("new").exists(), "nothing was written");
}

#[test]
fn a_run_is_replaced_only_with_force() {
    let dir = Dir::new();
    trained(&dir);
    assert!(train(&dir, &[]).failed(2).contains("run holds a finished run"));
    // Stopped or failed ones are runs, too.
    std::fs::remove_file(dir.path().join("run/checkpoint_final.safetensors")).expect("removes");
    let before = dir.read("run/config.yaml");
    let ran = train(&dir, &["--training.steps", "6"]);
    assert!(ran.failed(2).contains("not finished") && ran.stderr.contains("--resume"), "{ran:?}");
    assert_eq!(dir.read("run/config.yaml"), before);
    train(&dir, &["--training.steps", "6", "--force"]).ok();
}

/// Kills are at moments that files tell.
#[cfg(unix)]
#[test]
fn a_finished_run_outlives_the_one_that_is_to_replace_it() {
    use std::process::Stdio;
    let dir = Dir::new();
    trained(&dir);
    let names = ["checkpoint_final.safetensors", "config.yaml", "train.log", "metrics.jsonl"];
    let bytes = |folder: &str, name: &str| std::fs::read(dir.path().join(folder).join(name)).expect("is there");
    let old = names.map(|name| bytes("run", name));
    for _ in 0..2 {
        let mut command = dir.command(&args(&["--training.steps", "1000000", "--force"]));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        let log = dir.path().join("run/train.log");
        let new = || dir.path().join("run/.previous").exists() && std::fs::metadata(&log).is_ok_and(|m| m.len() > 0);
        while !new() && child.try_wait().expect("waits").is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        child.kill().expect("kills");
        assert!(child.wait().expect("waits").code().is_none(), "it ended by itself");
        assert!(names.map(|name| bytes("run/.previous", name)) == old, "the old run is whole");
        assert!(!dir.path().join("run/checkpoint_final.safetensors").exists());
    }
    // What is aside is no run of a results folder, and goes when the new one is finished.
    let none = dir.run(&["eval", "--results-dir", "run", "--frozen-eval", "b.jsonl"]);
    assert!(none.failed(3).contains("there is no checkpoint_final.safetensors"), "{none:?}");
    train(&dir, &["--training.steps", "6", "--resume"]).ok();
    assert!(!dir.path().join("run/.previous").exists() && bytes("run", names[0]) != old[0]);
    assert!(dir.read("run/config.yaml").contains("steps: 6"));
}

/// Names that are no UTF-8 text: they work, or are refused, and nothing of another name is written.
#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = Dir::new();
    dir.file("b.jsonl", &bundles());
    dir.file("e.jsonl", &events(0, 60).join("\n"));
    std::fs::write(dir.path().join("m"), checkpoint(1)).expect("writes");
    let odd = OsStr::from_bytes(b"o\xff.json");
    let run = |args: &[&str], last: &OsStr| crate::util::finish(dir.command(args).arg(last));
    let ran = run(&["train", "--bundles", "b.jsonl", "--output-dir"], odd);
    assert!(ran.failed(2).contains("is not UTF-8 text"), "{ran:?}");
    run(&["eval", "--checkpoint", "m", "--eval-set", "b.jsonl", "--output"], odd).ok();
    run(&["bundle", "--events", "e.jsonl", "--output"], OsStr::from_bytes(b"\xff.jsonl")).ok();
    run(&["embed", "--checkpoint", "m", "--events", "e.jsonl", "--json", "--output"], OsStr::from_bytes(b"v\xff.npy"))
        .ok();
    // A folder of such a name around it all.
    let inside = dir.path().join(OsStr::from_bytes(b"in\xff"));
    std::fs::create_dir(&inside).expect("creates");
    std::fs::copy(dir.path().join("b.jsonl"), inside.join("b.jsonl")).expect("copies");
    let mut command = dir.command(&["train", "--bundles", "b.jsonl", "--output-dir", "r"]);
    let ran = crate::util::finish(command.current_dir(&inside));
    assert!(ran.failed(2).contains("is not UTF-8 text"), "{ran:?}");
    let mut names: Vec<_> =
        std::fs::read_dir(dir.path()).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
    names.sort();
    let wanted = [
        &b"b.jsonl"[..],
        b"e.jsonl",
        b"in\xff",
        b"m",
        b"o\xff.json",
        b"o\xff_items.jsonl",
        b"v\xff.npy",
        b"v\xff_ids.jsonl",
        b"\xff.jsonl",
    ];
    assert_eq!(names, wanted.map(|name| OsStr::from_bytes(name).to_owned()));
    let left = |folder: &Path| std::fs::read_dir(folder).expect("a folder").count();
    assert_eq!(left(&inside), 1);
}

/// The end of a terminal is a reason to save, unless `nohup` says that it is none.
#[cfg(unix)]
#[test]
fn a_hangup_saves() {
    use std::process::{Command, Stdio};
    let dir = Dir::new();
    dir.file("b.jsonl", &bundles());
    for (nohup, steps, code) in [(false, "1000000", 75), (true, "3000", 0)] {
        // The log tells when training has begun: none may be left of the run before.
        let _ = std::fs::remove_dir_all(dir.path().join("run"));
        let long = args(&["--training.steps", steps, "--force"]);
        let program = dir.command(&long);
        let mut command = if nohup { Command::new("nohup") } else { Command::new(program.get_program()) };
        if nohup {
            command.arg(program.get_program());
        }
        command.args(program.get_args()).current_dir(dir.path()).env_remove("CRUCIBLE_CONFIG");
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        let log = dir.path().join("run/train.log");
        while std::fs::metadata(&log).map_or(0, |m| m.len()) == 0 && child.try_wait().expect("waits").is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let _ = Command::new("kill").args(["-HUP", &child.id().to_string()]).status();
        assert_eq!(child.wait().expect("waits").code(), Some(code), "nohup: {nohup}");
        assert_eq!(dir.path().join("run/resume_state.safetensors").exists(), !nohup);
    }
}
