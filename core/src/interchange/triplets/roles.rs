//! Which columns are the anchor, the positive and the negatives.

use crate::interchange::columns::{is_about, is_id, listed, plain, shown};
use serde::Serialize;
use serde_json::{Map, Value};

/// Names of the anchor's column.
const ANCHORS: [&str; 8] =
    ["anchor", "query", "question", "sentence1", "sentence_1", "query_text", "question_text", "premise"];
/// Names of the positive's column.
const POSITIVES: [&str; 12] = [
    "positive",
    "answer",
    "sentence2",
    "sentence_2",
    "pos",
    "pos_text",
    "positive_text",
    "positive_passage",
    "positive_document",
    "document",
    "passage",
    "response",
];
/// Names of lists whose texts have labels.
const LISTS: [&str; 3] = ["documents", "passages", "docs"];
/// Tevatron's lists of passages.
const PASSAGES: [&str; 2] = ["positive_passages", "negative_passages"];

/// Columns that the user names.
#[derive(Clone, Copy, Debug, Default)]
pub struct RolesGiven<'a> {
    /// The anchor.
    pub anchor: Option<&'a str>,
    /// The positive.
    pub positive: Option<&'a str>,
    /// The negatives.
    pub negatives: &'a [String],
}

/// Which columns were taken for what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Roles {
    /// The anchor.
    pub anchor: String,
    /// The positive, or the list that holds positives and negatives.
    pub positive: String,
    /// The negatives.
    pub negatives: Vec<String>,
    /// What tells positives from negatives in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// Columns that nothing is taken from.
    pub unused: Vec<String>,
}

impl Roles {
    /// What was taken, for people.
    #[must_use]
    pub fn told(&self) -> String {
        let name = |name: &str| format!("\"{}\"", shown(name));
        let mut text = format!("anchor from {}", name(&self.anchor));
        text += &match &self.labels {
            Some(labels) => format!(", positives and negatives from {} by {}", name(&self.positive), name(labels)),
            None => format!(", positive from {}", name(&self.positive)),
        };
        if !self.negatives.is_empty() {
            text += &format!(", negatives from {}", listed(self.negatives.iter().map(String::as_str)));
        }
        if !self.unused.is_empty() {
            text += &format!("; not used: {}", listed(self.unused.iter().map(String::as_str)));
        }
        text
    }
}

/// Whether a column holds passages with titles.
pub(super) fn is_passages(name: &str) -> bool {
    PASSAGES.contains(&name)
}

/// The columns of a row: those that are given, else by their names.
///
/// # Errors
/// They can't be told, or there are none of these names; what there is, and which flags choose.
pub(super) fn choose(row: &Map<String, Value>, given: &RolesGiven<'_>) -> Result<Roles, String> {
    let has = |name: &str| row.contains_key(name).then(|| name.to_owned());
    let any = given.anchor.is_some() || given.positive.is_some() || !given.negatives.is_empty();
    let form = match () {
        () if any => None,
        () if row.contains_key(PASSAGES[0]) => Some((PASSAGES[0].to_owned(), has(PASSAGES[1]), None)),
        () if row.contains_key("pos") && row.contains_key("query") => Some(("pos".to_owned(), has("neg"), None)),
        () => labelled_list(row),
    };
    let mut roles = match form {
        Some((positive, negatives, labels)) => {
            let anchor = match is_passages(&positive) {
                true => has("query")
                    .ok_or_else(|| unclear(row, "\"query\", which stands beside positive_passages, is missing"))?,
                false => known(row, "anchor", &ANCHORS, None)?.ok_or_else(|| unclear(row, "there is no anchor"))?,
            };
            Roles { anchor, positive, negatives: negatives.into_iter().collect(), labels, unused: Vec::new() }
        }
        None => columns(row, given)?,
    };
    let Roles { anchor, positive, negatives, labels, .. } = &roles;
    let taken =
        |name: &String| name == anchor || name == positive || negatives.contains(name) || labels.as_ref() == Some(name);
    roles.unused = row.keys().filter(|name| !taken(name)).cloned().collect();
    Ok(roles)
}

type Form = (String, Option<String>, Option<String>);

fn labelled_list(row: &Map<String, Value>) -> Option<Form> {
    let list = LISTS.iter().find(|name| row.get(**name).is_some_and(Value::is_array))?;
    row.contains_key("labels").then(|| ((*list).to_owned(), None, Some("labels".to_owned())))
}

/// Plain columns.
fn columns(row: &Map<String, Value>, given: &RolesGiven<'_>) -> Result<Roles, String> {
    let exact = |name: &str| match row.contains_key(name) {
        true => Ok(name.to_owned()),
        false => Err(format!("no column for \"{}\"; there are {}", shown(name), all(row))),
    };
    let role = |given: Option<&str>, what: &str, names: &[&str], other: Option<&str>| match given {
        Some(name) => exact(name).map(Some),
        None => known(row, what, names, other),
    };
    let anchor = role(given.anchor, "anchor", &ANCHORS, given.positive)?;
    let positive = role(given.positive, "positive", &POSITIVES, given.anchor)?;
    let negatives: Vec<String> = match given.negatives {
        [] => row.keys().filter(|name| is_negative(name)).cloned().collect(),
        names => names.iter().map(|name| exact(name)).collect::<Result<_, _>>()?,
    };
    let (anchor, positive) = match (anchor, positive) {
        (Some(anchor), Some(positive)) => (anchor, positive),
        (None, None) => by_place(row, &negatives)?,
        (anchor, _) => {
            let what = if anchor.is_some() { "positive" } else { "anchor" };
            return Err(unclear(row, &format!("no column is known to be the {what}")));
        }
    };
    if anchor == positive || negatives.contains(&anchor) || negatives.contains(&positive) {
        return Err(format!("one column can't be two of anchor, positive and negatives; there are {}", all(row)));
    }
    let negatives = negatives.into_iter().filter(|name| *name != anchor && *name != positive).collect();
    Ok(Roles { anchor, positive, negatives, labels: None, unused: Vec::new() })
}

/// The only column of these names, but for one that is taken.
fn known(row: &Map<String, Value>, what: &str, names: &[&str], taken: Option<&str>) -> Result<Option<String>, String> {
    let is_one = |name: &&String| names.contains(&plain(name).as_str()) && Some(name.as_str()) != taken;
    let found: Vec<&String> = row.keys().filter(is_one).collect();
    match found[..] {
        [] => Ok(None),
        [name] => Ok(Some(name.clone())),
        _ => {
            let found = listed(found.iter().map(|name| name.as_str()));
            Err(format!("several columns may be the {what}: {found}; choose one with --{what}"))
        }
    }
}

/// Where no name is known: the two columns that are neither ids nor negatives, in their order.
fn by_place(row: &Map<String, Value>, negatives: &[String]) -> Result<(String, String), String> {
    let texts: Vec<&String> = row.keys().filter(|name| !is_about(name) && !negatives.contains(*name)).collect();
    let number = |name: &str| match &row[name] {
        Value::String(text) => text.trim().parse::<f64>().is_ok(),
        other => other.is_number() || other.is_boolean(),
    };
    match texts[..] {
        [] | [_] => Err(unclear(row, "fewer than two columns of texts")),
        [anchor, positive] if !number(anchor) && !number(positive) => Ok((anchor.clone(), positive.clone())),
        _ => Err(unclear(row, "no column is known to be the anchor or the positive")),
    }
}

fn is_negative(name: &str) -> bool {
    let word = |word: &str| {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        matches!(word, "neg" | "negs" | "negative" | "negatives" | "hardneg" | "hardnegative" | "hardnegatives")
    };
    !is_about(name) && plain(name).split('_').any(word)
}

fn all(row: &Map<String, Value>) -> String {
    listed(row.keys().map(String::as_str))
}

fn unclear(row: &Map<String, Value>, what: &str) -> String {
    if let Some(ids) = row.keys().find(|name| is_id(name) && plain(name).starts_with("pos")) {
        return format!(
            "\"{}\" holds ids of documents, not their texts: put the texts of the corpus into the rows first (as \
             positive_passages, or positive and negative)",
            shown(ids)
        );
    }
    format!("{what}; there are {}. Choose with --anchor, --positive and --negative", all(row))
}
