//! Files here are entries of a list, and the environment is a list of pairs.

use super::*;
use crate::config::{CurriculumKind, Leaf, to_annotated_yaml, to_yaml};

#[derive(Default)]
struct World<'a> {
    files: &'a [(&'a str, &'a str)],
    env: &'a [(&'a str, &'a str)],
    flags: &'a [(&'a str, &'a str)],
}

impl World<'_> {
    fn resolve(&self) -> Result<Resolved, ConfigFaults> {
        let read = |path: &Path| {
            let found = self.files.iter().find(|(name, _)| normal(Path::new(name)) == normal(path));
            found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        };
        let env = |name: &str| self.env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let flags: Vec<Override> = self.flags.iter().map(|(path, value)| Override::dotted(path, value)).collect();
        let file = self.files.first().map(|(name, _)| Path::new(*name));
        resolve(Sources { file, read: &read, env: &env, flags: &flags })
    }

    fn ok(&self) -> Resolved {
        self.resolve().unwrap_or_else(|faults| panic!("{faults}"))
    }

    fn fault(&self) -> String {
        self.resolve().expect_err("has a fault").to_string()
    }
}

fn of(text: &str) -> Result<Resolved, ConfigFaults> {
    World { files: &[("c.yaml", text)], ..World::default() }.resolve()
}

fn fault(text: &str) -> String {
    of(text).expect_err(text).to_string()
}

fn leaf<'a>(resolved: &'a Resolved, path: &str) -> &'a Leaf {
    resolved.leaves.iter().find(|leaf| leaf.dotted() == path).expect("a key")
}

#[test]
fn without_sources_there_are_defaults_and_they_are_valid() {
    let resolved = World::default().ok();
    assert_eq!(resolved.config, Config::default());
    assert!(resolved.leaves.iter().all(|leaf| leaf.origin == Origin::Default));
    assert!(resolved.leaves.len() > 50);
    assert!(resolved.warnings.is_empty());
}

#[test]
fn later_sources_win_and_origins_are_kept() {
    let files = [
        ("a/c.yaml", "extends: ../base.yaml\ntraining:\n  steps: 2\n  batch_size: 20\n"),
        ("base.yaml", "training: {steps: 1, batch_size: 10, margin: 0.5}\ndevice: {type: gpu}\n"),
    ];
    let world = World {
        files: &files,
        env: &[("CRUCIBLE_DEVICE", "cpu")],
        flags: &[("training.steps", "3"), ("training.steps", "4")],
    };
    let resolved = world.ok();
    assert_eq!((resolved.config.training.steps, resolved.config.training.batch_size), (4, 20));
    assert_eq!((resolved.config.training.margin, resolved.config.device.kind.as_str()), (0.5, "cpu"));
    let origin = |path| leaf(&resolved, path).origin.to_string();
    assert_eq!(origin("training.steps"), "flag --training.steps");
    assert_eq!(origin("training.batch_size"), "a/c.yaml:4");
    assert_eq!(origin("training.margin"), "a/../base.yaml:1");
    assert_eq!(origin("device.type"), "environment CRUCIBLE_DEVICE");
    assert_eq!(origin("training.temperature"), "default");
    assert_eq!(resolved.files, [PathBuf::from("a/../base.yaml"), PathBuf::from("a/c.yaml")]);
    let flag = World { flags: &[("device.type", "auto")], ..world }.ok();
    assert_eq!(flag.config.device.kind, "auto");
}

#[test]
fn cycles_show_their_chain() {
    let files =
        [("a.yaml", "extends: b.yaml\n"), ("b.yaml", "# x\nextends: ./x/../c.yaml\n"), ("c.yaml", "extends: a.yaml\n")];
    let text = World { files: &files, ..World::default() }.fault();
    assert!(text.contains("a.yaml extends b.yaml extends x/../c.yaml extends x/../a.yaml"), "{text}");
    assert!(text.starts_with("x/../c.yaml:1: `extends`: a cycle"), "{text}");
    assert!(fault("extends: c.yaml").contains("c.yaml extends c.yaml"));
}

#[test]
fn a_long_chain_and_a_missing_base_are_faults() {
    let names: Vec<(String, String)> =
        (0..20).map(|i| (format!("{i}.yaml"), format!("extends: {}.yaml", i + 1))).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert!(World { files: &files, ..World::default() }.fault().contains("over 16 files"));
    assert_eq!(fault("\nextends: d.yaml"), "c.yaml:2: `extends`: cannot read d.yaml: no such file");
    assert!(fault("extends: [a, b]").contains("expected the name of a file; got a list of 2"));
    assert!(fault("- a\n- b\n").contains("sections of `key: value` lines"));
}

#[test]
fn unknown_keys_name_the_nearest() {
    assert_eq!(
        fault("training:\n  stepz: 5\n"),
        "c.yaml:2: `training.stepz`: unknown key; did you mean `training.steps`?"
    );
    assert!(fault("trainning:\n  steps: 5\n").contains("did you mean `training`?"));
    assert!(fault("steps: 5\n").contains("did you mean `training.steps`?"));
    assert!(fault("training: {hidden_dim: 5}").contains("did you mean `model.hidden_dim`?"));
    assert!(
        fault("curriculum: {tier3_ratios: {legacyy: 1}}").contains("did you mean `curriculum.tier3_ratios.legacy`?")
    );
    assert!(fault("colour: red").contains("the sections are `data`, `training`"));
    let world = World { flags: &[("training.stepz", "5")], ..World::default() };
    assert_eq!(world.fault(), "flag --training.stepz: `training.stepz`: unknown key; did you mean `training.steps`?");
}

#[test]
fn wrong_types_name_file_line_key_and_both_sides() {
    let cases = [
        (
            "training:\n  steps: many",
            "c.yaml:2: `training.steps`: expected a whole number, at least 1; got the text `many`",
        ),
        ("training:\n  steps: 1.5", "got the number 1.5"),
        ("training:\n  steps: 0", "expected a whole number, at least 1; got the number 0"),
        ("training:\n  steps: -5", "got the number -5"),
        ("training:\n  steps:\n", "`training.steps`: has no value"),
        ("training: 5", "`training`: expected a section"),
        ("training:\n  in_batch_negatives: yes", "expected `true` or `false`; got the text `yes`"),
        (
            "training: {loss: infonce}",
            "expected `info_nce` or `triplet`; got the text `infonce`; did you mean `info_nce`?",
        ),
        ("training: {learning_rate: 0}", "expected a number, above 0; got the number 0"),
        ("model: {dropout: 1}", "below 1; got the number 1"),
        ("data: {events: 5}", "expected text; got the number 5; put it in quotes"),
        (
            "curriculum:\n  tier_probabilities: [.5, .5]",
            "c.yaml:2: `curriculum.tier_probabilities`: expected a list of 3 numbers; got 2",
        ),
        (
            "curriculum:\n  tier_probabilities:\n  - .5\n  - a\n  - .5",
            "c.yaml:4: `curriculum.tier_probabilities[1]`: expected a number",
        ),
        ("curriculum: {phases: [{until_step: 5}]}", "`tier_probabilities` is missing"),
        ("experiment: {seeds: 5}", "expected a list of whole numbers; got the number 5"),
    ];
    for (text, part) in cases {
        let fault = fault(text);
        assert!(fault.contains(part), "{text:?}: {fault}");
    }
}

#[test]
fn all_faults_are_shown_together() {
    let text = fault("training:\n  steps: x\n  stepz: 1\nmodel:\n  dropout: 2\n");
    assert!(text.starts_with("the configuration has 3 faults\n"), "{text}");
    assert_eq!(text.lines().count(), 4);
}

#[test]
fn sums_are_checked_with_the_numbers() {
    let text = fault("curriculum:\n  tier_probabilities: [0.6, 0.3, 0.0]\n");
    assert_eq!(text, "c.yaml:2: `curriculum.tier_probabilities`: 0.6 + 0.3 + 0 = 0.9; they must sum to 1");
    let text = fault("curriculum:\n  tier3_ratios:\n    legacy: 0.9\n");
    assert!(text.starts_with("c.yaml:3: `curriculum.tier3_ratios`: "), "{text}");
    assert!(text.contains("0.9 + 0.15 + 0.1 = 1.15"), "{text}");
    assert!(fault("curriculum: {tier_probabilities: [1.5, -0.5, 0]}").contains("tier1 is 1.5"));
    of("curriculum: {tier_probabilities: [0.3333333, 0.3333333, 0.3333334]}").expect("within 1e-6");
    fault("curriculum: {tier_probabilities: [0.33333, 0.33333, 0.33333]}");
}

#[test]
fn contradictions_are_faults() {
    let cases = [
        ("curriculum: {type: phased}", "needs `curriculum.phases`"),
        (
            "curriculum:\n  type: phased\n  phases:\n    - {until_step: 5, tier_probabilities: [1, 0, 0]}\n    - {until_step: 5, tier_probabilities: [1, 0, 0]}",
            "c.yaml:4: `curriculum.phases[1]`: until_step 5 is not above",
        ),
        (
            "curriculum:\n  type: phased\n  phases:\n    - {until_step: 5, tier_probabilities: [1, 1, 0]}",
            "1 + 1 + 0 = 2",
        ),
        ("curriculum: {type: phased_v2, start_probabilities: [1, 0, 0]}", "needs `curriculum.end_probabilities`"),
        (
            "curriculum: {type: phased_v2, start_probabilities: [1, 0, 0], end_probabilities: [1, 0, 0], start_step: 9, end_step: 9}",
            "must be below",
        ),
        ("curriculum: {tier_caps: [1, 1, 1]}", "can't fill a batch of 32"),
        ("model: {embedding_dim: 100}", "`model.embedding_dim` is 100, `model.hidden_dim` is 256; make them equal"),
        ("experiment: {seeds: []}", "names no seed"),
        ("experiment: {seeds: [1, 2, 1]}", "1 is there twice"),
        ("sweep: {ratios: [80_15_10]}", "80 + 15 + 10 = 105"),
        ("sweep: {ratios: [most]}", "is not three percentages"),
        ("device: {type: tpu}", "`tpu` is no device"),
        ("device: {type: gpu:x}", "is no device"),
        ("guardrails: {gradient_min: 5, gradient_max: 1}", "must be below"),
    ];
    for (text, part) in cases {
        let fault = fault(text);
        assert!(fault.contains(part), "{text:?}: {fault}");
    }
    for fine in [
        "model: {embedding_dim: 100, residual: false}",
        "model: {embedding_dim: 100, num_layers: 0}",
        "device: {type: cuda:1}",
    ] {
        of(fine).unwrap_or_else(|f| panic!("{fine}: {f}"));
    }
}

#[test]
fn what_does_no_harm_is_a_warning() {
    let resolved = of("training: {steps: 50}\ncurriculum: {start_probabilities: [1, 0, 0]}\n").expect("valid");
    let texts: Vec<String> = resolved.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts.iter().any(|t| t.starts_with("c.yaml:2: `curriculum.start_probabilities`: has no effect")),
        "{texts:?}"
    );
}

#[test]
fn flags_take_what_a_person_types() {
    let flags = [
        ("experiment.seeds", "1,2,3"),
        ("curriculum.tier_probabilities", ".5,.3,.2"),
        ("curriculum.tier3_ratios", "{legacy: 0.8, organic: 0.1}"),
        ("sweep.ratios", "85_10_5,75_15_10"),
        ("training.steps", "1e4"),
        ("data.events", "123"),
        ("model.tokenizer_file", "*odd: name"),
        ("data.bundles", "null"),
    ];
    let config = World { flags: &flags, ..World::default() }.ok().config;
    assert_eq!(config.experiment.seeds, [1, 2, 3]);
    assert_eq!(config.curriculum.tier_probabilities, [0.5, 0.3, 0.2]);
    assert_eq!(config.curriculum.tier3_ratios.by_pool(), [0.8, 0.1, 0.1]);
    assert_eq!(config.sweep.ratios, ["85_10_5", "75_15_10"]);
    assert_eq!(config.training.steps, 10_000);
    assert_eq!(config.data.events.as_deref(), Some("123"));
    assert_eq!(config.model.tokenizer_file.as_deref(), Some("*odd: name"));
    assert_eq!(config.data.bundles, None);
    for (path, value) in [("training", "5"), ("training.steps.x", "5"), ("a..b", "1"), ("training.steps", "")] {
        World { flags: &[(path, value)], ..World::default() }.fault();
    }
    assert_eq!(World { flags: &[("experiment.seeds", "7")], ..World::default() }.ok().config.experiment.seeds, [7]);
}

#[test]
fn variables_work_in_files() {
    let files = [(
        "d/c.yaml",
        "training: {steps: \"${STEPS:-7}\"}\ndata: {events: \"${DIR}/e.jsonl\", bundles: \"${NAME}\"}\n",
    )];
    let world = World { files: &files, env: &[("DIR", "/data"), ("NAME", "123")], ..World::default() };
    let resolved = world.ok();
    assert_eq!(resolved.config.training.steps, 7);
    assert_eq!(resolved.config.data.events.as_deref(), Some("/data/e.jsonl"));
    assert_eq!(resolved.config.data.bundles.as_deref(), Some("d/123"));
    assert_eq!(leaf(&resolved, "training.steps").origin.to_string(), "d/c.yaml:1 (${STEPS})");
    assert!(fault("data: {events: '${NOPE}'}").starts_with("c.yaml:1: `data.events`: the environment variable `NOPE`"));
}

#[test]
fn paths_are_relative_to_the_file_that_names_them() {
    let files = [
        ("runs/c.yaml", "extends: ../shared/base.yaml\ndata: {events: ./e.jsonl, bundles: /abs/b.jsonl}\n"),
        ("shared/base.yaml", "data: {events: lost.jsonl, frozen_eval: f.jsonl}\nexperiment: {output_dir: out}\n"),
    ];
    let config = World { files: &files, flags: &[("data.organic_eval", "o.jsonl")], ..World::default() }.ok().config;
    assert_eq!(config.data.events.as_deref(), Some("runs/e.jsonl"));
    assert_eq!(config.data.bundles.as_deref(), Some("/abs/b.jsonl"));
    assert_eq!(config.data.frozen_eval.as_deref(), Some("runs/../shared/f.jsonl"));
    assert_eq!(config.experiment.output_dir.as_deref(), Some("runs/../shared/out"));
    assert_eq!(config.data.organic_eval.as_deref(), Some("o.jsonl"), "a flag's path is seen from the working folder");
}

#[test]
fn what_is_written_reads_back_the_same() {
    let mut config = Config::default();
    config.training.learning_rate = 1e-9;
    config.guardrails.overrides =
        ["G1", "true", "a: b", "# x", "${HOME}", "line\nend", "quote\"\\", "\u{85}\u{2028}ü🔑", ""]
            .map(str::to_owned)
            .to_vec();
    config.experiment.seeds = vec![0, u64::MAX];
    config.curriculum.kind = CurriculumKind::Phased;
    config.curriculum.phases = vec![crate::config::Phase { until_step: 5, tier_probabilities: [0.1, 0.2, 0.7] }; 1];
    config.data.events = Some("null".to_owned());
    let text = to_yaml(&config);
    assert_eq!(text, to_yaml(&config));
    let back = of(&text).unwrap_or_else(|f| panic!("{f}\n{text}"));
    assert_eq!(back.config, config, "{text}");
    assert!(text.contains("learning_rate: 1.0e-9\n"), "{text}");
    let annotated = to_annotated_yaml(&back.leaves);
    assert!(annotated.contains("learning_rate: 1.0e-9  # c.yaml:"), "{annotated}");
    assert_eq!(of(&annotated).expect("valid").config, config);
}

#[test]
fn a_runs_own_configuration_finds_its_files() {
    let mut config = Config::default();
    config.data.events = Some("data/e.jsonl".to_owned());
    config.data.bundles = Some("/abs/b.jsonl".to_owned());
    config.experiment.output_dir = Some("runs/a".to_owned());
    let seen = crate::config::seen_from(&config, Path::new("./runs/a"));
    assert_eq!(seen.data.events.as_deref(), Some("../../data/e.jsonl"));
    assert_eq!(seen.data.bundles.as_deref(), Some("/abs/b.jsonl"));
    assert_eq!(seen.experiment.output_dir.as_deref(), Some("."));
    assert_eq!(crate::config::seen_from(&config, Path::new("../x")).data.events.as_deref(), Some("data/e.jsonl"));
}

#[test]
fn strangers_files_make_no_panics() {
    let pieces = [
        "a",
        ":",
        " ",
        "\n",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "&a ",
        "*a ",
        "'",
        "\"",
        "${",
        "}",
        "training:",
        "\n  steps: ",
        "1e999",
        "extends: ",
        "\u{0}",
        "\u{feff}",
        "|",
        ">",
        "!!int ",
        "? ",
        "<<: ",
        "%YAML",
    ];
    let mut state = 1_u64;
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text += pieces[(state >> 33) as usize % pieces.len()];
        }
        let _ = of(&text);
    }
}

#[test]
fn a_decay_that_turns_weights_over_is_refused() {
    let text = fault("training: {learning_rate: 2.0, weight_decay: 0.5}");
    assert!(text.contains("`training.weight_decay`") && text.contains("keep it below 1"), "{text}");
}
