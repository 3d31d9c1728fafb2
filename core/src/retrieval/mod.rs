//! Rankings of documents for queries, from whatever made them: their metrics, and one item for each query, so that
//! comparisons, flips and guardrails work on models that never ran here.
//!
//! [`Qrels`] say which documents are relevant, a [`Run`] how a model scored them; [`metrics`] are trec_eval's, [`items`]
//! are what the statistics of bundles take.

mod board;
mod items;
mod metrics;
mod rank;
mod read;
mod write;

pub use board::{Source, scoreboard};
pub use items::items;
pub use metrics::{Measures, Metrics, metrics};
pub use rank::{Ranking, of_bundles, of_items};
pub(crate) use read::is_comment;
pub use read::{read_predictions, read_qrels, read_run};
pub use write::{write_qrels, write_run};

use std::collections::BTreeMap;

/// Relevance of documents, by query and document; 1 and more is relevant, the more the better.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Qrels {
    /// By query, then by document.
    pub queries: BTreeMap<String, BTreeMap<String, i64>>,
}

/// Documents that a model found for each query, with its scores: the best first, of equals the greater id first, as
/// trec_eval orders them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// By query.
    pub queries: BTreeMap<String, Vec<(String, f64)>>,
}

impl Qrels {
    /// Relevance of a document; 0 where nobody judged it.
    #[must_use]
    pub fn of(&self, query: &str, document: &str) -> i64 {
        self.queries.get(query).and_then(|documents| documents.get(document)).copied().unwrap_or(0)
    }
}

impl Run {
    /// Puts every query's documents in order.
    fn sorted(mut self) -> Self {
        for documents in self.queries.values_mut() {
            documents.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
        }
        self
    }
}
