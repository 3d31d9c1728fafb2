//! TensorBoard's event file in a run's folder. A run that goes on does so in a new one.

use crucible_core::foreign::{restart_record, scalars_record, version_record};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What TensorBoard knows its files by.
const PREFIX: &str = "events.out.tfevents.";
/// What we know ours by.
const SUFFIX: &str = ".crucible";

/// A file that is there from its first record on.
pub(super) struct EventFile {
    dir: PathBuf,
    /// The step that the run goes on from, until that is written: what is there after it is made anew.
    resumed: Option<u64>,
    file: Option<File>,
}

impl EventFile {
    pub(super) fn new(dir: &Path, resumed: Option<u64>) -> Self {
        Self { dir: dir.to_owned(), resumed, file: None }
    }

    pub(super) fn resume(&mut self, from: Option<u64>) {
        self.resumed = from.or(self.resumed);
    }

    /// Adds the scalars of a step.
    pub(super) fn scalars(&mut self, step: u64, values: &[(String, f64)]) -> std::io::Result<()> {
        let now = crate::clock::timestamp();
        let time = now.as_nanosecond() as f64 / 1e9;
        let mut records = Vec::new();
        if self.file.is_none() {
            // Names are read in their order: seconds, then what tells apart files of one second.
            let name = format!("{PREFIX}{:010}.{:09}{SUFFIX}", now.as_second(), now.subsec_nanosecond());
            self.file = Some(OpenOptions::new().create_new(true).append(true).open(self.dir.join(name))?);
            records.extend(version_record(time));
        }
        records.extend(self.resumed.take().iter().flat_map(|step| restart_record(time, step + 1)));
        records.extend(scalars_record(time, step, values.iter().map(|(tag, x)| (tag.as_str(), *x))));
        self.file.iter_mut().try_for_each(|file| file.write_all(&records))
    }
}

/// Names of the event files that a run wrote in this folder.
pub(super) fn names(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|n| n.starts_with(PREFIX) && n.ends_with(SUFFIX));
        if ours && entry.file_type()?.is_file() {
            found.push(PathBuf::from(name));
        }
    }
    Ok(found)
}

/// Removes what an earlier run wrote in this folder.
pub(super) fn remove(dir: &Path) -> std::io::Result<()> {
    names(dir)?.iter().try_for_each(|name| std::fs::remove_file(dir.join(name)))
}
