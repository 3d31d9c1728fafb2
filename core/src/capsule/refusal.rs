//! Every way in which an archive is turned away, each with words of its own.

use thiserror::Error;

/// Why an archive is no capsule that can be used. Nothing of it is kept.
///
/// Names in messages are escaped: they come from strangers and go to a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Another file.
    #[error("it is no capsule: {reason}")]
    NoCapsule {
        /// What was seen instead.
        reason: String,
    },
    /// A capsule of a later program.
    #[error("it is a capsule of format {found}, and this version reads format {}", super::FORMAT_VERSION)]
    Version {
        /// Its format.
        found: u64,
    },
    /// `metadata.json` can't be read, or contradicts itself.
    #[error("metadata.json can't be used: {reason}")]
    Metadata {
        /// What is wrong with it.
        reason: String,
    },
    /// More bytes than allowed, as listed or as they come.
    #[error("it would unpack to more than {limit} bytes ({found})")]
    TooLarge {
        /// The limit.
        limit: u64,
        /// What was listed or seen.
        found: String,
    },
    /// More entries than allowed.
    #[error("it holds more than {limit} entries")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A path from the root of a disk.
    #[error("the entry {name} has an absolute path")]
    Absolute {
        /// The name, escaped.
        name: String,
    },
    /// A path with `..`.
    #[error("the entry {name} leads out of its folder by `..`")]
    Parent {
        /// The name, escaped.
        name: String,
    },
    /// A name that some system reads otherwise, or not at all.
    #[error("the entry {name} has a name that is not allowed: {reason}")]
    Name {
        /// The name, escaped.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A symbolic or hard link.
    #[error("the entry {name} is a {what}, and capsules hold plain files alone")]
    Link {
        /// The name, escaped.
        name: String,
        /// Which kind.
        what: &'static str,
    },
    /// A device, a folder, an extension of the format.
    #[error("the entry {name} is {what}, and capsules hold plain files alone")]
    NoFile {
        /// The name, escaped.
        name: String,
        /// Which kind.
        what: &'static str,
    },
    /// One name twice; names that differ in case are one on some disks.
    #[error("the entry {name} comes twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// An entry that `metadata.json` does not list.
    #[error("the entry {name} is not listed in metadata.json")]
    Unlisted {
        /// The name.
        name: String,
    },
    /// A listed file that did not come.
    #[error("the file {name} is listed in metadata.json, but not in the archive")]
    Missing {
        /// The name.
        name: String,
    },
    /// Another length than listed.
    #[error("the file {name} has {found} bytes, and metadata.json lists {listed}")]
    WrongSize {
        /// The name.
        name: String,
        /// In `metadata.json`.
        listed: u64,
        /// In the archive.
        found: u64,
    },
    /// Other bytes than listed.
    #[error("the file {name} has the SHA-256 {found}, and metadata.json lists {listed}")]
    WrongHash {
        /// The name.
        name: String,
        /// In `metadata.json`.
        listed: String,
        /// Of the bytes.
        found: String,
    },
    /// The archive ends too soon.
    #[error("it is truncated: it ends {place}")]
    Truncated {
        /// In which part.
        place: String,
    },
    /// Neither tar nor zstd.
    #[error("it is damaged {place}: {reason}")]
    Damaged {
        /// In which part.
        place: String,
        /// In the reader's words.
        reason: String,
    },
    /// Bytes after the end.
    #[error("it goes on after the end of its archive")]
    Trailing,
}
