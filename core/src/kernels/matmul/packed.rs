//! Right-hand sides in the order in which products read them.

use super::memory::Memory;
use super::{LINE, Lanes, SPAN, View, span_of, vectors_a_row};

/// As [`SPAN`], where a right-hand side is packed once and used all the time ([`super::Weights`]): a panel fills the cache
/// next to the core, and sums are stored less often.
const LONG_SPAN: usize = 384;

/// A right-hand side, in the order in which products read it.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    /// Spans of rows; in each, panels of columns; in each, row after row. Missing columns are zero.
    data: Memory,
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// Columns of a panel: those of a tile, so that what a tile reads lies side by side.
    pub(super) panel: usize,
    /// Rows of a span.
    pub(super) span: usize,
}

impl Packed {
    /// Packs `rhs`.
    #[must_use]
    pub fn new(rhs: View<'_>) -> Self {
        let mut packed = Self::default();
        packed.pack(rhs);
        packed
    }

    /// Packs `rhs` in longer spans. Sums have other bits than with [`Packed::new`] where there are more than 256 rows.
    pub(super) fn in_long_spans(rhs: View<'_>) -> Self {
        let mut packed = Self::default();
        packed.pack_in(rhs, LONG_SPAN);
        packed
    }

    /// Packs `rhs` in place of what was there; the memory is used again.
    ///
    /// # Panics
    /// When the view reaches past its data.
    pub fn pack(&mut self, rhs: View<'_>) {
        self.pack_in(rhs, SPAN);
    }

    fn pack_in(&mut self, rhs: View<'_>, most: usize) {
        self.pack_for(rhs, most, pulp::Arch::new().dispatch(Lanes));
    }

    /// Packs for vectors of `lanes` numbers: 1, 4, 8 or 16.
    pub(super) fn pack_for(&mut self, rhs: View<'_>, most: usize, lanes: usize) {
        (self.rows, self.cols) = (rhs.rows, rhs.cols);
        self.span = span_of(rhs.rows, most);
        match vectors_a_row(lanes, rhs.cols) * lanes {
            64 => self.fill::<64>(rhs),
            32 => self.fill::<32>(rhs),
            16 => self.fill::<16>(rhs),
            8 => self.fill::<8>(rhs),
            _ => self.fill::<2>(rhs),
        }
    }

    /// Numbers, the columns of zeros counted.
    fn len(&self) -> usize {
        self.rows * self.cols.div_ceil(self.panel.max(1)) * self.panel
    }

    fn floats(&self) -> &[f32] {
        &self.tail()[..self.len()]
    }

    /// What is packed, and what lies behind it in the same memory.
    pub(super) fn tail(&self) -> &[f32] {
        bytemuck::cast_slice(self.data.tail())
    }

    /// Where it lies, and how many lines of it.
    pub(super) fn memory(&mut self) -> (&mut Memory, usize) {
        let len = self.len().div_ceil(LINE);
        (&mut self.data, len)
    }

    /// [`Packed::pack`] with further columns of zeros, so that rows of a product are whole vectors; returns how many
    /// columns there are now.
    ///
    /// # Panics
    /// As it.
    pub fn pack_whole(&mut self, rhs: View<'_>) -> usize {
        self.pack(rhs);
        self.cols = rhs.cols.next_multiple_of(self.panel.min(16));
        self.cols
    }

    /// What was packed: `[rows, cols]`, row-major.
    #[must_use]
    pub fn unpacked(&self) -> Vec<f32> {
        let Self { rows, cols, panel, span: length, .. } = self;
        let data = self.floats();
        let panels = cols.div_ceil((*panel).max(1));
        let mut out = vec![0.0; rows * cols];
        for first in (0..*rows).step_by((*length).max(1)) {
            let depth = (*length).min(rows - first);
            let span = &data[first * panels * panel..][..depth * panels * panel];
            for (number, lines) in span.chunks_exact((depth * panel).max(1)).enumerate() {
                for (k, line) in lines.chunks_exact(*panel).enumerate() {
                    let row = &mut out[(first + k) * cols..][..*cols][number * panel..];
                    let width = row.len().min(*panel);
                    row[..width].copy_from_slice(&line[..width]);
                }
            }
        }
        out
    }

    /// Rows of what was packed.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of what was packed.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.cols
    }

    fn fill<const P: usize>(&mut self, rhs: View<'_>) {
        self.panel = P;
        let panels = rhs.cols.div_ceil(P);
        let len = self.len().div_ceil(LINE);
        let data: &mut [f32] = bytemuck::cast_slice_mut(self.data.anew(len));
        for first in (0..rhs.rows).step_by(self.span) {
            let rows = self.span.min(rhs.rows - first);
            let span = &mut data[first * panels * P..][..rows * panels * P];
            for (number, panel) in span.chunks_exact_mut(rows * P).enumerate() {
                pack_panel::<P>(panel, rhs, first, number * P);
            }
        }
    }
}

/// Rows and columns of a square that is transposed at once, in registers.
const SQUARE: usize = 8;

/// Fills one panel with columns from `column` of rows from `first`.
fn pack_panel<const P: usize>(panel: &mut [f32], rhs: View<'_>, first: usize, column: usize) {
    let cols = P.min(rhs.cols - column);
    let (lines, _) = panel.as_chunks_mut::<P>();
    if cols < P {
        lines.as_flattened_mut().fill(0.0);
    }
    if rhs.col_stride == 1 {
        for (k, line) in lines.iter_mut().enumerate() {
            let from = &rhs.data[(first + k) * rhs.row_stride + column..];
            match from.first_chunk::<P>() {
                Some(whole) if cols == P => *line = *whole,
                _ => line[..cols].copy_from_slice(&from[..cols]),
            }
        }
    } else {
        for (number, lines) in lines.chunks_mut(SQUARE).enumerate() {
            let column_from = |j: usize| &rhs.data[(column + j) * rhs.col_stride + first + number * SQUARE..];
            for j in (0..cols).step_by(SQUARE) {
                if lines.len() == SQUARE && j + SQUARE <= cols {
                    let square: [[f32; SQUARE]; SQUARE] =
                        std::array::from_fn(|i| *column_from(j + i).first_chunk().unwrap_or(&[0.0; SQUARE]));
                    for (k, line) in lines.iter_mut().enumerate() {
                        line[j..j + SQUARE].copy_from_slice(&std::array::from_fn::<f32, SQUARE, _>(|i| square[i][k]));
                    }
                } else {
                    for j in j..cols.min(j + SQUARE) {
                        lines.iter_mut().zip(column_from(j)).for_each(|(line, x)| line[j] = *x);
                    }
                }
            }
        }
    }
}
