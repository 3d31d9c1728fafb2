//! What takes the steps: the CPU, or kernels on a device.

use super::batch::Batch;
#[cfg(not(target_arch = "wasm32"))]
use super::device::DeviceTrainee;
use super::step::{Hyper, Optimizer, StepStats, Trainee};
#[cfg(not(target_arch = "wasm32"))]
use crate::backend::Backend;
use crate::backend::BackendError;
use crate::encoder::StaticEncoder;
use crate::parallel;

/// Takes the steps of a training.
pub trait Engine {
    /// Steps that it takes at a time; a run can be stopped between them.
    fn together(&self) -> usize;

    /// Takes the steps of `batches`, the first being step `t` (from 1), each with its learning rate.
    ///
    /// # Errors
    /// What the device reported.
    fn steps(
        &mut self,
        batches: &[Batch],
        hyper: &Hyper,
        t: u64,
        rates: &[f64],
    ) -> Result<Vec<StepStats>, BackendError>;

    /// Hands out the model and the optimiser's memory, to be saved and [put back](Engine::put).
    ///
    /// # Errors
    /// What the device reported.
    fn take(&mut self) -> Result<(StaticEncoder, Optimizer), BackendError>;

    /// Takes back, unchanged, what [`Engine::take`] handed out.
    fn put(&mut self, encoder: StaticEncoder, optimizer: Optimizer);
}

/// Makes the engine of a run from the model and the optimiser's memory.
pub type Start<'a> = &'a mut dyn FnMut(StaticEncoder, Optimizer) -> Result<Box<dyn Engine>, BackendError>;

/// The engine that is always there.
///
/// # Errors
/// None.
pub fn cpu(encoder: StaticEncoder, optimizer: Optimizer) -> Result<Box<dyn Engine>, BackendError> {
    Ok(Box::new(Trainee::new(encoder, optimizer)))
}

impl Engine for Trainee {
    fn together(&self) -> usize {
        1
    }

    fn steps(
        &mut self,
        batches: &[Batch],
        hyper: &Hyper,
        t: u64,
        rates: &[f64],
    ) -> Result<Vec<StepStats>, BackendError> {
        let steps = batches.iter().zip(rates).zip(t..);
        Ok(parallel::awake(|| steps.map(|((batch, lr), t)| self.step(batch, hyper, t, *lr)).collect()))
    }

    fn take(&mut self) -> Result<(StaticEncoder, Optimizer), BackendError> {
        Ok((std::mem::take(&mut self.encoder), std::mem::take(&mut self.optimizer)))
    }

    fn put(&mut self, encoder: StaticEncoder, optimizer: Optimizer) {
        (self.encoder, self.optimizer) = (encoder, optimizer);
        self.packed = false;
    }
}

/// Steps that go to a device at once.
#[cfg(not(target_arch = "wasm32"))]
const TOGETHER: usize = 16;

/// Waits for the device, which a page must not.
#[cfg(not(target_arch = "wasm32"))]
impl<B: Backend> Engine for DeviceTrainee<B> {
    fn together(&self) -> usize {
        TOGETHER
    }

    fn steps(
        &mut self,
        batches: &[Batch],
        hyper: &Hyper,
        t: u64,
        rates: &[f64],
    ) -> Result<Vec<StepStats>, BackendError> {
        pollster::block_on(self.record_steps(batches, hyper, t, rates))
    }

    fn take(&mut self) -> Result<(StaticEncoder, Optimizer), BackendError> {
        pollster::block_on(self.read())
    }

    /// The device still has them.
    fn put(&mut self, _encoder: StaticEncoder, _optimizer: Optimizer) {}
}
