//! [`super::similarity_f16`] on matrix units (tensor cores).
//!
//! Twin of `shaders/similarity_coop.wgsl`.

use super::interfaces::similarity_coop::TILE;
use super::similarity_f16;
use super::table::{Argument, Uniform, bind, problem, uniform, words};
use super::to_f16;

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows of `a`.
    pub n: u32,
    /// Rows of `b`.
    pub m: u32,
    /// Columns of both, in fours.
    pub quads: u32,
    /// Tiles that cover a row of the output.
    pub column_tiles: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { n, m, quads, column_tiles });

problem!(similarity_coop, groups: |s| u64::from(s.n.div_ceil(TILE)) * u64::from(s.column_tiles));

/// Bytes that a workgroup shares: more than WebGPU promises. A test compares it with the WGSL.
pub const WORKGROUP_BYTES: u32 = 28 * 1024;

impl Sizes {
    /// For `n` and `m` rows of `d` numbers.
    #[must_use]
    pub fn new(n: u32, m: u32, d: u32) -> Self {
        let quads = to_f16::Sizes::new(n, d).padded_columns / 4;
        Self { n, m, quads, column_tiles: m.div_ceil(TILE) }
    }
}

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("similarity_coop", arguments: Uniform(sizes), Read(a), Read(b), ReadWrite(out));
    let Sizes { n, m, quads, .. } = bytemuck::pod_read_unaligned(sizes);
    similarity_f16::reference(words(a), words(b), out, n as usize, m as usize, quads as usize);
}
