//! How long the device itself says that kernels take.

use super::buffers::GpuBuffer;
use super::{GpuBackend, buffers};
use crate::backend::BackendError;

/// A pass writes its begin and its end.
const STAMPS: u32 = 2;
/// Bytes of both.
const BYTES: u64 = STAMPS as u64 * size_of::<u64>() as u64;

impl GpuBackend {
    /// Whether the device can time its own work.
    #[must_use]
    pub fn has_timestamps(&self) -> bool {
        self.device.device.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// Runs kernel `name` `times` times in a row, as [`crate::backend::Backend::dispatch`] does once, and returns the seconds
    /// that the device counted from the first one's begin to the last one's end. None where it doesn't count.
    ///
    /// # Errors
    /// As `dispatch`; and what the device reported.
    pub async fn seconds_of(
        &self,
        name: &'static str,
        uniform: &[u8],
        buffers: &[&GpuBuffer],
        groups: u64,
        times: u32,
    ) -> Result<Option<f64>, BackendError> {
        if !self.has_timestamps() {
            return Ok(None);
        }
        // Earlier work must not be counted.
        self.pipelines.submit(&self.device);
        let device = &self.device.device;
        let (queries, resolved) = self.device.faults.scoped(device, "timestamps", || {
            let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("crucible.timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: STAMPS,
            });
            let resolved = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("crucible.timestamps"),
                size: BYTES,
                usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            });
            (queries, resolved)
        });
        self.pipelines.run_timed(&self.device, (name, uniform, buffers, groups), times, &queries)?;
        let out = buffers::zeros(&self.device, BYTES as usize / size_of::<f32>())?;
        self.device.faults.scoped(device, "timestamps", || {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.resolve_query_set(&queries, 0..STAMPS, &resolved, 0);
            out.copy_from(&mut encoder, &resolved, BYTES);
            self.device.queue.submit([encoder.finish()]);
        });
        let words = buffers::download(&self.device, &out).await?;
        let stamps: &[u64] = &bytemuck::pod_collect_to_vec(&words);
        let ticks = match stamps {
            [begin, end] => end.saturating_sub(*begin),
            _ => 0,
        };
        Ok(Some(ticks as f64 * f64::from(self.device.queue.get_timestamp_period()) * 1e-9))
    }
}
