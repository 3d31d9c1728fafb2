//! Exit statuses: the one place where an outcome becomes a number.
//!
//! Scripts and schedulers depend on these numbers; each has a test below.

use std::process::ExitCode;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All well. Also when the reader of our output went away (`crucible … | head`).
    Success,
    /// Anything without a status of its own, such as a full disk.
    Error,
    /// A command line or a configuration that can't be used.
    Usage,
    /// Input data with faults; nothing was written.
    Data,
    /// No such device, or it failed.
    Device,
    /// Two results of different evals, or of different rules.
    Fingerprint,
    /// Stopped by a guardrail, or the verdict is FAIL.
    Stopped,
    /// The verdict is INCONCLUSIVE.
    Inconclusive,
    /// SIGTERM, SIGUSR1 or SIGHUP, after saving: run the same command again and it goes on. Schedulers requeue on this.
    Requeue,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::Data => 3,
            Self::Device => 4,
            Self::Fingerprint => 5,
            Self::Stopped => 6,
            Self::Inconclusive => 7,
            Self::Requeue => 75,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test for each: a failure names the status that moved.
    macro_rules! codes {
        ($($test:ident: $exit:ident = $code:literal),* $(,)?) => {$(
            #[test]
            fn $test() {
                assert_eq!(Exit::$exit.code(), $code);
            }
        )*};
    }

    codes! {
        success_is_0: Success = 0,
        other_errors_are_1: Error = 1,
        usage_is_2: Usage = 2,
        data_is_3: Data = 3,
        device_is_4: Device = 4,
        fingerprint_is_5: Fingerprint = 5,
        stopped_is_6: Stopped = 6,
        inconclusive_is_7: Inconclusive = 7,
        requeue_is_75: Requeue = 75,
        interrupted_is_130: Interrupted = 130,
    }
}
