//! The one table of kernels: what the GPU backend builds its pipelines from and what the tests walk.

use super::{interfaces, similarity};

/// A kernel: WGSL, what it binds, and the Rust function that does the same.
pub struct Kernel {
    /// The same as the WGSL file's and the twin module's.
    pub name: &'static str,
    /// WGSL; its entry point is `main`.
    pub source: &'static str,
    /// Read from the WGSL.
    pub interface: &'static Interface,
    /// The Rust struct that fills binding 0.
    pub uniform: Uniform,
    /// Does what a dispatch over the whole problem does; slow, plain, for comparison. Takes one argument per binding, in
    /// their order.
    pub twin: fn(&mut [Argument<'_>]),
}

/// What the host must know of a WGSL file. Browsers get no shader parser, so a test writes these into `interfaces.rs`.
#[derive(Debug, PartialEq, Eq)]
pub struct Interface {
    /// Invocations in a workgroup, along x, y and z.
    pub workgroup_size: [u32; 3],
    /// Bindings 0, 1, … of group 0.
    pub bindings: &'static [Access],
}

/// How a kernel uses a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A uniform struct.
    Uniform {
        /// In bytes.
        size: u64,
        /// Field names and their offsets, in bytes.
        fields: &'static [(&'static str, usize)],
    },
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written.
    ReadWrite,
}

/// Layout of a Rust struct that is copied into a uniform buffer, for comparison with the WGSL one.
#[derive(Debug, PartialEq, Eq)]
pub struct Uniform {
    /// In bytes.
    pub size: usize,
    /// Field names and their offsets, in bytes.
    pub fields: &'static [(&'static str, usize)],
}

/// The [`Uniform`] of a struct, from its fields' names.
macro_rules! uniform {
    ($type:ty { $($field:ident),* $(,)? }) => {
        $crate::kernels::Uniform {
            size: size_of::<$type>(),
            fields: &[$((stringify!($field), std::mem::offset_of!($type, $field))),*],
        }
    };
}
pub(super) use uniform;

/// What a twin gets for a binding.
#[derive(Debug)]
pub enum Argument<'a> {
    /// The bytes of the uniform struct.
    Uniform(&'a [u8]),
    /// For [`Access::Read`].
    Read(&'a [f32]),
    /// For [`Access::ReadWrite`].
    ReadWrite(&'a mut [f32]),
}

/// Every kernel.
pub static KERNELS: &[Kernel] = &[Kernel {
    name: "similarity",
    source: include_str!("../../../shaders/similarity.wgsl"),
    interface: &interfaces::similarity::INTERFACE,
    uniform: similarity::UNIFORM,
    twin: similarity::twin,
}];

/// The kernel of that name.
#[must_use]
pub fn kernel(name: &str) -> Option<&'static Kernel> {
    KERNELS.iter().find(|kernel| kernel.name == name)
}
