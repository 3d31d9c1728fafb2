//! Runs that Crucible did not make, for its guardrails: what other trainers log, as plain series.
//!
//! [`read_trainer_state`] reads Hugging Face's `trainer_state.json`, [`read_events`] the event files of TensorBoard; [`check`]
//! feeds what they hold to the monitors of G5 and G6, to G7 where the frozen eval can be told by name, and to G8 where an eval
//! of each truth can. [`scalars_record`] and its like write event files.

mod crc;
mod tensorboard;
mod trainer_state;
mod write;

pub use tensorboard::read_events;
pub use trainer_state::read_trainer_state;
pub use write::{restart_record, scalars_record, version_record};

use crate::config::Guardrails;
use crate::guardrails::{Finding, Level, frozen_regression, gradients, loss_spike, overfitting_cliff};
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
    /// evaluations never. Without one, the series that [`means`] says is it: of several the one with the most points.
    fn training(&self, names: &[&str], words: &[&[&str]]) -> Option<(&str, &[(u64, f64)])> {
        let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        let own = || self.series.iter().filter(|(name, _)| !is_eval(name));
        let exact = names.iter().find_map(|wanted| {
            let mut found: Vec<_> = own().filter(|(name, _)| last(name) == *wanted).collect();
            found.sort_by_key(|(name, _)| !name.starts_with("train"));
            found.first().copied()
        });
        let alike = || {
            let found = own().filter(|(name, _)| means(name, words));
            // Of equals the first.
            found.reduce(|a, b| if b.1.len() > a.1.len() { b } else { a })
        };
        exact.or_else(alike).map(|(name, points)| (name.as_str(), points.as_slice()))
    }

    /// The training loss, by the names that trainers give it.
    fn loss(&self) -> Option<(&str, &[(u64, f64)])> {
        self.training(&["loss", "train_loss", "training_loss"], &[&["loss"]])
    }

    /// The norm of the gradient.
    fn gradient_norm(&self) -> Option<(&str, &[(u64, f64)])> {
        let names = ["grad_norm", "gradient_norm", "global_gradient_norm"];
        self.training(&names, &[&["grad", "gradient", "gradients"], &["norm"]])
    }

    /// The series of one truth as shares of 1: the one that was named, or the only one whose name holds `word` and speaks
    /// of a pass rate or an accuracy. Rates that go beyond 1 are percentages.
    fn truth(&self, word: &str, named: Option<&String>) -> Option<Vec<(u64, f64)>> {
        let fits = |name: &&String| {
            let name = name.to_ascii_lowercase();
            name.contains(word) && (name.contains("pass_rate") || name.contains("accuracy"))
        };
        let series = match named {
            Some(name) => self.series.get(name)?,
            None => {
                let mut found = self.series.keys().filter(fits);
                match (found.next(), found.next()) {
                    (Some(name), None) => &self.series[name],
                    _ => return None,
                }
            }
        };
        let percent = series.iter().any(|(_, x)| *x > 1.0 && *x <= 100.0);
        Some(series.iter().map(|(step, x)| (*step, if percent { x / 100.0 } else { *x })).collect())
    }

    /// What the guardrails that look at series lack here, by id, each with the series that there are.
    #[must_use]
    pub fn lacks(&self, names: &EvalNames) -> Vec<(&'static str, String)> {
        let there = self.shown();
        let truth = |word: &str, named: &Option<String>, flag: &str| {
            let lacking = self.truth(word, named.as_ref()).is_none_or(|points| points.len() < 2);
            lacking.then(|| format!("needs the {word} pass rate at two steps: name its series with {flag}; {there}"))
        };
        let frozen = truth("frozen", &names.frozen, "--frozen-metric");
        let organic = truth("organic", &names.organic, "--organic-metric");
        let loss =
            self.loss().is_none().then(|| format!("needs the training loss, such as `loss` or `train/loss`; {there}"));
        let norm =
            self.gradient_norm().is_none().then(|| format!("needs the gradient's norm, such as `grad_norm`; {there}"));
        let cliff = frozen.clone().or(organic);
        [("G5", loss), ("G6", norm), ("G7", frozen), ("G8", cliff)]
            .into_iter()
            .filter_map(|(id, reason)| Some((id, reason?)))
            .collect()
    }

    fn shown(&self) -> String {
        if self.series.is_empty() {
            return "the log has no series of numbers".to_owned();
        }
        let mut names: Vec<String> = self.series.keys().take(SHOWN).map(|name| shortened(name)).collect();
        if self.series.len() > SHOWN {
            names.push(format!("{} more", self.series.len() - SHOWN));
        }
        format!("the log has {}", names.join(", "))
    }
}

/// Names of series that a message lists.
const SHOWN: usize = 20;

fn shortened(name: &str) -> String {
    let cut: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    format!("`{cut}`")
}

/// Words that say of a training series what it is an average of, and no more.
const FILLERS: [&str; 19] = [
    "train",
    "training",
    "tr",
    "total",
    "batch",
    "step",
    "steps",
    "iter",
    "iteration",
    "epoch",
    "mean",
    "avg",
    "average",
    "running",
    "smoothed",
    "global",
    "per",
    "log",
    "metrics",
];
/// Words of evaluations.
const EVALS: [&str; 9] = ["eval", "evaluation", "val", "valid", "validation", "test", "testing", "dev", "holdout"];

/// The words of a name, in lower case: `trainLoss/epoch_mean` is `train`, `loss`, `epoch`, `mean`.
fn words_of(name: &str) -> Vec<String> {
    let (mut out, mut word, mut lower) = (Vec::new(), String::new(), false);
    for c in name.chars() {
        if !c.is_alphanumeric() || (lower && c.is_uppercase()) {
            out.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        lower = c.is_lowercase();
    }
    out.push(word);
    out.retain(|word| !word.is_empty());
    out
}

fn is_eval(name: &str) -> bool {
    let first = name.to_ascii_lowercase();
    words_of(name).iter().any(|word| EVALS.contains(&word.as_str())) || EVALS[..6].iter().any(|e| first.starts_with(e))
}

/// Whether a name is made of a word of each group, and of nothing else but [`FILLERS`].
fn means(name: &str, groups: &[&[&str]]) -> bool {
    let words = words_of(name);
    let has = |group: &&[&str]| words.iter().any(|word| group.contains(&word.as_str()));
    let known =
        |word: &String| FILLERS.contains(&word.as_str()) || groups.iter().any(|group| group.contains(&word.as_str()));
    groups.iter().all(has) && words.iter().all(known)
}

/// What the guardrails find in a run, worst last within each; those that can't run are left out.
#[must_use]
pub fn check(run: &ForeignRun, names: &EvalNames, settings: &Guardrails) -> Vec<Finding> {
    let mut out = Vec::new();
    if let Some((name, losses)) = run.loss() {
        let mut monitor = loss_spike::Monitor::new(settings.loss_window, settings.loss_sigmas);
        let found: Vec<Finding> = losses.iter().filter_map(|(step, loss)| monitor.push(*step, *loss)).collect();
        out.extend(or_ok(found, loss_spike::RULE.ok(format!("{} values of {name}: no spike", losses.len()))));
    }
    if let Some((name, norms)) = run.gradient_norm() {
        let mut monitor = gradients::Monitor::new(settings.gradient_min, settings.gradient_max);
        let found: Vec<Finding> = norms.iter().filter_map(|(step, norm)| monitor.push(*step, *norm)).collect();
        out.extend(or_ok(found, gradients::RULE.ok(format!("{} values of {name}: sound", norms.len()))));
    }
    let truths = (run.truth("frozen", names.frozen.as_ref()), run.truth("organic", names.organic.as_ref()));
    if let Some(frozen) = &truths.0 {
        out.extend(frozen_regression::check_steps(frozen, settings.regression_delta));
    }
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
    fn a_healthy_run_is_ok_in_all_of_them() {
        let ok = ["G5", "G6", "G7", "G8"].map(|id| (id.to_owned(), Level::Ok));
        assert_eq!(levels(&run(|_, _, x| x)), ok);
    }

    #[test]
    fn planted_faults_are_found() {
        let spike = levels(&run(|what, step, x| if what == "loss" && step % 100 == 99 { x + 9.0 } else { x }));
        assert_eq!(spike[0], ("G5".to_owned(), Level::Critical));
        let broken = levels(&run(|what, step, x| if what == "norm" && step > 250 { f64::NAN } else { x }));
        assert_eq!(broken[1], ("G6".to_owned(), Level::Severe));
        let cliff = levels(&run(|what, step, x| if what == "organic" && step == 300 { 0.2 } else { x }));
        assert_eq!(cliff[3], ("G8".to_owned(), Level::Warning), "nothing is known of the bundles behind it");
    }

    #[test]
    fn truths_are_told_by_name_only_where_that_is_plain() {
        let mut two = run(|_, _, x| x);
        two.push("eval_frozen_pass_rate", 100, 0.1);
        assert_eq!(levels(&two).len(), 2, "two series may be the frozen one");
        let names = EvalNames { frozen: Some("eval_frozen_accuracy".into()), organic: None };
        assert_eq!(check(&two, &names, &Guardrails::default()).len(), 4);
        assert!(levels(&ForeignRun::default()).is_empty());
    }

    #[test]
    fn a_frozen_rate_that_falls_is_found_and_percentages_are_rates() {
        for scale in [1.0, 100.0] {
            let mut run = ForeignRun::default();
            for (step, rate) in [(10, 0.85), (20, 0.75), (30, 0.55)] {
                run.push("eval_frozen_cosine_accuracy", step, scale * rate);
            }
            assert_eq!(levels(&run), [("G7".to_owned(), Level::Critical)]);
        }
    }

    #[test]
    fn common_names_of_the_loss_are_known() {
        let losses =
            ["Loss/train", "loss/Train", "train/loss", "trainLoss", "train/loss_step", "Training Loss", "Loss/epoch"];
        for name in losses {
            let mut run = ForeignRun::default();
            (0..60).for_each(|step| run.push(name, step, if step == 59 { 900.0 } else { 0.1 + step as f64 * 1e-3 }));
            assert_eq!(levels(&run), [("G5".to_owned(), Level::Critical)], "{name}");
            assert!(run.lacks(&EvalNames::default()).iter().all(|(id, _)| *id != "G5"));
        }
        for name in
            ["Loss/val", "val/loss", "loss/test", "validation loss", "loss_scale", "Loss/discriminator", "glossary"]
        {
            let mut run = ForeignRun::default();
            run.push(name, 1, 0.5);
            assert!(levels(&run).is_empty(), "{name}");
            assert!(run.lacks(&EvalNames::default())[0].1.contains(name), "{name}");
        }
        let mut run = ForeignRun::default();
        run.push("Gradients/global norm", 1, 0.5);
        assert_eq!(levels(&run), [("G6".to_owned(), Level::Ok)]);
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
