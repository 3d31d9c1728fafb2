//! What a run gives does not depend on how it is cut up; and the odd cases.

use super::*;
use crate::data::{Event, NegativeSource, read_bundles};
use crate::embeddings::Embeddings;
use crate::neighbours::Similarity;
use crate::rng::Stream;
use crate::sample::{SampleSpec, generate};
use serde_json::Map;

fn event(id: usize, sense: &str, text: &str) -> Event {
    let lemma = crate::data::lemma_of(sense).to_owned();
    let (event_id, sense, text) = (format!("e{id}"), sense.to_owned(), text.to_owned());
    Event { event_id, sense, lemma, text, span: None, embedding: None, extra: Map::new() }
}

fn sample() -> Vec<Event> {
    generate(&SampleSpec { max_lemmas: 12, ..SampleSpec::default() }).train
}

fn vectors(n: usize, dim: usize, seed: u64) -> Embeddings {
    let mut stream = Stream::new(seed, "test vectors", 0);
    Embeddings::normalised(dim, (0..n * dim).map(|_| stream.symmetric(1.0)).collect())
}

fn lexical<'a>(corpus: &'a Corpus<'a>, settings: &Settings, known: Known) -> Miner<'a> {
    Miner::new(corpus, &[Similarity::Lexical], vec![-0.02], known, settings.clone()).expect("sound settings")
}

fn run(miner: &Miner<'_>, shard: Option<Shard>, batch: Option<usize>, max_output: usize) -> Mined {
    let mut all = Mined::default();
    for batch in &miner.plan(shard, batch).batches {
        all.add(miner.validate(&miner.search(batch, None)), max_output);
    }
    all
}

#[test]
fn batches_shards_and_interruptions_change_nothing() {
    let events = sample();
    let corpus = Corpus::new(&events).expect("ids differ");
    let settings = Settings { max_output: 60, ..Settings::default() };
    let miner = lexical(&corpus, &settings, Known::default());
    let whole = run(&miner, None, None, usize::MAX);
    assert!(whole.accepted.len() > 100 && !whole.quarantined.is_empty(), "{} accepted", whole.accepted.len());
    assert_eq!(whole, run(&miner, None, Some(7), usize::MAX), "batches");

    let mut merged = Mined::default();
    for number in 1..=7 {
        merged.add(run(&miner, Some(Shard { number, of: 7 }), Some(50), usize::MAX), usize::MAX);
    }
    assert_eq!(whole, merged, "shards");

    // The cap may come early or late, and in each shard.
    let capped = run(&miner, None, None, 60);
    assert_eq!(capped.accepted, whole.accepted[..60]);
    assert_eq!(capped.counts, whole.counts);
    let mut merged = Mined::default();
    (1..=3).for_each(|number| merged.add(run(&miner, Some(Shard { number, of: 3 }), Some(9), 60), 60));
    assert_eq!(capped, merged, "capped shards");

    // Through a file and back.
    let text = serde_json::to_string(&whole).expect("JSON");
    assert_eq!(serde_json::from_str::<Mined>(&text).expect("JSON"), whole);

    let other = lexical(&corpus, &Settings { seed: 43, ..settings }, Known::default());
    assert_ne!(run(&other, None, None, usize::MAX).accepted, whole.accepted, "seeds");
}

#[cfg(feature = "parallel")]
#[test]
fn threads_change_nothing() {
    let events = sample();
    let vectors = vectors(events.len(), 24, 1);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("starts");
        pool.install(|| {
            let corpus = Corpus::new(&events).expect("ids differ");
            let models = [Similarity::Vectors(&vectors), Similarity::Lexical];
            let miner = Miner::new(&corpus, &models, vec![0.1, 0.0], Known::default(), Settings::default());
            let miner = miner.expect("sound settings");
            (run(&miner, None, None, usize::MAX), miner.null())
        })
    };
    let one = with(1);
    assert!(one.0.accepted.len() > 50 && one.1.is_some());
    assert_eq!(one, with(3));
}

#[test]
fn senses_do_not_look_at_each_others_draws() {
    let events = sample();
    let corpus = Corpus::new(&events).expect("ids differ");
    let draws = |corpus: &Corpus<'_>, sense: &str| {
        let sense = corpus.groups.senses.iter().position(|s| s == sense).expect("is there") as u32;
        let pairs = pairs::draw(&corpus.groups, sense, 15, 42);
        let id = |e: u32| corpus.events[e as usize].event_id.clone();
        pairs.iter().map(|p| (id(p.anchor), id(p.positive))).collect::<Vec<_>>()
    };
    let last = events.last().expect("events").sense.clone();
    let alone: Vec<Event> = events.iter().filter(|e| e.sense == last).cloned().collect();
    let of_all = draws(&corpus, &last);
    assert_eq!(of_all, draws(&Corpus::new(&alone).expect("ids differ"), &last));
    let distinct: std::collections::BTreeSet<_> = of_all.iter().collect();
    assert!(of_all.len() == 15 && distinct.len() == 15, "without replacement: {of_all:?}");
}

#[test]
fn no_bundle_repeats_what_is_known_or_holds_a_text_twice() {
    let events = sample();
    let corpus = Corpus::new(&events).expect("ids differ");
    let settings = Settings::default();
    let miner = lexical(&corpus, &settings, Known::default());
    let first = run(&miner, None, None, usize::MAX);
    let bundles = miner.bundles(&first.accepted, &Map::new());
    let mut bytes = Vec::new();
    bundles.write(&mut bytes).expect("writes");
    let set = read_bundles(&mut bytes.as_slice(), "mined").expect("what is written can be read");
    assert_eq!(set.pool_counts(), [0, first.accepted.len(), 0]);
    for bundle in &set.bundles {
        let of = |e: u32| &set.events[e as usize];
        let mut texts: Vec<String> = [bundle.anchor, bundle.positive]
            .into_iter()
            .chain(bundle.negatives.iter().map(|n| n.event))
            .map(|e| crate::neighbours::normal_text(&of(e).text))
            .collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 2 + settings.negatives_per_lineup, "{}", bundle.bundle_id);
        let within = |n: &crate::data::Negative| n.source == NegativeSource::WithinLemma;
        assert!(bundle.negatives.iter().any(within), "one from within the lemma: {}", bundle.bundle_id);
        let dangers = bundle.metadata.extra["lineup_dangers"].as_array().expect("a list");
        let greatest = dangers.iter().filter_map(|d| d.as_f64()).fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(bundle.metadata.danger_score, Some(greatest), "the lineup of the greatest danger is held");
        assert!(bundle.metadata.extra["passes"].as_u64() >= Some(3));
    }
    // Mined again beside its own output: all of it is known.
    let known = Known::new(&corpus, &set);
    assert_eq!(known.bundles(), set.bundles.len());
    let again = lexical(&corpus, &settings, known);
    let second = run(&again, None, None, usize::MAX);
    assert!(second.counts.rejections.known_pair >= first.accepted.len() as u64);
    let pair = |c: &Candidate| (c.anchor, c.positive);
    assert!(second.accepted.iter().all(|c| first.accepted.iter().all(|f| pair(f) != pair(c))));
    let senses = |c: &Candidate| {
        let own = corpus.groups.sense[c.anchor as usize];
        (own, corpus::set_of(c.negatives.iter().map(|n| corpus.groups.sense[n.0 as usize]).collect()))
    };
    let mut all: Vec<_> = first.accepted.iter().chain(&second.accepted).map(senses).collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "no set of senses twice");
}

#[test]
fn low_passers_are_kept_apart() {
    let events = sample();
    let corpus = Corpus::new(&events).expect("ids differ");
    let miner = lexical(&corpus, &Settings { min_passes: 6, ..Settings::default() }, Known::default());
    let mined = run(&miner, None, None, usize::MAX);
    assert!(mined.accepted.iter().all(|c| c.passes >= 6));
    let passes: std::collections::BTreeSet<u32> = mined.quarantined.iter().map(|c| c.passes).collect();
    assert!(passes.iter().all(|p| (2..6).contains(p)) && passes.len() > 2, "{passes:?}");
    let counts = &mined.counts;
    assert_eq!(counts.candidates, counts.accepted + counts.rejections.total());
}

#[test]
fn shuffled_labels_pass_more_often_than_real_ones() {
    let events = sample();
    let corpus = Corpus::new(&events).expect("ids differ");
    // Each sense has a direction of its own, which its events follow for the most part.
    let mut stream = Stream::new(1, "test vectors", 1);
    let senses = vectors(corpus.senses(), 24, 2);
    let of = |e: usize| senses.row(corpus.groups.sense[e] as usize);
    let mut noisy = |x: &f32| x + stream.symmetric(0.4);
    let flat = (0..events.len()).flat_map(|e| of(e).iter().map(&mut noisy).collect::<Vec<f32>>()).collect();
    let vectors = Embeddings::normalised(24, flat);
    let new = |settings| {
        let models = [Similarity::Vectors(&vectors)];
        Miner::new(&corpus, &models, vec![0.0], Known::default(), settings).expect("sound settings")
    };
    let miner = new(Settings::default());
    let null = miner.null().expect("lemmas have two senses");
    let counts = run(&miner, None, None, usize::MAX).counts;
    let real = counts.passes[3..].iter().sum::<u64>() as f64 / counts.passes.iter().sum::<u64>() as f64;
    let rate = null.rate.expect("candidates");
    assert!(rate > real + 0.1, "shuffled {rate}, real {real}");
    assert_eq!(null.passes.iter().sum::<u64>(), null.candidates);
    let interval = null.interval.expect("candidates");
    assert!(interval.low <= rate && rate <= interval.high && interval.low > real);
    assert_eq!(new(Settings { null_candidates: 0, ..Settings::default() }).null(), None);
}

#[test]
fn suspects_name_the_negative_and_the_reason() {
    // The anchor's sense is far from it; a rival shares half its words, another is nearest of all.
    let texts = [
        ("a#1", "the old river ran past the mill and the meadow"),
        ("a#1", "quite other words stand in this text of the sense"),
        ("a#2", "the old river ran past the mill and a house of stone"),
        ("a#2", "nothing here is like anything there"),
        ("a#3", "more words without a meaning of their own"),
    ];
    let mut events: Vec<Event> = (0..).zip(texts).map(|(i, (s, t))| event(i, s, t)).collect();
    events.extend((5..30).map(|i| event(i, "b#1", &format!("filler number {i} stands alone"))));
    let corpus = Corpus::new(&events).expect("ids differ");
    let first = Similarity::Lexical;
    let second = vectors(events.len(), 4, 3);
    let models = [first, Similarity::Vectors(&second)];
    let settings = Settings { lineups: 3, min_passes: 1, ..Settings::default() };
    // The second model accepts nothing.
    let miner = Miner::new(&corpus, &models, vec![0.0, 1.99], Known::default(), settings).expect("sound");
    let mined = run(&miner, None, None, usize::MAX);
    let found = suspects(&miner, &mined.accepted);
    let suspect = found.iter().find(|s| s.negative == "e2").expect("e2 is suspected");
    assert_eq!(suspect.reasons, [Reason::SharedWords, Reason::NearestOfAll, Reason::ModelsDisagree]);
    assert!(suspect.verdict.is_none() && suspect.similarity > suspect.positive_similarity);
    let bundles = miner.bundles(&mined.accepted, &Map::new());
    assert!(bundles.bundles.iter().any(|b| b.bundle_id == suspect.bundle_id));
    let agreement = &bundles.bundles[0].metadata.extra["agreement"];
    assert_eq!((agreement["models"].as_u64(), agreement["accept"].as_u64()), (Some(2), Some(1)), "{agreement}");
    assert_eq!(mined.counts.others_accept, [0]);
}

#[test]
fn senses_without_a_pair_and_lemmas_of_one_sense_are_told() {
    let mut events =
        vec![event(0, "one#1", "alone"), event(1, "two#1", "Twice  said"), event(2, "two#1", "twice said")];
    events.extend((3..30).map(|i| event(i, ["x#1", "y#1", "y#2"][i % 3], &format!("word{i} and word{}", i * 7))));
    let corpus = Corpus::new(&events).expect("ids differ");
    let left: Vec<_> = corpus.left_out().into_iter().map(|l| (l.why, l.senses, l.examples)).collect();
    let expected = [(WhySense::SenseWithOneEvent, "one#1"), (WhySense::SenseWithOneText, "two#1")];
    assert_eq!(left, expected.map(|(why, sense)| (why, 1, vec![sense.to_owned()])));
    assert_eq!(corpus.lemmas_with_one_sense(), 3);
    let miner = lexical(&corpus, &Settings::default(), Known::default());
    let plan = miner.plan(None, None);
    assert_eq!((plan.senses, plan.candidates), (3, 45));
    let counts = run(&miner, None, None, usize::MAX).counts;
    assert_eq!(counts.none_within_lemma, 15, "the candidates of x#1");
    let mut twice = events.clone();
    twice[5].event_id = "e3".to_owned();
    assert_eq!(Corpus::new(&twice).err().as_deref(), Some("event_id \"e3\" is used twice"));
}

#[test]
fn a_lemma_of_many_events_needs_no_square_of_memory() {
    // 100,000 events of one lemma in senses of two; a sample of its senses is mined.
    let n = 100_000;
    let events: Vec<Event> = (0..n).map(|i| event(i, &format!("a#{}", i / 2), &format!("t{i} u{i} v{i}"))).collect();
    let vectors = vectors(n, 8, 5);
    let corpus = Corpus::new(&events).expect("ids differ");
    let settings = Settings {
        depths: crate::bundles::PerSource { within_lemma: 10, sibling: 0, cross_lemma: 0 },
        ..Settings::default()
    };
    let miner = Miner::new(&corpus, &[Similarity::Vectors(&vectors)], vec![0.0], Known::default(), settings);
    let miner = miner.expect("sound settings");
    let plan = miner.plan(Some(Shard { number: 1, of: 100 }), None);
    let mined = miner.validate(&miner.search(&plan.batches[0], None));
    assert!(mined.counts.candidates > 800, "{:?}", mined.counts);
    assert_eq!(mined.counts.accepted, mined.counts.candidates, "the nearest of so many is nearer than chance");
}

#[test]
fn models_and_rows_have_to_fit() {
    let events = sample();
    let corpus = Corpus::new(&events).expect("ids differ");
    let few = vectors(3, 4, 1);
    let new = |models: &[Similarity<'_>], thresholds: Vec<f64>, settings: Settings| {
        Miner::new(&corpus, models, thresholds, Known::default(), settings)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    };
    let rows = new(&[Similarity::Lexical, Similarity::Vectors(&few)], vec![0.0, 0.0], Settings::default());
    assert_eq!(rows, format!("there are 3 vectors for {} events; row i must be event i", events.len()));
    assert_eq!(new(&[], vec![], Settings::default()), "there are 0 models and 0 thresholds");
    assert!(
        new(&[Similarity::Lexical], vec![0.0], Settings { lineups: 0, ..Settings::default() }).contains("lineups is 0")
    );
}
