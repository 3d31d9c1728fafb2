//! The space in which negatives are near or far: one set of vectors for ranking and for danger.

use super::dense::{Dense, Screen};
use super::texts;
use super::top::Top;
use crate::embeddings::UnitRows;
use crate::lexical::{Lexical, Sparse, cosine};
use crate::parallel;

/// With fewer queries than this, building an index or a tile costs more than it saves.
const FEW: usize = 6;

/// What ranks negatives and scores danger.
#[derive(Clone, Copy)]
pub enum Similarity<'a> {
    /// The lexical embedding, counted over the events' texts.
    Lexical,
    /// Vectors, row i for event i: the events' own, a checkpoint's, or those of a file.
    Vectors(&'a dyn UnitRows),
}

impl<'a> Similarity<'a> {
    /// The vectors; none for the lexical embedding, which has one for any text.
    #[must_use]
    pub fn rows(self) -> Option<&'a dyn UnitRows> {
        match self {
            Self::Lexical => None,
            Self::Vectors(rows) => Some(rows),
        }
    }
}

/// A found item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Its number.
    pub item: u32,
    /// Cosine with the query.
    pub similarity: f64,
}

/// Items in a space.
pub enum Space<'a> {
    /// Item i has the vector `vectors[text[i]]`.
    Lexical {
        /// One vector for each distinct text.
        vectors: Vec<Sparse>,
        /// Each item's text.
        text: &'a [u32],
    },
    /// Item i has row i.
    Dense(Dense<'a>),
}

/// Who may be found for whom: `(query, member)`.
pub type Accept<'a> = &'a (dyn Fn(u32, u32) -> bool + Sync);

impl<'a> Space<'a> {
    /// The space of a similarity; item i has text `texts[text[i]]`, and `texts` are distinct.
    #[must_use]
    pub fn new(similarity: Similarity<'a>, texts: &[String], text: &'a [u32]) -> Self {
        match similarity.rows() {
            None => {
                let lexical = Lexical::fit(texts);
                Self::Lexical { vectors: parallel::map(texts.len(), |i| lexical.embed(&texts[i])), text }
            }
            Some(rows) => Self::Dense(Dense::new(rows)),
        }
    }

    /// Cosine; 0 with a zero vector.
    #[must_use]
    pub fn similarity(&self, a: u32, b: u32) -> f64 {
        match self {
            Self::Lexical { vectors, text } => {
                cosine(&vectors[text[a as usize] as usize], &vectors[text[b as usize] as usize])
            }
            Self::Dense(dense) => dense.similarity(a, b),
        }
    }

    /// Whether an item has no direction.
    #[must_use]
    pub fn is_zero(&self, item: u32) -> bool {
        match self {
            Self::Lexical { vectors, text } => vectors[text[item as usize] as usize].is_empty(),
            Self::Dense(dense) => dense.is_zero(item),
        }
    }

    /// For each query, the `k` nearest accepted `members` (ascending), best first, ties by lower number. With `keys`
    /// (one for each item) only the nearest item of a key is found.
    #[must_use]
    pub fn nearest(
        &self,
        queries: &[u32],
        members: &[u32],
        k: usize,
        keys: Option<&[u32]>,
        accept: Accept<'_>,
    ) -> Vec<Vec<Neighbour>> {
        if k == 0 || members.is_empty() {
            return vec![Vec::new(); queries.len()];
        }
        if queries.len() < FEW {
            return parallel::map(queries.len(), |i| self.one_by_one(queries[i], members, k, keys, accept));
        }
        match self {
            Self::Lexical { vectors, text } => texts::nearest(vectors, text, queries, members, k, keys, accept),
            Self::Dense(dense) => dense.nearest(queries, members, k, keys, accept),
        }
    }

    /// The same among all items whose `group` is not the query's; `accept` has to refuse the others. A device may look for
    /// candidates: what is found does not depend on it.
    #[must_use]
    pub fn nearest_apart(
        &self,
        queries: &[u32],
        k: usize,
        keys: Option<&[u32]>,
        group: &[u32],
        accept: Accept<'_>,
        screen: Option<&dyn Screen>,
    ) -> Vec<Vec<Neighbour>> {
        let screened = match (self, screen) {
            (Self::Dense(dense), Some(screen)) => dense.screened(screen, queries, k, keys, group, accept),
            _ => None,
        };
        screened.unwrap_or_else(|| {
            let all: Vec<u32> = (0..group.len() as u32).collect();
            self.nearest(queries, &all, k, keys, accept)
        })
    }

    fn one_by_one(
        &self,
        query: u32,
        members: &[u32],
        k: usize,
        keys: Option<&[u32]>,
        accept: Accept<'_>,
    ) -> Vec<Neighbour> {
        let mut top = Top::new(k);
        for &member in members.iter().filter(|m| accept(query, **m)) {
            top.offer(self.similarity(query, member), member, keys.map(|keys| keys[member as usize]));
        }
        top.into_neighbours()
    }
}
