//! Dot products in `f64` whose bits are the same on every machine.
//!
//! Sums run in eight fixed lanes, without fused multiply-add, and are folded in a fixed order. The compiler may put the
//! lanes into registers of any width; the value stays. So a margin has the same bits natively and in a browser, and a
//! tie is a tie everywhere.

/// Partial sums; enough to fill an AVX-512 register, and part of the value's definition.
const LANES: usize = 8;

#[inline(always)]
fn fold(lanes: [f64; LANES]) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// `(a · b, b · b)` of two rows of equal length; call it inside `widest!`.
#[inline(always)]
pub(super) fn dot_and_square(a: &[f32], b: &[f32]) -> (f64, f64) {
    assert_eq!(a.len(), b.len(), "rows of different width");
    let (mut dot, mut square) = ([0.0; LANES], [0.0; LANES]);
    let (mut rows_a, mut rows_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (x, y) in (&mut rows_a).zip(&mut rows_b) {
        for i in 0..LANES {
            let (x, y) = (f64::from(x[i]), f64::from(y[i]));
            dot[i] += x * y;
            square[i] += y * y;
        }
    }
    for (i, (x, y)) in rows_a.remainder().iter().zip(rows_b.remainder()).enumerate() {
        let (x, y) = (f64::from(*x), f64::from(*y));
        dot[i] += x * y;
        square[i] += y * y;
    }
    (fold(dot), fold(square))
}

/// `a · b` of two rows of equal length; call it inside `widest!`.
#[inline(always)]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "rows of different width");
    let mut sum = [0.0; LANES];
    let (mut rows_a, mut rows_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (x, y) in (&mut rows_a).zip(&mut rows_b) {
        for i in 0..LANES {
            sum[i] += x[i] * y[i];
        }
    }
    for (i, (x, y)) in rows_a.remainder().iter().zip(rows_b.remainder()).enumerate() {
        sum[i] += x * y;
    }
    fold(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::widest;
    use crate::rng::Stream;

    #[test]
    fn bits_do_not_depend_on_the_instruction_set() {
        for dim in [1, 7, 8, 9, 64, 255, 256, 384] {
            let mut stream = Stream::new(3, "numeric", dim as u64);
            let mut row = || (0..dim).map(|_| stream.symmetric(1.0)).collect::<Vec<f32>>();
            let (a, b) = (row(), row());
            let plain = dot_and_square(&a, &b);
            assert_eq!(widest!(dot_and_square(&a, &b)), plain, "dim {dim}");
            let wide = |r: &[f32]| r.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
            assert_eq!(dot(&wide(&a), &wide(&b)), plain.0, "dim {dim}");
            let sum: f64 = a.iter().zip(&b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            assert!((sum - plain.0).abs() < 1e-12, "dim {dim}: {sum} against {}", plain.0);
        }
    }
}
