//! Capsules (SPEC §12b): an archive with all that is needed to check and repeat a run. Format, refusals and checks;
//! archives, files and signatures are the caller's business.
//!
//! A capsule is a tar archive, packed by zstd, of plain files with plain names. `metadata.json` comes first and lists
//! the others, sorted, each with its size and hash, so that a reader knows what must come before it comes:
//! [`Metadata::from_json`] reads it, [`Inventory`] admits one entry after the other, and [`Refusal`] has a variant for
//! every way to be turned away. [`Report`] says what the contents of a whole capsule are worth.
//!
//! Whoever can change a file can change `metadata.json` as well: hashes show damage, only a signature shows who packed.

mod checks;
mod inventory;
mod metadata;
mod names;
mod refusal;

pub use checks::{Check, Report, Signature};
pub use inventory::{Entry, EntryKind, Inventory, Limits, check_first};
pub use metadata::{
    BUNDLES_FOLDER, BundlesRecord, CHECKPOINT, CONFIG, CheckpointRecord, EVAL_FOLDER, EvalRecord, FORMAT,
    FORMAT_VERSION, FileKind, FileRecord, Git, MAX_METADATA_BYTES, METADATA, Metadata, VECTORS_FOLDER,
};
pub use names::{MAX_NAME_BYTES, plain_name};
pub use refusal::Refusal;
