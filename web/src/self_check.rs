//! The same small computation on the GPU and on the CPU, compared.
//!
//! A browser's GPU may compute wrongly without a word: drivers differ, and a page cannot see which one it has. So every
//! visit compares, and the page says what came of it.

use crucible_core::backend::cpu::CpuBackend;
use crucible_core::backend::gpu::{AdapterChoice, GpuBackend, GpuDevice};
use crucible_core::backend::{Backend, BackendError, SimilarityShape};
use crucible_core::rng::Stream;
use serde::Serialize;

/// Margins of the page and of the command line may differ by so much (cosine units).
pub const BOUND: f32 = 1e-4;

/// What the comparison showed.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SelfCheck {
    /// They agree within [`BOUND`].
    Agrees {
        /// The GPU's name; browsers often give none.
        device: String,
        /// Largest difference, in cosine units.
        largest: f32,
    },
    /// They don't: the GPU must not be used.
    Differs {
        /// The GPU's name.
        device: String,
        /// Largest difference; none where a value was not a number.
        largest: Option<f32>,
    },
    /// No GPU for this page; the CPU does the work.
    NoGpu {
        /// What the browser said.
        message: String,
    },
    /// The GPU refused the work.
    Failed {
        /// What it said.
        message: String,
    },
}

/// More than one tile each way, and ragged on all sides.
const SHAPE: SimilarityShape = SimilarityShape { n: 67, m: 130, d: 37 };

/// Runs it.
pub async fn self_check() -> SelfCheck {
    match compare().await {
        Ok(outcome) => outcome,
        Err(e @ BackendError::NoDevice { .. }) => SelfCheck::NoGpu { message: e.to_string() },
        Err(e) => SelfCheck::Failed { message: e.to_string() },
    }
}

async fn compare() -> Result<SelfCheck, BackendError> {
    let device = GpuDevice::open(AdapterChoice::Best).await?;
    let gpu = GpuBackend::new(device).await?;
    let mut stream = Stream::new(1, "self-check", 0);
    let mut rows = |count: usize| -> Vec<f32> {
        let bound = (1.0 / SHAPE.d as f32).sqrt();
        (0..count * SHAPE.d).map(|_| stream.symmetric(bound)).collect()
    };
    let (a, b) = (rows(SHAPE.n), rows(SHAPE.m));
    let (got, expected) = (similarity(&gpu, &a, &b).await?, similarity(&CpuBackend, &a, &b).await?);
    let device = gpu.name().to_owned();
    Ok(match largest_difference(&got, &expected) {
        Some(largest) if largest <= BOUND => SelfCheck::Agrees { device, largest },
        largest => SelfCheck::Differs { device, largest },
    })
}

async fn similarity<B: Backend>(backend: &B, a: &[f32], b: &[f32]) -> Result<Vec<f32>, BackendError> {
    // Not a number to begin with: a kernel that writes nothing is noticed.
    let mut out = backend.upload(&vec![f32::NAN; SHAPE.n * SHAPE.m])?;
    backend.similarity(&backend.upload(a)?, &backend.upload(b)?, &mut out, SHAPE)?;
    backend.download(&out).await
}

/// None where the lengths differ or any value is not finite.
fn largest_difference(got: &[f32], expected: &[f32]) -> Option<f32> {
    if got.len() != expected.len() || got.iter().chain(expected).any(|x| !x.is_finite()) {
        return None;
    }
    Some(got.iter().zip(expected).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_no_number_is_no_agreement() {
        assert_eq!(largest_difference(&[1.0, 2.0], &[1.0, 2.5]), Some(0.5));
        assert_eq!(largest_difference(&[1.0, f32::NAN], &[1.0, 2.0]), None);
        assert_eq!(largest_difference(&[1.0], &[1.0, 2.0]), None);
    }
}
