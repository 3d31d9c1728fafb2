//! What the sample data promises, measured: first its form, then how hard it is for a lexical model.

use super::*;
use crate::data::{hex, read_events};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static DEFAULT: LazyLock<SampleData> = LazyLock::new(|| generate(&SampleSpec::default()));

fn lines<T: serde::Serialize>(items: &[T]) -> String {
    items.iter().map(|item| serde_json::to_string(item).expect("plain data") + "\n").collect()
}

fn bytes(data: &SampleData) -> String {
    lines(&data.train) + &lines(&data.organic) + &lines(&data.truth)
}

fn counts_by_sense(events: &[Event]) -> BTreeMap<&str, usize> {
    events.iter().fold(BTreeMap::new(), |mut counts, event| {
        *counts.entry(event.sense.as_str()).or_default() += 1;
        counts
    })
}

fn is_confusable(event: &Event) -> bool {
    event.extra.get("confusable").is_some_and(|v| v == true)
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let hash = |data: &SampleData| hex(&Sha256::digest(bytes(data).as_bytes()));
    assert_eq!(bytes(&generate(&SampleSpec::default())), bytes(&DEFAULT));
    let other = generate(&SampleSpec { seed: 43, ..SampleSpec::default() });
    assert_ne!(hash(&other), hash(&DEFAULT));
    // The data is the same on every platform and in every release that does not say otherwise. After a wanted change of
    // the lexicon, the phrases or the code, read some texts, copy the new hash from this test's failure, and say in the
    // changelog that the sample data changed: evals on it from before cannot be compared with later ones.
    assert_eq!(hash(&DEFAULT), "f6ec8a4d136754b82798ed5740216ff599e433bf628b7cb6d092dc0aac81d6e1");
}

#[test]
fn there_are_as_many_events_as_promised() {
    let lemmas: BTreeSet<&str> = DEFAULT.train.iter().map(|e| e.lemma.as_str()).collect();
    let train = counts_by_sense(&DEFAULT.train);
    let organic = counts_by_sense(&DEFAULT.organic);
    assert!(lemmas.len() >= 40, "{} lemmas", lemmas.len());
    assert!((130..=160).contains(&train.len()), "{} senses", train.len());
    assert!((3_000..=4_200).contains(&DEFAULT.train.len()), "{} train events", DEFAULT.train.len());
    assert!((850..=1_150).contains(&DEFAULT.organic.len()), "{} organic events", DEFAULT.organic.len());
    assert!(train.values().all(|n| *n >= 8) && organic.values().all(|n| *n >= 2), "{train:?} {organic:?}");
    assert!(train.keys().eq(organic.keys()), "some sense is in one set only");
    for lemma in lemmas {
        let senses: Vec<usize> =
            train.iter().filter(|(sense, _)| crate::data::lemma_of(sense) == lemma).map(|(_, n)| *n).collect();
        assert!((2..=5).contains(&senses.len()), "{lemma} has {} senses", senses.len());
        // One sense dominates, and no sense drowns.
        let (most, least) = (senses.iter().max().copied().unwrap_or(0), senses.iter().min().copied().unwrap_or(0));
        let skew = most as f64 / least as f64;
        assert!((1.25..=4.0).contains(&skew), "{lemma}: {senses:?}");
    }
}

#[test]
fn a_small_spec_gives_small_data() {
    let spec = SampleSpec { events_per_sense: 4, organic_per_sense: 2, max_lemmas: 3, ..SampleSpec::default() };
    let data = generate(&spec);
    let lemmas: BTreeSet<&str> = data.train.iter().map(|e| e.lemma.as_str()).collect();
    assert_eq!(lemmas, BTreeSet::from(["bank", "bar", "band"]));
    assert!(counts_by_sense(&data.train).values().all(|n| (4..=12).contains(n)), "{:?}", counts_by_sense(&data.train));
    assert!(generate(&SampleSpec { max_lemmas: 0, ..spec }).train.is_empty());
}

#[test]
fn the_events_are_events() {
    // The reader checks ids, spans and fields.
    for events in [&DEFAULT.train, &DEFAULT.organic] {
        let text = lines(events);
        let read = read_events(&mut text.as_bytes(), "sample").unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(&read, events);
    }
    let mut ids = BTreeSet::new();
    assert!(DEFAULT.train.iter().chain(&DEFAULT.organic).all(|e| ids.insert(&e.event_id)), "an id is in both sets");
}

#[test]
fn documents_group_a_few_events() {
    let mut docs: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in DEFAULT.train.iter().chain(&DEFAULT.organic) {
        docs.entry(event.extra["doc"].as_str().expect("a string")).or_default().push(event);
    }
    assert!(docs.values().all(|d| d.len() <= 5 && d.iter().all(|e| e.sense == d[0].sense)));
    assert!(docs.values().filter(|d| d.len() > 1).count() * 2 > docs.len(), "most documents have one event");
}

#[test]
fn spans_select_the_target_word_which_stands_there_only() {
    for event in DEFAULT.train.iter().chain(&DEFAULT.organic) {
        let (start, end) = event.span.expect("all events have one");
        let chars: Vec<char> = event.text.chars().collect();
        let target: String = chars[start as usize..end as usize].iter().collect();
        assert_eq!(target, event.lemma, "{}", event.text);
        let words = event.text.split(|c: char| !c.is_alphanumeric());
        assert_eq!(words.filter(|w| w.eq_ignore_ascii_case(&event.lemma)).count(), 1, "{}", event.text);
    }
}

#[test]
fn no_text_is_there_twice_so_none_has_two_senses() {
    let mut seen = BTreeMap::new();
    for event in DEFAULT.train.iter().chain(&DEFAULT.organic) {
        if let Some(first) = seen.insert(event.text.to_lowercase(), &event.event_id) {
            panic!("{first} and {} are the same text: {}", event.event_id, event.text);
        }
    }
}

#[test]
fn texts_are_well_formed_sentences() {
    for seed in [SampleSpec::default().seed, 1, 2, 3] {
        let data = generate(&SampleSpec { seed, ..SampleSpec::default() });
        data.train.iter().chain(&data.organic).for_each(|event| check_sentence(&event.text));
    }
}

fn check_sentence(text: &str) {
    let words: Vec<&str> = text.split(' ').collect();
    let first = text.trim_start_matches('"').chars().next();
    assert!(first.is_some_and(char::is_uppercase) && text.ends_with(['.', '?']), "{text}");
    assert!(!text.contains(['{', '}', '~', '/']) && words.iter().all(|w| !w.is_empty()), "{text}");
    assert!((6..=45).contains(&words.len()), "{} words: {text}", words.len());
    for pair in words.windows(2) {
        let vowel = pair[1].starts_with(['a', 'e', 'i', 'o', 'u']);
        assert!(!(pair[0].eq_ignore_ascii_case("a") && vowel), "\"a\" before a vowel: {text}");
        assert!(!pair[0].eq_ignore_ascii_case(pair[1]), "a word doubled: {text}");
    }
}

#[test]
fn confusable_senses_come_in_pairs_and_some_compounds_differ_in_word_order_alone() {
    let mut pairs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in DEFAULT.train.iter().filter(|e| is_confusable(e)) {
        pairs.entry(&event.lemma).or_default().insert(&event.sense);
    }
    assert!(pairs.len() >= 25 && pairs.values().all(|senses| senses.len() == 2), "{pairs:?}");
    let sense_of = |phrase: &str| -> BTreeSet<&str> {
        let found = DEFAULT.train.iter().filter(|e| e.text.contains(phrase));
        found.map(|e| e.sense.as_str()).collect()
    };
    for (one, other, senses) in [
        ("oil seal", "seal oil", ["seal#gasket", "seal#animal"]),
        ("wine port", "port wine", ["port#harbour", "port#wine"]),
    ] {
        assert_eq!((sense_of(one), sense_of(other)), (BTreeSet::from([senses[0]]), BTreeSet::from([senses[1]])));
    }
}

/// A bag of words with IDF weights, of unit length.
type Bag = BTreeMap<String, f64>;

struct TfIdf {
    idf: BTreeMap<String, f64>,
}

fn tokens(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase)
}

impl TfIdf {
    fn of(events: &[Event]) -> Self {
        let mut idf: BTreeMap<String, f64> = BTreeMap::new();
        for event in events {
            for token in tokens(&event.text).collect::<BTreeSet<_>>() {
                *idf.entry(token).or_default() += 1.0;
            }
        }
        idf.values_mut().for_each(|count| *count = (events.len() as f64 / *count).ln());
        Self { idf }
    }

    fn bag(&self, text: &str) -> Bag {
        let mut bag = Bag::new();
        for token in tokens(text) {
            let weight = self.idf.get(&token).copied().unwrap_or(0.0);
            *bag.entry(token).or_default() += weight;
        }
        unit(bag)
    }
}

fn unit(mut bag: Bag) -> Bag {
    let norm = bag.values().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    bag.values_mut().for_each(|x| *x /= norm);
    bag
}

fn cosine(a: &Bag, b: &Bag) -> f64 {
    a.iter().map(|(token, x)| x * b.get(token).copied().unwrap_or(0.0)).sum()
}

/// Share of organic events that pass, and the chance level: the sense of the nearest train centroid within the lemma.
fn nearest_centroid(chosen: impl Fn(&Event) -> bool) -> (f64, f64) {
    let model = TfIdf::of(&DEFAULT.train);
    let mut centroids: BTreeMap<&str, BTreeMap<&str, Bag>> = BTreeMap::new();
    for event in &DEFAULT.train {
        let centroid = centroids.entry(&event.lemma).or_default().entry(&event.sense).or_default();
        for (token, x) in model.bag(&event.text) {
            *centroid.entry(token).or_default() += x;
        }
    }
    let (mut right, mut chance, mut total) = (0.0, 0.0, 0.0);
    for event in DEFAULT.organic.iter().filter(|e| chosen(e)) {
        let bag = model.bag(&event.text);
        let senses = &centroids[event.lemma.as_str()];
        let score = |centroid: &Bag| cosine(&bag, centroid) / cosine(centroid, centroid).sqrt();
        let best = senses.iter().max_by(|a, b| score(a.1).total_cmp(&score(b.1))).map(|(sense, _)| *sense);
        right += f64::from(u8::from(best == Some(&event.sense)));
        chance += 1.0 / senses.len() as f64;
        total += 1.0;
    }
    (right / total, chance / total)
}

#[test]
fn a_lexical_model_learns_much_but_not_all() {
    let (all, chance) = nearest_centroid(|_| true);
    let (confusable, _) = nearest_centroid(is_confusable);
    let (others, _) = nearest_centroid(|e| !is_confusable(e));
    // Measured: all 0.74, confusable 0.66, others 0.80, chance 0.27.
    assert!(all > chance + 0.15 && all < 0.95, "{all:.3} at a chance of {chance:.3}");
    assert!(confusable < others - 0.1, "confusable {confusable:.3}, others {others:.3}, all {all:.3}");
}

/// For each truth record, the events of other senses of the lemma that are closer to the anchor than the positive is.
fn dangers(data: &SampleData) -> Vec<(&TruthRecord, Vec<&str>)> {
    let model = TfIdf::of(&data.train);
    let bags: BTreeMap<&str, Bag> = data.train.iter().map(|e| (e.event_id.as_str(), model.bag(&e.text))).collect();
    let by_id: BTreeMap<&str, &Event> = data.train.iter().map(|e| (e.event_id.as_str(), e)).collect();
    let closer = |record: &TruthRecord| {
        let (anchor, positive) = (by_id[record.anchor.as_str()], by_id[record.positive.as_str()]);
        assert!(anchor.sense == positive.sense && anchor.event_id != positive.event_id, "{record:?}");
        for negative in record.against.iter().map(|id| by_id[id.as_str()]) {
            assert!(negative.lemma == anchor.lemma && negative.sense != anchor.sense, "{record:?}");
        }
        let bag = &bags[record.anchor.as_str()];
        let bar = cosine(bag, &bags[record.positive.as_str()]);
        let negatives = data.train.iter().filter(|e| e.lemma == anchor.lemma && e.sense != anchor.sense);
        negatives.map(|e| e.event_id.as_str()).filter(|id| cosine(bag, &bags[id]) > bar).collect()
    };
    data.truth.iter().map(|record| (record, closer(record))).collect()
}

#[test]
fn true_killers_are_dangerous_against_many_and_pseudo_killers_against_one() {
    for seed in [SampleSpec::default().seed, 1, 2, 3] {
        let data = generate(&SampleSpec { seed, ..SampleSpec::default() });
        let dangers = dangers(&data);
        let of = |kind| dangers.iter().filter(move |(record, _)| record.kind == kind);
        let (num_true, num_pseudo) = (of(TruthKind::TrueKiller).count(), of(TruthKind::PseudoKiller).count());
        assert!(num_true >= 100 && num_pseudo >= 60, "seed {seed}: {num_true} and {num_pseudo}");
        for (record, closer) in of(TruthKind::TrueKiller) {
            assert!(closer.len() >= 5, "seed {seed}, {} closer: {record:?}", closer.len());
            // The positive shares no content word with the anchor, so these are closer for what they say.
            let listed = record.against.iter().filter(|id| closer.contains(&id.as_str())).count();
            assert!(2 * listed > record.against.len(), "seed {seed}, {listed} closer: {record:?}");
        }
        // As many as a miner's pool within the lemma holds.
        let fill_a_pool = of(TruthKind::TrueKiller).filter(|(_, closer)| closer.len() >= 10).count();
        assert!(20 * fill_a_pool >= 19 * num_true, "seed {seed}: {fill_a_pool} of {num_true}");
        for (record, closer) in of(TruthKind::PseudoKiller) {
            assert_eq!(closer, &record.against, "seed {seed}: {record:?}");
        }
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "printing is what it is for")]
#[ignore = "prints texts to read after a change of the lexicon or the phrases"]
fn show() {
    let mut stream = Stream::new(5, "show", 0);
    for (events, n) in [(&DEFAULT.train, 110), (&DEFAULT.organic, 70)] {
        for i in stream.sample(events.len(), n) {
            eprintln!("{:18} {}", events[i].sense, events[i].text);
        }
    }
}
