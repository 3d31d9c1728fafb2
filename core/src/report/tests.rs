use super::*;
use crate::data::{BundleSet, Tier, read_bundles};
use crate::embeddings::Embeddings;
use crate::estimate::quantile;
use crate::eval::{self, Checkpoint, EvalHeader, Inputs};
use crate::rng::Stream;
use crate::sweep::{Outcome, Results, Settings, Truth, analyse};
use serde_json::json;
use std::collections::BTreeMap;

/// `n` bundles of five lemmas, tiers in turn; texts are shared between bundles.
fn set(n: usize) -> BundleSet {
    let tiers = Tier::ALL.map(Tier::name);
    let event =
        |i: usize, sense: &str| json!({"event_id": format!("e{i}"), "sense": sense, "text": format!("text {i}")});
    let mut text = String::new();
    for i in 0..n {
        let lemma = ["a", "b", "c", "d", "e"][i % 5];
        let mut negative = event(2 * n + i % 7, &format!("{lemma}#2"));
        negative["sense"] = format!("{}#2", ["a", "b", "c", "d", "e"][(i % 7) % 5]).into();
        negative["source"] = "within_lemma".into();
        let bundle = json!({
            "bundle_id": format!("b{i}"), "anchor": event(i, &format!("{lemma}#1")), "positive": event(n + i, &format!("{lemma}#1")),
            "negatives": [negative], "metadata": {"tier": tiers[i % 3]},
        });
        text += &(bundle.to_string() + "\n");
    }
    read_bundles(&mut text.as_bytes(), "set").expect("sound bundles")
}

fn board(set: &BundleSet, truth: Truth, seed: u64) -> BoardInput {
    let mut stream = Stream::new(seed, truth.name(), 0);
    let values = (0..set.events.len() * 4).map(|_| stream.below(2001) as f32 / 1000.0 - 1.0).collect();
    let embeddings = Embeddings::normalised(4, values);
    let scores = eval::score(set, &embeddings);
    let inputs = Inputs {
        eval_header: EvalHeader::of(set, &format!("/somewhere/{}.jsonl", truth.name()), &[7; 32], 42, "1"),
        checkpoint: Checkpoint { path: format!("seed_{seed}"), hash: "00".into() },
        model_conditions: BTreeMap::new(),
        timestamp: "2026-01-01T00:00:00Z".into(),
        device: "cpu".into(),
    };
    let scoreboard = eval::scoreboard(set, &embeddings, &scores, inputs);
    let text = {
        let mut text = Vec::new();
        eval::write_items(&eval::items(set, &scores), &mut text).expect("a Vec takes everything");
        text
    };
    let items = eval::read_items(&mut text.as_slice(), "items").expect("own output is sound");
    BoardInput { name: truth.name().into(), truth: Some(truth), scoreboard, items: Some(items) }
}

fn input(conditions: &[&str], seeds: u64) -> Input {
    let sets = [set(90), set(60)];
    let mut runs = Vec::new();
    for (c, name) in conditions.iter().enumerate() {
        for seed in 1..=seeds {
            let boards = Truth::ALL.map(|t| board(&sets[t as usize], t, 100 * c as u64 + seed)).into();
            runs.push(RunInput {
                condition: (*name).into(),
                seed: Some(seed),
                step: None,
                place: format!("{name}/seed_{seed}"),
                config: None,
                boards,
                exposures: None,
                training: Vec::new(),
                foreign: false,
            });
        }
    }
    let texts = runs[0].boards.iter().zip(sets).map(|(b, s)| (b.scoreboard.eval_header.content_hash.clone(), Ok(s)));
    Input {
        title: "t".into(),
        view: View::Runs,
        sweep: None,
        trials: None,
        wanted: Vec::new(),
        baseline: None,
        texts: texts.collect(),
        analysis: Err("not asked for".into()),
        cliffs: Vec::new(),
        findings: Vec::new(),
        not_run: Vec::new(),
        warnings: Vec::new(),
        settings: LandscapeSettings { resamples: 200, seed: 1 },
        runs,
    }
}

fn measure(report: &Report, key: &str) -> usize {
    report.measures.iter().position(|m| m.key == key).unwrap_or_else(|| panic!("no measure {key}"))
}

#[test]
fn values_are_those_of_the_scoreboards() {
    let report = build(input(&["one", "two"], 3));
    let landscape = report.landscape.as_ref().expect("there are items");
    for (key, of) in [
        (
            "frozen.tier3_adversarial.pass_rate",
            &(|b: &Board| b.scoreboard.by_tier[&Tier::Adversarial].pass_rate) as &dyn Fn(&Board) -> Option<f64>,
        ),
        ("frozen.all.q10_margin", &|b| b.scoreboard.overall.q10_margin),
        ("frozen.all.median_margin", &|b| b.scoreboard.overall.median_margin),
        ("frozen.tier3_adversarial.q90_margin", &|b| b.scoreboard.by_tier[&Tier::Adversarial].q90_margin),
        ("frozen.all.mean_rank", &|b| b.scoreboard.overall.mean_rank),
        ("frozen.all.mean_margin", &|b| b.scoreboard.overall.mean_margin),
    ] {
        let m = measure(&report, key);
        for (c, condition) in landscape.points.iter().enumerate() {
            let point = condition[m].as_ref().expect("evaluated");
            let runs: Vec<&Run> = report.runs.iter().filter(|r| r.condition == c).collect();
            let each: Vec<f64> = runs.iter().map(|r| of(&r.boards[0]).expect("items")).collect();
            let mean = each.iter().sum::<f64>() / each.len() as f64;
            assert!((point.mean - mean).abs() < 1e-12, "{key}: {} is not {mean}", point.mean);
            let interval = point.interval.as_ref().expect("resampled");
            assert!(interval.low < mean && mean < interval.high, "{key}: {interval:?} around {mean}");
            for (run, value) in runs.iter().zip(&each) {
                let range = run.boards[0].values[m].as_ref().expect("a value");
                assert!((range.value - value).abs() < 1e-12, "{key}");
                assert!(
                    range.interval.as_ref().is_some_and(|i| i.low <= *value && *value <= i.high),
                    "{key}: {range:?}"
                );
            }
        }
    }
}

#[test]
fn a_weighted_quantile_is_that_of_the_repeated_items() {
    let mut stream = Stream::new(3, "test", 0);
    for _ in 0..200 {
        let n = 1 + stream.below(40);
        let groups = 1 + stream.below(6);
        let frame = measures::Frame {
            group: (0..n).map(|_| stream.below(groups) as u32).collect(),
            groups,
            tier: vec![None; n],
            pool: vec![None; n],
        };
        let run = measures::RunValues {
            margin: (0..n).map(|_| stream.below(9) as f64 / 4.0 - 1.0).collect(),
            rank: vec![1; n],
        };
        let prepared = measures::Prepared::new(&frame, Subset::All, &run);
        let times: Vec<f64> = (0..groups).map(|_| stream.below(4) as f64).collect();
        let mut repeated: Vec<f64> =
            (0..n).flat_map(|i| std::iter::repeat_n(run.margin[i], times[frame.group[i] as usize] as usize)).collect();
        repeated.sort_by(f64::total_cmp);
        for (statistic, q) in [(Statistic::Q10Margin, 0.1), (Statistic::MedianMargin, 0.5), (Statistic::Q90Margin, 0.9)]
        {
            let got = prepared.value(statistic, &times);
            match quantile(&repeated, q) {
                Some(want) => assert!((got - want).abs() < 1e-12, "{got} is not {want}"),
                None => assert!(got.is_nan(), "{got} of nothing"),
            }
        }
    }
}

#[test]
fn items_come_back_with_exact_verdicts_and_their_texts() {
    let given = input(&["one", "two"], 1);
    let items = given.runs[1].boards[0].items.clone().expect("items");
    let report = build(given);
    let board = &report.runs[1].boards[0];
    let margins = board.margin.as_ref().and_then(Column::values).expect("a column");
    let eval = &report.evals[board.eval];
    for ((item, margin), id) in items.iter().zip(&margins).zip(&eval.ids) {
        assert_eq!((item.bundle_id.as_ref(), item.passes()), (id.as_str(), *margin > 0.0));
    }
    let texts = eval.texts.as_ref().expect("texts");
    assert_eq!((texts.items, texts.ids.len()), (90, 187), "each distinct event once");
    let winner = board.winner.as_ref().and_then(Column::values).expect("a column");
    assert!(winner.iter().all(|w| *w == 1.0), "the only negative wins");
    assert_eq!(eval.path, "frozen.jsonl", "no folder of this machine");
}

#[test]
fn texts_of_the_worst_come_first_where_not_all_fit() {
    let set = set(30);
    let ids: Vec<&str> = set.bundles.iter().map(|b| b.bundle_id.as_str()).collect();
    let order: Vec<usize> = (0..30).rev().collect();
    let texts = Texts::of(&set, &ids, &order, 3 * 7 * 2);
    assert!((1..30).contains(&texts.items), "{}", texts.items);
    let negatives = texts.negatives.values().expect("a column");
    assert!(negatives[29] > 0.0 && negatives[0] == 0.0, "{negatives:?}");
    let bytes: usize = texts.texts.iter().map(String::len).sum();
    assert!(bytes <= 42, "{bytes}");
}

#[test]
fn a_plane_says_who_is_on_the_frontier_and_turns_ranks_round() {
    let report = build(input(&["one", "two", "three"], 4));
    let landscape = report.landscape.as_ref().expect("there are items");
    let (x, y) = (measure(&report, "frozen.all.mean_rank"), measure(&report, "organic.all.pass_rate"));
    let plane = landscape.planes.iter().find(|p| (p.x, p.y) == (x, y)).expect("every pair");
    let value = |c: usize, m: usize| landscape.points[c][m].as_ref().expect("evaluated").mean;
    for a in 0..3 {
        let beaten = (0..3).any(|b| {
            let (dx, dy) = (value(a, x) - value(b, x), value(b, y) - value(a, y));
            dx >= 0.0 && dy >= 0.0 && (dx > 0.0 || dy > 0.0)
        });
        assert_eq!(plane.points[a].on_frontier, !beaten, "condition {a}");
        assert_eq!(plane.frontier.contains(&a), !beaten);
    }
    let sure: f64 = plane.points.iter().map(|p| p.p_on_frontier).sum();
    assert!(sure >= 1.0 - 1e-9, "some condition is always on the frontier: {sure}");
    assert!(plane.points[0].change.is_none() && plane.points[1].change.is_some());
    assert!(plane.points[1].p_beats_baseline.is_some());
}

#[test]
fn where_the_sweep_has_a_number_it_is_that_number() {
    let mut given = input(&["one", "two"], 3);
    let outcomes: Vec<Outcome> = given
        .runs
        .iter()
        .map(|r| Outcome {
            condition: r.condition.clone(),
            seed: r.seed.expect("a seed"),
            items: [0, 1].map(|t| r.boards[t].items.clone().expect("items")),
        })
        .collect();
    let results = Results::new(&outcomes).expect("two conditions");
    let analysis = analyse(&results, "", [0.5; 2], &Settings { resamples: 100, ..Settings::default() });
    given.analysis = Ok(analysis.clone());
    let report = build(given);
    let landscape = report.landscape.as_ref().expect("there are items");
    let m = measure(&report, "frozen.tier3_adversarial.pass_rate");
    let point = landscape.points[1][m].as_ref().expect("evaluated");
    assert_eq!(point.mean, analysis.conditions[1].retention.mean);
    assert_eq!(point.interval.as_ref(), Some(&analysis.conditions[1].retention.ci95));
    let y = measure(&report, "organic.all.pass_rate");
    let plane = landscape.planes.iter().find(|p| (p.x, p.y) == (m, y)).expect("every pair");
    assert_eq!(plane.points[1].p_on_frontier, analysis.conditions[1].p_on_frontier);
}

#[test]
fn parts_that_can_not_be_shown_say_why() {
    let mut given = input(&["one"], 1);
    given.runs[0].boards[0].items = None;
    given.runs[0].boards[1].items = None;
    let report = build(given);
    let reasons: Vec<(&str, bool)> = report.sections.iter().map(|s| (s.kind.name(), s.missing.is_some())).collect();
    let expected =
        [("summary", false), ("pareto", true), ("margin-dist", true), ("step-trajectory", true), ("dilution", true)];
    assert_eq!(reasons, expected);
    assert!(report.sections.iter().flat_map(|s| &s.missing).all(|m| !m.reason.is_empty() && !m.advice.is_empty()));
    // One part alone brings no items along.
    let mut given = input(&["one", "two"], 1);
    given.wanted = vec![SectionKind::Summary];
    let report = build(given);
    assert!(report.evals.iter().all(|e| e.ids.is_empty() && e.texts.is_none()));
    assert!(report.runs.iter().flat_map(|r| &r.boards).all(|b| b.margin.is_none() && !b.values.is_empty()));
}

#[test]
fn the_same_results_are_the_same_document() {
    let text = |_| serde_json::to_string(&build(input(&["one", "two"], 2))).expect("JSON");
    assert_eq!(text(0), text(1));
}

#[test]
fn conditions_without_a_common_seed_are_compared_with_a_word() {
    let mut given = input(&["one", "two"], 2);
    for run in given.runs.iter_mut().filter(|r| r.condition == "two") {
        run.seed = run.seed.map(|s| s + 10);
    }
    let report = build(given);
    let landscape = report.landscape.as_ref().expect("there are items");
    assert_eq!(landscape.runs, [vec![0, 1], vec![2, 3]]);
    assert!(landscape.warnings.iter().any(|w| w.contains("share no seed")), "{:?}", landscape.warnings);
}
