//! Files of relevances and rankings.

use super::{Qrels, Run};
use crate::data::{Fault, Faults, MAX_LINE_BYTES, read_lines};
use crate::interchange::sniff;
use serde_json::{Map, Value};
use std::collections::btree_map::Entry;
use std::io::{BufRead, Cursor, Read};

/// What relevances or a ranking may take of memory, about.
const MAX_HELD: usize = 4 << 30;
/// What an entry takes besides its id.
const ENTRY_BYTES: usize = 96;
/// JSON that has to be held whole is read up to this size.
const MAX_WHOLE: usize = 1 << 30;

/// Counts what is held.
struct Held {
    left: usize,
}

impl Held {
    /// Whether an entry with this id still fits.
    fn fits(&mut self, id: &str) -> bool {
        let after = self.left.checked_sub(ENTRY_BYTES + id.len());
        self.left = after.unwrap_or(0);
        after.is_some()
    }

    /// # Errors
    /// Something did not fit.
    fn check(&self, source: &str) -> Result<(), Faults> {
        match self.left {
            0 => {
                let message = format!("holds more entries than fit into {} GiB of memory; split it", MAX_HELD >> 30);
                Err(Faults::of_file(source, message))
            }
            _ => Ok(()),
        }
    }
}

/// A line that trec_eval 10 passes over. Three fields between tabs are BEIR's, and no comment.
pub(crate) fn is_comment(line: &str) -> bool {
    line.starts_with('#') && line.split('\t').count() != 3
}

/// Calls `take` with each line that is neither blank nor a comment, and collects what it refuses.
fn each_line(
    reader: &mut dyn BufRead,
    source: &str,
    mut take: impl FnMut(&str) -> Result<(), String>,
) -> Result<(), Faults> {
    sniff::check(reader, source)?;
    let fault = |message| Fault { line: None, field: None, message };
    read_lines(
        reader,
        source,
        "entry",
        |line| Ok(line.text.trim().to_owned()),
        |_, text: String| if is_comment(&text) { Ok(()) } else { take(&text).map_err(fault) },
    )
}

/// Reads relevances: trec_eval's (`query 0 document relevance`), or BEIR's (`query-id corpus-id score`, tabs, with that
/// line first). Lines that begin with `#` are comments.
///
/// # Errors
/// All faults, by line; more than memory should hold.
pub fn read_qrels(reader: &mut dyn BufRead, source: &str) -> Result<Qrels, Faults> {
    let mut qrels = Qrels::default();
    let mut held = Held { left: MAX_HELD };
    each_line(reader, source, |line| {
        let fields: Vec<&str> = line.split_whitespace().take(10).collect();
        let (query, document, relevance) = match fields[..] {
            ["query-id", "corpus-id", "score"] => return Ok(()),
            _ if line.starts_with(['{', '[']) => return Err(format!("is JSON; {FIELDS}")),
            [query, _, document, relevance] => (query, document, relevance),
            [query, document, relevance] => (query, document, relevance),
            [_, "Q0" | "q0", _, _, _, _] => return Err(format!("{FIELDS}: is this a ranking, for --predictions?")),
            _ => return Err(format!("has {} fields; {FIELDS}", fields.len())),
        };
        let relevance = relevance.parse().map_err(|_| format!("relevance \"{relevance}\" is no whole number"))?;
        if !held.fits(document) {
            return Ok(());
        }
        match qrels.queries.entry(query.to_owned()).or_default().entry(document.to_owned()) {
            Entry::Occupied(_) => Err(format!("judges document \"{document}\" for query \"{query}\" a second time")),
            Entry::Vacant(new) => {
                new.insert(relevance);
                Ok(())
            }
        }
    })?;
    held.check(source)?;
    match qrels.queries.is_empty() {
        true => Err(Faults::of_file(source, "judges nothing; a line has query, 0, document, relevance")),
        false => Ok(qrels),
    }
}

const FIELDS: &str = "expected query, 0, document, relevance, or BEIR's three";

fn score(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| format!("score \"{text}\" is no finite number"))
}

/// Adds a document to a run, if there is room.
fn add(run: &mut Run, held: &mut Held, query: &str, document: &str, score: f64) {
    if held.fits(document) {
        // −0 + 0 is 0: they are one score, and the ids decide.
        run.queries.entry(query.to_owned()).or_default().push((document.to_owned(), score + 0.0));
    }
}

/// A document may stand in a ranking once.
fn distinct(run: Run, held: &Held, source: &str) -> Result<Run, Faults> {
    held.check(source)?;
    for (query, documents) in &run.queries {
        let mut ids: Vec<&str> = documents.iter().map(|(id, _)| id.as_str()).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Faults::of_file(source, format!("query \"{query}\" ranks document \"{}\" twice", pair[0])));
        }
    }
    Ok(run.sorted())
}

/// Reads a TREC run: `query Q0 document rank score tag`. Scores decide the order, as in trec_eval; ranks are passed over, and
/// so are lines that begin with `#`.
///
/// # Errors
/// All faults, by line; a document that is ranked twice; more than memory should hold; no ranking at all.
pub fn read_run(reader: &mut dyn BufRead, source: &str) -> Result<Run, Faults> {
    let mut run = Run::default();
    let mut held = Held { left: MAX_HELD };
    each_line(reader, source, |line| {
        let fields: Vec<&str> = line.split_whitespace().take(10).collect();
        let [query, _, document, _, value, _] = fields[..] else {
            let wanted = "expected query, Q0, document, rank, score, tag";
            return Err(match fields[..] {
                [_, _, _, relevance] if relevance.parse::<i64>().is_ok() => {
                    format!("has 4 fields, as relevances have, for --qrels; {wanted}")
                }
                _ if line.starts_with(['{', '[']) => format!("is JSON of another kind; {wanted}"),
                _ => format!("has {} fields; {wanted}", fields.len()),
            });
        };
        add(&mut run, &mut held, query, document, score(value)?);
        Ok(())
    })?;
    match run.queries.is_empty() && held.left > 0 {
        true => Err(Faults::of_file(source, "ranks nothing: it holds comments alone")),
        false => distinct(run, &held, source),
    }
}

/// Reads predictions that another library wrote, whichever of these they are:
///
/// - sentence-transformers, `*_predictions*.jsonl`: `{"query_id", "query", "results": [{"corpus_id", "score"}]}` a line;
/// - mteb, one JSON object: split, subset, query, document: score (`subset` picks where there are several), or query,
///   document: score;
/// - a TREC run.
///
/// # Errors
/// All faults, by line; several splits or subsets of which none was picked.
pub fn read_predictions(reader: &mut dyn BufRead, source: &str, subset: Option<&str>) -> Result<Run, Faults> {
    let unread = |e: std::io::Error| Faults::of_file(source, format!("could not be read: {e}"));
    sniff::check(reader, source)?;
    let head = reader.fill_buf().map_err(unread)?;
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if start.first() != Some(&b'{') {
        return read_run(reader, source);
    }
    let mut first = Vec::new();
    while first.trim_ascii().is_empty() {
        let room = MAX_LINE_BYTES as u64;
        if (&mut *reader).take(room).read_until(b'\n', &mut first).map_err(unread)? == 0 {
            break;
        }
    }
    let line = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first);
    let is_line = serde_json::from_slice::<Map<String, Value>>(line).is_ok_and(|line| line.contains_key("results"));
    let mut all = Cursor::new(first).chain(reader);
    if is_line {
        return by_line(&mut all, source);
    }
    let mut bytes = Vec::new();
    all.take(MAX_WHOLE as u64 + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() > MAX_WHOLE {
        let message =
            format!("is one JSON text of more than {} GiB; write its rankings as a TREC run", MAX_WHOLE >> 30);
        return Err(Faults::of_file(source, message));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let whole: Map<String, Value> =
        serde_json::from_slice(text).map_err(|e| Faults::of_file(source, format!("is no JSON: {e}")))?;
    drop(bytes);
    nested(&whole, source, subset)
}

fn by_line(reader: &mut dyn BufRead, source: &str) -> Result<Run, Faults> {
    let mut run = Run::default();
    let mut held = Held { left: MAX_HELD };
    each_line(reader, source, |line| {
        let line: Map<String, Value> = serde_json::from_str(line).map_err(|e| format!("is no JSON object: {e}"))?;
        let query = id(line.get("query_id")).ok_or("has no query_id")?;
        let results = line.get("results").and_then(Value::as_array).ok_or("has no list of results")?;
        if run.queries.contains_key(&query) {
            return Err(format!("query \"{query}\" was already predicted"));
        }
        if held.fits(&query) {
            run.queries.insert(query.clone(), Vec::new());
        }
        for result in results {
            let document = id(result.get("corpus_id")).ok_or("a result has no corpus_id")?;
            let value = result.get("score").and_then(Value::as_f64);
            let value = value.ok_or_else(|| format!("document \"{document}\" has no score"))?;
            add(&mut run, &mut held, &query, &document, value);
        }
        Ok(())
    })?;
    distinct(run, &held, source)
}

/// An id is a text or a number.
fn id(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// mteb's nesting: whatever lies above the queries are splits and subsets.
fn nested(whole: &Map<String, Value>, source: &str, subset: Option<&str>) -> Result<Run, Faults> {
    let refused = |message: String| Faults::of_file(source, message);
    let mut level = whole;
    loop {
        // Notes beside the splits are no objects of objects.
        let deep = |inner: &&Map<String, Value>| inner.values().any(Value::is_object);
        let named: Vec<(&String, &Map<String, Value>)> =
            level.iter().filter_map(|(name, value)| Some((name, value.as_object().filter(deep)?))).collect();
        let picked = named.iter().find(|(name, _)| Some(name.as_str()) == subset);
        level = match (picked, &named[..]) {
            (_, []) => break,
            (Some((_, inner)), _) | (None, [(_, inner)]) => inner,
            _ => {
                let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
                return Err(refused(format!("holds several sets of predictions: name one of {}", names.join(", "))));
            }
        };
    }
    let mut run = Run::default();
    let mut held = Held { left: MAX_HELD };
    for (query, documents) in level {
        let Some(documents) = documents.as_object() else {
            return Err(refused(format!("query \"{query}\" has no documents with scores")));
        };
        run.queries.insert(query.clone(), Vec::new());
        for (document, value) in documents {
            let value = value.as_f64().filter(|x| x.is_finite());
            let value =
                value.ok_or_else(|| refused(format!("query \"{query}\", document \"{document}\": no score")))?;
            add(&mut run, &mut held, query, document, value);
        }
    }
    if run.queries.is_empty() {
        return Err(refused("holds no predictions".to_owned()));
    }
    distinct(run, &held, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions(text: &str, subset: Option<&str>) -> Result<Run, Faults> {
        read_predictions(&mut text.as_bytes(), "p", subset)
    }

    #[test]
    fn every_form_gives_the_same_run() {
        let run = read_run(&mut "q Q0 a 1 0.5 t\nq Q0 b 2 0.9 t\nr Q0 a 1 1e-3 t\n".as_bytes(), "run").expect("sound");
        assert_eq!(run.queries["q"], [("b".to_owned(), 0.9), ("a".to_owned(), 0.5)]);
        for text in [
            "q Q0 a 1 0.5 t\nq Q0 b 2 0.9 t\nr Q0 a 1 1e-3 t\n",
            "{\"query_id\": \"q\", \"query\": \"?\", \"results\": [{\"corpus_id\": \"a\", \"score\": 0.5}, {\"corpus_id\": \"b\", \"score\": 0.9}]}\n\
             {\"query_id\": \"r\", \"results\": [{\"corpus_id\": \"a\", \"score\": 0.001}]}",
            "{\"q\": {\"a\": 0.5, \"b\": 0.9}, \"r\": {\"a\": 0.001}}",
            "{\"mteb_model_meta\": {\"name\": \"m\"}, \"default\": {\"test\": {\"q\": {\"a\": 0.5, \"b\": 0.9}, \"r\": {\"a\": 0.001}}}}",
        ] {
            assert_eq!(predictions(text, None).as_ref(), Ok(&run), "{text}");
        }
    }

    #[test]
    fn equal_scores_are_ordered_as_trec_eval_does() {
        for scores in [["0.5"; 3], ["0", "-0.0", "0.0"]] {
            let [a, c, b] = scores;
            let text = format!("q Q0 a 1 {a} t\nq Q0 c 2 {c} t\nq Q0 b 3 {b} t\n");
            let run = read_run(&mut text.as_bytes(), "run").expect("sound");
            let order: Vec<&str> = run.queries["q"].iter().map(|(id, _)| id.as_str()).collect();
            assert_eq!(order, ["c", "b", "a"]);
        }
    }

    #[test]
    fn faults_are_named_with_their_lines() {
        let said = |faults: Faults| faults.to_string();
        let of_run = |text: &str| said(read_run(&mut text.as_bytes(), "run").expect_err("refused"));
        assert!(of_run("q Q0 a 1 0.5 t\nq Q0 b\nq Q0 c 1 nan t\n").contains("has 3 fields"));
        assert!(of_run("q Q0 a 1 x t\n").contains("no finite number"));
        assert!(of_run("q Q0 a 1 1 t\nq Q0 a 2 1 t\n").contains("ranks document \"a\" twice"));
        assert!(of_run("\n \n").contains("is empty"));
        let of_qrels = |text: &str| said(read_qrels(&mut text.as_bytes(), "qrels").expect_err("refused"));
        assert!(of_qrels("q 0 a 1\nq 0 a 1\n").contains("a second time"));
        assert!(of_qrels("q 0 a x\n").contains("no whole number"));
        assert!(of_qrels("q a\n").contains("has 2 fields"));
        for (text, part) in [
            ("{\"query_id\": 1, \"results\": 3}", "no list of results"),
            ("{\"results\": []}", "no query_id"),
            ("{\"query_id\": \"q\", \"results\": [{\"corpus_id\": \"a\"}]}", "has no score"),
            ("{\"query_id\": \"q\", \"results\": []}\n{\"query_id\": \"q\", \"results\": []}", "already predicted"),
            ("{\"q\": {\"a\": \"b\"}}", "no score"),
            ("{\"q\": 3}", "no documents"),
            ("{}", "no predictions"),
            ("{\"q\": ", "no JSON"),
            ("{\"x\": {\"q\": {\"a\": 1}}, \"y\": {\"q\": {\"a\": 1}}}", "name one of x, y"),
        ] {
            let got = said(predictions(text, None).expect_err(text));
            assert!(got.contains(part), "{text}: {got}");
        }
    }

    #[test]
    fn comments_are_passed_over() {
        let text = "# judged by 2\nq 0 a 1\n\n #more\nr 0 a#1 0\n#x\n";
        let qrels = read_qrels(&mut text.as_bytes(), "q").expect("sound");
        assert_eq!((qrels.queries.len(), qrels.of("q", "a"), qrels.of("r", "a#1")), (2, 1, 0));
        let run = read_run(&mut "# of a model\nq Q0 a#1 1 0.5 t\n".as_bytes(), "r").expect("sound");
        assert_eq!(run.queries["q"], [("a#1".to_owned(), 0.5)]);
        // An id of BEIR's may begin so.
        let qrels = read_qrels(&mut "query-id\tcorpus-id\tscore\n#1\ta\t1\n".as_bytes(), "q").expect("sound");
        assert_eq!(qrels.of("#1", "a"), 1);
        assert!(read_qrels(&mut "# q\n".as_bytes(), "q").expect_err("none").to_string().contains("judges nothing"));
        assert!(read_run(&mut "# q\n".as_bytes(), "q").expect_err("none").to_string().contains("ranks nothing"));
    }

    #[test]
    fn files_of_the_other_kind_are_named() {
        let of_qrels = |text: &str| read_qrels(&mut text.as_bytes(), "f").expect_err(text).to_string();
        let of_run = |text: &str| predictions(text, None).expect_err(text).to_string();
        assert!(of_qrels("q Q0 a 1 0.5 t\n").contains("--predictions"));
        assert!(of_run("q 0 a 1\n").contains("--qrels"));
        assert!(of_qrels("{\"q\": {\"a\": 1}}\n").contains("is JSON"));
        assert!(of_run("[1]\n").contains("is JSON of another kind"));
        assert!(of_run("<html>\n").contains("web page") && of_qrels("PAR1").contains("Parquet"));
    }

    #[test]
    fn what_memory_should_not_hold_is_counted() {
        let mut held = Held { left: 3 * ENTRY_BYTES };
        let mut run = Run::default();
        for document in ["a", "b", "c", "d"] {
            add(&mut run, &mut held, "q", document, 1.0);
        }
        assert_eq!(run.queries["q"].len(), 2);
        assert!(distinct(run, &held, "f").expect_err("full").to_string().contains("memory"));
    }

    #[test]
    fn the_relevances_of_beir_are_read() {
        let qrels = read_qrels(&mut "query-id\tcorpus-id\tscore\nq\ta\t2\nq\tb\t0\n".as_bytes(), "q").expect("sound");
        assert_eq!((qrels.of("q", "a"), qrels.of("q", "b"), qrels.of("q", "c"), qrels.of("x", "a")), (2, 0, 0, 0));
    }
}
