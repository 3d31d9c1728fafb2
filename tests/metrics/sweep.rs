//! A sweep's analysis against numpy, SciPy and statsmodels (`tests/reference/sweep.py`).

use crucible_core::estimate::{Interval, holm};
use crucible_core::eval::{GroupIntervals, GroupKind, Item, Resampling, Score};
use crucible_core::sweep::{Analysis, Difference, Measured, Outcome, Results, Settings, analyse};
use serde_json::Value;
use std::borrow::Cow;
use std::f64::consts::PI;

fn expected() -> Value {
    serde_json::from_str(include_str!("../fixtures/statistics/sweep.json")).expect("the fixture is JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

fn items(truth: &Value, condition: usize, seed: usize) -> Vec<Item<'static>> {
    let passes = truth["passes"][condition][seed].as_str().expect("a text");
    let item = |(i, (pass, group)): (usize, (char, f64))| Item {
        bundle_id: Cow::Owned(format!("b{i}")),
        group: Cow::Owned(format!("g{group}")),
        group_kind: GroupKind::Lemma,
        tier: None,
        pool: None,
        margin: if pass == '1' { 0.1 } else { -0.1 },
        rank: 1,
        pos_sim: 0.0,
        max_neg_sim: 0.0,
        winning_negative: Cow::Borrowed("n"),
        zero_vector: false,
    };
    passes.chars().zip(list(&truth["group"])).enumerate().map(item).collect()
}

fn analysis(expected: &Value) -> Analysis {
    let seeds = expected["seeds"].as_u64().expect("a count");
    let names: Vec<&str> = expected["conditions"]
        .as_array()
        .expect("conditions")
        .iter()
        .map(|c| c["name"].as_str().expect("a name"))
        .collect();
    let outcome = |condition: usize, seed: u64| Outcome {
        condition: names[condition].to_owned(),
        seed,
        items: [0, 1].map(|truth| items(&expected["truths"][truth], condition, seed as usize)),
    };
    let outcomes: Vec<Outcome> = (0..names.len()).flat_map(|c| (0..seeds).map(move |s| outcome(c, s))).collect();
    let reference = list(&expected["reference"]);
    let settings = Settings { resamples: 4000, ..Settings::default() };
    analyse(&Results::new(&outcomes).expect("sound"), "base", [reference[0], reference[1]], &settings)
}

/// Ends of an interval from 4,000 resamples lie within a tenth of a standard error of those from 20,000.
#[track_caller]
fn near(got: &Interval, low: f64, high: f64, error: f64, what: &str) {
    let close = |a: f64, b: f64| (a - b).abs() < 0.15 * error;
    assert!(close(got.low, low) && close(got.high, high), "{what}: {got:?}, expected {low} to {high} (error {error})");
}

#[test]
fn conditions_agree_with_numpy() {
    let expected = expected();
    let analysis = analysis(&expected);
    let wanted = expected["conditions"].as_array().expect("conditions");
    assert_eq!(analysis.conditions.len(), wanted.len());
    for (got, want) in analysis.conditions.iter().zip(wanted) {
        let of = |key: &str, axis: usize| number(&want[key][axis]);
        for (axis, m) in [&got.retention, &got.generalisation].into_iter().enumerate() {
            let Measured { mean, std, ci95, item_error, .. } = m;
            let what = format!("{} axis {axis}", got.name);
            assert!((mean - of("mean", axis)).abs() < 1e-12, "{what}: {mean}");
            assert!((std.expect("five seeds") - of("std", axis)).abs() < 1e-12, "{what}: {std:?}");
            near(ci95, of("low", axis), of("high", axis), of("error", axis), &what);
            assert!((item_error / of("item_error", axis) - 1.0).abs() < 0.05, "{what}: {item_error}");
        }
        assert_eq!(Some(got.on_frontier), want["on_frontier"].as_bool(), "{}", got.name);
        assert!(
            (got.p_on_frontier - number(&want["p_on_frontier"])).abs() < 0.03,
            "{}: {}",
            got.name,
            got.p_on_frontier
        );
        for (axis, half) in got.ellipse.half_axes.iter().enumerate() {
            assert!((half / of("half_axes", axis) - 1.0).abs() < 0.05, "{}: {:?}", got.name, got.ellipse);
        }
        // An axis has no direction.
        let apart = (got.ellipse.angle - number(&want["angle"])).rem_euclid(PI);
        assert!(apart.min(PI - apart) < 0.2, "{}: {:?}", got.name, got.ellipse);
        let changes = [&got.retention_change, &got.generalisation_change];
        for (axis, change) in changes.into_iter().enumerate().filter(|_| got.name != "base") {
            let Difference { mean, ci95, p, .. } = change.as_ref().expect("no baseline");
            let what = format!("change of {} axis {axis}", got.name);
            assert!((mean - of("change", axis)).abs() < 1e-12, "{what}: {mean}");
            near(ci95, of("change_low", axis), of("change_high", axis), of("change_error", axis), &what);
            // Four standard errors of a share of 4,000, twice for two sides.
            let want = of("p", axis);
            assert!((p - want).abs() < 8.0 * (want / 2.0 / 4000.0).sqrt() + 1e-3, "{what}: {p}, expected {want}");
        }
        if let Some(p) = got.p_beats_baseline {
            assert!((p - number(&want["p_beats_baseline"])).abs() < 0.03, "{}: {p}", got.name);
        }
    }
    let area = &expected["hypervolume"];
    assert!((analysis.hypervolume.value - number(&area["value"])).abs() < 1e-12, "{:?}", analysis.hypervolume);
    near(&analysis.hypervolume.ci95, number(&area["low"]), number(&area["high"]), number(&area["error"]), "area");
}

#[test]
fn holm_agrees_with_statsmodels() {
    let case = &expected()["holm"];
    for (got, want) in holm(&list(&case["p"])).iter().zip(list(&case["adjusted"])) {
        assert!((got - want).abs() < 1e-12, "{got}, expected {want}");
    }
    assert_eq!(holm(&[]), [0.0; 0]);
    let all = analysis(&expected());
    let differences = || all.conditions.iter().flat_map(|c| [&c.retention_change, &c.generalisation_change]).flatten();
    let p: Vec<f64> = differences().map(|d| d.p).collect();
    assert_eq!(differences().map(|d| d.p_holm).collect::<Vec<_>>(), holm(&p));
}

#[test]
fn quantiles_of_margins_agree_with_scipy() {
    let document: Value =
        serde_json::from_str(include_str!("../fixtures/statistics/expected.json")).expect("the fixture is JSON");
    let case = &document["bca_quantiles"];
    let score =
        |margin: f64| Score { margin, rank: 1, pos_sim: margin, max_neg_sim: 0.0, winner: 0, zero_vector: false };
    let scores: Vec<Score> = list(&case["values"]).into_iter().map(score).collect();
    let resampling = Resampling { groups: (0..scores.len() as u32).collect(), seed: 42 };
    let got = GroupIntervals::of(&scores, &(0..scores.len()).collect::<Vec<_>>(), &resampling).expect("groups");
    let intervals = case["intervals"].as_array().expect("intervals");
    for (got, want) in [got.q10_margin, got.median_margin, got.q90_margin].iter().zip(intervals) {
        let of = |key: &str| number(&want[key]);
        // 2,000 resamples of a lumpy statistic place a bound to a fraction of a standard error; the seed is fixed.
        let close = |a: f64, b: f64| (a - b).abs() < 0.25 * of("standard_error");
        assert!(close(got.low, of("low")) && close(got.high, of("high")), "{got:?}, expected {want}");
    }
}
