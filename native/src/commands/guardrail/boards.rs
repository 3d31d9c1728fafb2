//! Scoreboards for guardrails: one by one, and beside a baseline.

use super::check::Gathered;
use crate::error::CliResult;
use crate::scoreboards::WithItems;
use crucible_core::config::Guardrails;
use crucible_core::guardrails::overfitting_cliff::Move;
use crucible_core::guardrails::scoreboards::{both_truths, of_one, of_two};
use crucible_core::stats::On;
use std::path::{Path, PathBuf};

/// Names that scoreboards have in a run's folder, frozen and organic.
const FROZEN: [&str; 2] = ["frozen_scoreboard.json", "frozen.json"];
const ORGANIC: [&str; 2] = ["organic_scoreboard.json", "organic.json"];

/// The baseline's scoreboards on both truths.
#[derive(Default)]
pub(super) struct Baselines {
    pub(super) frozen: Option<WithItems>,
    pub(super) organic: Option<WithItems>,
    /// Compares what was measured on another eval.
    pub(super) allow_mismatch: bool,
}

/// The scoreboards of a run's folder.
pub(crate) fn in_folder(dir: &Path) -> [Option<PathBuf>; 2] {
    [FROZEN, ORGANIC].map(|names| names.iter().map(|name| dir.join(name)).find(|path| path.is_file()))
}

/// Judges a model's scoreboards on both truths, under `label` (empty for the only one).
///
/// # Errors
/// Scoreboards that can't be read.
pub(super) fn judge(
    [frozen, organic]: [Option<&Path>; 2],
    baselines: &Baselines,
    settings: &Guardrails,
    label: &str,
    out: &mut Gathered,
) -> CliResult<[Option<WithItems>; 2]> {
    let mut moved: [Option<Move>; 2] = [None, None];
    let mut read: [Option<WithItems>; 2] = [None, None];
    let sides =
        [(frozen, &baselines.frozen, On::Tier3, "frozen"), (organic, &baselines.organic, On::Overall, "organic")];
    for (number, (path, baseline, on, truth)) in sides.into_iter().enumerate() {
        let Some(path) = path else { continue };
        let now = WithItems::read(path)?;
        out.read(path);
        out.board(&now.board);
        let label = format!("{label}{truth}: ");
        out.add(&label, of_one(&now.board, settings));
        if let Some(baseline) = baseline {
            let mut between = of_two(baseline.board(), now.board(), on, settings, baselines.allow_mismatch);
            // What is new may get worse without being forgotten: of the organic truth only its move counts, for G8.
            between.findings.retain(|f| truth == "frozen" || f.id == "G9");
            out.add(&label, between.findings);
            out.mismatches.extend(between.overrides);
            moved[number] = between.moved;
            if truth == "frozen" && [&baseline.items, &now.items].iter().any(|items| items.is_none()) {
                out.missing.push(("G7", "the scoreboards have no items beside them".to_owned()));
            }
        }
        read[number] = Some(now);
    }
    if let [Some(frozen), Some(organic)] = moved {
        out.add(label, [both_truths(frozen, organic, settings)]);
    }
    Ok(read)
}
