//! The worked numbers of `docs/METRICS.md`, and the lines of `docs/DATA.md`, through the code that they describe.

use crucible_core::config::Config;
use crucible_core::curriculum::exposure::expected_exposure;
use crucible_core::data::{BundleSet, read_bundles, read_events, tiers_of};
use crucible_core::embeddings::Embeddings;
use crucible_core::estimate::{holm, quantile, wilson};
use crucible_core::eval::{GroupKind, Item, Sanity, Score, Space, sanity, score, summaries};
use crucible_core::stats::power::Question;
use crucible_core::stats::{Settings, Verdict, mcnemar_exact, tango};
use crucible_core::sweep::{self, Outcome, Results};
use std::borrow::Cow;
use std::collections::BTreeSet;

fn document(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Lines of fenced blocks whose fence says `kind`.
fn fenced(text: &str, kind: &str) -> Vec<String> {
    let (mut lines, mut inside) = (Vec::new(), false);
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(fence) => inside = !inside && fence == kind,
            None if inside => lines.push(line.to_owned()),
            None => {}
        }
    }
    lines
}

/// Bundles with so many negatives each, of events that are their own.
fn bundles(negatives: &[usize]) -> BundleSet {
    let bundle = |(b, count): (usize, &usize)| {
        let event =
            |id: usize, sense: &str| format!(r#"{{"event_id":"b{b}e{id}","sense":"{sense}","text":"t{b} {id}"}}"#);
        let (anchor, positive) = (event(0, "a#1"), event(1, "a#1"));
        let negatives: Vec<String> = (0..*count).map(|i| event(i + 2, "b#1")).collect();
        let negatives = negatives.join(",");
        format!(r#"{{"bundle_id":"b{b}","anchor":{anchor},"positive":{positive},"negatives":[{negatives}]}}"#)
    };
    let lines: Vec<String> = negatives.iter().enumerate().map(bundle).collect();
    read_bundles(&mut lines.join("\n").as_bytes(), "test").expect("bundles")
}

/// A bundle whose similarities are those given: vectors in a plane, at the angles of their cosines.
fn scored(positive: f64, negatives: &[f64]) -> Score {
    let at = |cosine: f64| [cosine as f32, (1.0 - cosine * cosine).sqrt() as f32];
    let vectors: Vec<f32> = [1.0, positive].iter().chain(negatives).flat_map(|c| at(*c)).collect();
    score(&bundles(&[negatives.len()]), &Embeddings::normalised(2, vectors))[0]
}

fn sanity_of(set: &BundleSet, embeddings: &Embeddings) -> Sanity {
    let scores = score(set, embeddings);
    let summed = summaries(set, &scores, None);
    sanity(set, embeddings, &scores, &summed.overall, &summed.by_tier, 42)
}

/// The mean of 1/(1+k), as a scoreboard has it.
fn chance(negatives: &[f64]) -> f64 {
    let set = bundles(&negatives.iter().map(|k| *k as usize).collect::<Vec<_>>());
    let embeddings = Embeddings::normalised(2, (0..2 * set.events.len()).map(|i| 1.0 + i as f32).collect());
    sanity_of(&set, &embeddings).chance.overall.level.expect("bundles")
}

/// Vectors along the axes, so many that their second moments are as given.
fn effective_rank(eigenvalues: &[f64]) -> f64 {
    let dim = eigenvalues.len();
    // A negative vector for each positive one: no mean is left.
    let axis = |d: usize, sign: f32| (0..dim).map(move |i| if i == d { sign } else { 0.0 });
    let rows: Vec<f32> = (0..dim)
        .flat_map(|d| (0..2 * 60 * eigenvalues[d] as usize).map(move |i| (d, if i % 2 == 0 { 1.0 } else { -1.0 })))
        .flat_map(|(d, sign)| axis(d, sign))
        .collect();
    let set = bundles(&[rows.len() / dim - 2]);
    sanity_of(&set, &Embeddings::normalised(dim, rows)).space.effective_rank.expect("vectors")
}

/// Vectors as they are given, with what a scoreboard says of their space.
fn space(vectors: &[Vec<f64>]) -> Space {
    let rows = vectors.iter().flatten().map(|x| *x as f32).collect();
    sanity_of(&bundles(&[vectors.len() - 2]), &Embeddings::normalised(vectors[0].len(), rows)).space
}

/// The participation ratio about the origin, from the cosines of all pairs; the page says how it follows from their mean
/// and deviation.
fn rank_about_origin(vectors: &[Vec<f64>]) -> f64 {
    let n = vectors.len() as f64;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let squares: f64 = vectors.iter().flat_map(|a| vectors.iter().map(|b| dot(a, b).powi(2))).sum();
    let space = space(vectors);
    let (mean, sd) = (space.mean_cosine.expect("pairs"), space.sd_cosine.expect("pairs"));
    let said = 1.0 / ((1.0 + (n - 1.0) * (mean * mean + sd * sd)) / n);
    assert!((said - n * n / squares).abs() < 1e-6, "{said}");
    said
}

/// A sweep of one seed whose conditions pass these shares of a thousand items.
fn swept(points: &[Vec<f64>], reference: [f64; 2]) -> sweep::Analysis {
    let items = |truth: usize, rate: f64| -> Vec<Item<'static>> {
        let item = |i: usize| Item {
            bundle_id: Cow::Owned(format!("{truth} {i}")),
            group: Cow::Owned(format!("{i}")),
            group_kind: GroupKind::Lemma,
            tier: None,
            pool: None,
            margin: if (i as f64) < 1000.0 * rate - 0.5 { 0.1 } else { -0.1 },
            rank: 1,
            pos_sim: 0.0,
            max_neg_sim: 0.0,
            winning_negative: Cow::Borrowed("n"),
            zero_vector: false,
        };
        (0..1000).map(item).collect()
    };
    let outcome = |(i, point): (usize, &Vec<f64>)| Outcome {
        condition: format!("c{i}"),
        seed: 1,
        items: [items(0, point[0]), items(1, point[1])],
    };
    let outcomes: Vec<Outcome> = points.iter().enumerate().map(outcome).collect();
    let settings = sweep::Settings { resamples: 50, ..sweep::Settings::default() };
    sweep::analyse(&Results::new(&outcomes).expect("sound"), "", reference, &settings)
}

fn verdict(verdict: Verdict) -> Vec<String> {
    vec![verdict.name().to_owned()]
}

/// What a function of the document comes to: numbers, or a word.
fn computed(name: &str, args: &[Vec<f64>]) -> Result<Vec<f64>, Vec<String>> {
    let first = &args[0];
    let flag = |holds: bool| f64::from(u8::from(holds));
    Ok(match name {
        "danger" => vec![scored(first[0], &args[1]).danger()],
        "rank" => vec![f64::from(scored(first[0], &args[1]).rank)],
        "passes" => vec![flag(scored(first[0], &args[1]).passes())],
        "tiers" => tiers_of(first).iter().map(|tier| tier.index() as f64 + 1.0).collect(),
        "quantile" => vec![quantile(&args[1], first[0]).expect("not empty")],
        "wilson" => wilson(first[0] as usize, first[1] as usize).map(|i| vec![i.low, i.high]).expect("not empty"),
        "chance" => vec![chance(first)],
        "effective_rank" => vec![effective_rank(first)],
        "rank_of" => vec![space(args).effective_rank.expect("vectors")],
        "mean_cosine" => vec![space(args).mean_cosine.expect("pairs")],
        "sd_cosine" => vec![space(args).sd_cosine.expect("pairs")],
        "rank_about_origin" => vec![rank_about_origin(args)],
        "exposure" => {
            let of = expected_exposure(first[0] as u64, first[1] as usize, first[2], first[3], first[4] as u64);
            vec![of.expect("a pool")]
        }
        "mcnemar" => vec![mcnemar_exact(first[0] as usize, first[1] as usize)],
        "tango" => {
            let (low, high) = tango(first[0] as usize, first[1] as usize, first[2] as usize, first[3]);
            vec![low, high]
        }
        "verdict" => return Err(verdict(Verdict::of(first[0], first[1], first[2], Settings::default().delta))),
        "items" => {
            let question =
                Question { delta: Config::default().guardrails.regression_delta, change: 0.0, level: 0.95, power: 0.8 };
            vec![question.items(first[0], 1.0).expect("some number") as f64]
        }
        "holm" => holm(first),
        "hypervolume" => vec![swept(&args[1..], [first[0], first[1]]).hypervolume.value],
        "frontier" => swept(args, [0.0, 0.0]).conditions.iter().map(|c| flag(c.on_frontier)).collect(),
        other => panic!("docs/METRICS.md works `{other}`, which no code is known for"),
    })
}

/// `name(1, 2; 3) = 4, 5`.
fn checked(line: &str) -> String {
    let (call, wanted) = line.split_once(" = ").unwrap_or_else(|| panic!("no equation: {line}"));
    let (name, args) =
        call.strip_suffix(')').and_then(|c| c.split_once('(')).unwrap_or_else(|| panic!("no call: {line}"));
    let numbers = |text: &str| -> Vec<f64> {
        text.split(',').map(|x| x.trim().parse().unwrap_or_else(|_| panic!("no number {x:?}: {line}"))).collect()
    };
    let args: Vec<Vec<f64>> = args.split(';').map(numbers).collect();
    let wanted: Vec<&str> = wanted.split(',').map(str::trim).collect();
    match computed(name, &args) {
        Err(words) => assert_eq!(words, wanted, "{line}"),
        Ok(got) => {
            assert_eq!(got.len(), wanted.len(), "{line}: {got:?}");
            for (got, wanted) in got.iter().zip(wanted) {
                // To the digits given; vectors are of 32 bits.
                let digits = wanted.split_once('.').map_or(0, |(_, digits)| digits.len());
                let value: f64 = wanted.parse().expect("a number");
                assert!((got - value).abs() <= 0.5 * 10f64.powi(-(digits as i32)) + 1e-7, "{line}: {got}");
            }
        }
    }
    name.to_owned()
}

#[test]
fn worked_numbers_are_those_of_the_code() {
    let lines = fenced(&document("METRICS.md"), "worked");
    let names: BTreeSet<String> = lines.iter().map(|line| checked(line)).collect();
    assert!(names.len() >= 15, "{names:?}");
}

#[test]
fn a_wrong_number_would_be_seen() {
    let wrong = ["rank(0.6; 0.8) = 1", "holm(0.01) = 0.02", "verdict(0.00, -0.010, 0.010) = FAIL"];
    for line in wrong {
        assert!(std::panic::catch_unwind(|| checked(line)).is_err(), "{line}");
    }
}

#[test]
fn lines_of_the_data_page_are_read() {
    let text = document("DATA.md");
    for line in fenced(&text, "json event") {
        let events = read_events(&mut line.as_bytes(), "DATA.md").expect("an event");
        let (start, end) = events[0].span.map(|(a, b)| (a as usize, b as usize)).expect("a span");
        assert_eq!(&events[0].text[start..end], "bank");
    }
    let bundles = fenced(&text, "json bundle");
    assert_eq!(bundles.len(), 2);
    for line in bundles {
        let set = read_bundles(&mut line.as_bytes(), "DATA.md").unwrap_or_else(|e| panic!("{line}: {e}"));
        assert!(set.bundles[0].metadata.tier.is_some());
    }
}
