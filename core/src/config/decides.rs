//! What each setting decides: the one place that identities of runs, plans, capsules and trackers ask.
//!
//! `ROLES` names every leaf of the configuration once; a test fails while one is missing.

use super::Config;
use serde_json::Value;

/// What a setting does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Decides numbers: two runs that differ in it are two runs.
    Numbers,
    /// The path of an input. The content of the file decides; how the path is spelled does not.
    Input,
    /// Says where something runs, where or how often something is written, or what may stop it. Numbers stay the same.
    Operation,
    /// May hold a password or a token: never written to a file, and decides no number.
    Secret,
}

use Role::{Input, Numbers, Operation, Secret};

/// Every setting, by its dotted key. To add a setting, add its line here.
const ROLES: &[(&str, Role)] = &[
    ("data.events", Input),
    ("data.bundles", Input),
    ("data.frozen_eval", Input),
    ("data.organic_eval", Input),
    ("data.embeddings", Input),
    ("data.embedding_ids", Input),
    ("training.steps", Numbers),
    ("training.batch_size", Numbers),
    ("training.learning_rate", Numbers),
    ("training.weight_decay", Numbers),
    ("training.gradient_clip", Numbers),
    ("training.warmup_steps", Numbers),
    ("training.lr_schedule", Numbers),
    ("training.loss", Numbers),
    ("training.temperature", Numbers),
    ("training.margin", Numbers),
    ("training.in_batch_negatives", Numbers),
    ("curriculum.type", Numbers),
    ("curriculum.tier_probabilities", Numbers),
    ("curriculum.tier3_ratios.legacy", Numbers),
    ("curriculum.tier3_ratios.organic", Numbers),
    ("curriculum.tier3_ratios.expanded", Numbers),
    ("curriculum.tier_caps", Numbers),
    ("curriculum.phases", Numbers),
    ("curriculum.start_probabilities", Numbers),
    ("curriculum.end_probabilities", Numbers),
    ("curriculum.start_step", Numbers),
    ("curriculum.end_step", Numbers),
    ("model.type", Numbers),
    ("model.embedding_dim", Numbers),
    ("model.hidden_dim", Numbers),
    ("model.num_layers", Numbers),
    ("model.activation", Numbers),
    ("model.dropout", Numbers),
    ("model.token_dropout", Numbers),
    ("model.residual", Numbers),
    ("model.token_init", Numbers),
    ("model.span_window", Numbers),
    ("model.tokenizer", Numbers),
    ("model.vocab_size", Numbers),
    ("model.tokenizer_file", Input),
    ("model.max_tokens", Numbers),
    // The seed of a run stands beside its settings.
    ("experiment.seeds", Operation),
    ("experiment.output_dir", Operation),
    ("experiment.checkpoint_every", Operation),
    ("experiment.eval_every", Operation),
    ("experiment.log_every", Operation),
    ("device.type", Operation),
    ("device.precision", Operation),
    ("guardrails.enabled", Operation),
    ("guardrails.block_on_critical", Operation),
    ("guardrails.overrides", Operation),
    // Limits decide what is found, and findings are results.
    ("guardrails.quota_floor", Numbers),
    ("guardrails.loss_window", Numbers),
    ("guardrails.loss_sigmas", Numbers),
    ("guardrails.gradient_min", Numbers),
    ("guardrails.gradient_max", Numbers),
    ("guardrails.regression_delta", Numbers),
    ("guardrails.cliff_rise", Numbers),
    ("guardrails.cliff_fall", Numbers),
    ("guardrails.margin_fall", Numbers),
    ("guardrails.leakage_share", Numbers),
    ("guardrails.near_duplicate", Numbers),
    ("guardrails.false_negative_share", Numbers),
    ("guardrails.pseudo_killer_share", Numbers),
    ("guardrails.max_mean_cosine", Numbers),
    ("guardrails.min_effective_rank", Numbers),
    ("guardrails.webhook", Secret),
    // A plan lists what these make.
    ("sweep.ratios", Operation),
    ("sweep.seeds", Operation),
    ("sweep.steps", Operation),
    ("tracking.type", Operation),
    ("tracking.experiment", Operation),
];

/// What the setting at a dotted key does. An unknown one is taken to decide numbers, which is the safe mistake.
#[must_use]
pub fn role(key: &str) -> Role {
    ROLES.iter().find(|(known, _)| *known == key).map_or(Numbers, |(_, role)| *role)
}

/// The settings that decide numbers, one `key: value` a line. Hash it together with the contents of the inputs.
#[must_use]
pub fn deciding(config: &Config) -> String {
    let lines = leaves(config).into_iter().filter(|(key, _)| role(key) == Numbers);
    lines.map(|(key, value)| format!("{key}: {value}\n")).collect()
}

/// The paths of inputs that are set, by their keys.
#[must_use]
pub fn inputs(config: &Config) -> Vec<(String, String)> {
    let of = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
    leaves(config).into_iter().filter(|(key, _)| role(key) == Input).filter_map(of).collect()
}

/// The configuration as it may be written to a file: every secret at its default.
#[must_use]
pub fn without_secrets(config: &Config) -> Config {
    with_defaults(config, Secret)
}

/// The configuration with the secrets of `from`: what a process does that has a configuration of its own.
#[must_use]
pub fn with_secrets_of(config: &Config, from: &Config) -> Config {
    replaced(config, from, Secret)
}

fn with_defaults(config: &Config, role: Role) -> Config {
    replaced(config, &Config::default(), role)
}

/// `config` with the values of `from` in all settings of one role.
fn replaced(config: &Config, from: &Config, of: Role) -> Config {
    let mut value = serde_json::to_value(config).unwrap_or_default();
    let from = serde_json::to_value(from).unwrap_or_default();
    for (key, _) in ROLES.iter().filter(|(_, role)| *role == of) {
        let pointer = format!("/{}", key.replace('.', "/"));
        if let (Some(to), Some(new)) = (value.pointer_mut(&pointer), from.pointer(&pointer)) {
            *to = new.clone();
        }
    }
    // A configuration that was written is read again; a default one holds no secret, should that ever fail.
    serde_json::from_value(value).unwrap_or_default()
}

/// All settings by their dotted keys, in the order of the sections.
fn leaves(config: &Config) -> Vec<(String, Value)> {
    fn walk(value: Value, key: &str, out: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    walk(value, &if key.is_empty() { name } else { format!("{key}.{name}") }, out);
                }
            }
            value => out.push((key.to_owned(), value)),
        }
    }
    let mut out = Vec::new();
    walk(serde_json::to_value(config).unwrap_or_default(), "", &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_setting_has_a_role_and_every_role_a_setting() {
        let keys: Vec<String> = leaves(&Config::default()).into_iter().map(|(key, _)| key).collect();
        let known: BTreeSet<&str> = ROLES.iter().map(|(key, _)| *key).collect();
        let missing: Vec<&String> = keys.iter().filter(|key| !known.contains(key.as_str())).collect();
        assert!(missing.is_empty(), "say in core/src/config/decides.rs what these decide: {missing:?}");
        assert_eq!((known.len(), ROLES.len()), (keys.len(), keys.len()), "a line for each setting, and no other");
    }

    #[test]
    fn inputs_are_the_paths_that_are_read() {
        let mut config = Config::default();
        for (key, _) in ROLES.iter().filter(|(_, role)| *role == Input) {
            let mut value = serde_json::to_value(&config).expect("plain data");
            *value.pointer_mut(&format!("/{}", key.replace('.', "/"))).expect("a setting") = Value::from(*key);
            config = serde_json::from_value(value).expect("a path is text");
        }
        let named: Vec<String> = inputs(&config).into_iter().map(|(_, path)| path).collect();
        let paths: Vec<String> = config.input_paths_mut().map(|path| path.clone()).collect();
        assert_eq!(named, paths);
    }

    #[test]
    fn only_numbers_decide() {
        let plain = Config::default();
        let mut other = plain.clone();
        other.guardrails.webhook = Some("http://host/PLANTED".to_owned());
        other.guardrails.overrides = vec!["G1".to_owned()];
        other.experiment.log_every = 7;
        other.data.bundles = Some("elsewhere.jsonl".to_owned());
        assert_eq!(deciding(&plain), deciding(&other));
        other.training.steps += 1;
        assert_ne!(deciding(&plain), deciding(&other));
    }

    #[test]
    fn secrets_leave_and_all_else_stays() {
        let mut config = Config::default();
        config.training.learning_rate = 0.1 + 0.2;
        config.curriculum.phases =
            vec![crate::config::Phase { until_step: u64::MAX, tier_probabilities: [0.1, 0.2, 0.7] }];
        config.guardrails.webhook = Some("http://host/PLANTED".to_owned());
        let written = without_secrets(&config);
        assert!(!serde_json::to_string(&written).expect("plain data").contains("PLANTED"));
        assert_eq!(with_secrets_of(&written, &config), config);
    }
}
