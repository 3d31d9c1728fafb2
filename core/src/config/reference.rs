//! The reference of all keys as Markdown, from the schema.

use super::schema::{Place, schema};
use super::write::inline;
use serde_json::Value;
use std::fmt::Write;

/// Every key with type, default, range and meaning.
#[must_use]
pub fn reference() -> String {
    let schema = schema();
    let mut out = String::from(HEAD);
    for (name, place) in Place::root(&schema).keys() {
        if place.kind() == "object" {
            section(name, place, &mut out);
        }
    }
    out
}

const HEAD: &str = "\
# Configuration

Generated from the program: `crucible config schema` prints the same as JSON Schema.

A configuration is a YAML file, `crucible.yaml` in the working folder unless `--config` names another. Every key has a
default; an unknown key is an error.

Later wins: defaults, the file that `extends` names, the file itself, the environment, flags. `crucible config show`
prints what results and where each value came from.

| in a file | means |
| --- | --- |
| `extends: base.yaml` | this file is laid over that one, section by section; lists are replaced whole |
| `${NAME}`, `${NAME:-default}` | the environment's value; one that is not set and has no default is an error |
| `$${NAME}` | the text `${NAME}` |
| a relative path | is seen from the folder of the file that names it |

Any key is a flag too: `--training.steps 20000`, `--experiment.seeds 1,2,3`. `--device` and `CRUCIBLE_DEVICE` set
`device.type`.
";

fn section(path: &str, place: Place<'_>, out: &mut String) {
    let _ = write!(out, "\n## `{path}`\n\n{}\n\n", place.about());
    out.push_str("| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
    rows("", place, out);
}

fn rows(prefix: &str, place: Place<'_>, out: &mut String) {
    for (key, place) in place.keys() {
        let name = format!("{prefix}{key}");
        if place.kind() == "object" {
            rows(&format!("{name}."), place, out);
            continue;
        }
        let default = place.default().map_or_else(|| "required".to_owned(), shown_default);
        let _ = writeln!(out, "| `{name}` | {} | {default} | {} |", shown_type(place), cell(&meaning(place)));
        if let Some(item) = place.items().filter(|item| item.kind() == "object") {
            rows(&format!("{name}[]."), item, out);
        }
    }
}

fn shown_default(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        value => format!("`{}`", inline(value)),
    }
}

fn shown_type(place: Place<'_>) -> String {
    let words = place.words();
    if words.is_empty() {
        return cell(&place.expected());
    }
    cell(&words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", "))
}

/// The key's meaning, and that of the words it takes.
fn meaning(place: Place<'_>) -> String {
    let mut text = place.about().to_owned();
    let words = place.words();
    if words.len() > 1 {
        for (word, about) in words.iter().filter(|(_, about)| !about.is_empty()) {
            let _ = write!(text, " `{word}`: {about}");
        }
    }
    text
}

/// Text for a table's cell: on one line, no bars.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_meaning() {
        let schema = schema();
        for (section, place) in Place::root(&schema).keys() {
            assert!(!place.about().is_empty(), "{section}");
            for (key, place) in place.keys() {
                assert!(!place.about().is_empty(), "{section}.{key}");
                assert_ne!(place.kind(), "null", "{section}.{key} has a type");
            }
        }
    }

    #[test]
    fn rows_hold_type_default_and_range() {
        let text = reference();
        assert!(text.contains("| `batch_size` | a whole number, at least 1 and at most 65536 | `32` |"), "{text}");
        assert!(text.contains("| `tier3_ratios.legacy` | a number | `0.75` |"), "{text}");
        assert!(text.contains("| `phases[].until_step` |"), "{text}");
    }
}
