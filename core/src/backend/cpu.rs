//! The backend that is always there: `Vec<f32>`, the fast CPU form of operations that have one, and the kernels' twins.

use super::{Backend, BackendError, SimilarityShape};
use crate::kernels::matmul::has_tiles;
use crate::kernels::{self, Access, Argument, similarity};
use std::cell::{Ref, RefCell, RefMut};

/// Computes at once, on the calling thread and, with the `parallel` feature, its pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuBackend;

/// Numbers in memory; a kernel borrows those that it binds.
#[derive(Debug, Default)]
pub struct CpuBuffer(RefCell<Vec<f32>>);

enum Borrowed<'a> {
    Read(Ref<'a, Vec<f32>>),
    Write(RefMut<'a, Vec<f32>>),
}

/// The widest vectors that kernels use on this processor, and its matrix tiles where they do, for people.
#[must_use]
pub fn instruction_set() -> String {
    let vectors = match pulp::Arch::new() {
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
    };
    vectors.to_owned() + if has_tiles() { ", AMX" } else { "" }
}

impl Backend for CpuBackend {
    type Buffer = CpuBuffer;

    fn name(&self) -> &str {
        "CPU"
    }

    fn max_len(&self) -> usize {
        usize::MAX
    }

    fn upload(&self, values: &[f32]) -> Result<CpuBuffer, BackendError> {
        Ok(CpuBuffer(RefCell::new(values.to_vec())))
    }

    fn zeros(&self, len: usize) -> Result<CpuBuffer, BackendError> {
        Ok(CpuBuffer(RefCell::new(vec![0.0; len])))
    }

    fn len(&self, buffer: &CpuBuffer) -> usize {
        buffer.0.borrow().len()
    }

    async fn download(&self, buffer: &CpuBuffer) -> Result<Vec<f32>, BackendError> {
        Ok(buffer.0.borrow().clone())
    }

    /// Runs the kernel's twin: slow, for comparison.
    fn dispatch(
        &self,
        name: &'static str,
        uniform: &[u8],
        buffers: &[&CpuBuffer],
        _groups: u64,
    ) -> Result<(), BackendError> {
        let mismatch = |expected: String, got: String| BackendError::Interface { operation: name, expected, got };
        let kernel = kernels::kernel(name).ok_or_else(|| mismatch("a kernel of that name".into(), "none".into()))?;
        let bindings = kernel.interface.bindings;
        if bindings.len() != buffers.len() + 1 {
            return Err(mismatch(format!("{} bindings", bindings.len()), format!("{}", buffers.len() + 1)));
        }
        let taken = || mismatch("each buffer bound once".into(), "one bound twice".into());
        let mut borrowed = Vec::new();
        for (access, buffer) in bindings[1..].iter().zip(buffers) {
            borrowed.push(match access {
                Access::ReadWrite => Borrowed::Write(buffer.0.try_borrow_mut().map_err(|_| taken())?),
                _ => Borrowed::Read(buffer.0.try_borrow().map_err(|_| taken())?),
            });
        }
        let mut arguments = vec![Argument::Uniform(uniform)];
        arguments.extend(borrowed.iter_mut().map(|b| match b {
            Borrowed::Read(b) => Argument::Read(b),
            Borrowed::Write(b) => Argument::ReadWrite(b),
        }));
        (kernel.twin)(&mut arguments);
        Ok(())
    }

    fn similarity(
        &self,
        a: &CpuBuffer,
        b: &CpuBuffer,
        out: &mut CpuBuffer,
        shape: SimilarityShape,
    ) -> Result<(), BackendError> {
        let (a, b, out) = (a.0.borrow(), b.0.borrow(), out.0.get_mut());
        shape.check(a.len(), b.len(), out.len())?;
        similarity::fast(&a, &b, out, shape.n, shape.m, shape.d);
        Ok(())
    }
}
