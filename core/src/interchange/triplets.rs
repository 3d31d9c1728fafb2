//! Anchors with positives and negatives to bundles.

use super::rows::Row;
use super::{id_of, text_of};
use crate::data::{BundleSet, BundleSetBuilder, Event, Fault, Faults, Metadata, NegativeSource, WholeBundle};
use serde_json::{Map, Value};

/// What a row says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Group {
    anchor: String,
    positives: Vec<String>,
    negatives: Vec<String>,
}

/// Bundles, and what could not become one.
#[derive(Debug)]
pub struct Triplets {
    /// One for each anchor and positive.
    pub set: BundleSet,
    /// Rows without a negative: events can be made of them, bundles can't.
    pub without_negatives: usize,
    /// Pairs whose two texts are the same.
    pub same_text: usize,
    /// Negatives that say what the anchor or a positive says.
    pub false_negatives: usize,
}

/// Bundles of rows in any of these forms, each row in its own:
///
/// - sentence-transformers: columns `anchor` (or `query`, `question`, `sentence1`), `positive` (`answer`, `sentence2`), and
///   `negative`, `negative_1` … `negative_n`, texts or lists; where no names are known, the first column is the anchor,
///   the second the positive, further ones that start with `neg` negatives;
/// - labelled lists: a list of texts (`documents`, `passages`, `docs`) and `labels`, 1 for a positive;
/// - FlagEmbedding: `query`, `pos`, `neg`;
/// - Tevatron: `query`, `positive_passages`, `negative_passages` with `title` and `text`.
///
/// An anchor's text is its sense, together with its positives; a negative's text is its own.
///
/// # Errors
/// All faults, by line.
pub fn triplets(rows: &[Row], source: &str) -> Result<Triplets, Faults> {
    let mut faults = Faults::new(source);
    let mut out =
        Triplets { set: BundleSetBuilder::default().finish(), without_negatives: 0, same_text: 0, false_negatives: 0 };
    let mut builder = BundleSetBuilder::default();
    for (number, row) in (1..).zip(rows) {
        match group(&row.values) {
            Ok(group) => bundles(number, group, &mut out, &mut builder),
            Err((field, message)) => faults.push(Fault { line: Some(row.line), field, message }),
        }
    }
    out.set = builder.finish();
    faults.or(out)
}

fn bundles(number: usize, group: Group, out: &mut Triplets, builder: &mut BundleSetBuilder) {
    let Group { anchor, positives, negatives } = group;
    let all = negatives.len();
    let kept: Vec<String> = negatives.into_iter().filter(|n| *n != anchor && !positives.contains(n)).collect();
    out.false_negatives += all - kept.len();
    if kept.is_empty() {
        out.without_negatives += 1;
        return;
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
    let many = positives.len() > 1;
    for (place, positive) in (1..).zip(&positives) {
        if *positive == anchor {
            out.same_text += 1;
            continue;
        }
        builder.push(WholeBundle {
            bundle_id: if many { format!("row{number}-{place}") } else { format!("row{number}") },
            anchor: event(&sense, &anchor),
            positive: event(&sense, positive),
            negatives: kept.iter().map(negative).collect(),
            metadata: Metadata::default(),
            extra: Map::new(),
        });
    }
}

type Refused = (Option<String>, String);

fn refused(field: &str, message: &str) -> Refused {
    (Some(field.to_owned()), message.to_owned())
}

fn group(row: &Map<String, Value>) -> Result<Group, Refused> {
    if row.contains_key("positive_passages") {
        return Ok(Group {
            anchor: one(row, "query")?,
            positives: passages(row, "positive_passages")?,
            negatives: if row.contains_key("negative_passages") {
                passages(row, "negative_passages")?
            } else {
                Vec::new()
            },
        });
    }
    if row.contains_key("pos") {
        let negatives = if row.contains_key("neg") { texts(row, "neg")? } else { Vec::new() };
        return Ok(Group { anchor: one(row, "query")?, positives: texts(row, "pos")?, negatives });
    }
    let known = |names: &[&str]| names.iter().find(|n| row.contains_key(**n)).map(|n| (*n).to_owned());
    let anchor = known(&["anchor", "query", "question", "sentence1", "premise"]);
    if let (Some(anchor), Some(list), true) =
        (&anchor, known(&["documents", "passages", "docs"]), row.contains_key("labels"))
    {
        return labelled_list(row, anchor, &list);
    }
    let positive = known(&["positive", "answer", "sentence2", "pos_text"]);
    let mut names = row.keys().filter(|n| !n.to_lowercase().starts_with("neg"));
    let (Some(anchor), Some(positive)) = (match (anchor, positive) {
        (Some(anchor), Some(positive)) => (Some(anchor), Some(positive)),
        // Whatever they are called.
        _ => (names.next().cloned(), names.next().cloned()),
    }) else {
        return Err((None, "has fewer than two columns; expected an anchor and a positive".to_owned()));
    };
    let mut negatives = Vec::new();
    for name in row.keys().filter(|n| n.to_lowercase().starts_with("neg")) {
        // A cell that is empty says that there is none.
        let empty = row[name].is_null() || row[name].as_str().is_some_and(|text| text.trim().is_empty());
        if !empty {
            negatives.extend(texts(row, name)?);
        }
    }
    Ok(Group { anchor: one(row, &anchor)?, positives: texts(row, &positive)?, negatives })
}

fn labelled_list(row: &Map<String, Value>, anchor: &str, list: &str) -> Result<Group, Refused> {
    let documents = texts(row, list)?;
    let labels = row["labels"].as_array().ok_or_else(|| refused("labels", "is no list"))?;
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
    let list = row[field].as_array().ok_or_else(|| refused(field, "is no list of passages"))?;
    let passage = |passage: &Value| {
        let text = passage["text"].as_str().ok_or_else(|| refused(field, "holds a passage without a text"))?;
        let title = passage["title"].as_str().map(str::trim).filter(|t| !t.is_empty());
        sound(title.map_or_else(|| text.to_owned(), |title| format!("{title} {text}")), field)
    };
    list.iter().map(passage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read_bundles;
    use crate::interchange::{RowFormat, read_rows};

    fn made(text: &str, format: RowFormat) -> Result<Triplets, Faults> {
        triplets(&read_rows(&mut text.as_bytes(), format, "f").expect("rows"), "f")
    }

    /// Texts of a bundle: anchor, positive, negatives.
    fn texts_of(set: &BundleSet, bundle: usize) -> Vec<&str> {
        let b = &set.bundles[bundle];
        let negatives = b.negatives.iter().map(|n| n.event);
        [b.anchor, b.positive].into_iter().chain(negatives).map(|e| set.events[e as usize].text.as_str()).collect()
    }

    #[test]
    fn every_form_says_the_same() {
        for (text, format) in [
            ("anchor,positive,negative_1,negative_2\na,p,m,n\n", RowFormat::Csv),
            ("x\ty\tneg1\tneg2\na\tp\tm\tn\n", RowFormat::Tsv),
            ("{\"query\": \"a\", \"answer\": \"p\", \"negative\": [\"m\", \"n\"]}\n", RowFormat::JsonLines),
            (
                "{\"query\": \"a\", \"pos\": [\"p\"], \"neg\": [\"m\", \"n\"], \"pos_scores\": [1]}\n",
                RowFormat::JsonLines,
            ),
            ("{\"query\": \"a\", \"documents\": [\"m\", \"p\", \"n\"], \"labels\": [0, 1, 0]}\n", RowFormat::JsonLines),
            (
                "{\"query_id\": \"1\", \"query\": \"a\", \"positive_passages\": [{\"docid\": \"1\", \"title\": \"\", \"text\": \"p\"}], \
                 \"negative_passages\": [{\"text\": \"m\"}, {\"title\": \"\", \"text\": \"n\"}]}\n",
                RowFormat::JsonLines,
            ),
        ] {
            let made = made(text, format).expect("sound");
            assert_eq!(texts_of(&made.set, 0), ["a", "p", "m", "n"], "{text}");
            assert_eq!(made.set.bundles.len(), 1);
            let mut written = Vec::new();
            made.set.write(&mut written).expect("a Vec takes everything");
            assert_eq!(read_bundles(&mut &written[..], "f").expect("its own rules"), made.set);
        }
    }

    #[test]
    fn what_can_not_be_a_bundle_is_counted() {
        let text = "anchor,positive,negative\na,p,\na,a,n\na,p,p\na,p,n\n";
        let made = made(text, RowFormat::Csv).expect("sound");
        assert_eq!(
            (made.set.bundles.len(), made.without_negatives, made.same_text, made.false_negatives),
            (1, 2, 1, 1)
        );
        // Two positives, two bundles of one sense.
        let two =
            super::tests::made("{\"query\": \"a\", \"pos\": [\"p\", \"q\"], \"neg\": [\"n\"]}\n", RowFormat::JsonLines);
        let set = two.expect("sound").set;
        assert_eq!((texts_of(&set, 0), texts_of(&set, 1)), (vec!["a", "p", "n"], vec!["a", "q", "n"]));
        assert_eq!(set.bundles[1].bundle_id, "row1-2");
    }

    #[test]
    fn faults_name_line_and_field() {
        for (text, field, part) in [
            ("{\"query\": \"a\"}", None, "fewer than two"),
            ("{\"query\": \"\", \"pos\": [\"p\"], \"neg\": []}", Some("query"), "is empty"),
            ("{\"query\": \"a\", \"pos\": [3.5, {}], \"neg\": []}", Some("pos"), "no text"),
            ("{\"query\": \"a\", \"positive_passages\": 3}", Some("positive_passages"), "no list"),
            ("{\"query\": \"a\", \"positive_passages\": [{}]}", Some("positive_passages"), "without a text"),
            ("{\"query\": \"a\", \"docs\": [\"x\"], \"labels\": [1, 0]}", Some("labels"), "2 entries for 1"),
            ("{\"query\": \"a\", \"docs\": [\"x\"], \"labels\": [0]}", Some("labels"), "no positive"),
            ("{\"query\": \"a\", \"docs\": [\"x\"], \"labels\": [\"y\"]}", Some("labels"), "no number"),
            ("{\"anchor\": \"a\", \"positive\": null}", Some("positive"), "no text"),
        ] {
            let faults = made(&format!("{text}\n"), RowFormat::JsonLines).expect_err(text);
            assert_eq!((faults.faults[0].line, faults.faults[0].field.as_deref()), (Some(1), field), "{text}");
            assert!(faults.faults[0].message.contains(part), "{text}: {faults}");
        }
    }
}
