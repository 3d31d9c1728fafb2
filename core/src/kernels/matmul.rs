//! Matrix products over row-major slices.
//!
//! The right-hand side is packed into panels of columns, once for all who multiply with it; a tile of the output stays
//! in registers while one panel streams past. Products are summed by `k` ascending, in spans of 256, so that the
//! bits do not depend on threads or on how rows are cut; they may depend on the instruction set, where one of them has
//! no fused multiply-add.

use crate::parallel;
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Columns of a panel: four of the widest vectors.
const PANEL: usize = 64;
/// Rows of the right-hand side that are packed and multiplied together: a panel of them stays near the core.
const SPAN: usize = 256;

/// Lines of a panel that are filled together from a transpose: 4 KiB.
const LINES: usize = 16;

/// A matrix inside a slice of `f32`, possibly transposed.
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> View<'a> {
    /// `data: [rows, cols]`, row-major.
    ///
    /// # Panics
    /// When `data` has another length.
    #[must_use]
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "a [{rows}, {cols}] matrix does not have {} numbers", data.len());
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transpose, without moving data.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// Columns `range` of it.
    ///
    /// # Panics
    /// When the range reaches past the last column.
    #[must_use]
    pub fn columns(self, range: std::ops::Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.cols, "columns {range:?} of {}", self.cols);
        let skipped = (range.start * self.col_stride).min(self.data.len());
        Self { data: &self.data[skipped..], cols: range.len(), ..self }
    }

    fn at(&self, row: usize, col: usize) -> f32 {
        self.data[row * self.row_stride + col * self.col_stride]
    }
}

/// The scalar reference: `out = lhs · rhs` (or `out +=` with `accumulate`), sums in `f64`.
///
/// # Panics
/// When the shapes do not fit.
pub fn reference(out: &mut [f32], lhs: View<'_>, rhs: View<'_>, accumulate: bool) {
    check(out, &lhs, (rhs.rows, rhs.cols));
    for row in 0..lhs.rows {
        for col in 0..rhs.cols {
            let sum: f64 = (0..lhs.cols).map(|k| f64::from(lhs.at(row, k)) * f64::from(rhs.at(k, col))).sum();
            let cell = &mut out[row * rhs.cols + col];
            *cell = if accumulate { *cell + sum as f32 } else { sum as f32 };
        }
    }
}

/// A right-hand side, in the order in which products read it.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    /// Spans of rows; in each, panels of columns; in each, row after row. Missing columns are zero.
    data: Vec<f32>,
    rows: usize,
    cols: usize,
}

impl Packed {
    /// Packs `rhs`.
    #[must_use]
    pub fn new(rhs: View<'_>) -> Self {
        let mut packed = Self::default();
        packed.pack(rhs);
        packed
    }

    /// Packs `rhs` in place of what was there; the memory is used again.
    ///
    /// # Panics
    /// When the view reaches past its data.
    pub fn pack(&mut self, rhs: View<'_>) {
        (self.rows, self.cols) = (rhs.rows, rhs.cols);
        let panels = rhs.cols.div_ceil(PANEL);
        self.data.resize(rhs.rows * panels * PANEL, 0.0);
        for first in (0..rhs.rows).step_by(SPAN) {
            let rows = SPAN.min(rhs.rows - first);
            let span = &mut self.data[first * panels * PANEL..][..rows * panels * PANEL];
            for (number, panel) in span.chunks_exact_mut(rows * PANEL).enumerate() {
                pack_panel(panel, rhs, first, number * PANEL);
            }
        }
    }
}

/// Fills one panel with columns from `column` of rows from `first`.
fn pack_panel(panel: &mut [f32], rhs: View<'_>, first: usize, column: usize) {
    let cols = PANEL.min(rhs.cols - column);
    let (lines, _) = panel.as_chunks_mut::<PANEL>();
    if cols < PANEL {
        lines.as_flattened_mut().fill(0.0);
    }
    if rhs.col_stride == 1 {
        for (k, line) in lines.iter_mut().enumerate() {
            let from = &rhs.data[(first + k) * rhs.row_stride + column..];
            match from.first_chunk::<PANEL>() {
                Some(whole) if cols == PANEL => *line = *whole,
                _ => line[..cols].copy_from_slice(&from[..cols]),
            }
        }
    } else {
        // A few lines at a time stay near the core while all columns are written into them.
        for (number, lines) in lines.chunks_mut(LINES).enumerate() {
            let first = first + number * LINES;
            for j in 0..cols {
                let from = &rhs.data[(column + j) * rhs.col_stride + first..][..lines.len()];
                for (line, x) in lines.iter_mut().zip(from) {
                    line[j] = *x;
                }
            }
        }
    }
}

/// `out = lhs · rhs`, or `out += lhs · rhs` with `accumulate`; `out: [lhs.rows, rhs.cols]`, row-major.
///
/// # Panics
/// When the shapes do not fit.
pub fn matmul(out: &mut [f32], lhs: View<'_>, rhs: View<'_>, accumulate: bool) {
    check(out, &lhs, (rhs.rows, rhs.cols));
    matmul_packed(out, lhs, &Packed::new(rhs), accumulate);
}

/// The same with a right-hand side that is packed already.
///
/// # Panics
/// When the shapes do not fit.
pub fn matmul_packed(out: &mut [f32], lhs: View<'_>, rhs: &Packed, accumulate: bool) {
    check(out, &lhs, (rhs.rows, rhs.cols));
    if out.is_empty() {
        return;
    }
    let block = rows_a_block(lhs.rows);
    parallel::for_blocks(out, block * rhs.cols, |number, out| {
        let first = number * block;
        let rows = out.len() / rhs.cols;
        let lhs = View { data: &lhs.data[(first * lhs.row_stride).min(lhs.data.len())..], rows, ..lhs };
        matmul_block(out, lhs, rhs, accumulate);
    });
}

/// Rows of the output that are computed together: about a quarter, at most 480.
fn rows_a_block(rows: usize) -> usize {
    rows.div_ceil(4).clamp(1, 480)
}

/// The same on the calling thread.
///
/// # Panics
/// When the shapes do not fit.
pub fn matmul_block(out: &mut [f32], lhs: View<'_>, rhs: &Packed, accumulate: bool) {
    check(out, &lhs, (rhs.rows, rhs.cols));
    if out.is_empty() {
        return;
    }
    if rhs.rows == 0 {
        if !accumulate {
            out.fill(0.0);
        }
        return;
    }
    pulp::Arch::new().dispatch(Product { out, lhs, rhs, accumulate });
}

struct Product<'a> {
    out: &'a mut [f32],
    lhs: View<'a>,
    rhs: &'a Packed,
    accumulate: bool,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let panels = self.rhs.cols.div_ceil(PANEL);
        let spans = self.rhs.data.chunks(SPAN * panels * PANEL);
        for (number, span) in spans.enumerate() {
            let first = number * SPAN;
            let depth = span.len() / (panels * PANEL);
            for (column, panel) in span.chunks_exact(depth * PANEL).enumerate() {
                self.panel(simd, panel, first..first + depth, column * PANEL);
            }
            self.accumulate = true;
        }
    }
}

/// Rows of a tile: six rows of four vectors, or of two where registers are half as many, leave room for the operands.
const ROWS: usize = 6;

impl Product<'_> {
    /// Everything that one panel contributes.
    #[inline(always)]
    fn panel<S: Simd>(&mut self, simd: S, panel: &[f32], depth: Range<usize>, column: usize) {
        if S::F32_LANES >= 16 {
            self.parts::<S, 4>(simd, panel, depth, column);
        } else {
            self.parts::<S, 2>(simd, panel, depth, column);
        }
    }

    /// The same, `V` vectors of a row at a time.
    #[inline(always)]
    fn parts<S: Simd, const V: usize>(&mut self, simd: S, panel: &[f32], depth: Range<usize>, column: usize) {
        let (vectors, _) = S::as_simd_f32s(panel);
        let width = V * S::F32_LANES;
        for part in 0..PANEL / width {
            let column = column + part * width;
            if column >= self.rhs.cols {
                break;
            }
            let vectors = &vectors[part * V..];
            let row = self.tiles::<S, ROWS, V>(simd, vectors, &depth, 0, column);
            self.tiles::<S, 1, V>(simd, vectors, &depth, row, column);
        }
    }

    /// As many tiles of `R` rows as fit from `row` on; returns the row after them.
    #[inline(always)]
    fn tiles<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        vectors: &[S::f32s],
        depth: &Range<usize>,
        mut row: usize,
        column: usize,
    ) -> usize {
        let View { data, rows, row_stride, col_stride, .. } = self.lhs;
        let length = depth.len();
        while row + R <= rows {
            let sums: [[S::f32s; V]; R] = if col_stride == 1 {
                let rows: [&[f32]; R] =
                    std::array::from_fn(|i| &data[(row + i) * row_stride + depth.start..][..length]);
                tile(simd, vectors, length, |k| std::array::from_fn(|i| rows[i][k]))
            } else {
                let lines = &data[depth.start * col_stride + row..];
                tile(simd, vectors, length, |k| {
                    let line = &lines[k * col_stride..][..R];
                    std::array::from_fn(|i| line[i])
                })
            };
            for (i, sums) in sums.into_iter().enumerate() {
                let out = &mut self.out[(row + i) * self.rhs.cols..][..self.rhs.cols][column..];
                store::<S, V>(simd, out, sums, self.accumulate);
            }
            row += R;
        }
        row
    }
}

/// `sums[i][v] = Σ_k lhs(k)[i] · line_k[v]`, where the lines of `vectors` are a panel's.
#[inline(always)]
fn tile<S: Simd, const R: usize, const V: usize>(
    simd: S,
    vectors: &[S::f32s],
    length: usize,
    lhs: impl Fn(usize) -> [f32; R],
) -> [[S::f32s; V]; R] {
    let a_line = PANEL / S::F32_LANES;
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    for k in 0..length {
        let line = &vectors[k * a_line..][..V];
        let a = lhs(k);
        for i in 0..R {
            let a = simd.splat_f32s(a[i]);
            for v in 0..V {
                sums[i][v] = simd.mul_add_e_f32s(a, line[v], sums[i][v]);
            }
        }
    }
    // Element by element: a whole array handed on would keep the sums in memory.
    std::array::from_fn(|i| std::array::from_fn(|v| sums[i][v]))
}

/// Writes or adds a tile's row to `out`, which may end within it.
#[inline(always)]
fn store<S: Simd, const V: usize>(simd: S, out: &mut [f32], sums: [S::f32s; V], accumulate: bool) {
    let width = V * S::F32_LANES;
    if out.len() >= width {
        let (out, _) = S::as_mut_simd_f32s(&mut out[..width]);
        for v in 0..V {
            out[v] = if accumulate { simd.add_f32s(out[v], sums[v]) } else { sums[v] };
        }
    } else {
        for (o, sum) in out.iter_mut().zip(bytemuck::cast_slice::<S::f32s, f32>(&sums)) {
            *o = if accumulate { *o + sum } else { *sum };
        }
    }
}

fn check(out: &[f32], lhs: &View<'_>, (rows, cols): (usize, usize)) {
    assert_eq!(lhs.cols, rows, "lhs has {} columns, rhs {rows} rows", lhs.cols);
    assert_eq!(out.len(), lhs.rows * cols, "out does not hold [{}, {cols}]", lhs.rows);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn agrees_with_the_reference_on_every_size_and_transpose() {
        let mut stream = Stream::new(1, "matmul", 0);
        let mut packed = Packed::default();
        let sizes = [
            (0, 3, 2),
            (3, 0, 2),
            (1, 1, 1),
            (1, 7, 0),
            (5, 1, 9),
            (48, 64, 16),
            (49, 65, 17),
            (131, 70, 2 * SPAN + 1),
        ];
        for (m, n, k) in sizes {
            for (lt, rt) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut random = |len: usize| (0..len).map(|_| stream.symmetric(1.0)).collect::<Vec<_>>();
                let (a, b, c) = (random(m * k), random(k * n), random(m * n));
                let lhs = if lt { View::new(&a, k, m).t() } else { View::new(&a, m, k) };
                let rhs = if rt { View::new(&b, n, k).t() } else { View::new(&b, k, n) };
                for accumulate in [false, true] {
                    // Without `accumulate` the old content must not shine through, not even NaN.
                    let start = if accumulate { c.clone() } else { vec![f32::NAN; m * n] };
                    let (mut fast, mut slow) = (start.clone(), start);
                    // What was packed before must not shine through either.
                    packed.pack(rhs);
                    matmul_packed(&mut fast, lhs, &packed, accumulate);
                    reference(&mut slow, lhs, rhs, accumulate);
                    for (i, (x, y)) in fast.iter().zip(&slow).enumerate() {
                        assert!((x - y).abs() <= 4e-5, "[{m},{n},{k}] {lt} {rt} at {i}: {x} and {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn bits_do_not_depend_on_how_rows_are_cut() {
        let mut stream = Stream::new(1, "matmul", 1);
        let (m, n, k) = (23, 70, 300);
        let mut random = |len: usize| (0..len).map(|_| stream.symmetric(1.0)).collect::<Vec<_>>();
        let (a, b) = (random(m * k), random(k * n));
        let packed = Packed::new(View::new(&b, k, n));
        let mut whole = vec![0.0; m * n];
        matmul_block(&mut whole, View::new(&a, m, k), &packed, false);
        for rows in [1, 2, 5, 7, 12] {
            for (out, lhs) in whole.chunks(rows * n).zip(a.chunks(rows * k)) {
                let mut part = vec![0.0; out.len()];
                matmul_block(&mut part, View::new(lhs, lhs.len() / k, k), &packed, false);
                assert!(part == out, "blocks of {rows} rows");
            }
        }
    }
}
