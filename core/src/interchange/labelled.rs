//! Labelled texts to events.

use super::columns::{is_id, listed, plain, shown};
use super::rows::Row;
use super::text_of;
use crate::data::{Event, Fault, Faults};
use crate::lexical::hash;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Lemma of labels where nothing says which of them get confused: any of them may be.
const ONE_LEMMA: &str = "labels";
/// Usual names of the column of texts.
const TEXTS: [&str; 5] = ["text", "sentence", "content", "utterance", "query"];
/// Usual names of the column of labels.
const LABELS: [&str; 6] = ["label", "sense", "class", "category", "intent", "target"];
/// What a column of names beside one of numbers is called: `label_text` beside `label`.
const NAMES: [&str; 6] = ["text", "name", "names", "str", "string", "title"];

/// Columns that the user names.
#[derive(Clone, Copy, Debug, Default)]
pub struct LabelColumns<'a> {
    /// The text.
    pub text: Option<&'a str>,
    /// The label.
    pub label: Option<&'a str>,
    /// An id.
    pub id: Option<&'a str>,
    /// The group inside which labels get confused.
    pub lemma: Option<&'a str>,
    /// The document.
    pub document: Option<&'a str>,
}

/// Which columns say what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Labels {
    /// The text.
    pub text: String,
    /// The label.
    pub label: String,
    /// An id; without it one of the text and the label.
    pub id: Option<String>,
    /// The group inside which labels get confused. Without it a label's part before `#`, or all labels are one group.
    pub lemma: Option<String>,
    /// The document.
    pub document: Option<String>,
    /// Columns that nothing is taken from.
    pub unused: Vec<String>,
    /// Names of classes by column, where a file says what its numbers stand for.
    #[serde(skip)]
    pub class_names: BTreeMap<String, Vec<String>>,
}

impl Labels {
    /// The columns as given, or by their usual names among those of `first`. Where a column of numbers has one of names
    /// beside it (`label`, `label_text`), the names are taken. `class_names` are those that the file itself has.
    ///
    /// # Errors
    /// No such column; several that may be meant.
    pub fn choose(
        first: &Row,
        given: &LabelColumns<'_>,
        class_names: BTreeMap<String, Vec<String>>,
    ) -> Result<Self, String> {
        let names: Vec<&str> = first.values.keys().map(String::as_str).collect();
        let exact = |name: &str| -> Result<String, String> {
            let found = names.iter().find(|n| **n == name).map(|name| (*name).to_owned());
            found.ok_or_else(|| format!("no column for \"{name}\"; there are {}", listed(names.iter().copied())))
        };
        let all = |names: &[&str]| listed(names.iter().copied());
        let usual = |what: &str, found: Vec<&str>| match found[..] {
            [] => Err(format!("no column for the {what}; there are {}", all(&names))),
            [name] => Ok(name.to_owned()),
            _ => Err(format!("several columns may be the {what}: {}; choose one with --{what}", all(&found))),
        };
        let text = match given.text {
            Some(name) => exact(name)?,
            None => usual("text", names.iter().copied().filter(|n| TEXTS.contains(&plain(n).as_str())).collect())?,
        };
        let label = match given.label {
            Some(name) => exact(name)?,
            None => usual("label", label_columns(&first.values, &class_names))?,
        };
        let optional = |name: Option<&str>| name.map(exact).transpose();
        let (id, lemma, document) = (optional(given.id)?, optional(given.lemma)?, optional(given.document)?);
        let taken = [Some(&text), Some(&label), id.as_ref(), lemma.as_ref(), document.as_ref()];
        let unused = names.iter().filter(|n| !taken.iter().flatten().any(|t| t == *n)).map(|n| (*n).to_owned());
        Ok(Self { unused: unused.collect(), text, label, id, lemma, document, class_names })
    }

    /// What was taken, for people.
    #[must_use]
    pub fn told(&self) -> String {
        let mut text = format!("Columns: text from \"{}\", label from \"{}\"", shown(&self.text), shown(&self.label));
        if self.class_names.contains_key(&self.label) {
            text += " (numbers; the file has their names)";
        }
        for (what, column) in [("lemma", &self.lemma), ("document", &self.document), ("id", &self.id)] {
            if let Some(name) = column {
                text += &format!(", {what} from \"{}\"", shown(name));
            }
        }
        if self.id.is_none() {
            text += "; ids are made of text and label";
            if let Some(name) = self.unused.iter().find(|name| is_id(name)) {
                text += &format!(" (--id \"{}\" takes that column)", shown(name));
            }
        }
        if !self.unused.is_empty() {
            text += &format!("; not used: {}", listed(self.unused.iter().map(String::as_str)));
        }
        text
    }
}

/// Columns that may hold the label: one for each usual name, that of its names where there is one.
fn label_columns<'a>(values: &'a Map<String, Value>, class_names: &BTreeMap<String, Vec<String>>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for usual in LABELS {
        let is_name =
            |name: &str| NAMES.iter().any(|n| name == format!("{usual}_{n}") || name == format!("{n}_{usual}"));
        let own = values.keys().find(|name| plain(name) == usual);
        let named: Vec<&str> = values.keys().map(String::as_str).filter(|name| is_name(&plain(name))).collect();
        // Names stand beside numbers; beside other texts they are something else.
        found.extend(own.filter(|own| named.is_empty() || !is_number(&values[*own])).map(String::as_str));
        found.extend(named);
    }
    if found.is_empty() {
        found.extend(values.keys().filter(|name| class_names.contains_key(*name)).map(String::as_str));
    }
    found
}

fn is_number(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| text.trim().parse::<f64>().is_ok())
}

/// A name without blanks at its ends, and with single ones inside.
fn tidy(name: &str) -> Cow<'_, str> {
    let unseen = |c: char| matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}');
    let clean =
        !name.contains(unseen) && name.split(' ').all(|word| !word.is_empty() && !word.contains(char::is_whitespace));
    if clean {
        return Cow::Borrowed(name);
    }
    let seen: String = name.chars().filter(|c| !unseen(*c)).collect();
    Cow::Owned(seen.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Makes an event of each row.
pub struct Labelling {
    labels: Labels,
    faults: Faults,
    /// By hash of the id: its first line where ids are given, how often it was made where they are not.
    ids: HashMap<u64, u64>,
    events: usize,
    tidied: usize,
    senses: BTreeSet<String>,
    lemmas: BTreeSet<String>,
}

/// What was made of the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelReport {
    /// Which columns were taken.
    pub columns: Labels,
    /// Events.
    pub events: usize,
    /// Senses.
    pub senses: usize,
    /// Lemmas.
    pub lemmas: usize,
    /// Rows whose label, lemma or document had blanks that were taken off.
    pub tidied: usize,
    /// What the user should know besides.
    pub notes: Vec<String>,
}

impl Labelling {
    /// With these columns, of a file with this name.
    #[must_use]
    pub fn new(labels: Labels, source: &str) -> Self {
        Self {
            labels,
            faults: Faults::new(source),
            ids: HashMap::new(),
            events: 0,
            tidied: 0,
            senses: BTreeSet::new(),
            lemmas: BTreeSet::new(),
        }
    }

    /// The event of a row; none, with a fault for [`Labelling::finish`], where values are missing or an id was used before.
    pub fn event(&mut self, row: &Row) -> Option<Event> {
        match self.made(row) {
            Ok(event) => {
                self.events += 1;
                for (set, name) in [(&mut self.senses, &event.sense), (&mut self.lemmas, &event.lemma)] {
                    if !set.contains(name) {
                        set.insert(name.clone());
                    }
                }
                Some(event)
            }
            Err((field, message)) => {
                self.faults.push(Fault { line: Some(row.line), field: Some(field), message });
                None
            }
        }
    }

    fn made(&mut self, row: &Row) -> Result<Event, (String, String)> {
        let labels = &self.labels;
        let mut tidied = false;
        let mut named = |column: &str| -> Result<String, (String, String)> {
            let value = labels.value(row, column)?;
            let clean = tidy(&value);
            tidied |= matches!(clean, Cow::Owned(_));
            match clean.is_empty() {
                true => Err((column.to_owned(), "is missing, empty, or no text".to_owned())),
                false => Ok(clean.into_owned()),
            }
        };
        let sense = named(&labels.label)?;
        let lemma = match &labels.lemma {
            Some(column) => named(column)?,
            None => sense.split_once('#').map_or(ONE_LEMMA, |(lemma, _)| lemma.trim_end()).to_owned(),
        };
        let mut extra = Map::new();
        if let Some(column) = &labels.document {
            extra.insert("doc".to_owned(), named(column)?.into());
        }
        let text = labels.value(row, &labels.text)?;
        let event_id = match &labels.id {
            Some(column) => labels.value(row, column)?,
            None => content_id(&mut self.ids, &text, &sense),
        };
        if let Some(column) = &labels.id
            && let Some(first) = self.ids.insert(hash(&[&event_id]), row.line)
        {
            let message = format!("\"{}\" was already used on line {first}", shown(&event_id));
            return Err((column.clone(), message));
        }
        self.tidied += usize::from(tidied);
        Ok(Event { event_id, sense, lemma, text, span: None, embedding: None, extra })
    }

    /// What was made of all rows.
    ///
    /// # Errors
    /// All faults, by line.
    pub fn finish(self) -> Result<LabelReport, Faults> {
        let notes = self.notes();
        let report = LabelReport {
            columns: self.labels,
            events: self.events,
            senses: self.senses.len(),
            lemmas: self.lemmas.len(),
            tidied: self.tidied,
            notes,
        };
        self.faults.or(report)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.tidied > 0 {
            notes.push(format!(
                "{} rows had blanks at an end of a label, lemma or document, or several in a row: they were taken off",
                self.tidied
            ));
        }
        let mut cases: HashMap<String, &str> = HashMap::new();
        let apart = self.senses.iter().find_map(|s| Some((cases.insert(s.to_lowercase(), s)?, s.as_str())));
        if let Some((a, b)) = apart {
            notes.push(format!("labels that differ by case stay apart, such as \"{}\" and \"{}\"", shown(a), shown(b)));
        }
        let numbers = self.senses.iter().all(|sense| sense.parse::<f64>().is_ok());
        if numbers && self.events > 0 {
            notes.push(
                "labels are numbers, and the file has no names for them; --label takes another column".to_owned(),
            );
        }
        notes
    }
}

impl Labels {
    /// A value as a text that is not blank; a class by its name.
    fn value(&self, row: &Row, column: &str) -> Result<String, (String, String)> {
        let refused = |message: String| (column.to_owned(), message);
        let value = row.values.get(column).unwrap_or(&Value::Null);
        if let (Some(names), Value::Number(number)) = (self.class_names.get(column), value) {
            let name = number.as_u64().and_then(|n| names.get(usize::try_from(n).ok()?));
            let name = name.filter(|name| !name.trim().is_empty()).cloned();
            return name
                .ok_or_else(|| refused(format!("is {number}; the file names the classes 0 to {}", names.len() - 1)));
        }
        let text = match value {
            Value::Bool(truth) => Some(truth.to_string()),
            other => text_of(other),
        };
        let text = text.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| {
            refused(match value {
                Value::Array(_) => "is a list; a row has one text and one label".to_owned(),
                _ => "is missing, empty, or no text".to_owned(),
            })
        })
    }
}

/// An id that the same row has in every file, with a number behind it from the second such row on.
fn content_id(ids: &mut HashMap<u64, u64>, text: &str, sense: &str) -> String {
    let hash = hash(&[text, "\u{0}", sense]);
    let times = ids.entry(hash).or_insert(0);
    *times += 1;
    match *times {
        1 => format!("r{hash:016x}"),
        more => format!("r{hash:016x}-{more}"),
    }
}

#[cfg(test)]
mod tests;
