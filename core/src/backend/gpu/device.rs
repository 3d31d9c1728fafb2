//! Which adapter, and what it may be asked for.

use super::faults::Faults;
use crate::backend::BackendError;
use std::fmt;

/// Which adapter to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdapterChoice {
    /// The strongest real GPU; never a software one. In a browser: what the browser gives.
    Best,
    /// The one of that number in [`list`]; it may be a software one.
    Number(usize),
    /// A software one, for tests on machines without a GPU.
    Software,
}

impl fmt::Display for AdapterChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best => f.write_str("GPU"),
            Self::Number(number) => write!(f, "adapter number {number}"),
            Self::Software => f.write_str("software adapter"),
        }
    }
}

/// An adapter, as `wgpu` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterDescription {
    /// The driver's name of it; browsers leave it empty.
    pub name: String,
    /// Vulkan, Metal, …
    pub api: String,
    /// Whether it computes on the CPU. Browsers don't tell.
    pub software: bool,
}

impl fmt::Display for AdapterDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "unnamed adapter" } else { &self.name };
        write!(f, "{name} ({}{})", self.api, if self.software { ", software" } else { "" })
    }
}

/// An open device, its queue, and what it reported.
pub struct GpuDevice {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) faults: Faults,
    description: AdapterDescription,
    name: String,
}

impl GpuDevice {
    /// Opens the adapter of `choice`.
    ///
    /// # Errors
    /// When there is none of that kind, or it does not open.
    pub async fn open(choice: AdapterChoice) -> Result<Self, BackendError> {
        let adapter = choose(choice).await?;
        let description = describe(&adapter);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("crucible"),
            required_limits: limits(&adapter),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(|e| BackendError::Device {
            operation: format!("opening {description}"),
            message: e.to_string(),
        })?;
        let faults = Faults::watch(&device);
        Ok(Self { name: description.to_string(), device, queue, faults, description })
    }

    /// Name and kind of the adapter, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the largest buffer that a kernel can take.
    #[must_use]
    pub fn max_buffer_bytes(&self) -> u64 {
        let limits = self.device.limits();
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
    }

    /// Its description.
    #[must_use]
    pub fn description(&self) -> &AdapterDescription {
        &self.description
    }
}

/// WebGPU's defaults, which all kernels keep to, but buffers as large as the adapter has them.
fn limits(adapter: &wgpu::Adapter) -> wgpu::Limits {
    let offered = adapter.limits();
    wgpu::Limits {
        max_buffer_size: offered.max_buffer_size,
        max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
        ..wgpu::Limits::default()
    }
}

fn describe(adapter: &wgpu::Adapter) -> AdapterDescription {
    let info = adapter.get_info();
    AdapterDescription {
        name: info.name,
        api: info.backend.to_string(),
        software: info.device_type == wgpu::DeviceType::Cpu,
    }
}

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env())
}

/// All adapters, strongest kind first; their places are the numbers of [`AdapterChoice::Number`]. Browsers list none.
pub async fn list() -> Vec<AdapterDescription> {
    adapters().await.iter().map(describe).collect()
}

async fn adapters() -> Vec<wgpu::Adapter> {
    let mut adapters = instance().enumerate_adapters(wgpu::Backends::all()).await;
    // The sort is stable: equals keep the order in which the system names them.
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    adapters
}

#[cfg(not(target_arch = "wasm32"))]
async fn choose(choice: AdapterChoice) -> Result<wgpu::Adapter, BackendError> {
    let adapters = adapters().await;
    let found: Vec<AdapterDescription> = adapters.iter().map(describe).collect();
    let place = match choice {
        AdapterChoice::Best => found.iter().position(|adapter| !adapter.software),
        AdapterChoice::Software => found.iter().position(|adapter| adapter.software),
        AdapterChoice::Number(number) => Some(number),
    };
    place.and_then(|place| adapters.into_iter().nth(place)).ok_or_else(|| {
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let found = if found.is_empty() { "no adapters".to_owned() } else { found.join(", ") };
        BackendError::NoDevice { wanted: choice.to_string(), found }
    })
}

/// A browser offers one adapter, and does not say what it is.
#[cfg(target_arch = "wasm32")]
async fn choose(choice: AdapterChoice) -> Result<wgpu::Adapter, BackendError> {
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        force_fallback_adapter: choice == AdapterChoice::Software,
        ..wgpu::RequestAdapterOptions::default()
    };
    instance()
        .request_adapter(&options)
        .await
        .map_err(|e| BackendError::NoDevice { wanted: choice.to_string(), found: e.to_string() })
}
