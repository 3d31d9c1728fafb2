//! `tracking.json`: how much of a run's journal a server has, and under which names.

use crate::error::CliResult;
use crate::{io, output};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The file's name in a run's folder.
pub const SENT: &str = "tracking.json";
/// A larger one is none of ours.
const MAX_BYTES: usize = 4 << 20;

/// How much a server has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// The journal that it is about, by its key.
    pub key: String,
    /// MLflow's name of the run; none before it has one.
    pub run_id: Option<String>,
    /// Where the server takes the run's files, below its address; none where it takes none.
    pub artifacts: Option<String>,
    /// Bytes of the journal that the server has.
    pub offset: u64,
    /// Lines that are done with.
    pub entries: u64,
    /// Lines and files among what was sent that the server did not accept, and damaged lines.
    pub refused: u64,
    /// SHA-256 of the files that it has.
    pub files: BTreeMap<String, String>,
}

impl Sent {
    /// What is known of the journal with this key; nothing where the file is not there, or damaged, or of another journal.
    ///
    /// The server finds a run again by its key, and takes what it has a second time as the same.
    pub(super) fn read(dir: &Path, key: &str) -> Self {
        let read = io::read_bytes(&dir.join(SENT), MAX_BYTES).ok().and_then(|b| serde_json::from_slice(&b).ok());
        read.filter(|sent: &Self| sent.key == key).unwrap_or_else(|| Self { key: key.to_owned(), ..Self::default() })
    }

    pub(super) fn write(&self, dir: &Path) -> CliResult<()> {
        output::write_json(&dir.join(SENT), self)
    }
}
