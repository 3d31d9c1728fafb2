//! What a run tells a tracker: an MLflow server, TensorBoard's event files, or both.
//!
//! A tracker decides nothing of a run and holds nothing up. Event files are written as the run's own log is. For MLflow the
//! run writes a [`journal`] into its folder; a thread (`sender`) sends what is in it ([`deliver`]), and what it could not
//! send waits there for `crucible sync`. What goes wrong with a tracker is a warning.

mod artifacts;
pub mod deliver;
mod events;
pub mod journal;
mod sender;
pub mod sent;
mod server;

pub use server::{Failure, Server, URI};

use crate::error::CliResult;
use crate::output;
use crate::progress::Reporter;
use crucible_core::config::{Config, Tracking, decides};
use crucible_core::curriculum::CELL_NAMES;
use crucible_core::eval::{Scoreboard, Summary};
use crucible_core::sweep::Truth;
use events::EventFile;
use journal::{Entry, JOURNAL, Journal, Metrics, Number, Start, Status};
use sender::Sender;
use sent::SENT;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a tracker is told of a run before anything happens.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its name.
    pub name: String,
    /// The way from its folder to that of the run it is a part of, such as `../..`.
    pub parent: Option<String>,
    /// What is said about it, such as its condition.
    pub tags: BTreeMap<String, String>,
    /// Its settings.
    pub params: BTreeMap<String, String>,
}

/// The tracker of one run. It is silent until [`Run::begin`].
pub struct Run {
    dir: PathBuf,
    tracking: Tracking,
    server: Option<Arc<Server>>,
    about: About,
    /// What `crucible sync` is to be given.
    synced: PathBuf,
    reporter: Reporter,
    open: Mutex<Option<Open>>,
}

/// What is written to. One that failed is not written to again.
struct Open {
    journal: Option<Journal>,
    sender: Option<Sender>,
    events: Option<EventFile>,
    /// Groups and steps that the journal has.
    seen: BTreeSet<(String, u64)>,
}

impl Run {
    /// The tracker of a run in `dir`; `synced` is the folder that the user knows: the run's, or its sweep's. Without a server
    /// the journal is only written.
    #[must_use]
    pub fn new(
        dir: &Path,
        synced: &Path,
        tracking: &Tracking,
        server: Option<Arc<Server>>,
        about: About,
        reporter: &Reporter,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            tracking: tracking.clone(),
            server,
            about,
            synced: synced.to_owned(),
            reporter: reporter.clone(),
            open: Mutex::default(),
        }
    }

    /// The run begins, or goes on from step `resumed`, in its folder, which is there. It may be said more than once.
    pub fn begin(&self, resumed: Option<u64>) {
        let mut open = self.lock();
        if let Some(open) = &mut *open {
            open.events.iter_mut().for_each(|events| events.resume(resumed));
            return;
        }
        let kind = self.tracking.kind;
        let events = kind.tensorboard().then(|| EventFile::new(&self.dir, resumed));
        let mut new = Open { journal: None, sender: None, events, seen: BTreeSet::new() };
        if kind.mlflow()
            && let Err(error) = self.begin_journal(&mut new)
        {
            self.reporter.warn(format!("this run is not tracked: {error}"));
        }
        *open = Some(new);
    }

    fn begin_journal(&self, open: &mut Open) -> CliResult<()> {
        let path = self.dir.join(JOURNAL);
        let (journal, written) = Journal::open(&path)?;
        open.journal = Some(journal);
        if let Some(server) = &self.server {
            let started = Sender::start(self.dir.clone(), Arc::clone(server));
            let warn = |e: &std::io::Error| self.reporter.warn(format!("nothing is sent while this runs: {e}"));
            open.sender = started.inspect_err(warn).ok();
        }
        let time = now();
        let first = match written {
            Some(written) => {
                open.seen = written.seen;
                Entry::Resume { time }
            }
            None => {
                let About { name, parent, tags, params } = self.about.clone();
                let experiment = self.tracking.experiment.clone();
                Entry::Start(Start { key: new_key(&self.dir), experiment, name, time, parent, tags, params })
            }
        };
        self.append(open, &first);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, open: &mut Open, entry: &Entry) {
        if let Some(Err(error)) = open.journal.as_mut().map(|journal| journal.append(entry)) {
            self.reporter.warn(format!("{} can't be written, nothing more of this run is tracked: {error}", JOURNAL));
            open.journal = None;
        }
        if let Some(sender) = &open.sender {
            sender.news();
        }
    }

    /// Numbers of a step. A group says something once a step: what a resumed run says again is left out.
    pub fn scalars(&self, group: &str, step: u64, values: Vec<(String, f64)>) {
        let mut open = self.lock();
        let Some(open) = open.as_mut() else { return };
        if let Some(Err(error)) = open.events.as_mut().map(|events| events.scalars(step, &values)) {
            self.reporter.warn(format!("event files can't be written, TensorBoard hears no more of this run: {error}"));
            open.events = None;
        }
        if open.journal.is_some() && open.seen.insert((group.to_owned(), step)) {
            let values = values.into_iter().map(|(name, x)| (name, Number(x))).collect();
            self.append(open, &Entry::Metrics(Metrics { group: group.to_owned(), step, time: now(), values }));
        }
    }

    /// Whether the journal lacks what `group` says of a step.
    #[must_use]
    pub fn lacks(&self, group: &str, step: u64) -> bool {
        let open = self.lock();
        open.as_ref().is_some_and(|o| o.journal.is_some() && !o.seen.contains(&(group.to_owned(), step)))
    }

    /// What a training logs.
    pub fn training(&self, metrics: &crucible_core::train::Metrics) {
        let own = [
            ("train/loss", metrics.loss),
            ("train/gradient_norm", metrics.gradient_norm),
            ("train/learning_rate", metrics.learning_rate),
        ];
        let own = own.into_iter().map(|(name, x)| (name.to_owned(), x));
        let quota = CELL_NAMES.iter().zip(metrics.quota).map(|(cell, x)| (format!("quota/{cell}"), x));
        self.scalars("train", metrics.step, own.chain(quota).collect());
    }

    /// A scoreboard of a model after `step` steps.
    pub fn scoreboard(&self, truth: Truth, step: u64, board: &Scoreboard) {
        let of = |name: String, summary: &Summary| {
            let figures = [
                ("pass_rate", summary.pass_rate),
                ("mean_margin", summary.mean_margin),
                ("q10_margin", summary.q10_margin),
            ];
            figures.into_iter().filter_map(|(figure, x)| Some((format!("{name}/{figure}"), x?))).collect::<Vec<_>>()
        };
        let name = truth.name();
        let tiers = board.by_tier.iter().flat_map(|(tier, s)| of(format!("{name}/{}", tier.name()), s));
        let pools = board.by_pool.iter().flat_map(|(pool, s)| of(format!("{name}/tier3_{}", pool.name()), s));
        let values = of(name.to_owned(), &board.overall).into_iter().chain(tiers).chain(pools).collect();
        self.scalars(name, step, values);
    }

    /// The run ends; waits a little for what is not sent yet.
    pub fn end(&self, status: Status) {
        self.close(Some(status));
    }

    /// The same for a run that others go on with.
    pub fn leave(&self) {
        self.close(None);
    }

    fn close(&self, status: Option<Status>) {
        let Some(mut open) = self.lock().take() else { return };
        if let Some(status) = status {
            self.append(&mut open, &Entry::End { status, time: now() });
        }
        let Some(sender) = open.sender else { return };
        let outcome = sender.end();
        if let Some(failure) = outcome.failure {
            let dir = self.synced.display();
            self.reporter.warn(format!(
                "MLflow was not told everything: {failure}\n  help: `crucible sync {dir}` sends the rest"
            ));
        }
        if outcome.refused > 0 {
            self.reporter.warn("MLflow did not take all of what it was told");
        }
    }
}

/// Removes what was tracked of an earlier run in this folder.
///
/// # Errors
/// The folder can't be written.
pub fn forget(dir: &Path) -> CliResult<()> {
    output::remove_file(&dir.join(JOURNAL))?;
    output::remove_file(&dir.join(SENT))?;
    events::remove(dir).map_err(|e| crate::error::CliError::io("clear", dir, &e))
}

/// Names of the files that tell of a run in this folder.
///
/// # Errors
/// The folder can't be read.
pub fn files(dir: &Path) -> CliResult<Vec<PathBuf>> {
    let events = events::names(dir).map_err(|e| crate::error::CliError::io("read", dir, &e))?;
    Ok([JOURNAL, SENT].iter().map(PathBuf::from).chain(events).collect())
}

/// The settings of a run by their keys, but for those that are not set, or are nobody's business.
#[must_use]
pub fn params(config: &Config) -> BTreeMap<String, String> {
    fn leaves(value: &Value, key: &str, out: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(map) => {
                let below = |name: &String| if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                map.iter().for_each(|(name, value)| leaves(value, &below(name), out));
            }
            Value::Null => {}
            Value::String(text) => drop(out.insert(key.to_owned(), text.clone())),
            _ => drop(out.insert(key.to_owned(), value.to_string())),
        }
    }
    let mut out = BTreeMap::new();
    let mut value = serde_json::to_value(decides::without_secrets(config)).unwrap_or_default();
    if let Some(sections) = value.as_object_mut() {
        sections.remove("tracking");
        sections.remove("sweep");
    }
    leaves(&value, "", &mut out);
    // MLflow takes no empty values.
    out.retain(|_, value| !value.is_empty());
    out
}

/// The last `parts` names of a path, as a name.
#[must_use]
pub fn name_of(dir: &Path, parts: usize) -> String {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let names: Vec<String> = dir
        .components()
        .filter_map(|c| match c {
            std::path::Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    names[names.len().saturating_sub(parts.max(1))..].join("/")
}

/// Tags of every run.
#[must_use]
pub fn tags<'a>(more: impl IntoIterator<Item = (&'a str, String)>) -> BTreeMap<String, String> {
    let own = [
        ("crucible.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("mlflow.source.name", "crucible".to_owned()),
        ("mlflow.source.type", "LOCAL".to_owned()),
    ];
    own.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Milliseconds since 1970.
fn now() -> i64 {
    crate::clock::timestamp().as_millisecond()
}

/// A name that no other run has.
fn new_key(dir: &Path) -> String {
    let (time, process) = (crate::clock::timestamp().as_nanosecond(), std::process::id());
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    // Seeded by the system's randomness.
    let random = RandomState::new().build_hasher().finish();
    let text = format!("{time} {process} {random} {}", dir.display());
    crucible_core::data::hex(&Sha256::digest(text.as_bytes()))[..32].to_owned()
}
