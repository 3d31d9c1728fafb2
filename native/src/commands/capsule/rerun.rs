//! Trains a capsule's run again and compares what comes out, bit for bit.

use super::gather;
use crate::context::Context;
use crate::device;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output;
use crate::signals::Stop;
use crate::training::{self, CHECKPOINT, Inputs};
use crucible_core::backend::gpu::GpuBackend;
use crucible_core::capsule::{FileKind, Metadata, Report};
use crucible_core::config::{Config, decides};
use crucible_core::data::{BundleSet, content_hash, hex};
use crucible_core::encoder::Checkpoint;
use std::path::Path;

/// Besides the checkpoint, what a run writes that holds no time.
const REPEATED: [&str; 4] = ["metrics.jsonl", "exposures.json", "exposures.jsonl", "guardrails.json"];

/// The bundles to train on: those that were given, else those in the capsule, which lies unpacked in `dir`.
///
/// # Errors
/// There are none (exit status 2), or they are not those of the run (5).
pub(super) fn bundles_of(metadata: &Metadata, given: Option<&Path>, dir: &Path, limit: u64) -> CliResult<BundleSet> {
    let packed = metadata.of_kind(FileKind::Bundles).next();
    let (name, (set, hash)) = match (given, packed) {
        (Some(path), _) => {
            let name = path.display().to_string();
            (name.clone(), gather::set_of(path, &name, u64::MAX)?)
        }
        (None, Some(file)) => (file.path.clone(), gather::set_of(&dir.join(&file.path), &file.path, limit)?),
        (None, None) => {
            let message = "--rerun needs the training bundles, and they are not in the capsule";
            return Err(CliError::usage(message).advise("give --bundles FILE, or pack with --include-bundles"));
        }
    };
    let Some(record) = &metadata.bundles else { return Ok(set) };
    if record.source_hash == hex(&hash) || record.content_hash == content_hash(&set) {
        return Ok(set);
    }
    let message = format!("{name} holds other bundles than the run was trained on");
    Err(CliError::new(Exit::Fingerprint, message).advise(format!("give the file of SHA-256 {}", record.source_hash)))
}

/// Trains again below `dir` and adds what came out to `report`.
///
/// # Errors
/// Exit status 4: the device is not there or fails; the user stopped it.
#[expect(clippy::too_many_arguments, reason = "what a run is made of, and where to say so")]
pub(super) fn rerun(
    metadata: &Metadata,
    mut config: Config,
    checkpoint: &Checkpoint,
    set: BundleSet,
    dir: &Path,
    stop: &Stop,
    ctx: &Context,
    report: &mut Report,
) -> CliResult<()> {
    let backend = open(metadata, &config, ctx)?;
    let on = device::name(backend.as_ref());
    if checkpoint.version != env!("CARGO_PKG_VERSION") {
        let (then, now) = (&checkpoint.version, env!("CARGO_PKG_VERSION"));
        ctx.reporter.warn(format!("it was trained by Crucible {then}, and this is {now}: bits may differ"));
    }
    if let (Some(_), Some(tokenizer)) = (&config.model.tokenizer_file, &checkpoint.tokenizer) {
        // A ready tokenizer is an input of the run; the checkpoint holds it whole.
        let text = tokenizer.to_json().map_err(|e| CliError::new(Exit::Error, e.to_string()))?;
        let path = dir.join("tokenizer_of_the_checkpoint.json");
        output::write_file(&path, text.as_bytes())?;
        config.model.tokenizer_file = Some(path.display().to_string());
    }
    config.experiment.checkpoint_every = 0;
    // Its eval sets are elsewhere, and training does not feel them.
    config.experiment.eval_every = 0;
    // Whoever packed it has no say in whom this machine tells of the run.
    config = decides::without_secrets(&config);
    config.tracking = Default::default();
    let inputs = Inputs::prepare(set, &config)?;
    // Where it lay is part of the checkpoint.
    config.model.tokenizer_file.clone_from(&checkpoint.encoder.config.tokenizer_file);
    let again = dir.join("again");
    let trained =
        training::run_seed_on(backend, &inputs, &config, checkpoint.seed, &again, training::Span::default(), stop, ctx);
    let summary = match trained {
        Ok(summary) => summary,
        Err(e) if e.exit == Exit::Stopped => {
            report.add("rerun", Some(CHECKPOINT), Err(format!("trained again, it was stopped: {}", e.message)));
            return Ok(());
        }
        Err(e) => return Err(e),
    };
    let Some(found) = summary.checkpoint_sha256 else {
        return Err(CliError::new(stop.exit().unwrap_or(Exit::Error), "stopped before the run was trained again"));
    };
    let listed = metadata.file(CHECKPOINT).map_or("", |file| &file.sha256);
    let result = match found == listed {
        true => Ok(format!("trained again on {on}: the same checkpoint, bit for bit")),
        false => Err(format!("trained again on {on}: another checkpoint ({found})")),
    };
    report.add("rerun", Some(CHECKPOINT), result);
    for name in REPEATED {
        if let Some(file) = metadata.file(name) {
            report.add("rerun", Some(name), compare(&dir.join(&file.path), &again.join(name)));
        }
    }
    Ok(())
}

/// The device that the run was trained on, or the one that the user asks for.
fn open(metadata: &Metadata, config: &Config, ctx: &Context) -> CliResult<Option<GpuBackend>> {
    let asked = ctx.global.device.as_deref();
    let recorded = metadata.device.as_deref();
    let kind = match (asked, recorded) {
        (Some(asked), _) => asked,
        (None, Some("cpu")) => "cpu",
        (None, Some(_)) => "gpu",
        (None, None) => &config.device.kind,
    };
    let backend = device::open(kind)?;
    let name = device::name(backend.as_ref());
    let Some(recorded) = recorded.filter(|recorded| *recorded != name) else { return Ok(backend) };
    let message = format!("it was trained on {recorded}, and this is {name}: bits repeat on the same device only");
    match asked {
        Some(_) => ctx.reporter.warn(message),
        None => {
            let advice = "verify on such a device, or name another with --device to see how it differs";
            return Err(CliError::new(Exit::Device, message).advise(advice));
        }
    }
    Ok(backend)
}

/// Two files of lines: the same, or from which line on they differ.
fn compare(packed: &Path, again: &Path) -> Result<String, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|e| format!("can't be read: {e}"));
    let (packed, again) = (read(packed)?, read(again)?);
    if packed == again {
        return Ok("the same bytes".to_owned());
    }
    let same = packed.split(|b| *b == b'\n').zip(again.split(|b| *b == b'\n')).take_while(|(a, b)| a == b).count();
    Err(format!("differs from line {} on", same + 1))
}
