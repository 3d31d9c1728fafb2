//! The GPU through `wgpu`: Vulkan, Metal and DX12 natively, WebGPU in a browser, the same WGSL on all.
//!
//! [`device`] picks an adapter, `pipelines` builds one pipeline per kernel of the table, `buffers` moves numbers,
//! `faults` turns what the driver reports into errors, `shards` cuts what is longer than a kernel can see. Here they become the [`Backend`].

mod buffers;
pub mod device;
mod faults;
mod oneshot;
mod pipelines;
mod shards;

use super::{Backend, BackendError, SimilarityShape};
use crate::kernels::{self, Kernel, interfaces, similarity};
pub use buffers::GpuBuffer;
pub use device::{AdapterChoice, GpuDevice};
use pipelines::Pipelines;
use std::borrow::Cow;

/// Kernels on one GPU. Operations are recorded, and submitted together: when there are many, or when data is asked for.
pub struct GpuBackend {
    device: GpuDevice,
    pipelines: Pipelines,
}

impl GpuBackend {
    /// Builds the pipelines of all kernels on `device`.
    ///
    /// # Errors
    /// When the driver refuses one.
    pub async fn new(device: GpuDevice) -> Result<Self, BackendError> {
        Self::with_sources(device, |kernel| Cow::Borrowed(kernel.source)).await
    }

    /// The same with other WGSL in place of the kernels' own, of the same interface: for tests that a wrong kernel is
    /// noticed.
    ///
    /// # Errors
    /// When the driver refuses one.
    pub async fn with_sources(
        device: GpuDevice,
        source: impl Fn(&Kernel) -> Cow<'static, str>,
    ) -> Result<Self, BackendError> {
        let pipelines = Pipelines::build(&device, kernels::KERNELS, source).await?;
        Ok(Self { device, pipelines })
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &GpuDevice {
        &self.device
    }
}

/// A size as the shaders count.
fn to_u32(operation: &'static str, size: usize) -> Result<u32, BackendError> {
    let limit = u64::from(u32::MAX);
    u32::try_from(size).map_err(|_| BackendError::TooLarge {
        operation,
        unit: "rows or columns",
        got: size as u64,
        limit,
    })
}

impl Backend for GpuBackend {
    type Buffer = GpuBuffer;

    fn name(&self) -> &str {
        self.device.name()
    }

    fn max_len(&self) -> usize {
        self.device.max_len()
    }

    fn upload(&self, values: &[f32]) -> Result<GpuBuffer, BackendError> {
        buffers::upload(&self.device, values)
    }

    fn zeros(&self, len: usize) -> Result<GpuBuffer, BackendError> {
        buffers::zeros(&self.device, len)
    }

    fn upload_parts(&self, parts: &[&[u32]]) -> Result<Vec<GpuBuffer>, BackendError> {
        buffers::upload_parts(&self.device, parts)
    }

    fn dispatch(
        &self,
        name: &'static str,
        uniform: &[u8],
        buffers: &[&GpuBuffer],
        groups: u64,
    ) -> Result<(), BackendError> {
        self.pipelines.record(&self.device, name, uniform, buffers, groups)
    }

    fn len(&self, buffer: &GpuBuffer) -> usize {
        buffer.len()
    }

    async fn download(&self, buffer: &GpuBuffer) -> Result<Vec<f32>, BackendError> {
        self.pipelines.submit(&self.device);
        buffers::download(&self.device, buffer).await
    }

    fn similarity(
        &self,
        a: &GpuBuffer,
        b: &GpuBuffer,
        out: &mut GpuBuffer,
        shape: SimilarityShape,
    ) -> Result<(), BackendError> {
        shape.check(a.len(), b.len(), out.len())?;
        shards::similarity(self, a, b, out, shape)
    }
}

impl GpuBackend {
    /// [`Backend::similarity`] of buffers that a kernel can see whole.
    fn similarity_at_once(
        &self,
        a: &GpuBuffer,
        b: &GpuBuffer,
        out: &GpuBuffer,
        shape: SimilarityShape,
    ) -> Result<(), BackendError> {
        let size = |value| to_u32("similarity", value);
        let (n, m, d) = (size(shape.n)?, size(shape.m)?, size(shape.d)?);
        let sizes = similarity::Sizes { n, m, d, column_tiles: m.div_ceil(interfaces::similarity::TILE) };
        self.run(sizes, &[a, b, out])
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
pub(crate) mod tests {
    use super::*;

    /// A backend on the GPU, or on a software adapter, `changed` for the test; none, with a printed line, where there is
    /// neither and none is required.
    #[expect(clippy::disallowed_methods, reason = "whether a GPU is required is said by the environment")]
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    pub(crate) fn backend(changed: impl FnOnce(GpuDevice) -> GpuDevice) -> Option<GpuBackend> {
        pollster::block_on(async {
            let device = match GpuDevice::open(AdapterChoice::Best).await {
                Err(BackendError::NoDevice { .. }) => GpuDevice::open(AdapterChoice::Software).await,
                other => other,
            };
            match device {
                Ok(device) => Some(GpuBackend::new(changed(device)).await.unwrap_or_else(|e| panic!("{e}"))),
                Err(BackendError::NoDevice { found, .. }) => {
                    let required = std::env::var("CRUCIBLE_REQUIRE_GPU").is_ok_and(|value| value == "1");
                    assert!(!required, "CRUCIBLE_REQUIRE_GPU is set, and there is no adapter; found: {found}");
                    println!("skipped: no adapter, not even a software one; found: {found}");
                    None
                }
                Err(e) => panic!("{e}"),
            }
        })
    }
}
