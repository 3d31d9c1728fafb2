//! The curriculum: which bundles a batch is made of, and how often each is seen.

pub mod exposure;
mod sampler;

pub use sampler::{CELL_NAMES, CELLS, Draw, Sampler, tier_probabilities};
