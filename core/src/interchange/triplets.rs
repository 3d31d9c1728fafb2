//! Anchors with positives and negatives to bundles.

mod roles;

use super::rows::Row;
use super::{id_of, text_of};
use crate::data::{BundleSet, BundleSetBuilder, Event, Fault, Faults, Metadata, NegativeSource, WholeBundle};
use crate::lexical::hash;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

pub use roles::{Roles, RolesGiven};

/// Forms of rows that are remembered; rows of more are looked at one by one.
const FORMS: usize = 1000;

/// What a row says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Group {
    anchor: String,
    positives: Vec<String>,
    negatives: Vec<String>,
}

/// What was made of the rows, and what could not become a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TripletReport {
    /// One for each anchor and positive.
    pub bundles: usize,
    /// Different texts, an anchor's and its positives' counted once for each anchor.
    pub events: usize,
    /// Rows without a negative: events can be made of them, bundles can't.
    pub without_negatives: usize,
    /// Pairs whose two texts are the same.
    pub same_text: usize,
    /// Negatives that say what the anchor or a positive says.
    pub false_negatives: usize,
    /// Which columns were taken; rows of other columns may add to them.
    pub columns: Vec<Roles>,
}

/// Makes bundles of each row, in any of these forms, each row in its own:
///
/// - sentence-transformers: columns `anchor` (or `query`, `question`, `sentence1`), `positive` (`answer`, `document`,
///   `sentence2`), and `negative`, `negative_1` … `negative_n`, texts or lists; where no names are known and there are but two
///   columns besides ids and negatives, the first is the anchor, the second the positive;
/// - labelled lists: a list of texts (`documents`, `passages`, `docs`) and `labels`, 1 for a positive;
/// - FlagEmbedding: `query`, `pos`, `neg`;
/// - Tevatron: `query`, `positive_passages`, `negative_passages` with `title` and `text`.
///
/// An anchor's text is its sense, together with its positives; a negative's text is its own.
pub struct TripletMaker<'a> {
    given: RolesGiven<'a>,
    faults: Faults,
    report: TripletReport,
    /// By hash of the names of a row's columns.
    forms: HashMap<u64, Roles>,
    /// Hashes of ids of events and of bundles; of these, how many.
    events: HashSet<u64>,
    bundles: HashMap<u64, u32>,
    refused: Option<String>,
}

impl<'a> TripletMaker<'a> {
    /// With columns that the user names, of a file with this name.
    #[must_use]
    pub fn new(given: RolesGiven<'a>, source: &str) -> Self {
        Self {
            given,
            faults: Faults::new(source),
            report: TripletReport::default(),
            forms: HashMap::new(),
            events: HashSet::new(),
            bundles: HashMap::new(),
            refused: None,
        }
    }

    /// Why the first row's columns can't be told apart, if they can't: no other row matters then.
    #[must_use]
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// The bundles of a row; none, with a fault for [`TripletMaker::finish`], where something is missing.
    pub fn bundles(&mut self, row: &Row) -> Vec<WholeBundle> {
        let fault = |(field, message)| Fault { line: Some(row.line), field, message };
        let roles = match self.roles(&row.values) {
            Ok(roles) => roles,
            Err(message) => {
                if self.report.columns.is_empty() && self.faults.faults.is_empty() {
                    self.refused = Some(message.clone());
                }
                self.faults.push(fault((None, message)));
                return Vec::new();
            }
        };
        match group(&row.values, &roles) {
            Ok(group) => self.of_group(group),
            Err(refused) => {
                self.faults.push(fault(refused));
                Vec::new()
            }
        }
    }

    fn roles(&mut self, row: &Map<String, Value>) -> Result<Roles, String> {
        let names: Vec<&str> = row.keys().flat_map(|name| [name.as_str(), "\u{0}"]).collect();
        let key = hash(&names);
        if let Some(known) = self.forms.get(&key) {
            return Ok(known.clone());
        }
        let roles = roles::choose(row, &self.given)?;
        if self.forms.len() < FORMS {
            self.forms.insert(key, roles.clone());
            if !self.report.columns.contains(&roles) {
                self.report.columns.push(roles.clone());
            }
        }
        Ok(roles)
    }

    fn of_group(&mut self, group: Group) -> Vec<WholeBundle> {
        let Group { anchor, positives, negatives } = group;
        let all = negatives.len();
        let kept: Vec<String> = negatives.into_iter().filter(|n| *n != anchor && !positives.contains(n)).collect();
        self.report.false_negatives += all - kept.len();
        if kept.is_empty() {
            self.report.without_negatives += 1;
            return Vec::new();
        }
        let sense = format!("q{}", id_of(&[&anchor]));
        let event = |sense: &str, text: &str| Event {
            event_id: format!("{sense}-{}", id_of(&[text])),
            sense: sense.to_owned(),
            lemma: sense.to_owned(),
            text: text.to_owned(),
            span: None,
            embedding: None,
            extra: Map::new(),
        };
        let negative = |text: &String| (event(&format!("d{}", id_of(&[text])), text), NegativeSource::CrossLemma);
        let mut made = Vec::new();
        for positive in &positives {
            if *positive == anchor {
                self.report.same_text += 1;
                continue;
            }
            let bundle = WholeBundle {
                bundle_id: self.bundle_id(&anchor, positive, &kept),
                anchor: event(&sense, &anchor),
                positive: event(&sense, positive),
                negatives: kept.iter().map(negative).collect(),
                metadata: Metadata::default(),
                extra: Map::new(),
            };
            let events = [&bundle.anchor, &bundle.positive].into_iter().chain(bundle.negatives.iter().map(|(e, _)| e));
            self.events.extend(events.map(|e| hash(&[&e.event_id])));
            self.report.bundles += 1;
            made.push(bundle);
        }
        made
    }

    /// An id that the same texts have in every file, with a number behind it from their second bundle on.
    fn bundle_id(&mut self, anchor: &str, positive: &str, negatives: &[String]) -> String {
        let texts = [anchor, positive].into_iter().chain(negatives.iter().map(String::as_str));
        let parts: Vec<&str> = texts.flat_map(|text| [text, "\u{0}"]).collect();
        let id = hash(&parts);
        let times = self.bundles.entry(id).or_insert(0);
        *times += 1;
        match *times {
            1 => format!("t{id:016x}"),
            more => format!("t{id:016x}-{more}"),
        }
    }

    /// What was made of all rows.
    ///
    /// # Errors
    /// All faults, by line.
    pub fn finish(mut self) -> Result<TripletReport, Faults> {
        self.report.events = self.events.len();
        self.faults.or(self.report)
    }
}

/// Bundles of rows in memory, and what could not become one.
#[derive(Debug)]
pub struct Triplets {
    /// The bundles.
    pub set: BundleSet,
    /// What was made.
    pub report: TripletReport,
}

/// Bundles of rows as [`TripletMaker`] makes them, in memory.
///
/// # Errors
/// All faults, by line.
pub fn triplets(rows: &[Row], source: &str) -> Result<Triplets, Faults> {
    let mut maker = TripletMaker::new(RolesGiven::default(), source);
    let mut builder = BundleSetBuilder::default();
    rows.iter().flat_map(|row| maker.bundles(row)).for_each(|bundle| builder.push(bundle));
    Ok(Triplets { report: maker.finish()?, set: builder.finish() })
}

type Refused = (Option<String>, String);

fn refused(field: &str, message: &str) -> Refused {
    (Some(field.to_owned()), message.to_owned())
}

fn group(row: &Map<String, Value>, roles: &Roles) -> Result<Group, Refused> {
    let Roles { anchor, positive, negatives, labels, .. } = roles;
    if labels.is_some() {
        return labelled_list(row, anchor, positive);
    }
    let mut group = Group { anchor: one(row, anchor)?, positives: many(row, positive)?, negatives: Vec::new() };
    for name in negatives {
        // A cell that is empty says that there is none.
        let value = row.get(name).unwrap_or(&Value::Null);
        let empty = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        if !empty {
            group.negatives.extend(many(row, name)?);
        }
    }
    Ok(group)
}

/// A text or a list of them, or of passages.
fn many(row: &Map<String, Value>, field: &str) -> Result<Vec<String>, Refused> {
    if roles::is_passages(field) { passages(row, field) } else { texts(row, field) }
}

fn labelled_list(row: &Map<String, Value>, anchor: &str, list: &str) -> Result<Group, Refused> {
    let documents = texts(row, list)?;
    let labels = row.get("labels").and_then(Value::as_array).ok_or_else(|| refused("labels", "is no list"))?;
    if labels.len() != documents.len() {
        let message = format!("has {} entries for {} texts", labels.len(), documents.len());
        return Err((Some("labels".to_owned()), message));
    }
    let mut group = Group { anchor: one(row, anchor)?, ..Group::default() };
    for (text, label) in documents.into_iter().zip(labels) {
        let label = label.as_f64().or(label.as_bool().map(|b| f64::from(u8::from(b))));
        match label.ok_or_else(|| refused("labels", "holds what is no number"))? {
            label if label > 0.0 => group.positives.push(text),
            _ => group.negatives.push(text),
        }
    }
    if group.positives.is_empty() {
        return Err(refused("labels", "names no positive"));
    }
    Ok(group)
}

fn sound(text: String, field: &str) -> Result<String, Refused> {
    if text.trim().is_empty() { Err(refused(field, "is empty")) } else { Ok(text) }
}

fn one(row: &Map<String, Value>, field: &str) -> Result<String, Refused> {
    let value = row.get(field).ok_or_else(|| refused(field, "is missing"))?;
    sound(text_of(value).ok_or_else(|| refused(field, "is no text"))?, field)
}

/// A text, or a list of them.
fn texts(row: &Map<String, Value>, field: &str) -> Result<Vec<String>, Refused> {
    match row.get(field) {
        Some(Value::Array(list)) => {
            let each = |v: &Value| sound(text_of(v).ok_or_else(|| refused(field, "holds what is no text"))?, field);
            list.iter().map(each).collect()
        }
        _ => Ok(vec![one(row, field)?]),
    }
}

fn passages(row: &Map<String, Value>, field: &str) -> Result<Vec<String>, Refused> {
    let list = row.get(field).and_then(Value::as_array).ok_or_else(|| refused(field, "is no list of passages"))?;
    let passage = |passage: &Value| {
        let text = passage["text"].as_str().ok_or_else(|| refused(field, "holds a passage without a text"))?;
        let title = passage["title"].as_str().map(str::trim).filter(|t| !t.is_empty());
        sound(title.map_or_else(|| text.to_owned(), |title| format!("{title} {text}")), field)
    };
    list.iter().map(passage).collect()
}

#[cfg(test)]
mod tests;
