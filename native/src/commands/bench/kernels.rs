//! `crucible bench kernels`.

use super::table::text;
use super::{Scale, Setting, Spread};
use crate::context::Context;
use crate::device;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crucible_core::backend::gpu::GpuBackend;
use crucible_core::backend::{Backend, BackendError};
use crucible_core::bench::{self, Case, Loaded, Plan, Size, Timing, Work};
use crucible_core::kernels::{KERNELS, Kernel, Need};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Instant;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How large the problems are; without it full on a GPU, quick elsewhere
    #[arg(long, value_enum)]
    size: Option<Scale>,
    /// Only the kernels whose names contain this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// How often each time is taken
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
}

/// What `crucible bench kernels --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KernelTimes {
    /// The program's version.
    pub crucible_version: String,
    /// What was measured: `cpu`, or the adapter's name.
    pub device: String,
    /// Threads that computed, on the CPU.
    pub threads: Option<usize>,
    /// How large the problems were.
    pub size: Scale,
    /// Whose clock it was.
    pub clock: Clock,
    /// The most that the device was seen to do in this run.
    pub peak: Peak,
    /// Measured kernels.
    pub kernels: Vec<Row>,
    /// Kernels and problems without a time.
    pub left_out: Vec<LeftOut>,
}

/// Whose clock it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The device's own: begin and end of the kernels alone.
    Device,
    /// The host's: with what it takes to hand work over and wait for it.
    Host,
}

/// Measured limits.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Peak {
    /// 10⁹ operations a second, by a loop of fused multiplications and additions of 32-bit floats.
    pub gflops: f64,
    /// 10⁹ bytes a second, read and written together, by a copy.
    pub gbytes_per_second: f64,
}

/// A kernel on a problem.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Row {
    /// Its name.
    pub kernel: &'static str,
    /// The problem.
    pub problem: String,
    /// Of one run.
    pub seconds: Spread,
    /// How many times were taken.
    pub repeats: u32,
    /// Runs behind each.
    pub runs: u32,
    /// Operations of one run.
    pub flops: u64,
    /// Bytes of one run, each number once.
    pub bytes: u64,
    /// 10⁹ operations a second, by the median.
    pub gflops: f64,
    /// 10⁹ bytes a second, by the median.
    pub gbytes_per_second: f64,
    /// Share of the measured peak of operations. Above 1 where matrix units do what the peak's loop can't.
    pub share_of_gflops: f64,
    /// Share of the measured peak of bytes. Above 1 where caches hold what the copy had to fetch.
    pub share_of_gbytes: f64,
}

/// No time, and why.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LeftOut {
    /// The kernel.
    pub kernel: &'static str,
    /// The problem; none: all of them.
    pub problem: Option<String>,
    /// Why.
    pub reason: String,
}

/// Measures and prints.
///
/// # Errors
/// A device that is missing or fails, or a kernel that every device must have and that differs from its twin (4).
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let setting = Setting::new(ctx, args.size)?;
    let wanted = |kernel: &&Kernel| args.only.as_ref().is_none_or(|part| kernel.name.contains(part.as_str()));
    let kernels: Vec<&'static Kernel> = KERNELS.iter().filter(wanted).collect();
    if kernels.is_empty() {
        let names: Vec<&str> = KERNELS.iter().map(|kernel| kernel.name).collect();
        let message = format!("--only {}: no kernel of that name", args.only.as_deref().unwrap_or(""));
        return Err(CliError::usage(message).advise(format!("there are {}", names.join(", "))));
    }
    let progress = ctx.reporter.start("measuring", "kernels", kernels.len() as u64);
    let bench = Bench { setting: &setting, plan: setting.plan(args.repeats) };
    let peak = bench.peak()?;
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    for kernel in kernels {
        progress.message(kernel.name);
        bench.kernel(kernel, peak, &mut rows, &mut left_out)?;
        progress.inc(1);
    }
    drop(progress);
    let device_clock = setting.backend.as_ref().is_some_and(GpuBackend::has_timestamps);
    let times = KernelTimes {
        crucible_version: env!("CARGO_PKG_VERSION").to_owned(),
        device: setting.device(),
        threads: setting.backend.is_none().then(rayon::current_num_threads),
        size: setting.scale,
        clock: if device_clock { Clock::Device } else { Clock::Host },
        peak,
        kernels: rows,
        left_out,
    };
    ctx.print(&times, &text(&times))?;
    Ok(Exit::Success)
}

/// What measures.
struct Bench<'a> {
    setting: &'a Setting,
    plan: Plan,
}

impl Bench<'_> {
    fn peak(&self) -> CliResult<Peak> {
        let size = self.setting.scale.into();
        let (fma, copy) = match &self.setting.backend {
            Some(backend) => {
                let rate = |name: &str| -> CliResult<bench::Rates> {
                    let made = bench::cases(name, size).into_iter().next();
                    let Some(make) = made else {
                        return Err(CliError::new(Exit::Error, format!("{name}: no problem")));
                    };
                    let case = make(size);
                    let timing = self.on_gpu(backend, &case).map_err(|e| device::failed(&e))?;
                    Ok(case.work.rates(timing.median))
                };
                (rate("peak_fma")?, rate("peak_copy")?)
            }
            None => (self.host_fma()?, self.host_copy(size)?),
        };
        Ok(Peak { gflops: fma.gflops, gbytes_per_second: copy.gbytes })
    }

    /// Loops of multiplications and additions on every thread at once.
    fn host_fma(&self) -> CliResult<bench::Rates> {
        const ROUNDS: usize = 200_000;
        let tasks = 4 * rayon::current_num_threads();
        let mut flops = 0;
        let timing = measure(&self.plan, |runs| {
            let clock = Instant::now();
            for _ in 0..runs {
                flops = bench::peak_fma(tasks, ROUNDS);
            }
            Ok(clock.elapsed().as_secs_f64())
        });
        let timing = timing.map_err(|e| device::failed(&e))?;
        Ok(Work { flops, bytes: 0 }.rates(timing.median))
    }

    fn host_copy(&self, size: Size) -> CliResult<bench::Rates> {
        let numbers = if size == Size::Full { 1 << 26 } else { 1 << 24 };
        let (from, mut to) = (vec![1.0f32; numbers], vec![0.0f32; numbers]);
        let mut bytes = 0;
        let timing = measure(&self.plan, |runs| {
            let clock = Instant::now();
            for _ in 0..runs {
                bytes = bench::peak_copy(&from, &mut to);
            }
            Ok(clock.elapsed().as_secs_f64())
        });
        let timing = timing.map_err(|e| device::failed(&e))?;
        Ok(Work { flops: 0, bytes }.rates(timing.median))
    }

    /// Adds the times of all problems of a kernel, or why there is none.
    fn kernel(
        &self,
        kernel: &'static Kernel,
        peak: Peak,
        rows: &mut Vec<Row>,
        left_out: &mut Vec<LeftOut>,
    ) -> CliResult<()> {
        let mut leave = |problem: Option<String>, reason: String| {
            left_out.push(LeftOut { kernel: kernel.name, problem, reason });
        };
        if let Some(backend) = &self.setting.backend
            && !backend.offers(kernel.name)
        {
            leave(None, format!("the adapter does not offer {}", kernel.needs));
            return Ok(());
        }
        // A wrong kernel is not timed: how fast it is does not matter.
        for make in bench::cases(kernel.name, Size::Check) {
            let case = make(Size::Check);
            let checked = match &self.setting.backend {
                Some(backend) => pollster::block_on(case.check(backend)),
                None if case.has_host_form() => pollster::block_on(case.check_host()),
                None => {
                    leave(None, "the CPU has no form of its own: it is part of larger loops there".to_owned());
                    return Ok(());
                }
            };
            if let Err(why) = checked.map_err(|e| device::failed(&e))? {
                if kernel.needs == Need::Nothing {
                    let message = format!("{}: wrong on {}: {why}", kernel.name, self.setting.device());
                    return Err(CliError::new(Exit::Device, message).advise("nothing that it computes can be trusted"));
                }
                leave(None, format!("it is wrong here, and not used: {why}"));
                return Ok(());
            }
        }
        let size = self.setting.scale.into();
        for make in bench::cases(kernel.name, size) {
            let case = make(size);
            let timing = match &self.setting.backend {
                Some(backend) => self.on_gpu(backend, &case),
                None => self.on_host(&case),
            };
            match timing {
                Ok(timing) => rows.push(row(&case, timing, peak)),
                Err(e @ BackendError::TooLarge { .. }) => leave(Some(case.problem.clone()), e.to_string()),
                Err(e) => return Err(device::failed(&e)),
            }
        }
        Ok(())
    }

    fn on_gpu(&self, backend: &GpuBackend, case: &Case) -> Result<Timing, BackendError> {
        let loaded = case.load(backend)?;
        let tiny = backend.zeros(1)?;
        // Nothing of the loading may be left to do.
        pollster::block_on(backend.download(&tiny))?;
        measure(&self.plan, |runs| seconds(backend, &loaded, &tiny, runs))
    }

    fn on_host(&self, case: &Case) -> Result<Timing, BackendError> {
        let mut buffers = case.host_buffers();
        measure(&self.plan, |runs| {
            let clock = Instant::now();
            for _ in 0..runs {
                case.run_host(&mut buffers);
            }
            Ok(clock.elapsed().as_secs_f64())
        })
    }
}

fn measure(plan: &Plan, run: impl FnMut(u32) -> Result<f64, BackendError>) -> Result<Timing, BackendError> {
    bench::measure(plan, run)
}

/// By the device's clock; by the host's where it has none, or one that did not move.
fn seconds(
    backend: &GpuBackend,
    loaded: &Loaded<GpuBackend>,
    tiny: &<GpuBackend as Backend>::Buffer,
    runs: u32,
) -> Result<f64, BackendError> {
    let buffers: Vec<_> = loaded.buffers.iter().collect();
    let timed = backend.seconds_of(loaded.kernel, &loaded.uniform, &buffers, loaded.groups, runs);
    if let Some(seconds) = pollster::block_on(timed)?.filter(|seconds| *seconds > 0.0) {
        return Ok(seconds);
    }
    let clock = Instant::now();
    for _ in 0..runs {
        loaded.dispatch(backend)?;
    }
    pollster::block_on(backend.download(tiny))?;
    Ok(clock.elapsed().as_secs_f64())
}

pub(super) fn row(case: &Case, timing: Timing, peak: Peak) -> Row {
    let rates = case.work.rates(timing.median);
    Row {
        kernel: case.kernel,
        problem: case.problem.clone(),
        seconds: timing.into(),
        repeats: timing.repeats,
        runs: timing.runs,
        flops: case.work.flops,
        bytes: case.work.bytes,
        gflops: rates.gflops,
        gbytes_per_second: rates.gbytes,
        share_of_gflops: rates.gflops / peak.gflops,
        share_of_gbytes: rates.gbytes / peak.gbytes_per_second,
    }
}
