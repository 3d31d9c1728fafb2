//! Right-hand sides in the order in which products read them.

use super::memory::Memory;
use super::transpose::transpose;
use super::{LINE, Lanes, SPAN, View, span_of, vectors_a_row};
use crate::kernels::simd::widest;
use std::ops::Range;

/// As [`SPAN`], where a right-hand side is packed once and used all the time ([`super::Weights`]): a panel fills the cache
/// next to the core, and sums are stored less often.
const LONG_SPAN: usize = 384;

/// Columns that are whole panels with vectors of any width.
pub const WHOLE_PANELS: usize = 64;

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
        self.shape((rhs.rows, rhs.cols), most, lanes);
        self.cut(rhs.cols).into_iter().for_each(|mut part| part.pack(rhs));
    }

    /// Takes the shape and makes room; what is packed is open.
    fn shape(&mut self, (rows, cols): (usize, usize), most: usize, lanes: usize) {
        (self.rows, self.cols) = (rows, cols);
        self.span = span_of(rows, most);
        self.panel = (vectors_a_row(lanes, cols) * lanes).max(2);
        let len = self.len().div_ceil(LINE);
        self.data.anew(len);
    }

    /// Makes room for `[rows, cols]` in place of what was there. Each part holds `width` of the columns, the last maybe fewer;
    /// all are to be packed before products read them.
    ///
    /// # Panics
    /// When `width` is 0 or no multiple of [`WHOLE_PANELS`].
    pub fn parts(&mut self, (rows, cols): (usize, usize), width: usize) -> Vec<Part<'_>> {
        assert!(width > 0 && width.is_multiple_of(WHOLE_PANELS), "parts of {width} columns would cut panels");
        self.shape((rows, cols), SPAN, pulp::Arch::new().dispatch(Lanes));
        self.cut(width)
    }

    fn cut(&mut self, width: usize) -> Vec<Part<'_>> {
        let Self { rows, cols, panel, span, .. } = *self;
        let panels = cols.div_ceil(panel);
        let len = self.len();
        let mut data = &mut bytemuck::cast_slice_mut(self.data.own())[..len];
        let width = width.max(1);
        let part = |first| Part { spans: Vec::new(), shape: (rows, width.min(cols - first)), panel };
        let mut parts: Vec<Part<'_>> = (0..cols).step_by(width).map(part).collect();
        for first in (0..rows).step_by(span) {
            let depth = first..rows.min(first + span);
            let (all, later) = data.split_at_mut(depth.len() * panels * panel);
            data = later;
            let own = all.chunks_mut((depth.len() * width.next_multiple_of(panel)).max(1));
            parts.iter_mut().zip(own).for_each(|(part, own)| part.spans.push((depth.clone(), own)));
        }
        parts
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
}

/// Some columns of a right-hand side that is being packed.
pub struct Part<'a> {
    /// Rows, and their panels.
    spans: Vec<(Range<usize>, &'a mut [f32])>,
    /// Rows and columns.
    shape: (usize, usize),
    panel: usize,
}

impl Part<'_> {
    /// Packs `columns`, which are all rows of this part.
    ///
    /// # Panics
    /// When they are not as many, or reach past their data.
    pub fn pack(&mut self, columns: View<'_>) {
        assert_eq!((columns.rows, columns.cols), self.shape, "another matrix than the part was made for");
        match self.panel {
            64 => self.fill::<64>(columns),
            32 => self.fill::<32>(columns),
            16 => self.fill::<16>(columns),
            8 => self.fill::<8>(columns),
            _ => self.fill::<2>(columns),
        }
    }

    fn fill<const P: usize>(&mut self, columns: View<'_>) {
        for (depth, panels) in &mut self.spans {
            for (number, panel) in panels.chunks_exact_mut(depth.len() * P).enumerate() {
                let from = columns.rows(depth.clone()).columns(number * P..columns.cols.min((number + 1) * P));
                if from.cols < P {
                    panel.fill(0.0);
                }
                if from.col_stride == 1 {
                    let (lines, _) = panel.as_chunks_mut::<P>();
                    widest!(copy(lines, from));
                } else {
                    transpose(panel, P, from);
                }
            }
        }
    }
}

/// Fills a panel with rows whose numbers lie side by side.
#[inline(always)]
fn copy<const P: usize>(lines: &mut [[f32; P]], from: View<'_>) {
    for (k, line) in lines.iter_mut().enumerate() {
        let from = &from.data[k * from.row_stride..][..from.cols];
        match from.first_chunk() {
            Some(whole) => *line = *whole,
            None => line[..from.len()].copy_from_slice(from),
        }
    }
}
