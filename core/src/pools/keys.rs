//! When two bundles are the same: by their events, whatever their ids and metadata say.

use crate::data::{Event, WholeBundle};
use sha2::{Digest, Sha256};

/// The first half of a SHA-256: enough to tell any number of bundles apart, also of somebody who wants them alike.
pub(super) type Key = [u8; 16];

/// What tells a bundle from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    /// Anchor and positive.
    pub(super) pair: Key,
    /// Anchor, positive and the set of negatives.
    pub(super) whole: Key,
}

impl Keys {
    pub(super) fn of(bundle: &WholeBundle) -> Self {
        let pair = [event(&bundle.anchor), event(&bundle.positive)];
        let mut negatives: Vec<Key> = bundle.negatives.iter().map(|(e, _)| event(e)).collect();
        negatives.sort_unstable();
        negatives.dedup();
        let pair = half(pair.as_flattened());
        Self { pair, whole: half(&[&pair, negatives.as_flattened()].concat()) }
    }
}

/// By id and text: ids of two files may be alike by chance (`item_1`).
fn event(event: &Event) -> Key {
    let length = (event.event_id.len() as u64).to_le_bytes();
    half(&[&length, event.event_id.as_bytes(), event.text.as_bytes()].concat())
}

fn half(bytes: &[u8]) -> Key {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    std::array::from_fn(|i| hash[i])
}
