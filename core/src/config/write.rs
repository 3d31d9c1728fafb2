//! Writes a configuration as YAML: the same values are always the same bytes.
//!
//! Values are written so that every YAML reader takes them the same: numbers with a decimal point and a signed
//! exponent (some readers take `1e-7` for text), text in quotes unless it is a plain word.

use super::provenance::Leaf;
use super::{Config, Origin};
use serde_json::{Number, Value};
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

/// The whole configuration as YAML, in the order of its sections.
#[must_use]
pub fn to_yaml(config: &Config) -> String {
    let mut leaves = Vec::new();
    if let Ok(value) = serde_json::to_value(config) {
        flatten(&value, &mut Vec::new(), &mut leaves);
    }
    lines(&leaves, |_| None)
}

/// The whole configuration as YAML with a comment at each value that says where it came from.
#[must_use]
pub fn to_annotated_yaml(leaves: &[Leaf]) -> String {
    lines(leaves, |leaf| Some(leaf.origin.to_string()))
}

/// The same configuration with its relative paths seen from `folder`, for a file that is to be written there. Both
/// are relative to the working folder; absolute paths, and those that can't be expressed, stay.
#[must_use]
pub fn seen_from(config: &Config, folder: &Path) -> Config {
    let mut config = config.clone();
    let see = |path: &mut String| {
        if let Some(seen) = relative(Path::new(path), folder) {
            *path = seen.to_string_lossy().into_owned();
        }
    };
    config.input_paths_mut().for_each(see);
    config.experiment.output_dir.iter_mut().for_each(see);
    config
}

/// `path` as seen from `folder`; none when that takes more than names (absolute, or `folder` leads upwards).
fn relative(path: &Path, folder: &Path) -> Option<PathBuf> {
    let plain = |p: &Path| -> Option<Vec<String>> {
        let parts = p.components().filter(|c| *c != Component::CurDir);
        parts
            .map(|c| match c {
                Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
                Component::ParentDir => Some("..".to_owned()),
                _ => None,
            })
            .collect()
    };
    let (path, folder) = (plain(path)?, plain(folder)?);
    let common = path.iter().zip(&folder).take_while(|(a, b)| a == b).count();
    if folder[common..].iter().any(|part| part == "..") {
        return None;
    }
    let up = std::iter::repeat_n("..", folder.len() - common);
    let out: PathBuf = up.chain(path[common..].iter().map(String::as_str)).collect();
    Some(if out.as_os_str().is_empty() { PathBuf::from(".") } else { out })
}

fn flatten(value: &Value, path: &mut Vec<String>, out: &mut Vec<Leaf>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                path.push(key.clone());
                flatten(inner, path, out);
                path.pop();
            }
        }
        leaf => out.push(Leaf { path: path.clone(), value: leaf.clone(), origin: Origin::Default }),
    }
}

fn lines(leaves: &[Leaf], comment: impl Fn(&Leaf) -> Option<String>) -> String {
    let mut out = String::new();
    let mut open: &[String] = &[];
    for leaf in leaves {
        let Some((key, sections)) = leaf.path.split_last() else { continue };
        let common = sections.iter().zip(open).take_while(|(a, b)| a == b).count();
        for (depth, section) in sections.iter().enumerate().skip(common) {
            let _ = writeln!(out, "{}{section}:", "  ".repeat(depth));
        }
        open = sections;
        let indent = "  ".repeat(sections.len());
        let comment = comment(leaf).map(|c| format!("  # {}", one_line(&c))).unwrap_or_default();
        match &leaf.value {
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let _ = writeln!(out, "{indent}{key}:{comment}");
                items.iter().for_each(|item| list_item(item, &indent, &mut out));
            }
            value => {
                let _ = writeln!(out, "{indent}{key}: {}{comment}", inline(value));
            }
        }
    }
    out
}

/// Names of files may hold line ends; a comment may not.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn list_item(item: &Value, indent: &str, out: &mut String) {
    let Value::Object(map) = item else {
        let _ = writeln!(out, "{indent}  - {}", inline(item));
        return;
    };
    for (i, (key, value)) in map.iter().enumerate() {
        let mark = if i == 0 { "- " } else { "  " };
        let _ = writeln!(out, "{indent}  {mark}{key}: {}", inline(value));
    }
}

/// A value on one line.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => number(n),
        Value::String(text) => string(text),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", string(key), inline(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

fn number(n: &Number) -> String {
    let text = n.to_string();
    match text.split_once('e') {
        None => text,
        Some((mantissa, exponent)) => {
            let point = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
            format!("{mantissa}{point}e{sign}{exponent}")
        }
    }
}

fn string(text: &str) -> String {
    // Words that some YAML reader takes for something else.
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

/// In double quotes. `$` of a variable is doubled: what was read once must not be replaced again.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.replace("${", "$${").chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
