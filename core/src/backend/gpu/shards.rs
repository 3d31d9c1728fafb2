//! Similarities whose buffers are longer than a kernel can see, in blocks that it can.
//!
//! A device may hold larger buffers than a kernel may bind: WebGPU promises to bind 128 MiB. A block of the output is some
//! rows of `a` times some rows of `b`; each kernel binds those parts alone. Parts begin where alignment allows, so a block
//! that doesn't is told how far behind the start of its part it begins.

use super::buffers::{ALIGNED, GpuBuffer};
use super::{GpuBackend, to_u32};
use crate::backend::{Backend, BackendError, SimilarityShape};
use crate::kernels::product::{Part, Sizes as Product};
use std::ops::Range;

const OPERATION: &str = "similarity";

/// [`Backend::similarity`] of any size.
pub(super) fn similarity(
    gpu: &GpuBackend,
    a: &GpuBuffer,
    b: &GpuBuffer,
    out: &GpuBuffer,
    shape: SimilarityShape,
) -> Result<(), BackendError> {
    if a.len().max(b.len()).max(out.len()) <= gpu.max_len() {
        return gpu.similarity_at_once(a, b, out, shape);
    }
    let SimilarityShape { m, d, .. } = shape;
    for (rows, columns) in blocks(shape, gpu.max_len())? {
        let (n, first) = (rows.len(), rows.start * m);
        let aligned = [rows.start * d, columns.start * d, first].iter().all(|start| start.is_multiple_of(ALIGNED));
        if columns.len() == m && aligned {
            let (a, out) = (a.part(rows.start * d, n * d), out.part(first, n * m));
            gpu.similarity_at_once(&a, b, &out, SimilarityShape { n, ..shape })?;
            continue;
        }
        let (a, a_start) = part(a, rows.start * d, n * d);
        let (b, b_start) = part(b, columns.start * d, columns.len() * d);
        let (out, out_start) = part(out, first + columns.start, (n - 1) * m + columns.len());
        let lhs = Part { start: a_start, ..Part::new(n, d) };
        let rhs = Part { start: b_start, ..Part::new(columns.len(), d) }.t();
        gpu.run(Product::new(lhs, rhs, out_start).with_out_row(to_u32(OPERATION, m)?), &[&a, &b, &out])?;
    }
    Ok(())
}

/// `len` numbers of `buffer` from `start` on, and those before them that alignment asks for; and how many these are.
fn part(buffer: &GpuBuffer, start: usize, len: usize) -> (GpuBuffer, usize) {
    let skipped = start % ALIGNED;
    (buffer.part(start - skipped, len + skipped), skipped)
}

/// Rows and columns of the blocks, none of whose parts is longer than `max_len`.
fn blocks(shape: SimilarityShape, max_len: usize) -> Result<Vec<(Range<usize>, Range<usize>)>, BackendError> {
    let SimilarityShape { n, m, d } = shape;
    // What alignment may put before a part.
    let room = max_len.saturating_sub(ALIGNED - 1);
    if d > room {
        let bytes = |len: usize| len as u64 * size_of::<f32>() as u64;
        return Err(BackendError::TooLarge { operation: OPERATION, unit: "bytes", got: bytes(d), limit: bytes(room) });
    }
    // Rows of the output lie m apart, whatever a block takes of them.
    let columns = m.min(room / d.max(1)).min(room).max(1);
    let mut rows = 1 + room.saturating_sub(columns) / m.max(1);
    rows = rows.min(room / d.max(1)).min(n).max(1);
    if columns == m && rows > ALIGNED {
        // Such blocks all begin where alignment allows.
        rows -= rows % ALIGNED;
    }
    let step = |len: usize, by: usize| (0..len).step_by(by).map(move |first| first..(first + by).min(len));
    Ok(step(n, rows).flat_map(|rows| step(m, columns).map(move |columns| (rows.clone(), columns))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_every_cell_once_and_fit() {
        for max_len in [64, 65, 100, 1000, 5000] {
            let room = max_len - (ALIGNED - 1);
            for n in [0, 1, 2, 63, 64, 65, 300] {
                for m in [0, 1, 5, 64, 70, 333] {
                    for d in [0, 1, 3, 17, 64, 200] {
                        let shape = SimilarityShape { n, m, d };
                        let Ok(blocks) = blocks(shape, max_len) else {
                            assert!(d > room, "{shape:?} within {max_len}");
                            continue;
                        };
                        let mut seen = vec![0; n * m];
                        for (rows, columns) in blocks {
                            let ends = (rows.len() - 1) * m + columns.len();
                            let longest = (rows.len() * d).max(columns.len() * d).max(ends);
                            assert!(longest <= room, "{shape:?} within {max_len}: {rows:?}, {columns:?}");
                            rows.for_each(|row| columns.clone().for_each(|column| seen[row * m + column] += 1));
                        }
                        assert!(seen.iter().all(|times| *times == 1), "{shape:?} within {max_len}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_fits_but_for_its_output_is_cut_into_aligned_rows() {
        let blocks = blocks(SimilarityShape { n: 1000, m: 70, d: 5 }, 70 * 200).expect("fits in blocks");
        assert!(blocks.len() > 1);
        assert!(blocks.iter().all(|(rows, columns)| rows.start.is_multiple_of(ALIGNED) && columns.len() == 70));
    }
}
