//! The files of a folder by name, and the JSON among them.

use super::super::{EncoderError, is_lfs_pointer};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// A settings file of more bytes is something else.
const MAX_JSON: usize = 4 << 20;

/// Name, with `/` between folders, and bytes.
pub(super) struct Files<'a>(BTreeMap<&'a str, &'a [u8]>);

impl<'a> Files<'a> {
    pub(super) fn new(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        Self(files.into_iter().collect())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.0.keys().copied()
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.get(name).copied()
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a [u8], EncoderError> {
        let bytes = self.get(name).ok_or_else(|| fault(name, "is missing"))?;
        not_a_pointer(name, bytes)?;
        Ok(bytes)
    }

    /// The JSON in a file, if there is one.
    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, EncoderError> {
        let Some(bytes) = self.get(name) else { return Ok(None) };
        if bytes.len() > MAX_JSON {
            return Err(fault(name, format!("has {} bytes; settings have at most {MAX_JSON}", bytes.len())));
        }
        not_a_pointer(name, bytes)?;
        serde_json::from_slice(bytes).map(Some).map_err(|e| fault(name, format!("cannot be read: {e}")))
    }
}

/// Refuses what Git LFS puts in a file's place until it is fetched.
pub(super) fn not_a_pointer(name: &str, bytes: &[u8]) -> Result<(), EncoderError> {
    match is_lfs_pointer(bytes) {
        true => {
            Err(fault(name, "is a pointer of Git LFS, not the file itself; get it with `git lfs pull` in its folder"))
        }
        false => Ok(()),
    }
}

/// What is wrong with a file.
pub(super) fn fault(file: &str, reason: impl Into<String>) -> EncoderError {
    EncoderError::File { file: file.to_owned(), reason: reason.into() }
}

/// `path/name`, as it is in a folder of that path; a path may be empty, `.`, or end in `/`.
pub(super) fn within(path: &str, name: &str) -> String {
    match path.trim_start_matches("./").trim_matches('/') {
        "" | "." => name.to_owned(),
        path => format!("{path}/{name}"),
    }
}
