//! Where numbers are computed: one trait, one implementation per kind of device.
//!
//! Operations are put into the device's queue in order and return at once; [`Backend::download`] waits for them. A
//! device reports its failures late, so a fault of any operation since the last download comes back from the next one,
//! instead of data.

pub mod cpu;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod top_k;

use crate::kernels::Problem;

/// A place that holds buffers of `f32` and computes on them.
pub trait Backend {
    /// Numbers on the device.
    type Buffer;

    /// What it is, for people: the device's name.
    fn name(&self) -> &str;

    /// Numbers of a buffer that a kernel can see: a longer one may be held, but [`Backend::dispatch`] does not take it.
    fn max_len(&self) -> usize;

    /// Copies `values` to the device.
    ///
    /// # Errors
    /// When the device has no room or takes no buffer of that size.
    fn upload(&self, values: &[f32]) -> Result<Self::Buffer, BackendError>;

    /// `len` zeros on the device.
    ///
    /// # Errors
    /// As [`Backend::upload`].
    fn zeros(&self, len: usize) -> Result<Self::Buffer, BackendError>;

    /// Copies indices to the device; they count as numbers of the same bits.
    ///
    /// # Errors
    /// As [`Backend::upload`].
    fn upload_indices(&self, indices: &[u32]) -> Result<Self::Buffer, BackendError> {
        self.upload(bytemuck::cast_slice(indices))
    }

    /// Copies several arrays of indices to the device, at once where it can.
    ///
    /// # Errors
    /// As [`Backend::upload`].
    fn upload_parts(&self, parts: &[&[u32]]) -> Result<Vec<Self::Buffer>, BackendError> {
        parts.iter().map(|part| self.upload_indices(part)).collect()
    }

    /// Runs kernel `name` over a problem of `groups` workgroups, with `uniform` at binding 0 and `buffers` from 1. No
    /// buffer may be bound twice.
    ///
    /// # Errors
    /// When the kernel binds something else, or the problem is beyond the device.
    fn dispatch(
        &self,
        name: &'static str,
        uniform: &[u8],
        buffers: &[&Self::Buffer],
        groups: u64,
    ) -> Result<(), BackendError>;

    /// [`Backend::dispatch`] of the kernel that `problem` is the uniform of.
    ///
    /// # Errors
    /// As it.
    fn run<P: Problem>(&self, problem: P, buffers: &[&Self::Buffer]) -> Result<(), BackendError> {
        self.dispatch(P::KERNEL, bytemuck::bytes_of(&problem), buffers, problem.groups())
    }

    /// How many numbers `buffer` holds.
    fn len(&self, buffer: &Self::Buffer) -> usize;

    /// Waits for everything that was asked before, and copies `buffer` back.
    ///
    /// # Errors
    /// The first failure of any operation since the last download; there is no data then.
    fn download(&self, buffer: &Self::Buffer) -> impl Future<Output = Result<Vec<f32>, BackendError>>;

    /// `out: [n, m] = a: [n, d] · transpose of b: [m, d]`: dot products of rows, the cosine where rows are of unit length.
    /// The old content of `out` does not matter. Buffers may be longer than [`Backend::max_len`]; a row of `a` or `b` may
    /// not.
    ///
    /// # Errors
    /// When a buffer does not have the length of its shape, or the shape is beyond the device.
    fn similarity(
        &self,
        a: &Self::Buffer,
        b: &Self::Buffer,
        out: &mut Self::Buffer,
        shape: SimilarityShape,
    ) -> Result<(), BackendError>;
}

/// Sizes of [`Backend::similarity`]; each may be 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimilarityShape {
    /// Rows of `a`.
    pub n: usize,
    /// Rows of `b`.
    pub m: usize,
    /// Columns of both.
    pub d: usize,
}

impl SimilarityShape {
    /// That buffers of `a`, `b` and `out` numbers fit.
    pub(crate) fn check(self, a: usize, b: usize, out: usize) -> Result<(), BackendError> {
        let operation = "similarity";
        check_len(operation, "a", &[self.n, self.d], a)?;
        check_len(operation, "b", &[self.m, self.d], b)?;
        check_len(operation, "out", &[self.n, self.m], out)
    }
}

/// That `argument` of `operation`, of `got` numbers, holds `shape`.
pub(crate) fn check_len(
    operation: &'static str,
    argument: &'static str,
    shape: &[usize],
    got: usize,
) -> Result<(), BackendError> {
    // A product that overflows is no length that a buffer could have.
    let expected = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    if expected == Some(got) {
        return Ok(());
    }
    Err(BackendError::Length { operation, argument, shape: shape.to_vec(), got })
}

/// Why a backend could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// A buffer of another length than its shape.
    #[error("{operation}: `{argument}` holds {got} numbers, expected {shape:?}")]
    Length {
        /// The operation.
        operation: &'static str,
        /// Its argument.
        argument: &'static str,
        /// The shape it was to have.
        shape: Vec<usize>,
        /// Numbers in the buffer.
        got: usize,
    },
    /// More than the device can address at once.
    #[error("{operation}: {got} {unit} at once, the device takes at most {limit}")]
    TooLarge {
        /// The operation.
        operation: &'static str,
        /// What is counted: bytes, workgroups.
        unit: &'static str,
        /// How many were needed.
        got: u64,
        /// How many are possible.
        limit: u64,
    },
    /// No device of the wanted kind.
    #[error("no {wanted}; found: {found}")]
    NoDevice {
        /// What was asked for.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// A number on the device is not what the host thinks: a kernel without a pipeline, an interface that changed.
    #[error("{operation}: expected {expected}, got {got}")]
    Interface {
        /// The operation.
        operation: &'static str,
        /// What the kernel asks for.
        expected: String,
        /// What the host gave.
        got: String,
    },
    /// The device has no memory left for what was asked.
    #[error("{operation}: the device is out of memory")]
    OutOfMemory {
        /// What was being done.
        operation: String,
    },
    /// The device went away: it was reset, unplugged, or taken by the driver. Nothing on it is there any more.
    #[error("the device was lost: {message}")]
    Lost {
        /// In the driver's words.
        message: String,
    },
    /// The device or its driver failed.
    #[error("{operation}: the device reported: {message}")]
    Device {
        /// What was being done.
        operation: String,
        /// In the driver's words.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked_without_overflow() {
        assert_eq!(check_len("op", "a", &[3, 4], 12), Ok(()));
        assert_eq!(check_len("op", "a", &[0, usize::MAX], 0), Ok(()));
        let error = check_len("op", "a", &[usize::MAX, 2], usize::MAX.wrapping_mul(2)).expect_err("overflows");
        assert!(error.to_string().starts_with("op: `a` holds"), "{error}");
    }
}
