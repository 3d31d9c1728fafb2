//! Bundles to rows that other libraries train on.

use super::{document_id, query_id};
use crate::data::{Bundle, BundleSet, Event};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// Whose form rows have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TripletForm {
    /// `anchor`, `positive`, `negative_1` … `negative_n`; with one negative, `negative`.
    SentenceTransformers,
    /// `query`, `pos`, `neg`.
    FlagEmbedding,
    /// `query_id`, `query`, `positive_passages`, `negative_passages`.
    Tevatron,
}

/// What pandas takes for a value that is missing, and `datasets` with it, where a cell of a CSV file says it.
const MISSING: [&str; 17] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
    "NaN", "None", "n/a", "nan",
];

/// Bundles as rows of columns: an anchor, a positive, and as many negatives in each.
pub struct TripletColumns<'a> {
    set: &'a BundleSet,
    bundles: Vec<usize>,
    /// Names of the columns.
    pub names: Vec<String>,
    /// Negatives of a row.
    pub negatives: usize,
    /// Bundles that have fewer.
    pub left_out: usize,
}

impl<'a> TripletColumns<'a> {
    /// Rows with the first `negatives` of each bundle; without a number, as many as every bundle has.
    #[must_use]
    pub fn new(set: &'a BundleSet, negatives: Option<usize>) -> Self {
        let least = set.bundles.iter().map(|b| b.negatives.len()).min().unwrap_or(0);
        let negatives = negatives.unwrap_or(least);
        let enough = |i: &usize| set.bundles[*i].negatives.len() >= negatives;
        let bundles: Vec<usize> = (0..set.bundles.len()).filter(enough).collect();
        let names =
            ["anchor", "positive"].map(str::to_owned).into_iter().chain((1..=negatives).map(|i| match negatives {
                1 => "negative".to_owned(),
                _ => format!("negative_{i}"),
            }));
        Self { names: names.collect(), negatives, left_out: set.bundles.len() - bundles.len(), set, bundles }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bundles.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bundles.is_empty()
    }

    /// The cells of a row.
    ///
    /// # Panics
    /// There is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> Vec<&'a str> {
        let bundle = &self.set.bundles[self.bundles[row]];
        let negatives = bundle.negatives.iter().take(self.negatives).map(|n| n.event);
        let events = [bundle.anchor, bundle.positive].into_iter().chain(negatives);
        events.map(|event| self.set.events[event as usize].text.as_str()).collect()
    }

    /// Writes JSON Lines.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_json_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        (0..self.len()).try_for_each(|row| {
            let values = self.names.iter().cloned().zip(self.row(row).into_iter().map(Value::from));
            write_line(&values.collect::<Map<_, _>>(), out)
        })
    }

    /// Writes CSV, or with another delimiter what is like it: RFC 4180's quotes, texts as they are, also those that a
    /// spreadsheet would take for formulas. Returns how many cells pandas would take for missing values.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_separated(&self, delimiter: u8, out: &mut dyn Write) -> io::Result<usize> {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
        let mut missing = 0;
        writer.write_record(&self.names)?;
        for row in 0..self.len() {
            let cells = self.row(row);
            missing += cells.iter().filter(|cell| MISSING.contains(cell) || **cell == "null").count();
            writer.write_record(cells)?;
        }
        writer.flush()?;
        Ok(missing)
    }
}

/// Writes bundles in a form that holds lists, as JSON Lines: all negatives, or the first `negatives`.
///
/// # Errors
/// Those of `out`.
///
/// # Panics
/// With [`TripletForm::SentenceTransformers`], which has columns.
pub fn write_triplet_lists(
    set: &BundleSet,
    form: TripletForm,
    negatives: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let event = |index: u32| &set.events[index as usize];
    let passage = |e: &Event| json!({"docid": document_id(e), "title": "", "text": e.text});
    let line = |bundle: &Bundle| {
        let (anchor, positive) = (event(bundle.anchor), event(bundle.positive));
        let others = bundle.negatives.iter().take(negatives.unwrap_or(usize::MAX)).map(|n| event(n.event));
        match form {
            TripletForm::SentenceTransformers => panic!("these rows have columns"),
            TripletForm::FlagEmbedding => json!({
                "query": anchor.text,
                "pos": [positive.text],
                "neg": others.map(|e| e.text.as_str()).collect::<Vec<_>>(),
            }),
            TripletForm::Tevatron => json!({
                "query_id": query_id(anchor),
                "query": anchor.text,
                "positive_passages": [passage(positive)],
                "negative_passages": others.map(passage).collect::<Vec<_>>(),
            }),
        }
    };
    set.bundles.iter().try_for_each(|bundle| write_line(&line(bundle), out))
}

pub(super) fn write_line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interchange::{RowFormat, read_rows, triplets};

    const HARD: &str = "a \"b\", c\r\nd\te\u{feff}";

    fn set() -> BundleSet {
        let rows = [
            json!({"anchor": "=cmd|' /C calc'!A0", "positive": HARD, "negative_1": "@x", "negative_2": " y "}),
            json!({"anchor": "+1", "positive": "NA", "negative_1": "-2", "negative_2": "null", "negative_3": "é\u{0}"}),
        ];
        let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let rows = read_rows(&mut text.as_bytes(), RowFormat::JsonLines, "f").expect("sound");
        triplets(&rows, "f").expect("sound").set
    }

    fn texts(set: &BundleSet, negatives: usize) -> Vec<Vec<String>> {
        let columns = TripletColumns::new(set, Some(negatives));
        (0..columns.len()).map(|row| columns.row(row).into_iter().map(str::to_owned).collect()).collect()
    }

    fn again(written: &[u8], format: RowFormat) -> BundleSet {
        triplets(&read_rows(&mut &*written, format, "f").expect("its own rows"), "f").expect("its own form").set
    }

    #[test]
    fn columns_come_back() {
        let set = set();
        for (negatives, names) in [
            (None, &["anchor", "positive", "negative_1", "negative_2"][..]),
            (Some(1), &["anchor", "positive", "negative"]),
        ] {
            let columns = TripletColumns::new(&set, negatives);
            assert_eq!(
                (columns.names.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), columns.len()),
                (names, 2)
            );
            let wanted = texts(&set, columns.negatives);
            let mut written = Vec::new();
            columns.write_json_lines(&mut written).expect("a Vec takes everything");
            assert_eq!(texts(&again(&written, RowFormat::JsonLines), columns.negatives), wanted);
            for (delimiter, format) in [(b',', RowFormat::Csv), (b'\t', RowFormat::Tsv)] {
                written.clear();
                let missing = columns.write_separated(delimiter, &mut written).expect("a Vec takes everything");
                assert_eq!(texts(&again(&written, format), columns.negatives), wanted);
                assert_eq!(missing, if negatives.is_none() { 2 } else { 1 });
            }
        }
        let most = TripletColumns::new(&set, Some(3));
        assert_eq!((most.len(), most.left_out, most.row(0)[0]), (1, 1, "+1"));
    }

    #[test]
    fn lists_come_back() {
        let set = set();
        for form in [TripletForm::FlagEmbedding, TripletForm::Tevatron] {
            let mut written = Vec::new();
            write_triplet_lists(&set, form, None, &mut written).expect("a Vec takes everything");
            let found = again(&written, RowFormat::JsonLines);
            assert_eq!(texts(&found, 2), texts(&set, 2));
            assert_eq!(found.bundles[1].negatives.len(), 3);
            written.clear();
            write_triplet_lists(&set, form, Some(1), &mut written).expect("a Vec takes everything");
            assert!(again(&written, RowFormat::JsonLines).bundles.iter().all(|b| b.negatives.len() == 1));
        }
    }
}
