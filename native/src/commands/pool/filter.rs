//! `crucible pool filter`.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::io;
use crate::replace::Replace;
use crucible_core::data::{BundleSetBuilder, hex, stream_bundles};
use crucible_core::pools::{Filter, FilterError, InputFile, Tally};
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// How expressions are written.
const HELP: &str = "\
Expressions compare fields with values: == (or =), !=, <, <=, >, >=, in [..], not in [..], is missing, is not missing, \
joined by and, or, not and brackets. Texts stand in quotes. There is no arithmetic.

Fields: bundle_id, tier, pool, danger_score, source, expansion, strength (ultra, mid, low, weak; by passes), sense, \
lemma and text of the anchor, anchor.FIELD, positive.FIELD, negatives (how many), negatives.within_lemma, \
negatives.sibling, negatives.cross_lemma, and every other field of the metadata (passes, lineups_tested, ..) or of the \
bundle.

A comparison with a field that is missing or null is false, != and `not in` too; ask for it with `passes is missing`.

    crucible pool filter \"passes >= 8 and danger_score > 0.1\" --bundles mined.jsonl --output strong.jsonl
    crucible pool filter \"pool == 'legacy' or strength in ['ultra', 'mid']\" --bundles all.jsonl --output some.jsonl";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// What must hold for a bundle, such as "passes >= 8 and danger_score > 0.1"; see --help
    #[arg(value_name = "EXPRESSION")]
    pub expression: String,
    /// The bundles (.jsonl, also .gz or .zst)
    #[arg(long, value_name = "FILE")]
    pub bundles: PathBuf,
    /// Where those go for which it holds
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Where the others go
    #[arg(long, value_name = "FILE")]
    pub rejected: Option<PathBuf>,
    /// Where a manifest with counts and hashes goes
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// Filters bundles.
///
/// # Errors
/// An expression that can't be read, or names a field that no bundle has (exit status 2); faults of the bundles, values
/// that can't be compared, and nothing left (3); files that can't be read or written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let filter = Filter::parse(&args.expression).map_err(|e| unreadable(&args.expression, &e))?;
    let mut outputs: Vec<(&str, &Path)> = vec![("--output", &args.output)];
    outputs.extend(args.rejected.as_deref().map(|path| ("--rejected", path)));
    outputs.extend(args.manifest.as_deref().map(|path| ("--manifest", path)));
    args.replace.check(&outputs, &[("--bundles", &args.bundles)])?;

    let mut file = io::open_hashed(&args.bundles)?;
    let path = args.bundles.display().to_string();
    // Only what goes somewhere is held: a file with faults leaves nothing, not even its outputs' folders.
    let mut parts = [BundleSetBuilder::default(), BundleSetBuilder::default()];
    let mut kept = 0;
    let mut tally = Tally::default();
    stream_bundles(file.reader(), &path, &mut |_, bundle| {
        if filter.accepts(&bundle, &mut tally)? {
            kept += 1;
            parts[0].push(bundle);
        } else if args.rejected.is_some() {
            parts[1].push(bundle);
        }
        Ok(())
    })?;
    if let Some(slip) = filter.slip(&tally) {
        return Err(unreadable(&args.expression, &slip));
    }
    if kept == 0 {
        let message = format!("{path}: of {} bundles, none passes the filter; nothing was written", tally.bundles);
        return Err(super::nothing_left(message, "`crucible pool stats` shows what there is"));
    }

    let mut manifest = super::manifest("pool filter", [("expression", json!(args.expression))]);
    let sha256 = hex(&file.sha256()?);
    manifest.inputs.push(InputFile { path, sha256, bundles: tally.bundles, kept, ..InputFile::default() });
    manifest.missing = tally.missing;
    let mut files = Vec::new();
    for (path, part) in [Some(&args.output), args.rejected.as_ref()].into_iter().zip(parts) {
        let Some(path) = path else { continue };
        let set = part.finish();
        let (file, output) = super::written(path, &set, 0..set.bundles.len())?;
        files.push(file);
        manifest.outputs.push(output);
    }
    super::appear(files, &manifest, args.manifest.as_deref())?;
    let mut text = format!("{kept} of {} bundles pass.\n", tally.bundles);
    for file in &manifest.outputs {
        let _ = writeln!(text, "{} → {}", super::said(&file.counts), file.path);
    }
    for (field, count) in &manifest.missing {
        let _ = writeln!(text, "  ! {count} bundles have no `{field}`");
    }
    ctx.print(&manifest, &text)?;
    Ok(Exit::Success)
}

/// The expression with a mark below the place that is wrong.
fn unreadable(expression: &str, error: &FilterError) -> CliError {
    let message = format!("the filter can't be used: {error}");
    if expression.chars().count() > 200 || expression.contains('\n') {
        return CliError::usage(message);
    }
    let mark = " ".repeat(error.column - 1) + "^";
    CliError::usage(format!("{message}\n  {expression}\n  {mark}"))
        .advise("`crucible pool filter --help` shows how expressions are written")
}
