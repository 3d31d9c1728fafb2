//! Every item and every summary of the fixture against `expected.json`, to 1e-6.

use crate::fixture;
use crucible_core::data::{Pool, Tier};
use crucible_core::eval::{Checkpoint, EvalHeader, Inputs, Item, Score, Scoreboard, Summary, items, score, scoreboard};
use serde_json::Value;
use std::collections::BTreeMap;

const EXPECTED: &str = include_str!("../fixtures/metrics/expected.json");
const TOLERANCE: f64 = 1e-6;

/// What differs, or nothing.
type Outcome = Result<(), String>;

fn near(what: &str, got: f64, expected: &Value) -> Outcome {
    let expected = expected.as_f64().ok_or_else(|| format!("{what}: the reference has no number"))?;
    // NaN is near nothing.
    if (got - expected).abs() <= TOLERANCE { Ok(()) } else { Err(format!("{what}: {got}, expected {expected}")) }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, got: T, expected: T) -> Outcome {
    if got == expected { Ok(()) } else { Err(format!("{what}: {got:?}, expected {expected:?}")) }
}

fn check_item(item: &Item<'_>, expected: &Value) -> Outcome {
    let what = |field: &str| format!("{} {field}", item.bundle_id);
    equal(&what("id"), Some(item.bundle_id.as_ref()), expected[0].as_str())?;
    equal(&what("group"), Some(item.group.as_ref()), expected[1].as_str())?;
    equal(&what("tier"), item.tier.map(Tier::name), expected[2].as_str())?;
    equal(&what("pool"), item.pool.map(Pool::name), expected[3].as_str())?;
    near(&what("margin"), item.margin, &expected[4])?;
    equal(&what("rank"), Some(u64::from(item.rank)), expected[5].as_u64())?;
    near(&what("pos_sim"), item.pos_sim, &expected[6])?;
    near(&what("max_neg_sim"), item.max_neg_sim, &expected[7])?;
    equal(&what("winning negative"), Some(item.winning_negative.as_ref()), expected[8].as_str())?;
    equal(&what("zero vector"), Some(item.zero_vector), expected[9].as_bool())?;
    // Passing hangs on no rounding in this fixture: exact ties are exactly 0.
    equal(&what("passes"), item.passes(), expected[4].as_f64() > Some(0.0))?;
    equal(&what("is 0"), item.margin == 0.0, expected[4].as_f64() == Some(0.0))
}

fn check_items(items: &[Item<'_>], expected: &Value) -> Outcome {
    let rows = expected["items"].as_array().ok_or("the reference has no items")?;
    equal("items", items.len(), rows.len())?;
    items.iter().zip(rows).try_for_each(|(item, row)| check_item(item, row))
}

fn check_summary(name: &str, got: &Summary, expected: &Value) -> Outcome {
    equal(&format!("{name} n"), Some(got.n as u64), expected["n"].as_u64())?;
    equal(&format!("{name} correct"), Some(got.correct as u64), expected["correct"].as_u64())?;
    let ci = got.ci95.as_ref();
    let numbers = [
        ("pass_rate", got.pass_rate),
        ("pass_rate", got.accuracy),
        ("mean_margin", got.mean_margin),
        ("median_margin", got.median_margin),
        ("q10_margin", got.q10_margin),
        ("q90_margin", got.q90_margin),
        ("mean_rank", got.mean_rank),
        ("ci_low", ci.map(|ci| ci.low)),
        ("ci_high", ci.map(|ci| ci.high)),
    ];
    numbers.iter().try_for_each(|(field, x)| near(&format!("{name} {field}"), x.unwrap_or(f64::NAN), &expected[*field]))
}

fn check_scoreboard(board: &Scoreboard, expected: &Value) -> Outcome {
    check_summary("overall", &board.overall, &expected["overall"])?;
    equal("tiers", board.by_tier.len(), 3)?;
    equal("pools", board.by_pool.len(), 3)?;
    for (tier, summary) in &board.by_tier {
        check_summary(tier.name(), summary, &expected["by_tier"][tier.name()])?;
    }
    for (pool, summary) in &board.by_pool {
        check_summary(pool.name(), summary, &expected["by_pool"][pool.name()])?;
    }
    let counts = serde_json::to_value(&board.eval_header.tier_distribution).map_err(|e| e.to_string())?;
    equal("tier counts", &counts, &expected["tier_counts"])?;
    let sanity = &board.sanity;
    let (chance, nan) = (&sanity.chance, f64::NAN);
    near("chance", chance.overall.level.unwrap_or(nan), &expected["chance"]["overall"])?;
    for (tier, level) in &chance.by_tier {
        near("chance of a tier", level.level.unwrap_or(nan), &expected["chance"][tier.name()])?;
    }
    equal("ties", Some(sanity.ties as u64), expected["ties"].as_u64())?;
    equal("zero items", Some(sanity.zero_vectors.items as u64), expected["zero_items"].as_u64())?;
    equal("zero texts", Some(sanity.zero_vectors.texts as u64), expected["zero_texts"].as_u64())?;
    near("similarity q10", sanity.similarity.q10.unwrap_or(nan), &expected["similarity"][0])?;
    near("similarity q90", sanity.similarity.q90.unwrap_or(nan), &expected["similarity"][1])?;
    let (space, reference) = (&sanity.space, &expected["space"]);
    equal("sample", Some(space.sample as u64), reference["sample"].as_u64())?;
    near("mean cosine", space.mean_cosine.unwrap_or(nan), &reference["mean_cosine"])?;
    near("sd of cosines", space.sd_cosine.unwrap_or(nan), &reference["sd_cosine"])?;
    near("effective rank", space.effective_rank.unwrap_or(nan), &reference["effective_rank"])?;
    let norms = [space.norms.mean, space.norms.sd, space.norms.min, space.norms.max];
    (0..4).try_for_each(|i| near("norms", norms[i].unwrap_or(nan), &reference["norms"][i]))
}

fn board(scores: &[Score]) -> Scoreboard {
    let (set, embeddings) = fixture::load(fixture::BUNDLES);
    let inputs = Inputs {
        eval_header: EvalHeader::of(&set, "bundles.jsonl", &[0; 32], 42, "1"),
        checkpoint: Checkpoint { path: "fixture".into(), hash: "00".into() },
        model_conditions: BTreeMap::new(),
        timestamp: "2000-01-01T00:00:00Z".into(),
        device: "cpu".into(),
    };
    scoreboard(&set, &embeddings, scores, inputs)
}

#[test]
fn items_and_summaries_agree_with_the_reference() {
    let expected: Value = serde_json::from_str(EXPECTED).expect("the reference is JSON");
    let (set, embeddings) = fixture::load(fixture::BUNDLES);
    let scores = score(&set, &embeddings);
    check_items(&items(&set, &scores), &expected).expect("items agree");
    check_scoreboard(&board(&scores), &expected).expect("the scoreboard agrees");
    // The fixture must hold what it was made for.
    let hard = &expected["ties"];
    assert!(hard.as_u64() > Some(20) && expected["zero_items"].as_u64() > Some(10), "{hard} ties");
}

#[test]
fn wrong_scores_are_noticed() {
    let expected: Value = serde_json::from_str(EXPECTED).expect("the reference is JSON");
    let (set, embeddings) = fixture::load(fixture::BUNDLES);
    let scores = score(&set, &embeddings);
    let sound = |s: &Score| !s.zero_vector;
    type Fault = fn(&mut Score);
    let faults: [(&str, Fault); 5] = [
        ("flipped sign", |s| s.margin = -s.margin),
        ("a little off", |s| s.margin += 3e-6),
        ("a tie that passes", |s| s.margin = s.margin.max(f64::MIN_POSITIVE)),
        ("rank from 0", |s| s.rank -= 1),
        ("another winner", |s| s.winner = u32::from(s.winner == 0)),
    ];
    for (name, fault) in faults {
        let mut wrong = scores.clone();
        wrong.iter_mut().filter(|s| sound(s)).for_each(fault);
        assert!(check_items(&items(&set, &wrong), &expected).is_err(), "{name} went unnoticed in the items");
    }
    for fault in [faults[0].1, faults[3].1] {
        let mut wrong = scores.clone();
        wrong.iter_mut().filter(|s| sound(s)).for_each(fault);
        assert!(check_scoreboard(&board(&wrong), &expected).is_err(), "a fault went unnoticed in the scoreboard");
    }
}
