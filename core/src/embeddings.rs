//! Vectors of texts, one a row.

mod file;
mod npy;

pub use file::{RowFault, TENSOR, VectorFile, VectorFileError, row_fault};
pub use npy::npy_header;

use std::ops::Range;

/// A norm this near to 1 is 1: a row of `f32` that was scaled to unit length is off by 6e-8 at most.
const UNIT: f64 = 2e-7;

/// Unit vectors by number, wherever they lie: in memory, or in a file that is mapped into it.
///
/// Whatever lies behind, the same row is the same bits.
pub trait UnitRows: Send + Sync {
    /// Number of rows.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Numbers a row.
    fn dim(&self) -> usize;
    /// Copies row `index` to `out: [dim]`.
    fn row_to(&self, index: usize, out: &mut [f32]);
    /// All rows, `[n, dim]`, where they are in memory; copying blocks is a waste then.
    fn whole(&self) -> Option<&[f32]>;

    /// Copies consecutive rows to `out: [rows, dim]`.
    fn block(&self, rows: Range<usize>, out: &mut [f32]) {
        rows.zip(out.chunks_exact_mut(self.dim())).for_each(|(i, row)| self.row_to(i, row));
    }
    /// Copies the rows `rows` to `out: [rows, dim]`.
    fn gather(&self, rows: &[u32], out: &mut [f32]) {
        rows.iter().zip(out.chunks_exact_mut(self.dim())).for_each(|(&i, row)| self.row_to(i as usize, row));
    }
}

/// Unit vectors, and how long they were before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    /// Numbers a vector.
    pub dim: usize,
    /// `[n, dim]`, row-major; rows of unit length, a zero vector stays zero.
    pub vectors: Vec<f32>,
    /// `[n]`: Euclidean norms before normalisation.
    pub norms: Vec<f32>,
}

/// Lanes of the sum of squares.
const LANES: usize = 8;

/// Euclidean norm, summed in `f64` in fixed lanes.
#[inline(always)]
fn norm_of(row: &[f32]) -> f64 {
    let square = |x: f32| f64::from(x) * f64::from(x);
    let mut lanes = [0f64; LANES];
    let (body, tail) = row.as_chunks::<LANES>();
    for x in body {
        for i in 0..LANES {
            lanes[i] += square(x[i]);
        }
    }
    (lanes.iter().sum::<f64>() + tail.iter().map(|x| square(*x)).sum::<f64>()).sqrt()
}

/// Gives one row unit length and returns its norm before; a norm of 0, or one not finite, leaves zeros.
#[inline(always)]
pub(crate) fn normalise(row: &mut [f32]) -> f32 {
    let norm = norm_of(row);
    if norm > 0.0 && norm.is_finite() {
        let scale = 1.0 / norm;
        row.iter_mut().for_each(|x| *x = (f64::from(*x) * scale) as f32);
    } else {
        row.fill(0.0);
    }
    norm as f32
}

/// Gives a row unit length as [`normalise`] does, but leaves one that has it bit for bit as it is: vectors that were
/// written and read again are the same vectors.
pub(crate) fn unit(row: &mut [f32]) -> f32 {
    let norm = norm_of(row);
    if (norm - 1.0).abs() <= UNIT { norm as f32 } else { normalise(row) }
}

impl UnitRows for Embeddings {
    fn len(&self) -> usize {
        self.norms.len()
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn row_to(&self, index: usize, out: &mut [f32]) {
        out.copy_from_slice(self.row(index));
    }

    fn whole(&self) -> Option<&[f32]> {
        Some(&self.vectors)
    }

    fn block(&self, rows: Range<usize>, out: &mut [f32]) {
        out.copy_from_slice(&self.vectors[rows.start * self.dim..rows.end * self.dim]);
    }
}

impl Embeddings {
    /// Gives `vectors: [n, dim]` unit length; rows that have it stay bit for bit as they are. A row whose norm is 0 or
    /// not finite becomes a zero row.
    ///
    /// # Panics
    /// When `dim` is 0 or does not divide the length.
    #[must_use]
    pub fn of_rows(dim: usize, mut vectors: Vec<f32>) -> Self {
        assert!(dim > 0 && vectors.len().is_multiple_of(dim), "vectors are not rows of {dim}");
        let norms = vectors.chunks_mut(dim).map(unit).collect();
        Self { dim, vectors, norms }
    }

    /// Normalises `vectors: [n, dim]`. A row whose norm is 0 or not finite becomes a zero row.
    ///
    /// # Panics
    /// When `dim` is 0 or does not divide the length.
    #[must_use]
    pub fn normalised(dim: usize, mut vectors: Vec<f32>) -> Self {
        assert!(dim > 0 && vectors.len().is_multiple_of(dim), "vectors are not rows of {dim}");
        let norms = vectors.chunks_mut(dim).map(normalise).collect();
        Self { dim, vectors, norms }
    }

    /// Number of vectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.norms.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.norms.is_empty()
    }

    /// Vector `index`.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        &self.vectors[index * self.dim..][..self.dim]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn unit_rows_stay_as_they_are_and_others_get_unit_length() {
        let mut stream = Stream::new(9, "unit rows", 0);
        for dim in [1, 3, 8, 384] {
            let values: Vec<f32> = (0..40 * dim).map(|_| stream.symmetric(3.0)).collect();
            let once = Embeddings::normalised(dim, values.clone());
            let again = Embeddings::of_rows(dim, once.vectors.clone());
            assert_eq!(again.vectors, once.vectors, "rows of {dim}");
            let scaled = Embeddings::of_rows(dim, once.vectors.iter().map(|x| x * 1.001).collect());
            assert!(dim == 1 || scaled.vectors != once.vectors.iter().map(|x| x * 1.001).collect::<Vec<_>>());
            assert_eq!(Embeddings::of_rows(dim, values).vectors, once.vectors);
        }
    }

    #[test]
    fn blocks_and_gathered_rows_are_the_rows() {
        let all = Embeddings::normalised(2, vec![3.0, 4.0, 1.0, 0.0, 0.0, 2.0]);
        let rows: &dyn UnitRows = &all;
        let mut out = vec![0.0; 4];
        rows.block(1..3, &mut out);
        assert_eq!(out, all.vectors[2..]);
        rows.gather(&[2, 0], &mut out);
        assert_eq!(out, [&all.vectors[4..], &all.vectors[..2]].concat());
        rows.block(1..1, &mut []);
    }
}
