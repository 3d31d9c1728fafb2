//! A YAML document as a tree whose every value knows its line.
//!
//! The typed sections are filled from this tree, not from the text: faults, overrides and `config show` all need to
//! know where a value came from. Input is hostile: size, depth, nodes and alias expansion are bounded.

use super::{ConfigFault, Origin};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::{MergeKeyPolicy, NonFiniteFloatPolicy, Options, Spanned};
use std::fmt;

/// The largest configuration file, in bytes.
pub const MAX_CONFIG_BYTES: usize = 1 << 20;
/// Nested lists and sections; ours has four.
const MAX_DEPTH: usize = 32;
/// Values in a file.
const MAX_NODES: usize = 50_000;

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) value: NodeValue,
    pub(super) origin: Origin,
    /// The text that a number or a truth value was read from, where that was a flag or a variable: it is what was
    /// meant if the key holds text.
    pub(super) raw: Option<String>,
}

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NodeValue {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key is written; its value may begin lines below.
    pub(super) key_origin: Origin,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn new(value: NodeValue, origin: Origin) -> Self {
        Self { value, origin, raw: None }
    }

    /// Values that come from no text.
    pub(super) fn of_json(value: serde_json::Value) -> Self {
        use serde_json::Value;
        let entry = |(key, value)| Entry { key, key_origin: Origin::Default, node: Self::of_json(value) };
        let value = match value {
            Value::Null => NodeValue::Null,
            Value::Bool(b) => NodeValue::Bool(b),
            Value::Number(n) => NodeValue::Number(n),
            Value::String(t) => NodeValue::Text(t),
            Value::Array(items) => NodeValue::List(items.into_iter().map(Self::of_json).collect()),
            Value::Object(map) => NodeValue::Map(map.into_iter().map(entry).collect()),
        };
        Self::new(value, Origin::Default)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            NodeValue::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.node),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match &mut self.value {
            NodeValue::Map(entries) => entries.iter_mut().find(|e| e.key == key).map(|e| &mut e.node),
            _ => None,
        }
    }

    /// Lays `over` over this: sections key by key, anything else whole.
    pub(super) fn merge(&mut self, over: Self) {
        match (&mut self.value, over) {
            (NodeValue::Map(entries), Self { value: NodeValue::Map(new), .. }) => {
                for entry in new {
                    match entries.iter_mut().find(|e| e.key == entry.key) {
                        Some(old) => {
                            old.key_origin = entry.key_origin;
                            old.node.merge(entry.node);
                        }
                        None => entries.push(entry),
                    }
                }
            }
            // A section whose keys are all commented out says nothing about them.
            (NodeValue::Map(_), Self { value: NodeValue::Null, .. }) => {}
            (_, over) => *self = over,
        }
    }

    /// As JSON, for the typed sections.
    pub(super) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool(b) => Value::Bool(*b),
            NodeValue::Number(n) => Value::Number(n.clone()),
            NodeValue::Text(t) => Value::String(t.clone()),
            NodeValue::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            NodeValue::Map(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.clone(), e.node.to_json())).collect())
            }
        }
    }

    /// What it is, for messages: "the text `abc`".
    pub(super) fn describe(&self) -> String {
        match &self.value {
            NodeValue::Null => "nothing".to_owned(),
            NodeValue::Bool(b) => format!("`{b}`"),
            NodeValue::Number(n) => format!("the number {n}"),
            NodeValue::Text(t) if t.chars().count() > 60 => {
                format!("the text `{}…`", t.chars().take(60).collect::<String>())
            }
            NodeValue::Text(t) => format!("the text `{t}`"),
            NodeValue::List(items) => format!("a list of {}", items.len()),
            NodeValue::Map(_) => "a section with keys".to_owned(),
        }
    }
}

/// Parses one YAML document. An empty one is an empty section.
///
/// # Errors
/// Too large, not YAML, a key twice, more than one document, or beyond the limits on depth, nodes and aliases.
pub(super) fn parse(text: &str, file: &str) -> Result<Node, Box<ConfigFault>> {
    let place = |line| Origin::File { file: file.to_owned(), line, variables: Vec::new() };
    if text.len() > MAX_CONFIG_BYTES {
        let message =
            format!("is {} bytes long; at most {MAX_CONFIG_BYTES} are read. Is this a configuration?", text.len());
        return Err(Box::new(ConfigFault::at(place(1), message)));
    }
    let text = text.trim_start_matches('\u{feff}');
    let raw = parse_raw(text).map_err(|e| {
        let fault = ConfigFault::at(place(e.line), e.message);
        Box::new(match e.advice {
            Some(advice) => fault.advise(advice),
            None => fault,
        })
    })?;
    let mut node = convert(raw, &place);
    if node.value == NodeValue::Null {
        node.value = NodeValue::Map(Vec::new());
    }
    Ok(node)
}

/// Parses the text of a flag or a variable as YAML; what is not YAML is text.
pub(super) fn parse_value(text: &str, origin: &Origin) -> Node {
    let mut node = match parse_raw(text) {
        Ok(raw) if text.len() <= MAX_CONFIG_BYTES => convert(raw, &|_| origin.clone()),
        _ => Node::new(NodeValue::Text(text.to_owned()), origin.clone()),
    };
    node.raw = Some(text.to_owned());
    node
}

/// Text that is not YAML, or more of it than is allowed.
struct NotYaml {
    line: u64,
    message: String,
    advice: Option<&'static str>,
}

fn parse_raw(text: &str) -> Result<Spanned<Raw>, NotYaml> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|e| {
        let e = e.without_snippet();
        let line = e.location().map_or(1, |l| l.line().max(1));
        let source = text.lines().nth(usize::try_from(line - 1).unwrap_or(usize::MAX)).unwrap_or_default();
        let (message, advice) = explain(e, source);
        NotYaml { line, message, advice }
    })
}

/// The parser's words, or better ones where it names its own options; advice from the kind of error and the line.
fn explain(error: &serde_saphyr::Error, source: &str) -> (String, Option<&'static str>) {
    use serde_saphyr::Error as E;
    let mut error = error;
    // Faults inside an alias come wrapped.
    while let E::AliasError { error: inner, .. } = error {
        error = inner;
    }
    match error {
        E::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("a key");
            return (format!("`{key}` is there twice"), Some("take one out"));
        }
        E::NonFiniteFloat { .. } => return ("NaN and infinities are not allowed".to_owned(), None),
        E::MergeKeyNotAllowed { .. } => return ("merge keys (`<<`) are not read".to_owned(), Some("use `extends`")),
        E::MultipleDocuments { .. } => return ("holds more than one document".to_owned(), Some("take the `---` out")),
        E::Budget { .. }
        | E::AliasReplayLimitExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. }
        | E::AliasReplayStackDepthExceeded { .. } => {
            return ("holds more values, levels or aliases than a configuration has".to_owned(), None);
        }
        _ => {}
    }
    let message = error.to_string();
    // The place is ours to print.
    let message = message.split(" at line ").next().unwrap_or(&message).trim_end_matches([':', ',']);
    let advice = if source.trim_start_matches(' ').starts_with('\t') {
        Some("indent with spaces, not tabs")
    } else if source.contains("${") {
        Some("put `${…}` in quotes where it stands inside [ ] or { }")
    } else {
        None
    };
    (format!("not valid YAML: {message}"), advice)
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES },
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        // `yes` and `on` are text, as in YAML 1.2, so that a typed key can say what it expects.
        strict_booleans: true,
        // `75_15_10` names pool ratios; it is no number.
        underscored_numbers_as_strings: true,
        leading_zero_numbers_as_strings: true,
        with_snippet: false,
    }
}

/// The document as the parser gives it.
enum Raw {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Raw, E> {
        Err(E::custom(format!("the number {value} is too large")))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Raw, E> {
        Err(E::custom(format!("the number {value} is too large")))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Raw, E> {
        Number::from_f64(value).map(Raw::Number).ok_or_else(|| E::custom("NaN and infinities are not allowed"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

fn convert(raw: Spanned<Raw>, place: &dyn Fn(u64) -> Origin) -> Node {
    let origin = place(raw.referenced.line());
    let value = match raw.value {
        Raw::Null => NodeValue::Null,
        Raw::Bool(b) => NodeValue::Bool(b),
        Raw::Number(n) => NodeValue::Number(n),
        Raw::Text(t) => NodeValue::Text(t),
        Raw::List(items) => NodeValue::List(items.into_iter().map(|item| convert(item, place)).collect()),
        Raw::Map(entries) => NodeValue::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    key_origin: place(key.referenced.line()),
                    key: key.value,
                    node: convert(value, place),
                })
                .collect(),
        ),
    };
    Node::new(value, origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ok(text: &str) -> Node {
        parse(text, "c.yaml").expect("is valid")
    }

    fn fault(text: &str) -> String {
        parse(text, "c.yaml").expect_err("is not valid").to_string()
    }

    #[test]
    fn scalars_have_the_types_of_yaml_1_2() {
        let node = ok("a: [.6, 75_15_10, 1e-3, 1e4, yes, 0x10, 007, 18446744073709551615, ~, -3, '5', x]");
        let expected = json!([0.6, "75_15_10", 1e-3, 1e4, "yes", 16, "007", u64::MAX, null, -3, "5", "x"]);
        assert_eq!(node.get("a").expect("is there").to_json(), expected);
    }

    #[test]
    fn values_and_keys_know_their_lines() {
        let node = ok("# comment\ntraining:\n\n  steps: 5\n  phases:\n    - x: 1\n");
        let training = node.get("training").expect("is there");
        assert_eq!(training.get("steps").expect("is there").origin.to_string(), "c.yaml:4");
        let NodeValue::Map(entries) = &node.value else { panic!("a map") };
        assert_eq!(entries[0].key_origin.to_string(), "c.yaml:2");
    }

    #[test]
    fn empty_documents_are_empty_sections() {
        for text in ["", "# nothing\n", "---\n", "\u{feff}"] {
            assert_eq!(ok(text).value, NodeValue::Map(Vec::new()), "{text:?}");
        }
    }

    #[test]
    fn faults_name_file_and_line() {
        for (text, lines) in
            [("a: 1\nb: [1,\n", 2..=3), ("a: 1\na: 2\n", 2..=2), ("a: .nan", 1..=1), ("a: 1\n---\nb: 2\n", 2..=3)]
        {
            let fault = fault(text);
            assert!(lines.clone().any(|line| fault.starts_with(&format!("c.yaml:{line}: "))), "{text:?}: {fault}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let list = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb += &format!("a{i}: &a{i} [{list}]\n");
        }
        fault(&bomb);
        fault(&("a: ".to_owned() + &"[".repeat(10_000)));
        fault(&format!("a: [{}]", "1,".repeat(MAX_NODES + 1)));
        fault(&"#".repeat(MAX_CONFIG_BYTES + 1));
        let nested: String = (0..200).map(|i| " ".repeat(i) + "a:\n").collect();
        fault(&nested);
    }

    #[test]
    fn sections_merge_and_lists_replace() {
        let mut base = ok("a: {x: 1, y: [1, 2]}\nb: 1\n");
        base.merge(ok("a: {y: [3]}\nc: 2\n"));
        assert_eq!(base.to_json(), json!({"a": {"x": 1, "y": [3]}, "b": 1, "c": 2}));
        base.merge(ok("a:\n  # all commented out\n"));
        assert_eq!(base.to_json(), json!({"a": {"x": 1, "y": [3]}, "b": 1, "c": 2}));
    }
}
