//! The head's non-linearities, forward and backward.
//!
//! Plain loops without branches or library calls, so that they vectorise inside `simd::widest!` and give the
//! same bits on every platform. NaN goes through: a run that went wrong must show it.

use super::dropout;
use super::simd::exp;
use super::table::{Argument, Uniform, bind, problem, uniform};
use crate::config::Activation;

const GELU_SCALE: f64 = 0.797_884_560_802_865_4; // √(2/π)
const GELU_CUBE: f64 = 0.044_715;
/// GELU's inner tanh is ±1 in `f32` well before this; beyond it, cubes could overflow.
const GELU_LIMIT: f32 = 10.0;

/// Scalar reference in `f64`: the value at `x`.
#[must_use]
pub fn reference(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Relu => x.max(0.0),
        Activation::Tanh => x.tanh(),
        Activation::Gelu => 0.5 * x * (1.0 + (GELU_SCALE * (x + GELU_CUBE * x * x * x)).tanh()),
    }
}

/// Scalar reference in `f64`: the slope at `x`; ReLU's at 0 is 0.
#[must_use]
pub fn reference_slope(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Relu => f64::from(u8::from(x > 0.0)),
        Activation::Tanh => 1.0 - x.tanh().powi(2),
        Activation::Gelu => {
            let t = (GELU_SCALE * (x + GELU_CUBE * x * x * x)).tanh();
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * GELU_SCALE * (1.0 + 3.0 * GELU_CUBE * x * x)
        }
    }
}

/// `values = f(values)`.
#[inline(always)]
pub fn forward(kind: Activation, values: &mut [f32]) {
    match kind {
        Activation::Relu => {
            for x in values {
                *x = if *x < 0.0 { 0.0 } else { *x };
            }
        }
        Activation::Tanh => {
            for x in values {
                *x = tanh(*x);
            }
        }
        Activation::Gelu => {
            for x in values {
                *x = 0.5 * *x * (1.0 + gelu_tanh(*x));
            }
        }
    }
}

/// `d *= f'(inputs)`, where `inputs` is what [`forward`] was given.
#[inline(always)]
pub fn backward(kind: Activation, inputs: &[f32], d: &mut [f32]) {
    match kind {
        Activation::Relu => {
            for (d, x) in d.iter_mut().zip(inputs) {
                *d = if *x <= 0.0 { 0.0 } else { *d };
            }
        }
        Activation::Tanh => {
            for (d, x) in d.iter_mut().zip(inputs) {
                let t = tanh(*x);
                *d *= 1.0 - t * t;
            }
        }
        Activation::Gelu => {
            for (d, x) in d.iter_mut().zip(inputs) {
                *d *= gelu_slope(*x);
            }
        }
    }
}

/// `tanh x` within 3 units in the last place: an odd polynomial near 0 (Cephes' `tanhf`), else `1 − 2 / (e^{2|x|} + 1)`.
#[inline(always)]
#[must_use]
pub fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let far = (1.0 - 2.0 / (exp(2.0 * size) + 1.0)).copysign(x);
    let z = x * x;
    let p = -5.704_988_7e-3;
    let p = p * z + 2.063_909e-2;
    let p = p * z - 5.373_971_6e-2;
    let p = p * z + 1.333_144_2e-1;
    let p = p * z - 3.333_328e-1;
    let near = p * z * x + x;
    if size < 0.625 { near } else { far }
}

#[inline(always)]
fn limited(x: f32) -> f32 {
    let x = if x > GELU_LIMIT { GELU_LIMIT } else { x };
    if x < -GELU_LIMIT { -GELU_LIMIT } else { x }
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    let x = limited(x);
    tanh(GELU_SCALE as f32 * (x + GELU_CUBE as f32 * x * x * x))
}

#[inline(always)]
fn gelu_slope(x: f32) -> f32 {
    let x = limited(x);
    let t = gelu_tanh(x);
    let inner = GELU_SCALE as f32 * (1.0 + 3.0 * GELU_CUBE as f32 * x * x);
    0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner
}

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub width: u32,
    /// 0 ReLU, 1 tanh, 2 GELU.
    pub kind: u32,
    /// Of the dropout's hash.
    pub seed: u32,
    /// Units whose hash is below it are dropped.
    pub threshold: u32,
    /// Of those that are kept.
    pub scale: f32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { rows, width, kind, seed, threshold, scale });

problem!(activation, items: |s| u64::from(s.rows) * u64::from(s.width));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("activation", arguments: Uniform(sizes), Read(bias), ReadWrite(values), ReadWrite(next));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    for i in 0..sizes.rows as usize * sizes.width as usize {
        let x = f64::from(values[i]) + f64::from(bias[i % sizes.width as usize]);
        values[i] = x as f32;
        let y = reference(KINDS[sizes.kind as usize], x) * f64::from(sizes.scale);
        next[i] = if dropout::kept(i as u32, sizes.seed, sizes.threshold) { y as f32 } else { 0.0 };
    }
}

/// In the order of the WGSL's numbers.
pub(super) const KINDS: [Activation; 3] = [Activation::Relu, Activation::Tanh, Activation::Gelu];

impl Sizes {
    /// `rows` of `width` units; `share` of them is dropped.
    #[must_use]
    pub fn new(rows: usize, width: usize, kind: Activation, share: f64, seed: u32) -> Self {
        let kind = KINDS.iter().position(|k| *k == kind).unwrap_or(0) as u32;
        let (threshold, scale) = dropout::threshold(share);
        Self { rows: rows as u32, width: width as u32, kind, seed, threshold, scale }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::widest;
    use super::*;
    use crate::rng::Stream;

    const KINDS: [Activation; 3] = [Activation::Relu, Activation::Tanh, Activation::Gelu];

    /// Every magnitude from 1e-6 to 100, both signs, with the places where formulas change.
    fn inputs() -> Vec<f32> {
        let mut stream = Stream::new(5, "activation", 0);
        let mut inputs: Vec<f32> = (0..50_001).map(|i| stream.symmetric(1.0) * 10f32.powi(i % 9 - 6)).collect();
        inputs.extend([
            0.0,
            -0.0,
            0.625,
            -0.625,
            9.999,
            10.0,
            10.001,
            -10.0,
            1e6,
            -1e6,
            1e20,
            -1e20,
            f32::MAX,
            f32::MIN,
        ]);
        inputs
    }

    #[test]
    fn values_and_slopes_agree_with_the_references() {
        for kind in KINDS {
            let inputs = inputs();
            let (mut values, mut slopes) = (inputs.clone(), vec![1.0f32; inputs.len()]);
            widest!(forward(kind, &mut values));
            widest!(backward(kind, &inputs, &mut slopes));
            for ((x, value), slope) in inputs.iter().zip(&values).zip(&slopes) {
                let want = reference(kind, f64::from(*x));
                // Where GELU subtracts nearly equal numbers, its error is a share of |x|, not of the value.
                let bound =
                    4e-7 * want.abs() + if kind == Activation::Gelu { 2e-7 * f64::from(x.abs()).min(6.0) } else { 0.0 };
                assert!((f64::from(*value) - want).abs() <= bound, "{kind:?}({x}) is {value}, expected {want}");
                // The formula of GELU's slope multiplies 0 and infinity out there; its limits are 0 and 1.
                let near = f64::from(x.clamp(-12.0, 12.0));
                let want = reference_slope(kind, if kind == Activation::Gelu { near } else { f64::from(*x) });
                assert!(
                    (f64::from(*slope) - want).abs() <= 2e-6,
                    "slope of {kind:?} at {x} is {slope}, expected {want}"
                );
            }
        }
    }

    #[test]
    fn slopes_are_those_of_the_values() {
        for kind in KINDS {
            for x in [-7.3, -2.1, -0.7, -0.2, 0.3, 0.61, 1.7, 4.4] {
                let h = 1e-5;
                let want = (reference(kind, x + h) - reference(kind, x - h)) / (2.0 * h);
                assert!((reference_slope(kind, x) - want).abs() < 1e-8, "{kind:?} at {x}");
            }
        }
    }

    #[test]
    fn slopes_scale_what_comes_back_and_nan_goes_through() {
        for kind in KINDS {
            let mut d = [3.0, f32::NAN];
            backward(kind, &[1.0, 1.0], &mut d);
            assert!((f64::from(d[0]) - 3.0 * reference_slope(kind, 1.0)).abs() < 1e-5, "{kind:?}");
            assert!(d[1].is_nan(), "{kind:?} hides a NaN on its way back");
            let mut values = [f32::NAN];
            forward(kind, &mut values);
            assert!(values[0].is_nan(), "{kind:?} hides a NaN");
        }
    }
}
