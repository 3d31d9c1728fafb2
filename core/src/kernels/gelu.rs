//! GELU by its definition, `x · Φ(x)`, as BERT has it; [`super::activation`] has the form with tanh.
//!
//! Twin of `shaders/gelu.wgsl`.

use super::table::{Argument, Uniform, bind, problem, uniform};

/// Beyond it, `erf(x / √2)` is ±1 in `f32`.
const LIMIT: f32 = 5.6;

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub width: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { rows, width });

problem!(gelu, items: |s| u64::from(s.rows) * u64::from(s.width));

/// `erf(x / √2)` within 5e-7: an odd rational function, fitted for the least relative error up to `LIMIT`
/// (`tests/reference/erf.py`).
#[inline(always)]
#[must_use]
pub fn erf_of_root_half(x: f32) -> f32 {
    let x = if x > LIMIT { LIMIT } else { x };
    let x = if x < -LIMIT { -LIMIT } else { x };
    let z = x * x;
    let p = 2.154_834_4e-10;
    let p = p * z - 4.306_538e-8;
    let p = p * z + 6.384_573e-6;
    let p = p * z + 3.396_716_8e-4;
    let p = p * z + 9.022_485e-3;
    let p = p * z + 7.193_349e-2;
    let p = p * z + 7.978_845e-1;
    let q = 6.173_388e-5;
    let q = q * z + 1.831_156_3e-3;
    let q = q * z + 2.911_397_6e-2;
    let q = q * z + 2.568_21e-1;
    let q = q * z + 1.0;
    x * p / q
}

/// `values = gelu(values)`; vectorises inside `simd::widest!`. NaN goes through.
#[inline(always)]
pub fn forward(values: &mut [f32]) {
    for x in values {
        *x = 0.5 * *x * (1.0 + erf_of_root_half(*x));
    }
}

/// Scalar reference in `f64`: the series of erf near 0, the continued fraction of erfc far out.
#[must_use]
pub fn reference(x: f64) -> f64 {
    let z = x.abs() / std::f64::consts::SQRT_2;
    let erf = if z < 3.0 {
        // 2/√π · e^{-z²} · Σ 2ⁿ z^{2n+1} / (2n+1)!!
        let (mut term, mut sum) = (z, z);
        for n in 1..100 {
            term *= 2.0 * z * z / f64::from(2 * n + 1);
            sum += term;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-z * z).exp() * sum
    } else {
        // erfc z = e^{-z²}/√π / (z + (1/2)/(z + 1/(z + (3/2)/(z + …))))
        let fraction = (1..60).rev().fold(z, |below, n| z + f64::from(n) / 2.0 / below);
        1.0 - std::f64::consts::FRAC_2_SQRT_PI / 2.0 * (-z * z).exp() / fraction
    };
    0.5 * x * (1.0 + erf.copysign(x))
}

/// The WGSL's twin, in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("gelu", arguments: Uniform(sizes), Read(bias), ReadWrite(values));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let width = sizes.width as usize;
    for (i, value) in values.iter_mut().take(sizes.rows as usize * width).enumerate() {
        *value = reference(f64::from(*value) + f64::from(bias[i % width])) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::widest;
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn the_reference_has_the_tabled_values() {
        // x · Φ(x) by tables of Φ.
        for (x, want) in [(0.0, 0.0), (1.0, 0.841_344_746_068_542_9), (-1.0, -0.158_655_253_931_457_05)] {
            assert!((reference(x) - want).abs() < 1e-15, "gelu({x}) is {}", reference(x));
        }
        // Φ(4.5) = 1 − 3.397673124730062e-6: beyond the point where the formula changes.
        assert!((reference(4.5) - 4.5 * (1.0 - 3.397_673_124_730_062e-6)).abs() < 1e-14);
        assert!((reference(-4.5) + 4.5 * 3.397_673_124_730_062e-6).abs() < 1e-14);
    }

    #[test]
    fn agrees_with_the_reference_everywhere() {
        let mut stream = Stream::new(5, "gelu", 0);
        let mut inputs: Vec<f32> = (0..50_001).map(|i| stream.symmetric(1.0) * 10f32.powi(i % 9 - 6)).collect();
        inputs.extend([0.0, -0.0, 4.242, 4.243, 5.599, 5.6, 5.601, -5.6, 1e6, -1e6, 1e30, -1e30]);
        let mut values = inputs.clone();
        widest!(forward(&mut values));
        for (x, value) in inputs.iter().zip(&values) {
            let want = reference(f64::from(*x));
            let bound = 3e-7 * f64::from(x.abs()) + 1e-37;
            assert!((f64::from(*value) - want).abs() <= bound, "gelu({x}) is {value}, expected {want}");
        }
        let mut nan = [f32::NAN];
        forward(&mut nan);
        assert!(nan[0].is_nan(), "NaN is hidden");
    }
}
