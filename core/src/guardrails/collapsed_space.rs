//! G16 collapsed space: all vectors are nearly one, or lie on a line.
//!
//! A model may pass most bundles with every similarity at 0.9999; rounding, quantisation or a fixed threshold then turn
//! its answers into noise.

use super::{Finding, Level, Rule};
use crate::eval::{FLAT_RANK_MIN_DIM, NARROW_CONE, NARROW_SPREAD, Similarity, Space};

/// This guardrail.
pub const RULE: Rule = Rule { id: "G16", name: "collapsed_space" };

/// A sample of fewer vectors says nothing about the space.
const MIN_SAMPLE: usize = 16;

/// Judges a scoreboard's space and similarities. A mean cosine of random pairs from `max_cosine` on, or an effective
/// rank under `min_rank` (`guardrails.max_mean_cosine` and `min_effective_rank`), is CRITICAL. None where there are too
/// few vectors to say.
#[must_use]
pub fn check(space: &Space, similarity: &Similarity, max_cosine: f64, min_rank: f64) -> Option<Finding> {
    let cosine = space.mean_cosine.filter(|_| space.sample >= MIN_SAMPLE)?;
    let rank = space.effective_rank?;
    let spread = similarity.spread.unwrap_or(f64::NAN);
    let seen = format!(
        "two texts at random have cosine {cosine:.4}, and the vectors use {rank:.1} of {} dimensions",
        space.dim
    );
    let advice = "lower the learning rate, raise the temperature or weight decay, and see that batches hold negatives; \
                  for a ready model, check prompts and pooling";
    let finding = if cosine >= max_cosine {
        RULE.finding(Level::Critical, format!("{seen}: all are nearly one vector"), advice)
    } else if rank < min_rank && space.dim >= FLAT_RANK_MIN_DIM {
        RULE.finding(Level::Critical, format!("{seen}: next to no direction is left"), advice)
    } else if cosine > NARROW_CONE {
        let advice = "a fixed similarity threshold will not tell texts apart; centre the vectors or train longer";
        RULE.finding(Level::Warning, format!("{seen}: they lie in one narrow cone"), advice)
    } else if spread < NARROW_SPREAD {
        let message = format!("{seen}, but the similarities that decide differ by {spread:.1e} only");
        RULE.finding(Level::Warning, message, "rounding or quantisation can turn the results around")
    } else {
        RULE.ok(seen)
    };
    let numbers = [("mean_cosine", cosine), ("effective_rank", rank), ("dim", space.dim as f64), ("spread", spread)];
    Some(numbers.iter().fold(finding, |f, (name, x)| f.with(name, *x)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guardrails::Report;

    fn found(cosine: f64, rank: f64, dim: usize, spread: f64) -> Option<Finding> {
        let space = Space {
            dim,
            sample: 100,
            mean_cosine: Some(cosine),
            sd_cosine: None,
            effective_rank: Some(rank),
            norms: crate::eval::Spread::default(),
        };
        let similarity = Similarity { q10: None, q90: None, spread: Some(spread) };
        check(&space, &similarity, 0.99, 2.0)
    }

    fn level(cosine: f64, rank: f64, dim: usize, spread: f64) -> Level {
        found(cosine, rank, dim, spread).expect("enough vectors").level
    }

    #[test]
    fn fires_on_a_point_a_line_and_a_cone() {
        assert_eq!(level(0.9995, 30.0, 256, 0.5), Level::Critical);
        assert_eq!(level(0.99, 30.0, 256, 0.5), Level::Critical);
        assert_eq!(level(0.1, 1.2, 256, 0.5), Level::Critical);
        assert_eq!(level(0.95, 30.0, 256, 0.5), Level::Warning);
        assert_eq!(level(0.1, 30.0, 256, 1e-4), Level::Warning);
    }

    #[test]
    fn silent_on_a_healthy_space_a_plane_and_too_few_vectors() {
        assert_eq!(level(0.2, 30.0, 256, 0.5), Level::Ok);
        assert_eq!(level(0.0, 1.9, 2, 0.5), Level::Ok, "two dimensions have a rank of two");
        let few = Space { sample: 3, mean_cosine: Some(1.0), effective_rank: Some(0.0), ..Space::default() };
        assert_eq!(check(&few, &Similarity::default(), 0.99, 2.0), None);
        assert_eq!(check(&Space::default(), &Similarity::default(), 0.99, 2.0), None);
    }

    #[test]
    fn a_collapse_that_is_planted_in_vectors_is_found() {
        use crate::embeddings::Embeddings;
        use crate::rng::Stream;
        let space = |noise: f32| {
            let mut stream = Stream::new(16, "space", 0);
            let mut texts = String::new();
            for i in 0..20 {
                let event =
                    |j: usize, sense: &str| format!(r#"{{"event_id":"e{i}_{j}","sense":"{sense}","text":"t{i} {j}"}}"#);
                let (a, p, n) = (event(0, "a#1"), event(1, "a#1"), event(2, "a#2"));
                texts += &format!("{{\"bundle_id\":\"b{i}\",\"anchor\":{a},\"positive\":{p},\"negatives\":[{n}]}}\n");
            }
            let set = crate::data::read_bundles(&mut texts.as_bytes(), "test").expect("sound");
            let mut cell = |i: usize| if i.is_multiple_of(16) { 1.0 } else { noise * (stream.unit() as f32 - 0.5) };
            let rows: Vec<f32> = (0..16 * set.events.len()).map(&mut cell).collect();
            let embeddings = Embeddings::normalised(16, rows);
            let scores = crate::eval::score(&set, &embeddings);
            let summed = crate::eval::summaries(&set, &scores, None);
            crate::eval::sanity(&set, &embeddings, &scores, &summed.overall, &summed.by_tier, 1)
        };
        let level = |noise| {
            let sanity = space(noise);
            check(&sanity.space, &sanity.similarity, 0.99, 2.0).expect("60 vectors").level
        };
        assert_eq!(level(0.01), Level::Critical);
        assert_eq!(level(4.0), Level::Ok);
    }

    #[test]
    fn can_be_overridden() {
        let findings = vec![found(0.9999, 30.0, 256, 0.5).expect("enough vectors")];
        assert!(Report::judge(findings.clone(), true, &[]).stops);
        assert!(!Report::judge(findings, true, &["collapsed_space".to_owned()]).stops);
    }
}
