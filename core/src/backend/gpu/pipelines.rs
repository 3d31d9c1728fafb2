//! One compute pipeline per kernel of the table, and how they are run.

use super::buffers::GpuBuffer;
use super::device::GpuDevice;
use super::faults;
use crate::backend::BackendError;
use crate::kernels::{Access, Kernel, Need};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use wgpu::util::DeviceExt as _;

/// Workgroups along one dimension of a dispatch: what WebGPU promises.
const MAX_GROUPS: u32 = 65_535;

/// Dispatches that are recorded before they are submitted: enough that submitting costs little, few enough that the
/// device starts soon.
const TOGETHER: usize = 256;
/// Uniforms lie this many bytes apart: what WebGPU promises to accept.
const UNIFORM_STRIDE: usize = 256;

/// Pipelines by kernel name, and what is recorded for them.
pub(super) struct Pipelines {
    by_name: BTreeMap<&'static str, Pipeline>,
    recorded: RefCell<Vec<Dispatch>>,
}

/// One run of a kernel, to be submitted.
struct Dispatch {
    name: &'static str,
    uniform: Vec<u8>,
    buffers: Vec<GpuBuffer>,
    grid: (u32, u32),
}

/// Name, uniform, other bindings and workgroups of a run.
pub(super) type Run<'a> = (&'static str, &'a [u8], &'a [&'a GpuBuffer], u64);

struct Pipeline {
    kernel: &'static Kernel,
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::ComputePipeline,
}

impl Pipelines {
    /// Builds all that the device offers; `source` gives the WGSL of each. Of those that not every device offers, a fault
    /// is a warning: there is another way.
    pub(super) async fn build(
        gpu: &GpuDevice,
        kernels: impl Iterator<Item = &'static Kernel>,
        source: impl Fn(&Kernel) -> Cow<'static, str>,
    ) -> Result<(Self, Vec<String>), BackendError> {
        let mut started = Vec::new();
        for kernel in kernels.filter(|kernel| gpu.offers(kernel.needs)) {
            let operation = format!("building the pipeline of {}", kernel.name);
            let work = || build(&gpu.device, kernel, source(kernel));
            started.push(faults::scope(&gpu.device, &operation, work));
        }
        // Awaited only when all are under way: browsers compile them side by side.
        let (mut pipelines, mut warnings) = (BTreeMap::new(), Vec::new());
        for (pipeline, answer) in started {
            match answer.await {
                Some(error) if pipeline.kernel.needs == Need::Nothing => return Err(error),
                Some(error) => warnings.push(error.to_string()),
                None => drop(pipelines.insert(pipeline.kernel.name, pipeline)),
            }
        }
        Ok((Self { by_name: pipelines, recorded: RefCell::default() }, warnings))
    }

    /// Whether kernel `name` was built.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Records a run of kernel `name` over `groups` workgroups, numbered along x, then y, with `uniform` at binding 0 and `buffers`
    /// from 1.
    pub(super) fn record(
        &self,
        gpu: &GpuDevice,
        name: &'static str,
        uniform: &[u8],
        buffers: &[&GpuBuffer],
        groups: u64,
    ) -> Result<(), BackendError> {
        if let Some(dispatch) = self.prepare((name, uniform, buffers, groups))? {
            self.recorded.borrow_mut().push(dispatch);
        }
        if self.recorded.borrow().len() >= TOGETHER {
            self.submit(gpu);
        }
        Ok(())
    }

    /// Checks a run; none if it has no workgroups.
    fn prepare(&self, (name, uniform, buffers, groups): Run<'_>) -> Result<Option<Dispatch>, BackendError> {
        let mismatch = |expected: String, got: String| BackendError::Interface { operation: name, expected, got };
        let pipeline = self.by_name.get(name).ok_or_else(|| mismatch("a kernel of that name".into(), "none".into()))?;
        let interface = pipeline.kernel.interface;
        let bindings = interface.bindings.len();
        if bindings != buffers.len() + 1 {
            return Err(mismatch(format!("{bindings} bindings"), format!("{}", buffers.len() + 1)));
        }
        if let Some(Access::Uniform { size, .. }) = interface.bindings.first()
            && *size != uniform.len() as u64
        {
            return Err(mismatch(format!("a uniform of {size} bytes"), format!("{}", uniform.len())));
        }
        let grid = grid(name, groups)?;
        if grid.0 == 0 {
            return Ok(None);
        }
        let buffers = buffers.iter().map(|b| (*b).clone()).collect();
        Ok(Some(Dispatch { name, uniform: uniform.to_vec(), buffers, grid }))
    }

    /// Submits a pass of its own with `times` runs of the same kernel, whose begin and end `queries` get.
    pub(super) fn run_timed(
        &self,
        gpu: &GpuDevice,
        run: Run<'_>,
        times: u32,
        queries: &wgpu::QuerySet,
    ) -> Result<(), BackendError> {
        let Some(dispatch) = self.prepare(run)? else { return Ok(()) };
        let stamps = wgpu::ComputePassTimestampWrites {
            query_set: queries,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        };
        gpu.faults.scoped(&gpu.device, dispatch.name, || self.encode(gpu, &[dispatch], times, Some(stamps)));
        Ok(())
    }

    /// Hands everything that is recorded to the device, in order.
    pub(super) fn submit(&self, gpu: &GpuDevice) {
        let recorded = self.recorded.take();
        let Some(first) = recorded.first() else { return };
        // A fault names the operation where there is one, and else all of them.
        let mut names: Vec<&str> = recorded.iter().map(|d| d.name).collect();
        names.sort_unstable();
        names.dedup();
        let operation = if names.len() == 1 { first.name.to_owned() } else { names.join(", ") };
        gpu.faults.scoped(&gpu.device, &operation, || self.encode(gpu, &recorded, 1, None));
    }

    /// Submits a pass with each of `recorded` `times` times.
    fn encode(
        &self,
        gpu: &GpuDevice,
        recorded: &[Dispatch],
        times: u32,
        timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>,
    ) {
        let mut contents = vec![0u8; recorded.len() * UNIFORM_STRIDE];
        for (place, dispatch) in contents.chunks_exact_mut(UNIFORM_STRIDE).zip(recorded) {
            place[..dispatch.uniform.len()].copy_from_slice(&dispatch.uniform);
        }
        let usage = wgpu::BufferUsages::UNIFORM;
        let label = Some("crucible.uniforms");
        let descriptor = wgpu::util::BufferInitDescriptor { label, contents: &contents, usage };
        let uniforms = gpu.device.create_buffer_init(&descriptor);
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
            for (number, dispatch) in recorded.iter().enumerate() {
                let pipeline = &self.by_name[dispatch.name];
                let label = Some(dispatch.name);
                let uniform = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &uniforms,
                    offset: (number * UNIFORM_STRIDE) as u64,
                    size: wgpu::BufferSize::new(dispatch.uniform.len() as u64),
                });
                let storage = dispatch.buffers.iter().map(GpuBuffer::binding);
                let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
                    .zip(std::iter::once(uniform).chain(storage))
                    .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
                    .collect();
                let layout = &pipeline.layout;
                let group =
                    gpu.device.create_bind_group(&wgpu::BindGroupDescriptor { label, layout, entries: &entries });
                pass.set_pipeline(&pipeline.pipeline);
                pass.set_bind_group(0, &group, &[]);
                for _ in 0..times {
                    pass.dispatch_workgroups(dispatch.grid.0, dispatch.grid.1, 1);
                }
            }
        }
        gpu.queue.submit([encoder.finish()]);
    }
}

/// `groups` workgroups as an x and a y extent within the limits. A few more may be run than were asked for: kernels
/// number them as `y · extent of x + x` and leave those past the end idle.
fn grid(operation: &'static str, groups: u64) -> Result<(u32, u32), BackendError> {
    let limit = u64::from(MAX_GROUPS) * u64::from(MAX_GROUPS);
    if groups > limit {
        return Err(BackendError::TooLarge { operation, unit: "workgroups", got: groups, limit });
    }
    let x = groups.min(u64::from(MAX_GROUPS));
    let y = if x == 0 { 0 } else { groups.div_ceil(x) };
    Ok((x as u32, y as u32))
}

fn build(device: &wgpu::Device, kernel: &'static Kernel, source: Cow<'static, str>) -> Pipeline {
    let label = format!("crucible.{}", kernel.name);
    let label = Some(label.as_str());
    let entries: Vec<wgpu::BindGroupLayoutEntry> = (0..).zip(kernel.interface.bindings).map(layout_entry).collect();
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
    // Explicit: a layout that the driver derives leaves out bindings that the code happens not to use.
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let module = module(device, kernel, label, source);
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    Pipeline { kernel, layout, pipeline }
}

/// The kernels' own WGSL goes to the driver without the counter that `naga` adds to every loop to end it: it costs a few
/// operations a round and keeps short loops from being unrolled.
#[expect(unsafe_code, reason = "that loops end is for us to know")]
fn module(
    device: &wgpu::Device,
    kernel: &Kernel,
    label: Option<&str>,
    source: Cow<'static, str>,
) -> wgpu::ShaderModule {
    let own = std::ptr::eq(&raw const *source, kernel.source);
    let descriptor = wgpu::ShaderModuleDescriptor { label, source: wgpu::ShaderSource::Wgsl(source) };
    if !own {
        return device.create_shader_module(descriptor);
    }
    let checks = wgpu::ShaderRuntimeChecks { force_loop_bounding: false, ..wgpu::ShaderRuntimeChecks::checked() };
    // SAFETY: all other checks stay. Loops of our kernels count up to a size or a number from the host by a constant, or
    // halve a constant; sizes are far from where `u32` wraps, for no buffer holds so many numbers.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}

fn layout_entry((binding, access): (u32, &Access)) -> wgpu::BindGroupLayoutEntry {
    let (ty, bytes) = match access {
        Access::Uniform { size, .. } => (wgpu::BufferBindingType::Uniform, Some(*size)),
        Access::Read => (wgpu::BufferBindingType::Storage { read_only: true }, None),
        Access::ReadWrite => (wgpu::BufferBindingType::Storage { read_only: false }, None),
    };
    let min_binding_size = bytes.and_then(wgpu::BufferSize::new);
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size },
        count: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_covers_its_groups_within_the_limits() {
        let max = u64::from(MAX_GROUPS);
        for groups in [0, 1, max - 1, max, max + 1, 3 * max - 1, 1 << 31, max * max] {
            let (x, y) = grid("test", groups).expect("within the limits");
            assert!(x <= MAX_GROUPS && y <= MAX_GROUPS, "{groups}: {x} by {y}");
            let covered = u64::from(x) * u64::from(y);
            assert!(covered >= groups && covered - groups < max, "{groups}: {covered} covered");
        }
        assert!(grid("test", max * max + 1).is_err());
    }
}
