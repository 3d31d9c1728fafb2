//! Products of rows of unit length, rounded to whole numbers of 2⁻¹⁴: twice as fast as `f32` where the processor multiplies
//! pairs of 16-bit numbers in no more steps than it needs for one `f32`: with AVX2, and with VNNI where vectors have 512
//! bits. For screening: how far a product may be off is known ([`error`]), and who needs more scores again.
//!
//! Whole numbers are summed exactly, in any order. Two neighbouring numbers of a row lie in one `i32`, the first in its
//! lower half, which is how the processor's instruction wants them.

use super::simd;
use std::ops::Range;

/// What stands for 1. The sum of two unit rows' products is at most its square, so it fits 32 bits.
const ONE: f32 = 16_384.0;
/// Columns that lie in one line of the cache.
const LINE: usize = 16;

/// How products are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    /// By 512 bits, where one instruction multiplies two pairs and adds both products.
    #[cfg(target_arch = "x86_64")]
    Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[default]
    Plain,
}

impl Way {
    /// The fastest here.
    fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            match pulp::Arch::new() {
                pulp::Arch::V4(_) if vnni::at_hand() => return Self::Vnni,
                // Its two instructions would take as long as twice the `f32` products of 512 bits.
                pulp::Arch::V3(_) => return Self::Avx2,
                _ => {}
            }
        }
        Self::Plain
    }

    /// Lines of a panel's row.
    fn lines(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => vnni::VECTORS,
            _ => 1,
        }
    }
}

/// Whether products are faster so than in `f32` here.
#[must_use]
pub fn pays() -> bool {
    Way::best() != Way::Plain
}

/// How far a product may be from that of the rows of `dim` numbers themselves: each number is off by at most 2⁻¹⁵, so a row
/// by `√dim · 2⁻¹⁵` (Cauchy and Schwarz); a hundredth more for lengths that are not quite 1, and the rounding of the sum.
#[must_use]
pub fn error(dim: usize) -> f32 {
    2.02 * (dim as f32).sqrt() / 32_768.0 + 1e-6
}

/// Rows in pairs.
#[derive(Default)]
pub struct Rows {
    /// Pairs of a row; the last one's second number may be none.
    pairs: usize,
    /// `[n, pairs]`.
    data: Vec<i32>,
}

impl Rows {
    /// Rounds `rows: [n, dim]`, of unit length or zero, in place of what was there.
    ///
    /// # Panics
    /// When `dim` is 0 or `rows` are not whole rows.
    pub fn set(&mut self, rows: &[f32], dim: usize) {
        assert!(dim > 0 && rows.len().is_multiple_of(dim), "{} numbers are no rows of {dim}", rows.len());
        self.pairs = dim.div_ceil(2);
        self.data.resize(rows.len() / dim * self.pairs, 0);
        simd::widest!({
            for (out, row) in self.data.chunks_exact_mut(self.pairs).zip(rows.chunks_exact(dim)) {
                let (whole, last) = row.as_chunks::<2>();
                out.iter_mut().zip(whole).for_each(|(out, pair)| *out = packed(pair[0], pair[1]));
                if let ([x], Some(out)) = (last, out.last_mut()) {
                    *out = packed(*x, 0.0);
                }
            }
        });
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len() / self.pairs.max(1)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
}

#[inline(always)]
fn packed(first: f32, second: f32) -> i32 {
    let whole = |x: f32| (x * ONE).round_ties_even() as i32;
    (whole(first) & 0xffff) | (whole(second) << 16)
}

/// A line of the cache.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([i32; LINE]);

/// Rows as columns of panels.
#[derive(Default)]
pub struct Panels {
    columns: usize,
    pairs: usize,
    way: Way,
    /// `[panels, pairs, lines of the way]`; columns beyond the last are zero.
    lines: Vec<Line>,
}

impl Panels {
    /// Packs rows `range` in place of what was there.
    ///
    /// # Panics
    /// When there are fewer rows.
    pub fn set(&mut self, rows: &Rows, range: Range<usize>) {
        self.set_for(rows, range, Way::best());
    }

    fn set_for(&mut self, rows: &Rows, range: Range<usize>, way: Way) {
        (self.columns, self.pairs, self.way) = (range.len(), rows.pairs, way);
        let width = way.lines() * LINE;
        self.lines.clear();
        self.lines.resize(self.columns.div_ceil(width) * way.lines() * self.pairs, Line([0; LINE]));
        if self.columns == 0 {
            return;
        }
        let numbers: &mut [i32] = bytemuck::cast_slice_mut(&mut self.lines);
        let rows = &rows.data[range.start * self.pairs..range.end * self.pairs];
        let panels = numbers.chunks_exact_mut(width * self.pairs).zip(rows.chunks(width * self.pairs));
        for (panel, rows) in panels {
            for (column, row) in rows.chunks_exact(self.pairs).enumerate() {
                panel.chunks_exact_mut(width).zip(row).for_each(|(line, x)| line[column] = *x);
            }
        }
    }
}

/// `out[i][j]` = product of row `first + i` of `lhs` with column `j` of `rhs`; `out: [n, rhs columns]`.
///
/// # Panics
/// When the shapes do not fit.
pub fn product(out: &mut [f32], lhs: &Rows, first: usize, rhs: &Panels) {
    if out.is_empty() {
        return;
    }
    assert_eq!(lhs.pairs, rhs.pairs, "rows and columns differ in length");
    assert!(out.len().is_multiple_of(rhs.columns), "out does not hold whole rows of {}", rhs.columns);
    let lhs = &lhs.data[first * lhs.pairs..][..out.len() / rhs.columns * lhs.pairs];
    #[cfg(target_arch = "x86_64")]
    match (rhs.way, pulp::x86::V3::try_new()) {
        (Way::Vnni, _) if vnni::at_hand() => return vnni::product(out, lhs, rhs),
        (Way::Avx2, Some(simd)) => return avx2::product(simd, out, lhs, rhs),
        _ => {}
    }
    reference(out, lhs, rhs);
}

/// The product number by number.
fn reference(out: &mut [f32], lhs: &[i32], rhs: &Panels) {
    let width = rhs.way.lines() * LINE;
    let numbers: &[i32] = bytemuck::cast_slice(&rhs.lines);
    for (out, row) in out.chunks_exact_mut(rhs.columns).zip(lhs.chunks_exact(rhs.pairs)) {
        for (column, out) in out.iter_mut().enumerate() {
            let lines = &numbers[column / width * width * rhs.pairs..][..width * rhs.pairs];
            let halves = |x: i32| [x as i16, (x >> 16) as i16].map(i32::from);
            let products = row.iter().zip(lines.chunks_exact(width)).map(|(a, line)| {
                let (a, b) = (halves(*a), halves(line[column % width]));
                a[0] * b[0] + a[1] * b[1]
            });
            *out = scaled(products.sum());
        }
    }
}

#[inline(always)]
fn scaled(sum: i32) -> f32 {
    sum as f32 * (1.0 / (ONE * ONE))
}

/// Rows of a tile: with the vectors of a panel's row each, their sums stay in the registers.
#[cfg(target_arch = "x86_64")]
const TILE: usize = 6;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{LINE, Line, Panels, TILE, scaled};
    use pulp::x86::V3;
    use pulp::{cast, i32x8};
    use std::arch::x86_64::__m256i;

    /// Vectors of a line.
    const VECTORS: usize = LINE / 8;

    pub(super) fn product(simd: V3, out: &mut [f32], lhs: &[i32], rhs: &Panels) {
        simd.vectorize(
            #[inline(always)]
            || {
                let rows = out.len() / rhs.columns;
                let last = rows - rows % TILE;
                for (number, panel) in rhs.lines.chunks_exact(rhs.pairs).enumerate() {
                    let column = number * LINE;
                    for row in (0..last).step_by(TILE) {
                        tile::<TILE>(simd, out, lhs, panel, rhs.columns, row, column);
                    }
                    for row in last..rows {
                        tile::<1>(simd, out, lhs, panel, rhs.columns, row, column);
                    }
                }
            },
        );
    }

    #[inline(always)]
    fn tile<const R: usize>(
        simd: V3,
        out: &mut [f32],
        lhs: &[i32],
        panel: &[Line],
        columns: usize,
        row: usize,
        column: usize,
    ) {
        let rows: [&[i32]; R] = std::array::from_fn(|i| &lhs[(row + i) * panel.len()..][..panel.len()]);
        let mut sums = [[cast::<i32x8, __m256i>(i32x8(0, 0, 0, 0, 0, 0, 0, 0)); VECTORS]; R];
        for (k, line) in panel.iter().enumerate() {
            let line: [__m256i; VECTORS] = cast(line.0);
            for i in 0..R {
                let pair = simd.avx._mm256_set1_epi32(rows[i][k]);
                for v in 0..VECTORS {
                    sums[i][v] = simd.avx2._mm256_add_epi32(sums[i][v], simd.avx2._mm256_madd_epi16(pair, line[v]));
                }
            }
        }
        for i in 0..R {
            let sums: [i32; LINE] = cast(sums[i]);
            let out = &mut out[(row + i) * columns..][..columns][column..];
            if let Some(out) = out.first_chunk_mut::<LINE>() {
                *out = sums.map(scaled);
            } else {
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = scaled(sum));
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod vnni {
    use super::{LINE, Panels, TILE, scaled};
    use std::arch::x86_64::{__m512i, _mm512_dpwssd_epi32, _mm512_set1_epi32, _mm512_setzero_si512};

    /// Vectors of a panel's row.
    pub(super) const VECTORS: usize = 4;
    const WIDTH: usize = VECTORS * LINE;

    /// Whether the processor has the instruction.
    pub(super) fn at_hand() -> bool {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
    }

    /// Where it is [`at_hand`].
    #[expect(unsafe_code, reason = "instructions that the compiler may not take for granted")]
    pub(super) fn product(out: &mut [f32], lhs: &[i32], rhs: &Panels) {
        assert!(at_hand(), "this processor has no VNNI");
        // SAFETY: it has.
        unsafe { panels(out, lhs, rhs) };
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    fn panels(out: &mut [f32], lhs: &[i32], rhs: &Panels) {
        let rows = out.len() / rhs.columns;
        let last = rows - rows % TILE;
        let vectors: &[__m512i] = bytemuck::cast_slice(&rhs.lines);
        let (lines, _) = vectors.as_chunks::<VECTORS>();
        for (number, panel) in lines.chunks_exact(rhs.pairs).enumerate() {
            let column = number * WIDTH;
            for row in (0..last).step_by(TILE) {
                tile::<TILE>(out, lhs, panel, rhs.columns, row, column);
            }
            for row in last..rows {
                tile::<1>(out, lhs, panel, rhs.columns, row, column);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vnni")]
    #[expect(unsafe_code, reason = "with checks, the compiler reads rows in a slower way")]
    fn tile<const R: usize>(
        out: &mut [f32],
        lhs: &[i32],
        panel: &[[__m512i; VECTORS]],
        columns: usize,
        row: usize,
        column: usize,
    ) {
        let mut rows = [&lhs[..0]; R];
        for i in 0..R {
            rows[i] = &lhs[(row + i) * panel.len()..][..panel.len()];
        }
        let mut sums = [[_mm512_setzero_si512(); VECTORS]; R];
        // Loops: what is handed to a function may be compiled for less.
        for (k, line) in panel.iter().enumerate() {
            for i in 0..R {
                // SAFETY: a row is as long as the panel.
                let pair = _mm512_set1_epi32(unsafe { *rows[i].get_unchecked(k) });
                for v in 0..VECTORS {
                    sums[i][v] = _mm512_dpwssd_epi32(sums[i][v], pair, line[v]);
                }
            }
        }
        for i in 0..R {
            let out = &mut out[(row + i) * columns..][..columns][column..];
            let sums: &[i32] = bytemuck::cast_slice(&sums[i]);
            for k in 0..out.len().min(WIDTH) {
                out[k] = scaled(sums[k]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embeddings::Embeddings;
    use crate::rng::Stream;

    /// All that this processor can do.
    fn ways() -> Vec<Way> {
        let mut ways = vec![Way::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            ways.extend(pulp::x86::V3::try_new().map(|_| Way::Avx2));
            ways.extend(vnni::at_hand().then_some(Way::Vnni));
        }
        ways
    }

    #[test]
    fn products_are_those_of_the_reference_and_as_near_as_they_say() {
        let mut stream = Stream::new(1, "rounded", 0);
        for (m, n, dim) in [(0, 5, 3), (1, 1, 1), (5, 16, 2), (6, 17, 7), (13, 40, 256), (20, 33, 385), (7, 15, 4096)] {
            let mut draw = |n: usize| {
                // Some rows are of one direction, some zero; the greatest number is 1.
                let mut values: Vec<f32> = (0..n * dim).map(|_| stream.symmetric(1.0).powi(3)).collect();
                values.chunks_mut(dim).step_by(5).for_each(|row| row.fill(0.0));
                values.chunks_mut(dim).step_by(3).for_each(|row| row[dim / 2] = -1e6);
                Embeddings::normalised(dim, values).vectors
            };
            let (a, b) = (draw(m), draw(n));
            let (mut lhs, mut columns, mut panels) = (Rows::default(), Rows::default(), Panels::default());
            // What was there before does not matter.
            lhs.set(&[0.5; 60], 60);
            columns.set(&[0.5; 60], 3);
            panels.set(&columns, 0..20);
            lhs.set(&a, dim);
            columns.set(&b, dim);
            panels.set(&columns, 0..n);
            let (mut out, mut plain) = (vec![f32::NAN; m * n], vec![f32::NAN; m * n]);
            product(&mut out, &lhs, 0, &panels);
            reference(&mut plain, &lhs.data, &panels);
            assert_eq!(out, plain, "[{m}, {dim}] x [{dim}, {n}]");
            for way in ways() {
                panels.set_for(&columns, 0..n, way);
                let mut out = vec![f32::NAN; m * n];
                product(&mut out, &lhs, 0, &panels);
                assert_eq!(out, plain, "{way:?}, [{m}, {dim}] x [{dim}, {n}]");
            }
            let rows = |x: &[f32]| x.chunks(dim).map(<[f32]>::to_vec).collect::<Vec<_>>();
            let wanted = rows(&a).into_iter().flat_map(|a| {
                rows(&b)
                    .into_iter()
                    .map(move |b| a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>())
            });
            for (out, wanted) in out.iter().zip(wanted) {
                assert!((f64::from(*out) - wanted).abs() <= f64::from(error(dim)), "{out} is not {wanted}, dim {dim}");
            }
            // From a later row on, and with some of the columns.
            if m > 4 {
                panels.set(&columns, 3..n);
                let mut some = vec![f32::NAN; m * (n - 3)];
                product(&mut some, &lhs, 0, &panels);
                assert!(some.chunks(n - 3).zip(out.chunks(n)).all(|(some, all)| some == &all[3..]));
                panels.set(&columns, 0..n);
                let mut rest = vec![f32::NAN; (m - 4) * n];
                product(&mut rest, &lhs, 4, &panels);
                assert_eq!(rest, out[4 * n..]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "are no rows of 3")]
    fn parts_of_rows_are_refused() {
        Rows::default().set(&[0.0; 4], 3);
    }
}
