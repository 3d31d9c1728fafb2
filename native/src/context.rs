//! What every command needs: the global flags, the configuration, the way to the standard error.

use crate::cli::Global;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::progress::Reporter;
use crate::{io, output};
use crucible_core::config::{Config, ConfigFaults, MAX_CONFIG_BYTES, Override, Resolved, Sources, resolve};
use serde::Serialize;
use std::io::{ErrorKind, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// The configuration that is read when nobody names one.
const DEFAULT_CONFIG: &str = "crucible.yaml";
/// More threads than this are a slip.
const MAX_THREADS: usize = 1024;

/// What every command needs.
pub struct Context {
    /// Flags of every command.
    pub global: Global,
    /// The way to the standard error.
    pub reporter: Reporter,
    overrides: Vec<Override>,
}

impl Context {
    /// A context of flags and dotted flags.
    #[must_use]
    pub fn new(global: Global, mut overrides: Vec<Override>, reporter: Reporter) -> Self {
        if let Some(device) = &global.device {
            overrides.push(Override::named("--device", "device.type", device));
        }
        Self { global, reporter, overrides }
    }

    /// The same context for work inside other work ([`Reporter::within`]).
    #[must_use]
    pub fn within(&self) -> Self {
        Self { global: self.global.clone(), reporter: self.reporter.within(), overrides: self.overrides.clone() }
    }

    /// The configuration file: the one that was named, or `./crucible.yaml` if it is there.
    #[must_use]
    pub fn config_path(&self) -> Option<PathBuf> {
        let named = self.global.config.clone().filter(|path| !path.as_os_str().is_empty());
        named.or_else(|| Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| path.exists()))
    }

    /// The resolved configuration; its warnings are printed.
    ///
    /// # Errors
    /// All its faults, with exit status 2.
    pub fn resolved(&self) -> CliResult<Resolved> {
        self.resolved_with(&[])
    }

    /// The resolved configuration with a command's own flags for its keys (`--steps` for `training.steps`), which win
    /// over everything but dotted flags. Its warnings are printed.
    ///
    /// # Errors
    /// All its faults, with exit status 2.
    pub fn resolved_with(&self, flags: &[Override]) -> CliResult<Resolved> {
        let file = self.config_path();
        let flags: Vec<Override> = flags.iter().chain(&self.overrides).cloned().collect();
        let env = |name: &str| std::env::var(name).ok();
        let sources = Sources { file: file.as_deref(), read: &read_config, env: &env, flags: &flags };
        let resolved = resolve(sources).map_err(|faults| self.config_error(&faults, file.as_deref()))?;
        for warning in &resolved.warnings {
            self.reporter.warn(warning);
        }
        Ok(resolved)
    }

    /// The values alone.
    ///
    /// # Errors
    /// As [`Context::resolved`].
    pub fn config(&self) -> CliResult<Config> {
        Ok(self.resolved()?.config)
    }

    fn config_error(&self, faults: &ConfigFaults, file: Option<&Path>) -> CliError {
        let error = CliError::from(faults.clone());
        match file {
            Some(file) if !file.exists() => {
                let hint = io::open(file).err().and_then(|e| e.advice);
                let from_env = std::env::var_os("CRUCIBLE_CONFIG").is_some_and(|v| v == *file);
                let who = if from_env { "CRUCIBLE_CONFIG names it" } else { "`crucible init DIR` writes one" };
                error.advise(hint.unwrap_or_else(|| who.to_owned()))
            }
            _ => error,
        }
    }

    /// Prints a result: as JSON with `--json`, else as text.
    ///
    /// # Errors
    /// The output can't be written.
    pub fn print<T: Serialize + ?Sized>(&self, json: &T, text: &str) -> CliResult<()> {
        self.reporter.above(|| if self.global.json { output::print_json(json) } else { output::print(text) })
    }
}

impl From<ConfigFaults> for CliError {
    fn from(faults: ConfigFaults) -> Self {
        Self::new(Exit::Usage, faults.to_string())
    }
}

/// Reads a configuration file, never more than is allowed.
pub(crate) fn read_config(path: &Path) -> std::io::Result<String> {
    let file = std::fs::File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(std::io::Error::new(ErrorKind::IsADirectory, "it is a folder; name the file inside it"));
    }
    let mut text = String::new();
    // One byte more than is allowed, so that the resolver sees that there is more.
    file.take(MAX_CONFIG_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

/// Where downloads and derived files are kept: `CRUCIBLE_CACHE_DIR`, else the user's cache folder.
#[must_use]
pub fn cache_dir() -> PathBuf {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    var("CRUCIBLE_CACHE_DIR")
        .or_else(|| Some(var("XDG_CACHE_HOME")?.join("crucible")))
        .or_else(|| Some(var("LOCALAPPDATA")?.join("crucible")))
        .or_else(|| Some(var("HOME")?.join(".cache").join("crucible")))
        .unwrap_or_else(|| std::env::temp_dir().join("crucible"))
}

/// Sets how many threads compute. Results don't depend on it.
///
/// # Errors
/// Too many, or the system refuses them.
pub fn start_threads(threads: Option<NonZeroUsize>) -> CliResult<()> {
    let Some(threads) = threads.map(NonZeroUsize::get) else { return Ok(()) };
    if threads > MAX_THREADS {
        return Err(CliError::usage(format!("--threads {threads}: at most {MAX_THREADS} are started")));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|e| CliError::new(Exit::Error, format!("cannot start {threads} threads: {e}")))
}
