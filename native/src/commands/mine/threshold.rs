//! The threshold of each model: as given, or as the existing tier3 suggests.

use super::Inputs;
use super::args::{Args, ThresholdArg};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::vectors::{Access, Source, Vectors};
use crucible_core::mining::{Calibration, Corpus, Threshold, calibrate, dangers};

/// The threshold of each source, in their order.
///
/// # Errors
/// Vectors of the existing bundles that can't be had, or too few bundles.
pub(super) fn all(
    args: &Args,
    sources: &[Source],
    vectors: &[Vectors],
    inputs: &Inputs,
    corpus: &Corpus<'_>,
    ctx: &Context,
) -> CliResult<Vec<Threshold>> {
    let threshold = |(source, vectors): (&Source, &Vectors)| {
        let model = vectors.origin.to_string();
        match args.threshold {
            ThresholdArg::Given(value) => Ok(Threshold { model, value, calibration: None }),
            ThresholdArg::Auto => {
                let calibration = calibrated(args, source, inputs, corpus, ctx)?;
                if calibration.threshold < 0.0 {
                    ctx.reporter.warn(format!(
                        "--threshold auto is {:.4} with {model}: it passes {:.0} % of the existing tier3, so lineups \
                         that it passes count as dangerous, too",
                        calibration.threshold,
                        100.0 * (1.0 - calibration.failed)
                    ));
                }
                Ok(Threshold { model, value: calibration.threshold, calibration: Some(calibration) })
            }
        }
    };
    sources.iter().zip(vectors).map(threshold).collect()
}

fn calibrated(
    args: &Args,
    source: &Source,
    inputs: &Inputs,
    corpus: &Corpus<'_>,
    ctx: &Context,
) -> CliResult<Calibration> {
    let (Some(path), Some((set, _))) = (&args.existing_tier3, &inputs.existing) else {
        return Err(CliError::usage("--threshold auto follows the existing tier3, and none is given"));
    };
    let vectors = source.load(ctx.global.device.as_deref(), path, &set.events, Access::Memory)?;
    calibrate(dangers(set, corpus, vectors.similarity()), args.threshold_quantile).map_err(|e| {
        CliError::new(Exit::Data, format!("--threshold auto: {}: {e}", path.display())).advise("give a number instead")
    })
}
