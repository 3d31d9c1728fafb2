//! Crucible's core for the browser: conversions between JavaScript and the core, nothing else.
//!
//! [`check`] reads what a visitor drops, [`self_check`] compares the arithmetic of the GPU with that of the CPU. Both
//! are plain Rust; `bindings` wraps them for JavaScript.

#[cfg(target_arch = "wasm32")]
pub mod bindings;
pub mod check;
pub mod self_check;
