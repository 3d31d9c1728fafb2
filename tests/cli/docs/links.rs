//! Every link in the documents leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Folders that hold no documents of the project.
const SKIPPED: [&str; 5] = ["target", "shared", "node_modules", "fixtures", "vendor"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// All Markdown files with their texts, by path from the root.
pub(super) fn documents() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|e| e == "md") {
                let text = std::fs::read_to_string(&path).expect("reads");
                found.insert(path.strip_prefix(root).expect("below").to_owned(), text);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&root(), &root(), &mut found);
    found
}

/// A text without fenced code.
pub(super) fn prose(text: &str) -> String {
    let mut fenced = false;
    let keep = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    };
    text.lines().filter(keep).collect::<Vec<_>>().join("\n")
}

/// Targets of `[text](target)`.
fn targets(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let text = prose(text);
    for (at, _) in text.match_indices("](") {
        let rest = &text[at + 2..];
        let end = rest.find(')').expect("a link ends");
        out.push(rest[..end].to_owned());
    }
    out
}

/// What a heading is linked by: small letters, digits, `-`, `_`; blanks become `-`.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(text: &str) -> BTreeSet<String> {
    prose(text).lines().filter(|l| l.starts_with('#')).map(|l| anchor(l.trim_start_matches('#'))).collect()
}

/// Links of `documents` that lead nowhere.
fn broken(documents: &BTreeMap<PathBuf, String>, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in documents {
        for target in targets(text) {
            if target.starts_with("https://") || target.starts_with("http://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let mut to = path.parent().expect("a folder").to_owned();
            for part in Path::new(file).components() {
                match part {
                    std::path::Component::ParentDir => drop(to.pop()),
                    std::path::Component::CurDir => {}
                    part => to.push(part),
                }
            }
            let to = if file.is_empty() { path.clone() } else { to };
            let found =
                exists(&to) && (heading.is_empty() || documents.get(&to).is_some_and(|t| anchors(t).contains(heading)));
            if !found {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
        // Files that are named without a link.
        for name in prose(text).split('`').skip(1).step_by(2) {
            let named = name.starts_with("docs/") && name.ends_with(".md") && !name.contains(['*', '{', ' ']);
            if named && !exists(Path::new(name)) {
                broken.push(format!("{}: `{name}`", path.display()));
            }
        }
    }
    broken
}

#[test]
fn links_lead_somewhere() {
    let broken = broken(&documents(), |path| root().join(path).exists());
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let text = "# A b\n[x](b.md#c) [y](no.md) [z](#a-b) [w](#c) `docs/no.md`\n```\n[q](no.md)\n```\n";
    let documents = [("docs/a.md", text), ("docs/b.md", "## C\n")]
        .map(|(path, text)| (PathBuf::from(path), text.to_owned()))
        .into();
    let found = broken(&documents, |path| documents.contains_key(path));
    assert_eq!(found, ["docs/a.md: no.md", "docs/a.md: #c", "docs/a.md: `docs/no.md`"]);
}

#[test]
fn the_index_names_every_document() {
    let documents = documents();
    let index = &documents[Path::new("docs/INDEX.md")];
    let linked = targets(index);
    for path in documents.keys().filter(|p| p.parent() == Some(Path::new("docs")) && !p.ends_with("INDEX.md")) {
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(linked.iter().any(|l| *l == name), "docs/INDEX.md does not link {name}");
    }
}
