//! Against brute force, on threads, on real events, and on events that try to break it.

#![expect(clippy::disallowed_methods, reason = "tests read files, settings and the clock")]

use super::*;
use crate::data::read_events;
use crate::embeddings::Embeddings;
use crate::neighbours::normal_text;
use std::collections::{BTreeMap, BTreeSet};

fn event(id: usize, lemma: &str, sense: &str, text: &str, parent: Option<&str>) -> Event {
    let (sense, lemma) = (sense.to_owned(), lemma.to_owned());
    let extra = parent.map(|p| ("parent".to_owned(), p.into())).into_iter().collect();
    Event { event_id: format!("e{id}"), sense, lemma, text: text.to_owned(), span: None, embedding: None, extra }
}

/// Few words and coarse vectors: many ties, equal texts, and texts that differ in case and white space only.
fn random(n: usize, seed: u64) -> (Vec<Event>, Embeddings) {
    let mut stream = Stream::new(seed, "events", 0);
    let words = ["one", "two", "Three", "four", "five"];
    let mut vectors = Vec::new();
    let events = (0..n).map(|i| {
        let lemma = format!("l{}", stream.below(4));
        let sense = format!("{lemma}#{}", stream.below(6) * stream.below(3));
        let text: Vec<_> = (0..1 + stream.below(4)).map(|_| words[stream.below(5)]).collect();
        let mut text = text.join([" ", "  "][stream.below(2)]);
        if stream.below(2) == 0 {
            text = text.to_uppercase();
        }
        vectors.extend((0..4).map(|_| stream.below(3) as f32 - 1.0));
        let parent = [None, Some("p")][usize::from(sense.ends_with('2'))];
        event(i, &lemma, &sense, &text, parent)
    });
    let events = events.collect();
    (events, Embeddings::normalised(4, vectors))
}

/// The nearest `depth` events of distinct texts among all, by sorting.
fn brute(
    events: &[Event],
    near: &dyn Fn(u32, u32) -> f64,
    a: u32,
    depth: usize,
    of: &dyn Fn(&Event) -> bool,
) -> Vec<u32> {
    let anchor = &events[a as usize];
    let fits = |e: &Event| e.sense != anchor.sense && normal_text(&e.text) != normal_text(&anchor.text) && of(e);
    let mut all: Vec<u32> = (0..events.len() as u32).filter(|c| fits(&events[*c as usize])).collect();
    all.sort_by(|x, y| near(a, *y).total_cmp(&near(a, *x)).then(x.cmp(y)));
    let mut texts = BTreeSet::new();
    all.into_iter().filter(|c| texts.insert(normal_text(&events[*c as usize].text))).take(depth).collect()
}

#[test]
fn pools_are_those_of_brute_force() {
    for seed in 0..4 {
        let (events, vectors) = random(300, seed);
        let groups = Groups::new(&events);
        for lexical in [true, false] {
            let similarity = if lexical { Similarity::Lexical } else { Similarity::Vectors(&vectors) };
            let space = Space::new(similarity, &groups.texts, &groups.text);
            let near = |a: u32, b: u32| space.similarity(a, b);
            let settings = Settings { bundles_per_event: 2, ..Settings::default() };
            let mut report = generate(&[], Similarity::Lexical, &settings, 1).expect("no events").1;
            let mut anchors = choose(&events, &groups, &settings, 1, &mut report);
            fill_pools(&mut anchors, &groups, &space, &settings);
            assert!(anchors.len() > 200);
            let siblings = groups.siblings(&space, SIBLING_SENSES, |_| true);
            for a in &anchors {
                let (me, sense) = (&events[a.event as usize], groups.sense[a.event as usize] as usize);
                assert!((1..=2).contains(&a.positives.len()));
                let kin: Vec<&String> = siblings[sense].iter().map(|s| &groups.senses[*s as usize]).collect();
                // Senses that end in 2 have a parent, and are siblings over lemmas; the others stay in theirs.
                assert!(!kin.is_empty() && kin.len() <= 3);
                for other in &kin {
                    let child = |s: &str| s.ends_with('2');
                    assert!(**other != me.sense);
                    assert!(if child(&me.sense) { child(other) } else { other.starts_with(&format!("{}#", me.lemma)) });
                }
                let want = [
                    brute(&events, &near, a.event, 11, &|e| e.lemma == me.lemma),
                    brute(&events, &near, a.event, 6, &|e| kin.contains(&&e.sense)),
                    brute(&events, &near, a.event, 21, &|e| e.lemma != me.lemma),
                ];
                assert_eq!(a.pools, want, "{} lexical {lexical}", me.event_id);
            }
        }
    }
}

/// What every bundle must satisfy.
fn check(events: &[Event], set: &BundleSet, report: &GenerateReport, settings: &Settings) {
    let mut ids = BTreeSet::new();
    let mut used = BTreeSet::new();
    let mut positives = BTreeSet::new();
    for bundle in &set.bundles {
        assert!(ids.insert(&bundle.bundle_id));
        let at = |i: u32| &set.events[i as usize];
        let (anchor, positive) = (at(bundle.anchor), at(bundle.positive));
        used.insert(&anchor.event_id);
        assert_eq!(anchor.sense, positive.sense);
        assert!(positives.insert((&anchor.event_id, normal_text(&positive.text))), "a positive text twice");
        let mut texts = BTreeSet::from([normal_text(&anchor.text)]);
        assert!(texts.insert(normal_text(&positive.text)));
        assert!(!bundle.negatives.is_empty() && bundle.negatives.len() <= settings.negatives.total());
        for negative in &bundle.negatives {
            let other = at(negative.event);
            assert!(texts.insert(normal_text(&other.text)), "{}: one text twice", bundle.bundle_id);
            assert_ne!(other.sense, anchor.sense);
            match negative.source {
                NegativeSource::WithinLemma => assert_eq!(other.lemma, anchor.lemma),
                NegativeSource::CrossLemma => assert_ne!(other.lemma, anchor.lemma),
                NegativeSource::Sibling => {}
            }
        }
    }
    let left: usize = report.left_out.iter().map(|l| l.events).sum();
    assert_eq!((report.anchors, report.anchors + left), (used.len(), events.len()));
    assert_eq!(report.tiers.to_vec(), set.tier_counts()[..3]);
    assert_eq!(report.negatives.total(), set.bundles.iter().map(|b| b.negatives.len()).sum::<usize>());
    if set.bundles.is_empty() {
        return;
    }
    let mut again = Vec::new();
    set.write(&mut again).expect("written to memory");
    let read = crate::data::read_bundles(&mut &again[..], "again").expect("bundles that can be read");
    assert_eq!(&read, set);
}

#[test]
fn bundles_keep_their_rules_and_dangers_are_cosines() {
    let (events, vectors) = random(300, 9);
    let settings = Settings { bundles_per_event: 2, max_per_sense: Some(12), ..Settings::default() };
    let (set, report) = generate(&events, Similarity::Vectors(&vectors), &settings, 5).expect("bundles");
    check(&events, &set, &report, &settings);
    let mut per_sense = BTreeMap::<&str, BTreeSet<u32>>::new();
    let row = |i: u32| -> Vec<f64> {
        let id = &set.events[i as usize].event_id;
        let at = events.iter().position(|e| e.event_id == *id).expect("known");
        vectors.row(at).iter().map(|x| f64::from(*x)).collect()
    };
    let cosine = |a: u32, b: u32| {
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let (x, y) = (row(a), row(b));
        let lengths = (dot(&x, &x) * dot(&y, &y)).sqrt();
        if lengths == 0.0 { 0.0 } else { dot(&x, &y) / lengths }
    };
    for bundle in &set.bundles {
        per_sense.entry(&set.events[bundle.anchor as usize].sense).or_default().insert(bundle.anchor);
        let hardest = bundle.negatives.iter().map(|n| cosine(bundle.anchor, n.event)).fold(f64::MIN, f64::max);
        let danger = bundle.metadata.danger_score.expect("scored");
        assert!((danger - (hardest - cosine(bundle.anchor, bundle.positive))).abs() < 1e-12);
        // The lemmas here are big enough that nothing is missing; each source then gives its number at least.
        let within = bundle.negatives.iter().filter(|n| n.source == NegativeSource::WithinLemma).count();
        assert!(within >= 3 && bundle.negatives.len() == 5);
        assert_eq!(bundle.metadata.source.as_deref(), Some("bundle_generator"));
    }
    assert!(per_sense.values().all(|s| s.len() <= 12) && per_sense.values().any(|s| s.len() == 12));
    let dangers: Vec<f64> = set.bundles.iter().filter_map(|b| b.metadata.danger_score).collect();
    let tiers: Vec<_> = set.bundles.iter().filter_map(|b| b.metadata.tier).collect();
    assert_eq!(tiers, tiers_of(&dangers));
    assert_ne!(set, generate(&events, Similarity::Vectors(&vectors), &settings, 6).expect("bundles").0);
}

#[test]
fn threads_do_not_matter() {
    let (events, vectors) = random(700, 3);
    let settings = Settings { bundles_per_event: 3, ..Settings::default() };
    for similarity in [Similarity::Lexical, Similarity::Vectors(&vectors)] {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| generate(&events, similarity, &settings, 1).expect("bundles"))
        };
        assert_eq!(on(1), on(2));
        assert_eq!(on(1), on(7));
    }
}

#[test]
fn events_that_cannot_be_anchors_are_counted_by_reason() {
    let all = |events: &[Event], settings: &Settings| {
        let (set, report) = generate(events, Similarity::Lexical, settings, 1).expect("a result");
        check(events, &set, &report, settings);
        (set, report.left_out.iter().map(|l| (l.why, l.events)).collect::<Vec<_>>())
    };
    let settings = Settings::default();
    assert_eq!(all(&[], &settings).1, []);
    assert_eq!(all(&[event(0, "a", "a#1", "x", None)], &settings).1, [(Why::SenseWithOneEvent, 1)]);
    let one_sense: Vec<_> = (0..4).map(|i| event(i, "a", "a#1", &format!("x{i}"), None)).collect();
    assert_eq!(all(&one_sense, &settings).1, [(Why::NoNegative, 4)]);
    let same = [event(0, "a", "a#1", "X  y", None), event(1, "a", "a#1", "x Y", None), event(2, "b", "b#1", "z", None)];
    assert_eq!(all(&same, &settings).1, [(Why::SenseWithOneEvent, 1), (Why::SenseWithOneText, 2)]);
    // One sense under two lemmas: no negative has it, from whichever lemma.
    let shared: Vec<_> = (0..6).map(|i| event(i, ["a", "b"][i % 2], "s", &format!("x{i}"), None)).collect();
    assert_eq!(all(&shared, &settings).1, [(Why::NoNegative, 6)]);
    // A lemma of one sense: everything comes from across lemmas, and says so; a source set to 0 stays unused.
    let mut two = one_sense;
    two.extend((4..14).map(|i| event(i, "b", "b#1", &format!("x{i}"), None)));
    let (set, left) = all(&two, &settings);
    assert!(left.is_empty() && set.bundles.iter().take(4).all(|b| b.negatives.len() == 5));
    assert!(set.bundles.iter().flat_map(|b| &b.negatives).all(|n| n.source == NegativeSource::CrossLemma));
    let within = PerSource { within_lemma: 3, sibling: 0, cross_lemma: 0 };
    assert_eq!(all(&two, &Settings { negatives: within, ..settings }).1, [(Why::NoNegative, 14)]);
}

#[test]
fn nonsense_is_refused() {
    let (events, vectors) = random(10, 1);
    let refused = |settings: Settings| generate(&events, Similarity::Lexical, &settings, 1).is_err();
    assert!(refused(Settings { negatives: PerSource::default(), ..Settings::default() }));
    assert!(refused(Settings { bundles_per_event: 0, ..Settings::default() }));
    assert!(refused(Settings { max_per_sense: Some(0), ..Settings::default() }));
    let huge = PerSource { within_lemma: usize::MAX, sibling: 1, cross_lemma: 1 };
    assert!(refused(Settings { negatives: huge, ..Settings::default() }));
    assert!(refused(Settings { depths: huge, ..Settings::default() }));
    let rows = generate(&events[1..], Similarity::Vectors(&vectors), &Settings::default(), 1);
    assert_eq!(rows.err(), Some(GenerateError::Rows { vectors: 10, events: 9 }));
    let twice = [events[0].clone(), events[0].clone()];
    let twice = generate(&twice, Similarity::Lexical, &Settings::default(), 1);
    assert_eq!(twice.err(), Some(GenerateError::DuplicateId("e0".to_owned())));
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that could not run says so")]
fn semcor_gives_bundles_of_every_source() {
    let folder = std::env::var("CRUCIBLE_DATA_DIR").unwrap_or_else(|_| "../../shared/data".to_owned());
    let Ok(file) = std::fs::File::open(std::path::Path::new(&folder).join("semcor_events.jsonl")) else {
        eprintln!("skipped: no SemCor events found");
        return;
    };
    let mut events = read_events(&mut std::io::BufReader::new(file), "semcor").expect("good events");
    // One similarity, over all events: to take times. A build without optimisation gets by with fewer.
    let only = std::env::var("CRUCIBLE_ONLY").unwrap_or_default();
    if cfg!(debug_assertions) && only.is_empty() {
        events.truncate(6_000);
    }
    let settings = Settings::default();
    let mut stream = Stream::new(1, "semcor", 0);
    let vectors = (0..events.len() * 256).map(|_| stream.symmetric(1.0)).collect();
    let vectors = Embeddings::normalised(256, vectors);
    for (name, similarity) in [("lexical", Similarity::Lexical), ("vectors", Similarity::Vectors(&vectors))] {
        if !only.is_empty() && only != name {
            continue;
        }
        let start = std::time::Instant::now();
        let (set, report) = generate(&events, similarity, &settings, 42).expect("bundles");
        eprintln!("{name}: {:.1} s; {report:?}", start.elapsed().as_secs_f64());
        check(&events, &set, &report, &settings);
        assert!(report.bundles > events.len() / 2 && report.short_bundles == 0);
        assert!(NegativeSource::ALL.iter().all(|s| report.negatives.of(*s) > 0));
    }
}
