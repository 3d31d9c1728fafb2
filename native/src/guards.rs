//! Guardrails over files: what training bundles, eval sets and their versions files say before any training.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::{evaluation, io, versions};
use crucible_core::config::{Config, Guardrails};
use crucible_core::curriculum::{cell_sizes, exposure};
use crucible_core::data::{BundleSet, Pool};
use crucible_core::guardrails::pseudo_killers::{self, Tested};
use crucible_core::guardrails::{
    Before, Finding, NotRun, RULES, dilution, eval_versions, false_negatives, leakage, pool_composition,
};
use std::path::{Path, PathBuf};

/// An eval set that was read, with what to call it.
pub struct EvalSet {
    /// Such as `the frozen eval`.
    pub name: &'static str,
    /// Its file.
    pub path: PathBuf,
    /// Its bundles.
    pub set: BundleSet,
    /// Its versions file, where there is one.
    pub versions: Option<PathBuf>,
}

/// What the frozen eval is called.
pub const FROZEN: &str = "the frozen eval";
/// What the organic holdout is called.
pub const ORGANIC: &str = "the organic holdout";

impl EvalSet {
    /// Reads one; `versions_file` is its versions file, without it the one beside it where there is one.
    ///
    /// # Errors
    /// A file that can't be read, and its faults.
    pub fn read(name: &'static str, path: &Path, versions_file: Option<&Path>) -> CliResult<Self> {
        let beside = || Some(versions::beside(path)).filter(|p| p.is_file());
        let versions = versions_file.map(Path::to_owned).or_else(beside);
        Ok(Self { name, path: path.to_owned(), set: evaluation::EvalSet::read(path)?.set, versions })
    }
}

/// G3, G12 and G13 on training bundles.
#[must_use]
pub fn of_bundles(set: &BundleSet, config: &Config) -> Vec<Finding> {
    let settings = &config.guardrails;
    let mut out = pool_composition::check(set, &config.curriculum.tier3_ratios);
    out.push(false_negatives::check(set, settings.false_negative_share, settings.near_duplicate));
    let mined = Tested::of_bundles(set);
    out.extend(pseudo_killers::check(mined, "the organic pool", settings.pseudo_killer_share));
    out
}

/// G1 on the sizes of their tiers and pools.
#[must_use]
pub fn dilution(set: &BundleSet, config: &Config) -> Option<Finding> {
    let exposures = exposure::exposures(config, cell_sizes(set));
    let legacy = exposures.pools.iter().find(|p| p.pool == Pool::Legacy)?;
    Some(dilution::check(legacy.expected?, config.training.steps))
}

/// G11 on training bundles and eval sets.
#[must_use]
pub fn leakage(train: &BundleSet, evals: &[EvalSet], settings: &Guardrails) -> Vec<Finding> {
    let check = |e: &EvalSet| leakage::check(train, &e.set, e.name, settings.leakage_share, settings.near_duplicate);
    evals.iter().map(check).collect()
}

/// G15 on an eval set that has a versions file.
///
/// # Errors
/// The versions file can't be read.
pub fn versions(eval: &EvalSet) -> CliResult<Option<Finding>> {
    eval.versions.as_deref().map(|path| Ok(eval_versions::check(&versions::read(path)?, &eval.set))).transpose()
}

/// The eval sets that a configuration names, and why others were not read. Training does without them, so one that can't
/// be read is a warning.
#[must_use]
pub fn named_evals(config: &Config, ctx: &Context) -> (Vec<EvalSet>, Vec<String>) {
    let named = [(FROZEN, &config.data.frozen_eval), (ORGANIC, &config.data.organic_eval)];
    let (mut out, mut missing) = (Vec::new(), Vec::new());
    for (name, path) in named {
        let Some(path) = path.as_deref().map(Path::new) else { continue };
        if !path.exists() {
            ctx.reporter.detail(format!("G11: {} is not there yet", path.display()));
            missing.push(format!("{name} was not there ({})", path.display()));
            continue;
        }
        match EvalSet::read(name, path, None) {
            Ok(eval) => out.push(eval),
            Err(error) => {
                ctx.reporter.warn(format!("{name} was not checked for leakage: {}", error.message));
                missing.push(format!("{name} could not be read: {}", error.message));
            }
        }
    }
    (out, missing)
}

/// What guardrails said before a run's first step, in its folder.
pub const BEFORE: &str = "guardrails_before.json";
/// The largest such file.
const MAX_BEFORE_BYTES: usize = 16 << 20;
/// Guardrails that look before training.
pub const LOOK_BEFORE: [&str; 7] = ["G1", "G2", "G3", "G11", "G12", "G13", "G15"];

/// What a run keeps of [`BEFORE`]; none where it has no such file.
///
/// # Errors
/// The file can't be read, or is another one (exit status 3).
pub fn read_before(dir: &Path) -> CliResult<Option<Before>> {
    let path = dir.join(BEFORE);
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = io::read_bytes(&path, MAX_BEFORE_BYTES)?;
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|e| CliError::new(Exit::Data, format!("{}: {e}", path.display())))
}

/// Findings, and of the guardrails that look before training those that had nothing to look at. `missing` says which eval
/// sets were not read.
#[must_use]
pub fn before(findings: Vec<Finding>, missing: &[String]) -> Before {
    let silent = RULES.iter().filter(|r| LOOK_BEFORE.contains(&r.id) && !findings.iter().any(|f| f.id == r.id));
    let reason = |id: &str| match id {
        "G11" | "G15" if !missing.is_empty() => missing.join("; "),
        "G11" => "no eval set was named (data.frozen_eval, data.organic_eval)".to_owned(),
        "G15" => "the frozen eval has no versions file (`crucible guardrail add-version` starts one)".to_owned(),
        "G13" => "no bundle says how many lineups it passed".to_owned(),
        _ => "the bundles hold nothing that it looks at".to_owned(),
    };
    let of = |rule: &crucible_core::guardrails::Rule| NotRun {
        id: rule.id.to_owned(),
        name: rule.name.to_owned(),
        reason: reason(rule.id),
    };
    let not_run = silent.map(of).collect();
    Before { findings, overrides: Vec::new(), not_run }
}
