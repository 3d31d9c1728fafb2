//! Documents that are generated from the program are as it would write them now.

mod licensing;
pub(crate) mod links;
mod quickstart;
mod readme;
mod schemas;
mod tables;

use std::path::Path;

/// Compares a document with what it should be, or writes it when `CRUCIBLE_BLESS` is set.
fn fresh(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("CRUCIBLE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
        std::fs::write(&path, text).expect("writes");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let line = there.lines().zip(text.lines()).position(|(a, b)| a != b).unwrap_or(0) + 1;
    assert!(
        there == text,
        "docs/{name} is out of date from line {line}; renew it with\n  CRUCIBLE_BLESS=1 cargo test -p crucible-cli --test cli docs"
    );
}

#[test]
fn the_reference_of_the_configuration_is_fresh() {
    fresh("CONFIG.md", &crucible_core::config::reference());
}

#[test]
fn the_reference_of_the_commands_is_fresh() {
    fresh("CLI.md", &crucible_cli::reference::reference());
}

/// [`fresh`] of a schema.
fn fresh_schema(name: &str, schema: &impl serde::Serialize) {
    let text = serde_json::to_string_pretty(schema).expect("is JSON") + "\n";
    fresh(&format!("schemas/{name}.schema.json"), &text);
}

#[test]
fn the_schema_of_the_devices_is_fresh() {
    fresh_schema("devices", &schemars::schema_for!(crucible_cli::commands::devices::Devices));
}

#[test]
fn the_schema_of_a_revalidation_is_fresh() {
    fresh_schema("pool_revalidation", &schemars::schema_for!(crucible_cli::commands::pool::RevalidationReport));
}

#[test]
fn the_schema_of_a_split_of_events_is_fresh() {
    fresh_schema("split_events", &schemars::schema_for!(crucible_cli::commands::split::Parts));
}

#[test]
fn the_schema_of_a_guardrail_check_is_fresh() {
    fresh_schema("guardrail_check", &schemars::schema_for!(crucible_cli::commands::guardrail::check::Check));
}

#[test]
fn the_schema_of_all_runs_results_is_fresh() {
    fresh_schema("eval_results", &schemars::schema_for!(crucible_cli::commands::eval::all::Written));
}

#[test]
fn every_guardrail_is_in_its_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/GUARDRAILS.md");
    let text = std::fs::read_to_string(path).expect("docs/GUARDRAILS.md");
    for rule in crucible_core::guardrails::RULES {
        let row = format!("| {} | `{}` |", rule.id, rule.name);
        assert!(text.contains(&row), "docs/GUARDRAILS.md has no row `{row}`");
    }
}

#[test]
fn the_schemas_of_the_benchmarks_are_fresh() {
    use crucible_cli::commands::bench::{kernels::KernelTimes, training::TrainingTimes};
    for (name, schema) in
        [("kernels", schemars::schema_for!(KernelTimes)), ("training", schemars::schema_for!(TrainingTimes))]
    {
        fresh_schema(&format!("bench_{name}"), &schema);
    }
}

#[test]
fn the_schemas_of_tracked_runs_are_fresh() {
    use crucible_cli::tracking::{journal::Entry, sent::Sent};
    for (name, schema) in
        [("tracking_journal", schemars::schema_for!(Entry)), ("tracking", schemars::schema_for!(Sent))]
    {
        fresh_schema(name, &schema);
    }
}

#[test]
fn the_schema_of_the_configuration_is_fresh() {
    fresh_schema("config", &crucible_core::config::schema());
}
