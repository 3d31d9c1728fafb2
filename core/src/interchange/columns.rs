//! Names of columns: how they are compared and shown, and which are no texts.

use super::rows::Row;
use serde_json::Value;

/// Characters of a name that messages show.
const SHOWN: usize = 40;
/// Names that a message lists.
const LISTED: usize = 20;

/// A stranger's name in a message: without control characters, and not too long.
pub(crate) fn shown(name: &str) -> String {
    let mut out: String = name.chars().take(SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if name.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}

/// Names in a message.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> =
        names.map(shown).map(|name| if name.is_empty() { "\"\"".to_owned() } else { name }).collect();
    let more = names.len().saturating_sub(LISTED);
    let text = names[..names.len() - more].join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

/// A name for comparisons: `labelText`, `Label-Text` and `label text` are `label_text`.
pub(super) fn plain(name: &str) -> String {
    let mut out = String::new();
    let mut lower = false;
    for c in name.trim().chars() {
        if c.is_uppercase() && lower {
            out.push('_');
        }
        lower = c.is_lowercase() || c.is_ascii_digit();
        match c {
            '-' | ' ' | '.' | '/' => out.push('_'),
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// Whether a column holds ids or row numbers, by its name.
pub(super) fn is_id(name: &str) -> bool {
    const NAMES: [&str; 20] = [
        "", "id", "ids", "idx", "index", "row", "rowid", "no", "nr", "num", "number", "#", "uuid", "guid", "key",
        "qid", "pid", "did", "docid", "docno",
    ];
    const ENDS: [&str; 7] = ["_id", "_ids", "_idx", "_index", "_uuid", "_key", "_no"];
    // Written as one word.
    const OF: [&str; 14] = [
        "query", "question", "answer", "doc", "document", "passage", "text", "sentence", "row", "user", "item",
        "corpus", "pos", "neg",
    ];
    let name = plain(name);
    let one_word = || name.strip_suffix("ids").or(name.strip_suffix("id")).is_some_and(|stem| OF.contains(&stem));
    NAMES.contains(&name.as_str())
        || ENDS.iter().any(|end| name.ends_with(end))
        || name.starts_with("unnamed:")
        || name.contains("index_level")
        || one_word()
}

/// Whether a column holds numbers about a row rather than a text of it, by its name.
pub(super) fn is_about(name: &str) -> bool {
    const WORDS: [&str; 9] =
        ["score", "scores", "label", "labels", "margin", "similarity", "distance", "rank", "split"];
    is_id(name) || plain(name).split('_').any(|word| WORDS.contains(&word))
}

/// What Crucible itself wrote, which needs no import: what it is, and what takes it.
#[must_use]
pub fn own_kind(row: &Row) -> Option<&'static str> {
    let values = &row.values;
    let has = |name: &str| values.contains_key(name);
    Some(match () {
        () if has("eval_header") => "is a scoreboard: `crucible compare` takes it",
        () if has("margin") && has("winning_negative") => "holds items of a scoreboard: `crucible compare` takes that",
        () if has("bundle_id") || has("anchor_text") || values.get("anchor").is_some_and(Value::is_object) => {
            "holds bundles, which need no import: `crucible train --bundles` and `crucible eval --eval-set` take it"
        }
        () if has("event_id") && (has("sense") || has("sense_id")) && has("text") => {
            "holds events, which need no import: `crucible bundle --events` takes it"
        }
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_by_their_names() {
        for name in
            ["id", "_id", "ID", "qid", "query-id", "queryId", "idx", "index", "Unnamed: 0", "", "__index_level_0__"]
        {
            assert!(is_id(name), "{name}");
        }
        for name in ["answerid", "doc_ids", "negative_document_ids", "neg_ids", "row number_no"] {
            assert!(is_id(name), "{name}");
        }
        for name in ["text", "query", "paid", "document", "label", "valid", "keys of it", "idea"] {
            assert!(!is_id(name), "{name}");
        }
        assert!(is_about("neg_scores") && is_about("label") && !is_about("labelled texts"));
    }

    #[test]
    fn own_files_are_told() {
        for (line, part) in [
            ("{\"event_id\": \"1\", \"sense\": \"a\", \"text\": \"t\"}", "crucible bundle --events"),
            ("{\"bundle_id\": \"1\", \"anchor\": {}}", "crucible train --bundles"),
            ("{\"anchor_text\": \"1\", \"positive_text\": \"\"}", "crucible train --bundles"),
        ] {
            let values = serde_json::from_str(line).expect("JSON");
            assert!(own_kind(&Row { line: 1, values }).expect(line).contains(part), "{line}");
        }
        let values = serde_json::from_str("{\"anchor\": \"a\", \"text\": \"t\", \"label\": 1}").expect("JSON");
        assert_eq!(own_kind(&Row { line: 1, values }), None);
    }

    #[test]
    fn names_are_shown_harmlessly() {
        assert_eq!(shown("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
        assert_eq!(shown(&"é".repeat(50)), "é".repeat(40) + "…");
        assert_eq!(listed(["a", ""].into_iter()), "a, \"\"");
        assert!(listed((0..25).map(|_| "x")).ends_with(" and 5 more"));
        assert_eq!([plain("labelText"), plain("Label-Text"), plain("LABEL")], ["label_text", "label_text", "label"]);
    }
}
