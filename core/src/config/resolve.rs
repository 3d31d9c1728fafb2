//! From files, environment and flags to one checked configuration.
//!
//! Order, later over earlier: defaults, the file that `extends` names (and its own base), the file, the environment,
//! flags. Nothing here opens a file or reads the environment: the caller hands in both as functions.

use super::provenance::{Leaf, leaves, origin_of};
use super::schema::{Place, schema};
use super::tree::{Entry, Node, NodeValue, parse, parse_value};
use super::variables::{Env, expand};
use super::{Config, ConfigFault, ConfigFaults, Origin, check, validate};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Files in a chain of `extends`.
const MAX_CHAIN: usize = 16;

/// Keys that name files or folders: relative to the file that names them.
const PATH_KEYS: [[&str; 2]; 8] = [
    ["data", "events"],
    ["data", "bundles"],
    ["data", "frozen_eval"],
    ["data", "organic_eval"],
    ["data", "embeddings"],
    ["data", "embedding_ids"],
    ["model", "tokenizer_file"],
    ["experiment", "output_dir"],
];

/// Variables that set a key by themselves.
const ENVIRONMENT: [(&str, &str); 2] = [("CRUCIBLE_DEVICE", "device.type"), ("CRUCIBLE_WEBHOOK", "guardrails.webhook")];

/// A value from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The flag as typed, such as `--steps`, for messages and `config show`.
    pub flag: String,
    /// The key, such as `training.steps`.
    pub path: String,
    /// Its value, read as YAML; `1,2,3` is a list where the key holds one.
    pub value: String,
}

impl Override {
    /// `--training.steps 20000`.
    #[must_use]
    pub fn dotted(path: &str, value: &str) -> Self {
        Self::named(&format!("--{path}"), path, value)
    }

    /// A flag with a name of its own for a key, such as `--steps` for `training.steps`.
    #[must_use]
    pub fn named(flag: &str, path: &str, value: &str) -> Self {
        Self { flag: flag.to_owned(), path: path.to_owned(), value: value.to_owned() }
    }
}

/// What a configuration is made of.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The configuration file; none: defaults, environment and flags.
    pub file: Option<&'a Path>,
    /// Reads a file's text. Should refuse more than [`MAX_CONFIG_BYTES`](super::MAX_CONFIG_BYTES) before holding it.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// A variable's value, if it is set.
    pub env: Env<'a>,
    /// In the order of the command line: the last one wins.
    pub flags: &'a [Override],
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The values. Paths are relative to the working folder, or absolute.
    pub config: Config,
    /// The same values with where each came from.
    pub leaves: Vec<Leaf>,
    /// The files it was read from, base first.
    pub files: Vec<PathBuf>,
    /// What is likely not meant and does no harm.
    pub warnings: Vec<ConfigFault>,
}

/// Resolves and checks a configuration.
///
/// # Errors
/// All faults that can be seen together: unreadable files and YAML that is none come alone, then keys and types, then
/// what contradicts itself.
pub fn resolve(sources: Sources<'_>) -> Result<Resolved, ConfigFaults> {
    let mut faults = ConfigFaults::default();
    let mut tree = Node::new(NodeValue::Map(Vec::new()), Origin::Default);
    let mut files = Vec::new();
    if let Some(file) = sources.file {
        for (path, mut layer) in load_chain(file, sources.read)? {
            expand(&mut layer, sources.env, "", &mut faults);
            anchor_paths(&mut layer, &path);
            tree.merge(layer);
            files.push(path);
        }
    }
    for (name, path) in ENVIRONMENT {
        if let Some(value) = (sources.env)(name).filter(|v| !v.is_empty()) {
            set(&mut tree, path, &value, &Origin::Environment(name.to_owned()), &mut faults);
        }
    }
    for flag in sources.flags {
        set(&mut tree, &flag.path, &flag.value, &Origin::Flag(flag.flag.clone()), &mut faults);
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let config = typed(&mut tree)?;
    let (broken, warnings) = validate::validate(&config);
    let locate = |f: validate::Finding| {
        let origin = f.keys.iter().map(|key| origin_of(&tree, key)).find(|o| *o != Origin::Default);
        ConfigFault {
            origin: Some(origin.unwrap_or(Origin::Default)),
            field: Some(f.field),
            message: f.message,
            advice: f.advice,
        }
    };
    broken.into_iter().map(locate).for_each(|fault| faults.push(fault));
    if !faults.is_empty() {
        return Err(faults);
    }
    let warnings = warnings.into_iter().map(locate).collect();
    Ok(Resolved { leaves: leaves(&config, &tree), config, files, warnings })
}

/// Checks values that did not come through [`resolve`], such as those of a sweep's plan, by the same rules.
///
/// # Errors
/// All their faults; they name keys and no places.
pub fn check_values(config: &Config) -> Result<(), ConfigFaults> {
    let nowhere = |mut faults: ConfigFaults| {
        faults.faults.iter_mut().for_each(|fault| fault.origin = None);
        faults
    };
    let mut tree = Node::of_json(serde_json::to_value(config).unwrap_or_default());
    let config = typed(&mut tree).map_err(nowhere)?;
    let mut faults = ConfigFaults::default();
    for finding in validate::validate(&config).0 {
        let validate::Finding { field, message, advice, .. } = finding;
        faults.push(ConfigFault { origin: None, field: Some(field), message, advice });
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Checks the tree against the schema and fills the typed sections.
fn typed(tree: &mut Node) -> Result<Config, ConfigFaults> {
    let mut faults = ConfigFaults::default();
    let schema = schema();
    let root = Place::root(&schema);
    check::check(tree, root, root, "", &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    serde_path_to_error::deserialize(tree.to_json()).map_err(|e| {
        // The schema let something through that the types refuse; their words are better than nothing.
        let path = e.path().to_string();
        ConfigFault::of_key(&origin_of(tree, &path), &path, e.inner().to_string()).into()
    })
}

/// Reads `file` and the files that it extends, base first.
fn load_chain(
    file: &Path,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Vec<(PathBuf, Node)>, Box<ConfigFault>> {
    let mut chain: Vec<(PathBuf, Node)> = Vec::new();
    let mut next = Some((file.to_owned(), None));
    while let Some((path, named_at)) = next {
        if let Some(start) = chain.iter().position(|(seen, _)| normal(seen) == normal(&path)) {
            let names = chain[start..].iter().map(|(p, _)| p).chain([&path]);
            let shown = names.map(|p| p.display().to_string()).collect::<Vec<_>>().join(" extends ");
            return Err(named(named_at, format!("a cycle: {shown}")).advise("take one `extends` out").into());
        }
        if chain.len() == MAX_CHAIN {
            return Err(named(named_at, format!("over {MAX_CHAIN} files extend each other"))
                .advise("merge some")
                .into());
        }
        let text = read(&path).map_err(|e| unreadable(&path, named_at.clone(), &e))?;
        let mut node = parse(&text, &path.display().to_string())?;
        next = take_extends(&mut node)?.map(|(base, origin)| (beside(&path, &base), Some(origin)));
        chain.push((path, node));
    }
    chain.reverse();
    Ok(chain)
}

fn named(origin: Option<Origin>, message: String) -> ConfigFault {
    ConfigFault { origin, field: Some("extends".to_owned()), message, advice: None }
}

fn unreadable(path: &Path, named_at: Option<Origin>, error: &io::Error) -> ConfigFault {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    let message = format!("cannot read {}: {why}", path.display());
    match named_at {
        Some(_) => named(named_at, message),
        None => ConfigFault { origin: None, field: None, message, advice: None },
    }
}

/// Takes `extends` out of a file's tree.
fn take_extends(node: &mut Node) -> Result<Option<(String, Origin)>, Box<ConfigFault>> {
    let NodeValue::Map(entries) = &mut node.value else {
        let message = format!("a configuration is sections of `key: value` lines; this is {}", node.describe());
        return Err(ConfigFault::at(node.origin.clone(), message).into());
    };
    let Some(at) = entries.iter().position(|e| e.key == "extends") else { return Ok(None) };
    let Entry { node, .. } = entries.remove(at);
    match node.value {
        NodeValue::Text(base) if !base.is_empty() && !base.contains("${") => Ok(Some((base, node.origin))),
        NodeValue::Text(base) if base.contains("${") => {
            let message = "variables are not replaced here";
            Err(ConfigFault::of_key(&node.origin, "extends", message).advise("name the file").into())
        }
        NodeValue::Null => Ok(None),
        _ => {
            let message = format!("expected the name of a file; got {}", node.describe());
            Err(ConfigFault::of_key(&node.origin, "extends", message).into())
        }
    }
}

/// Makes the paths in a file's tree relative to where the file's own path starts.
fn anchor_paths(layer: &mut Node, file: &Path) {
    for [section, key] in PATH_KEYS {
        let Some(node) = layer.get_mut(section).and_then(|s| s.get_mut(key)) else { continue };
        let text = match (&node.value, &node.raw) {
            (NodeValue::Text(text), _) | (NodeValue::Number(_) | NodeValue::Bool(_), Some(text)) => text.clone(),
            _ => continue,
        };
        if !text.is_empty() {
            node.value = NodeValue::Text(beside(file, &text).to_string_lossy().into_owned());
        }
    }
}

/// `named` as seen from the folder of `file`.
fn beside(file: &Path, named: &str) -> PathBuf {
    let named = Path::new(named);
    let named = named.strip_prefix("./").unwrap_or(named);
    file.parent().map_or_else(|| named.to_owned(), |folder| folder.join(named))
}

/// A path without `.` and with `..` resolved by name, so that two spellings of one file are seen to be one.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// Sets the value at a dotted path, making sections on the way.
fn set(tree: &mut Node, path: &str, value: &str, origin: &Origin, faults: &mut ConfigFaults) {
    let keys: Vec<&str> = path.split('.').collect();
    if keys.len() > 8 || keys.iter().any(|k| k.is_empty()) {
        return faults.push(ConfigFault::of_key(origin, path, "no key of the configuration"));
    }
    let leaf = parse_value(value, origin);
    let layer = keys.iter().rev().fold(leaf, |node, key| {
        let entry = Entry { key: (*key).to_owned(), key_origin: origin.clone(), node };
        Node::new(NodeValue::Map(vec![entry]), origin.clone())
    });
    tree.merge(layer);
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
