//! Transposes: rows that lie side by side come to lie one after another.

use super::{LINE, View};
#[cfg(target_arch = "x86_64")]
use crate::kernels::simd::Widest;

/// Rows and columns of a square that is transposed in registers.
const SQUARE: usize = 8;
type Square = [[f32; SQUARE]; SQUARE];

/// Writes the rows of `from`, each `stride` numbers after the one before; what lies between them stays.
///
/// # Panics
/// When `from` is no transpose, its rows are longer than `stride`, or `out` is too short.
pub fn transpose(out: &mut [f32], stride: usize, from: View<'_>) {
    assert!(from.row_stride == 1 && from.cols <= stride, "rows of {} numbers, {stride} apart", from.cols);
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        simd.vectorize(Widest(
            #[inline(always)]
            || {
                by_squares(
                    out,
                    stride,
                    from,
                    #[inline(always)]
                    |square| turned(simd, square),
                );
            },
        ));
        return;
    }
    by_squares(out, stride, from, |square| std::array::from_fn(|i| std::array::from_fn(|j| square[j][i])));
}

#[inline(always)]
fn by_squares(out: &mut [f32], stride: usize, from: View<'_>, turned: impl Fn(Square) -> Square) {
    // Lines of the cache are read whole, since columns may well drive each other out of it.
    for first in (0..from.rows).step_by(LINE) {
        let count = LINE.min(from.rows - first);
        let out = &mut out[first * stride..][..(count - 1) * stride + from.cols];
        let column = |j: usize| &from.data[j * from.col_stride + first..][..count];
        for j in (0..from.cols).step_by(SQUARE) {
            let width = SQUARE.min(from.cols - j);
            if count < LINE || width < SQUARE {
                for j in j..j + width {
                    column(j).iter().enumerate().for_each(|(i, x)| out[i * stride + j] = *x);
                }
                continue;
            }
            for half in (0..LINE).step_by(SQUARE) {
                let mut square = Square::default();
                for (i, row) in square.iter_mut().enumerate() {
                    *row = *column(j + i)[half..].first_chunk().unwrap_or(&[0.0; SQUARE]);
                }
                for (i, row) in turned(square).iter().enumerate() {
                    out[(half + i) * stride + j..][..SQUARE].copy_from_slice(row);
                }
            }
        }
    }
}

/// Rows become columns: pairs of numbers, then pairs of pairs, then halves change places.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn turned(simd: pulp::x86::V3, square: Square) -> Square {
    let avx = simd.avx;
    let (low, high) = (
        #[inline(always)]
        |a, b| avx._mm256_unpacklo_ps(a, b),
        #[inline(always)]
        |a, b| avx._mm256_unpackhi_ps(a, b),
    );
    let (left, right) = (
        #[inline(always)]
        |a, b| avx._mm256_shuffle_ps::<0b01_00_01_00>(a, b),
        #[inline(always)]
        |a, b| avx._mm256_shuffle_ps::<0b11_10_11_10>(a, b),
    );
    let (near, far) = (
        #[inline(always)]
        |a, b| avx._mm256_permute2f128_ps::<0x20>(a, b),
        #[inline(always)]
        |a, b| avx._mm256_permute2f128_ps::<0x31>(a, b),
    );
    let [a, b, c, d, e, f, g, h]: [std::arch::x86_64::__m256; SQUARE] = bytemuck::cast(square);
    let [a, b, c, d, e, f, g, h] =
        [low(a, b), high(a, b), low(c, d), high(c, d), low(e, f), high(e, f), low(g, h), high(g, h)];
    let [a, b, c, d, e, f, g, h] =
        [left(a, c), right(a, c), left(b, d), right(b, d), left(e, g), right(e, g), left(f, h), right(f, h)];
    bytemuck::cast([near(a, e), near(b, f), near(c, g), near(d, h), far(a, e), far(b, f), far(c, g), far(d, h)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn every_number_goes_to_its_place() {
        let mut stream = Stream::new(1, "transpose", 0);
        for (rows, cols, stride) in
            [(0, 3, 3), (3, 0, 1), (1, 1, 1), (16, 8, 8), (17, 9, 12), (33, 70, 71), (15, 64, 64), (300, 5, 8)]
        {
            let from: Vec<f32> = (0..rows * cols).map(|_| stream.symmetric(1.0)).collect();
            let view = View::new(&from, cols, rows).t();
            let mut by_hand = vec![7.0; rows * stride];
            for i in 0..rows {
                (0..cols).for_each(|j| by_hand[i * stride + j] = from[j * rows + i]);
            }
            let mut out = vec![7.0; rows * stride];
            transpose(&mut out, stride, view);
            assert!(out == by_hand, "[{rows}, {cols}], {stride} apart");
            let mut plain = vec![7.0; rows * stride];
            by_squares(&mut plain, stride, view, |square| {
                std::array::from_fn(|i| std::array::from_fn(|j| square[j][i]))
            });
            assert!(plain == by_hand, "[{rows}, {cols}], {stride} apart, without vectors");
        }
    }
}
