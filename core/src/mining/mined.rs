//! What mining has given so far.

use super::lineups::Candidate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Candidates that were not accepted, each counted once, by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rejections {
    /// The same anchor and positive are in the existing tier3.
    pub known_pair: u64,
    /// Anchor or positive has no direction.
    pub zero_vector: u64,
    /// Anchor and positive are nearly the same text.
    pub near_duplicate_pair: u64,
    /// No source had a confuser.
    pub no_confuser: u64,
    /// No more confusers than a lineup holds: every lineup would be the same.
    pub pool_too_small: u64,
    /// Fewer lineups passed than `min_passes`; those in quarantine are among them.
    pub too_few_passes: u64,
    /// The existing tier3 has a bundle of the same anchor sense and the same set of negatives' senses.
    pub known_senses: u64,
    /// So has this run: a bundle of more passes, or as many and more danger.
    pub repeated_senses: u64,
}

impl Rejections {
    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self {
            known_pair,
            zero_vector,
            near_duplicate_pair,
            no_confuser,
            pool_too_small,
            too_few_passes,
            known_senses,
            repeated_senses,
        } = self;
        let before = known_pair + zero_vector + near_duplicate_pair + no_confuser + pool_too_small;
        before + too_few_passes + known_senses + repeated_senses
    }

    fn add(&mut self, other: &Self) {
        self.known_pair += other.known_pair;
        self.zero_vector += other.zero_vector;
        self.near_duplicate_pair += other.near_duplicate_pair;
        self.no_confuser += other.no_confuser;
        self.pool_too_small += other.pool_too_small;
        self.too_few_passes += other.too_few_passes;
        self.known_senses += other.known_senses;
        self.repeated_senses += other.repeated_senses;
    }
}

/// How many of what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Senses of which pairs were drawn.
    pub senses: u64,
    /// Pairs that were drawn.
    pub candidates: u64,
    /// Candidates whose lineups were tested, by lineups passed: 0 to all.
    pub passes: Vec<u64>,
    /// Accepted, before `max_output`.
    pub accepted: u64,
    /// Tested candidates without a confuser from within the lemma.
    pub none_within_lemma: u64,
    /// Of the accepted, how many each further model accepts.
    pub others_accept: Vec<u64>,
    /// The others, by cause.
    pub rejections: Rejections,
}

/// Adds up two lists; the longer one stays.
fn add_all(to: &mut Vec<u64>, other: &[u64]) {
    to.resize(to.len().max(other.len()), 0);
    to.iter_mut().zip(other).for_each(|(a, b)| *a += b);
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.senses += other.senses;
        self.candidates += other.candidates;
        add_all(&mut self.passes, &other.passes);
        self.accepted += other.accepted;
        self.none_within_lemma += other.none_within_lemma;
        add_all(&mut self.others_accept, &other.others_accept);
        self.rejections.add(&other.rejections);
    }
}

/// Accepted candidates, low passers, and counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mined {
    /// Accepted, best first.
    pub accepted: Vec<Candidate>,
    /// Not accepted, with passes from [`Settings::quarantine_from`](super::Settings::quarantine_from) on, best first.
    pub quarantined: Vec<Candidate>,
    /// How many of what.
    pub counts: Counts,
}

/// Best first: more passes, then more danger, then the lower id. Total, and the same in every run.
pub(crate) fn rank(a: &Candidate, b: &Candidate) -> Ordering {
    b.passes.cmp(&a.passes).then(b.danger.total_cmp(&a.danger)).then(a.id.cmp(&b.id))
}

impl Mined {
    /// Adds what another sense gave.
    pub(super) fn add_unsorted(&mut self, other: Self) {
        self.counts.add(&other.counts);
        self.accepted.extend(other.accepted);
        self.quarantined.extend(other.quarantined);
    }

    /// Adds what another batch gave, and keeps the best `max_output` of each list: the rest can't be written any more.
    pub fn add(&mut self, other: Self, max_output: usize) {
        self.add_unsorted(other);
        for list in [&mut self.accepted, &mut self.quarantined] {
            list.sort_by(rank);
            list.truncate(max_output);
        }
    }
}
