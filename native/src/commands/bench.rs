//! `crucible bench`: how fast this machine computes.

pub mod kernels;
mod table;
pub mod training;

use crate::context::Context;
use crate::device;
use crate::error::CliResult;
use crate::exit::Exit;
use clap::ValueEnum;
use crucible_core::backend::gpu::GpuBackend;
use crucible_core::bench::{Plan, Size, Timing};
use crucible_core::config::Precision;
use schemars::JsonSchema;
use serde::Serialize;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Time every kernel beside the most that the device was seen to do
    Kernels(kernels::Args),
    /// Time training steps of a usual model on random batches
    Training(training::Args),
}

/// Runs one of them.
///
/// # Errors
/// A device that is missing or fails (4).
pub fn run(action: &Action, ctx: &Context) -> CliResult<Exit> {
    match action {
        Action::Kernels(args) => kernels::run(args, ctx),
        Action::Training(args) => training::run(args, ctx),
    }
}

/// How large the problems are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Under a minute, on a CPU or a software adapter too
    Quick,
    /// Problems that fill a GPU
    Full,
}

impl From<Scale> for Size {
    fn from(scale: Scale) -> Self {
        match scale {
            Scale::Quick => Self::Quick,
            Scale::Full => Self::Full,
        }
    }
}

/// Where to measure, and on how much.
struct Setting {
    /// None: the CPU.
    backend: Option<GpuBackend>,
    scale: Scale,
}

impl Setting {
    /// Opens the device, with all paths that it offers. Without a scale, GPUs get full problems and the rest quick ones.
    fn new(ctx: &Context, scale: Option<Scale>) -> CliResult<Self> {
        let backend = open(ctx)?;
        let strong = backend.as_ref().is_some_and(|backend| !backend.device().description().is_software());
        Ok(Self { scale: scale.unwrap_or(if strong { Scale::Full } else { Scale::Quick }), backend })
    }

    fn device(&self) -> String {
        device::name(self.backend.as_ref())
    }

    fn plan(&self, repeats: u32) -> Plan {
        let seconds = if self.scale == Scale::Full { 0.2 } else { 0.02 };
        Plan { seconds, repeats, most: 10_000 }
    }
}

fn open(ctx: &Context) -> CliResult<Option<GpuBackend>> {
    let backend = device::open_for(ctx.global.device.as_deref().unwrap_or("auto"), Precision::F16)?;
    if let Some(backend) = &backend {
        backend.warnings().iter().for_each(|warning| ctx.reporter.warn(warning));
    }
    Ok(backend)
}

/// A measured quantity, with its spread over the repeats.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Spread {
    /// In the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl From<Timing> for Spread {
    fn from(timing: Timing) -> Self {
        Self { median: timing.median, min: timing.min, max: timing.max }
    }
}
