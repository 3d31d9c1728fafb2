//! Labelled texts to events.

use super::rows::Row;
use super::text_of;
use crate::data::{Event, Fault, Faults};
use serde_json::Map;
use std::collections::HashSet;

/// Lemma of labels where nothing says which of them get confused: any of them may be.
const ONE_LEMMA: &str = "labels";

/// Which columns say what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The text.
    pub text: String,
    /// The label.
    pub label: String,
    /// An id; without it the row's number.
    pub id: Option<String>,
    /// The group inside which labels get confused. Without it a label's part before `#`, or all labels are one group.
    pub lemma: Option<String>,
    /// The document.
    pub document: Option<String>,
}

/// Usual names of a column.
fn usual(what: &str) -> &'static [&'static str] {
    match what {
        "text" => &["text", "sentence", "content", "utterance", "query"],
        _ => &["label", "sense", "class", "category", "intent", "target"],
    }
}

impl Labels {
    /// The columns as given, or by their usual names among those of `first`.
    ///
    /// # Errors
    /// No such column.
    pub fn guess(first: &Row, text: Option<&str>, label: Option<&str>) -> Result<Self, String> {
        let find = |given: Option<&str>, what: &str| -> Result<String, String> {
            let names: Vec<&str> = first.values.keys().map(String::as_str).collect();
            let found = match given {
                Some(name) => names.iter().find(|n| **n == name),
                None => usual(what).iter().find_map(|usual| names.iter().find(|n| n.eq_ignore_ascii_case(usual))),
            };
            found.map(|name| (*name).to_owned()).ok_or_else(|| {
                let wanted = given.map_or_else(|| format!("the {what}"), |name| format!("\"{name}\""));
                format!("no column for {wanted}; there are {}", names.join(", "))
            })
        };
        let (text, label) = (find(text, "text")?, find(label, "label")?);
        Ok(Self { text, label, id: None, lemma: None, document: None })
    }

    /// One event a row.
    ///
    /// # Errors
    /// All faults, by line: missing or empty values, ids that were used before.
    pub fn events(&self, rows: &[Row], source: &str) -> Result<Vec<Event>, Faults> {
        let (mut faults, mut events, mut seen) = (Faults::new(source), Vec::new(), HashSet::new());
        for (number, row) in (1..).zip(rows) {
            match self.event(number, row) {
                Ok(event) if !seen.insert(event.event_id.clone()) => faults.push(Fault {
                    line: Some(row.line),
                    field: self.id.clone(),
                    message: format!("\"{}\" was already used", event.event_id),
                }),
                Ok(event) => events.push(event),
                Err((field, message)) => faults.push(Fault { line: Some(row.line), field: Some(field), message }),
            }
        }
        faults.or(events)
    }

    fn event(&self, number: usize, row: &Row) -> Result<Event, (String, String)> {
        let value = |column: &str| {
            let value = row.values.get(column).and_then(text_of).filter(|text| !text.trim().is_empty());
            value.ok_or_else(|| (column.to_owned(), "is missing, empty, or no text".to_owned()))
        };
        let sense = value(&self.label)?;
        let lemma = match &self.lemma {
            Some(column) => value(column)?,
            None => sense.split_once('#').map_or(ONE_LEMMA, |(lemma, _)| lemma).to_owned(),
        };
        let mut extra = Map::new();
        if let Some(column) = &self.document {
            extra.insert("doc".to_owned(), value(column)?.into());
        }
        let event_id = self.id.as_deref().map_or_else(|| Ok(format!("r{number}")), value)?;
        Ok(Event { event_id, sense, lemma, text: value(&self.text)?, span: None, embedding: None, extra })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interchange::{RowFormat, read_rows};

    fn rows(text: &str) -> Vec<Row> {
        read_rows(&mut text.as_bytes(), RowFormat::Csv, "f").expect("sound")
    }

    #[test]
    fn columns_are_found_and_labels_share_a_lemma() {
        let rows = rows("Text,Label,n\nhow much,price,3\nwhere,place#1,4\n");
        let labels = Labels::guess(&rows[0], None, None).expect("usual names");
        let events = labels.events(&rows, "f").expect("sound");
        assert_eq!(
            (events[0].event_id.as_str(), events[0].sense.as_str(), events[0].lemma.as_str()),
            ("r1", "price", "labels")
        );
        assert_eq!(events[1].lemma, "place");
        let named = Labels { id: Some("n".into()), lemma: Some("Label".into()), document: Some("n".into()), ..labels };
        let events = named.events(&rows, "f").expect("sound");
        assert_eq!(
            (events[1].event_id.as_str(), events[1].lemma.as_str(), &events[1].extra["doc"]),
            ("4", "place#1", &"4".into())
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let rows = rows("a,b\nx,y\n,z\nx,\n");
        let same = [rows[0].clone(), rows[0].clone()];
        assert!(Labels::guess(&rows[0], None, None).expect_err("no text").contains("there are a, b"));
        let labels = Labels::guess(&rows[0], Some("a"), Some("b")).expect("given");
        assert!(Labels::guess(&rows[0], Some("c"), None).expect_err("none").contains("\"c\""));
        let faults = labels.events(&rows, "f").expect_err("faulty");
        let seen: Vec<_> = faults.faults.iter().map(|f| (f.line, f.field.as_deref())).collect();
        assert_eq!(seen, [(Some(3), Some("a")), (Some(4), Some("b"))]);
        let twice = Labels { id: Some("a".into()), ..labels };
        assert!(twice.events(&same, "f").expect_err("twice").to_string().contains("already used"));
    }
}
