//! [`super::similarity`] with shuffles within subgroups.
//!
//! Twin of `shaders/similarity_subgroup.wgsl`.

use super::interfaces::similarity_subgroup::{TILE_COLUMNS, TILE_ROWS};
use super::similarity;
use super::table::{Argument, Uniform, bind, problem, uniform};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows of `a`.
    pub n: u32,
    /// Rows of `b`.
    pub m: u32,
    /// Columns of both.
    pub d: u32,
    /// Tiles that cover a row of the output.
    pub column_tiles: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { n, m, d, column_tiles });

problem!(similarity_subgroup, groups: |s| u64::from(s.n.div_ceil(TILE_ROWS)) * u64::from(s.column_tiles));

impl Sizes {
    /// For `n` and `m` rows of `d` numbers.
    #[must_use]
    pub fn new(n: u32, m: u32, d: u32) -> Self {
        Self { n, m, d, column_tiles: m.div_ceil(TILE_COLUMNS) }
    }
}

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("similarity_subgroup", arguments: Uniform(sizes), Read(a), Read(b), ReadWrite(out));
    let Sizes { n, m, d, .. } = bytemuck::pod_read_unaligned(sizes);
    similarity::reference(a, b, out, n as usize, m as usize, d as usize);
}
