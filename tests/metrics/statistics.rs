//! The statistics against SciPy, and what their verdicts do in experiments whose truth is known.

use crucible_core::estimate::{Bca, bca, replicates};
use crucible_core::rng::Stream;
use crucible_core::stats::{Pair, PairedChange, Settings, Verdict, change, mcnemar_exact, sign_flip, tango};
use serde_json::Value;

fn expected() -> Value {
    serde_json::from_str(include_str!("../fixtures/statistics/expected.json")).expect("the fixture is JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn count(value: &Value) -> usize {
    value.as_u64().expect("a count") as usize
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

#[test]
fn mcnemar_agrees_with_scipy() {
    for case in expected()["mcnemar"].as_array().expect("cases") {
        let (got, want) = (mcnemar_exact(count(&case["lost"]), count(&case["gained"])), number(&case["p"]));
        assert!((got - want).abs() <= 1e-9 * want + 1e-12, "{case}: {got}");
    }
}

#[test]
fn tango_agrees_with_the_likelihood() {
    for case in expected()["tango"].as_array().expect("cases") {
        let z = number(&case["z"]);
        let (low, high) = tango(count(&case["lost"]), count(&case["gained"]), count(&case["n"]), z);
        // The reference maximises numerically, which is good to about the root of its precision.
        let (want_low, want_high) = (number(&case["low"]), number(&case["high"]));
        assert!((low - want_low).abs() < 1e-5 && (high - want_high).abs() < 1e-5, "{case}: {low}, {high}");
    }
}

fn bca_of_mean(values: &[f64]) -> Bca {
    let n = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let resamples = replicates(values.len(), 20_000, 3, "statistics test", |drawn| {
        drawn.iter().map(|i| values[*i as usize]).sum::<f64>() / n
    });
    let left_out: Vec<f64> = values.iter().map(|v| (sum - v) / (n - 1.0)).collect();
    bca(sum / n, resamples, &left_out).expect("sound")
}

#[test]
fn bca_agrees_with_scipy() {
    for case in expected()["bca"].as_array().expect("cases") {
        let bca = bca_of_mean(&list(&case["values"]));
        let (level, error) = (number(&case["level"]), number(&case["standard_error"]));
        // 20,000 resamples place a bound to a few hundredths of a standard error; the seed is fixed.
        for (p, want) in [((1.0 - level) / 2.0, &case["low"]), ((1.0 + level) / 2.0, &case["high"])] {
            let (got, want) = (bca.bound(p), number(want));
            assert!((got - want).abs() < 0.06 * error, "{level} at {p}: {got}, expected {want}");
        }
        assert!((bca.standard_error() / error - 1.0).abs() < 0.03, "{} and {error}", bca.standard_error());
    }
}

#[test]
fn sign_flips_agree_with_all_signs() {
    let case = &expected()["sign_flip"];
    let (got, want) = (sign_flip(&list(&case["differences"]), 40_000, 9), number(&case["p"]));
    // Four standard errors of 40,000 draws.
    assert!((got - want).abs() < 4.0 * (want * (1.0 - want) / 40_000.0).sqrt(), "{got}, expected {want}");
}

/// 1,000 bundles in 100 groups; a share passes before, each then flips with the given chances, of a whole group more alike
/// than of strangers.
fn experiment(number: u64, lose: f64, gain: f64) -> PairedChange {
    let mut stream = Stream::new(77, "experiment", number);
    let mut pairs = Vec::with_capacity(1000);
    for group in 0..100u32 {
        // Some lemmas are unsettled and others not: flips come in clusters.
        let unsettled = 0.5 + stream.unit();
        for _ in 0..10 {
            let before = if stream.unit() < 0.4 { 0.1 } else { -0.1 };
            let chance = unsettled * if before > 0.0 { lose } else { gain };
            let after = if stream.unit() < chance { -before } else { before };
            pairs.push(Pair { bundle_id: String::new(), group, tier: None, pool: None, before, after });
        }
    }
    let settings = Settings { resamples: 400, ..Settings::default() };
    change(&pairs.iter().collect::<Vec<_>>(), &settings).expect("there are pairs")
}

fn share_of(verdict: Verdict, trials: u64, lose: f64, gain: f64) -> f64 {
    (0..trials).filter(|t| experiment(*t, lose, gain).verdict == verdict).count() as f64 / trials as f64
}

#[test]
fn two_equal_settings_rarely_fail() {
    // 40 % pass, 15 % of them are lost and 10 % of the others gained: no change on average, 12 % flip.
    let failed = share_of(Verdict::Fail, 2000, 0.15, 0.10);
    assert!(failed <= 0.05, "{failed}");
}

#[test]
fn a_drop_of_five_points_is_seen() {
    // Net 5 points of 1,000 bundles are lost, with 3 % gained back and 8 % lost.
    let failed = share_of(Verdict::Fail, 500, 0.20, 0.05);
    assert!(failed >= 0.80, "{failed}");
}

#[test]
fn a_drop_of_delta_rarely_passes() {
    // 2 points: 6 % lost, 4 % gained, of all.
    let passed = share_of(Verdict::Pass, 500, 0.15, 0.04 / 0.6);
    assert!(passed <= 0.07, "{passed}");
}
