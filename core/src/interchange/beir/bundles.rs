//! Judged documents to bundles.

use super::{Judgement, Pool};
use crate::data::{BundleSet, BundleSetBuilder, Event, Fault, Faults, Metadata, NegativeSource, WholeBundle, tiers_of};
use crate::interchange::{CORPUS_ID, QUERY_ID, RELEVANCE};
use crate::neighbours::{Groups, Similarity, Space};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// Which negatives a bundle gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negatives {
    /// How many.
    pub count: usize,
    /// So many of the nearest documents that nobody judged are passed over: they may well be relevant.
    pub range_min: usize,
}

/// What was made, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BeirReport {
    /// Queries with a bundle.
    pub queries: usize,
    /// Documents of the corpus.
    pub documents: usize,
    /// Documents among which negatives were sought.
    pub pool: usize,
    /// One for each query and relevant document.
    pub bundles: usize,
    /// Negatives that the qrels judge as not relevant.
    pub judged_negatives: usize,
    /// Negatives that nobody judged, the nearest by words.
    pub found_negatives: usize,
    /// Relevances of queries or documents that are not there; only where that is allowed.
    pub missing: usize,
    /// Relevant documents, or their queries, without any text.
    pub without_text: usize,
    /// Relevant documents that say what the query says.
    pub same_text: usize,
    /// Relevant documents of queries for which no negative was found.
    pub without_negatives: usize,
}

/// Bundles of a folder.
#[derive(Debug)]
pub struct BeirBundles {
    /// In the order of the qrels.
    pub set: BundleSet,
    /// What became of the rest.
    pub report: BeirReport,
}

/// One bundle for each query and relevant document. Negatives are documents that were judged for the query and are not
/// relevant, then those of the pool that nobody judged, both nearest first by the lexical embedding; no two texts of a
/// bundle are alike. Danger is that embedding's, and tiers follow from it.
///
/// A query's sense and lemma are `q:ID`, and its relevant documents have its sense; a negative's sense is `d:ID`.
///
/// # Errors
/// Queries or documents that are judged and not there, by line of the qrels, unless `allow_missing`.
pub fn beir_bundles(
    queries: &HashMap<String, String>,
    judgements: &[Judgement],
    mut pool: Pool,
    negatives: Negatives,
    allow_missing: bool,
    source: &str,
) -> Result<BeirBundles, Faults> {
    let mut report = BeirReport { documents: pool.documents, ..BeirReport::default() };
    pool.close();
    let (items, judged) = numbered(queries, judgements, &pool, allow_missing, source, &mut report)?;
    let documents: Vec<u32> = pool.texts().keys().map(|id| items.by_id[&format!("d:{id}")]).collect();
    report.pool = documents.len();
    let lineups = lineups(&items.events, &judged, &documents, negatives, &mut report);
    let set = assemble(&items.events, judgements, &lineups);
    report.bundles = set.bundles.len();
    report.queries = lineups.iter().map(|l| l.query).collect::<HashSet<_>>().len();
    Ok(BeirBundles { set, report })
}

/// Queries and documents as events, in which a document is of its own sense.
#[derive(Default)]
struct Items {
    events: Vec<Event>,
    by_id: HashMap<String, u32>,
}

impl Items {
    fn add(&mut self, kind: char, id: &str, text: &str) -> u32 {
        let name = format!("{kind}:{id}");
        if let Some(known) = self.by_id.get(&name) {
            return *known;
        }
        let number = self.events.len() as u32;
        let field = if kind == 'q' { QUERY_ID } else { CORPUS_ID };
        self.events.push(Event {
            event_id: name.clone(),
            sense: name.clone(),
            lemma: name.clone(),
            text: text.to_owned(),
            span: None,
            embedding: None,
            extra: [(field.to_owned(), Value::from(id))].into_iter().collect(),
        });
        self.by_id.insert(name, number);
        number
    }
}

/// A query and what was judged for it: documents, their relevance, and which judgement says so.
struct Judged {
    query: u32,
    documents: Vec<(u32, i64, usize)>,
}

/// Everything that has a text as events; judgements by query, in order of its first one.
fn numbered(
    queries: &HashMap<String, String>,
    judgements: &[Judgement],
    pool: &Pool,
    allow_missing: bool,
    source: &str,
    report: &mut BeirReport,
) -> Result<(Items, Vec<Judged>), Faults> {
    let (mut faults, mut items, mut judged) = (Faults::new(source), Items::default(), Vec::<Judged>::new());
    let mut place = HashMap::new();
    for (number, Judgement { line, query, document, relevance }) in judgements.iter().enumerate() {
        let mut missing = |field: &str, id: &str, file: &str| {
            report.missing += 1;
            let message = format!("\"{id}\" is not in {file}");
            faults.push(Fault { line: Some(*line), field: Some(field.to_owned()), message });
        };
        let Some(query_text) = queries.get(query) else {
            missing("query-id", query, "queries.jsonl");
            continue;
        };
        let text = match pool.texts().get(document) {
            Some(text) if !query_text.is_empty() => text,
            None if !pool.is_without_text(document) => {
                missing("corpus-id", document, "corpus.jsonl");
                continue;
            }
            _ => {
                report.without_text += usize::from(*relevance > 0);
                continue;
            }
        };
        let query = items.add('q', query, query_text);
        let document = items.add('d', document, text);
        let at = *place.entry(query).or_insert_with(|| {
            judged.push(Judged { query, documents: Vec::new() });
            judged.len() - 1
        });
        judged[at].documents.push((document, *relevance, number));
    }
    if !allow_missing {
        faults.or(())?;
    }
    for (id, text) in pool.texts() {
        items.add('d', id, text);
    }
    Ok((items, judged))
}

/// A bundle in numbers of events.
struct Lineup {
    query: u32,
    positive: u32,
    negatives: Vec<u32>,
    danger: f64,
    /// Which judgement it is of.
    judgement: usize,
}

/// The bundles, in the order of the judgements.
fn lineups(
    events: &[Event],
    judged: &[Judged],
    documents: &[u32],
    wanted: Negatives,
    report: &mut BeirReport,
) -> Vec<Lineup> {
    let groups = Groups::new(events);
    let space = Space::new(Similarity::Lexical, &groups.texts, &groups.text);
    let text = |item: u32| groups.text[item as usize];
    let with_relevant: Vec<&Judged> = judged.iter().filter(|j| j.documents.iter().any(|d| d.1 > 0)).collect();
    // Texts that are no negatives which nobody judged: the query's own, and those that were judged.
    let known: HashMap<u32, HashSet<u32>> = with_relevant
        .iter()
        .map(|j| (j.query, j.documents.iter().map(|d| text(d.0)).chain([text(j.query)]).collect()))
        .collect();
    let queries: Vec<u32> = with_relevant.iter().map(|j| j.query).collect();
    let accept = |query: u32, item: u32| !known[&query].contains(&text(item));
    let mut members = documents.to_vec();
    members.sort_unstable();
    let k = wanted.count + wanted.range_min;
    let near = space.nearest(&queries, &members, k, Some(&groups.text), &accept);
    let mut lineups = Vec::new();
    for (judged, near) in with_relevant.iter().zip(near) {
        let relevant: HashSet<u32> = judged.documents.iter().filter(|d| d.1 > 0).map(|d| text(d.0)).collect();
        let mut refused = relevant.clone();
        refused.insert(text(judged.query));
        let mut others: Vec<u32> = judged.documents.iter().filter(|d| d.1 <= 0).map(|d| d.0).collect();
        let similarity = |item: u32| space.similarity(judged.query, item);
        others.sort_by(|a, b| similarity(*b).total_cmp(&similarity(*a)).then(a.cmp(b)));
        others.retain(|item| refused.insert(text(*item)));
        others.truncate(wanted.count);
        let of_judged = others.len();
        others.extend(near.iter().skip(wanted.range_min).map(|n| n.item).take(wanted.count - of_judged));
        let most = others.iter().map(|item| similarity(*item)).fold(f64::NEG_INFINITY, f64::max);
        for &(positive, _, judgement) in judged.documents.iter().filter(|d| d.1 > 0) {
            if text(positive) == text(judged.query) {
                report.same_text += 1;
            } else if others.is_empty() {
                report.without_negatives += 1;
            } else {
                report.judged_negatives += of_judged;
                report.found_negatives += others.len() - of_judged;
                let danger = most - similarity(positive);
                lineups.push(Lineup { query: judged.query, positive, negatives: others.clone(), danger, judgement });
            }
        }
    }
    lineups.sort_by_key(|lineup| lineup.judgement);
    lineups
}

fn assemble(events: &[Event], judgements: &[Judgement], lineups: &[Lineup]) -> BundleSet {
    let tiers = tiers_of(&lineups.iter().map(|l| l.danger).collect::<Vec<_>>());
    let (mut builder, mut ids) = (BundleSetBuilder::default(), HashSet::new());
    for (lineup, tier) in lineups.iter().zip(tiers) {
        let Judgement { query, document, relevance, .. } = &judgements[lineup.judgement];
        // Ids may hold colons themselves.
        let mut bundle_id = format!("{query}:{document}");
        while !ids.insert(bundle_id.clone()) {
            bundle_id.push('_');
        }
        let event = |item: u32| events[item as usize].clone();
        let anchor = event(lineup.query);
        let (sense, lemma) = (anchor.sense.clone(), anchor.lemma.clone());
        builder.push(WholeBundle {
            bundle_id,
            anchor,
            positive: Event { sense, lemma, ..event(lineup.positive) },
            negatives: lineup.negatives.iter().map(|item| (event(*item), NegativeSource::CrossLemma)).collect(),
            metadata: Metadata {
                tier: Some(tier),
                danger_score: Some(lineup.danger),
                source: Some("bundle_generator".to_owned()),
                expansion: None,
                extra: [(RELEVANCE.to_owned(), Value::from(*relevance))].into_iter().collect(),
            },
            extra: Map::new(),
        });
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read_bundles;
    use crate::interchange::beir::{BeirText, read_judgements};

    const CORPUS: [(&str, &str); 7] = [
        ("1", "cats sleep all day"),
        ("2", "dogs bark at night"),
        ("3", "cats chase dogs at night"),
        ("4", "Cats  sleep all day"),
        ("5", "stocks fell"),
        ("6", ""),
        ("7", "do cats sleep"),
    ];

    fn made(qrels: &str, negatives: Negatives, allow: bool) -> Result<BeirBundles, Faults> {
        let judgements = read_judgements(&mut qrels.as_bytes(), "test.tsv")?;
        let mut pool = Pool::new(judgements.iter().map(|j| j.document.clone()).collect(), 100, 1);
        for (id, text) in CORPUS {
            pool.offer(BeirText { id: id.to_owned(), text: text.to_owned() });
        }
        let queries = [("1", "do cats sleep"), ("2", "dogs at night"), ("e", "")];
        let queries = queries.map(|(id, text)| (id.to_owned(), text.to_owned())).into();
        beir_bundles(&queries, &judgements, pool, negatives, allow, "test.tsv")
    }

    fn ids(set: &BundleSet, bundle: usize) -> Vec<&str> {
        let b = &set.bundles[bundle];
        let negatives = b.negatives.iter().map(|n| n.event);
        [b.anchor, b.positive].into_iter().chain(negatives).map(|e| set.events[e as usize].event_id.as_str()).collect()
    }

    #[test]
    fn judged_documents_come_first_then_the_nearest() {
        let qrels = "1\t1\t2\n2\t2\t1\n1\t5\t0\n2\t3\t1\n";
        let made = made(qrels, Negatives { count: 3, range_min: 0 }, false).expect("sound");
        // 4 says what 1 says, and 7 what the query says; 6 says nothing.
        assert_eq!(ids(&made.set, 0), ["q:1", "d:1", "d:5", "d:3", "d:2"]);
        assert_eq!(made.set.bundles.len(), 3);
        assert_eq!(&ids(&made.set, 1)[..2], ["q:2", "d:2"]);
        assert_eq!(&ids(&made.set, 2)[..2], ["q:2", "d:3"]);
        assert!(!ids(&made.set, 1).contains(&"d:3"), "relevant documents are no negatives");
        assert_eq!((made.report.queries, made.report.judged_negatives, made.report.documents), (2, 1, 7));
        assert_eq!(made.set.bundles[0].metadata.extra["relevance"], 2);
        let mut written = Vec::new();
        made.set.write(&mut written).expect("a Vec takes everything");
        assert_eq!(read_bundles(&mut &written[..], "f").expect("its own rules"), made.set);
        let skipped = super::tests::made(qrels, Negatives { count: 1, range_min: 1 }, false).expect("sound");
        assert_eq!(ids(&skipped.set, 0), ["q:1", "d:1", "d:5"]);
        assert_ne!(ids(&skipped.set, 1)[2], ids(&made.set, 1)[2]);
    }

    #[test]
    fn what_is_not_there_is_named_or_counted() {
        let qrels = "1\t1\t1\n1\tx\t1\nnone\t1\t1\n1\t6\t1\ne\t1\t1\n1\t7\t1\n2\t2\t-1\n";
        let negatives = Negatives { count: 2, range_min: 0 };
        let faults = made(qrels, negatives, false).expect_err("two are not there");
        let seen: Vec<_> = faults.faults.iter().map(|f| (f.line, f.field.as_deref())).collect();
        assert_eq!(seen, [(Some(2), Some("corpus-id")), (Some(3), Some("query-id"))]);
        let made = made(qrels, negatives, true).expect("allowed");
        let BeirReport { missing, without_text, same_text, bundles, .. } = made.report;
        assert_eq!((missing, without_text, same_text, bundles), (2, 2, 1, 1));
    }

    #[test]
    fn ids_of_bundles_stay_apart() {
        let judgement = |query: &str, document: &str| Judgement {
            line: 1,
            query: query.into(),
            document: document.into(),
            relevance: 1,
        };
        let judgements = [judgement("a:b", "c"), judgement("a", "b:c")];
        let mut items = Items::default();
        let numbers =
            [('q', "a:b"), ('d', "c"), ('q', "a"), ('d', "b:c"), ('d', "n")].map(|(k, id)| items.add(k, id, id));
        let lineup = |i: usize| Lineup {
            query: numbers[2 * i],
            positive: numbers[2 * i + 1],
            negatives: vec![numbers[4]],
            danger: 0.0,
            judgement: i,
        };
        let set = assemble(&items.events, &judgements, &[lineup(0), lineup(1)]);
        assert_ne!(set.bundles[0].bundle_id, set.bundles[1].bundle_id);
    }
}
