//! What a run has done so far, kept beside its output.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::{io, output};
use crucible_core::data::hex;
use crucible_core::mining::{Mined, Seconds};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is before and after the SHA-256 of the state's own text.
const SHA256: [&str; 2] = ["{\"sha256\":\"", "\",\"state\":"];
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
    /// Whether there is a file.
    there: bool,
}

impl Keeper {
    /// Finds the state of a run, or makes sure that there is none.
    ///
    /// # Errors
    /// A state of another run (2); one that can't be read or removed.
    pub(super) fn open(path: &Path, run: String, resume: bool, every: Duration) -> CliResult<Self> {
        let mut keeper = Self { path: path.to_owned(), run, found: None, every, saved: Instant::now(), there: false };
        if !resume {
            keeper.remove()?;
        } else if path.exists() {
            keeper.found = Some(keeper.read()?);
            keeper.there = true;
        }
        Ok(keeper)
    }

    fn read(&self) -> CliResult<State> {
        let bytes = io::read_bytes(&self.path, MAX_STATE_BYTES)?;
        let refused = |what: String| {
            let message = format!("{} {what}", self.path.display());
            CliError::usage(message).advise("start over with --force instead of --resume, which removes it")
        };
        let damaged = |what: String| {
            CliError::new(Exit::Data, format!("{} is no state of a run, or a damaged one: {what}", self.path.display()))
                .advise("put back a copy of it, or start over with --force instead of --resume")
        };
        let text = checked(&bytes).ok_or_else(|| damaged("its checksum does not hold".to_owned()))?;
        let state: State = serde_json::from_slice(text).map_err(|e| damaged(e.to_string()))?;
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
        let text = serde_json::to_string(state)
            .map_err(|e| CliError::new(Exit::Error, format!("the state has no JSON form: {e}")))?;
        output::write_file(&self.path, sealed(&text).as_bytes())?;
        self.there = true;
        self.saved = Instant::now();
        Ok(())
    }

    /// Saves if there is no state yet: results are about to appear one after the other, and a run that is killed between two of
    /// them has to be known as one that goes on.
    ///
    /// # Errors
    /// As [`Keeper::save`].
    pub(super) fn save_once(&mut self, state: &State) -> CliResult<()> {
        if self.there { Ok(()) } else { self.save(state) }
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

/// A state's text with its hash.
fn sealed(text: &str) -> String {
    let [before, after] = SHA256;
    format!("{before}{}{after}{text}}}", hex(&Sha256::digest(text)))
}

/// The state's text, if its hash holds.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let [before, after] = SHA256;
    let rest = bytes.strip_prefix(before.as_bytes())?;
    let (hash, rest) = rest.split_at_checked(64)?;
    let text = rest.strip_prefix(after.as_bytes())?.strip_suffix(b"}")?;
    (hex(&Sha256::digest(text)).as_bytes() == hash).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_with_a_flipped_bit_is_found() {
        let text = r#"{"run":"a","next":12}"#;
        let whole = sealed(text).into_bytes();
        assert_eq!(checked(&whole), Some(text.as_bytes()));
        assert!(serde_json::from_slice::<serde_json::Value>(&whole).expect("JSON")["state"]["next"] == 12);
        for at in 0..whole.len() {
            let mut other = whole.clone();
            other[at] ^= 1;
            assert_eq!(checked(&other), None, "byte {at}");
        }
        for length in 0..whole.len() {
            assert_eq!(checked(&whole[..length]), None, "cut to {length} bytes");
        }
    }
}
