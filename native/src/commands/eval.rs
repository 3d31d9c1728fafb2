//! `crucible eval`: how well a model does on an eval set.

pub mod all;
mod guarded;
mod model;

use crate::checkpoint::ModelArgs;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::evaluation::{self, EvalSet};
use crate::exit::Exit;
use crate::replace::{Replace, refuse_overwriting};
use crate::training::describe;
use crate::{device, parquet_file, scoreboards, table, webhook};
use crucible_core::estimate::Interval;
use crucible_core::eval::{
    self, BaselineComparison, Chance, ChanceLevel, Change, Item, REGRESSION_THRESHOLD, SEED, Scoreboard, Summary,
    VERSION,
};
use crucible_core::guardrails::{Finding, Level, fingerprint};
use crucible_core::printable;
use model::Embedded;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("truth").args(["frozen_eval", "organic_eval"]).multiple(true))]
pub struct Args {
    /// The model: a checkpoint_final.safetensors, a folder of a sentence-transformers or model2vec model, or a file of ready
    /// vectors (.npy or .parquet, as `crucible embed` writes them)
    #[arg(long, value_name = "FILE|DIR", required_unless_present = "results_dir", conflicts_with = "results_dir")]
    pub checkpoint: Option<PathBuf>,
    /// How it is read.
    #[command(flatten)]
    pub model: ModelArgs,
    /// For an adapter: ready vectors of the events (.npy, .safetensors or .parquet); without it their own `embedding`s
    #[arg(long, value_name = "FILE")]
    pub embeddings: Option<PathBuf>,
    /// The event ids of the rows of ready vectors; without it beside them: X.npy, X_ids.jsonl. X.parquet has
    /// them itself
    #[arg(long, value_name = "FILE")]
    pub embedding_ids: Option<PathBuf>,
    /// The bundles to score it on (.jsonl, also .gz or .zst)
    #[arg(long, value_name = "FILE", required_unless_present = "results_dir", conflicts_with = "results_dir")]
    pub eval_set: Option<PathBuf>,
    /// The scoreboard to write (JSON)
    #[arg(long, short, value_name = "FILE", required_unless_present = "results_dir", conflicts_with = "results_dir")]
    pub output: Option<PathBuf>,
    /// Where each bundle's result goes (.jsonl or .parquet); without it beside the scoreboard: X.json, X_items.jsonl
    #[arg(long, value_name = "FILE", conflicts_with = "results_dir")]
    pub items: Option<PathBuf>,
    /// Instead of one model, all runs in and below this folder: each gets its scoreboards, frozen_scoreboard.json and
    /// organic_scoreboard.json, beside its checkpoint_final.safetensors
    #[arg(long, value_name = "DIR", requires = "truth")]
    pub results_dir: Option<PathBuf>,
    /// The frozen eval for all of them
    #[arg(long, value_name = "FILE", requires = "results_dir")]
    pub frozen_eval: Option<PathBuf>,
    /// The organic holdout for all of them
    #[arg(long, value_name = "FILE", requires = "results_dir")]
    pub organic_eval: Option<PathBuf>,
    /// An earlier scoreboard to set this one beside
    #[arg(long, value_name = "FILE", conflicts_with = "results_dir")]
    pub baseline_scoreboard: Option<PathBuf>,
    /// A pass rate may fall by this share against the baseline; beyond it the exit status is 6
    #[arg(long, value_name = "SHARE", default_value_t = REGRESSION_THRESHOLD, value_parser = share)]
    pub regression_threshold: f64,
    /// The baseline's scoreboard on the organic holdout, to set both truths side by side (G8)
    #[arg(long, value_name = "FILE", requires = "organic_scoreboard", requires = "baseline_scoreboard")]
    pub organic_baseline: Option<PathBuf>,
    /// This model's scoreboard on the organic holdout
    #[arg(long, value_name = "FILE", requires = "organic_baseline")]
    pub organic_scoreboard: Option<PathBuf>,
    /// Acknowledges a CRITICAL guardrail, by id (G7) or name; several with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "baseline_scoreboard")]
    pub guardrail_override: Vec<String>,
    /// The look ledger; without it looks.jsonl beside the crucible.yaml above the output, if there is one
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Does not record this look
    #[arg(long, conflicts_with = "ledger")]
    pub no_ledger: bool,
    /// Compares with a baseline of another eval set or other rules; the scoreboard records it
    #[arg(long)]
    pub allow_fingerprint_mismatch: bool,
    /// Seed in the fingerprint; it also draws the sample for the health of the vector space
    #[arg(long, default_value_t = SEED)]
    pub seed: u64,
    /// The eval set's own version, written into the scoreboard
    #[arg(long, value_name = "TEXT", default_value = VERSION)]
    pub eval_version: String,
    /// Accepted for older scripts: this kind of model needs no batches
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub batch_size: Option<std::num::NonZeroUsize>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
    /// Says how long each part took
    #[arg(long, hide = true)]
    pub timings: bool,
}

impl Args {
    /// Without `--results-dir` it is required, as are the next two.
    fn checkpoint(&self) -> &Path {
        self.checkpoint.as_deref().unwrap_or(Path::new(""))
    }

    fn eval_set(&self) -> &Path {
        self.eval_set.as_deref().unwrap_or(Path::new(""))
    }

    fn output(&self) -> &Path {
        self.output.as_deref().unwrap_or(Path::new(""))
    }
}

/// Scores the model, or all below a folder.
///
/// # Errors
/// Inputs that can't be read or used, outputs that can't be written, a baseline that measured something else.
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    if let Some(root) = &args.results_dir {
        return all::run(root, args, ctx);
    }
    let started = Instant::now();
    let items_path = args.items.clone().unwrap_or_else(|| scoreboards::items_beside(args.output()));
    check_outputs(args, &items_path)?;
    let baseline = args.baseline_scoreboard.as_deref().map(scoreboards::read).transpose()?;
    let settings = baseline.as_ref().map(|_| guarded::settings(args, ctx)).transpose()?;
    let mut stopped = false;

    let (model, set) = rayon::join(|| model::read(args), || EvalSet::read(args.eval_set()));
    let (eval_set, model) = (set?, model?);
    let eval_set = eval_set.with_vectors(model::given(args).as_ref())?;
    let read = started.elapsed();

    let set = &eval_set.set;
    let eval_header = eval_set.header(args.seed, &args.eval_version);
    if let (Some(path), Some(baseline)) = (&args.baseline_scoreboard, &baseline) {
        // Before the work: what can't be compared ends here, with nothing written.
        let (finding, _) = fingerprint::check(&eval_header, &baseline.eval_header, args.allow_fingerprint_mismatch);
        match finding.level {
            Level::Ok => ctx.reporter.detail(&finding.message),
            Level::Warning => ctx.reporter.warn(format!("{}: {}", path.display(), finding.message)),
            _ => return Err(mismatch(path, &finding)),
        }
    }

    let backend = device::asked_for(ctx.global.device.as_deref())?;
    let Embedded { scored, embeddings, tokenised, embedded } =
        model.embed(args, &eval_set, backend.as_ref(), &ctx.reporter)?;
    let clock = Instant::now();
    let (mut board, items) = evaluation::scored(set, eval_header, scored, &embeddings, backend.as_ref())?;
    if let (Some(path), Some(baseline)) = (&args.baseline_scoreboard, &baseline) {
        let before = baseline_items(path, ctx);
        let pair = before.as_deref().map(|before| (items.as_slice(), before));
        let allowed = args.allow_fingerprint_mismatch;
        let (comparison, overridden) =
            eval::compare_baseline(&board, baseline, args.regression_threshold, allowed, pair)
                .map_err(|finding| mismatch(path, &finding))?;
        board.baseline = Some(comparison);
        board.overrides.extend(overridden);
        if let Some(settings) = &settings {
            stopped = guarded::judge(args, settings, &mut board, &items, (baseline, before.as_deref()))?.stops;
        }
    }
    let scored = clock.elapsed();

    evaluation::write(&board, args.output(), &items, &items_path)?;
    if let Some(settings) = &settings {
        webhook::tell(settings.webhook.as_deref(), "eval", &board.guardrails, stopped, &ctx.reporter);
    }
    let looked = guarded::ledger_path(args, args.output())
        .and_then(|path| guarded::look(&path, &board, ctx))
        .unwrap_or_default();
    ctx.print(&board, &(text(&board) + &written(args, &items_path) + &looked))?;
    for finding in board.guardrails.iter().filter(|f| f.level > Level::Ok) {
        ctx.reporter.warn(describe(finding));
    }

    let seconds = format!(
        "seconds: {:.4} to read, {:.4} to tokenise, {:.4} to embed, {:.4} to score, {:.4} in total",
        read.as_secs_f64(),
        tokenised.as_secs_f64(),
        embedded.as_secs_f64(),
        scored.as_secs_f64(),
        started.elapsed().as_secs_f64()
    );
    if args.timings {
        ctx.reporter.note(seconds)
    } else {
        ctx.reporter.detail(seconds)
    }
    Ok(match regressions(&board) {
        Some(message) => {
            ctx.reporter.error(message);
            Exit::Stopped
        }
        None if stopped => {
            let advice = "a CRITICAL one is acknowledged with --guardrail-override NAME";
            ctx.reporter.error(format!("a guardrail stops here; {advice}"));
            Exit::Stopped
        }
        None => Exit::Success,
    })
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to 1, such as 0.02 for two points of a hundred".to_owned()),
    }
}

/// Both outputs can be written, and neither is an input or the other.
fn check_outputs(args: &Args, items: &Path) -> CliResult<()> {
    let mut taken: Vec<(&str, &Path)> = vec![("--checkpoint", args.checkpoint()), ("--eval-set", args.eval_set())];
    let baseline_items = args.baseline_scoreboard.as_deref().map(scoreboards::items_beside);
    taken.extend(args.embeddings.as_deref().map(|path| ("--embeddings", path)));
    taken.extend(args.embedding_ids.as_deref().map(|path| ("--embedding-ids", path)));
    taken.extend(args.baseline_scoreboard.as_deref().map(|path| ("--baseline-scoreboard", path)));
    taken.extend(baseline_items.as_deref().map(|path| ("the baseline's items", path)));
    taken.extend(args.organic_baseline.as_deref().map(|path| ("--organic-baseline", path)));
    taken.extend(args.organic_scoreboard.as_deref().map(|path| ("--organic-scoreboard", path)));
    let plain = scoreboards::items_beside(args.output());
    if parquet_file::is_one(items) && plain.exists() {
        let message = format!("--items {}: {} would be taken for this scoreboard's", items.display(), plain.display());
        return Err(CliError::usage(message).advise("remove that file, or name another --output"));
    }
    let outputs = [("--output", args.output()), ("--items", items)];
    args.replace.check(&outputs, &taken)?;
    if let Some(ledger) = &args.ledger {
        // It is added to, so it may be there.
        taken.extend(outputs);
        refuse_overwriting(&[("--ledger", ledger)], &taken)?;
    }
    Ok(())
}

/// The items beside a baseline, for the flips. A scoreboard says enough without them.
fn baseline_items(scoreboard: &Path, ctx: &Context) -> Option<Vec<Item<'static>>> {
    let path = scoreboards::items_found(scoreboard);
    if !path.exists() {
        ctx.reporter.detail(format!("no {}: bundles that changed sides are not counted", path.display()));
        return None;
    }
    scoreboards::read_items(&path)
        .map_err(|e| ctx.reporter.warn(format!("bundles that changed sides are not counted: {e}")))
        .ok()
}

pub(super) fn mismatch(path: &Path, finding: &Finding) -> CliError {
    let message = format!("{} {} against {}: {}", finding.id, finding.name, path.display(), finding.message);
    CliError::new(Exit::Fingerprint, message).advise(finding.advice.clone())
}

/// What fell beyond the threshold, in words.
fn regressions(board: &Scoreboard) -> Option<String> {
    let baseline = board.baseline.as_ref().filter(|b| !b.passed)?;
    let fell: Vec<String> = changes(baseline)
        .filter(|(_, change)| change.regressed)
        .map(|(name, c)| format!("{name} from {} to {}", percent(Some(c.baseline)), percent(Some(c.current))))
        .collect();
    let limit = 100.0 * baseline.regression_threshold;
    Some(format!("the pass rate fell by more than {limit:.1} points against the baseline: {}", fell.join(", ")))
}

fn changes(baseline: &BaselineComparison) -> impl Iterator<Item = (&'static str, &Change)> {
    let overall = baseline.overall.iter().map(|change| ("overall", change));
    overall.chain(baseline.by_tier.iter().map(|(tier, change)| (tier.name(), change)))
}

pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

/// The scoreboard for people.
fn text(board: &Scoreboard) -> String {
    let mut rows = vec![
        ["", "n", "passed", "95 % interval", "chance", "mean margin (95 %)", "mean rank (95 %)"].map(str::to_owned),
    ];
    let mut row = |name: String, summary: &Summary, chance: Option<f64>| {
        let interval = summary.ci95.as_ref().map(|ci| format!("{:.1} to {:.1} %", 100.0 * ci.low, 100.0 * ci.high));
        let by_group = summary.by_group.as_ref();
        let number = |x: Option<f64>, interval: Option<&Interval>, digits: usize| {
            let between = interval.map(|i| format!(" ({:.digits$} to {:.digits$})", i.low, i.high));
            short(x, digits) + &between.unwrap_or_default()
        };
        rows.push([
            name,
            summary.n.to_string(),
            percent(summary.pass_rate),
            interval.unwrap_or_else(|| "-".to_owned()),
            percent(chance),
            number(summary.mean_margin, by_group.map(|g| &g.mean_margin), 4),
            number(summary.mean_rank, by_group.map(|g| &g.mean_rank), 2),
        ]);
    };
    let chance = &board.sanity.chance;
    row("overall".to_owned(), &board.overall, chance.overall.level);
    for (tier, summary) in &board.by_tier {
        row(tier.name().to_owned(), summary, chance.by_tier.get(tier).and_then(|c| c.level));
    }
    for (pool, summary) in &board.by_pool {
        row(format!("  {}", pool.name()), summary, None);
    }
    let mut text = table::aligned(&rows);
    if let Some(by_group) = &board.overall.by_group {
        let (groups, resamples) = (by_group.groups, by_group.resamples);
        let _ = writeln!(
            text,
            "Intervals of margins and ranks: {resamples} resamples of {groups} whole documents or lemmas."
        );
    }
    if let Some(baseline) = &board.baseline {
        let _ = writeln!(text, "\nAgainst the baseline {}:", printable(&baseline.checkpoint.path));
        let mut rows = vec![["", "before", "now", "points", ""].map(str::to_owned)];
        for (name, c) in changes(baseline) {
            let points = format!("{:+.1}", 100.0 * c.change);
            let note = if c.regressed { "regressed" } else { "" };
            rows.push([name.to_owned(), percent(Some(c.baseline)), percent(Some(c.current)), points, note.to_owned()]);
        }
        text += &table::aligned(&rows);
        if let Some(flips) = &baseline.flips {
            let _ = writeln!(text, "Bundles: {} gained, {} lost.", flips.gained, flips.lost);
        }
    }
    let sanity = &board.sanity;
    let _ = writeln!(
        text,
        "\nSanity: {} ties, {} zero vectors; similarities {} to {} (10th to 90th percentile); texts at random have \
         cosine {}, effective rank {} of {}.",
        sanity.ties,
        sanity.zero_vectors.texts,
        short(sanity.similarity.q10, 3),
        short(sanity.similarity.q90, 3),
        short(sanity.space.mean_cosine, 3),
        short(sanity.space.effective_rank, 1),
        sanity.space.dim
    );
    for warning in &sanity.warnings {
        let _ = writeln!(text, "  ! {}", printable(&warning.message));
    }
    text += &against_guessing(&sanity.chance);
    for passed_over in &board.overrides {
        let (by, message) = (&passed_over.acknowledged_by, printable(&passed_over.message));
        let _ = writeln!(text, "  ! {} was passed over by {by}: {message}", passed_over.id);
    }
    text
}

/// The one verdict that needs no other model.
fn against_guessing(chance: &Chance) -> String {
    let tiers = chance.by_tier.iter().map(|(tier, level)| (tier.name(), level));
    let known = [("overall", &chance.overall)].into_iter().chain(tiers).filter(|(_, level)| level.level.is_some());
    let (no_better, better): (Vec<_>, Vec<_>) = known.partition(|(_, level)| level.at_chance);
    let names = |list: Vec<(&'static str, &ChanceLevel)>| list.iter().map(|l| l.0).collect::<Vec<_>>().join(", ");
    match (better.is_empty(), no_better.is_empty()) {
        (true, true) => String::new(),
        (false, true) => "Verdict: better than guessing everywhere.\n".to_owned(),
        (true, false) => "Verdict: nowhere better than guessing.\n".to_owned(),
        (false, false) => {
            format!("Verdict: better than guessing on {}; not on {}.\n", names(better), names(no_better))
        }
    }
}

fn short(number: Option<f64>, digits: usize) -> String {
    number.map_or_else(|| "-".to_owned(), |x| format!("{x:.digits$}"))
}

fn written(args: &Args, items: &Path) -> String {
    format!("\nWritten: {}, {}\n", args.output().display(), items.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_shares() {
        assert_eq!(share("0.05"), Ok(0.05));
        for bad in ["2", "-0.1", "NaN", "x", ""] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
