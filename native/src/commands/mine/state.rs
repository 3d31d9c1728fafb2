//! What a run has done so far, kept beside its output.

use crate::error::{CliError, CliResult};
use crate::{io, output};
use crucible_core::mining::{Mined, Seconds};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The largest state that is read.
const MAX_STATE_BYTES: usize = 4 << 30;

/// What a run has done.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// What it belongs to.
    run: String,
    /// The next batch.
    pub(super) next: usize,
    /// What those before it gave.
    pub(super) mined: Mined,
    /// Where the time went.
    pub(super) seconds: Seconds,
}

/// Keeps the state in its file.
pub(super) struct Keeper {
    path: PathBuf,
    run: String,
    /// As found.
    found: Option<State>,
    every: Duration,
    saved: Instant,
}

impl Keeper {
    /// Finds the state of a run, or makes sure that there is none.
    ///
    /// # Errors
    /// A state of another run (2); one that can't be read or removed.
    pub(super) fn open(path: &Path, run: String, resume: bool, every: Duration) -> CliResult<Self> {
        let mut keeper = Self { path: path.to_owned(), run, found: None, every, saved: Instant::now() };
        if !resume {
            keeper.remove()?;
        } else if path.exists() {
            keeper.found = Some(keeper.read()?);
        }
        Ok(keeper)
    }

    fn read(&self) -> CliResult<State> {
        let bytes = io::read_bytes(&self.path, MAX_STATE_BYTES)?;
        let refused = |what: String| {
            let message = format!("{} {what}", self.path.display());
            CliError::usage(message).advise("start over without --resume, which removes it")
        };
        let state: State = serde_json::from_slice(&bytes).map_err(|e| refused(format!("is no state of a run: {e}")))?;
        if state.run != self.run {
            return Err(refused("belongs to a run with other settings, events, bundles, models or version".to_owned()));
        }
        Ok(state)
    }

    /// The state to go on from; what came before the work took `seconds` this time.
    pub(super) fn state(&mut self, seconds: Seconds) -> State {
        let mut state = self.found.take().unwrap_or_else(|| State { run: self.run.clone(), ..State::default() });
        let Seconds { read, embed, prepare, search, validate, null, write } = seconds;
        let all = &mut state.seconds;
        for (to, part) in [
            (&mut all.read, read),
            (&mut all.embed, embed),
            (&mut all.prepare, prepare),
            (&mut all.search, search),
            (&mut all.validate, validate),
            (&mut all.null, null),
            (&mut all.write, write),
        ] {
            *to += part;
        }
        state
    }

    /// Saves.
    ///
    /// # Errors
    /// The file can't be written.
    pub(super) fn save(&mut self, state: &State) -> CliResult<()> {
        let bytes = serde_json::to_vec(state)
            .map_err(|e| CliError::new(crate::exit::Exit::Error, format!("the state has no JSON form: {e}")))?;
        output::write_file(&self.path, &bytes)?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Saves if it has been a while.
    ///
    /// # Errors
    /// As [`Keeper::save`].
    pub(super) fn save_in_time(&mut self, state: &State) -> CliResult<()> {
        if self.saved.elapsed() >= self.every { self.save(state) } else { Ok(()) }
    }

    /// Removes the file, if it is there.
    ///
    /// # Errors
    /// It can't be removed.
    pub(super) fn remove(&self) -> CliResult<()> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(CliError::io("remove", &self.path, &e)),
            _ => Ok(()),
        }
    }
}
