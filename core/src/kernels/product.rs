//! A matrix product of parts of two buffers with any strides.
//!
//! Twin of `shaders/product.wgsl`.

use super::interfaces::product::TILE;
use super::table::{Argument, Uniform, bind, problem, uniform};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows of `a`.
    pub n: u32,
    /// Columns of `b`.
    pub m: u32,
    /// Columns of `a`, rows of `b`.
    pub d: u32,
    /// Tiles that cover a row of the output.
    pub column_tiles: u32,
    /// Where `a` begins.
    pub a_start: u32,
    /// From one row of `a` to the next.
    pub a_row: u32,
    /// From one column of `a` to the next.
    pub a_column: u32,
    /// Where `b` begins.
    pub b_start: u32,
    /// From one row of `b` to the next.
    pub b_row: u32,
    /// From one column of `b` to the next.
    pub b_column: u32,
    /// Where the output begins.
    pub out_start: u32,
    /// From one row of the output to the next.
    pub out_row: u32,
}

pub(super) const UNIFORM: Uniform =
    uniform!(Sizes { n, m, d, column_tiles, a_start, a_row, a_column, b_start, b_row, b_column, out_start, out_row });

problem!(product, groups: |s| u64::from(s.n.div_ceil(TILE)) * u64::from(s.column_tiles));

/// Where a matrix lies in a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Where it begins.
    pub start: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// From one row to the next.
    pub row: usize,
    /// From one column to the next.
    pub column: usize,
}

impl Part {
    /// Rows that lie side by side, from the start of a buffer.
    #[must_use]
    pub fn new(rows: usize, columns: usize) -> Self {
        Self { start: 0, rows, columns, row: columns, column: 1 }
    }

    /// Its rows from `first` on.
    #[must_use]
    pub fn rows_from(self, first: usize) -> Self {
        Self { start: self.start + first * self.row, rows: self.rows - first, ..self }
    }

    /// The first `rows` of it.
    #[must_use]
    pub fn first_rows(self, rows: usize) -> Self {
        Self { rows, ..self }
    }

    /// The transpose.
    #[must_use]
    pub fn t(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row: self.column, column: self.row, ..self }
    }
}

impl Sizes {
    /// `out = a · b`; `out`'s rows lie side by side from `out_start` on.
    ///
    /// # Panics
    /// When the shapes do not fit.
    #[must_use]
    pub fn new(a: Part, b: Part, out_start: usize) -> Self {
        assert_eq!(a.columns, b.rows, "a has {} columns, b {} rows", a.columns, b.rows);
        let of = |n: usize| n as u32;
        Self {
            n: of(a.rows),
            m: of(b.columns),
            d: of(a.columns),
            column_tiles: of(b.columns).div_ceil(TILE),
            a_start: of(a.start),
            a_row: of(a.row),
            a_column: of(a.column),
            b_start: of(b.start),
            b_row: of(b.row),
            b_column: of(b.column),
            out_start: of(out_start),
            out_row: of(b.columns),
        }
    }

    /// The same with an output whose rows lie `out_row` apart; what lies between them stays.
    #[must_use]
    pub fn with_out_row(self, out_row: u32) -> Self {
        Self { out_row, ..self }
    }
}

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("product", arguments: Uniform(sizes), Read(a), Read(b), ReadWrite(out));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    for i in 0..sizes.n {
        for j in 0..sizes.m {
            let a = |k: u32| f64::from(a[(sizes.a_start + i * sizes.a_row + k * sizes.a_column) as usize]);
            let b = |k: u32| f64::from(b[(sizes.b_start + k * sizes.b_row + j * sizes.b_column) as usize]);
            out[(sizes.out_start + i * sizes.out_row + j) as usize] =
                (0..sizes.d).map(|k| a(k) * b(k)).sum::<f64>() as f32;
        }
    }
}
