//! `crucible capsule pack`.

use super::{archive, gather, git, keys, list};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{self, AtomicFile};
use crate::replace::{Replace, refuse_overwriting};
use crate::signals::Stop;
use crucible_core::capsule::{FORMAT, FORMAT_VERSION, Inventory, Limits, Metadata};
use minisign::SecretKey;
use std::path::{Path, PathBuf};

/// How names of capsules end.
pub(super) const ENDING: &str = ".capsule.tar.zst";

const HELP: &str = "\
Packed are the resolved configuration, the checkpoint, its scoreboards with their items, log, metrics, scores on the \
way, exposures and findings of guardrails, and metadata.json with the hash of each. The same run gives the same bytes.

    crucible capsule pack runs/first
    crucible capsule pack runs/first --output first.capsule.tar.zst --include-bundles --include-eval data/frozen.jsonl
    crucible capsule pack sweeps/ratios --trial R75_15_10/seed_42 --include-bundles --sign release.key";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The folder of a run, as `train` writes it, or of a sweep
    #[arg(value_name = "DIR")]
    pub run_dir: PathBuf,
    /// A trial of a sweep: the run's folder below DIR
    #[arg(long, value_name = "CONDITION/SEED")]
    pub trial: Option<String>,
    /// The capsule to write (.tar.zst); without it NAME.capsule.tar.zst after the run, here
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The training bundles, where the run's config.yaml no longer leads to them
    #[arg(long, value_name = "FILE")]
    pub bundles: Option<PathBuf>,
    /// Packs the training bundles too: with them `verify --rerun` needs nothing else. With these or eval sets go the ready
    /// vectors that an adapter reads
    #[arg(long)]
    pub include_bundles: bool,
    /// Packs the eval sets of the run's scoreboards: with them `verify` scores again
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub include_eval: Vec<PathBuf>,
    /// Signs with this secret key of minisign: F.minisig; CRUCIBLE_SIGN_PASSWORD or the terminal has its password
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
    /// Writes this text into the capsule as the time of packing; without it no time is in it
    #[arg(long, value_name = "TEXT")]
    pub packed_at: Option<String>,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
}

/// Packs a run.
///
/// # Errors
/// It is not finished, something that is to be packed is not there or not the run's own, the capsule can't be written.
pub(super) fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let dir = gather::run_folder(&args.run_dir, args.trial.as_deref())?;
    let path = args.output.clone().unwrap_or_else(|| gather::default_name(&args.run_dir, args.trial.as_deref()));
    check_output(args, &path)?;
    let stop = Stop::listen()?;
    // Before the work: a password may have to be typed.
    let key = args.sign.as_deref().map(keys::secret_key).transpose()?;
    let mut run = gather::Run::read(&dir, ctx)?;
    run.add_bundles(args, &dir, ctx)?;
    args.include_eval.iter().try_for_each(|eval| run.add_eval(eval))?;
    if args.include_bundles || !args.include_eval.is_empty() {
        run.add_vectors(ctx)?;
    }
    let taken: Vec<(&str, &Path)> = run.files.values().map(|file| ("a file of the run", file.as_path())).collect();
    refuse_overwriting(&[("--output", &path)], &taken)?;
    let metadata = Metadata {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        crucible_version: env!("CARGO_PKG_VERSION").to_owned(),
        trial: args.trial.clone(),
        device: run.device.clone(),
        git: git::state(&dir),
        packed_at: args.packed_at.clone(),
        checkpoint: run.checkpoint.clone(),
        bundles: run.bundles.clone(),
        evals: run.evals.clone(),
        files: run.records()?,
    };
    check(&metadata, &path, ctx)?;
    let mut file = AtomicFile::create(&path)?;
    archive::write(&mut file, &path, &metadata, &|name| run.files[name].clone(), &stop)?;
    let mut files = vec![file.finish()?];
    if let Some(key) = &key {
        let signature = signature(key, &mut files[0], &path, &metadata)?;
        files.push(AtomicFile::holding(&keys::signature_beside(&path), signature.as_bytes())?.finish()?);
    }
    output::appear_all(files)?;
    let signed = if key.is_some() { ", signed" } else { "" };
    ctx.print(&metadata, &format!("{}\nPacked{signed}: {}\n", list::text(&metadata), path.display()))?;
    Ok(Exit::Success)
}

fn check_output(args: &Args, path: &Path) -> CliResult<()> {
    let name = path.file_name().map(|n| n.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if !name.ends_with(".tar.zst") {
        let message = format!("--output {}: capsules are tar archives packed by zstd", path.display());
        return Err(CliError::usage(message).advise(format!("let its name end with {ENDING}")));
    }
    let signature = keys::signature_beside(path);
    match &args.sign {
        Some(key) => {
            let outputs = [("--output", path), ("the signature", &signature)];
            args.replace.check(&outputs, &[("the secret key", key)])
        }
        None if signature.exists() => {
            let message = format!("{} signs what {} held so far", signature.display(), path.display());
            Err(CliError::usage(message).advise("sign anew with --sign, or remove it"))
        }
        None => args.replace.check(&[("--output", path)], &[]),
    }
}

/// What was gathered can be unpacked again.
fn check(metadata: &Metadata, path: &Path, ctx: &Context) -> CliResult<()> {
    let refused = |refusal: &_| archive::refused(path, refusal);
    let text = output::json_text(metadata)?;
    Metadata::from_json(text.as_bytes()).map_err(|refusal| refused(&refusal))?;
    let without = Limits { bytes: u64::MAX, ..Limits::default() };
    Inventory::new(metadata, without).map_err(|refusal| refused(&refusal))?;
    if metadata.total_bytes() > Limits::default().bytes {
        ctx.reporter.warn("it is larger than what is unpacked unless asked: that will take --max-bytes");
    }
    Ok(())
}

fn signature(key: &SecretKey, capsule: &mut output::WholeFile, path: &Path, metadata: &Metadata) -> CliResult<String> {
    let Some(reader) = capsule.reader()? else {
        return Err(CliError::usage(format!("{} is a device or a pipe, and can't be signed", path.display())));
    };
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let when = metadata.packed_at.as_ref().map(|when| format!("\tpacked_at:{when}")).unwrap_or_default();
    let comment: String =
        format!("file:{name}{when}").chars().map(|c| if c.is_control() && c != '\t' { '_' } else { c }).collect();
    keys::sign(key, reader, &comment)
}
