//! What a report can show, and what it says of itself.

use super::build::{RunInput, shorten};
use super::columns::MARGIN_STEP;
use super::document::{Condition, EvalItems, Missing, Report, Section, SectionKind, Setting};
use super::texts::MAX_TEXT_CHARS;
use crate::config::decides::{self, Role};
use crate::sweep::Kind;
use serde_json::Value;

/// The wanted parts, each with what it lacks.
pub(super) fn sections(report: &Report, wanted: &dyn Fn(SectionKind) -> bool) -> Vec<Section> {
    let kinds = SectionKind::ALL.into_iter().filter(|kind| wanted(*kind));
    kinds.map(|kind| Section { kind, missing: missing(report, kind) }).collect()
}

fn missing(report: &Report, kind: SectionKind) -> Option<Missing> {
    let lacks = |reason: &str, advice: &str| Some(Missing { reason: reason.into(), advice: advice.into() });
    let boards = || report.runs.iter().flat_map(|r| &r.boards);
    let own = report.conditions.iter().filter(|c| !c.foreign).count();
    let advice_items = "evaluate again with `crucible eval --output FILE`, which writes items beside the scoreboard";
    match kind {
        SectionKind::Summary => None,
        SectionKind::Pareto if boards().next().is_none() => lacks(
            "no model here has been evaluated",
            "run `crucible eval --results-dir DIR --frozen-eval FILE --organic-eval FILE`, then the report again",
        ),
        SectionKind::Pareto if report.landscape.is_none() => {
            lacks("no scoreboard here has an items file beside it", advice_items)
        }
        SectionKind::Pareto if own < 2 => lacks(
            "there is one condition only, and a frontier takes two",
            "run `crucible sweep ratio --ratios 85_10_5,75_15_10 --seeds 1,2,3,4,5`, or put several runs into one folder",
        ),
        SectionKind::MarginDist if boards().all(|b| b.margin.is_none()) => {
            lacks("no scoreboard here has an items file beside it", advice_items)
        }
        SectionKind::StepTrajectory
            if report.sweep != Some(Kind::Steps) && report.runs.iter().all(|r| r.training.is_empty()) =>
        {
            lacks(
                "no run here logged its training, and none was evaluated at several steps",
                "run `crucible sweep steps --steps 2500,5000,10000 --seeds 1,2,3`",
            )
        }
        SectionKind::Dilution if report.runs.iter().all(|r| r.exposures.is_none()) => lacks(
            "no run here has counted exposures (exposures.json)",
            "train with `crucible train` or `crucible sweep`: both count how often each bundle is seen",
        ),
        _ => None,
    }
}

/// Conditions with the settings of their first run.
pub(super) fn conditions(runs: &[RunInput], names: &[String]) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = names
        .iter()
        .map(|name| {
            let first = runs.iter().find(|r| r.condition == *name);
            let config = runs.iter().filter(|r| r.condition == *name).find_map(|r| r.config.as_ref());
            let mut settings = Vec::new();
            if let Some(Ok(value)) = config.map(serde_json::to_value) {
                leaves(&value, String::new(), &mut settings);
            }
            // Seeds are those of the runs, not of the condition.
            settings.retain(|s: &Setting| s.key != "experiment.seeds" && decides::role(&s.key) != Role::Secret);
            Condition {
                name: name.clone(),
                step: first.and_then(|r| r.step),
                settings,
                foreign: first.is_some_and(|r| r.foreign),
            }
        })
        .collect();
    let known: Vec<Vec<Setting>> =
        conditions.iter().filter(|c| !c.settings.is_empty()).map(|c| c.settings.clone()).collect();
    for setting in conditions.iter_mut().flat_map(|c| &mut c.settings) {
        setting.shared =
            known.iter().all(|other| other.iter().any(|s| s.key == setting.key && s.value == setting.value));
    }
    conditions
}

fn leaves(value: &Value, key: String, out: &mut Vec<Setting>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                leaves(value, if key.is_empty() { name.clone() } else { format!("{key}.{name}") }, out);
            }
        }
        Value::Null => {}
        Value::String(text) => {
            let mut text = text.clone();
            shorten(&mut text);
            out.push(Setting { key, value: Value::String(text), shared: false });
        }
        _ => out.push(Setting { key, value: value.clone(), shared: false }),
    }
}

/// What is not exact in the document, in words.
pub(super) fn roundings(evals: &[EvalItems], with_items: bool) -> Vec<String> {
    let mut said = Vec::new();
    if with_items {
        said.push(format!(
            "Margins and similarities of single bundles are rounded to {:.6} (2^-14); whether a bundle passes is exact, \
             and so are rates, quantiles and intervals, which were computed before.",
            MARGIN_STEP
        ));
    } else {
        said.push("Single bundles are not in this report; one without --type has them.".to_owned());
    }
    for eval in evals {
        if let Some(cut) = eval.texts.as_ref().map(|t| t.cut).filter(|cut| *cut > 0) {
            said.push(format!(
                "{}: {cut} texts are longer than {MAX_TEXT_CHARS} characters and end in `…`.",
                eval.name
            ));
        }
    }
    said
}
