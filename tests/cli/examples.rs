//! The scripts of `examples/`, run as they are.

use crate::docs::links::root;
use crate::eval::{checkpoint, events};
use crate::util::{Dir, Ran, finish};
use std::fmt::Write as _;
use std::process::Command;

/// Runs a shell with the program on its path.
fn shell(dir: &Dir, args: &[&str]) -> Ran {
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_crucible")).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut sh = Command::new("sh");
    finish(sh.args(args).current_dir(dir.path()).env("PATH", path).env_remove("CRUCIBLE_CONFIG"))
}

fn example(dir: &Dir, name: &str, args: &[&str]) -> Ran {
    let script = root().join("examples").join(name).join("run.sh").display().to_string();
    shell(dir, &[&[script.as_str()], args].concat())
}

fn fixture(name: &str) -> String {
    root().join("tests/fixtures/encoders").join(name).display().to_string()
}

/// A report that tells of `parts`.
#[track_caller]
fn reported(dir: &Dir, parts: &[&str]) {
    let page = dir.read("report.html");
    for part in parts {
        assert!(page.contains(part), "{part:?} is not in the report");
    }
}

/// Sample events, and their texts with labels as a CSV: fewer would leave a model against itself undecided.
fn sample() -> Dir {
    let dir = Dir::new();
    dir.run(&["init", "p", "--sample-data"]).ok();
    let all = dir.read("p/data/events.jsonl");
    let mut csv = "text,label\n".to_owned();
    for line in all.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = event["text"].as_str().expect("text").replace('"', "\"\"");
        let _ = writeln!(csv, "\"{text}\",{}", event["sense"].as_str().expect("text"));
    }
    dir.file("texts.csv", &csv);
    dir
}

#[test]
fn own_model() {
    let dir = sample();
    let (old, new) = (fixture("bert_mean"), fixture("static_new"));
    let ran = example(&dir, "own-model", &["texts.csv", &old, &new]);
    assert!([0, 6, 7].contains(&ran.code), "{ran:?}");
    for part in ["Verdict: ", "tier3_adversarial"] {
        assert!(ran.stdout.contains(part), "{part}: {ran:?}");
    }
    assert!(["PASS", "FAIL", "INCONCLUSIVE"].iter().any(|verdict| ran.stdout.contains(verdict)), "{ran:?}");
    reported(&dir, &["</html>"]);
    // A model against itself keeps all that it had.
    let dir = sample();
    let same = example(&dir, "own-model", &["texts.csv", &old, &old]);
    assert_eq!(same.code, 0, "{same:?}");
}

#[test]
fn the_four_commands_of_the_readme() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let (_, section) = readme.split_once("## Your own model on your own texts").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("another section");
    let commands: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("    crucible ")).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    let dir = sample();
    put_model(&dir, "static_new", "my-model");
    let mut said = String::new();
    for command in commands {
        said += shell(&dir, &["-ec", &format!("crucible {command}")]).ok();
    }
    assert!(said.contains("Verdict: "), "{said}");
    reported(&dir, &["</html>"]);
}

/// Puts a fixture's folder in the place of a model.
fn put_model(dir: &Dir, name: &str, to: &str) {
    let to = dir.path().join(to);
    let _ = std::fs::remove_dir_all(&to);
    std::fs::create_dir_all(&to).expect("creates");
    let copied = Command::new("cp").arg("-r").arg(format!("{}/.", fixture(name))).arg(&to).status();
    assert!(copied.expect("cp runs").success());
}

#[test]
fn own_vectors() {
    let dir = sample();
    std::fs::write(dir.path().join("m.safetensors"), checkpoint(1)).expect("writes");
    let events = "p/data/events.jsonl";
    dir.run(&["embed", "--checkpoint", "m.safetensors", "--events", events, "--output", "v.npy"]).ok();
    let ran = example(&dir, "own-vectors", &[events, "v.npy", "16"]);
    assert!([0, 6, 7].contains(&ran.code), "{ran:?}");
    let ended = dir.path().join("results/adapter.json").exists();
    assert!(ended, "{ran:?}");
}

#[test]
fn beir() {
    let dir = Dir::new();
    dir.file("events.jsonl", &events(0, 60).join("\n"));
    dir.run(&["bundle", "--events", "events.jsonl", "--output", "b.jsonl"]).ok();
    dir.run(&["export", "beir", "--bundles", "b.jsonl", "--output", "set"]).ok();
    let ran = example(&dir, "beir", &["set", &fixture("static_new")]);
    assert!(ran.ok().contains("nDCG"), "{ran:?}");
    reported(&dir, &["</html>"]);
}

/// The commands of the workflow's steps, in order.
fn steps(workflow: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut folded: Option<(usize, String)> = None;
    for line in workflow.lines() {
        let indent = line.len() - line.trim_start().len();
        if let Some((depth, text)) = &mut folded {
            if indent > *depth {
                *text += " ";
                *text += line.trim();
                continue;
            }
            steps.extend(folded.take().map(|(_, text)| text.trim().to_owned()));
        }
        let step = line.trim_start().trim_start_matches("- ");
        match step.strip_prefix("run: ") {
            Some(">") => folded = Some((indent, String::new())),
            Some(command) => steps.push(command.to_owned()),
            None => {}
        }
    }
    steps
}

#[test]
fn ci_gate() {
    let workflow = std::fs::read_to_string(root().join("examples/ci-gate/crucible.yml")).expect("the workflow");
    let steps: Vec<String> = steps(&workflow).into_iter().filter(|step| step.starts_with("crucible ")).collect();
    assert_eq!(steps.len(), 4, "{steps:?}");
    let dir = sample();
    dir.run(&["import", "labelled", "--input", "texts.csv", "--output", "events.jsonl"]).ok();
    dir.run(&["bundle", "--events", "events.jsonl", "--output", "data/frozen.jsonl"]).ok();
    dir.run(&["guardrail", "add-version", "--frozen-eval", "data/frozen.jsonl"]).ok();
    let evaluate = ["--eval-set", "data/frozen.jsonl", "--output", "baseline/frozen.json"];
    dir.run(&[&["eval", "--checkpoint", &fixture("bert_mean")], &evaluate[..]].concat()).ok();
    put_model(&dir, "bert_mean", "models/candidate");
    for step in &steps {
        let ran = shell(&dir, &["-ec", step]);
        assert_eq!(ran.code, 0, "{step}: {ran:?}");
    }
    // What the frozen eval asks was changed: the first step stops it.
    let text = dir.read("data/frozen.jsonl").lines().skip(1).map(|line| format!("{line}\n")).collect::<String>();
    dir.file("data/frozen.jsonl", &text);
    assert_eq!(shell(&dir, &["-ec", &steps[0]]).code, 6);
}
