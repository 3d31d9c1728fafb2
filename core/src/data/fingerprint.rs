//! What makes two scoreboards comparable: the fingerprint of the eval file, and the hash of everything else that
//! decides the numbers for any model.

use super::bundle::{Bundle, BundleSet};
use sha2::{Digest, Sha256};

/// How similarities are computed and ties are decided; part of the protocol hash. Change it when a number could change.
pub(super) const SCORING: &str = "cosine; f64 dot and norms of f32 vectors; tie fails; zero vector fails; v1";

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// `{first 16 hex of SHA-256 of the file's bytes}|{seed}|{item count}`.
#[must_use]
pub fn fingerprint(file_sha256: &[u8], seed: u64, item_count: usize) -> String {
    format!("{}|{seed}|{item_count}", &hex(file_sha256)[..16])
}

/// SHA-256 (hex) of what the items say: ids, texts, spans, senses, own embeddings, tiers and pools. Line ends, key
/// order and unknown fields do not matter.
#[must_use]
pub fn content_hash(set: &BundleSet) -> String {
    let events = event_hashes(set);
    let mut hash = Sha256::new();
    set.bundles.iter().for_each(|bundle| add_bundle(&mut hash, bundle, &events));
    hex(&hash.finalize())
}

/// The same of each bundle by itself: SHA-256, in the set's order.
#[must_use]
pub fn bundle_hashes(set: &BundleSet) -> Vec<[u8; 32]> {
    let events = event_hashes(set);
    let of = |bundle: &Bundle| {
        let mut hash = Sha256::new();
        add_bundle(&mut hash, bundle, &events);
        hash.finalize().into()
    };
    set.bundles.iter().map(of).collect()
}

fn field(hash: &mut Sha256, bytes: &[u8]) {
    // Length first, so that no two lists of fields give the same bytes.
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn event_hashes(set: &BundleSet) -> Vec<[u8; 32]> {
    crate::parallel::map(set.events.len(), |i| {
        let event = &set.events[i];
        let mut hash = Sha256::new();
        for text in [&event.event_id, &event.sense, &event.lemma, &event.text] {
            field(&mut hash, text.as_bytes());
        }
        let span = event.span.map(|(start, end)| [start.to_le_bytes(), end.to_le_bytes()].concat());
        field(&mut hash, &span.unwrap_or_default());
        let vector = event.embedding.as_deref().unwrap_or_default();
        field(&mut hash, &vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>());
        hash.finalize().into()
    })
}

fn add_bundle(hash: &mut Sha256, bundle: &Bundle, events: &[[u8; 32]]) {
    field(hash, bundle.bundle_id.as_bytes());
    field(hash, bundle.metadata.tier.map_or("", super::Tier::name).as_bytes());
    field(hash, bundle.metadata.pool().map_or("", super::Pool::name).as_bytes());
    hash.update((bundle.negatives.len() as u64).to_le_bytes());
    for index in [bundle.anchor, bundle.positive].into_iter().chain(bundle.negatives.iter().map(|n| n.event)) {
        hash.update(events[index as usize]);
    }
}

/// SHA-256 (hex) over the content hash and how items are scored.
#[must_use]
pub fn protocol_hash(content_hash: &str) -> String {
    hex(&Sha256::digest(format!("{content_hash}\n{SCORING}").as_bytes()))
}
