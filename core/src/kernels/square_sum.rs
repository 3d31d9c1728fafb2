//! Sums of squares of blocks: the first half of a norm.
//!
//! Twin of `shaders/square_sum.wgsl`.

use super::interfaces::square_sum::BLOCK;
use super::table::{Argument, Uniform, bind, problem, uniform};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Numbers.
    pub n: u32,
    /// Where the sums go.
    pub out_start: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { n, out_start });

problem!(square_sum, groups: |s| u64::from(s.n.div_ceil(BLOCK)));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("square_sum", arguments: Uniform(sizes), Read(x), ReadWrite(sums));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let blocks = x[..sizes.n as usize].chunks(BLOCK as usize);
    for (block, out) in blocks.zip(&mut sums[sizes.out_start as usize..]) {
        *out = block.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>() as f32;
    }
}
