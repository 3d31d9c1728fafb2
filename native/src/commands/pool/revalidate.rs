//! `crucible pool revalidate`.

use super::validation::{Material, ValidationArgs};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exclude::ExcludeArgs;
use crate::exit::Exit;
use crate::output::AtomicFile;
use crate::replace::Replace;
use crate::vectors::Origin;
use crate::{output, table};
use crucible_core::data::Pool;
use crucible_core::mining::{Corpus, Known, Miner, Settings};
use crucible_core::pools::{InputFile, Manifest, Rechecked, Revalidation, Verdict, VerdictCounts, revalidate};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Pseudo-killers that the table shows; `--json` and `--report` have all.
const SHOWN: usize = 20;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundles to test (.jsonl, also .gz or .zst): those of tier3, and those without a tier
    #[arg(long, value_name = "FILE")]
    bundles: PathBuf,
    /// Lineups and vectors.
    #[command(flatten)]
    validation: ValidationArgs,
    /// Where confirmed bundles go, and with them those of other tiers, which are left alone
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where the others go: pseudo-killers, and those that can't be tested
    #[arg(long, value_name = "FILE")]
    quarantine: Option<PathBuf>,
    /// Where the report goes, with every pseudo-killer (JSON)
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    replace: Replace,
}

/// What a revalidation found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RevalidationReport {
    /// The program's version.
    pub crucible_version: String,
    /// The bundles.
    pub input: InputFile,
    /// What scored.
    pub vectors: Origin,
    /// Danger from which on a lineup passes.
    pub threshold: f64,
    /// How lineups were made; their draws are others than those of mining under the same seed.
    pub parameters: Settings,
    /// Bundles by verdict.
    #[serde(flatten)]
    pub counts: Revalidation,
    /// The bundles that are no killers: fewest passes first, and of these the greatest danger of their own negatives.
    pub pseudo_killers: Vec<Rechecked>,
    /// The bundles that could not be tested.
    pub untestable: Vec<Rechecked>,
}

/// Tests bundles again.
///
/// # Errors
/// Settings out of range (2), faults of the inputs, no bundle to test (3), files that can't be read or written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let settings = args.validation.settings()?;
    let taken = args.validation.taken(&args.bundles);
    let taken: Vec<(&str, &Path)> = taken.iter().map(|(flag, path)| (*flag, path.as_path())).collect();
    let named = [("--output", &args.output), ("--quarantine", &args.quarantine), ("--report", &args.report)];
    let outputs: Vec<(&str, &Path)> = named.iter().filter_map(|(flag, path)| Some((*flag, path.as_deref()?))).collect();
    args.replace.check(&outputs, &taken)?;

    let Material { mut set, workset, vectors, mut input, .. } =
        args.validation.read(&args.bundles, &ExcludeArgs::default(), ctx)?;
    let failed = |e: String| CliError::new(Exit::Data, format!("{}: {e}", args.bundles.display()));
    let corpus = Corpus::new(&workset.events).map_err(failed)?;
    let threshold = args.validation.threshold;
    let models = [vectors.similarity()];
    let fresh = args.validation.fresh(&settings, "pool revalidate");
    let miner =
        Miner::new(&corpus, &models, vec![threshold], Known::default(), fresh).map_err(|e| failed(e.to_string()))?;
    let (rechecked, counts) = revalidate(&set, &workset, &miner, threshold);
    if rechecked.is_empty() {
        let message = format!("{}: none of the {} bundles is of tier3", input.path, input.bundles);
        return Err(super::nothing_left(message, "name the file that holds the pools"));
    }

    let mut others = vec![false; set.bundles.len()];
    for found in &rechecked {
        others[found.index] = found.verdict != Verdict::Confirmed;
        let record = json!({
            "verdict": found.verdict, "passes": found.passes, "lineups_tested": found.lineups_tested,
            "cause": found.cause, "threshold": threshold,
        });
        set.bundles[found.index].metadata.extra.insert("revalidation".to_owned(), record);
    }
    input.kept = others.iter().filter(|other| !**other).count() as u64;
    let mut files = Vec::new();
    let mut manifest = Manifest::default();
    for (path, wanted) in [(&args.output, false), (&args.quarantine, true)] {
        let Some(path) = path else { continue };
        let bundles = others.iter().enumerate().filter(|(_, other)| **other == wanted).map(|(i, _)| i);
        let (file, written) = super::written(path, &set, bundles)?;
        files.push(file);
        manifest.outputs.push(written);
    }
    let report = report(input, vectors.origin, threshold, settings, counts, rechecked);
    if let Some(path) = &args.report {
        files.push(AtomicFile::holding(path, output::json_text(&report)?.as_bytes())?.finish()?);
    }
    output::appear_all(files)?;
    ctx.print(&report, &text(&report, &manifest))?;
    Ok(Exit::Success)
}

fn report(
    input: InputFile,
    vectors: Origin,
    threshold: f64,
    parameters: Settings,
    counts: Revalidation,
    rechecked: Vec<Rechecked>,
) -> RevalidationReport {
    let (mut pseudo_killers, untestable): (Vec<_>, Vec<_>) = rechecked
        .into_iter()
        .filter(|found| found.verdict != Verdict::Confirmed)
        .partition(|found| found.verdict == Verdict::PseudoKiller);
    // First those that only their own negatives make look hard.
    let own = |found: &Rechecked| found.own_danger.unwrap_or(f64::NEG_INFINITY);
    pseudo_killers.sort_by(|a, b| {
        let by_danger = || own(b).total_cmp(&own(a)).then_with(|| a.bundle_id.cmp(&b.bundle_id));
        a.passes.cmp(&b.passes).then_with(by_danger)
    });
    let crucible_version = env!("CARGO_PKG_VERSION").to_owned();
    RevalidationReport { crucible_version, input, vectors, threshold, parameters, counts, pseudo_killers, untestable }
}

fn text(report: &RevalidationReport, manifest: &Manifest) -> String {
    let counts = &report.counts;
    let mut rows = vec![["", "confirmed", "pseudo-killers", "untested"].map(str::to_owned)];
    let row = |name: &str, of: &VerdictCounts| {
        let [confirmed, pseudo, untested] = [of.confirmed, of.pseudo_killers, of.untested].map(|n| n.to_string());
        [name.to_owned(), confirmed, pseudo, untested]
    };
    rows.push(row("tier3", &counts.overall));
    rows.extend(counts.by_pool.iter().map(|(pool, of)| row(&format!("  {}", pool.name()), of)));
    let mut text = table::aligned(&rows);
    let Settings { lineups, min_passes, .. } = report.parameters;
    let _ = writeln!(
        text,
        "\n{lineups} lineups of each, {min_passes} have to pass (danger from {} on), scored by {}.",
        report.threshold, report.vectors
    );
    let _ = writeln!(
        text,
        "The bundles' own negatives pass in {} of them; {} of these are pseudo-killers.",
        counts.own_lineup_passes, counts.own_lineup_passes_pseudo
    );
    let passes: Vec<String> = counts.pass_distribution.iter().map(u64::to_string).collect();
    let _ = writeln!(text, "Bundles by lineups that pass, 0 to {lineups}: {}.", passes.join(" "));
    for (cause, count) in &counts.untested {
        let cause = serde_json::to_value(cause).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let _ = writeln!(text, "  ! {count} can't be tested: {cause}");
    }
    if counts.other_tiers > 0 {
        let _ = writeln!(text, "  ! {} bundles of other tiers were left alone", counts.other_tiers);
    }
    text += &pseudo_killers(&report.pseudo_killers);
    for file in &manifest.outputs {
        let _ = writeln!(text, "\n{} → {}", super::said(&file.counts), file.path);
    }
    text
}

/// The first of them.
fn pseudo_killers(found: &[Rechecked]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let mut rows = vec![["pseudo-killer", "pool", "passes", "own danger", "recorded"].map(str::to_owned)];
    let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.4}"));
    for found in found.iter().take(SHOWN) {
        let passes = format!("{} of {}", found.passes.unwrap_or(0), found.lineups_tested.unwrap_or(0));
        let pool = found.pool.map_or("-", Pool::name).to_owned();
        rows.push([found.bundle_id.clone(), pool, passes, number(found.own_danger), number(found.recorded_danger)]);
    }
    let more = found.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("… and {more} more; --json and --report list all\n") } else { String::new() };
    format!("\n{}{more}", table::aligned(&rows))
}
