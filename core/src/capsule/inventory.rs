//! What comes out of an archive, held against what `metadata.json` lists, entry by entry.

use super::{FileRecord, METADATA, Metadata, Refusal, names};
use std::collections::{BTreeMap, BTreeSet};

/// What a capsule may grow to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files, with `metadata.json`.
    pub entries: usize,
}

impl Default for Limits {
    /// 4 GiB, 1000 files.
    fn default() -> Self {
        Self { bytes: 4 << 30, entries: 1000 }
    }
}

/// What an archive says that an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A plain file.
    File,
    /// A link of either kind, in words.
    Link(&'static str),
    /// Anything else, in words with their article.
    Other(&'static str),
}

/// The head of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its name, as it stands in the archive.
    pub name: &'a [u8],
    /// What it is.
    pub kind: EntryKind,
    /// Its bytes, as its head says.
    pub size: u64,
}

/// The files that are expected, and those that came.
#[derive(Debug)]
pub struct Inventory<'a> {
    listed: BTreeMap<&'a str, &'a FileRecord>,
    /// In lower case: `A` and `a` are one file on some disks.
    seen: BTreeSet<String>,
    limit: usize,
}

/// Checks the first entry of an archive, which must be `metadata.json`.
///
/// # Errors
/// It is something else, or larger than what is read.
pub fn check_first(entry: &Entry<'_>) -> Result<(), Refusal> {
    let name = plain(entry)?;
    if name != METADATA {
        return Err(Refusal::NoCapsule { reason: format!("it begins with {name} instead of {METADATA}") });
    }
    if entry.size > super::MAX_METADATA_BYTES {
        let reason = format!("it has {} bytes, and {} are read at most", entry.size, super::MAX_METADATA_BYTES);
        return Err(Refusal::Metadata { reason });
    }
    Ok(())
}

/// A plain file with a name that is allowed.
fn plain<'a>(entry: &Entry<'a>) -> Result<&'a str, Refusal> {
    match entry.kind {
        EntryKind::File => names::check(entry.name),
        EntryKind::Link(what) => Err(Refusal::Link { name: names::escaped(entry.name), what }),
        EntryKind::Other(what) => Err(Refusal::NoFile { name: names::escaped(entry.name), what }),
    }
}

impl<'a> Inventory<'a> {
    /// Expects the files of `metadata`.
    ///
    /// # Errors
    /// More files or bytes than `limits` allow, before a single one has come; one name twice.
    pub fn new(metadata: &'a Metadata, limits: Limits) -> Result<Self, Refusal> {
        // The list itself came as an entry.
        if metadata.files.len() + 1 > limits.entries {
            return Err(Refusal::TooMany { limit: limits.entries });
        }
        let bytes = metadata.total_bytes();
        if bytes > limits.bytes {
            let found = format!("its files are listed with {bytes}");
            return Err(Refusal::TooLarge { limit: limits.bytes, found });
        }
        let mut names = BTreeSet::new();
        if let Some(file) = metadata.files.iter().find(|file| !names.insert(file.path.to_ascii_lowercase())) {
            return Err(Refusal::Twice { name: file.path.clone() });
        }
        let listed = metadata.files.iter().map(|file| (file.path.as_str(), file)).collect();
        Ok(Self { listed, seen: BTreeSet::from([METADATA.to_owned()]), limit: limits.entries })
    }

    /// Takes the next entry: the record of the file it is, before any of its bytes is read.
    ///
    /// # Errors
    /// It is no plain file, has a name that is not allowed, came before, is not listed, or has another size than listed.
    pub fn admit(&mut self, entry: &Entry<'_>) -> Result<&'a FileRecord, Refusal> {
        let name = plain(entry)?;
        if !self.seen.insert(name.to_ascii_lowercase()) {
            return Err(Refusal::Twice { name: name.to_owned() });
        }
        if self.seen.len() > self.limit {
            return Err(Refusal::TooMany { limit: self.limit });
        }
        let record = self.listed.get(name).ok_or_else(|| Refusal::Unlisted { name: name.to_owned() })?;
        if entry.size != record.size {
            return Err(Refusal::WrongSize { name: name.to_owned(), listed: record.size, found: entry.size });
        }
        Ok(record)
    }

    /// The archive is at its end.
    ///
    /// # Errors
    /// A listed file did not come.
    pub fn finish(self) -> Result<(), Refusal> {
        match self.listed.keys().find(|name| !self.seen.contains(&name.to_ascii_lowercase())) {
            Some(name) => Err(Refusal::Missing { name: (*name).to_owned() }),
            None => Ok(()),
        }
    }
}

impl FileRecord {
    /// Holds the SHA-256 (hexadecimal) of a file's bytes against the listed one.
    ///
    /// # Errors
    /// They differ.
    pub fn check_hash(&self, found: &str) -> Result<(), Refusal> {
        if found == self.sha256 {
            return Ok(());
        }
        let (name, listed) = (self.path.clone(), self.sha256.clone());
        Err(Refusal::WrongHash { name, listed, found: found.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::metadata::tests::{file, metadata};
    use super::*;

    fn entry(name: &str, size: u64) -> Entry<'_> {
        Entry { name: name.as_bytes(), kind: EntryKind::File, size }
    }

    #[test]
    fn all_that_is_listed_and_nothing_else() {
        let metadata = metadata();
        let mut inventory = Inventory::new(&metadata, Limits::default()).expect("fits");
        let config = inventory.admit(&entry("config.yaml", 2)).expect("listed");
        assert_eq!(config, &metadata.files[1]);
        assert!(config.check_hash(&config.sha256).is_ok());
        let wrong = config.check_hash(&metadata.files[0].sha256).expect_err("of another file").to_string();
        assert!(wrong.contains("config.yaml has the SHA-256") && wrong.contains(&config.sha256), "{wrong}");
        let mut words = |entry: Entry<'_>| inventory.admit(&entry).expect_err("refused").to_string();
        for (words, part) in [
            (words(entry("config.yaml", 2)), "comes twice"),
            (words(entry("CONFIG.yaml", 2)), "comes twice"),
            (words(entry("metadata.json", 2)), "comes twice"),
            (words(entry("x.json", 2)), "not listed"),
            (words(entry("train.log", 1)), "has 1 bytes, and metadata.json lists 0"),
            (words(entry("../train.log", 0)), "`..`"),
            (words(Entry { kind: EntryKind::Link("symbolic link"), ..entry("l", 0) }), "is a symbolic link"),
            (words(Entry { kind: EntryKind::Other("a device"), ..entry("d", 0) }), "is a device"),
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        assert_eq!(inventory.finish(), Err(Refusal::Missing { name: "checkpoint_final.safetensors".to_owned() }));

        let mut inventory = Inventory::new(&metadata, Limits::default()).expect("fits");
        for file in &metadata.files {
            inventory.admit(&entry(&file.path, file.size)).expect("listed");
        }
        assert_eq!(inventory.finish(), Ok(()));
    }

    #[test]
    fn limits_hold_before_anything_is_read() {
        let mut metadata = metadata();
        assert!(Inventory::new(&metadata, Limits { bytes: 9, entries: 4 }).is_ok());
        let error = |limits| Inventory::new(&metadata, limits).expect_err("too much");
        assert!(matches!(error(Limits { bytes: 8, entries: 4 }), Refusal::TooLarge { limit: 8, .. }));
        assert!(matches!(error(Limits { bytes: 9, entries: 3 }), Refusal::TooMany { limit: 3 }));
        metadata.files[0].size = u64::MAX;
        assert!(matches!(Inventory::new(&metadata, Limits::default()), Err(Refusal::TooLarge { .. })), "sums saturate");
        metadata.files[0].size = 0;
        metadata.files.push(file("x.json", b""));
        metadata.files.push(file("X.json", b""));
        assert!(matches!(Inventory::new(&metadata, Limits::default()), Err(Refusal::Twice { .. })));
    }

    #[test]
    fn a_capsule_begins_with_its_metadata() {
        assert_eq!(check_first(&entry("metadata.json", 10)), Ok(()));
        assert!(matches!(check_first(&entry("config.yaml", 10)), Err(Refusal::NoCapsule { .. })));
        assert!(matches!(check_first(&entry("metadata.json", 10 << 30)), Err(Refusal::Metadata { .. })));
        assert!(matches!(check_first(&entry("/metadata.json", 1)), Err(Refusal::Absolute { .. })));
    }
}
