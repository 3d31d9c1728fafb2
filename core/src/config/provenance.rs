//! Where each value of a configuration came from.

use super::Config;
use super::tree::Node;
use serde_json::Value;
use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody named it.
    Default,
    /// A configuration file.
    File {
        /// As it was named.
        file: String,
        /// From 1.
        line: u64,
        /// The environment variables that the value is made of, such as `STEPS`.
        variables: Vec<String>,
    },
    /// An environment variable that sets it by itself, such as `CRUCIBLE_DEVICE`.
    Environment(String),
    /// A flag, such as `--training.steps`.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line, variables } => {
                write!(f, "{file}:{line}")?;
                variables.iter().try_for_each(|name| write!(f, " (${{{name}}})"))
            }
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One value of the resolved configuration. Lists are one value: a file that names a list replaces all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// Such as `["training", "steps"]`.
    pub path: Vec<String>,
    /// The value.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

impl Leaf {
    /// Such as `training.steps`.
    #[must_use]
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }
}

/// All values of `config`, in the order of its sections, each with its place in the tree it was made from.
pub(super) fn leaves(config: &Config, tree: &Node) -> Vec<Leaf> {
    let mut out = Vec::new();
    if let Ok(value) = serde_json::to_value(config) {
        collect(&value, Some(tree), &mut Vec::new(), &mut out);
    }
    out
}

fn collect(value: &Value, node: Option<&Node>, path: &mut Vec<String>, out: &mut Vec<Leaf>) {
    if let Value::Object(map) = value {
        for (key, inner) in map {
            path.push(key.clone());
            collect(inner, node.and_then(|n| n.get(key)), path, out);
            path.pop();
        }
        return;
    }
    let origin = node.map_or(Origin::Default, |n| n.origin.clone());
    out.push(Leaf { path: path.clone(), value: value.clone(), origin });
}

/// The origin of the value at a dotted path: its own, or [`Origin::Default`].
pub(super) fn origin_of(tree: &Node, path: &str) -> Origin {
    let mut node = tree;
    for key in path.split('.') {
        match node.get(key) {
            Some(inner) => node = inner,
            None => return Origin::Default,
        }
    }
    node.origin.clone()
}
