//! `--threshold auto`: the threshold that the existing tier3 suggests, under the same model.

use super::corpus::{Corpus, is_tier3};
use crate::data::BundleSet;
use crate::estimate::quantile;
use crate::lexical::cosine;
use crate::neighbours::{Dense, Similarity};
use crate::parallel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Fewer dangers than this say too little of their distribution.
const LEAST: usize = 20;

/// A threshold and what it was taken from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    /// Existing tier3 bundles with a danger: none of their vectors is zero.
    pub bundles: usize,
    /// Which quantile of their dangers the threshold is.
    pub quantile: f64,
    /// Least, median and greatest danger.
    pub danger: [f64; 3],
    /// Share of them that the model fails (danger at least 0).
    pub failed: f64,
    /// The threshold.
    pub threshold: f64,
}

/// Why there is no threshold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CalibrationError {
    /// Too few bundles.
    #[error("the existing tier3 has {0} bundles whose danger can be told; at least {LEAST} are needed")]
    TooFew(usize),
    /// No quantile.
    #[error("the quantile of the threshold is {0}; expected 0 to 1")]
    Quantile(f64),
}

/// Danger of each tier3 bundle of `set` (those without a tier count, too), in the order of the set; `similarity` has a
/// row for each event of the set, and the lexical embedding counts over the corpus. Bundles with a zero vector have none.
///
/// # Panics
/// When there are not as many rows as events.
#[must_use]
pub fn dangers(set: &BundleSet, corpus: &Corpus<'_>, similarity: Similarity<'_>) -> Vec<f64> {
    let bundles: Vec<_> = set.bundles.iter().filter(|b| is_tier3(b.metadata.tier)).collect();
    let danger = |i: usize, sim: &dyn Fn(u32, u32) -> Option<f64>| {
        let bundle = bundles[i];
        let positive = sim(bundle.anchor, bundle.positive)?;
        let negatives: Option<Vec<f64>> = bundle.negatives.iter().map(|n| sim(bundle.anchor, n.event)).collect();
        Some(super::lineups::danger(negatives?.into_iter(), positive))
    };
    let found = if let Some(rows) = similarity.rows() {
        assert_eq!(rows.len(), set.events.len(), "one vector for each event of the set is needed");
        let space = Dense::new(rows);
        let sim = |a: u32, b: u32| (!space.is_zero(a) && !space.is_zero(b)).then(|| space.similarity(a, b));
        parallel::map(bundles.len(), |i| danger(i, &sim))
    } else {
        let lexical = corpus.lexical();
        let normal = |i: usize| crate::neighbours::normal_text(&set.events[i].text);
        let vectors = parallel::map(set.events.len(), |i| lexical.embed(&normal(i)));
        let sim = |a: u32, b: u32| {
            let (a, b) = (&vectors[a as usize], &vectors[b as usize]);
            (!a.is_empty() && !b.is_empty()).then(|| cosine(a, b))
        };
        parallel::map(bundles.len(), |i| danger(i, &sim))
    };
    found.into_iter().flatten().collect()
}

/// The `q` quantile of `dangers` (0.5: as dangerous as the middle one of the existing tier3).
///
/// # Errors
/// Fewer than 20 dangers, or no quantile.
pub fn calibrate(mut dangers: Vec<f64>, q: f64) -> Result<Calibration, CalibrationError> {
    if !(0.0..=1.0).contains(&q) {
        return Err(CalibrationError::Quantile(q));
    }
    if dangers.len() < LEAST {
        return Err(CalibrationError::TooFew(dangers.len()));
    }
    dangers.sort_by(f64::total_cmp);
    let at = |q| quantile(&dangers, q).unwrap_or_default();
    let failed = dangers.iter().filter(|d| **d >= 0.0).count() as f64 / dangers.len() as f64;
    let danger = [at(0.0), at(0.5), at(1.0)];
    Ok(Calibration { bundles: dangers.len(), quantile: q, danger, failed, threshold: at(q) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_a_quantile() {
        let dangers: Vec<f64> = (0..21).rev().map(|i| f64::from(i) / 10.0 - 1.0).collect();
        let found = calibrate(dangers.clone(), 0.5).expect("enough");
        assert_eq!((found.threshold, found.danger, found.bundles), (0.0, [-1.0, 0.0, 1.0], 21));
        assert!((found.failed - 11.0 / 21.0).abs() < 1e-12, "those at 0 are failed");
        assert_eq!(calibrate(dangers[..20].to_vec(), 0.0).expect("enough").threshold, -0.9);
        assert_eq!(calibrate(dangers[..19].to_vec(), 0.5), Err(CalibrationError::TooFew(19)));
        assert!(calibrate(dangers, f64::NAN).is_err());
    }
}
