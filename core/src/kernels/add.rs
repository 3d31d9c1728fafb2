//! Adds one buffer to another.
//!
//! Twin of `shaders/add.wgsl`.

use super::table::{Argument, Uniform, bind, problem, uniform};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Numbers.
    pub n: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { n });

problem!(add, items: |s| u64::from(s.n));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("add", arguments: Uniform(sizes), Read(x), ReadWrite(out));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    out.iter_mut().zip(&**x).take(sizes.n as usize).for_each(|(out, x)| *out += x);
}
