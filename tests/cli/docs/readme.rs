//! The loop of the README, command by command: one after the other in one folder, as a shell would run them.

use super::links::root;
use crate::util::{Dir, finish};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// A small model and few steps, so that the test is quick; everything else is as `crucible init` writes it. So few steps
/// show each legacy bundle a dozen times and teach little, which G1 and G17 call critical.
const SMALL: &str = "
training:
  steps: 16
  batch_size: 264
  warmup_steps: 0
curriculum:
  tier_probabilities: [0.05, 0.05, 0.9]
model:
  embedding_dim: 8
  hidden_dim: 8
  num_layers: 0
  vocab_size: 300
guardrails:
  overrides: [dilution, chance_level]
";

/// The commands of a part of the page: lines of indented code, put together where they end in a backslash.
fn commands(text: &str) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), false);
    for line in text.lines() {
        let command = line.trim_start();
        if open {
            let last: &mut String = found.last_mut().expect("a command");
            last.push('\n');
            last.push_str(command);
        } else if line.len() >= command.len() + 4 && (command.starts_with("crucible ") || command.starts_with("cd ")) {
            found.push(command.to_owned());
        } else {
            continue;
        }
        open = line.ends_with('\\');
    }
    found
}

fn the_loop() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let (_, section) = readme.split_once("## The loop, command by command\n").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("another section");
    commands(section)
}

/// Starts the server and ends it once it says where it is. A program without the page says that.
fn served(inside: &Path, path: &str, command: &str) {
    let args: Vec<&str> = command.split_whitespace().skip(1).collect();
    let mut child = Command::new(env!("CARGO_BIN_EXE_crucible"))
        .args(args)
        .current_dir(inside)
        .env("PATH", path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("is piped")).read_line(&mut line).expect("says where it is");
    let _ = child.kill();
    let _ = child.wait();
    let without = crucible_cli::web_assets::required().is_err();
    assert!(line.contains("http://127.0.0.1:") || (without && line.is_empty()), "{command}: {line}");
}

/// Texts of the events in a file of bundles or events, in any role.
fn texts(file: &Path) -> BTreeSet<String> {
    fn walk(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("text").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| walk(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut found = BTreeSet::new();
    text.lines().for_each(|line| walk(&serde_json::from_str(line).expect("JSON"), &mut found));
    found
}

#[test]
fn its_steps_run_one_after_the_other_and_nothing_leaks() {
    let commands = the_loop();
    assert!(commands.len() >= 25, "{commands:#?}");
    let dir = Dir::new();
    let folder = Path::new(env!("CARGO_BIN_EXE_crucible")).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    // `cd` holds from command to command.
    let mut inside = dir.path().to_owned();
    for command in &commands {
        if let Some(to) = command.strip_prefix("cd ") {
            inside.push(to);
            std::fs::write(inside.join("crucible.yaml"), SMALL).expect("writes");
            continue;
        }
        if command.starts_with("crucible serve") {
            served(&inside, &path, command);
            continue;
        }
        let mut shell = Command::new("sh");
        shell.args(["-ec", command]).current_dir(&inside).env("PATH", &path);
        // Nobody can type one here.
        shell.env_remove("CRUCIBLE_CONFIG").env("CRUCIBLE_SIGN_PASSWORD", "a long password").stdin(Stdio::null());
        let ran = finish(&mut shell);
        assert_eq!(ran.code, 0, "{command}\n{}\n{}", ran.stdout, ran.stderr);
    }
    let frozen = texts(&inside.join("data/frozen.jsonl"));
    for name in ["bundles", "organic", "pools", "train", "strong"] {
        let used = texts(&inside.join(format!("data/{name}.jsonl")));
        assert!(!used.is_empty() && used.is_disjoint(&frozen), "{name}: {:?}", used.intersection(&frozen).next());
    }
    let mut check = Command::new(env!("CARGO_BIN_EXE_crucible"));
    let evals = ["--frozen-eval", "data/frozen.jsonl", "--organic-eval", "data/organic_holdout.jsonl"];
    check.args(["guardrail", "check", "--json", "--bundles", "data/train.jsonl"]).args(evals).current_dir(&inside);
    let findings = finish(&mut check).json()["findings"].as_array().expect("findings").clone();
    let grave = |f: &&Value| f["id"] != "G1" && f["level"] != "OK" && f["level"] != "WARNING";
    assert!(!findings.iter().any(|f| grave(&f)), "{findings:#?}");
    assert_eq!(findings.iter().filter(|f| f["id"] == "G11").count(), 2, "{findings:#?}");
}

#[test]
fn commands_are_found_in_lists_and_paragraphs() {
    let text = "1. **One.** `crucible x` does\n\n       crucible a --b \\\n           c\n       cd d\n\n   crucible is a word\n\n    crucible e  # f\n";
    assert_eq!(commands(text), ["crucible a --b \\\nc", "cd d", "crucible e  # f"]);
}
