//! Which adapter, and what it may be asked for.

mod adapters;

use super::faults::Faults;
use crate::backend::BackendError;
pub use adapters::{
    AdapterDescription, AdapterFeatures, AdapterKind, AdapterLimits, Auto, CooperativeMatrix, SubgroupSizes, auto,
};
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// Which adapter to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdapterChoice {
    /// What [`auto`] takes, if that is a GPU. In a browser: what the browser gives.
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

/// An open device, its queue, and what it reported.
pub struct GpuDevice {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) faults: Faults,
    description: AdapterDescription,
    name: String,
    max_len: usize,
    /// A test has taken all memory.
    exhausted: Rc<Cell<bool>>,
}

impl GpuDevice {
    /// Opens the adapter of `choice`.
    ///
    /// # Errors
    /// When there is none of that kind, or it does not open.
    pub async fn open(choice: AdapterChoice) -> Result<Self, BackendError> {
        let (adapter, description) = choose(choice).await?;
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
        let bytes = device.limits().max_storage_buffer_binding_size.min(device.limits().max_buffer_size);
        let max_len = usize::try_from(bytes).unwrap_or(usize::MAX) / size_of::<f32>();
        Ok(Self {
            name: description.to_string(),
            device,
            queue,
            faults,
            description,
            max_len,
            exhausted: Rc::default(),
        })
    }

    /// Name and kind of the adapter, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the largest buffer. A kernel may see less of it at once: [`GpuDevice::max_len`].
    #[must_use]
    pub fn max_allocation_bytes(&self) -> u64 {
        self.device.limits().max_buffer_size
    }

    /// Numbers of a buffer that a kernel can see.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    /// The same device with kernels that see at most `len` numbers of a buffer: for tests of what is done in parts.
    #[must_use]
    pub fn with_max_len(self, len: usize) -> Self {
        Self { max_len: self.max_len.min(len), ..self }
    }

    /// What destroys the device when it is called, at any time, from anywhere: for tests of a device that is lost.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn destroyer(&self) -> impl Fn() + Send + 'static {
        let device = self.device.clone();
        move || device.destroy()
    }

    /// What makes the device refuse all further memory when it is called: for tests of a device that has none left.
    pub fn exhauster(&self) -> impl Fn() + 'static {
        let exhausted = Rc::clone(&self.exhausted);
        move || exhausted.set(true)
    }

    /// Whether it refuses all further memory.
    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted.get()
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

fn describe(number: usize, adapter: &wgpu::Adapter) -> AdapterDescription {
    AdapterDescription::new(number, adapter, &limits(adapter))
}

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env())
}

/// All adapters, strongest kind first; their places are the numbers of [`AdapterChoice::Number`]. Browsers list none.
pub async fn list() -> Vec<AdapterDescription> {
    described(&adapters().await)
}

fn described(adapters: &[wgpu::Adapter]) -> Vec<AdapterDescription> {
    adapters.iter().enumerate().map(|(number, adapter)| describe(number, adapter)).collect()
}

async fn adapters() -> Vec<wgpu::Adapter> {
    let mut adapters = instance().enumerate_adapters(wgpu::Backends::all()).await;
    // The sort is stable: equals keep the order in which the system names them.
    adapters.sort_by_key(|adapter| AdapterKind::from(adapter.get_info().device_type));
    adapters
}

#[cfg(not(target_arch = "wasm32"))]
async fn choose(choice: AdapterChoice) -> Result<(wgpu::Adapter, AdapterDescription), BackendError> {
    let adapters = adapters().await;
    let found = described(&adapters);
    let taken = match choice {
        AdapterChoice::Best => auto(&found).adapter,
        AdapterChoice::Software => found.iter().find(|adapter| adapter.is_software()),
        AdapterChoice::Number(number) => found.get(number),
    };
    let taken = taken.and_then(|taken| Some((adapters.get(taken.number)?.clone(), taken.clone())));
    taken.ok_or_else(|| {
        let say = |adapter: &AdapterDescription| match adapter.lacks.first() {
            None => format!("gpu:{} {adapter}", adapter.number),
            Some(lack) => format!("gpu:{} {adapter}: {lack}", adapter.number),
        };
        let found: Vec<String> = found.iter().map(say).collect();
        let found = if found.is_empty() { "no adapters".to_owned() } else { found.join(", ") };
        BackendError::NoDevice { wanted: choice.to_string(), found }
    })
}

/// A browser offers one adapter, and does not say what it is.
#[cfg(target_arch = "wasm32")]
async fn choose(choice: AdapterChoice) -> Result<(wgpu::Adapter, AdapterDescription), BackendError> {
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        force_fallback_adapter: choice == AdapterChoice::Software,
        ..wgpu::RequestAdapterOptions::default()
    };
    let adapter = instance()
        .request_adapter(&options)
        .await
        .map_err(|e| BackendError::NoDevice { wanted: choice.to_string(), found: e.to_string() })?;
    let description = describe(0, &adapter);
    Ok((adapter, description))
}
