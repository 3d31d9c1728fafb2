//! The core of Crucible: data, bundles, encoders, training, evaluation and guardrails.
//!
//! It takes bytes, readers, clocks and seeds as arguments and knows no files, terminals or threads beyond
//! [`parallel`]; so it runs the same natively and in a browser.

pub mod backend;
pub mod bench;
pub mod bundles;
pub mod capsule;
pub mod config;
pub mod curriculum;
pub mod data;
pub mod embeddings;
pub mod encoder;
pub mod estimate;
pub mod eval;
pub mod foreign;
pub mod guardrails;
pub mod interchange;
mod json;
pub mod kernels;
pub mod lexical;
pub mod mining;
pub mod neighbours;
pub mod overlap;
pub mod parallel;
pub mod pools;
mod printable;
pub mod probe;
pub mod report;
pub mod retrieval;
pub mod rng;
pub mod sample;
pub mod stats;
pub mod sweep;
pub mod train;

pub use json::json_text;
pub use printable::{printable, printable_json, printable_lines, shortened};
