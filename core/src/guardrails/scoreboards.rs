//! Which guardrails one scoreboard allows, and which two of them beside each other.

use super::{
    Finding, Level, Override, chance_level, collapsed_space, fingerprint, frozen_regression, margin_shift,
    overfitting_cliff,
};
use crate::config::Guardrails;
use crate::eval::{Item, Scoreboard};
use crate::stats::{Comparison, On, Pair, Pairs, Settings, compare};
use overfitting_cliff::Move;

/// A scoreboard, and its items where they are there.
#[derive(Clone, Copy)]
pub struct Board<'a> {
    /// The scoreboard.
    pub board: &'a Scoreboard,
    /// Its items; without them nothing paired can be said.
    pub items: Option<&'a [Item<'a>]>,
}

/// What two scoreboards of one eval set say together.
#[derive(Default)]
pub struct Between {
    /// Of G9, and where that lets them be compared, of G7 and G10.
    pub findings: Vec<Finding>,
    /// The mismatch that was passed over.
    pub overrides: Vec<Override>,
    /// How the pass rate that counts moved, for G8; none where they can't be compared.
    pub moved: Option<Move>,
}

/// G16 and G17 on one scoreboard.
#[must_use]
pub fn of_one(board: &Scoreboard, settings: &Guardrails) -> Vec<Finding> {
    let (space, similarity) = (&board.sanity.space, &board.sanity.similarity);
    let collapsed = collapsed_space::check(space, similarity, settings.max_mean_cosine, settings.min_effective_rank);
    collapsed.into_iter().chain(chance_level::check(board)).collect()
}

/// G9 on two frozen scoreboards, then G7 (with items) and G10, on what `on` says.
#[must_use]
pub fn of_two(baseline: Board<'_>, candidate: Board<'_>, on: On, settings: &Guardrails, allowed: bool) -> Between {
    let (finding, overridden) = fingerprint::check(&candidate.board.eval_header, &baseline.board.eval_header, allowed);
    let comparable = finding.level < Level::Critical;
    let mut out = Between { findings: vec![finding], overrides: overridden.into_iter().collect(), moved: None };
    if !comparable {
        return out;
    }
    let rules = Settings { delta: settings.regression_delta, ..Settings::default() };
    let compared = baseline.items.zip(candidate.items).and_then(|(before, after)| {
        let comparison = compare((baseline.board, before), (candidate.board, after), on, &rules, allowed);
        Some((comparison.ok()?, Pairs::of(before, after).pairs))
    });
    match compared {
        Some((comparison, pairs)) => {
            out.moved = Some(Move::paired(comparison.headline()));
            out.findings.extend(paired(&comparison, pairs, settings));
        }
        None => {
            let tiers = [baseline, candidate].map(|b| b.board.by_tier.get(&crate::data::Tier::Adversarial));
            let [before, after] = match tiers {
                [Some(before), Some(after)] if on == On::Tier3 => [before, after],
                _ => [&baseline.board.overall, &candidate.board.overall],
            };
            if let (Some(a), Some(b)) = (before.pass_rate, after.pass_rate) {
                out.moved = Some(Move::unpaired(a, b, before.n.min(after.n)));
            }
            if let (Some(a), Some(b)) = (before.q10_margin, after.q10_margin) {
                out.findings.push(margin_shift::check(a, b, settings.margin_fall, &[], rules.seed));
            }
        }
    }
    out
}

fn paired(comparison: &Comparison, mut pairs: Vec<Pair>, settings: &Guardrails) -> Vec<Finding> {
    let on = &comparison.verdict_on;
    let mut out = vec![frozen_regression::check(comparison.headline(), on, settings.regression_delta)];
    pairs.retain(|p| on == "overall" || p.tier == Some(crate::data::Tier::Adversarial));
    out.extend(margin_shift::check_pairs(&pairs, settings.margin_fall, comparison.settings.seed));
    out
}

/// G8 on both truths, each with how its rate moved between the same two models.
#[must_use]
pub fn both_truths(frozen: Move, organic: Move, settings: &Guardrails) -> Finding {
    overfitting_cliff::check(frozen, organic, settings.cliff_rise, settings.cliff_fall)
}
