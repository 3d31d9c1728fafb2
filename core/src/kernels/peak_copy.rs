//! A copy: the most that a device reads and writes, for `bench kernels`.
//!
//! Twin of `shaders/peak_copy.wgsl`.

use super::table::{Argument, Uniform, bind, problem, uniform};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Vectors of four numbers.
    pub n: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { n });

problem!(peak_copy, items: |s| u64::from(s.n));

/// The WGSL's twin.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("peak_copy", arguments: Uniform(sizes), Read(values), ReadWrite(out));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let n = 4 * sizes.n as usize;
    out[..n].copy_from_slice(&values[..n]);
}

/// The same, fast: spread over the pool.
///
/// # Panics
/// When the slices differ in length.
pub fn fast(values: &[f32], out: &mut [f32]) {
    /// 4 MiB: too large to stay in a core's own memory.
    const BLOCK: usize = 1 << 20;
    assert_eq!(values.len(), out.len(), "as many numbers out as in");
    crate::parallel::for_blocks(out, BLOCK, |number, to| to.copy_from_slice(&values[number * BLOCK..][..to.len()]));
}
