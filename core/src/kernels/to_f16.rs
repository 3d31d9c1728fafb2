//! Rows as 16-bit floats, padded with zeros to whole tiles, for [`super::similarity_f16`] and [`super::similarity_coop`].
//!
//! Twin of `shaders/to_f16.wgsl`. Rounding is to the nearest here; WGSL leaves the choice between both neighbours to the
//! device, and what is beyond ±65504 undefined: rows should be of unit length.

use super::table::{Argument, Uniform, bind, problem, uniform};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub columns: u32,
    /// Rows with those of zeros.
    pub padded_rows: u32,
    /// Columns with those of zeros.
    pub padded_columns: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { rows, columns, padded_rows, padded_columns });

problem!(to_f16, items: |s| s.words());

/// Rows come in multiples of this: the tile of the kernels that read them.
const ROWS: u32 = 128;
/// Columns come in multiples of this: the deeper slice of the two.
const COLUMNS: u32 = 32;

impl Sizes {
    /// For `rows` of `columns` numbers each. No columns become some of zeros.
    ///
    /// # Panics
    /// In debug builds, beyond `u32`, which no buffer reaches.
    #[must_use]
    pub fn new(rows: u32, columns: u32) -> Self {
        let padded_columns = columns.max(1).next_multiple_of(COLUMNS);
        Self { rows, columns, padded_rows: rows.next_multiple_of(ROWS), padded_columns }
    }

    /// Words of the output, two numbers each.
    #[must_use]
    pub fn words(&self) -> u64 {
        u64::from(self.padded_rows) * u64::from(self.padded_columns / 2)
    }
}

/// The WGSL's twin.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("to_f16", arguments: Uniform(sizes), Read(values), ReadWrite(out));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let bits = |row: u32, column: u32| -> u32 {
        if row >= sizes.rows || column >= sizes.columns {
            return 0;
        }
        half::f16::from_f32(values[(row * sizes.columns + column) as usize]).to_bits().into()
    };
    let mut words = out.iter_mut();
    for row in 0..sizes.padded_rows {
        for (column, word) in (0..sizes.padded_columns).step_by(2).zip(&mut words) {
            *word = f32::from_bits(bits(row, column) | bits(row, column + 1) << 16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::interfaces::{similarity_coop, similarity_f16};
    use super::*;

    #[test]
    fn padding_makes_whole_tiles_and_slices() {
        for (tile, depth) in
            [(similarity_f16::TILE, similarity_f16::DEPTH), (similarity_coop::TILE, similarity_coop::DEPTH)]
        {
            assert_eq!((ROWS % tile, COLUMNS % depth), (0, 0));
        }
        let sizes = Sizes::new(129, 33);
        assert_eq!((sizes.padded_rows, sizes.padded_columns, sizes.words()), (256, 64, 256 * 32));
        assert_eq!(Sizes::new(0, 0).words(), 0);
        assert_eq!(Sizes::new(1, 0).padded_columns, COLUMNS);
    }
}
