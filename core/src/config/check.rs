//! Checks a tree against the schema: unknown keys with the nearest known one, types, ranges.
//!
//! All faults are found in one go. Values that only look wrong are put right on the way: text from flags and variables
//! where a key holds text, whole numbers written as `1e4`, a list on the command line written as `1,2,3`.

use super::nearest::nearest;
use super::schema::Place;
use super::tree::{Entry, Node, NodeValue, parse_value};
use super::{ConfigFault, ConfigFaults, Origin};
use serde_json::Number;

/// Checks `node`, which stands at `path`, against `place`.
pub(super) fn check(node: &mut Node, place: Place<'_>, root: Place<'_>, path: &str, faults: &mut ConfigFaults) {
    if node.value == NodeValue::Null {
        if place.kind() == "object" {
            // A section whose keys are all commented out.
            node.value = NodeValue::Map(Vec::new());
        } else if !place.nullable() {
            let message = format!("has no value; expected {}", place.expected());
            return faults.push(ConfigFault::of_key(&node.origin, path, message));
        } else {
            return;
        }
    }
    coerce(node, place);
    let ok = match (place.kind(), &mut node.value) {
        ("object", NodeValue::Map(entries)) => return check_section(entries, &node.origin, place, root, path, faults),
        ("array", NodeValue::List(items)) => return check_list(items, &node.origin, place, root, path, faults),
        ("string", NodeValue::Text(text)) => return check_word(text, &node.origin, place, path, faults),
        ("integer", NodeValue::Number(n)) => {
            (n.is_u64() || n.is_i64()) && in_range(n.as_f64().unwrap_or(f64::NAN), place)
        }
        ("number", NodeValue::Number(n)) => in_range(n.as_f64().unwrap_or(f64::NAN), place),
        ("boolean", NodeValue::Bool(_)) => true,
        _ => false,
    };
    if !ok {
        let mut fault = ConfigFault::of_key(&node.origin, path, wrong(node, place));
        if place.kind() == "string" && matches!(node.value, NodeValue::Number(_) | NodeValue::Bool(_)) {
            fault = fault.advise("put it in quotes");
        }
        faults.push(fault);
    }
}

fn wrong(node: &Node, place: Place<'_>) -> String {
    format!("expected {}; got {}", place.expected(), node.describe())
}

fn in_range(value: f64, place: Place<'_>) -> bool {
    let bound = |name| place.bound(name);
    bound("minimum").is_none_or(|b| value >= b)
        && bound("maximum").is_none_or(|b| value <= b)
        && bound("exclusiveMinimum").is_none_or(|b| value > b)
        && bound("exclusiveMaximum").is_none_or(|b| value < b)
}

fn coerce(node: &mut Node, place: Place<'_>) {
    match (place.kind(), &node.value, &node.raw) {
        ("string", NodeValue::Number(_) | NodeValue::Bool(_) | NodeValue::List(_) | NodeValue::Map(_), Some(raw)) => {
            node.value = NodeValue::Text(raw.clone());
        }
        ("integer", NodeValue::Number(n), _) if n.is_f64() => {
            // Beyond 2^53 a float no longer holds every whole number.
            const EXACT: f64 = 9_007_199_254_740_992.0;
            match n.as_f64() {
                Some(f) if f.fract() == 0.0 && (0.0..=EXACT).contains(&f) => {
                    node.value = NodeValue::Number((f as u64).into())
                }
                _ => {}
            }
        }
        ("number", NodeValue::Number(n), _) if !n.is_f64() => {
            // So that the same number is written the same, however it was typed.
            if let Some(float) = n.as_f64().and_then(Number::from_f64) {
                node.value = NodeValue::Number(float);
            }
        }
        ("array", NodeValue::Number(_) | NodeValue::Text(_), Some(raw)) => {
            let list = parse_value(&format!("[{raw}]"), &node.origin);
            if matches!(list.value, NodeValue::List(_)) {
                *node = list;
            }
        }
        _ => {}
    }
}

fn check_section(
    entries: &mut [Entry],
    origin: &Origin,
    place: Place<'_>,
    root: Place<'_>,
    path: &str,
    faults: &mut ConfigFaults,
) {
    for entry in entries.iter_mut() {
        let inner = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        match place.key(&entry.key) {
            Some(key_place) => check(&mut entry.node, key_place, root, &inner, faults),
            None => faults.push(unknown(entry, place, root, path, &inner)),
        }
    }
    for key in place.required() {
        if !entries.iter().any(|e| e.key == key) {
            faults.push(ConfigFault::of_key(origin, path, format!("`{key}` is missing")));
        }
    }
}

/// The fault of an unknown key: a slip, a key of another section, or a stranger.
fn unknown(entry: &Entry, place: Place<'_>, root: Place<'_>, path: &str, inner: &str) -> ConfigFault {
    let known: Vec<&str> = place.keys().into_iter().map(|(key, _)| key).collect();
    let fault = ConfigFault::of_key(&entry.key_origin, inner, "unknown key");
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    if let Some(near) = nearest(&entry.key, known.iter().copied()) {
        return fault.advise(format!("did you mean `{}`?", join(near)));
    }
    let elsewhere = root.keys().into_iter().find(|(_, section)| section.key(&entry.key).is_some());
    if let Some((section, _)) = elsewhere {
        return fault.advise(format!("did you mean `{section}.{}`?", entry.key));
    }
    let nearest_elsewhere = root.keys().into_iter().find_map(|(section, place)| {
        let keys: Vec<&str> = place.keys().into_iter().map(|(key, _)| key).collect();
        nearest(&entry.key, keys).map(|key| format!("{section}.{key}"))
    });
    if let Some(near) = nearest_elsewhere {
        return fault.advise(format!("did you mean `{near}`?"));
    }
    let list = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
    fault.advise(if path.is_empty() { format!("the sections are {list}") } else { format!("`{path}` has {list}") })
}

fn check_list(
    items: &mut [Node],
    origin: &Origin,
    place: Place<'_>,
    root: Place<'_>,
    path: &str,
    faults: &mut ConfigFaults,
) {
    if place.length().is_some_and(|n| n != items.len() as u64) {
        let message = format!("expected {}; got {}", place.expected(), items.len());
        return faults.push(ConfigFault::of_key(origin, path, message));
    }
    let Some(item_place) = place.items() else { return };
    for (i, item) in items.iter_mut().enumerate() {
        check(item, item_place, root, &format!("{path}[{i}]"), faults);
    }
}

fn check_word(text: &str, origin: &Origin, place: Place<'_>, path: &str, faults: &mut ConfigFaults) {
    let words = place.words();
    if words.is_empty() || words.iter().any(|(word, _)| *word == text) {
        return;
    }
    let node = Node::new(NodeValue::Text(text.to_owned()), origin.clone());
    let fault = ConfigFault::of_key(origin, path, wrong(&node, place));
    faults.push(match nearest(text, words.iter().map(|(word, _)| *word)) {
        Some(near) => fault.advise(format!("did you mean `{near}`?")),
        None => fault,
    });
}
