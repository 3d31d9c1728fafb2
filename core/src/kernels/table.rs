//! The one table of kernels: what the GPU backend builds its pipelines from and what the tests walk.

use std::fmt;

/// A kernel: WGSL, what it binds, and the Rust function that does the same.
pub struct Kernel {
    /// The same as the WGSL file's and the twin module's.
    pub name: &'static str,
    /// WGSL; its entry point is `main`.
    pub source: &'static str,
    /// What a device must offer for it.
    pub needs: Need,
    /// Read from the WGSL.
    pub interface: &'static Interface,
    /// The Rust struct that fills binding 0.
    pub uniform: Uniform,
    /// Does what a dispatch over the whole problem does; slow, plain, for comparison. Takes one argument per binding, in
    /// their order.
    pub twin: fn(&mut [Argument<'_>]),
}

/// What a device must offer for a kernel, beyond WebGPU's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it runs everywhere.
    Nothing,
    /// 16-bit floats in shaders.
    F16,
    /// Shuffles within subgroups. Native only: browsers want a line in the WGSL that `naga` refuses.
    Subgroups,
    /// Matrix units that multiply 16 × 16 16-bit floats into 32-bit ones. Native only, and experimental in `wgpu`.
    CooperativeMatrices,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::F16 => "16-bit floats",
            Self::Subgroups => "subgroups of 8 or more",
            Self::CooperativeMatrices => "matrix units of 16x16x16 f16 to f32 over subgroups of 32",
        })
    }
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

/// Takes a twin's arguments apart.
macro_rules! bind {
    ($kernel:literal, $arguments:ident: $($kind:ident($name:pat)),+) => {
        let [$($crate::kernels::Argument::$kind($name)),+] = $arguments else {
            panic!("{} got {} arguments of other kinds than it binds", $kernel, $arguments.len());
        };
    };
}
pub(super) use bind;

/// A kernel's uniform: it says how large the problem is.
pub trait Problem: bytemuck::Pod {
    /// Name of the kernel.
    const KERNEL: &'static str;

    /// Workgroups that cover it.
    fn groups(&self) -> u64;
}

/// [`Problem`] for a module's `Sizes`: `items` has one invocation an item, `groups` one workgroup an item.
macro_rules! problem {
    ($name:ident, items: $count:expr) => {
        problem!($name, groups: |sizes: &Sizes| {
            let size: u32 = $crate::kernels::interfaces::$name::INTERFACE.workgroup_size.iter().product();
            let count: fn(&Sizes) -> u64 = $count;
            count(sizes).div_ceil(u64::from(size))
        });
    };
    ($name:ident, groups: $count:expr) => {
        impl $crate::kernels::Problem for Sizes {
            const KERNEL: &'static str = stringify!($name);

            fn groups(&self) -> u64 {
                let count: fn(&Self) -> u64 = $count;
                count(self)
            }
        }
    };
}
pub(super) use problem;

/// A size as kernels count. Lengths are those of buffers, which a backend refuses long before this.
pub(crate) fn u(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A buffer of indices, which travels as the `f32`s of the same bits.
pub(super) fn words(numbers: &[f32]) -> &[u32] {
    bytemuck::cast_slice(numbers)
}

/// The table from the modules' names, which are those of the WGSL files too.
macro_rules! kernels {
    (@need) => { Need::Nothing };
    (@need $need:ident) => { Need::$need };
    ($($name:ident $(needs $need:ident)?),* $(,)?) => {
        /// Every kernel.
        pub static KERNELS: &[Kernel] = &[$(Kernel {
            name: stringify!($name),
            source: include_str!(concat!("../../../shaders/", stringify!($name), ".wgsl")),
            needs: kernels!(@need $($need)?),
            interface: &super::interfaces::$name::INTERFACE,
            uniform: super::$name::UNIFORM,
            twin: super::$name::twin,
        }),*];
    };
}

kernels! {
    activation, activation_backward, adamw, adamw_rows, add, attention, bucket_sum, clip, column_sum, danger, gelu, info_nce, layer_norm, normalise, normalise_backward, peak_copy, peak_fma, pool, pool_backward, pool_weights, pool_weights_backward, pool_weights_dots, product,
    similarity, similarity_coop needs CooperativeMatrices, similarity_f16 needs F16, similarity_subgroup needs Subgroups,
    square_sum, to_f16, top_k, triplet,
}

/// The kernel of that name.
#[must_use]
pub fn kernel(name: &str) -> Option<&'static Kernel> {
    KERNELS.iter().find(|kernel| kernel.name == name)
}
