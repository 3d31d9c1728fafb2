//! Crucible's core for the browser: conversions between JavaScript and the core, nothing else.
//!
//! [`session`] holds what a visitor dropped and evaluates it; [`upload`] tells files apart and [`packed`] unpacks them;
//! [`view`] is what the page shows, [`failure`] what it shows when something does not work; [`self_check`] compares the
//! arithmetic of the GPU with that of the CPU. All of it is plain Rust; `bindings` wraps it for JavaScript.

#[cfg(target_arch = "wasm32")]
pub mod bindings;
pub mod failure;
pub mod packed;
pub mod self_check;
pub mod session;
pub mod upload;
pub mod view;
