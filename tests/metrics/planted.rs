//! Mining where the truth is planted: pairs that are hard for many confusers, pairs that one rare event makes look hard,
//! and events of the anchor's own meaning under another label.

use crucible_core::bundles::PerSource;
use crucible_core::data::{Event, read_events};
use crucible_core::embeddings::Embeddings;
use crucible_core::mining::{Candidate, Corpus, GuardPreset, Guards, Known, Mined, Miner, Settings};
use crucible_core::neighbours::Similarity;
use crucible_core::rng::Stream;
use std::collections::BTreeMap;
use std::fmt::Write;

const DIM: usize = 96;
const LEMMAS: usize = 100;
/// Senses of a lemma, and events of a sense besides the planted ones.
const SENSES: usize = 4;
const EVENTS: usize = 8;

/// What an event was made as.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Near its sense.
    Plain,
    /// Among the events of another sense of its lemma: hard beside any positive.
    Killer,
    /// Near its sense, with one event of another lemma planted nearer still.
    Pseudo,
    /// That event.
    Rare,
    /// Near its sense, with an event of its own meaning mislabelled as another sense.
    Doubtful,
    /// That event, in the same words.
    SameWords,
    /// That event, in other words.
    OtherWords,
}

struct Planted {
    events: Vec<Event>,
    vectors: Embeddings,
    kinds: Vec<Kind>,
}

fn unit(stream: &mut Stream) -> Vec<f32> {
    // Sums of uniform numbers: no direction is preferred by much.
    let sum = |stream: &mut Stream| (0..4).map(|_| stream.symmetric(1.0)).sum();
    Embeddings::normalised(DIM, (0..DIM).map(|_| sum(stream)).collect()).vectors
}

fn mix(parts: &[(f32, &[f32])]) -> Vec<f32> {
    (0..DIM).map(|i| parts.iter().map(|(w, v)| w * v[i]).sum()).collect()
}

fn planted(seed: u64) -> Planted {
    let mut stream = Stream::new(seed, "planted", 0);
    let (mut text, mut flat, mut kinds) = (String::new(), Vec::new(), Vec::new());
    let mut add = |sense: String, words: &str, vector: Vec<f32>, kind: Kind| {
        let id = kinds.len();
        let _ = writeln!(text, "{{\"event_id\":\"e{id}\",\"sense\":\"{sense}\",\"text\":\"{words}\"}}");
        flat.extend(vector);
        kinds.push(kind);
    };
    for lemma in 0..LEMMAS {
        let base = unit(&mut stream);
        let centres: Vec<Vec<f32>> = (0..SENSES).map(|_| mix(&[(0.5, &base), (0.9, &unit(&mut stream))])).collect();
        for sense in 0..SENSES {
            let name = format!("l{lemma}#{sense}");
            let words = |i: usize| (0..12).map(|k| format!("w{lemma}x{sense}x{i}x{k}")).collect::<Vec<_>>().join(" ");
            for i in 0..EVENTS {
                let kind = [Kind::Killer, Kind::Pseudo, Kind::Doubtful].get(i).copied().unwrap_or(Kind::Plain);
                // A killer lies where its rival's events lie.
                let centre = if kind == Kind::Killer { (sense + 1) % SENSES } else { sense };
                let vector = mix(&[(1.0, &centres[centre]), (0.4, &unit(&mut stream))]);
                let near = mix(&[(1.0, &vector), (0.2, &unit(&mut stream))]);
                add(name.clone(), &words(i), vector, kind);
                match kind {
                    // A lemma of its own: near this one event, far from all else.
                    Kind::Pseudo => add(format!("r{lemma}x{sense}#0"), &words(100 + i), near, Kind::Rare),
                    Kind::Doubtful if sense % 2 == 0 => {
                        let rival = format!("l{lemma}#{}", (sense + 1) % SENSES);
                        add(rival, &format!("Again: {}", words(i)), near, Kind::SameWords);
                    }
                    Kind::Doubtful => {
                        add(format!("l{lemma}#{}", (sense + 1) % SENSES), &words(200 + i), near, Kind::OtherWords);
                    }
                    _ => {}
                }
            }
        }
    }
    let events = read_events(&mut text.as_bytes(), "planted").expect("sound events");
    Planted { events, vectors: Embeddings::normalised(DIM, flat), kinds }
}

fn mine(data: &Planted, settings: &Settings) -> Mined {
    let corpus = Corpus::new(&data.events).expect("ids differ");
    let models = [Similarity::Vectors(&data.vectors)];
    let miner = Miner::new(&corpus, &models, vec![0.0], Known::default(), settings.clone()).expect("sound settings");
    let mut all = Mined::default();
    for batch in &miner.plan(None, None).batches {
        all.add(miner.validate(&miner.search(batch, None)), usize::MAX);
    }
    all
}

/// Pools so deep that one event among them is rare, and every pair is tried.
fn deep() -> Settings {
    let depths = PerSource { within_lemma: 40, sibling: 0, cross_lemma: 200 };
    Settings { depths, candidates_per_sense: 1000, max_output: usize::MAX, ..Settings::default() }
}

/// So many events against a pair make it hard whatever a lineup draws.
const MANY: usize = 10;

/// What a pair is, by counting the events of other senses that are as near to the anchor as the positive.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Truth {
    Killer,
    /// One alone, and that is the rare one.
    PseudoKiller,
    /// Neither, or a false negative is among them.
    Between,
    Harmless,
}

impl Planted {
    /// Of every ordered pair of one sense.
    fn truth(&self) -> BTreeMap<(u32, u32), Truth> {
        let n = self.events.len();
        let row = |i: usize| &self.vectors.vectors[i * DIM..][..DIM];
        let sim = |a: usize, b: usize| row(a).iter().zip(row(b)).map(|(x, y)| x * y).sum::<f32>();
        let of_anchor = |a: usize| {
            let own = |i: &usize| self.events[*i].sense == self.events[a].sense;
            let mut others: Vec<(f32, usize)> = (0..n).filter(|i| !own(i)).map(|i| (sim(a, i), i)).collect();
            others.sort_by(|x, y| y.0.total_cmp(&x.0));
            others.truncate(MANY);
            let positives = (0..n).filter(own).filter(|p| *p != a);
            positives
                .map(|p| {
                    let against: Vec<Kind> =
                        others.iter().take_while(|o| o.0 >= sim(a, p)).map(|o| self.kinds[o.1]).collect();
                    let truth = match against[..] {
                        [] => Truth::Harmless,
                        [Kind::Rare] => Truth::PseudoKiller,
                        _ if against.len() >= MANY => Truth::Killer,
                        _ => Truth::Between,
                    };
                    ((a as u32, p as u32), truth)
                })
                .collect::<Vec<_>>()
        };
        (0..n).flat_map(of_anchor).collect()
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "precision and recall are there to be read")]
fn many_lineups_tell_killers_from_pseudo_killers() {
    let data = planted(7);
    let truth = data.truth();
    let all: Vec<Truth> = truth.values().copied().collect();
    let of = |list: &[Truth], t: Truth| list.iter().filter(|x| **x == t).count();
    let killers = of(&all, Truth::Killer);
    println!(
        "{} pairs: {killers} true killers, {} pseudo-killers, {} between, {} harmless",
        all.len(),
        of(&all, Truth::PseudoKiller),
        of(&all, Truth::Between),
        of(&all, Truth::Harmless)
    );
    let run = |settings: Settings| {
        let (lineups, min_passes) = (settings.lineups, settings.min_passes);
        let mined = mine(&data, &settings);
        assert_eq!(mined.counts.rejections.repeated_senses, 0, "sets of senses differ in pools as deep as these");
        let found: Vec<Truth> = mined.accepted.iter().map(|c| truth[&(c.anchor, c.positive)]).collect();
        let count = |t| of(&found, t);
        let (right, pseudo) = (count(Truth::Killer), count(Truth::PseudoKiller));
        println!(
            "{lineups} lineups, {min_passes} passes: {} accepted: {right} true killers, {pseudo} pseudo-killers, {} \
             between; precision {:.3}, recall {:.3}",
            found.len(),
            count(Truth::Between),
            right as f64 / found.len() as f64,
            right as f64 / killers as f64
        );
        assert_eq!(count(Truth::Harmless), 0, "nobody is against these");
        (right, pseudo, found.len())
    };
    let one = run(Settings { lineups: 1, min_passes: 1, ..deep() });
    let ten = run(Settings { lineups: 10, min_passes: 3, ..deep() });
    assert!(one.1 >= 20, "{} pseudo-killers say little", one.1);
    assert!(10 * ten.1 <= one.1, "{} of {} pseudo-killers stay", ten.1, one.1);
    let precision = |r: (usize, usize, usize)| r.0 as f64 / r.2 as f64;
    assert!(precision(ten) > precision(one), "{ten:?} {one:?}");
    assert!(ten.0 > one.0, "more killers pass 3 of 10 lineups than 1 of 1: {ten:?} {one:?}");
}

#[test]
#[expect(clippy::print_stdout, reason = "how many false negatives stay is there to be read")]
fn guards_keep_false_negatives_out() {
    let data = planted(8);
    let run = |name: &str, guards: Guards| {
        let mined = mine(&data, &Settings { guards, ..Settings::default() });
        let negatives = || mined.accepted.iter().flat_map(|c| c.negatives.iter().map(move |n| (c, n.0)));
        let own = |kind: Kind| {
            let doubtful = |c: &Candidate, n: u32| n == c.anchor + 1 && data.kinds[c.anchor as usize] == Kind::Doubtful;
            negatives().filter(|(c, n)| data.kinds[*n as usize] == kind && doubtful(c, *n)).count()
        };
        let found = (own(Kind::SameWords), own(Kind::OtherWords), mined.accepted.len());
        println!(
            "{name}: {} false negatives in the same words, {} in other words, of {} bundles",
            found.0, found.1, found.2
        );
        found
    };
    let none = run("no guards", Guards::default());
    assert_eq!(none.0, 0, "near-duplicates are never negatives");
    assert!(none.1 > 50, "other words are no near-duplicates: {none:?}");
    let max_score = run("max_score 0.9", Guards { max_score: Some(0.9), ..Guards::default() });
    assert_eq!((max_score.0, max_score.1), (0, 0), "{max_score:?}");
    assert!(2 * max_score.2 > none.2, "most bundles stay: {max_score:?} {none:?}");
    let mut preset = Guards::default();
    preset.preset(GuardPreset::TopkPercPos);
    assert_eq!(run("topk-percpos", preset).2, 0, "below 95 % of the positive nobody is dangerous at threshold 0");
}
