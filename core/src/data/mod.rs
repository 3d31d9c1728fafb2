//! Events and bundles: formats, readers, tiers, fingerprints.

mod bundle;
mod event;
mod faults;
mod fingerprint;
mod ids;
pub mod kind;
mod lines;
mod tier;

pub use bundle::{Bundle, BundleSet, BundleSetBuilder, MAX_NEGATIVES, Metadata, Negative, NegativeSource, WholeBundle};
pub use bundle::{read_bundles, stream_bundles};
pub use event::{Event, MAX_EMBEDDING_DIM, lemma_of, read_events};
pub use faults::{FAULT_LIMIT, Fault, Faults};
pub use fingerprint::{bundle_hashes, content_hash, fingerprint, hex, protocol_hash};
pub use ids::read_ids;
pub use lines::{MAX_LINE_BYTES, check_kind};
pub(crate) use lines::{parse_json, read_lines};
pub use tier::{Pool, Tier, tiers_of};
