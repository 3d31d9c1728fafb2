//! What a device reports, as errors.
//!
//! A kernel that fails leaves its output as it was, and a recycled buffer then holds plausible old numbers. So every
//! creation and submission runs inside error scopes. Browsers answer a scope later: the answers are kept here and asked
//! for before any data is handed out.

use crate::backend::BackendError;
use std::cell::RefCell;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

type Answer = Pin<Box<dyn Future<Output = Option<BackendError>>>>;

/// What may have gone wrong on a device since it was last asked.
pub(super) struct Faults {
    /// Scopes whose answer is not in yet, oldest first.
    open: RefCell<Vec<Answer>>,
    /// The first error that was answered and not handed on yet.
    first: RefCell<Option<BackendError>>,
    /// Once the device is lost, or reported something outside of every scope, nothing from it is trusted again.
    fatal: Arc<Mutex<Option<BackendError>>>,
}

impl Faults {
    /// Watches `device`.
    pub(super) fn watch(device: &wgpu::Device) -> Self {
        let fatal = Arc::new(Mutex::new(None));
        let note = || {
            let fatal = Arc::clone(&fatal);
            move |error: BackendError| {
                fatal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        };
        let uncaptured = note();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            uncaptured(reported("outside of any operation", &error));
        }));
        // Also when it was destroyed by us: whoever still asks it for data must get none.
        let lost = note();
        device.set_device_lost_callback(move |_, message| lost(BackendError::Lost { message }));
        Self { open: RefCell::default(), first: RefCell::default(), fatal }
    }

    /// Runs `work` on `device` inside scopes; their answer waits for [`Faults::settle`].
    pub(super) fn scoped<T>(&self, device: &wgpu::Device, operation: &str, work: impl FnOnce() -> T) -> T {
        let (value, answer) = scope(device, operation, work);
        let mut answer: Answer = Box::pin(answer);
        // Natively the answer is there at once; keeping only late ones bounds the list in loops that never download.
        match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(None) => {}
            Poll::Ready(Some(error)) => self.keep(error),
            Poll::Pending => self.open.borrow_mut().push(answer),
        }
        value
    }

    /// Notes an error; the first one counts.
    pub(super) fn keep(&self, error: BackendError) {
        self.first.borrow_mut().get_or_insert(error);
    }

    /// Waits for all answers.
    ///
    /// # Errors
    /// The first error since the last call; or for ever, what broke the device.
    pub(super) async fn settle(&self) -> Result<(), BackendError> {
        let open = self.open.take();
        for answer in open {
            if let Some(error) = answer.await {
                self.keep(error);
            }
        }
        if let Some(error) = self.fatal.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(error);
        }
        self.first.take().map_or(Ok(()), Err)
    }
}

/// Runs `work` inside scopes of all kinds, and returns its value and, later, the first error.
pub(super) fn scope<T>(
    device: &wgpu::Device,
    operation: &str,
    work: impl FnOnce() -> T,
) -> (T, impl Future<Output = Option<BackendError>> + 'static) {
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let value = work();
    // Popped now, innermost first; awaited later.
    let answers = (validation.pop(), internal.pop(), memory.pop());
    let operation = operation.to_owned();
    let answer = async move {
        // All are awaited, so that none is left to answer into the void.
        let error = (answers.0.await, answers.1.await, answers.2.await);
        // Out of memory comes first: what could not be made is invalid, too.
        let error = error.2.or(error.1).or(error.0)?;
        Some(reported(&operation, &error))
    };
    (value, answer)
}

fn reported(operation: &str, error: &wgpu::Error) -> BackendError {
    let operation = operation.to_owned();
    match error {
        wgpu::Error::OutOfMemory { .. } => BackendError::OutOfMemory { operation },
        _ => BackendError::Device { operation, message: error.to_string() },
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn no_memory_is_told_from_other_errors() {
        let source = || Box::new(std::io::Error::other("a driver's words"));
        let error = reported("upload", &wgpu::Error::OutOfMemory { source: source() });
        assert_eq!(error, BackendError::OutOfMemory { operation: "upload".to_owned() });
        let invalid = wgpu::Error::Validation { source: source(), description: "a wrong size".to_owned() };
        let error = reported("upload", &invalid);
        assert!(matches!(&error, BackendError::Device { operation, .. } if operation == "upload"), "{error}");
    }
}
