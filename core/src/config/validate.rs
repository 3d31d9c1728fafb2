//! What the types and ranges of the schema can't say: values that contradict each other.

use super::{Config, Curriculum, CurriculumKind, ModelKind};

/// How far from 1 probabilities may sum.
pub const SUM_TOLERANCE: f64 = 1e-6;
/// MLflow keeps 256 characters of an experiment's name.
const MAX_EXPERIMENT: usize = 256;

/// Something that is wrong, or likely not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The key's path, such as `curriculum.phases[1]`.
    pub(super) field: String,
    /// The keys whose origin explains it, best first.
    pub(super) keys: Vec<String>,
    /// What is wrong, with the numbers.
    pub(super) message: String,
    /// What to do.
    pub(super) advice: Option<String>,
}

/// Gathers findings.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, keys: &[&str], message: String, advice: Option<&str>) {
        let keys: Vec<String> = keys.iter().map(|k| (*k).to_owned()).collect();
        self.0.push(Finding { field: keys[0].clone(), keys, message, advice: advice.map(str::to_owned) });
    }
}

/// What can't be used, and what is likely not meant.
#[must_use]
pub(super) fn validate(config: &Config) -> (Vec<Finding>, Vec<Finding>) {
    let (mut bad, mut odd) = (Findings::default(), Findings::default());
    curriculum(config, &mut bad, &mut odd);
    training(config, &mut bad, &mut odd);
    model(config, &mut bad);
    experiment(config, &mut bad);
    if !is_device(&config.device.kind) {
        let message = format!("`{}` is no device", config.device.kind);
        bad.add(
            &["device.type"],
            message,
            Some("use `auto`, `cpu`, `gpu` or `gpu:N` (`cuda` is accepted for `gpu`); `crucible devices` lists them"),
        );
    }
    let g = &config.guardrails;
    if g.gradient_min >= g.gradient_max {
        let message = format!("{} must be below `guardrails.gradient_max` ({})", g.gradient_min, g.gradient_max);
        bad.add(&["guardrails.gradient_min", "guardrails.gradient_max"], message, None);
    }
    if let Some(url) = &g.webhook
        && ["http://", "https://"]
            .iter()
            .all(|scheme| url.strip_prefix(scheme).is_none_or(|rest| rest.is_empty() || rest.starts_with('/')))
    {
        // Not the address itself: it may hold a secret.
        let message = "this is no http:// or https:// address".to_owned();
        bad.add(&["guardrails.webhook"], message, None);
    }
    let experiment = &config.tracking.experiment;
    if experiment.trim().is_empty() || experiment.chars().count() > MAX_EXPERIMENT {
        let message = format!("a name of 1 to {MAX_EXPERIMENT} characters is expected");
        bad.add(&["tracking.experiment"], message, None);
    }
    sweep(config, &mut bad);
    (bad.0, odd.0)
}

/// Whether `text` names a device: `auto`, `cpu`, `gpu`, `gpu:N`, and `cuda` for `gpu`.
#[must_use]
pub fn is_device(text: &str) -> bool {
    match text.split_once(':') {
        None => matches!(text, "auto" | "cpu" | "gpu" | "cuda"),
        // `parse` alone would let a sign pass.
        Some((kind, index)) => {
            let digits = index.bytes().all(|byte| byte.is_ascii_digit());
            matches!(kind, "gpu" | "cuda") && digits && index.parse::<u16>().is_ok()
        }
    }
}

/// Probabilities are in [0, 1] and sum to 1 within [`SUM_TOLERANCE`]; else what is wrong, with the numbers.
fn distribution(names: [&str; 3], values: [f64; 3]) -> Result<(), String> {
    for (name, value) in names.iter().zip(values) {
        if !(0.0..=1.0).contains(&value) {
            return Err(format!("{name} is {value}; expected 0 to 1"));
        }
    }
    let sum: f64 = values.iter().sum();
    if (sum - 1.0).abs() <= SUM_TOLERANCE {
        return Ok(());
    }
    let shown = values.iter().map(f64::to_string).collect::<Vec<_>>().join(" + ");
    // Rounded, so that 0.6 + 0.3 is not shown as 0.8999999999999999.
    Err(format!("{shown} = {}; they must sum to 1", (sum * 1e9).round() / 1e9))
}

const TIERS: [&str; 3] = ["tier1", "tier2", "tier3"];

fn curriculum(config: &Config, bad: &mut Findings, odd: &mut Findings) {
    let c = &config.curriculum;
    if let Err(message) = distribution(TIERS, c.tier_probabilities) {
        bad.add(&["curriculum.tier_probabilities"], message, None);
    }
    if let Err(message) = distribution(["legacy", "organic", "expanded"], c.tier3_ratios.by_pool()) {
        let message = format!("legacy, organic, expanded: {message}");
        let keys = ["curriculum.tier3_ratios"];
        let mut finding = Findings::default();
        finding.add(&keys, message, None);
        // The section itself may come from elsewhere than the ratio that breaks it.
        for pool in ["legacy", "organic", "expanded"] {
            finding.0[0].keys.push(format!("curriculum.tier3_ratios.{pool}"));
        }
        finding.0[0].keys.rotate_left(1);
        bad.0.append(&mut finding.0);
    }
    phases(c, bad, odd);
    moving(config, bad, odd);
    if let [Some(a), Some(b), Some(d)] = c.tier_caps {
        let sum = a.saturating_add(b).saturating_add(d);
        if sum < config.training.batch_size {
            let message = format!("{a} + {b} + {d} = {sum} slots can't fill a batch of {}", config.training.batch_size);
            bad.add(&["curriculum.tier_caps", "training.batch_size"], message, Some("raise one, or set one to null"));
        }
    }
}

fn phases(c: &Curriculum, bad: &mut Findings, odd: &mut Findings) {
    const KEY: &str = "curriculum.phases";
    match (c.kind, c.phases.is_empty()) {
        (CurriculumKind::Phased, true) => {
            let advice = "list phases with `until_step` and `tier_probabilities`, or set `curriculum.type: uniform`";
            bad.add(&["curriculum.type"], "`phased` needs `curriculum.phases`".to_owned(), Some(advice));
        }
        (CurriculumKind::Uniform | CurriculumKind::PhasedV2, false) => {
            odd.add(&[KEY], "has no effect: `curriculum.type` is not `phased`".to_owned(), None);
        }
        _ => {}
    }
    let mut before = None;
    for (i, phase) in c.phases.iter().enumerate() {
        let field = format!("{KEY}[{i}]");
        if before.is_some_and(|b| phase.until_step <= b) {
            let message =
                format!("until_step {} is not above the phase before it ({})", phase.until_step, before.unwrap_or(0));
            bad.add(&[field.as_str(), KEY], message, Some("list the phases in order of `until_step`"));
        } else if phase.until_step == 0 {
            bad.add(&[field.as_str(), KEY], "until_step 0: the phase never runs".to_owned(), None);
        }
        before = Some(phase.until_step);
        if let Err(message) = distribution(TIERS, phase.tier_probabilities) {
            bad.add(&[&format!("{field}.tier_probabilities"), KEY], message, None);
        }
    }
}

/// `phased_v2`.
fn moving(config: &Config, bad: &mut Findings, odd: &mut Findings) {
    let c = &config.curriculum;
    let used = c.kind == CurriculumKind::PhasedV2;
    let ends = [("start_probabilities", c.start_probabilities), ("end_probabilities", c.end_probabilities)];
    for (name, values) in ends {
        let key = format!("curriculum.{name}");
        match values {
            Some(values) => {
                if let Err(message) = distribution(TIERS, values) {
                    bad.add(&[&key], message, None);
                }
                if !used {
                    odd.add(&[&key], "has no effect: `curriculum.type` is not `phased_v2`".to_owned(), None);
                }
            }
            None if used => bad.add(&["curriculum.type"], format!("`phased_v2` needs `{key}`"), None),
            None => {}
        }
    }
    let end = c.end_step.unwrap_or(config.training.steps);
    if used && c.start_step >= end {
        let message = format!("{} must be below the last step of the movement ({end})", c.start_step);
        bad.add(&["curriculum.start_step", "curriculum.end_step", "training.steps"], message, None);
    }
}

fn training(config: &Config, bad: &mut Findings, odd: &mut Findings) {
    let t = &config.training;
    if t.warmup_steps > t.steps {
        let message = format!("{} is more than `training.steps` ({})", t.warmup_steps, t.steps);
        let keys = ["training.warmup_steps", "training.steps"];
        // A short trial run of a configuration for a long one is no mistake.
        odd.add(&keys, format!("{message}: the learning rate never reaches its peak"), None);
    }
    if t.batch_size < 2 && t.in_batch_negatives && t.loss == super::Loss::InfoNce {
        odd.add(&["training.batch_size"], "a batch of 1 has no other bundles to take negatives from".to_owned(), None);
    }
    let decay = t.learning_rate * t.weight_decay;
    if decay >= 1.0 {
        let message = format!("{} times the learning rate ({}) is {decay}", t.weight_decay, t.learning_rate);
        let advice = "a step takes this share from every weight: keep it below 1";
        bad.add(&["training.weight_decay", "training.learning_rate"], message, Some(advice));
    }
    if t.steps > 1 << 53 {
        bad.add(&["training.steps"], format!("{} is beyond any run", t.steps), None);
    }
}

fn model(config: &Config, bad: &mut Findings) {
    let m = &config.model;
    if m.kind == ModelKind::Adapter && m.num_layers == 0 {
        let advice = "its head is all that an adapter learns: set it to 1 or more";
        bad.add(&["model.num_layers", "model.type"], "is 0 for an adapter".to_owned(), Some(advice));
    }
    if m.residual && m.num_layers > 0 && m.embedding_dim != m.hidden_dim {
        let message = format!(
            "adds vectors of different widths: `model.embedding_dim` is {}, `model.hidden_dim` is {}",
            m.embedding_dim, m.hidden_dim
        );
        let keys = ["model.residual", "model.embedding_dim", "model.hidden_dim"];
        bad.add(&keys, message, Some("make them equal, or set `model.residual: false`"));
    }
}

fn experiment(config: &Config, bad: &mut Findings) {
    let e = &config.experiment;
    if e.seeds.is_empty() {
        bad.add(&["experiment.seeds"], "names no seed; a run needs one".to_owned(), Some("write `seeds: [42]`"));
    }
    for (key, seeds) in [("experiment.seeds", &e.seeds), ("sweep.seeds", &config.sweep.seeds)] {
        if let Some(twice) = repeated(seeds) {
            bad.add(&[key], format!("{twice} is there twice: a seed that runs twice adds nothing"), None);
        }
    }
}

fn sweep(config: &Config, bad: &mut Findings) {
    for ratio in &config.sweep.ratios {
        if let Err(message) = ratio_spec(ratio) {
            let advice = "write legacy_organic_expanded in percent, such as 75_15_10";
            bad.add(&["sweep.ratios"], message, Some(advice));
        }
    }
    if let Some(twice) = repeated(&config.sweep.ratios) {
        bad.add(&["sweep.ratios"], format!("{twice} is there twice"), None);
    }
    if config.sweep.steps.contains(&0) {
        bad.add(&["sweep.steps"], "0 steps train nothing".to_owned(), None);
    }
}

fn repeated<T: Ord>(values: &[T]) -> Option<&T> {
    let mut sorted: Vec<&T> = values.iter().collect();
    sorted.sort();
    sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// Reads a ratio spec such as `75_15_10`: percent of legacy, organic, expanded.
///
/// # Errors
/// It is not three whole numbers that sum to 100.
pub fn ratio_spec(spec: &str) -> Result<[f64; 3], String> {
    let parts: Vec<Option<u32>> = spec.split('_').map(|part| part.parse().ok().filter(|p| *p <= 100)).collect();
    match parts.as_slice() {
        [Some(legacy), Some(organic), Some(expanded)] if legacy + organic + expanded == 100 => {
            Ok([*legacy, *organic, *expanded].map(|percent| f64::from(percent) / 100.0))
        }
        [Some(legacy), Some(organic), Some(expanded)] => {
            let sum = legacy + organic + expanded;
            Err(format!("`{spec}`: {legacy} + {organic} + {expanded} = {sum}; they must sum to 100"))
        }
        _ => Err(format!("`{spec}` is not three percentages")),
    }
}
