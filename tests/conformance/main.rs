//! One suite for every backend: what an operation must give, at the sizes where kernels break.
//!
//! The reference sums in `f64` here, apart from the code under test. Outputs start as NaN, and none may be left. Sizes:
//! none, one, ragged, exact multiples of a tile, and one tile past what a dispatch takes along one dimension.
//!
//! The GPU part takes a software adapter if there is no GPU. Without either it prints that it was skipped; with
//! `CRUCIBLE_REQUIRE_GPU=1` that is a failure.

mod compare;
mod gradients;
mod kernels;
mod similarity;
mod top_k;

use crucible_core::backend::cpu::CpuBackend;

#[test]
fn cpu_similarity() {
    pollster::block_on(similarity::suite(&CpuBackend)).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn cpu_top_k() {
    pollster::block_on(top_k::suite(&CpuBackend)).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn cpu_gradients() {
    pollster::block_on(gradients::suite(&CpuBackend)).unwrap_or_else(|e| panic!("{e}"));
}

#[cfg(feature = "gpu")]
mod gpu;
#[cfg(feature = "gpu")]
mod shaders;

/// Says so in the output when the GPU part was left out of the build.
#[cfg(not(feature = "gpu"))]
#[test]
#[expect(clippy::disallowed_methods, reason = "whether a GPU is required is said by the environment")]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn gpu_is_left_out() {
    let required = std::env::var("CRUCIBLE_REQUIRE_GPU").is_ok_and(|value| value == "1");
    assert!(!required, "CRUCIBLE_REQUIRE_GPU is set, and this was built without the feature `gpu`");
    println!("skipped: built without the feature `gpu`");
}
