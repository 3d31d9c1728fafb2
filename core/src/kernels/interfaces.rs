//! What the host must know of each WGSL file.
//!
//! Written from `shaders/` by `CRUCIBLE_BLESS=1 cargo test -p crucible-core --lib kernels`; not to be edited.

/// `shaders/similarity.wgsl`.
pub mod similarity {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const TILE: u32 = 64;
    /// The constant of that name.
    pub const DEPTH: u32 = 16;
    /// The constant of that name.
    pub const STRIDE: u32 = 66;
    /// The constant of that name.
    pub const SLICE: u32 = 1056;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [16, 16, 1],
        bindings: &[
            Access::Uniform { size: 16, fields: &[("n", 0), ("m", 4), ("d", 8), ("column_tiles", 12)] },
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}
