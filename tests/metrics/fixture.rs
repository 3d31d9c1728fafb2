//! The fixture's bundles and the vectors that its events carry.

use crucible_core::data::{BundleSet, read_bundles};
use crucible_core::embeddings::Embeddings;

pub(crate) const BUNDLES: &str = include_str!("../fixtures/metrics/bundles.jsonl");

/// Bundles and the embeddings of their events.
pub(crate) fn load(text: &str) -> (BundleSet, Embeddings) {
    let set = read_bundles(&mut text.as_bytes(), "bundles.jsonl").expect("the fixture is sound");
    let vectors: Vec<&[f32]> =
        set.events.iter().map(|e| e.embedding.as_deref().expect("every event has one")).collect();
    let embeddings = Embeddings::normalised(vectors[0].len(), vectors.concat());
    (set, embeddings)
}
