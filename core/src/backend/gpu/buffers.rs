//! Numbers to the device and back.

use super::device::GpuDevice;
use super::oneshot;
use crate::backend::BackendError;

const F32_BYTES: u64 = size_of::<f32>() as u64;
/// Bytes that are bound of an empty buffer: no binding may be empty, nor smaller than an element of the kernel's array.
const LEAST_BYTES: u64 = 4 * F32_BYTES;

/// Parts of one buffer begin at multiples of this many bytes: what WebGPU promises to bind.
const ALIGNMENT: usize = 256;
/// The same in numbers.
pub(super) const ALIGNED: usize = ALIGNMENT / size_of::<f32>();

/// `f32`s in a storage buffer, or in a part of one.
#[derive(Clone)]
pub struct GpuBuffer {
    buffer: wgpu::Buffer,
    /// In bytes.
    offset: u64,
    len: usize,
}

impl GpuBuffer {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// `len` of its numbers from `start` on, which is a multiple of [`ALIGNED`]. One dispatch must not read one part of a
    /// buffer and write another.
    pub(super) fn part(&self, start: usize, len: usize) -> Self {
        debug_assert!(start.is_multiple_of(ALIGNED) && start + len <= self.len, "{len} numbers from {start} on");
        Self { buffer: self.buffer.clone(), offset: self.offset + start as u64 * F32_BYTES, len }
    }

    /// What a kernel binds.
    pub(super) fn binding(&self) -> wgpu::BindingResource<'_> {
        let bytes = if self.len == 0 { LEAST_BYTES } else { self.len as u64 * F32_BYTES };
        let size = wgpu::BufferSize::new(bytes);
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: &self.buffer, offset: self.offset, size })
    }
}

/// Bytes of a buffer of `len` numbers, which may be none.
fn buffer_bytes(device: &GpuDevice, operation: &'static str, len: usize) -> Result<u64, BackendError> {
    let bytes = (len as u64).saturating_mul(F32_BYTES);
    let limit = device.max_allocation_bytes();
    if bytes > limit {
        return Err(BackendError::TooLarge { operation, unit: "bytes", got: bytes, limit });
    }
    Ok(if len == 0 { LEAST_BYTES } else { bytes })
}

fn storage() -> wgpu::BufferUsages {
    wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST
}

pub(super) fn zeros(device: &GpuDevice, len: usize) -> Result<GpuBuffer, BackendError> {
    let size = buffer_bytes(device, "zeros", len)?;
    // WebGPU defines that new buffers are zero.
    let descriptor = wgpu::BufferDescriptor { label: None, size, usage: storage(), mapped_at_creation: false };
    let buffer = created(device, "zeros", || device.device.create_buffer(&descriptor));
    Ok(GpuBuffer { buffer, offset: 0, len })
}

pub(super) fn upload(device: &GpuDevice, values: &[f32]) -> Result<GpuBuffer, BackendError> {
    if values.is_empty() {
        return zeros(device, 0);
    }
    buffer_bytes(device, "upload", values.len())?;
    let buffer = filled(device, "upload", bytemuck::cast_slice(values));
    Ok(GpuBuffer { buffer, offset: 0, len: values.len() })
}

/// A storage buffer with `contents`, which are not empty.
fn filled(device: &GpuDevice, operation: &str, contents: &[u8]) -> wgpu::Buffer {
    created(device, operation, || fill(&device.device, None, contents, storage()))
}

/// What `make` makes inside scopes; where a test has taken all memory, a buffer that can't be used.
fn created(device: &GpuDevice, operation: &str, make: impl FnOnce() -> wgpu::Buffer) -> wgpu::Buffer {
    let buffer = device.faults.scoped(&device.device, operation, make);
    if device.is_exhausted() {
        buffer.destroy();
        device.faults.keep(BackendError::OutOfMemory { operation: operation.to_owned() });
    }
    buffer
}

/// A buffer with `contents`: a multiple of 4 bytes, not empty. Call it inside a scope: a device without memory gives a
/// buffer that can't be filled, and the scope says why.
pub(super) fn fill(
    device: &wgpu::Device,
    label: Option<&str>,
    contents: &[u8],
    usage: wgpu::BufferUsages,
) -> wgpu::Buffer {
    let size = contents.len() as u64;
    let buffer = device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: true });
    if let Ok(mut mapped) = buffer.get_mapped_range_mut(..) {
        mapped.slice(..).copy_from_slice(contents);
    }
    buffer.unmap();
    buffer
}

/// Several arrays in one buffer: one transfer.
pub(super) fn upload_parts(device: &GpuDevice, parts: &[&[u32]]) -> Result<Vec<GpuBuffer>, BackendError> {
    let mut contents: Vec<u8> = Vec::new();
    let mut places = Vec::with_capacity(parts.len());
    for part in parts {
        contents.resize(contents.len().next_multiple_of(ALIGNMENT), 0);
        places.push((contents.len() as u64, part.len()));
        contents.extend_from_slice(bytemuck::cast_slice(part));
        if part.is_empty() {
            contents.resize(contents.len() + LEAST_BYTES as usize, 0);
        }
    }
    buffer_bytes(device, "upload", contents.len() / F32_BYTES as usize)?;
    let buffer = filled(device, "upload", &contents);
    Ok(places.into_iter().map(|(offset, len)| GpuBuffer { buffer: buffer.clone(), offset, len }).collect())
}

pub(super) async fn download(gpu: &GpuDevice, source: &GpuBuffer) -> Result<Vec<f32>, BackendError> {
    if source.len == 0 {
        gpu.faults.settle().await?;
        return Ok(Vec::new());
    }
    let size = source.len as u64 * F32_BYTES;
    let (sender, receiver) = oneshot::channel();
    let staging = gpu.faults.scoped(&gpu.device, "download", || {
        let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("crucible.download"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&source.buffer, source.offset, &staging, 0, size);
        gpu.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |result| sender.send(result));
        staging
    });
    let failed = |message: String| BackendError::Device { operation: "download".to_owned(), message };
    // Runs the callback natively; browsers run it by themselves, and there this does nothing.
    let polled = gpu.device.poll(wgpu::PollType::wait_indefinitely());
    // Natively the callback has run or never will; awaiting a callback after a failed poll could wait for ever.
    let mapped = match polled {
        Ok(_) => receiver.receive().await.ok_or_else(|| "the device went away".to_owned()),
        Err(e) => Err(e.to_string()),
    };
    // A failed kernel is the better explanation of a failed mapping, so it is asked first.
    gpu.faults.settle().await?;
    mapped.map_err(failed)?.map_err(|e| failed(e.to_string()))?;
    let view = staging.get_mapped_range(..).map_err(|e| failed(e.to_string()))?;
    let mut values = vec![0.0; source.len];
    bytemuck::cast_slice_mut(&mut values).copy_from_slice(&view);
    Ok(values)
}
