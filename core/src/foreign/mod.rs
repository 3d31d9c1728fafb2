//! Runs that Crucible did not make, for its guardrails: what other trainers log, as plain series.
//!
//! [`read_trainer_state`] reads Hugging Face's `trainer_state.json`, [`read_events`] the event files of TensorBoard; [`check`]
//! feeds what they hold to the monitors of G5 and G6, and to G8 where an eval of each truth can be told by name. [`scalars_record`] and its like write event files.

mod crc;
mod tensorboard;
mod trainer_state;
mod write;

pub use tensorboard::read_events;
pub use trainer_state::read_trainer_state;
pub use write::{restart_record, scalars_record, version_record};

use crate::config::Guardrails;
use crate::guardrails::{Finding, Level, gradients, loss_spike, overfitting_cliff};
use std::collections::BTreeMap;

/// Points of all series together, at most: a file with more is refused.
pub const MAX_POINTS: usize = 20_000_000;

/// Why a file can't be read as a run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ForeignError(pub(crate) String);

/// Numbers by step, by the names that the trainer gave them; each in order of step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForeignRun {
    /// A step may occur more than once; NaN and infinities are kept, for they are what to look for.
    pub series: BTreeMap<String, Vec<(u64, f64)>>,
}

/// Names of eval series for the two truths, where the guess by name is not to be trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvalNames {
    /// Pass rate on the frozen eval.
    pub frozen: Option<String>,
    /// Pass rate on the organic holdout.
    pub organic: Option<String>,
}

impl ForeignRun {
    /// Adds a point; points of one name are added in order of their steps.
    pub fn push(&mut self, name: &str, step: u64, value: f64) {
        match self.series.get_mut(name) {
            Some(series) => series.push((step, value)),
            None => drop(self.series.insert(name.to_owned(), vec![(step, value)])),
        }
    }

    /// Joins another piece of the same run, such as a second event file.
    pub fn join(&mut self, other: Self) {
        for (name, points) in other.series {
            self.series.entry(name).or_default().extend(points);
        }
        self.sort();
    }

    pub(crate) fn sort(&mut self) {
        self.series.values_mut().for_each(|points| points.sort_by_key(|p| p.0));
    }

    /// The first series whose last part (after `/`) is one of `names`, in the order of `names`; `train/…` before others,
    /// evaluations never.
    fn training(&self, names: &[&str]) -> Option<(&str, &[(u64, f64)])> {
        let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        let eval = |name: &str| {
            let name = name.to_ascii_lowercase();
            ["eval", "val", "test"].iter().any(|word| name.starts_with(word))
        };
        names.iter().find_map(|wanted| {
            let mut found: Vec<&String> =
                self.series.keys().filter(|name| last(name) == *wanted && !eval(name)).collect();
            found.sort_by_key(|name| !name.starts_with("train"));
            found.first().map(|name| (name.as_str(), self.series[*name].as_slice()))
        })
    }

    /// The series of one truth: the one that was named, or the only one whose name holds `word` and speaks of a pass
    /// rate or an accuracy.
    fn truth(&self, word: &str, named: Option<&String>) -> Option<&[(u64, f64)]> {
        if let Some(name) = named {
            return self.series.get(name).map(Vec::as_slice);
        }
        let fits = |name: &&String| {
            let name = name.to_ascii_lowercase();
            name.contains(word) && (name.contains("pass_rate") || name.contains("accuracy"))
        };
        let mut found = self.series.keys().filter(fits);
        match (found.next(), found.next()) {
            (Some(name), None) => Some(&self.series[name]),
            _ => None,
        }
    }
}

/// What the guardrails find in a run, worst last within each; those that can't run are left out.
#[must_use]
pub fn check(run: &ForeignRun, names: &EvalNames, settings: &Guardrails) -> Vec<Finding> {
    let mut out = Vec::new();
    if let Some((name, losses)) = run.training(&["loss", "train_loss", "training_loss"]) {
        let mut monitor = loss_spike::Monitor::new(settings.loss_window, settings.loss_sigmas);
        let found: Vec<Finding> = losses.iter().filter_map(|(step, loss)| monitor.push(*step, *loss)).collect();
        out.extend(or_ok(found, loss_spike::RULE.ok(format!("{} values of {name}: no spike", losses.len()))));
    }
    if let Some((name, norms)) = run.training(&["grad_norm", "gradient_norm", "global_gradient_norm"]) {
        let mut monitor = gradients::Monitor::new(settings.gradient_min, settings.gradient_max);
        let found: Vec<Finding> = norms.iter().filter_map(|(step, norm)| monitor.push(*step, *norm)).collect();
        out.extend(or_ok(found, gradients::RULE.ok(format!("{} values of {name}: sound", norms.len()))));
    }
    let truths = (run.truth("frozen", names.frozen.as_ref()), run.truth("organic", names.organic.as_ref()));
    if let (Some(frozen), Some(organic)) = truths {
        let organic: BTreeMap<u64, f64> = organic.iter().copied().collect();
        let points: Vec<_> = frozen
            .iter()
            .filter_map(|(step, frozen)| {
                let organic = *organic.get(step)?;
                Some(overfitting_cliff::Point { step: *step, frozen: *frozen, organic, n: None })
            })
            .collect();
        out.extend(overfitting_cliff::check_steps(&points, settings.cliff_rise, settings.cliff_fall));
    }
    out
}

/// The findings, each kind of a level once (a run that spikes ten times has one problem), or that there is none.
fn or_ok(found: Vec<Finding>, ok: Finding) -> Vec<Finding> {
    let mut out: Vec<Finding> = Vec::new();
    for level in [Level::Warning, Level::Critical, Level::Severe] {
        let of_level = || found.iter().filter(|f| f.level == level);
        if let Some(first) = of_level().next() {
            let count = of_level().count();
            let mut finding = first.clone().with("times", count as f64);
            if count > 1 {
                finding.message += &format!(" (the first of {count})");
            }
            out.push(finding);
        }
    }
    if out.is_empty() { vec![ok] } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(change: impl Fn(&str, u64, f64) -> f64) -> ForeignRun {
        let mut run = ForeignRun::default();
        for step in 0..300 {
            let noise = ((step * 7919) % 100) as f64 / 1000.0;
            run.push("loss", step, change("loss", step, 1.0 + noise));
            run.push("grad_norm", step, change("norm", step, 0.5 + noise));
            run.push("eval_loss", step, 99.0);
        }
        for (step, frozen, organic) in [(100, 0.25, 0.30), (200, 0.28, 0.32), (300, 0.31, 0.31)] {
            run.push("eval_frozen_accuracy", step, frozen);
            run.push("eval_organic_accuracy", step, change("organic", step, organic));
        }
        run
    }

    fn levels(run: &ForeignRun) -> Vec<(String, Level)> {
        let findings = check(run, &EvalNames::default(), &Guardrails::default());
        findings.into_iter().map(|f| (f.id, f.level)).collect()
    }

    #[test]
    fn a_healthy_run_is_ok_in_all_three() {
        let ok = ["G5", "G6", "G8"].map(|id| (id.to_owned(), Level::Ok));
        assert_eq!(levels(&run(|_, _, x| x)), ok);
    }

    #[test]
    fn planted_faults_are_found() {
        let spike = levels(&run(|what, step, x| if what == "loss" && step % 100 == 99 { x + 9.0 } else { x }));
        assert_eq!(spike[0], ("G5".to_owned(), Level::Critical));
        let broken = levels(&run(|what, step, x| if what == "norm" && step > 250 { f64::NAN } else { x }));
        assert_eq!(broken[1], ("G6".to_owned(), Level::Severe));
        let cliff = levels(&run(|what, step, x| if what == "organic" && step == 300 { 0.2 } else { x }));
        assert_eq!(cliff[2], ("G8".to_owned(), Level::Warning), "nothing is known of the bundles behind it");
    }

    #[test]
    fn truths_are_told_by_name_only_where_that_is_plain() {
        let mut two = run(|_, _, x| x);
        two.push("eval_frozen_pass_rate", 100, 0.1);
        assert_eq!(levels(&two).len(), 2, "two series may be the frozen one");
        let names = EvalNames { frozen: Some("eval_frozen_accuracy".into()), organic: None };
        assert_eq!(check(&two, &names, &Guardrails::default()).len(), 3);
        assert!(levels(&ForeignRun::default()).is_empty());
    }

    #[test]
    fn pieces_are_joined_in_order_of_steps() {
        let mut a = ForeignRun::default();
        a.push("loss", 5, 1.0);
        let mut b = ForeignRun::default();
        b.push("loss", 2, 3.0);
        a.join(b);
        assert_eq!(a.series["loss"], [(2, 3.0), (5, 1.0)]);
    }
}
