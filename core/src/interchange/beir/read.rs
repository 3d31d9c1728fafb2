//! The three kinds of files.

use crate::data::{Fault, Faults, parse_json, read_lines};
use crate::interchange::{sniff, text_of};
use crate::lexical::hash;
use crate::retrieval::is_comment;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::io::BufRead;

/// A query or a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeirText {
    /// Its `_id`.
    pub id: String,
    /// Its title, a space, and its text; without a title its text. Empty where it has neither.
    pub text: String,
}

/// A line of `qrels/SPLIT.tsv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// From 1.
    pub line: u64,
    /// The query.
    pub query: String,
    /// The document.
    pub document: String,
    /// 1 and more is relevant, the more the better; 0 and less is not.
    pub relevance: i64,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "_id")]
    id: Value,
    title: Option<String>,
    text: Option<String>,
}

fn fault(field: &str, message: impl Into<String>) -> Fault {
    Fault { line: None, field: Some(field.to_owned()), message: message.into() }
}

/// Reads `corpus.jsonl` or `queries.jsonl` and hands each text to `take`, in order; memory is that of a few thousand lines
/// and 16 bytes for each text.
///
/// # Errors
/// All faults, by line: bad JSON, no `_id` or an empty one, texts that are none, ids that were used before.
pub fn stream_texts(reader: &mut dyn BufRead, source: &str, take: &mut dyn FnMut(BeirText)) -> Result<(), Faults> {
    // Hashes for ids: a corpus may hold millions. Two of a million ids share one with a probability of 3e-8.
    let mut seen: HashMap<u64, u64> = HashMap::new();
    sniff::check(reader, source)?;
    read_lines(
        reader,
        source,
        "text with an _id",
        |line| {
            let raw: Raw = parse_json(line)?;
            let id = text_of(&raw.id).filter(|id| !id.trim().is_empty());
            let id = id.ok_or_else(|| fault("_id", "is empty, or neither text nor number"))?;
            if id.contains(['\t', '\n', '\r']) {
                return Err(fault("_id", "holds a tab or a line end; qrels could not name it"));
            }
            let part = |part: &Option<String>| part.as_deref().unwrap_or_default().trim().to_owned();
            let (title, text) = (part(&raw.title), part(&raw.text));
            let text = if title.is_empty() || text.is_empty() { title + &text } else { title + " " + &text };
            Ok(BeirText { id, text })
        },
        |line, text| {
            if let Some(first) = seen.insert(hash(&[&text.id]), line) {
                return Err(fault("_id", format!("\"{}\" was already used on line {first}", text.id)));
            }
            take(text);
            Ok(())
        },
    )
}

/// More judgements than this are refused, and so are more bytes of ids.
const MAX_JUDGEMENTS: usize = 50_000_000;
const MAX_IDS: usize = 2 << 30;

/// Reads relevances: query, document and relevance between tabs, with or without the line `query-id corpus-id score`. Lines
/// that begin with `#` and are no judgement are comments.
///
/// # Errors
/// All faults, by line: other numbers of fields, empty ids, relevances that are no whole numbers, documents that were judged
/// before for the query, nothing below the first line.
pub fn read_judgements(reader: &mut dyn BufRead, source: &str) -> Result<Vec<Judgement>, Faults> {
    const NAMES: [&str; 3] = ["query-id", "corpus-id", "score"];
    // Hashes for ids, as of texts.
    let mut seen: HashMap<u64, u64> = HashMap::new();
    let (mut judgements, mut bytes, mut full) = (Vec::new(), 0, false);
    sniff::check(reader, source)?;
    read_lines(
        reader,
        source,
        "judgement",
        |line| {
            if is_comment(&line.text) {
                return Ok(None);
            }
            let fields: Vec<&str> = line.text.trim_end_matches('\r').split('\t').take(10).collect();
            let [query, document, relevance] = fields[..] else {
                let message = format!("has {} fields between tabs; expected {}", fields.len(), NAMES.join(", "));
                return Err(Fault { line: None, field: None, message });
            };
            if fields.iter().zip(NAMES).all(|(field, name)| field.eq_ignore_ascii_case(name)) {
                return Ok(None);
            }
            for (value, name) in [(query, NAMES[0]), (document, NAMES[1])] {
                if value.trim().is_empty() {
                    return Err(fault(name, "is empty"));
                }
            }
            let relevance = relevance.trim().parse();
            let relevance = relevance.map_err(|_| fault(NAMES[2], format!("\"{}\" is no whole number", fields[2])))?;
            let (query, document) = (query.to_owned(), document.to_owned());
            Ok(Some(Judgement { line: line.number, query, document, relevance }))
        },
        |line, judgement| {
            let Some(judgement) = judgement else { return Ok(()) };
            if let Some(first) = seen.insert(hash(&[&judgement.query, "\u{0}", &judgement.document]), line) {
                let message = format!("\"{}\" was already judged for this query on line {first}", judgement.document);
                return Err(fault(NAMES[1], message));
            }
            bytes += judgement.query.len() + judgement.document.len();
            full |= judgements.len() == MAX_JUDGEMENTS || bytes > MAX_IDS;
            if full {
                seen.clear();
                return Ok(());
            }
            judgements.push(judgement);
            Ok(())
        },
    )?;
    if full {
        return Err(Faults::of_file(source, format!("judges more than {MAX_JUDGEMENTS} documents, or ids of 2 GiB")));
    }
    match judgements.is_empty() {
        true => {
            Err(Faults::of_file(source, "judges nothing; expected query-id, corpus-id and score below a line of names"))
        }
        false => Ok(judgements),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> Result<Vec<BeirText>, Faults> {
        let mut texts = Vec::new();
        stream_texts(&mut &*bytes, "corpus.jsonl", &mut |text| texts.push(text)).map(|()| texts)
    }

    #[test]
    fn titles_come_first_and_ids_are_texts() {
        let lines = "{\"_id\": 7, \"title\": \" T \", \"text\": \"x\"}\n{\"_id\": \"a b\", \"title\": null, \"text\": \"y\", \"metadata\": {}}\n{\"_id\": \"c\", \"title\": \"T\"}\n{\"_id\": \"d\", \"text\": \"\"}\n";
        let texts = texts(lines.as_bytes()).expect("sound");
        let seen: Vec<(&str, &str)> = texts.iter().map(|t| (t.id.as_str(), t.text.as_str())).collect();
        assert_eq!(seen, [("7", "T x"), ("a b", "y"), ("c", "T"), ("d", "")]);
    }

    #[test]
    fn faults_of_texts_name_line_and_field() {
        let lines = b"{\"_id\": \"a\", \"text\": \"x\"}\n{\"text\": \"x\"}\n{\"_id\": \"a\", \"text\": \"y\"}\n\xff\n{\"_id\": {}, \"text\": \"\"}\n{\"_id\": \"b\", \"text\": 3}\n{\"_id\": \"c\\t\"}\n[]\n";
        let faults = texts(lines).expect_err("faulty");
        let seen: Vec<_> = faults.faults.iter().map(|f| f.line).collect();
        assert_eq!(seen, [2, 3, 4, 5, 6, 7, 8].map(Some), "{faults}");
        let said = faults.to_string();
        for part in ["missing field `_id`", "already used on line 1", "UTF-8", "`text`", "a tab"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }

    #[test]
    fn judgements_have_grades() {
        let text = "query-id\tcorpus-id\tscore\r\nq 1\td\t2\r\nq 1\te\t0\r\nr\td\t-1\r\n";
        let seen = read_judgements(&mut text.as_bytes(), "q").expect("sound");
        let seen: Vec<_> = seen.iter().map(|j| (j.line, j.query.as_str(), j.document.as_str(), j.relevance)).collect();
        assert_eq!(seen, [(2, "q 1", "d", 2), (3, "q 1", "e", 0), (4, "r", "d", -1)]);
        let noted = "# by two people\nquery-id\tcorpus-id\tscore\n#1\td\t1\n# more\n";
        assert_eq!(
            read_judgements(&mut noted.replace("# by two people\n", "").as_bytes(), "q").expect("sound").len(),
            1
        );
        assert_eq!(read_judgements(&mut noted.as_bytes(), "q").expect("sound").len(), 1);
        // Without names, and nothing is lost.
        assert_eq!(read_judgements(&mut "q\td\t1\n".as_bytes(), "q").expect("sound").len(), 1);
    }

    #[test]
    fn faults_of_judgements_name_line_and_field() {
        let text = "query-id\tcorpus-id\tscore\nq d 1\nq\td\tx\n\td\t1\nq\te\t1\nq\te\t0\nq\tf\t1.5\n";
        let faults = read_judgements(&mut text.as_bytes(), "q").expect_err("faulty");
        let seen: Vec<_> = faults.faults.iter().map(|f| (f.line, f.field.as_deref())).collect();
        let wanted = [(2, None), (3, Some("score")), (4, Some("query-id")), (6, Some("corpus-id")), (7, Some("score"))];
        assert_eq!(seen, wanted.map(|(line, field)| (Some(line), field)), "{faults}");
        for text in ["query-id\tcorpus-id\tscore\n", "", "\n"] {
            assert!(read_judgements(&mut text.as_bytes(), "q").is_err(), "{text:?}");
        }
    }
}
