//! `crucible capsule`: an archive that holds all that is needed to check and repeat a run.

mod archive;
mod gather;
mod git;
mod keygen;
mod keys;
mod list;
mod pack;
mod rerun;
mod unpack;
mod verify;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::{io, training, vectors};
use crucible_core::capsule::{Limits, Signature, VECTORS_FOLDER, plain_name};
use crucible_core::config::{Config, Sources, resolve};
use crucible_core::data::Event;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What to do with capsules.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Pack a run, or a trial of a sweep, with all that belongs to it
    Pack(pack::Args),
    /// Unpack a capsule into a new folder, once all of it holds
    Unpack(unpack::Args),
    /// Check hashes, checkpoint, scoreboards and signature, and train again
    Verify(verify::Args),
    /// List what a capsule says it holds
    List(list::Args),
    /// Make a pair of keys to sign capsules with
    Keygen(keygen::Args),
}

/// Runs one of them.
///
/// # Errors
/// Files that can't be read or written, a capsule that is refused or does not hold (exit status 3).
pub fn run(action: &Action, ctx: &Context) -> CliResult<Exit> {
    match action {
        Action::Pack(args) => pack::run(args, ctx),
        Action::Unpack(args) => unpack::run(args, ctx),
        Action::Verify(args) => verify::run(args, ctx),
        Action::List(args) => list::run(args, ctx),
        Action::Keygen(args) => keygen::run(args, ctx),
    }
}

/// A capsule to be read, and what has to hold for it.
#[derive(Debug, clap::Args)]
pub struct Source {
    /// The capsule (.tar.zst)
    #[arg(value_name = "FILE")]
    pub capsule: PathBuf,
    /// Refuses a capsule that was not signed with this key: a minisign .pub file, or the key itself
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<String>,
    /// The signature; without it beside the capsule: F.minisig
    #[arg(long, value_name = "FILE", requires = "public_key")]
    pub signature: Option<PathBuf>,
    /// Refuses a capsule that unpacks to more (K, M, G for powers of 1024)
    #[arg(long, value_name = "BYTES", default_value = "4G", value_parser = bytes)]
    pub max_bytes: u64,
    /// Refuses a capsule of more files
    #[arg(long, value_name = "N", default_value_t = Limits::default().entries)]
    pub max_entries: usize,
}

impl Source {
    fn limits(&self) -> Limits {
        Limits { bytes: self.max_bytes, entries: self.max_entries }
    }

    /// The open file; its signature holds, if one was asked for.
    fn open(&self, ctx: &Context) -> CliResult<(File, Option<Signature>)> {
        let key = self.public_key.as_deref().map(keys::public_key).transpose()?;
        let mut file = io::open_raw(&self.capsule)?;
        let path = self.signature.clone().unwrap_or_else(|| keys::signature_beside(&self.capsule));
        let signature = match key {
            Some(key) => Some(keys::verify(&self.capsule, &mut file, &path, &key)?),
            None if path.exists() => {
                ctx.reporter.note(format!("{} was not looked at; --public-key KEY checks it", path.display()));
                None
            }
            None => None,
        };
        Ok((file, signature))
    }
}

/// What an adapter reads, unpacked in `dir`; nothing where the run read no ready vectors, or none were packed.
fn packed_vectors(config: &Config, dir: &Path) -> Option<vectors::Source> {
    let vectors::Source::File { vectors, ids } = training::ready(config)? else { return None };
    let place = |path: &Path| dir.join(packed_name(VECTORS_FOLDER, path));
    let (vectors, ids) = (place(&vectors), place(&ids));
    vectors.is_file().then_some(vectors::Source::File { vectors, ids })
}

/// The events of an eval set with the vectors that an adapter reads; nothing where they have their own, and where the model
/// reads texts.
fn with_vectors(ready: Option<&vectors::Source>, path: &Path, events: &[Event]) -> CliResult<Option<Vec<Event>>> {
    match ready.map(|ready| ready.given_to(path, events)) {
        // Which of the two it was scored with is not on record.
        Some(Err(_)) if events.iter().all(|event| event.embedding.is_some()) => Ok(None),
        given => given.transpose(),
    }
}

/// What a file of the user's is called in a folder of a capsule.
fn packed_name(folder: &str, path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{folder}{}", plain_name(&name))
}

/// `4G`, `500M`, `1048576`.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => Some(0),
        "K" | "KIB" => Some(10),
        "M" | "MIB" => Some(20),
        "G" | "GIB" => Some(30),
        "T" | "TIB" => Some(40),
        _ => None,
    };
    let scaled = |shift: u32| digits.parse::<u64>().ok()?.checked_mul(1 << shift);
    shift.and_then(scaled).ok_or_else(|| "expected bytes such as 1048576, 500M or 4G".to_owned())
}

/// A run's own `config.yaml`: whole as `train` writes it, so that neither other files nor the environment have a say.
fn config_of(path: &Path) -> CliResult<Config> {
    let text = io::read_text(path, crucible_core::config::MAX_CONFIG_BYTES)?;
    let read = |file: &Path| {
        let alone = || std::io::Error::other("the config.yaml of a run extends no other file");
        if file == path { Ok(text.clone()) } else { Err(alone()) }
    };
    let sources = Sources { file: Some(path), read: &read, env: &|_| None, flags: &[] };
    let resolved = resolve(sources).map_err(|faults| CliError::new(Exit::Data, faults.to_string()))?;
    Ok(resolved.config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, size) in [("0", 0), ("512", 512), ("4G", 4 << 30), ("2kib", 2048), ("1M", 1 << 20), ("3T", 3 << 40)]
        {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for bad in ["", "G", "1.5G", "-1", "1X", "99999999999999999999", "18446744073709551615K", "4é"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
