//! Stopping long work from outside.
//!
//! The first Ctrl-C, SIGTERM, SIGUSR1 or SIGHUP only sets a flag; long work polls it, saves, and ends with the status
//! that [`Stop::exit`] names. A second Ctrl-C ends the program at once: outputs are written under temporary names, so that
//! leaves the old file or the new one. Short commands don't install this and end at the first signal as usual.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Whether the user or a scheduler asked for an end.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    interrupted: Arc<AtomicBool>,
    /// The number of a signal that asks for a requeue; 0: none came.
    requeue: Arc<AtomicUsize>,
}

impl Stop {
    /// Starts to listen. Call once, at the start of long work.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn listen() -> CliResult<Self> {
        let stop = Self::default();
        stop.register().map_err(|e| CliError::new(Exit::Error, format!("cannot listen for signals: {e}")))?;
        Ok(stop)
    }

    fn register(&self) -> std::io::Result<()> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        use signal_hook::flag;
        // In this order: the first Ctrl-C finds the flag unset and passes on to the second handler, which sets it.
        let at_once = i32::from(Exit::Interrupted.code());
        flag::register_conditional_shutdown(SIGINT, at_once, Arc::clone(&self.interrupted))?;
        flag::register(SIGINT, Arc::clone(&self.interrupted))?;
        flag::register_usize(SIGTERM, Arc::clone(&self.requeue), SIGTERM as usize)?;
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGHUP, SIGUSR1};
            flag::register_usize(SIGUSR1, Arc::clone(&self.requeue), SIGUSR1 as usize)?;
            // Under `nohup` the end of a terminal is nothing to stop for.
            if !is_ignored(SIGHUP) {
                flag::register_usize(SIGHUP, Arc::clone(&self.requeue), SIGHUP as usize)?;
            }
        }
        Ok(())
    }

    /// Whether to save and stop. Cheap: poll it in every step.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.exit().is_some()
    }

    /// The status to end with after saving; none: go on. A person's Ctrl-C wins over a scheduler's signal.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        if self.interrupted.load(Ordering::Relaxed) {
            Some(Exit::Interrupted)
        } else if self.requeue.load(Ordering::Relaxed) != 0 {
            Some(Exit::Requeue)
        } else {
            None
        }
    }
}

/// Whether this process was started with a signal ignored.
#[cfg(unix)]
#[expect(unsafe_code, reason = "what becomes of a signal has no safe way to be asked")]
fn is_ignored(signal: i32) -> bool {
    // SAFETY: all zeros are a value of this struct, and with no new action the call only writes to it.
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut old) == 0 && old.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    use signal_hook::low_level::raise;

    // One test: signals reach the whole process.
    #[test]
    fn signals_ask_for_a_stop() {
        for signal in [SIGTERM, SIGUSR1, SIGHUP] {
            let stop = Stop::listen().expect("listens");
            assert_eq!(stop.exit(), None);
            raise(signal).expect("raises");
            assert_eq!(stop.exit(), Some(Exit::Requeue));
        }
        let stop = Stop::listen().expect("listens");
        raise(SIGINT).expect("raises");
        assert_eq!(stop.exit(), Some(Exit::Interrupted), "the first Ctrl-C only asks");
        assert!(stop.requested());
    }
}
