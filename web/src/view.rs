//! What the page shows, as plain data.

use crate::failure::Failure;
use crate::session::{Baseline, BaselineItems, EvalSet, Model, Outcome};
use crucible_core::data::{Event, NegativeSource, Pool, Tier};
use crucible_core::encoder::Tokenizer;
use crucible_core::eval::{Item, Score, Scoreboard};
use crucible_core::stats::{Comparison, PairedChange};
use serde::Serialize;
use std::collections::HashMap;

/// Worst killers that are listed.
const KILLERS: usize = 20;
/// Bars of a histogram, at most.
const BARS: usize = 48;

/// A count under its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The name in files.
    pub name: &'static str,
    /// How many.
    pub count: usize,
}

/// A file that was taken.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Loaded {
    /// A model.
    Checkpoint {
        /// The page's number of it.
        id: u32,
        /// The file.
        name: String,
        /// SHA-256 of its bytes.
        hash: String,
        /// Bytes.
        bytes: usize,
        /// Numbers a vector.
        dim: usize,
        /// Pieces of the tokenizer.
        vocabulary: Option<usize>,
        /// Training steps behind it.
        step: u64,
        /// The seed it was trained with, as text: a page's numbers don't hold all of them.
        seed: String,
    },
    /// Bundles.
    EvalSet {
        /// The page's number of it.
        id: u32,
        /// The file.
        name: String,
        /// Its fingerprint.
        fingerprint: String,
        /// Bundles.
        bundles: usize,
        /// Distinct events.
        events: usize,
        /// Bundles per tier, easiest first, then those without a tier.
        tiers: Vec<Count>,
        /// Tier3 bundles per pool.
        pools: Vec<Count>,
    },
    /// An earlier scoreboard.
    Baseline {
        /// The page's number of it.
        id: u32,
        /// The file.
        name: String,
        /// The model that it is of.
        checkpoint: String,
        /// The eval set that it is of.
        eval_path: String,
        /// Its fingerprint.
        fingerprint: String,
        /// Pass rate over all bundles.
        pass_rate: Option<f64>,
    },
    /// Its items.
    BaselineItems {
        /// The page's number of them.
        id: u32,
        /// The file.
        name: String,
        /// How many.
        items: usize,
    },
}

pub(crate) fn model(model: &Model) -> Loaded {
    let Model { id, name, hash, bytes, checkpoint } = model;
    Loaded::Checkpoint {
        id: *id,
        name: name.clone(),
        hash: hash.clone(),
        bytes: *bytes,
        dim: checkpoint.encoder.dim(),
        vocabulary: checkpoint.tokenizer.as_ref().map(Tokenizer::vocab_size),
        step: checkpoint.step,
        seed: checkpoint.seed.to_string(),
    }
}

pub(crate) fn eval_set(set: &EvalSet) -> Loaded {
    let tier_names = Tier::ALL.map(Tier::name).into_iter().chain(["no tier"]);
    let pool_names = Pool::ALL.map(Pool::name).into_iter();
    let count = |(name, count)| Count { name, count };
    Loaded::EvalSet {
        id: set.id,
        name: set.name.clone(),
        fingerprint: set.header.fingerprint.clone(),
        bundles: set.set.bundles.len(),
        events: set.set.events.len(),
        tiers: tier_names.zip(set.set.tier_counts()).map(count).collect(),
        pools: pool_names.zip(set.set.pool_counts()).map(count).collect(),
    }
}

pub(crate) fn baseline(baseline: &Baseline) -> Loaded {
    Loaded::Baseline {
        id: baseline.id,
        name: baseline.name.clone(),
        checkpoint: baseline.board.checkpoint.path.clone(),
        eval_path: baseline.board.eval_header.eval_path.clone(),
        fingerprint: baseline.board.eval_header.fingerprint.clone(),
        pass_rate: baseline.board.overall.pass_rate,
    }
}

pub(crate) fn items(items: &BaselineItems) -> Loaded {
    Loaded::BaselineItems { id: items.id, name: items.name.clone(), items: items.items.len() }
}

/// Margins of a tier, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TierCounts {
    /// The tier, or `no tier`.
    pub tier: &'static str,
    /// Bundles a bar, from the lowest margins up.
    pub counts: Vec<u32>,
}

/// Margins per tier. A bar holds margins above its lower edge up to and with its upper one; 0 is an edge, so no bar holds
/// bundles that pass beside bundles that fail.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// Lower edge of the first bar.
    pub low: f64,
    /// Width of every bar.
    pub width: f64,
    /// The tiers that occur.
    pub tiers: Vec<TierCounts>,
}

/// A bundle with a low margin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Killer {
    /// Its number in the eval set.
    pub index: usize,
    /// Its id.
    pub bundle_id: String,
    /// Its tier, or `no tier`.
    pub tier: &'static str,
    /// Its margin.
    pub margin: f64,
    /// Rank of the positive.
    pub rank: u32,
    /// A vector of it was zero.
    pub zero_vector: bool,
    /// The anchor.
    pub anchor: Text,
    /// What should have been nearest.
    pub positive: Text,
    /// What was nearest of the others.
    pub negative: Option<Text>,
}

/// An event's text, split where the target word is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Text {
    /// The event.
    pub event_id: String,
    /// Its sense.
    pub sense: String,
    /// Before the target word (or all of it), the target word, after it.
    pub parts: [String; 3],
    /// Of a negative: where it came from.
    pub source: Option<&'static str>,
    /// Of a negative: the most similar of them.
    pub winning: bool,
}

/// The texts of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Texts {
    /// Its id.
    pub bundle_id: String,
    /// The anchor.
    pub anchor: Text,
    /// The positive.
    pub positive: Text,
    /// The negatives, in the order of the file.
    pub negatives: Vec<Text>,
}

/// A change of the pass rate in a group of bundles, with the verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// `overall`, a tier or a pool.
    pub name: String,
    /// The change.
    pub change: PairedChange,
}

/// The verdict against the baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// PASS, FAIL or INCONCLUSIVE.
    pub verdict: &'static str,
    /// What it is about.
    pub on: String,
    /// Margin δ of the test, as a share.
    pub delta: f64,
    /// The groups.
    pub rows: Vec<Row>,
    /// What a reader should know before believing it.
    pub warnings: Vec<String>,
    /// Bundles in one of the two files only.
    pub unpaired: usize,
}

/// What came of an eval set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluated {
    /// The page's number of the eval set.
    pub set: u32,
    /// The scoreboard.
    pub board: Scoreboard,
    /// Margins per tier.
    pub histogram: Histogram,
    /// The lowest margins.
    pub killers: Vec<Killer>,
    /// The verdict against the baseline, where its items are here.
    pub judged: Option<Judged>,
    /// Why a baseline stands not beside it.
    pub mismatch: Option<Failure>,
}

pub(crate) fn evaluated(outcome: &Outcome) -> Evaluated {
    Evaluated {
        set: outcome.set.id,
        board: outcome.board.clone(),
        histogram: histogram(outcome),
        killers: killers(outcome),
        judged: outcome.comparison.as_ref().map(judged),
        mismatch: outcome.mismatch.clone(),
    }
}

fn judged(comparison: &Comparison) -> Judged {
    let row = |name: &str, change: &PairedChange| Row { name: name.to_owned(), change: change.clone() };
    let mut rows = vec![row("overall", &comparison.overall)];
    rows.extend(comparison.by_tier.iter().map(|(tier, change)| row(tier.name(), change)));
    rows.extend(comparison.by_pool.iter().map(|(pool, change)| row(pool.name(), change)));
    Judged {
        verdict: comparison.verdict.name(),
        on: comparison.verdict_on.clone(),
        delta: comparison.settings.delta,
        rows,
        warnings: comparison.warnings.clone(),
        unpaired: comparison.unpaired,
    }
}

/// Whether each item passed in the baseline: 0 not known, 1 failed, 2 passed.
#[must_use]
pub fn before(outcome: &Outcome, items: &[Item<'_>]) -> Vec<u8> {
    let before = outcome.before.iter().flat_map(|before| &before.items);
    let passed: HashMap<&str, bool> = before.map(|item| (item.bundle_id.as_ref(), item.passes())).collect();
    items.iter().map(|item| passed.get(item.bundle_id.as_ref()).map_or(0, |passed| 1 + u8::from(*passed))).collect()
}

/// The tier's name in a table.
#[must_use]
pub fn tier_name(tier: Option<Tier>) -> &'static str {
    tier.map_or("no tier", Tier::name)
}

fn histogram(outcome: &Outcome) -> Histogram {
    let tiers = outcome.set.set.bundles.iter().map(|bundle| bundle.metadata.tier.map_or(Tier::ALL.len(), Tier::index));
    let margins: Vec<f64> = outcome.scores.iter().map(|score| score.margin).collect();
    counted(&margins, &tiers.collect::<Vec<_>>())
}

/// `tiers[i]` is the number of the tier of `margins[i]`; `Tier::ALL.len()` for none.
fn counted(margins: &[f64], tiers: &[usize]) -> Histogram {
    let (low, high) = margins.iter().fold((0f64, 0f64), |(low, high), x| (low.min(*x), high.max(*x)));
    let widths = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
    // The last one always fits: margins lie within −2 and 2.
    let bars = |width: f64| (edge_below(low, width), (high / width).ceil() as i64);
    let fits = |width: &f64| {
        let (first, end) = bars(*width);
        (end - first).max(1) as usize <= BARS
    };
    let width = widths.into_iter().find(fits).unwrap_or(0.1);
    let (first, end) = bars(width);
    let count = (end - first).max(1) as usize;
    let mut counts = vec![vec![0u32; count]; Tier::ALL.len() + 1];
    for (margin, tier) in margins.iter().zip(tiers) {
        let bar = (edge_below(*margin, width) - first).clamp(0, count as i64 - 1);
        counts[*tier][bar as usize] += 1;
    }
    let names = Tier::ALL.map(Some).into_iter().chain([None]).map(tier_name);
    let tiers = names.zip(counts).filter(|(_, counts)| counts.iter().any(|n| *n > 0));
    let tiers = tiers.map(|(tier, counts)| TierCounts { tier, counts }).collect();
    Histogram { low: first as f64 * width, width, tiers }
}

/// The number of the bar: an edge belongs to the bar below it. What is above 0 never shares a bar with what is not,
/// whatever the division rounds to.
fn edge_below(margin: f64, width: f64) -> i64 {
    let bar = (margin / width).ceil() as i64 - 1;
    if margin > 0.0 { bar.max(0) } else { bar.min(-1) }
}

fn killers(outcome: &Outcome) -> Vec<Killer> {
    let mut order: Vec<usize> = (0..outcome.scores.len()).collect();
    let margin = |i: &usize| outcome.scores[*i].margin;
    order.sort_by(|a, b| margin(a).total_cmp(&margin(b)).then(a.cmp(b)));
    order.truncate(KILLERS);
    order.into_iter().map(|index| killer(outcome, index)).collect()
}

fn killer(outcome: &Outcome, index: usize) -> Killer {
    let Texts { bundle_id, anchor, positive, negatives } = texts_of(outcome, index);
    let Score { margin, rank, zero_vector, .. } = outcome.scores[index];
    let negative = negatives.into_iter().find(|text| text.winning);
    let tier = tier_name(outcome.set.set.bundles[index].metadata.tier);
    Killer { index, bundle_id, tier, margin, rank, zero_vector, anchor, positive, negative }
}

/// The texts of bundle `index`.
///
/// # Errors
/// There is no such bundle.
pub fn texts(outcome: &Outcome, index: usize) -> Result<Texts, Failure> {
    if index < outcome.scores.len() {
        return Ok(texts_of(outcome, index));
    }
    let what = format!("The eval set has {} bundles.", outcome.scores.len());
    Err(Failure::new("missing", "There is no such bundle", what, "Evaluate again."))
}

fn texts_of(outcome: &Outcome, index: usize) -> Texts {
    let set = &outcome.set.set;
    let bundle = &set.bundles[index];
    let winner = outcome.scores[index].winner as usize;
    let event = |index: u32| text(&set.events[index as usize]);
    let negatives = bundle.negatives.iter().enumerate().map(|(i, negative)| Text {
        source: Some(NegativeSource::name(negative.source)),
        winning: i == winner,
        ..event(negative.event)
    });
    Texts {
        bundle_id: bundle.bundle_id.clone(),
        anchor: event(bundle.anchor),
        positive: event(bundle.positive),
        negatives: negatives.collect(),
    }
}

fn text(event: &Event) -> Text {
    // In characters, as spans are counted.
    let (start, end) = event.span.unwrap_or((u32::MAX, u32::MAX));
    let mut parts = [String::new(), String::new(), String::new()];
    for (i, c) in (0u32..).zip(event.text.chars()) {
        parts[usize::from(i >= start) + usize::from(i >= end)].push(c);
    }
    Text { event_id: event.event_id.clone(), sense: event.sense.clone(), parts, source: None, winning: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_part_at_zero_and_hold_everything() {
        let margins = [-0.31, -0.3, -1e-9, 0.0, 1e-9, 0.02, 0.29, 0.3];
        let tiers = [2, 2, 2, 0, 0, 0, 0, 3];
        let Histogram { low, width, tiers } = counted(&margins, &tiers);
        let total: u32 = tiers.iter().flat_map(|t| &t.counts).sum();
        assert_eq!(total as usize, margins.len());
        assert_eq!(tiers.iter().map(|t| t.tier).collect::<Vec<_>>(), ["tier1_easy", "tier3_adversarial", "no tier"]);
        let zero = (-low / width).round() as usize;
        assert!(((-low / width) - zero as f64).abs() < 1e-9, "0 is an edge: {low}, {width}");
        let failed: u32 = tiers.iter().flat_map(|t| &t.counts[..zero]).sum();
        assert_eq!(failed, 4, "what is not above 0 lies below the edge");
        assert!(tiers[0].counts.len() <= BARS);
    }

    #[test]
    fn bars_of_extremes_and_of_nothing() {
        let whole = counted(&[-2.0, 2.0], &[0, 0]);
        assert!(whole.tiers[0].counts.len() <= BARS, "{}", whole.tiers[0].counts.len());
        assert!(counted(&[], &[]).tiers.is_empty());
        let one = counted(&[0.0], &[1]);
        assert_eq!(one.tiers[0].counts, [1]);
        // Every edge and its neighbours lie on their side.
        for i in -60..60i64 {
            let x = i as f64 * 0.05;
            for x in [x, x + 1e-12, x - 1e-12] {
                assert_eq!(edge_below(x, 0.05) >= 0, x > 0.0, "{x}");
            }
        }
    }
}
