//! Files of relevances and rankings.

use super::{Qrels, Run};
use crate::data::{Fault, Faults, read_lines};
use serde_json::{Map, Value};
use std::collections::btree_map::Entry;
use std::io::BufRead;

/// Calls `take` with each line that is not blank, and collects what it refuses.
fn each_line(
    reader: &mut dyn BufRead,
    source: &str,
    mut take: impl FnMut(u64, &str) -> Result<(), String>,
) -> Result<(), Faults> {
    let fault = |message| Fault { line: None, field: None, message };
    read_lines(
        reader,
        source,
        "entry",
        |line| Ok(line.text.trim().to_owned()),
        |number, text: String| take(number, &text).map_err(fault),
    )
}

/// Reads relevances: trec_eval's (`query 0 document relevance`), or BEIR's (`query-id corpus-id score`, tabs, with that
/// line first).
///
/// # Errors
/// All faults, by line.
pub fn read_qrels(reader: &mut dyn BufRead, source: &str) -> Result<Qrels, Faults> {
    let mut qrels = Qrels::default();
    each_line(reader, source, |number, line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (query, document, relevance) = match fields[..] {
            ["query-id", "corpus-id", "score"] if number == 1 => return Ok(()),
            [query, _, document, relevance] => (query, document, relevance),
            [query, document, relevance] => (query, document, relevance),
            _ => {
                let found = fields.len();
                return Err(format!("has {found} fields; expected query, 0, document, relevance, or BEIR's three"));
            }
        };
        let relevance = relevance.parse().map_err(|_| format!("relevance \"{relevance}\" is no whole number"))?;
        match qrels.queries.entry(query.to_owned()).or_default().entry(document.to_owned()) {
            Entry::Occupied(_) => Err(format!("judges document \"{document}\" for query \"{query}\" a second time")),
            Entry::Vacant(new) => {
                new.insert(relevance);
                Ok(())
            }
        }
    })?;
    Ok(qrels)
}

fn score(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| format!("score \"{text}\" is no finite number"))
}

/// Adds a document to a run, once.
fn add(run: &mut Run, query: &str, document: &str, score: f64) {
    // −0 + 0 is 0: they are one score, and the ids decide.
    let score = score + 0.0;
    run.queries.entry(query.to_owned()).or_default().push((document.to_owned(), score));
}

/// A document may stand in a ranking once.
fn distinct(run: Run, source: &str) -> Result<Run, Faults> {
    for (query, documents) in &run.queries {
        let mut ids: Vec<&str> = documents.iter().map(|(id, _)| id.as_str()).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Faults::of_file(source, format!("query \"{query}\" ranks document \"{}\" twice", pair[0])));
        }
    }
    Ok(run.sorted())
}

/// Reads a TREC run: `query Q0 document rank score tag`. Scores decide the order, as in trec_eval; ranks are passed over.
///
/// # Errors
/// All faults, by line; a document that is ranked twice.
pub fn read_run(reader: &mut dyn BufRead, source: &str) -> Result<Run, Faults> {
    let mut run = Run::default();
    each_line(reader, source, |_, line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [query, _, document, _, value, _] = fields[..] else {
            return Err(format!("has {} fields; expected query, Q0, document, rank, score, tag", fields.len()));
        };
        add(&mut run, query, document, score(value)?);
        Ok(())
    })?;
    distinct(run, source)
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
pub fn read_predictions(bytes: &[u8], source: &str, subset: Option<&str>) -> Result<Run, Faults> {
    let start = bytes.iter().copied().find(|b| !b.is_ascii_whitespace());
    if start != Some(b'{') {
        return read_run(&mut &*bytes, source);
    }
    let first = bytes.split(|b| *b == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    match serde_json::from_slice::<Map<String, Value>>(first) {
        Ok(line) if line.contains_key("results") => by_line(bytes, source),
        _ => {
            let whole: Map<String, Value> =
                serde_json::from_slice(bytes).map_err(|e| Faults::of_file(source, format!("is no JSON: {e}")))?;
            nested(&whole, source, subset)
        }
    }
}

fn by_line(bytes: &[u8], source: &str) -> Result<Run, Faults> {
    let mut run = Run::default();
    each_line(&mut &*bytes, source, |_, line| {
        let line: Map<String, Value> = serde_json::from_str(line).map_err(|e| format!("is no JSON object: {e}"))?;
        let query = id(line.get("query_id")).ok_or("has no query_id")?;
        let results = line.get("results").and_then(Value::as_array).ok_or("has no list of results")?;
        if run.queries.contains_key(&query) {
            return Err(format!("query \"{query}\" was already predicted"));
        }
        run.queries.insert(query.clone(), Vec::new());
        for result in results {
            let document = id(result.get("corpus_id")).ok_or("a result has no corpus_id")?;
            let value = result.get("score").and_then(Value::as_f64);
            add(&mut run, &query, &document, value.ok_or_else(|| format!("document \"{document}\" has no score"))?);
        }
        Ok(())
    })?;
    distinct(run, source)
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
    for (query, documents) in level {
        let Some(documents) = documents.as_object() else {
            return Err(refused(format!("query \"{query}\" has no documents with scores")));
        };
        run.queries.insert(query.clone(), Vec::new());
        for (document, value) in documents {
            let value = value.as_f64().filter(|x| x.is_finite());
            let value =
                value.ok_or_else(|| refused(format!("query \"{query}\", document \"{document}\": no score")))?;
            add(&mut run, query, document, value);
        }
    }
    if run.queries.is_empty() {
        return Err(refused("holds no predictions".to_owned()));
    }
    distinct(run, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions(text: &str, subset: Option<&str>) -> Result<Run, Faults> {
        read_predictions(text.as_bytes(), "p", subset)
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
    fn the_relevances_of_beir_are_read() {
        let qrels = read_qrels(&mut "query-id\tcorpus-id\tscore\nq\ta\t2\nq\tb\t0\n".as_bytes(), "q").expect("sound");
        assert_eq!((qrels.of("q", "a"), qrels.of("q", "b"), qrels.of("q", "c"), qrels.of("x", "a")), (2, 0, 0, 0));
    }
}
