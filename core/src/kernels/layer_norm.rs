//! Layer norm over what a block adds and what passes it by: mean 0 and variance 1 along each row, then a scale and a
//! shift for each column.
//!
//! Twin of `shaders/layer_norm.wgsl`.

use super::table::{Argument, Uniform, bind, problem, uniform};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub width: u32,
    /// 1: what passes by counts.
    pub residual: u32,
    /// Added to the variance.
    pub epsilon: f32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { rows, width, residual, epsilon });

problem!(layer_norm, groups: |s| u64::from(s.rows));

/// Lanes of a sum.
const LANES: usize = 16;

/// Sums in fixed lanes of what `f` makes of each number.
#[inline(always)]
fn sum_of(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let (body, tail) = row.as_chunks::<LANES>();
    for x in body {
        for i in 0..LANES {
            lanes[i] += f(x[i]);
        }
    }
    lanes.iter().sum::<f32>() + tail.iter().map(|x| f(*x)).sum::<f32>()
}

/// `values = norm(values + residual) · scale + shift`, row by row; vectorises inside `simd::widest!`.
#[inline(always)]
pub fn forward(values: &mut [f32], residual: Option<&[f32]>, scale: &[f32], shift: &[f32], epsilon: f32) {
    let width = scale.len();
    if let Some(residual) = residual {
        values.iter_mut().zip(residual).for_each(|(x, r)| *x += r);
    }
    for row in values.chunks_exact_mut(width.max(1)) {
        let mean = sum_of(row, |x| x) / width as f32;
        let variance = sum_of(row, |x| (x - mean) * (x - mean)) / width as f32;
        let factor = 1.0 / (variance + epsilon).sqrt();
        for ((x, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
            *x = (*x - mean) * factor * scale + shift;
        }
    }
}

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("layer_norm", arguments: Uniform(sizes), Read(values), Read(bias), Read(residual), Read(scale), Read(shift), ReadWrite(out));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let width = sizes.width as usize;
    for row in 0..sizes.rows as usize {
        let value = |k: usize| {
            let passed = if sizes.residual == 1 { f64::from(residual[row * width + k]) } else { 0.0 };
            f64::from(values[row * width + k]) + f64::from(bias[k]) + passed
        };
        let mean = (0..width).map(value).sum::<f64>() / width as f64;
        let variance = (0..width).map(|k| (value(k) - mean).powi(2)).sum::<f64>() / width as f64;
        let factor = 1.0 / (variance + f64::from(sizes.epsilon)).sqrt();
        for k in 0..width {
            out[row * width + k] = ((value(k) - mean) * factor * f64::from(scale[k]) + f64::from(shift[k])) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::widest;
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn agrees_with_the_twin_on_every_size() {
        let mut stream = Stream::new(5, "layer norm", 0);
        for (rows, width) in [(0, 3), (1, 1), (2, 15), (3, 16), (5, 17), (4, 384), (2, 1000)] {
            for with_residual in [false, true] {
                let mut random = |n: usize| (0..n).map(|_| stream.symmetric(2.0) + 0.5).collect::<Vec<f32>>();
                let (values, residual) = (random(rows * width), random(rows * width));
                let (scale, shift) = (random(width), random(width));
                let mut fast = values.clone();
                let passed = with_residual.then_some(residual.as_slice());
                widest!(forward(&mut fast, passed, &scale, &shift, 1e-5));
                let sizes =
                    Sizes { rows: rows as u32, width: width as u32, residual: u32::from(with_residual), epsilon: 1e-5 };
                let (zeros, mut slow) = (vec![0.0; width], vec![f32::NAN; rows * width]);
                twin(&mut [
                    Argument::Uniform(bytemuck::bytes_of(&sizes)),
                    Argument::Read(&values),
                    Argument::Read(&zeros),
                    Argument::Read(&residual),
                    Argument::Read(&scale),
                    Argument::Read(&shift),
                    Argument::ReadWrite(&mut slow),
                ]);
                for (i, (x, y)) in fast.iter().zip(&slow).enumerate() {
                    assert!((x - y).abs() <= 1e-5, "[{rows}, {width}] at {i}: {x} and {y}");
                }
            }
        }
    }
}
