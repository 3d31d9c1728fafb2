//! The curriculum: which bundles a batch is made of, and how often each is seen.

pub mod exposure;
mod sampler;
mod shares;

pub use sampler::{Draw, Sampler};
pub use shares::{CELL_NAMES, CELLS, cell_sizes, shares, tier_probabilities};
