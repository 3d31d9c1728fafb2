//! `crucible pool expand`.

use super::validation::{Material, ValidationArgs};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exclude::{self, ExcludeArgs};
use crate::exit::Exit;
use crate::output;
use crate::replace::Replace;
use crucible_core::mining::{Corpus, Known, Miner};
use crucible_core::pools::{ExpandSettings, Expansion, Manifest, expand};
use serde_json::{Map, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The most variants of a parent, and positives that are tried.
const MOST: u64 = 1000;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Bundles whose legacy killers get variants (.jsonl, also .gz or .zst)
    #[arg(long, value_name = "FILE")]
    bundles: PathBuf,
    /// Eval sets whose events are never used, of those in --events.
    #[command(flatten)]
    exclude: ExcludeArgs,
    /// Lineups and vectors.
    #[command(flatten)]
    validation: ValidationArgs,
    /// Variants of a killer, at most: those of most passes, then of most danger
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=MOST))]
    variants: u64,
    /// Other positives of a killer that are tested, at most; its own is tested with other negatives besides
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=MOST))]
    positives: u64,
    /// Where the variants go
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Where the manifest goes; without it beside the output: X.jsonl, X_manifest.json
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    replace: Replace,
}

/// Makes variants.
///
/// # Errors
/// Settings out of range (2), faults of the inputs, no killer or no variant (3), files that can't be read or written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let settings = args.validation.settings()?;
    let manifest_path = args.manifest.clone().unwrap_or_else(|| output::beside(&args.output, "_manifest.json"));
    let taken = args.validation.taken(&args.bundles);
    let taken: Vec<(&str, &Path)> =
        taken.iter().map(|(flag, path)| (*flag, path.as_path())).chain(args.exclude.files()).collect();
    args.replace.check(&[("--output", &args.output), ("the manifest", &manifest_path)], &taken)?;

    let Material { set, workset, vectors, mut input, excluded } =
        args.validation.read(&args.bundles, &args.exclude, ctx)?;
    let failed = |e: String| CliError::new(Exit::Data, format!("{}: {e}", args.bundles.display()));
    let corpus = Corpus::new(&workset.events).map_err(failed)?;
    let threshold = args.validation.threshold;
    let fresh = args.validation.fresh(&settings, "pool expand");
    let miner = Miner::new(&corpus, &[vectors.similarity()], vec![threshold], Known::default(), fresh)
        .map_err(|e| failed(e.to_string()))?;
    let numbers = [args.variants, args.positives].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let wanted = ExpandSettings { variants: numbers[0], positives: numbers[1] };
    let more = Map::from_iter([("scored_by".to_owned(), json!([vectors.origin.id()]))]);
    let (variants, report) = expand(&set, &workset, &miner, wanted, &more);
    if variants.bundles.is_empty() {
        let message = match report.parents {
            0 => format!("{}: none of the {} bundles is a legacy killer of tier3", input.path, set.bundles.len()),
            n => format!("{}: no variant of its {n} legacy killers stands the test", input.path),
        };
        return Err(super::nothing_left(
            message,
            "`crucible pool stats` shows what there is; --events gives more events",
        ));
    }

    let mut manifest = super::manifest(
        "pool expand",
        [
            ("variants", json!(args.variants)),
            ("positives", json!(args.positives)),
            ("threshold", json!(threshold)),
            ("vectors", json!(vectors.origin)),
            ("validation", json!(settings)),
            ("excluded", json!(excluded)),
        ],
    );
    input.kept = report.parents_with_variants;
    manifest.inputs.push(input);
    manifest.expansion = Some(report.clone());
    let (file, written) = super::written(&args.output, &variants, 0..variants.bundles.len())?;
    manifest.outputs.push(written);
    super::appear(vec![file], &manifest, Some(&manifest_path))?;
    let excluded = excluded.as_ref().map(exclude::said).unwrap_or_default();
    ctx.print(&manifest, &(text(&report, &manifest) + &excluded))?;
    Ok(Exit::Success)
}

fn text(report: &Expansion, manifest: &Manifest) -> String {
    let mut text = format!(
        "{} of {} legacy killers have variants: {} with another positive, {} with other negatives.\n",
        report.parents_with_variants, report.parents, report.other_positives, report.other_negatives
    );
    let untested: u64 = report.untested.values().sum();
    for (count, what) in [
        (report.too_few_passes, "had too few passes"),
        (untested, "could not be tested"),
        (report.duplicates, "say what another bundle says"),
        (report.over_variants, "are beyond --variants"),
    ] {
        let _ = writeln!(text, "  {count} of {} candidates {what}", report.candidates);
    }
    let passes: Vec<String> = report.pass_distribution.iter().map(u64::to_string).collect();
    let _ = writeln!(text, "Candidates by lineups that pass: {}.", passes.join(" "));
    for file in &manifest.outputs {
        let _ = writeln!(text, "\n{} → {}", super::said(&file.counts), file.path);
    }
    text
}
