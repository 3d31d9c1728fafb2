//! `crucible config`: check and show what a run would use.

mod exposure;

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::output;
use crucible_core::config::{self, Config, Leaf, Origin};
use serde_json::{Value, json};
use std::path::Path;

/// What to do with the configuration.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Check it: keys, types, ranges, contradictions
    Validate,
    /// Print all of it, with where each value came from
    Show,
    /// Print how often each tier3 bundle is expected to be seen
    Exposure(exposure::Args),
    /// Print the JSON Schema
    Schema,
}

/// Runs one of them.
///
/// # Errors
/// Faults of the configuration.
pub fn run(action: &Action, ctx: &Context) -> CliResult<Exit> {
    match action {
        Action::Validate => validate(ctx),
        Action::Show => show(ctx),
        Action::Exposure(args) => exposure::run(args, ctx),
        Action::Schema => {
            output::print_json(&config::schema())?;
            Ok(Exit::Success)
        }
    }
}

fn validate(ctx: &Context) -> CliResult<Exit> {
    let resolved = ctx.resolved()?;
    let files: Vec<String> = resolved.files.iter().map(|f| f.display().to_string()).collect();
    let set = resolved.leaves.iter().filter(|leaf| leaf.origin != Origin::Default).count();
    let from = if files.is_empty() { "no file; defaults".to_owned() } else { files.join(" < ") };
    let missing: Vec<String> = missing_inputs(&resolved.config);
    let mut text = format!("The configuration is valid ({from}; {set} of {} keys set).\n", resolved.leaves.len());
    if !missing.is_empty() {
        text += &format!("Not there yet: {}\n", missing.join(", "));
    }
    let warnings: Vec<String> = resolved.warnings.iter().map(ToString::to_string).collect();
    let json = json!({
        "valid": true, "files": files, "keys_set": set, "missing_inputs": missing, "warnings": warnings,
    });
    ctx.print(&json, &text)?;
    Ok(Exit::Success)
}

/// Inputs that are named and don't exist: no fault, since a command may be about to write them.
fn missing_inputs(config: &Config) -> Vec<String> {
    let mut config = config.clone();
    config.input_paths_mut().filter(|path| !Path::new(path).exists()).map(|path| path.clone()).collect()
}

fn show(ctx: &Context) -> CliResult<Exit> {
    let resolved = ctx.resolved()?;
    let origins: Value = resolved.leaves.iter().map(|leaf| (leaf.dotted(), origin_json(leaf))).collect();
    let json = json!({"config": resolved.config, "origins": origins});
    ctx.print(&json, &config::to_annotated_yaml(&resolved.leaves))?;
    Ok(Exit::Success)
}

fn origin_json(leaf: &Leaf) -> Value {
    match &leaf.origin {
        Origin::Default => json!({"from": "default"}),
        Origin::File { file, line, variables } if variables.is_empty() => {
            json!({"from": "file", "file": file, "line": line})
        }
        Origin::File { file, line, variables } => {
            json!({"from": "file", "file": file, "line": line, "variables": variables})
        }
        Origin::Environment(name) => json!({"from": "environment", "variable": name}),
        Origin::Flag(flag) => json!({"from": "flag", "flag": flag}),
    }
}
