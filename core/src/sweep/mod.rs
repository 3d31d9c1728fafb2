//! Sweeps: the same training under several conditions and seeds, and what their results say (SPEC §10, §11).
//!
//! [`plan`] turns a configuration and a list of conditions into [`Trial`]s, one line each: whoever has the line can run it.
//! [`Results`] holds the items of finished trials; [`analyse`] draws the frontier of retention against generalisation from
//! them, with what seeds and items leave open; [`findings`] are what guardrails say of them.

mod analysis;
mod crossed;
mod flips;
mod guarded;
mod pareto;
mod plan;
mod results;
mod spread;
#[cfg(test)]
mod tests;

pub(crate) use analysis::interval as interval_of;
pub use analysis::{Analysis, Choice, ConditionAnalysis, Difference, Measured, Settings, analyse};
pub use flips::{FlipRates, Flips};
pub use guarded::{Cliff, cliffs, findings};
pub use pareto::{Ellipse, Hypervolume, Point};
pub(crate) use pareto::{ellipse as ellipse_of, frontier as frontier_of, knee as knee_of};
pub use plan::{Conditions, Evaluation, Kind, PlanError, Trial, plan, read_plan};
pub use results::{Outcome, Results, ResultsError, Truth};
pub use spread::{ConditionBoards, SeedBoard, Spread, SweepScoreboard, sweep_scoreboard};

/// Places of all seeds.
fn seeds_of(results: &Results) -> Vec<usize> {
    (0..results.seeds.len()).collect()
}
