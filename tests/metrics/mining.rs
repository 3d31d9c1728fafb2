//! Mining against a reference that shares no code with it: written from the documentation, on strings, `f64` and sorting.
//! Only the random generator's crates are the same; the streams are built anew here.

use crucible_core::bundles::PerSource;
use crucible_core::data::{Event, NegativeSource, read_bundles, read_events};
use crucible_core::embeddings::Embeddings;
use crucible_core::mining::{Corpus, Guards, Known, Mined, Miner, Settings};
use crucible_core::neighbours::Similarity;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Named streams, as `core/src/rng.rs` documents them.
struct Rng(ChaCha8Rng);

impl Rng {
    fn new(seed: u64, purpose: &str, name: &str) -> Self {
        let mut fnv = 0xcbf2_9ce4_8422_2325u64;
        for byte in name.bytes() {
            fnv = (fnv ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let bytes = [&seed.to_le_bytes()[..], &fnv.to_le_bytes(), purpose.as_bytes()].concat();
        Self(ChaCha8Rng::from_seed(Sha256::digest(bytes).into()))
    }

    fn below(&mut self, n: usize) -> usize {
        let n = n as u128;
        let reject = (1u128 << 64) % n;
        loop {
            let product = u128::from(self.0.next_u64()) * n;
            if product % (1 << 64) >= reject {
                return (product >> 64) as usize;
            }
        }
    }

    /// The first `count` of `0..n` shuffled from the front.
    fn sample(&mut self, n: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..n).collect();
        for i in 0..count.min(n) {
            let j = i + self.below(n - i);
            all.swap(i, j);
        }
        all.truncate(count);
        all
    }
}

/// Unit vectors of eighths: every product and sum is exact, and many are equal.
fn vector(rng: &mut Rng) -> [f32; 8] {
    let patterns = [
        [4, 4, 4, 4, 0, 0, 0, 0],
        [8, 0, 0, 0, 0, 0, 0, 0],
        [7, 3, 2, 1, 1, 0, 0, 0],
        [6, 4, 2, 2, 2, 0, 0, 0],
        [5, 5, 3, 2, 1, 0, 0, 0],
        [4, 4, 4, 2, 2, 2, 2, 0],
    ];
    let pattern = patterns[rng.below(patterns.len())];
    let order = rng.sample(8, 8);
    // Mostly positive, so that there are near and far.
    let sign = |rng: &mut Rng| if rng.below(4) == 0 { -1.0 } else { 1.0 };
    std::array::from_fn(|i| pattern[order[i]] as f32 / 8.0 * sign(rng))
}

/// Few words, so that texts are equal or nearly so; senses in families of at most four, all of which are siblings.
fn events(n: usize, rng: &mut Rng) -> Vec<Event> {
    let words = ["one", "two", "three", "four", "five", "six"];
    let mut lines = String::new();
    for i in 0..n {
        let sense = rng.below(40);
        let lemma = sense / 5;
        let text: Vec<&str> = (0..2 + rng.below(6)).map(|_| words[rng.below(words.len())]).collect();
        let mut text = text.join([" ", ", ", "  "][rng.below(3)]);
        if rng.below(3) == 0 {
            text = text.to_uppercase();
        }
        // Families run across lemmas.
        let parent = sense % 10;
        let vector: Vec<String> = vector(rng).iter().map(|x| x.to_string()).collect();
        lines += &format!(
            "{{\"event_id\":\"e{i}\",\"sense\":\"l{lemma}#{sense}\",\"text\":\"{text}\",\"parent\":\"p{parent}\",\
             \"embedding\":[{}]}}\n",
            vector.join(",")
        );
    }
    read_events(&mut lines.as_bytes(), "events").expect("the test's own events are sound")
}

/// Which events a kind of negative is taken from.
type Accepts<'a> = &'a dyn Fn(&Event) -> bool;

/// The reference.
struct Reference<'a> {
    events: &'a [Event],
    /// Each event's text without case, white space made equal.
    normal: Vec<String>,
    shingles: Vec<BTreeSet<String>>,
    settings: &'a Settings,
    threshold: f64,
    known_pairs: BTreeSet<(String, String)>,
    known_senses: BTreeSet<(String, BTreeSet<String>)>,
}

#[derive(Debug, PartialEq)]
struct Result {
    anchor: usize,
    positive: usize,
    passes: u32,
    dangers: Vec<f64>,
    danger: f64,
    negatives: Vec<(usize, NegativeSource)>,
}

#[derive(Debug, Default, PartialEq)]
struct Tally {
    candidates: u64,
    passes: BTreeMap<u32, u64>,
    causes: BTreeMap<&'static str, u64>,
}

fn normal(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shingles(text: &str) -> BTreeSet<String> {
    let spaced: String = text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    words.windows(words.len().clamp(1, 3)).map(|w| w.join(" ")).collect()
}

impl Reference<'_> {
    fn sim(&self, a: usize, b: usize) -> f64 {
        let v = |i: usize| self.events[i].embedding.as_ref().expect("a vector");
        v(a).iter().zip(v(b)).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    }

    fn alike(&self, a: usize, b: usize) -> bool {
        let (x, y) = (&self.shingles[a], &self.shingles[b]);
        let jaccard = x.intersection(y).count() as f64 / x.union(y).count().max(1) as f64;
        self.normal[a] == self.normal[b] || jaccard >= self.settings.near_duplicate
    }

    /// Ranks of one source: one event of each text.
    fn pool(&self, anchor: usize, depth: usize, of: &dyn Fn(&Event) -> bool) -> Vec<usize> {
        let me = &self.events[anchor];
        let fits = |i: &usize| {
            let other = &self.events[*i];
            other.sense != me.sense && of(other) && !self.alike(anchor, *i)
        };
        let mut all: Vec<usize> = (0..self.events.len()).filter(fits).collect();
        all.sort_by(|x, y| self.sim(anchor, *y).total_cmp(&self.sim(anchor, *x)).then(x.cmp(y)));
        let mut texts = BTreeSet::new();
        all.retain(|i| texts.insert(&self.normal[*i]));
        let guards = &self.settings.guards;
        let last = (guards.range_min + depth).min(guards.range_max.unwrap_or(usize::MAX));
        all.truncate(last);
        all.into_iter().skip(guards.range_min).collect()
    }

    fn guarded(&self, score: f64, positive: f64) -> bool {
        let g = &self.settings.guards;
        g.max_score.is_some_and(|x| score > x)
            || g.min_score.is_some_and(|x| score < x)
            || g.absolute_margin.is_some_and(|x| score > positive - x)
            || g.relative_margin.is_some_and(|x| score > positive - x * positive.abs())
    }

    fn run(&self) -> (Vec<Result>, Tally) {
        let mut by_sense: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        self.events.iter().enumerate().for_each(|(i, e)| by_sense.entry(&e.sense).or_default().push(i));
        let mut tally = Tally::default();
        let mut accepted = Vec::new();
        for (sense, members) in &by_sense {
            let mut of_sense = self.sense(sense, members, &mut tally);
            of_sense.sort_by(|a, b| self.order(a, b));
            let mut seen = BTreeSet::new();
            for result in of_sense {
                let senses: BTreeSet<String> =
                    result.negatives.iter().map(|n| self.events[n.0].sense.clone()).collect();
                if self.known_senses.contains(&((*sense).to_owned(), senses.clone())) {
                    *tally.causes.entry("known_senses").or_default() += 1;
                } else if !seen.insert(senses) {
                    *tally.causes.entry("repeated_senses").or_default() += 1;
                } else {
                    accepted.push(result);
                }
            }
        }
        accepted.sort_by(|a, b| self.order(a, b));
        (accepted, tally)
    }

    fn order(&self, a: &Result, b: &Result) -> std::cmp::Ordering {
        let id = |r: &Result| {
            let (a, p) = (&self.events[r.anchor].event_id, &self.events[r.positive].event_id);
            Sha256::digest(format!("{a}\0{p}")).to_vec()
        };
        b.passes.cmp(&a.passes).then(b.danger.total_cmp(&a.danger)).then_with(|| id(a).cmp(&id(b)))
    }

    fn sense(&self, sense: &str, members: &[usize], tally: &mut Tally) -> Vec<Result> {
        let mut texts: Vec<Vec<usize>> = Vec::new();
        for &i in members {
            let same = |t: &&mut Vec<usize>| self.normal[t[0]] == self.normal[i];
            match texts.iter_mut().find(same) {
                Some(text) => text.push(i),
                None => texts.push(vec![i]),
            }
        }
        let mut rng = Rng::new(self.settings.seed, "mine pairs", sense);
        let n = texts.len();
        let mut results = Vec::new();
        for number in rng.sample(n * n.saturating_sub(1), self.settings.candidates_per_sense) {
            let (a, b) = (number / (n - 1), number % (n - 1));
            let anchor = texts[a][rng.below(texts[a].len())];
            let other = &texts[if b >= a { b + 1 } else { b }];
            let positive = other[rng.below(other.len())];
            tally.candidates += 1;
            match self.candidate(anchor, positive) {
                Err(cause) => *tally.causes.entry(cause).or_default() += 1,
                Ok(result) => {
                    *tally.passes.entry(result.passes).or_default() += 1;
                    if (result.passes as usize) < self.settings.min_passes {
                        *tally.causes.entry("too_few_passes").or_default() += 1;
                    } else {
                        results.push(result);
                    }
                }
            }
        }
        results
    }

    fn candidate(&self, anchor: usize, positive: usize) -> std::result::Result<Result, &'static str> {
        let (a, p) = (&self.events[anchor], &self.events[positive]);
        if self.known_pairs.contains(&(a.event_id.clone(), p.event_id.clone())) {
            return Err("known_pair");
        }
        if self.alike(anchor, positive) {
            return Err("near_duplicate_pair");
        }
        let parent = |e: &Event| e.extra["parent"].clone();
        let depths = &self.settings.depths;
        let within: Accepts<'_> = &|e| e.lemma == a.lemma;
        let sources = [
            (NegativeSource::WithinLemma, depths.within_lemma, within),
            (NegativeSource::Sibling, depths.sibling, &|e| parent(e) == parent(a)),
            (NegativeSource::CrossLemma, depths.cross_lemma, &|e| e.lemma != a.lemma),
        ];
        let positive_sim = self.sim(anchor, positive);
        let mut pool: Vec<(usize, NegativeSource)> = Vec::new();
        for (source, depth, of) in sources {
            if depth == 0 {
                continue;
            }
            for i in self.pool(anchor, depth, of) {
                let twice = pool.iter().any(|c| self.normal[c.0] == self.normal[i]);
                if !twice && !self.guarded(self.sim(anchor, i), positive_sim) && !self.alike(positive, i) {
                    pool.push((i, source));
                }
            }
        }
        let size = self.settings.negatives_per_lineup;
        if pool.is_empty() {
            return Err("no_confuser");
        }
        if pool.len() <= size && self.settings.lineups > 1 {
            return Err("pool_too_small");
        }
        let within = pool.iter().filter(|c| c.1 == NegativeSource::WithinLemma).count();
        let name = format!("{}\n{}", a.event_id, p.event_id);
        let mut rng = Rng::new(self.settings.seed, "mine lineups", &name);
        let mut best: Option<(f64, Vec<usize>)> = None;
        let (mut dangers, mut passes) = (Vec::new(), 0);
        for _ in 0..self.settings.lineups {
            let mut order: Vec<usize> = (0..pool.len()).collect();
            for i in 0..size.min(pool.len()) {
                let j = if i == 0 && within > 0 { rng.below(within) } else { i + rng.below(pool.len() - i) };
                order.swap(i, j);
            }
            order.truncate(size);
            let hardest = order.iter().map(|i| self.sim(anchor, pool[*i].0)).fold(f64::NEG_INFINITY, f64::max);
            let danger = hardest - positive_sim;
            dangers.push(danger);
            if danger >= self.threshold {
                passes += 1;
                if best.as_ref().is_none_or(|b| danger > b.0) {
                    best = Some((danger, order));
                }
            }
        }
        let (danger, mut lineup) = best.unwrap_or((f64::NEG_INFINITY, Vec::new()));
        lineup.sort_unstable();
        let negatives = lineup.into_iter().map(|i| pool[i]).collect();
        Ok(Result { anchor, positive, passes, dangers, danger, negatives })
    }
}

/// Some bundles of these events, as an existing tier3.
fn existing(events: &[Event], rng: &mut Rng) -> String {
    let mut lines = String::new();
    for i in 0..400 {
        let json = |i: usize| serde_json::to_string(&events[i]).expect("JSON");
        let a = rng.below(events.len());
        let same: Vec<usize> = (0..events.len()).filter(|p| *p != a && events[*p].sense == events[a].sense).collect();
        let other: Vec<usize> = (0..events.len()).filter(|n| events[*n].sense != events[a].sense).collect();
        if same.is_empty() {
            continue;
        }
        let p = same[rng.below(same.len())];
        let n: Vec<String> = (0..1 + rng.below(2)).map(|_| json(other[rng.below(other.len())])).collect();
        lines += &format!(
            "{{\"bundle_id\":\"b{i}\",\"anchor\":{},\"positive\":{},\"negatives\":[{}],\"metadata\":{{\"tier\":\"{}\"}}}}\n",
            json(a),
            json(p),
            n.join(","),
            ["tier3_adversarial", "tier3_adversarial", "tier1_easy"][i % 3],
        );
    }
    lines
}

fn mined(events: &[Event], settings: &Settings, threshold: f64, known: &str) -> Mined {
    let corpus = Corpus::new(events).expect("ids differ");
    let flat: Vec<f32> = events.iter().flat_map(|e| e.embedding.clone().expect("a vector")).collect();
    let vectors = Embeddings::normalised(8, flat.clone());
    assert!(vectors.vectors == flat, "eighths stay as they are");
    let set = read_bundles(&mut known.as_bytes(), "known").expect("the test's own bundles are sound");
    let known = Known::new(&corpus, &set);
    let miner = Miner::new(&corpus, &[Similarity::Vectors(&vectors)], vec![threshold], known, settings.clone());
    let miner = miner.expect("sound settings");
    let mut all = Mined::default();
    for batch in &miner.plan(None, Some(97)).batches {
        all.add(miner.validate(&miner.search(batch, None)), usize::MAX);
    }
    all
}

fn compare(seed: u64, settings: Settings, threshold: f64) -> Tally {
    let mut rng = Rng::new(seed, "events", "");
    let events = events(500, &mut rng);
    let known = existing(&events, &mut rng);
    let mut reference = Reference {
        events: &events,
        normal: events.iter().map(|e| normal(&e.text)).collect(),
        shingles: events.iter().map(|e| shingles(&e.text)).collect(),
        settings: &settings,
        threshold,
        known_pairs: BTreeSet::new(),
        known_senses: BTreeSet::new(),
    };
    for line in known.lines().filter(|l| l.contains("tier3")) {
        let bundle: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |v: &serde_json::Value| v.as_str().expect("text").to_owned();
        reference.known_pairs.insert((text(&bundle["anchor"]["event_id"]), text(&bundle["positive"]["event_id"])));
        let negatives = bundle["negatives"].as_array().expect("a list").iter().map(|n| text(&n["sense"]));
        reference.known_senses.insert((text(&bundle["anchor"]["sense"]), negatives.collect()));
    }
    let (want, tally) = reference.run();
    let got = mined(&events, &settings, threshold, &known);
    let results: Vec<Result> = got
        .accepted
        .iter()
        .map(|c| Result {
            anchor: c.anchor as usize,
            positive: c.positive as usize,
            passes: c.passes,
            dangers: c.dangers.clone(),
            danger: c.danger,
            negatives: c.negatives.iter().map(|n| (n.0 as usize, n.1)).collect(),
        })
        .collect();
    assert_eq!(results, want, "seed {seed}, {settings:?}");
    let counts = &got.counts;
    assert_eq!(counts.candidates, tally.candidates);
    assert_eq!(counts.accepted as usize, want.len());
    for (passes, count) in (0..).zip(&counts.passes) {
        assert_eq!(*count, tally.passes.get(&passes).copied().unwrap_or(0), "{passes} passes");
    }
    let r = &counts.rejections;
    let causes = [
        ("known_pair", r.known_pair),
        ("near_duplicate_pair", r.near_duplicate_pair),
        ("no_confuser", r.no_confuser),
        ("pool_too_small", r.pool_too_small),
        ("too_few_passes", r.too_few_passes),
        ("known_senses", r.known_senses),
        ("repeated_senses", r.repeated_senses),
    ];
    for (cause, count) in causes {
        assert_eq!(count, tally.causes.get(cause).copied().unwrap_or(0), "{cause}");
    }
    assert_eq!(counts.candidates, counts.accepted + r.total(), "each candidate has one fate");
    tally
}

#[test]
fn neighbours_dangers_passes_and_acceptance_are_those_of_the_reference() {
    let guards = |change: &dyn Fn(&mut Guards)| {
        let mut guards = Guards::default();
        change(&mut guards);
        guards
    };
    let depths = |within_lemma, sibling, cross_lemma| PerSource { within_lemma, sibling, cross_lemma };
    let base = Settings::default;
    let settings = [
        base(),
        Settings { lineups: 25, min_passes: 9, negatives_per_lineup: 2, candidates_per_sense: 60, ..base() },
        Settings { guards: guards(&|g| (g.range_min, g.range_max) = (2, Some(7))), near_duplicate: 0.4, ..base() },
        Settings { guards: guards(&|g| (g.max_score, g.min_score) = (Some(0.75), Some(-0.25))), ..base() },
        Settings { guards: guards(&|g| g.absolute_margin = Some(0.125)), negatives_per_lineup: 3, ..base() },
        Settings { guards: guards(&|g| g.relative_margin = Some(0.25)), depths: depths(3, 0, 9), ..base() },
        Settings { lineups: 1, min_passes: 1, depths: depths(0, 1, 1), negatives_per_lineup: 9, ..base() },
    ];
    let mut causes: BTreeMap<&str, u64> = BTreeMap::new();
    for (seed, settings) in (0..).zip(settings) {
        // Dangers are whole 64ths: some lie on the threshold.
        let threshold = [0.0, 0.125, -0.25][seed as usize % 3] - if seed > 3 { 0.5 } else { 0.0 };
        let tally = compare(seed, settings, threshold);
        tally.causes.iter().for_each(|(cause, n)| *causes.entry(cause).or_default() += n);
    }
    for cause in
        ["known_pair", "near_duplicate_pair", "pool_too_small", "too_few_passes", "known_senses", "repeated_senses"]
    {
        assert!(causes.get(cause).is_some_and(|n| *n > 0), "{cause} never happened: {causes:?}");
    }
}
