//! Exact nearest neighbours with filters, and the groups (texts, senses, lemmas) that filters speak of.
//!
//! Neighbours are ranked by the similarity in `f64` that danger is computed with, ties by lower number, so they do not
//! depend on threads, blocks or instruction sets. Vectors are screened by a blocked matrix product in `f32` first
//! ([`Dense`]); whatever comes within its rounding error of the best `k` is looked at again in `f64`. Neither the matrix
//! of similarities nor a second copy of the vectors is ever held.

mod dense;
mod groups;
mod space;
#[cfg(test)]
mod tests;
mod texts;
mod top;

pub use dense::{Dense, Screen};
pub(crate) use groups::{Groups, normal_text};
pub use space::{Accept, Neighbour, Similarity, Space};
