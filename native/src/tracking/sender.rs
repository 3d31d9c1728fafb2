//! The thread that sends a run's journal while the run goes on.
//!
//! It sleeps until there is news, gathers some, and delivers. While the server is down it tries again, ever more seldom.
//! Whoever ends a run waits for it a little, and no longer: what is not sent then stays in the folder.

use super::deliver::deliver;
use super::server::{Failure, Server};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// News of this long go out together.
const GATHER: Duration = Duration::from_secs(1);
/// After the first failure; twice as long after each further one.
const RETRY: Duration = Duration::from_secs(5);
const MAX_RETRY: Duration = Duration::from_secs(60);
/// How long the end of a run waits for the last of it.
const END: Duration = Duration::from_secs(20);

#[derive(Default)]
struct State {
    news: bool,
    ending: bool,
    done: bool,
    failure: Option<Failure>,
    refused: u64,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `enough`, or for `most`.
    fn wait(&self, most: Duration, enough: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waiting = self.changed.wait_timeout_while(self.lock(), most, |state| !enough(state));
        waiting.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// How the sending ended.
pub(super) struct Outcome {
    /// Why something is left; none: nothing is.
    pub(super) failure: Option<Failure>,
    /// What the server did not take.
    pub(super) refused: u64,
}

pub(super) struct Sender(Arc<Shared>);

impl Sender {
    /// Starts the thread.
    pub(super) fn start(dir: PathBuf, server: Arc<Server>) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new().name("tracking".to_owned()).spawn(move || {
            send(&of_thread, &dir, &server);
            of_thread.lock().done = true;
            of_thread.changed.notify_all();
        })?;
        Ok(Self(shared))
    }

    /// There is something new in the journal.
    pub(super) fn news(&self) {
        let mut state = self.0.lock();
        // It is asked once for all that comes meanwhile.
        if !state.news {
            state.news = true;
            self.0.changed.notify_all();
        }
    }

    /// Sends the last of it, if that does not take long.
    pub(super) fn end(self) -> Outcome {
        self.0.lock().ending = true;
        self.0.changed.notify_all();
        let mut state = self.0.wait(END, |state| state.done);
        let late = || Failure::Down("it did not take everything in time".to_owned());
        let failure = if state.done { state.failure.take() } else { Some(state.failure.take().unwrap_or_else(late)) };
        Outcome { failure, refused: state.refused }
    }
}

fn send(shared: &Shared, dir: &Path, server: &Server) {
    let mut pause = RETRY;
    let mut failed = server.was_down();
    loop {
        let waiting = shared.changed.wait_while(shared.lock(), |state| !state.news && !state.ending);
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
        let mut gathered = shared.wait(if failed { pause } else { GATHER }, |state| state.ending);
        let ending = gathered.ending;
        gathered.news = false;
        drop(gathered);
        // A server that was down a moment ago is asked first: that takes a second at most.
        if ending && failed && !server.answers() {
            shared.lock().failure.get_or_insert_with(|| Failure::Down("it does not answer".to_owned()));
            return;
        }
        let (failure, refused) = match deliver(dir, server, false) {
            Ok(delivery) => (delivery.failure, delivery.sent.refused),
            Err(failure) => (Some(failure), 0),
        };
        pause = if failed { (pause * 2).min(MAX_RETRY) } else { RETRY };
        failed = failure.is_some();
        server.is_down(failed);
        let mut state = shared.lock();
        // It is tried again, whether or not there is more.
        state.news |= failed;
        (state.failure, state.refused) = (failure, refused);
        if ending {
            return;
        }
    }
}
