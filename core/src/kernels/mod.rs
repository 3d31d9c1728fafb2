//! Kernels: one file each, named as its WGSL file in `shaders/`, with a plain scalar reference and the fast CPU form.
//!
//! To add one: write `shaders/NAME.wgsl` and `kernels/NAME.rs`, add a [`Kernel`] to [`KERNELS`], and run
//! `CRUCIBLE_BLESS=1 cargo test -p crucible-core --lib kernels`, which reads the bindings of all WGSL files into
//! `interfaces.rs`.

pub mod activation;
pub mod activation_backward;
pub mod adamw;
pub mod adamw_rows;
pub mod add;
pub mod attention;
pub mod bucket_sum;
pub mod clip;
pub mod column_sum;
pub mod danger;
pub mod dropout;
pub mod gelu;
pub mod info_nce;
pub mod interfaces;
pub mod layer_norm;
pub mod matmul;
pub mod normalise;
pub mod normalise_backward;
pub mod peak_copy;
pub mod peak_fma;
pub mod pool;
pub mod pool_backward;
pub mod pool_weights;
pub mod pool_weights_backward;
pub mod pool_weights_dots;
pub mod product;
#[cfg(all(test, feature = "gpu", not(target_arch = "wasm32")))]
mod reflection;
pub mod rounded;
pub mod simd;
pub mod similarity;
pub mod similarity_coop;
pub mod similarity_f16;
pub mod similarity_subgroup;
pub mod square_sum;
mod table;
pub mod to_f16;
pub mod top_k;
pub mod triplet;

pub(crate) use table::u;
pub use table::{Access, Argument, Interface, KERNELS, Kernel, Need, Problem, Uniform, kernel};
