//! A value that a callback delivers and a future waits for; natively the callback may come from another thread.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

enum State<T> {
    Waiting(Option<Waker>),
    Here(T),
    Gone,
}

/// Delivers the value. Dropped without doing so, it wakes the receiver with nothing.
pub(super) struct Sender<T>(Arc<Mutex<State<T>>>);

/// Awaits the value.
pub(super) struct Receiver<T>(Arc<Mutex<State<T>>>);

/// A connected pair.
pub(super) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = Arc::new(Mutex::new(State::Waiting(None)));
    (Sender(Arc::clone(&state)), Receiver(state))
}

impl<T> Sender<T> {
    /// Delivers `value`.
    pub(super) fn send(self, value: T) {
        put(&self.0, State::Here(value));
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        put(&self.0, State::Gone);
    }
}

/// Sets the state if nothing was delivered yet.
fn put<T>(state: &Mutex<State<T>>, new: State<T>) {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if let State::Waiting(waker) = &mut *state {
        let waker = waker.take();
        *state = new;
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Receiver<T> {
    /// The value, or none if the sender went away without one.
    pub(super) async fn receive(self) -> Option<T> {
        std::future::poll_fn(|context| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match std::mem::replace(&mut *state, State::Gone) {
                State::Here(value) => Poll::Ready(Some(value)),
                State::Gone => Poll::Ready(None),
                State::Waiting(_) => {
                    *state = State::Waiting(Some(context.waker().clone()));
                    Poll::Pending
                }
            }
        })
        .await
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "drivers call back from threads of their own")]
    fn delivers_from_another_thread_or_says_that_nothing_comes() {
        let (sender, receiver) = channel();
        let thread = std::thread::spawn(move || sender.send(7));
        assert_eq!(pollster::block_on(receiver.receive()), Some(7));
        thread.join().expect("the sender's thread ends");
        let (sender, receiver) = channel::<u8>();
        drop(sender);
        assert_eq!(pollster::block_on(receiver.receive()), None);
    }
}
