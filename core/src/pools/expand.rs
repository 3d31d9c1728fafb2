//! Variants of legacy killers: the same anchor with another positive, or the same pair with other negatives.
//!
//! A variant has to stand the test of a mined bundle: several lineups, re-scored, of which enough pass. Which candidates
//! a parent gives depends on the seed and the parent alone, so parents may come and go. Of a parent's candidates that
//! pass, the hardest are kept; two parents' variants with the same events are one, that of the earlier parent.

use super::workset::Workset;
use crate::data::{Bundle, BundleSet, Metadata, Pool};
use crate::lexical::hash;
use crate::mining::{Candidate, Cause, Miner, rank};
use crate::rng::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};

/// How many variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpandSettings {
    /// Variants of a parent, at most.
    pub variants: usize,
    /// Other positives of a parent that are tested, at most.
    pub positives: usize,
}

/// An expansion in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expansion {
    /// Legacy bundles of tier3.
    pub parents: u64,
    /// Other bundles: no parents.
    pub other_bundles: u64,
    /// Parents with a variant.
    pub parents_with_variants: u64,
    /// Candidates that were tested or could not be.
    pub candidates: u64,
    /// Candidates by lineups that passed: 0 to all.
    pub pass_distribution: Vec<u64>,
    /// Candidates with too few passes.
    pub too_few_passes: u64,
    /// Candidates that could not be tested, by cause.
    pub untested: BTreeMap<Cause, u64>,
    /// Candidates that say what the file or another variant says already.
    pub duplicates: u64,
    /// Candidates beyond the number of variants of a parent.
    pub over_variants: u64,
    /// Variants with another positive.
    pub other_positives: u64,
    /// Variants with the parent's positive and other negatives.
    pub other_negatives: u64,
}

/// Anchor, positive, and the set of negatives.
type Content = (u32, u32, Vec<u32>);

fn content(anchor: u32, positive: u32, negatives: impl Iterator<Item = u32>) -> Content {
    let mut negatives: Vec<u32> = negatives.collect();
    negatives.sort_unstable();
    negatives.dedup();
    (anchor, positive, negatives)
}

/// Makes variants of the set's legacy killers. `miner` is over the workset's events; `more` goes into the metadata of
/// each variant.
#[must_use]
pub fn expand(
    set: &BundleSet,
    workset: &Workset,
    miner: &Miner<'_>,
    settings: ExpandSettings,
    more: &Map<String, Value>,
) -> (BundleSet, Expansion) {
    let number = |event: u32| workset.number[event as usize];
    let parents: Vec<&Bundle> = set.bundles.iter().filter(|b| b.metadata.pool() == Some(Pool::Legacy)).collect();
    let seed = miner.settings().seed;
    let mut pairs = Vec::new();
    let mut of_parent = Vec::with_capacity(parents.len());
    for parent in &parents {
        let (anchor, positive) = (number(parent.anchor), number(parent.positive));
        let mut stream = Stream::new(seed, "pool expand", hash(&[&parent.bundle_id]));
        let first = pairs.len();
        pairs.push((anchor, positive));
        let others = miner.other_positives(anchor, positive, settings.positives, &mut stream);
        pairs.extend(others.into_iter().map(|other| (anchor, other)));
        of_parent.push(first..pairs.len());
    }
    let tested = miner.test_pairs(&pairs);

    let mut report = Expansion {
        parents: parents.len() as u64,
        other_bundles: (set.bundles.len() - parents.len()) as u64,
        candidates: pairs.len() as u64,
        pass_distribution: vec![0; miner.settings().lineups + 1],
        ..Expansion::default()
    };
    let known = set
        .bundles
        .iter()
        .map(|b| content(number(b.anchor), number(b.positive), b.negatives.iter().map(|n| number(n.event))));
    let mut seen: HashSet<Content> = known.collect();
    let mut variants: Vec<(Candidate, &Bundle)> = Vec::new();
    for (parent, range) in parents.iter().zip(of_parent) {
        let mut passed = passed(&tested[range], miner.settings().min_passes, &mut report);
        passed.sort_by(|a, b| rank(a, b));
        let before = variants.len();
        for candidate in passed {
            if !seen.insert(content(candidate.anchor, candidate.positive, candidate.negatives.iter().map(|n| n.0))) {
                report.duplicates += 1;
            } else if variants.len() - before == settings.variants {
                report.over_variants += 1;
            } else {
                let same = candidate.positive == number(parent.positive);
                *if same { &mut report.other_negatives } else { &mut report.other_positives } += 1;
                variants.push((candidate.clone(), parent));
            }
        }
        report.parents_with_variants += u64::from(variants.len() > before);
    }
    (bundles(&variants, workset, miner, more), report)
}

/// The candidates with enough passes; the others are counted.
fn passed<'a>(tested: &'a [Result<Candidate, Cause>], min_passes: usize, report: &mut Expansion) -> Vec<&'a Candidate> {
    let mut passed = Vec::new();
    for outcome in tested {
        match outcome {
            Err(cause) => *report.untested.entry(*cause).or_default() += 1,
            Ok(candidate) => {
                report.pass_distribution[candidate.passes as usize] += 1;
                if candidate.passes as usize >= min_passes {
                    passed.push(candidate);
                } else {
                    report.too_few_passes += 1;
                }
            }
        }
    }
    passed
}

/// Variants as bundles of the expanded pool, each with its parent.
fn bundles(
    variants: &[(Candidate, &Bundle)],
    workset: &Workset,
    miner: &Miner<'_>,
    more: &Map<String, Value>,
) -> BundleSet {
    let candidates: Vec<Candidate> = variants.iter().map(|v| v.0.clone()).collect();
    let mut set = miner.bundles(&candidates, more);
    for (bundle, (candidate, parent)) in set.bundles.iter_mut().zip(variants) {
        let id = |event: u32| workset.events[event as usize].event_id.as_str();
        let name = [parent.bundle_id.as_str(), id(candidate.anchor), id(candidate.positive)].join("\0");
        let hash = Sha256::digest(name.as_bytes());
        bundle.bundle_id = format!("expanded_{:016x}", hash.first_chunk().map_or(0, |b| u64::from_be_bytes(*b)));
        bundle.metadata.source = Some(Metadata::EXPANSION_SOURCE.to_owned());
        bundle.metadata.expansion = Some(Metadata::EXPANSION.to_owned());
        bundle.metadata.extra.insert("parent".to_owned(), json!(parent.bundle_id));
    }
    set
}
