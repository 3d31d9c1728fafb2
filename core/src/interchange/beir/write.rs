//! Bundles as a folder.

use crate::data::{BundleSet, Event};
use crate::interchange::rows_out::write_line;
use crate::interchange::{RELEVANCE, document_id, query_id};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};

/// Texts in order of first appearance, each once.
#[derive(Default)]
struct Texts {
    by_id: HashMap<String, u32>,
    texts: Vec<(String, String)>,
}

impl Texts {
    fn add(&mut self, what: &str, id: &str, event: &Event) -> Result<u32, String> {
        if let Some(&known) = self.by_id.get(id) {
            return match self.texts[known as usize].1 == event.text {
                true => Ok(known),
                false => Err(format!("{what} \"{id}\" has two different texts")),
            };
        }
        if id.contains(['\t', '\n', '\r']) {
            return Err(format!("{what} {id:?} has a tab or a line end in its id; qrels can't name it"));
        }
        let number = self.texts.len() as u32;
        self.by_id.insert(id.to_owned(), number);
        self.texts.push((id.to_owned(), event.text.clone()));
        Ok(number)
    }

    fn write(&self, titled: bool, out: &mut dyn Write) -> io::Result<()> {
        self.texts.iter().try_for_each(|(id, text)| match titled {
            true => write_line(&json!({"_id": id, "title": "", "text": text}), out),
            false => write_line(&json!({"_id": id, "text": text}), out),
        })
    }
}

/// What a BEIR folder holds: anchors as queries, positives and negatives as the corpus.
#[derive(Default)]
pub struct BeirFolder {
    queries: Texts,
    corpus: Texts,
    /// Query, document, relevance; in order of first appearance.
    qrels: Vec<(u32, u32, i64)>,
    /// Queries for whose sense the corpus holds documents that no bundle names as their positives: a model that finds them
    /// is counted as wrong.
    pub with_unnamed: usize,
}

impl BeirFolder {
    /// Bundles as such a folder. Relevances are those that an import noted, else 1. With `negatives`, a bundle's are judged
    /// with 0; with `whole_senses`, every document of a query's sense is relevant.
    ///
    /// # Errors
    /// A bundle with an id that has two texts, or that qrels can't name.
    pub fn new(set: &BundleSet, negatives: bool, whole_senses: bool) -> Result<Self, String> {
        let mut folder = Self::default();
        let mut place: HashMap<(u32, u32), usize> = HashMap::new();
        let mut of_sense: HashMap<&str, BTreeSet<u32>> = HashMap::new();
        let mut anchors: Vec<&Event> = Vec::new();
        for bundle in &set.bundles {
            let named = |message: String| format!("bundle \"{}\": {message}", bundle.bundle_id);
            let event = |index: u32| &set.events[index as usize];
            let anchor = event(bundle.anchor);
            let query = folder.queries.add("query", query_id(anchor), anchor).map_err(named)?;
            if query as usize == anchors.len() {
                anchors.push(anchor);
            }
            let relevance =
                bundle.metadata.extra.get(RELEVANCE).and_then(Value::as_i64).filter(|r| *r > 0).unwrap_or(1);
            let documents = [(bundle.positive, relevance)].into_iter();
            for (index, relevance) in documents.chain(bundle.negatives.iter().map(|n| (n.event, 0))) {
                let document = folder.corpus.add("document", document_id(event(index)), event(index)).map_err(named)?;
                of_sense.entry(&event(index).sense).or_default().insert(document);
                if relevance > 0 || negatives {
                    folder.judge(&mut place, (query, document), relevance);
                }
            }
        }
        for (query, anchor) in (0u32..).zip(&anchors) {
            let own = folder.corpus.by_id.get(document_id(anchor)).copied();
            let documents = of_sense.get(anchor.sense.as_str()).into_iter().flatten().filter(|d| Some(**d) != own);
            let mut unnamed = documents.filter(|d| place.get(&(query, **d)).is_none_or(|at| folder.qrels[*at].2 == 0));
            if whole_senses {
                let unnamed: Vec<u32> = unnamed.copied().collect();
                unnamed.into_iter().for_each(|document| folder.judge(&mut place, (query, document), 1));
            } else {
                folder.with_unnamed += usize::from(unnamed.next().is_some());
            }
        }
        Ok(folder)
    }

    /// Of several judgements of a pair the greatest holds.
    fn judge(&mut self, place: &mut HashMap<(u32, u32), usize>, pair: (u32, u32), relevance: i64) {
        let next = self.qrels.len();
        let at = *place.entry(pair).or_insert(next);
        match self.qrels.get_mut(at) {
            Some(known) => known.2 = known.2.max(relevance),
            None => self.qrels.push((pair.0, pair.1, relevance)),
        }
    }

    /// How many queries, documents and judgements there are.
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        [self.queries.texts.len(), self.corpus.texts.len(), self.qrels.len()]
    }

    /// Writes `corpus.jsonl`. Texts stand whole in `text`: what were titles are their beginnings.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_corpus(&self, out: &mut dyn Write) -> io::Result<()> {
        self.corpus.write(true, out)
    }

    /// Writes `queries.jsonl`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_queries(&self, out: &mut dyn Write) -> io::Result<()> {
        self.queries.write(false, out)
    }

    /// Writes `qrels/SPLIT.tsv`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_qrels(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"query-id\tcorpus-id\tscore\n")?;
        self.qrels.iter().try_for_each(|(query, document, relevance)| {
            let id = |texts: &Texts, at: u32| texts.texts[at as usize].0.clone();
            writeln!(out, "{}\t{}\t{relevance}", id(&self.queries, *query), id(&self.corpus, *document))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read_bundles;

    fn set(lines: &[Value]) -> BundleSet {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        read_bundles(&mut text.as_bytes(), "f").expect("sound")
    }

    fn event(id: &str, sense: &str, text: &str) -> Value {
        json!({"event_id": id, "sense": sense, "text": text, "source": "cross_lemma"})
    }

    fn bundle(id: &str, anchor: Value, positive: Value, negative: Value, relevance: i64) -> Value {
        json!({"bundle_id": id, "anchor": anchor, "positive": positive, "negatives": [negative], "metadata": {"relevance": relevance}})
    }

    fn qrels(folder: &BeirFolder) -> String {
        let mut out = Vec::new();
        folder.write_qrels(&mut out).expect("a Vec takes everything");
        String::from_utf8(out).expect("UTF-8").replace("query-id\tcorpus-id\tscore\n", "")
    }

    #[test]
    fn senses_are_whole_where_asked() {
        let [a, b, c] = ["a", "b", "c"].map(|id| event(id, "s#1", id));
        let n = event("n", "s#2", "n\n");
        let set = set(&[bundle("1", a.clone(), b.clone(), n.clone(), 3), bundle("2", b, c, n, 0)]);
        let folder = |negatives, whole| BeirFolder::new(&set, negatives, whole).expect("sound");
        let plain = folder(false, false);
        assert_eq!(qrels(&plain), "a\tb\t3\nb\tc\t1\n");
        assert_eq!(
            (plain.counts(), plain.with_unnamed),
            ([2, 3, 2], 1),
            "c is of a's sense; b is no document for itself"
        );
        assert_eq!(qrels(&folder(true, false)), "a\tb\t3\na\tn\t0\nb\tc\t1\nb\tn\t0\n");
        let whole = folder(false, true);
        assert_eq!((qrels(&whole).as_str(), whole.with_unnamed), ("a\tb\t3\nb\tc\t1\na\tc\t1\n", 0));
        let mut corpus = Vec::new();
        plain.write_corpus(&mut corpus).expect("a Vec takes everything");
        assert!(String::from_utf8_lossy(&corpus).ends_with("{\"_id\":\"c\",\"title\":\"\",\"text\":\"c\"}\n"));
    }

    #[test]
    fn ids_that_can_not_be_are_named() {
        let n = event("n", "s#2", "n");
        let two = bundle("x", event("a", "s#1", "a"), event("b", "s#1", "b"), n.clone(), 1);
        let other = bundle("y", event("a", "s#1", "a"), event("b", "s#1", "another"), n.clone(), 1);
        let said = BeirFolder::new(&set(&[two, other]), false, false).err().expect("two texts");
        assert!(said.contains("bundle \"y\"") && said.contains("two different texts"), "{said}");
        let tab = bundle("x", event("a\tb", "s#1", "a"), event("b", "s#1", "b"), n, 1);
        assert!(BeirFolder::new(&set(&[tab]), false, false).err().expect("a tab").contains("a tab"));
    }
}
