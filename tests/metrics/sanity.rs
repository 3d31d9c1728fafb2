//! Each sanity warning fires on a model made to deserve it, and none on a healthy one.

use crucible_core::data::{BundleSet, Tier};
use crucible_core::embeddings::Embeddings;
use crucible_core::eval::{Sanity, Summaries, Summary, TierOrder, sanity, score, summaries};
use crucible_core::rng::Stream;

const DIM: usize = 32;
const GROUPS: usize = 200;

/// 600 bundles: anchor, positive and two negatives of their own each; a third in each tier.
fn bundles() -> BundleSet {
    let mut text = String::new();
    for i in 0..GROUPS * 3 {
        let event =
            |role: &str, sense: &str| format!(r#"{{"event_id":"{i}{role}","sense":"l{i}#{sense}","text":"t"}}"#);
        let tier = Tier::ALL[i % 3].name();
        let (a, p, n, m) = (event("a", "1"), event("p", "1"), event("n", "2"), event("m", "3"));
        text += &format!(r#"{{"bundle_id":"{i}","anchor":{a},"positive":{p},"negatives":[{n},{m}],"tier":"{tier}"}}"#);
        text.push('\n');
    }
    crucible_core::data::read_bundles(&mut text.as_bytes(), "test").expect("the test's own bundles are sound")
}

/// Random directions; the positive lies near its anchor, by `near(tier)` from 0 (anywhere) to 1 (the same).
fn model(near: impl Fn(usize) -> f32) -> Vec<f32> {
    let mut stream = Stream::new(9, "sanity test", 0);
    let mut out: Vec<f32> = Vec::new();
    for i in 0..GROUPS * 3 {
        let anchor: Vec<f32> = (0..DIM).map(|_| stream.symmetric(1.0)).collect();
        out.extend(&anchor);
        let share = near(i % 3);
        out.extend(anchor.iter().map(|a| share * a + (1.0 - share) * stream.symmetric(1.0)));
        out.extend((0..2 * DIM).map(|_| stream.symmetric(1.0)));
    }
    out
}

fn judge(vectors: Vec<f32>) -> (Sanity, Summary) {
    let set = bundles();
    let embeddings = Embeddings::normalised(DIM, vectors);
    let scores = score(&set, &embeddings);
    let Summaries { overall, by_tier, .. } = summaries(&set, &scores, None);
    (sanity(&set, &embeddings, &scores, &overall, &by_tier, 42), overall)
}

fn codes(sanity: &Sanity) -> Vec<&str> {
    sanity.warnings.iter().map(|w| w.code.as_str()).collect()
}

#[test]
fn a_healthy_model_is_not_warned_about() {
    let (sanity, overall) = judge(model(|tier| [0.9, 0.6, 0.4][tier]));
    assert_eq!(codes(&sanity), [""; 0], "{sanity:?}");
    assert!(overall.pass_rate > Some(0.8));
    assert_eq!((sanity.tier_order, sanity.ties, sanity.zero_vectors.items), (TierOrder::AsExpected, 0, 0));
    assert!((sanity.chance.overall.level.expect("not empty") - 1.0 / 3.0).abs() < 1e-12);
    // Independent directions: next to all 32 dimensions, cosines of sd 1/sqrt(32).
    let space = &sanity.space;
    assert!(space.effective_rank > Some(28.0) && space.effective_rank <= Some(32.0), "{space:?}");
    assert!(space.mean_cosine.expect("1000 vectors").abs() < 0.02, "{space:?}");
    assert!((space.sd_cosine.expect("1000 vectors") - 32f64.powf(-0.5)).abs() < 0.01, "{space:?}");
}

#[test]
fn guessing_is_called_chance() {
    let (sanity, _) = judge(model(|tier| [0.9, 0.6, 0.0][tier]));
    assert!(sanity.chance.by_tier[&Tier::Adversarial].at_chance);
    assert!(!sanity.chance.by_tier[&Tier::Easy].at_chance && !sanity.chance.overall.at_chance);
    assert_eq!(codes(&sanity), ["at_chance"]);
}

#[test]
fn similarities_of_one_value_are_seen_behind_a_high_pass_rate() {
    // A large common vector: every similarity is about 0.9999, and nearly all bundles pass.
    let shifted = model(|_| 0.9).iter().enumerate().map(|(i, x)| x + if i % DIM == 0 { 400.0 } else { 0.0 }).collect();
    let (sanity, overall) = judge(shifted);
    assert!(overall.pass_rate > Some(0.96), "{overall:?}");
    assert!(sanity.similarity.q10 > Some(0.9998), "{sanity:?}");
    assert_eq!(codes(&sanity), ["narrow_similarities", "narrow_cone"]);
    // The centred directions are still all there: only the offset is at fault.
    assert!(sanity.space.effective_rank > Some(20.0), "{:?}", sanity.space);
}

#[test]
fn a_flat_space_is_seen() {
    let line = model(|_| 0.9).iter().enumerate().map(|(i, x)| if i % DIM < 1 { *x } else { x * 0.01 }).collect();
    let (sanity, _) = judge(line);
    assert!(codes(&sanity).contains(&"flat_space"), "{:?}", sanity.warnings);
    let (sanity, _) = judge(vec![1.0; GROUPS * 3 * 4 * DIM]);
    assert_eq!((sanity.space.effective_rank, sanity.ties), (Some(0.0), GROUPS * 3));
    assert!(codes(&sanity).contains(&"ties"));
}

#[test]
fn zero_vectors_are_counted_and_never_tie() {
    let mut vectors = model(|_| 0.9);
    vectors[..2 * DIM].fill(0.0);
    vectors[8 * DIM] = f32::NAN;
    let (sanity, _) = judge(vectors);
    assert_eq!((sanity.zero_vectors.items, sanity.zero_vectors.texts, sanity.ties), (2, 3, 0));
    assert_eq!(codes(&sanity), ["zero_vectors"]);
    let (sanity, _) = judge(vec![0.0; GROUPS * 3 * 4 * DIM]);
    assert_eq!((sanity.zero_vectors.items, sanity.ties, sanity.space.sample), (GROUPS * 3, 0, 0));
    assert_eq!((sanity.space.mean_cosine, sanity.similarity.spread, sanity.space.norms.mean), (None, None, None));
}

#[test]
fn tiers_out_of_order_are_said_to_be() {
    let (sanity, _) = judge(model(|tier| [0.2, 0.6, 0.9][tier]));
    assert_eq!((sanity.tier_order, codes(&sanity)), (TierOrder::Reversed, vec!["tier_order"]));
    assert!(sanity.warnings[0].message.contains("unlike it"));
}

#[test]
fn what_is_written_is_finite_json_and_read_back() {
    for vectors in [vec![0.0; GROUPS * 3 * 4 * DIM], vec![f32::MAX; GROUPS * 3 * 4 * DIM], model(|_| 0.5)] {
        let (sanity, overall) = judge(vectors);
        let text = serde_json::to_string(&(&sanity, &overall)).expect("all numbers are finite");
        assert_eq!(serde_json::from_str::<(Sanity, Summary)>(&text).expect("own output is sound"), (sanity, overall));
    }
}
