//! `docs/SCHEMAS.md`: an index of the schemas, made from them.

use super::links::root;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const HEAD: &str = "\
# Schemas

Generated from the files in `schemas/`, which come from the program's own types: JSON Schema, draft 2020-12. Fields that a
reader does not know are to be passed over; fields are added, and never change their meaning. [What events, bundles and
predictions look like](DATA.md) is a page of its own.

";

/// What a property holds, in a few words.
fn kind(property: &Value) -> String {
    let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(path) = property["$ref"].as_str() {
        return path.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(options) = property["anyOf"].as_array().or(property["oneOf"].as_array()) {
        return options.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match &property["type"] {
        Value::Array(types) => types.iter().map(of).collect::<Vec<_>>().join(" or "),
        Value::String(name) if name == "array" && property["items"].is_object() => {
            format!("list of {}", kind(&property["items"]))
        }
        Value::String(name) => name.clone(),
        _ => "any".to_owned(),
    }
}

fn line(text: &str) -> String {
    text.split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn index() -> String {
    let folder = root().join("docs/schemas");
    let mut schemas = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the schemas").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(entry.path()).expect("reads");
        let schema: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        schemas.insert(name, schema);
    }
    let mut out = String::from(HEAD);
    for (name, schema) in &schemas {
        let title = name.trim_end_matches(".schema.json");
        let about = line(schema["description"].as_str().unwrap_or_default());
        let _ = writeln!(out, "## {title}\n\n[`{name}`](schemas/{name}). {about}\n");
        if let Some(properties) = schema["properties"].as_object() {
            out += "| field | is | meaning |\n| --- | --- | --- |\n";
            let required: Vec<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            for (field, property) in properties {
                let optional = if required.contains(&field.as_str()) { "" } else { ", optional" };
                let about = line(property["description"].as_str().unwrap_or_default());
                let _ = writeln!(out, "| `{field}` | {}{optional} | {about} |", kind(property));
            }
            out.push('\n');
        }
    }
    out.trim_end().to_owned() + "\n"
}

#[test]
fn the_index_of_the_schemas_is_fresh() {
    super::fresh("SCHEMAS.md", &index());
}
