//! `${VAR}` and `${VAR:-default}` in the values of a configuration file.
//!
//! A value that is one variable and nothing else is read as YAML again, so that `steps: ${STEPS}` is a number.
//! `$${VAR}` stays as `${VAR}`.

use super::tree::{Node, NodeValue, parse_value};
use super::{ConfigFault, ConfigFaults, Origin};

/// The environment: a variable's value, if it is set.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The longest text that variables may make.
const MAX_TEXT: usize = 64 << 10;

/// Replaces the variables in all values below `node`.
pub(super) fn expand(node: &mut Node, env: Env<'_>, path: &str, faults: &mut ConfigFaults) {
    match &mut node.value {
        NodeValue::Text(text) if text.contains("${") => match expand_text(text, env) {
            Ok(expanded) => replace(node, expanded),
            Err(e) => {
                let mut fault = ConfigFault::of_key(&node.origin, path, e.message);
                fault.advice = e.advice;
                faults.push(fault);
                // The fault is enough: what stays must not be checked for its type as well.
                node.value = NodeValue::Null;
            }
        },
        NodeValue::List(items) => items.iter_mut().for_each(|item| expand(item, env, path, faults)),
        NodeValue::Map(entries) => {
            for entry in entries {
                let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                expand(&mut entry.node, env, &path, faults);
            }
        }
        _ => {}
    }
}

fn replace(node: &mut Node, expanded: Expanded) {
    if let Origin::File { variables, .. } = &mut node.origin {
        variables.extend(expanded.names);
    }
    let typed = expanded.whole.then(|| parse_value(&expanded.text, &node.origin));
    match typed {
        // A variable can hold one value, not a piece of the file's structure.
        Some(typed) if !matches!(typed.value, NodeValue::List(_) | NodeValue::Map(_)) => *node = typed,
        _ => {
            node.raw = Some(expanded.text.clone());
            node.value = NodeValue::Text(expanded.text);
        }
    }
}

#[derive(Debug, PartialEq)]
struct Expanded {
    text: String,
    names: Vec<String>,
    /// The text was one variable and nothing else.
    whole: bool,
}

#[derive(Debug)]
struct BadVariable {
    message: String,
    advice: Option<String>,
}

fn expand_text(text: &str, env: Env<'_>) -> Result<Expanded, BadVariable> {
    let mut out = String::new();
    let mut names = Vec::new();
    let mut rest = text;
    let mut whole = false;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at]);
            out.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let Some(end) = inner.find('}') else {
            return Err(bad(format!("`{}` has no closing `}}`", &rest[at..]), Some("write ${NAME}")));
        };
        let (name, value) = lookup(&inner[..end], env)?;
        whole = at == 0 && names.is_empty() && out.is_empty() && end + 1 == inner.len();
        names.push(name);
        out.push_str(&value);
        rest = &inner[end + 1..];
        if out.len() > MAX_TEXT {
            return Err(bad(format!("its variables make a text of over {MAX_TEXT} bytes"), None));
        }
    }
    out.push_str(rest);
    Ok(Expanded { text: out, names, whole })
}

/// The name and the value of what stands between the braces.
fn lookup(inner: &str, env: Env<'_>) -> Result<(String, String), BadVariable> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid {
        return Err(bad(format!("`{name}` is no name of a variable"), Some("write ${NAME} or ${NAME:-default}")));
    }
    if default.is_some_and(|d| d.contains("${")) {
        let message = format!("the default of `{name}` holds a variable itself");
        return Err(bad(message, Some("write a plain default")));
    }
    match (env(name), default) {
        // As in a shell, `:-` also replaces an empty value.
        (Some(value), Some(default)) if value.is_empty() => Ok((name.to_owned(), default.to_owned())),
        (Some(value), _) => Ok((name.to_owned(), value)),
        (None, Some(default)) => Ok((name.to_owned(), default.to_owned())),
        (None, None) => Err(BadVariable {
            message: format!("the environment variable `{name}` is not set"),
            advice: Some(format!("set it, or give a default: ${{{name}:-default}}")),
        }),
    }
}

fn bad(message: String, advice: Option<&str>) -> BadVariable {
    BadVariable { message, advice: advice.map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::super::tree::parse;
    use super::*;
    use serde_json::json;

    fn env(name: &str) -> Option<String> {
        match name {
            "STEPS" => Some("500".to_owned()),
            "DIR" => Some("runs".to_owned()),
            "EMPTY" => Some(String::new()),
            "LIST" => Some("[1, 2]".to_owned()),
            "ODD" => Some("a: b: c".to_owned()),
            _ => None,
        }
    }

    fn value(text: &str) -> serde_json::Value {
        let mut node = parse(&format!("a: {text}"), "c.yaml").expect("is valid");
        let mut faults = ConfigFaults::default();
        expand(&mut node, &env, "", &mut faults);
        assert!(faults.is_empty(), "{faults}");
        node.get("a").expect("is there").to_json()
    }

    fn fault(text: &str) -> String {
        let mut node = parse(&format!("a:\n  b: '{text}'"), "c.yaml").expect("is valid");
        let mut faults = ConfigFaults::default();
        expand(&mut node, &env, "", &mut faults);
        faults.to_string()
    }

    #[test]
    fn a_value_that_is_one_variable_gets_its_type() {
        assert_eq!(value("${STEPS}"), json!(500));
        assert_eq!(value("${NONE:-1e-3}"), json!(1e-3));
        assert_eq!(value("${NONE:-}"), json!(null));
        assert_eq!(value("${EMPTY:-true}"), json!(true));
    }

    #[test]
    fn inside_text_it_stays_text() {
        assert_eq!(value("${DIR}/${STEPS}"), json!("runs/500"));
        assert_eq!(value("x${STEPS}"), json!("x500"));
        assert_eq!(value("${STEPS}${STEPS}"), json!("500500"));
        assert_eq!(value("$5 and $DIR"), json!("$5 and $DIR"));
        assert_eq!(value("$${STEPS}"), json!("${STEPS}"));
    }

    #[test]
    fn a_variable_brings_no_structure() {
        assert_eq!(value("${LIST}"), json!("[1, 2]"));
        assert_eq!(value("${ODD}"), json!("a: b: c"));
    }

    #[test]
    fn faults_name_line_key_and_variable() {
        let text = fault("${NONE}");
        assert_eq!(
            text,
            "c.yaml:2: `a.b`: the environment variable `NONE` is not set; set it, or give a default: ${NONE:-default}"
        );
        assert!(fault("${STEPS").contains("no closing `}`"));
        assert!(fault("${}").contains("no name"));
        assert!(fault("${a-b}").contains("no name"));
        assert!(fault("${A:-${B}}").contains("holds a variable itself"));
    }

    #[test]
    fn the_origin_names_the_variables() {
        let mut node = parse("a: ${DIR}/${STEPS}", "c.yaml").expect("is valid");
        expand(&mut node, &env, "", &mut ConfigFaults::default());
        assert_eq!(node.get("a").expect("is there").origin.to_string(), "c.yaml:1 (${DIR}) (${STEPS})");
    }
}
