//! What the host must know of each WGSL file.
//!
//! Written from `shaders/` by `CRUCIBLE_BLESS=1 cargo test -p crucible-core --lib kernels`; not to be edited.

/// `shaders/activation.wgsl`.
#[rustfmt::skip]
pub mod activation {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 24, fields: &[("rows", 0), ("width", 4), ("kind", 8), ("seed", 12), ("threshold", 16), ("scale", 20)] },
            Access::Read,
            Access::ReadWrite,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/activation_backward.wgsl`.
#[rustfmt::skip]
pub mod activation_backward {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 24, fields: &[("rows", 0), ("width", 4), ("kind", 8), ("seed", 12), ("threshold", 16), ("scale", 20)] },
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/adamw.wgsl`.
#[rustfmt::skip]
pub mod adamw {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 16, fields: &[("n", 0), ("rate", 4), ("correction", 8), ("decay", 12)] },
            Access::Read,
            Access::Read,
            Access::ReadWrite,
            Access::ReadWrite,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/adamw_rows.wgsl`.
#[rustfmt::skip]
pub mod adamw_rows {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 16, fields: &[("rows", 0), ("dim", 4), ("rate", 8), ("correction", 12)] },
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::ReadWrite,
            Access::ReadWrite,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/add.wgsl`.
#[rustfmt::skip]
pub mod add {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 4, fields: &[("n", 0)] },
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/attention.wgsl`.
#[rustfmt::skip]
pub mod attention {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const LANES: u32 = 64;
    /// The constant of that name.
    pub const MOST: u32 = 128;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [64, 1, 1],
        bindings: &[
            Access::Uniform { size: 16, fields: &[("tokens", 0), ("heads", 4), ("size", 8), ("scale", 12)] },
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/bucket_sum.wgsl`.
#[rustfmt::skip]
pub mod bucket_sum {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const LANES: u32 = 256;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 8, fields: &[("buckets", 0), ("tokens", 4)] },
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/clip.wgsl`.
#[rustfmt::skip]
pub mod clip {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const LANES: u32 = 256;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 16, fields: &[("anchors", 0), ("count", 4), ("stats_start", 8), ("bound", 12)] },
            Access::Read,
            Access::Read,
            Access::ReadWrite,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/column_sum.wgsl`.
#[rustfmt::skip]
pub mod column_sum {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [64, 1, 1],
        bindings: &[
            Access::Uniform { size: 8, fields: &[("rows", 0), ("width", 4)] },
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/danger.wgsl`.
#[rustfmt::skip]
pub mod danger {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const LANES: u32 = 64;
    /// The constant of that name.
    pub const SURE: u32 = 0;
    /// The constant of that name.
    pub const NEAR: u32 = 1;
    /// The constant of that name.
    pub const ZERO: u32 = 2;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [64, 1, 1],
        bindings: &[
            Access::Uniform { size: 12, fields: &[("bundles", 0), ("dim", 4), ("slack", 8)] },
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::ReadWrite,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/gelu.wgsl`.
#[rustfmt::skip]
pub mod gelu {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 8, fields: &[("rows", 0), ("width", 4)] },
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/info_nce.wgsl`.
#[rustfmt::skip]
pub mod info_nce {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const LANES: u32 = 64;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [64, 1, 1],
        bindings: &[
            Access::Uniform { size: 24, fields: &[("anchors", 0), ("candidates", 4), ("in_batch", 8), ("inverse_temperature", 12), ("margin", 16), ("scale", 20)] },
            Access::Read,
            Access::Read,
            Access::Read,
            Access::ReadWrite,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/layer_norm.wgsl`.
#[rustfmt::skip]
pub mod layer_norm {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const LANES: u32 = 64;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [64, 1, 1],
        bindings: &[
            Access::Uniform { size: 16, fields: &[("rows", 0), ("width", 4), ("residual", 8), ("epsilon", 12)] },
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/normalise.wgsl`.
#[rustfmt::skip]
pub mod normalise {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const LANES: u32 = 64;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [64, 1, 1],
        bindings: &[
            Access::Uniform { size: 16, fields: &[("rows", 0), ("width", 4), ("head", 8), ("residual", 12)] },
            Access::Read,
            Access::Read,
            Access::Read,
            Access::ReadWrite,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/normalise_backward.wgsl`.
#[rustfmt::skip]
pub mod normalise_backward {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const LANES: u32 = 64;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [64, 1, 1],
        bindings: &[
            Access::Uniform { size: 8, fields: &[("rows", 0), ("width", 4)] },
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/peak_copy.wgsl`.
#[rustfmt::skip]
pub mod peak_copy {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 4, fields: &[("n", 0)] },
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/peak_fma.wgsl`.
#[rustfmt::skip]
pub mod peak_fma {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 16, fields: &[("n", 0), ("rounds", 4), ("factor", 8), ("step", 12)] },
            Access::ReadWrite,
        ],
    };
}

/// `shaders/pool.wgsl`.
#[rustfmt::skip]
pub mod pool {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 8, fields: &[("texts", 0), ("dim", 4)] },
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/pool_backward.wgsl`.
#[rustfmt::skip]
pub mod pool_backward {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 8, fields: &[("rows", 0), ("dim", 4)] },
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/pool_weights.wgsl`.
#[rustfmt::skip]
pub mod pool_weights {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [64, 1, 1],
        bindings: &[
            Access::Uniform { size: 4, fields: &[("texts", 0)] },
            Access::Read,
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/pool_weights_backward.wgsl`.
#[rustfmt::skip]
pub mod pool_weights_backward {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [64, 1, 1],
        bindings: &[
            Access::Uniform { size: 4, fields: &[("texts", 0)] },
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/pool_weights_dots.wgsl`.
#[rustfmt::skip]
pub mod pool_weights_dots {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const LANES: u32 = 64;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [64, 1, 1],
        bindings: &[
            Access::Uniform { size: 8, fields: &[("tokens", 0), ("dim", 4)] },
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/product.wgsl`.
#[rustfmt::skip]
pub mod product {
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
            Access::Uniform { size: 48, fields: &[("n", 0), ("m", 4), ("d", 8), ("column_tiles", 12), ("a_start", 16), ("a_row", 20), ("a_column", 24), ("b_start", 28), ("b_row", 32), ("b_column", 36), ("out_start", 40), ("out_row", 44)] },
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/similarity.wgsl`.
#[rustfmt::skip]
pub mod similarity {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const TILE: u32 = 128;
    /// The constant of that name.
    pub const DEPTH: u32 = 16;
    /// The constant of that name.
    pub const QUADS: u32 = 32;
    /// The constant of that name.
    pub const SLICE: u32 = 512;
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

/// `shaders/similarity_coop.wgsl`.
#[rustfmt::skip]
pub mod similarity_coop {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const TILE: u32 = 128;
    /// The constant of that name.
    pub const DEPTH: u32 = 32;
    /// The constant of that name.
    pub const STRIDE: u32 = 10;
    /// The constant of that name.
    pub const SLICE: u32 = 1280;
    /// The constant of that name.
    pub const EDGE: u32 = 2048;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 16, fields: &[("n", 0), ("m", 4), ("quads", 8), ("column_tiles", 12)] },
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/similarity_f16.wgsl`.
#[rustfmt::skip]
pub mod similarity_f16 {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const TILE: u32 = 128;
    /// The constant of that name.
    pub const DEPTH: u32 = 16;
    /// The constant of that name.
    pub const QUADS: u32 = 32;
    /// The constant of that name.
    pub const SLICE: u32 = 512;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [16, 16, 1],
        bindings: &[
            Access::Uniform { size: 16, fields: &[("n", 0), ("m", 4), ("quads", 8), ("column_tiles", 12)] },
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/similarity_subgroup.wgsl`.
#[rustfmt::skip]
pub mod similarity_subgroup {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const TILE_ROWS: u32 = 64;
    /// The constant of that name.
    pub const TILE_COLUMNS: u32 = 128;
    /// The constant of that name.
    pub const DEPTH: u32 = 16;
    /// The constant of that name.
    pub const QUADS: u32 = 32;
    /// The constant of that name.
    pub const SLICE: u32 = 512;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 16, fields: &[("n", 0), ("m", 4), ("d", 8), ("column_tiles", 12)] },
            Access::Read,
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/square_sum.wgsl`.
#[rustfmt::skip]
pub mod square_sum {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const LANES: u32 = 256;
    /// The constant of that name.
    pub const BLOCK: u32 = 4096;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 8, fields: &[("n", 0), ("out_start", 4)] },
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/to_f16.wgsl`.
#[rustfmt::skip]
pub mod to_f16 {
    use crate::kernels::{Access, Interface};

    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [256, 1, 1],
        bindings: &[
            Access::Uniform { size: 16, fields: &[("rows", 0), ("columns", 4), ("padded_rows", 8), ("padded_columns", 12)] },
            Access::Read,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/top_k.wgsl`.
#[rustfmt::skip]
pub mod top_k {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const TILE: u32 = 128;
    /// The constant of that name.
    pub const DEPTH: u32 = 8;
    /// The constant of that name.
    pub const STRIDE: u32 = 33;
    /// The constant of that name.
    pub const SLICE: u32 = 264;
    /// The constant of that name.
    pub const LANES: u32 = 256;
    /// The constant of that name.
    pub const ROOM: u32 = 512;
    /// The constant of that name.
    pub const MOST: u32 = 256;
    /// The constant of that name.
    pub const MISSING: u32 = 4294967295;
    /// The constant of that name.
    pub const SAME: u32 = 1;
    /// The constant of that name.
    pub const APART: u32 = 2;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [16, 16, 1],
        bindings: &[
            Access::Uniform { size: 40, fields: &[("queries", 0), ("rows", 4), ("dim", 8), ("k", 12), ("query_tiles", 16), ("splits", 20), ("split_rows", 24), ("first_row", 28), ("modes", 32), ("carry", 36)] },
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::ReadWrite,
            Access::ReadWrite,
            Access::ReadWrite,
        ],
    };
}

/// `shaders/triplet.wgsl`.
#[rustfmt::skip]
pub mod triplet {
    use crate::kernels::{Access, Interface};

    /// The constant of that name.
    pub const LANES: u32 = 64;
    /// Workgroup size and bindings.
    pub static INTERFACE: Interface = Interface {
        workgroup_size: [64, 1, 1],
        bindings: &[
            Access::Uniform { size: 24, fields: &[("anchors", 0), ("candidates", 4), ("in_batch", 8), ("inverse_temperature", 12), ("margin", 16), ("scale", 20)] },
            Access::Read,
            Access::Read,
            Access::Read,
            Access::ReadWrite,
            Access::ReadWrite,
        ],
    };
}
