//! Trials: what is trained, under which name, where it goes, and at which steps it is evaluated.

use crate::config::{Config, decides, ratio_spec};
use crate::data::hex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Read};

/// The most trials of a plan.
const MAX_TRIALS: usize = 100_000;
/// The longest line of a plan.
const MAX_LINE: usize = 1 << 20;
/// The longest plan, unpacked.
const MAX_PLAN: usize = 512 << 20;

/// What differs between conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Shares of tier3's pools.
    Ratio,
    /// How long one run has trained.
    Steps,
    /// The training bundles.
    Ablation,
}

/// The conditions of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conditions {
    /// Such as `75_15_10`: percent of legacy, organic, expanded.
    Ratios(Vec<String>),
    /// Steps at which one run a seed is evaluated.
    Steps(Vec<u64>),
    /// Names, and the bundles of each.
    Ablation(Vec<(String, String)>),
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nothing to try.
    #[error("no {0} are given")]
    Nothing(&'static str),
    /// The same twice: one would overwrite the other.
    #[error("{0} is given twice")]
    Twice(String),
    /// A ratio that is none.
    #[error("{0}")]
    Ratio(String),
    /// A name that can't be a folder's.
    #[error("`{0}` can't name a condition: use letters, digits, `-`, `_` and `.`, with a letter or digit first")]
    Name(String),
    /// Step 0, or one that is too large.
    #[error("there is no model to evaluate at step {0}")]
    Step(u64),
    /// A line that is no trial.
    #[error("line {line}: {message}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// One run: a condition with a seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// Its place in the plan, from 0.
    pub index: usize,
    /// What the sweep is about.
    pub kind: Kind,
    /// Such as `R75_15_10`.
    pub condition: String,
    /// The run's seed.
    pub seed: u64,
    /// The run's folder, below the plan's.
    pub dir: String,
    /// Steps at which the run is evaluated before its last; ascending.
    pub steps: Vec<u64>,
    /// SHA-256 of the input files as they were when the plan was written, by the keys that name them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// All settings but secrets; paths are absolute.
    pub config: Config,
}

/// One evaluation that a trial owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The condition that its results count for.
    pub condition: String,
    /// Where its scoreboards go, below the plan's folder.
    pub dir: String,
    /// Where the run is by then.
    pub step: u64,
}

impl Trial {
    /// Its evaluations, in the order in which it comes to them; the last is that of the whole run.
    #[must_use]
    pub fn evaluations(&self) -> Vec<Evaluation> {
        let last = self.config.training.steps;
        if self.kind != Kind::Steps {
            return vec![Evaluation { condition: self.condition.clone(), dir: self.dir.clone(), step: last }];
        }
        let at = |step: u64| Evaluation {
            condition: format!("step_{step}"),
            dir: format!("{}/step_{step}", self.dir),
            step,
        };
        self.steps.iter().copied().chain([last]).map(at).collect()
    }

    /// What decides its results, as a hash: a run under another one is another run.
    ///
    /// An input counts by its content; one whose hash is not known counts by its path.
    #[must_use]
    pub fn identity(&self) -> String {
        let inputs = decides::inputs(&self.config).into_iter().map(|(key, path)| {
            let content = self.inputs.get(&key).cloned().unwrap_or(path);
            (key, content)
        });
        let inputs: BTreeMap<String, String> = inputs.collect();
        let place = (self.kind, &self.condition, self.seed, &self.dir, &self.steps, inputs);
        let text = serde_json::to_string(&place).unwrap_or_default() + "\n" + &decides::deciding(&self.config);
        hex(&Sha256::digest(text.as_bytes()))
    }
}

/// The trials of `conditions` and `seeds` over `config`, conditions first: seeds of one condition lie together.
///
/// # Errors
/// Nothing to try, the same twice, names that are no folder's, ratios that are none.
pub fn plan(config: &Config, conditions: &Conditions, seeds: &[u64]) -> Result<Vec<Trial>, PlanError> {
    if seeds.is_empty() {
        return Err(PlanError::Nothing("seeds"));
    }
    let mut settings: Vec<(String, Config)> = Vec::new();
    let mut steps = Vec::new();
    let (kind, what) = match conditions {
        Conditions::Ratios(specs) => {
            for spec in specs {
                let [legacy, organic, expanded] = ratio_spec(spec).map_err(PlanError::Ratio)?;
                let mut config = config.clone();
                config.curriculum.tier3_ratios = crate::config::Tier3Ratios { legacy, organic, expanded };
                settings.push((format!("R{spec}"), config));
            }
            (Kind::Ratio, "ratios")
        }
        Conditions::Ablation(named) => {
            for (name, bundles) in named {
                let mut config = config.clone();
                config.data.bundles = Some(bundles.clone());
                settings.push((name.clone(), config));
            }
            (Kind::Ablation, "conditions")
        }
        Conditions::Steps(listed) => {
            steps.clone_from(listed);
            steps.sort_unstable();
            if let Some(pair) = steps.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(PlanError::Twice(format!("step {}", pair[0])));
            }
            if let Some(step) = steps.first().filter(|s| **s == 0) {
                return Err(PlanError::Step(*step));
            }
            if let Some(last) = steps.pop() {
                let mut config = config.clone();
                config.training.steps = last;
                settings.push(("steps".to_owned(), config));
            }
            (Kind::Steps, "steps")
        }
    };
    if settings.is_empty() {
        return Err(PlanError::Nothing(what));
    }
    let mut names = BTreeSet::new();
    for (name, _) in &settings {
        let sound = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !sound || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || name.len() > 100 {
            return Err(PlanError::Name(name.clone()));
        }
        // Some file systems don't tell cases apart.
        if !names.insert(name.to_lowercase()) {
            return Err(PlanError::Twice(format!("condition {name}")));
        }
    }
    let mut known = BTreeSet::new();
    if let Some(seed) = seeds.iter().find(|s| !known.insert(**s)) {
        return Err(PlanError::Twice(format!("seed {seed}")));
    }
    let mut trials = Vec::new();
    for (condition, config) in settings {
        for &seed in seeds {
            let mut config = decides::without_secrets(&config);
            config.experiment.seeds = vec![seed];
            config.experiment.eval_every = 0;
            // A run lies where the plan says.
            config.experiment.output_dir = None;
            config.sweep = crate::config::Sweep::default();
            trials.push(Trial {
                index: trials.len(),
                kind,
                dir: format!("{condition}/seed_{seed}"),
                condition: condition.clone(),
                seed,
                steps: steps.clone(),
                inputs: BTreeMap::new(),
                config,
            });
        }
    }
    Ok(trials)
}

/// Reads a plan, as it is written: one trial a line. No more of a line is held in memory than a plan's line may have.
///
/// # Errors
/// The first line that is no trial, or not in its place; a folder that leads out of the plan's, or is there twice.
pub fn read_plan(mut reader: impl BufRead) -> Result<Vec<Trial>, PlanError> {
    let (mut trials, mut folders) = (Vec::new(), BTreeSet::new());
    let (mut line, mut number, mut total) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        number += 1;
        let fault = |message: String| PlanError::Line { line: number, message };
        let mut limited = reader.by_ref().take(MAX_LINE as u64 + 1);
        if limited.read_until(b'\n', &mut line).map_err(|e| fault(e.to_string()))? == 0 {
            return Ok(trials);
        }
        total += line.len();
        if line.len() > MAX_LINE || number > MAX_TRIALS || total > MAX_PLAN {
            let message = format!("a plan has at most {MAX_TRIALS} lines of {MAX_LINE} bytes, {MAX_PLAN} bytes in all");
            return Err(fault(message));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let trial: Trial = serde_json::from_slice(&line).map_err(|e| fault(format!("no trial: {e}")))?;
        sound(&trial, trials.len()).map_err(fault)?;
        // Some file systems don't tell cases apart.
        if !folders.insert(trial.dir.to_lowercase()) {
            return Err(fault(format!("dir `{}` is that of an earlier trial, too", trial.dir)));
        }
        trials.push(trial);
    }
}

/// What can be seen of a trial without its settings.
fn sound(trial: &Trial, place: usize) -> Result<(), String> {
    if trial.index != place {
        return Err(format!("index {} where {place} should be", trial.index));
    }
    let inside = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.contains(['\\', ':'])
            && !part.contains(char::is_control)
    };
    if !trial.dir.split('/').all(inside) {
        return Err(format!("dir `{}` leads out of the plan's folder", trial.dir));
    }
    let last = trial.config.training.steps;
    let ascending = trial.steps.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || trial.steps.first() == Some(&0) || trial.steps.last().is_some_and(|step| *step >= last) {
        return Err(format!("steps must rise, from 1 on, and end below the run's last one ({last})"));
    }
    Ok(())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
