//! `docs/LICENSING.md` names every crate that is built into the program, as `cargo metadata` knows them.

use super::links::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

const HEAD: &str = "\
# Licensing

Crucible is licensed under [Apache-2.0](../LICENSE). What it produces is yours: checkpoints, bundles, reports.

Built into the program and its page are the crates below, under licences that allow that; `cargo deny` refuses others
(`deny.toml`). A licence in the form `A OR B` is a choice. The list is generated from `Cargo.lock`; some crates are built on
some systems only. Scripts that are part of pages lie in `web/vendor/` with their licences.

";

/// Also of crates that other systems need, which a build here may not have fetched; nothing where they can't be.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn metadata() -> Option<Value> {
    let ran = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    if said.contains("failed to download") {
        println!("skipped: crates of other systems can't be fetched\n{said}");
        return None;
    }
    assert!(ran.status.success(), "{said}");
    Some(serde_json::from_slice(&ran.stdout).expect("JSON"))
}

/// Packages that members depend on, tests and build scripts aside.
fn built_in(metadata: &Value) -> BTreeSet<&str> {
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .map(|node| (node["id"].as_str().expect("an id"), node))
        .collect();
    let members = metadata["workspace_members"].as_array().expect("members");
    let mut waiting: Vec<&str> = members.iter().filter_map(Value::as_str).collect();
    let mut found = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !found.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().expect("dependencies") {
            let kinds = dependency["dep_kinds"].as_array().expect("kinds");
            // Of `parquet` on wasm, which is never built for it: `deny.toml` leaves it out, too.
            if dependency["name"] != "const_random" && kinds.iter().any(|kind| kind["kind"].is_null()) {
                waiting.push(dependency["pkg"].as_str().expect("an id"));
            }
        }
    }
    found
}

fn document(metadata: &Value) -> String {
    let inside = built_in(metadata);
    let mut by_licence: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let (id, name) = (package["id"].as_str().expect("an id"), package["name"].as_str().expect("a name"));
        // The members themselves have no source.
        if inside.contains(id) && !package["source"].is_null() {
            let licence = package["license"].as_str().unwrap_or("see its file").replace('/', " OR ");
            by_licence.entry(licence).or_default().insert(name.to_owned());
        }
    }
    let mut out = String::from(HEAD) + "| licence | crates |\n| --- | --- |\n";
    for (licence, names) in by_licence {
        let _ = writeln!(out, "| {licence} | {} |", names.into_iter().collect::<Vec<_>>().join(", "));
    }
    out
}

#[test]
fn the_list_of_licences_is_fresh() {
    if let Some(metadata) = metadata() {
        super::fresh("LICENSING.md", &document(&metadata));
    }
}
