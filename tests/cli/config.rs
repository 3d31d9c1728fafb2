//! `crucible config`, and what is said about a configuration that can't be used.

use crate::util::Dir;

fn fault(text: &str) -> String {
    let dir = Dir::new();
    dir.file("crucible.yaml", text);
    dir.run(&["config", "validate"]).failed(2).to_owned()
}

#[test]
fn a_valid_configuration_says_so() {
    let dir = Dir::new();
    assert!(dir.run(&["config", "validate"]).ok().starts_with("The configuration is valid (no file; defaults"));
    dir.file("crucible.yaml", "extends: conf/base.yaml\ntraining:\n  steps: 500\n");
    dir.file("conf/base.yaml", "training:\n  batch_size: 8\n");
    let ran = dir.run(&["config", "validate"]);
    assert!(ran.ok().contains("conf/base.yaml < crucible.yaml; 2 of "), "{ran:?}");
    let json = dir.run(&["config", "validate", "--json"]).json();
    assert_eq!((&json["valid"], json["keys_set"].as_u64()), (&serde_json::json!(true), Some(2)));
}

#[test]
fn faults_say_what_where_and_what_to_do() {
    let cases = [
        ("training:\n  stepz: 5\n", "crucible.yaml:2: `training.stepz`: unknown key; did you mean `training.steps`?\n"),
        (
            "training:\n  steps: many\n",
            "crucible.yaml:2: `training.steps`: expected a whole number, at least 1; got the text `many`\n",
        ),
        ("curriculum:\n  tier_probabilities: [0.6, 0.2, 0.1]\n", "0.6 + 0.2 + 0.1 = 0.9; they must sum to 1\n"),
        (
            "data:\n  events: ${CRUCIBLE_TEST_UNSET}\n",
            "`CRUCIBLE_TEST_UNSET` is not set; set it, or give a default: ${CRUCIBLE_TEST_UNSET:-default}\n",
        ),
        ("training: [1, 2\n", "not valid YAML: "),
        ("training:\n\tsteps: 5\n", "; indent with spaces, not tabs\n"),
        ("training: {steps: ${N}}\n", "; put `${…}` in quotes where it stands inside [ ] or { }\n"),
        ("training: {margin: .nan}\n", "crucible.yaml:1: NaN and infinities are not allowed\n"),
        ("<<: {a: 1}\n", "merge keys (`<<`) are not read; use `extends`\n"),
        ("a: 1\na: 2\n", "crucible.yaml:2: `a` is there twice; take one out\n"),
    ];
    for (text, part) in cases {
        let message = fault(text);
        assert!(message.starts_with("error: crucible.yaml:"), "{message}");
        assert!(message.contains(part), "{text:?}: {message}");
    }
}

#[test]
fn a_cycle_shows_its_chain() {
    let dir = Dir::new();
    dir.file("a.yaml", "extends: sub/b.yaml\n");
    dir.file("sub/b.yaml", "extends: ../a.yaml\n");
    let ran = dir.run(&["--config", "a.yaml", "config", "validate"]);
    assert!(ran.failed(2).contains("a cycle: a.yaml extends sub/b.yaml extends sub/../a.yaml"), "{ran:?}");
}

#[test]
fn hostile_files_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..9 {
        bomb += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(", "));
    }
    assert!(fault(&bomb).contains("than a configuration has"));
    fault(&"[".repeat(100_000));
    assert!(fault(&"# x\n".repeat(500_000)).contains("at most 1048576"));
    fault("\u{0}\u{1}");
}

#[test]
fn a_missing_configuration_names_the_nearest() {
    let dir = Dir::new();
    dir.file("conf.yaml", "");
    let ran = dir.run(&["config", "show", "--config", "cnf.yaml"]);
    assert_eq!(ran.failed(2), "error: cannot read cnf.yaml: no such file\n  help: did you mean conf.yaml?\n");
    let ran = dir.run(&["config", "show", "--config", "."]);
    assert!(ran.failed(2).contains("it is a folder"), "{ran:?}");
}

#[test]
fn show_prints_a_configuration_with_origins() {
    let dir = Dir::new();
    dir.file("crucible.yaml", "training:\n  steps: ${N:-700}\n");
    let shown = dir.run(&["config", "show"]);
    assert!(
        shown.ok().contains("\ntraining:\n  steps: 700  # crucible.yaml:2 (${N})\n  batch_size: 32  # default\n"),
        "{shown:?}"
    );
    dir.file("again.yaml", shown.ok());
    let again = dir.run(&["config", "show", "--json", "--config", "again.yaml"]).json();
    assert_eq!(again["config"], dir.run(&["config", "show", "--json"]).json()["config"]);
}

#[test]
fn exposure_follows_the_worked_example() {
    let dir = Dir::new();
    let ran = dir.run(&["config", "exposure", "--pool-sizes", "legacy=454,organic=100"]);
    assert!(ran.ok().contains("legacy"), "{ran:?}");
    assert!(ran.stderr.contains("warning: the expanded pool is empty"), "{ran:?}");
    let full = dir.run(&["config", "exposure", "--pool-sizes", "legacy=454,organic=100,expanded=80"]);
    assert!(full.ok().contains("52.9  healthy"), "{full:?}");
    let json = dir.run(&["config", "exposure", "--json", "--pool-sizes", "legacy=4540,organic=1,expanded=1"]).json();
    assert_eq!(json["pools"][0]["status"], "severe");
    assert!(dir.run(&["config", "exposure"]).failed(2).contains("--pool-sizes"));
    assert!(dir.run(&["config", "exposure", "--pool-sizes", "core=5"]).failed(2).contains("no pool"));
}

#[test]
fn exposure_counts_bundles() {
    let dir = Dir::new();
    let event = |id: &str, sense: &str| format!(r#"{{"event_id": "{id}", "sense": "{sense}", "text": "t {id}"}}"#);
    let bundle = |id: &str, source: &str| {
        format!(
            r#"{{"bundle_id": "{id}", "anchor": {}, "positive": {}, "negatives": [{}], "metadata": {{"tier": "tier3_adversarial", "source": "{source}"}}}}"#,
            event("a", "x#1"),
            event("b", "x#1"),
            event("c", "x#2").replace("\"text\"", "\"source\": \"within_lemma\", \"text\"")
        )
    };
    let lines = [bundle("1", "bundle_generator"), bundle("2", "tier3_organic_miner"), bundle("3", "bundle_generator")];
    dir.file("b.jsonl", &(lines.join("\n") + "\n"));
    let json = dir.run(&["config", "exposure", "--json", "--bundles", "b.jsonl"]).json();
    let sizes: Vec<_> = (0..3).map(|i| json["pools"][i]["size"].as_u64()).collect();
    assert_eq!(sizes, [Some(2), Some(1), Some(0)]);
    let missing = dir.run(&["config", "exposure", "--bundles", "c.jsonl"]);
    assert_eq!(missing.failed(1), "error: cannot read c.jsonl: no such file\n  help: did you mean b.jsonl?\n");
    dir.file("bad.jsonl", "{}\n");
    assert!(dir.run(&["config", "exposure", "--bundles", "bad.jsonl"]).failed(3).contains("bad.jsonl: line 1"));
}

#[test]
fn schema_is_json() {
    let schema = Dir::new().run(&["config", "schema"]).json();
    assert_eq!(schema["properties"]["training"]["$ref"], "#/$defs/Training");
}
