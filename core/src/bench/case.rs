//! One kernel on one problem.

use crate::backend::cpu::CpuBackend;
use crate::backend::{Backend, BackendError};
use crate::kernels::{self, Access, Problem};

/// Operations and bytes of one run; [the module](super) says how they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Operations on numbers.
    pub flops: u64,
    /// Bytes that come from memory or go to it.
    pub bytes: u64,
}

/// How large problems are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// So small that a twin computes it at once.
    Check,
    /// For software adapters and CPUs.
    Quick,
    /// For GPUs.
    Full,
}

/// What a buffer begins with.
pub(super) enum Start {
    Numbers(Vec<f32>),
    /// So many that are to be written.
    Unwritten(usize),
}

impl Start {
    /// Numbers in the buffer.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Unwritten(len) => *len,
        }
    }
}

/// The fast form on the CPU: does to the buffers what the kernel does.
pub(super) type Host = Box<dyn Fn(&mut [Vec<f32>])>;

/// One kernel on one problem.
pub struct Case {
    /// The kernel's name.
    pub kernel: &'static str,
    /// The problem, for people.
    pub problem: String,
    /// What it costs.
    pub work: Work,
    pub(super) uniform: Vec<u8>,
    pub(super) groups: u64,
    pub(super) buffers: Vec<Start>,
    pub(super) host: Option<Host>,
}

/// A case whose buffers are on a device.
pub struct Loaded<B: Backend> {
    /// The kernel's name.
    pub kernel: &'static str,
    /// Bytes of the uniform.
    pub uniform: Vec<u8>,
    /// The other bindings.
    pub buffers: Vec<B::Buffer>,
    /// Workgroups.
    pub groups: u64,
}

/// What comparing with the twin gave: nothing, or what is wrong.
pub type Checked = Result<(), String>;

/// How far a kernel may be from its twin before it is not timed. The conformance suite has the tight bounds; this one tells
/// a broken kernel from a sound one.
const APART: f32 = 1e-3;

impl Case {
    pub(super) fn new<P: Problem>(problem: P, label: String, work: Work, buffers: Vec<Start>) -> Self {
        let uniform = bytemuck::bytes_of(&problem).to_vec();
        Self { kernel: P::KERNEL, problem: label, work, uniform, groups: problem.groups(), buffers, host: None }
    }

    /// With a fast form on the CPU.
    pub(super) fn host(self, host: impl Fn(&mut [Vec<f32>]) + 'static) -> Self {
        Self { host: Some(Box::new(host)), ..self }
    }

    /// Whether the CPU has a form of its own.
    #[must_use]
    pub fn has_host_form(&self) -> bool {
        self.host.is_some()
    }

    /// Brings the buffers to `backend`.
    ///
    /// # Errors
    /// When they have no room there.
    pub fn load<B: Backend>(&self, backend: &B) -> Result<Loaded<B>, BackendError> {
        let put = |start: &Start| match start {
            Start::Numbers(numbers) => backend.upload(numbers),
            Start::Unwritten(len) => backend.zeros(*len),
        };
        let buffers = self.buffers.iter().map(put).collect::<Result<_, _>>()?;
        Ok(Loaded { kernel: self.kernel, uniform: self.uniform.clone(), buffers, groups: self.groups })
    }

    /// The buffers in memory, for [`Case::run_host`].
    #[must_use]
    pub fn host_buffers(&self) -> Vec<Vec<f32>> {
        let of = |start: &Start| match start {
            Start::Numbers(numbers) => numbers.clone(),
            Start::Unwritten(len) => vec![0.0; *len],
        };
        self.buffers.iter().map(of).collect()
    }

    /// Runs the CPU's own form, if there is one.
    pub fn run_host(&self, buffers: &mut [Vec<f32>]) {
        if let Some(host) = &self.host {
            host(buffers);
        }
    }

    /// Compares the kernel on `backend` with its twin.
    ///
    /// # Errors
    /// When the device failed.
    pub async fn check<B: Backend>(&self, backend: &B) -> Result<Checked, BackendError> {
        let (loaded, twin) = (self.load_marked(backend)?, self.load_marked(&CpuBackend)?);
        loaded.dispatch(backend)?;
        twin.dispatch(&CpuBackend)?;
        for (number, access) in self.accesses() {
            if access == Access::ReadWrite {
                let got = backend.download(&loaded.buffers[number]).await?;
                let expected = CpuBackend.download(&twin.buffers[number]).await?;
                if let Err(why) = self.compare(number, &got, &expected) {
                    return Ok(Err(why));
                }
            }
        }
        Ok(Ok(()))
    }

    /// Compares the CPU's own form with the kernel's twin.
    ///
    /// # Errors
    /// When the twin does not fit its kernel.
    pub async fn check_host(&self) -> Result<Checked, BackendError> {
        let twin = self.load_marked(&CpuBackend)?;
        twin.dispatch(&CpuBackend)?;
        let mut buffers = self.host_buffers();
        self.run_host(&mut buffers);
        for (number, access) in self.accesses() {
            let expected = CpuBackend.download(&twin.buffers[number]).await?;
            if access == Access::ReadWrite
                && let Err(why) = self.compare(number, &buffers[number], &expected)
            {
                return Ok(Err(why));
            }
        }
        Ok(Ok(()))
    }

    /// As [`Case::load`], with NaN where a kernel must write.
    fn load_marked<B: Backend>(&self, backend: &B) -> Result<Loaded<B>, BackendError> {
        let mut loaded = self.load(backend)?;
        for (buffer, start) in loaded.buffers.iter_mut().zip(&self.buffers) {
            if let Start::Unwritten(len) = start {
                *buffer = backend.upload(&vec![f32::NAN; *len])?;
            }
        }
        Ok(loaded)
    }

    /// Bindings after the uniform.
    fn accesses(&self) -> impl Iterator<Item = (usize, Access)> {
        let bindings = kernels::kernel(self.kernel).map_or(&[][..], |kernel| kernel.interface.bindings);
        bindings.iter().skip(1).copied().enumerate()
    }

    fn compare(&self, number: usize, got: &[f32], expected: &[f32]) -> Checked {
        let (got, expected) = (self.numbers(got), self.numbers(expected));
        if got.len() != expected.len() {
            return Err(format!("output {number} has {} numbers, expected {}", got.len(), expected.len()));
        }
        for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
            // Not the other way round: NaN is never near.
            let near = (got - expected).abs() <= APART + APART * expected.abs();
            if !near {
                return Err(format!("output {number} is {got} at {at}, expected {expected}"));
            }
        }
        Ok(())
    }

    /// An output as numbers: that of `to_f16` holds two in a word.
    fn numbers(&self, output: &[f32]) -> Vec<f32> {
        if self.kernel != "to_f16" {
            return output.to_vec();
        }
        let halves = output.iter().flat_map(|word| [word.to_bits() as u16, (word.to_bits() >> 16) as u16]);
        halves.map(|bits| half::f16::from_bits(bits).to_f32()).collect()
    }
}

impl<B: Backend> Loaded<B> {
    /// Asks for one run.
    ///
    /// # Errors
    /// As [`Backend::dispatch`].
    pub fn dispatch(&self, backend: &B) -> Result<(), BackendError> {
        let buffers: Vec<&B::Buffer> = self.buffers.iter().collect();
        backend.dispatch(self.kernel, &self.uniform, &buffers, self.groups)
    }
}
