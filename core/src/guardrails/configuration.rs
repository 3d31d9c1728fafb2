//! G2 configuration: settings that are each allowed and together make no sense, or defeat the purpose.
//!
//! A configuration built by a program has passed no parser, so what no run can work with is an ERROR here too.

use super::{Finding, Level, Rule};
use crate::config::{Config, CurriculumKind};

/// This guardrail.
pub const RULE: Rule = Rule { id: "G2", name: "configuration" };

/// Shares sum to 1 within this (SPEC §5).
const SUM_TOLERANCE: f64 = 1e-6;
/// Learning rates of AdamW above this hardly ever train anything.
const HIGH_LEARNING_RATE: f64 = 0.1;

/// Judges a resolved configuration.
#[must_use]
pub fn check(config: &Config) -> Vec<Finding> {
    let mut out = Vec::new();
    numbers(config, &mut out);
    shares(config, &mut out);
    files_and_seeds(config, &mut out);
    if out.is_empty() {
        out.push(RULE.ok("no setting contradicts another"));
    }
    out
}

fn numbers(config: &Config, out: &mut Vec<Finding>) {
    let t = &config.training;
    let mut add = |when: bool, level, message: String, advice: &str| {
        if when {
            out.push(RULE.finding(level, message, advice));
        }
    };
    let positive = |x: f64| x.is_finite() && x > 0.0;
    let error = Level::Error;
    add(t.steps == 0, error, "training.steps is 0".into(), "train at least one step");
    add(t.batch_size == 0, error, "training.batch_size is 0".into(), "use at least one bundle a step");
    let message = format!("training.learning_rate is {}", t.learning_rate);
    add(!positive(t.learning_rate), error, message.clone(), "use a number above 0, such as 0.001");
    let high = t.learning_rate.is_finite() && t.learning_rate > HIGH_LEARNING_RATE;
    add(high, Level::Warning, message, "AdamW is usually stable below 0.01");
    let message = format!("training.temperature is {}", t.temperature);
    add(!positive(t.temperature), error, message, "use a number above 0, such as 0.05");
    for (name, x) in [("weight_decay", t.weight_decay), ("gradient_clip", t.gradient_clip)] {
        add(!x.is_finite() || x < 0.0, error, format!("training.{name} is {x}"), "use 0 or a positive number");
    }
    for (name, x) in [("dropout", config.model.dropout), ("token_dropout", config.model.token_dropout)] {
        let bad = !(0.0..1.0).contains(&x);
        add(bad, error, format!("model.{name} is {x}"), "use a share from 0 to below 1");
    }
    let message = format!("training.warmup_steps ({}) reaches training.steps ({})", t.warmup_steps, t.steps);
    let advice = "shorten the warm-up: the learning rate never reaches its peak";
    add(t.warmup_steps >= t.steps.max(1), Level::Warning, message, advice);
    let message = "training.gradient_clip is 0: gradients are not clipped".to_owned();
    add(t.gradient_clip == 0.0, Level::Warning, message, "clip at 1.0 unless there is a reason not to");
}

fn shares(config: &Config, out: &mut Vec<Finding>) {
    let c = &config.curriculum;
    let mut lists: Vec<(String, [f64; 3])> = vec![
        ("curriculum.tier_probabilities".into(), c.tier_probabilities),
        ("curriculum.tier3_ratios".into(), c.tier3_ratios.by_pool()),
    ];
    let phases = c.phases.iter().enumerate();
    lists.extend(
        phases.map(|(i, phase)| (format!("curriculum.phases[{i}].tier_probabilities"), phase.tier_probabilities)),
    );
    lists.extend(c.start_probabilities.map(|p| ("curriculum.start_probabilities".into(), p)));
    lists.extend(c.end_probabilities.map(|p| ("curriculum.end_probabilities".into(), p)));
    for (name, list) in &lists {
        let sum: f64 = list.iter().sum();
        if !list.iter().all(|x| (0.0..=1.0).contains(x)) || (sum - 1.0).abs() > SUM_TOLERANCE {
            let message = format!("{name} {list:?} are no shares that sum to 1 (they sum to {sum})");
            out.push(RULE.finding(Level::Error, message, "use numbers from 0 to 1 that sum to 1").with("sum", sum));
        }
    }
    // Which probabilities of tier3 the run uses at some step.
    let tier3: Vec<f64> = match c.kind {
        CurriculumKind::Uniform => vec![c.tier_probabilities[2]],
        CurriculumKind::Phased => c.phases.iter().map(|p| p.tier_probabilities[2]).collect(),
        CurriculumKind::PhasedV2 => {
            [c.start_probabilities, c.end_probabilities].iter().flatten().map(|p| p[2]).collect()
        }
    };
    let mut add = |when: bool, level, message: &str, advice: &str| {
        if when {
            out.push(RULE.finding(level, message, advice));
        }
    };
    let phased = c.kind == CurriculumKind::Phased;
    add(phased && c.phases.is_empty(), Level::Error, "the phased curriculum has no phases", "list curriculum.phases");
    let ascending = c.phases.is_sorted_by(|a, b| a.until_step < b.until_step);
    let message = "curriculum.phases are not in ascending order of until_step";
    add(
        phased && !ascending,
        Level::Error,
        message,
        "sort them: a phase that ends before the one before it never runs",
    );
    let moving = c.kind == CurriculumKind::PhasedV2;
    let ends = c.start_probabilities.is_some() && c.end_probabilities.is_some();
    let message = "the phased_v2 curriculum lacks start_probabilities or end_probabilities";
    add(moving && !ends, Level::Error, message, "give both");
    let backwards = moving && c.start_step >= c.end_step.unwrap_or(config.training.steps);
    let message = "curriculum.start_step is not below its end step";
    add(backwards, Level::Error, message, "lower start_step, raise end_step or train longer");
    let never = !tier3.is_empty() && tier3.iter().all(|p| *p == 0.0);
    let message = "tier3 has probability 0 throughout: no killer is ever trained on";
    add(never, Level::Critical, message, "give tier3 a share, such as 0.1");
    let message = "the legacy pool has ratio 0: known killers will be forgotten";
    add(
        !never && c.tier3_ratios.legacy == 0.0,
        Level::Critical,
        message,
        "give curriculum.tier3_ratios.legacy a share",
    );
    let caps: Option<usize> = c.tier_caps.iter().try_fold(0usize, |sum, cap| Some(sum.saturating_add((*cap)?)));
    let message = "curriculum.tier_caps together leave slots of a batch empty";
    let advice = "raise a cap, or lower training.batch_size";
    add(caps.is_some_and(|caps| caps < config.training.batch_size), Level::Error, message, advice);
}

fn files_and_seeds(config: &Config, out: &mut Vec<Finding>) {
    let (d, seeds) = (&config.data, &config.experiment.seeds);
    let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
    let mut add = |when: bool, level, message: &str, advice: &str| {
        if when {
            out.push(RULE.finding(level, message, advice));
        }
    };
    for (name, eval) in [("data.frozen_eval", &d.frozen_eval), ("data.organic_eval", &d.organic_eval)] {
        let message = format!("{name} is the training file: its pass rate would say nothing");
        add(same(&d.bundles, eval), Level::Error, &message, "hold bundles out of training (pool split)");
    }
    let message =
        "data.frozen_eval and data.organic_eval are one file: retention and generalization would be one number";
    add(same(&d.frozen_eval, &d.organic_eval), Level::Critical, message, "evaluate each on a file of its own");
    add(seeds.is_empty(), Level::Error, "experiment.seeds is empty", "list at least one seed");
    let mut sorted = seeds.clone();
    sorted.sort_unstable();
    sorted.dedup();
    let message = "experiment.seeds names a seed twice: the copies are one run";
    add(sorted.len() < seeds.len(), Level::Warning, message, "list each seed once");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Phase;
    use crate::guardrails::Report;

    fn found(change: impl FnOnce(&mut Config)) -> Vec<Level> {
        let mut config = Config::default();
        change(&mut config);
        check(&config).iter().map(|f| f.level).collect()
    }

    #[test]
    fn silent_on_the_defaults_and_on_a_phased_plan() {
        assert_eq!(found(|_| {}), [Level::Ok]);
        let phase = |until_step, tier_probabilities| Phase { until_step, tier_probabilities };
        let phased = |c: &mut Config| {
            c.curriculum.kind = CurriculumKind::Phased;
            c.curriculum.phases = vec![phase(100, [1.0, 0.0, 0.0]), phase(10_000, [0.6, 0.3, 0.1])];
        };
        assert_eq!(found(phased), [Level::Ok]);
        let moving = |c: &mut Config| {
            c.curriculum.kind = CurriculumKind::PhasedV2;
            c.curriculum.start_probabilities = Some([0.8, 0.2, 0.0]);
            c.curriculum.end_probabilities = Some([0.5, 0.3, 0.2]);
        };
        assert_eq!(found(moving), [Level::Ok]);
    }

    #[test]
    fn every_planted_fault_is_found() {
        type Fault = fn(&mut Config);
        let faults: [(&str, Level, Fault); 24] = [
            ("steps", Level::Error, |c| (c.training.steps, c.training.warmup_steps) = (0, 0)),
            ("batch", Level::Error, |c| c.training.batch_size = 0),
            ("learning rate", Level::Error, |c| c.training.learning_rate = 0.0),
            ("NaN rate", Level::Error, |c| c.training.learning_rate = f64::NAN),
            ("high rate", Level::Warning, |c| c.training.learning_rate = 1.0),
            ("temperature", Level::Error, |c| c.training.temperature = -1.0),
            ("decay", Level::Error, |c| c.training.weight_decay = -0.1),
            ("clip", Level::Error, |c| c.training.gradient_clip = f64::INFINITY),
            ("no clip", Level::Warning, |c| c.training.gradient_clip = 0.0),
            ("dropout", Level::Error, |c| c.model.dropout = 1.0),
            ("warm-up", Level::Warning, |c| c.training.warmup_steps = 10_000),
            ("probabilities", Level::Error, |c| c.curriculum.tier_probabilities = [0.6, 0.3, 0.2]),
            ("negative", Level::Error, |c| c.curriculum.tier_probabilities = [1.2, -0.3, 0.1]),
            ("ratios", Level::Error, |c| c.curriculum.tier3_ratios.organic = 0.2),
            ("no tier3", Level::Critical, |c| c.curriculum.tier_probabilities = [0.7, 0.3, 0.0]),
            ("no legacy", Level::Critical, |c| {
                (c.curriculum.tier3_ratios.legacy, c.curriculum.tier3_ratios.organic) = (0.0, 0.9);
            }),
            ("no phases", Level::Error, |c| c.curriculum.kind = CurriculumKind::Phased),
            ("phases", Level::Error, |c| {
                let phase = Phase { until_step: 10, tier_probabilities: [0.6, 0.3, 0.1] };
                (c.curriculum.kind, c.curriculum.phases) = (CurriculumKind::Phased, vec![phase.clone(), phase]);
            }),
            ("no ends", Level::Error, |c| c.curriculum.kind = CurriculumKind::PhasedV2),
            ("caps", Level::Error, |c| c.curriculum.tier_caps = [Some(8); 3]),
            ("eval is training", Level::Error, |c| {
                (c.data.bundles, c.data.frozen_eval) = (Some("a".into()), Some("a".into()));
            }),
            ("one eval", Level::Critical, |c| {
                (c.data.frozen_eval, c.data.organic_eval) = (Some("a".into()), Some("a".into()));
            }),
            ("no seeds", Level::Error, |c| c.experiment.seeds.clear()),
            ("seed twice", Level::Warning, |c| c.experiment.seeds = vec![1, 2, 1]),
        ];
        for (name, level, fault) in faults {
            let levels = found(fault);
            assert!(levels.contains(&level) && !levels.contains(&Level::Ok), "{name}: {levels:?}");
        }
    }

    #[test]
    fn critical_can_be_overridden() {
        let mut config = Config::default();
        config.curriculum.tier_probabilities = [0.7, 0.3, 0.0];
        assert!(Report::judge(check(&config), true, &[]).stops);
        assert!(!Report::judge(check(&config), true, &["configuration".to_owned()]).stops);
    }
}
