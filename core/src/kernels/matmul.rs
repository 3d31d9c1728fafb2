//! Matrix products over row-major slices, through the `gemm` crate.
//!
//! Rows of the output are cut into blocks whose size depends on the shape alone, so the bits do not depend on the
//! number of threads. They may depend on the instruction set.

use crate::parallel;

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
    check(out, &lhs, &rhs);
    for row in 0..lhs.rows {
        for col in 0..rhs.cols {
            let sum: f64 = (0..lhs.cols).map(|k| f64::from(lhs.at(row, k)) * f64::from(rhs.at(k, col))).sum();
            let cell = &mut out[row * rhs.cols + col];
            *cell = if accumulate { *cell + sum as f32 } else { sum as f32 };
        }
    }
}

/// `out = lhs · rhs`, or `out += lhs · rhs` with `accumulate`; `out: [lhs.rows, rhs.cols]`, row-major.
///
/// # Panics
/// When the shapes do not fit.
pub fn matmul(out: &mut [f32], lhs: View<'_>, rhs: View<'_>, accumulate: bool) {
    check(out, &lhs, &rhs);
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

/// Rows of the output that are computed together: about a quarter, a multiple of 16, at least 48, at most 512. Each
/// block packs the right-hand side anew.
fn rows_a_block(rows: usize) -> usize {
    rows.div_ceil(4).next_multiple_of(16).clamp(48, 512)
}

/// The same on the calling thread.
///
/// # Panics
/// When the shapes do not fit.
pub fn matmul_block(out: &mut [f32], lhs: View<'_>, rhs: View<'_>, accumulate: bool) {
    check(out, &lhs, &rhs);
    let (rows, cols, depth) = (lhs.rows, rhs.cols, lhs.cols);
    if out.is_empty() {
        return;
    }
    if depth == 0 {
        if !accumulate {
            out.fill(0.0);
        }
        return;
    }
    for view in [&lhs, &rhs] {
        let last = (view.rows - 1) * view.row_stride + (view.cols - 1) * view.col_stride;
        assert!(last < view.data.len(), "a view reaches past its data");
    }
    #[expect(unsafe_code, reason = "the gemm crate takes raw pointers; every extent was checked above")]
    // SAFETY: `out` holds rows·cols numbers; `lhs` and `rhs` reach no further than their data; `out` is borrowed
    // mutably, so it overlaps neither.
    unsafe {
        gemm::gemm(
            rows,
            cols,
            depth,
            out.as_mut_ptr(),
            1,
            cols as isize,
            accumulate,
            lhs.data.as_ptr(),
            lhs.col_stride as isize,
            lhs.row_stride as isize,
            rhs.data.as_ptr(),
            rhs.col_stride as isize,
            rhs.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

fn check(out: &[f32], lhs: &View<'_>, rhs: &View<'_>) {
    assert_eq!(lhs.cols, rhs.rows, "lhs has {} columns, rhs {} rows", lhs.cols, rhs.rows);
    assert_eq!(out.len(), lhs.rows * rhs.cols, "out does not hold [{}, {}]", lhs.rows, rhs.cols);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn agrees_with_the_reference_on_every_size_and_transpose() {
        let mut stream = Stream::new(1, "matmul", 0);
        for (m, n, k) in [(0, 3, 2), (1, 1, 1), (1, 7, 0), (5, 1, 9), (48, 32, 16), (49, 33, 17), (131, 70, 129)] {
            for (lt, rt) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut random = |len: usize| (0..len).map(|_| stream.symmetric(1.0)).collect::<Vec<_>>();
                let (a, b, c) = (random(m * k), random(k * n), random(m * n));
                let lhs = if lt { View::new(&a, k, m).t() } else { View::new(&a, m, k) };
                let rhs = if rt { View::new(&b, n, k).t() } else { View::new(&b, k, n) };
                for accumulate in [false, true] {
                    // Without `accumulate` the old content must not shine through, not even NaN.
                    let start = if accumulate { c.clone() } else { vec![f32::NAN; m * n] };
                    let (mut fast, mut slow) = (start.clone(), start);
                    matmul(&mut fast, lhs, rhs, accumulate);
                    reference(&mut slow, lhs, rhs, accumulate);
                    for (i, (x, y)) in fast.iter().zip(&slow).enumerate() {
                        assert!((x - y).abs() <= 1e-5, "[{m},{n},{k}] {lt} {rt} at {i}: {x} and {y}");
                    }
                }
            }
        }
    }
}
