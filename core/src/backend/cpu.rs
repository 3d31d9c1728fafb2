//! The backend that is always there: `Vec<f32>` and the kernels' fast CPU forms.

use super::{Backend, BackendError, SimilarityShape};
use crate::kernels::similarity;

/// Computes at once, on the calling thread and, with the `parallel` feature, its pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuBackend;

/// The widest vectors that kernels use on this processor, for people.
#[must_use]
pub fn instruction_set() -> &'static str {
    match pulp::Arch::new() {
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::V4(_) => "AVX-512",
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::V3(_) => "AVX2",
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::Scalar => "SSE2",
        #[cfg(target_arch = "aarch64")]
        pulp::Arch::Neon(_) => "NEON",
        #[cfg(target_arch = "wasm32")]
        pulp::Arch::Simd128(_) => "SIMD128",
        _ => "no vectors",
    }
}

impl Backend for CpuBackend {
    type Buffer = Vec<f32>;

    fn name(&self) -> &str {
        "CPU"
    }

    fn upload(&self, values: &[f32]) -> Result<Vec<f32>, BackendError> {
        Ok(values.to_vec())
    }

    fn zeros(&self, len: usize) -> Result<Vec<f32>, BackendError> {
        Ok(vec![0.0; len])
    }

    fn len(&self, buffer: &Vec<f32>) -> usize {
        buffer.len()
    }

    async fn download(&self, buffer: &Vec<f32>) -> Result<Vec<f32>, BackendError> {
        Ok(buffer.clone())
    }

    fn similarity(
        &self,
        a: &Vec<f32>,
        b: &Vec<f32>,
        out: &mut Vec<f32>,
        shape: SimilarityShape,
    ) -> Result<(), BackendError> {
        shape.check(a.len(), b.len(), out.len())?;
        similarity::fast(a, b, out, shape.n, shape.m, shape.d);
        Ok(())
    }
}
