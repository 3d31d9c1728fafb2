//! Evaluation against an independent program, its published schemas, and its speed.
#![expect(clippy::disallowed_methods, reason = "tests read files, settings and the clock")]

mod damaged;
mod document;
mod encoders;
mod fixture;
mod mining;
mod mutations;
mod neighbours;
mod planted;
mod reference;
mod retrieval;
mod sanity;
mod schemas;
mod speed;
mod statistics;
mod sweep;
mod words;
