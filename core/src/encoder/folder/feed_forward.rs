//! The feed-forward network of a layer: `out = gelu(x · up + b) · down + c`.
//!
//! It is kept in parts of its inner units: what a block of tokens makes of one part stays near the core until it is used.

use crate::kernels::gelu;
use crate::kernels::matmul::{Inputs, Split, View, Weights};
use crate::kernels::simd::widest;

/// Inner units of a part.
const UNITS: usize = 384;

/// Weights and biases.
pub(super) struct FeedForward {
    parts: Vec<Part>,
    /// `[width]`.
    bias: Vec<f32>,
}

/// Some of the inner units.
struct Part {
    /// `[width, units]`: to them.
    up: Weights,
    /// `[units]`.
    up_bias: Vec<f32>,
    /// `[units, width]`: from them.
    down: Weights,
}

/// Memory that one call leaves to the next.
#[derive(Default)]
pub(super) struct Memory {
    inner: Vec<f32>,
    inputs: Split,
    inner_inputs: Split,
}

impl FeedForward {
    /// Of weights as files hold them: `up: [units, width]`, `up_bias: [units]`, `down: [width, units]`, `bias: [width]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub(super) fn new(up: &[f32], up_bias: &[f32], down: &[f32], bias: Vec<f32>) -> Self {
        let (width, units) = (bias.len(), up_bias.len());
        let (up, down) = (View::new(up, units, width).t(), View::new(down, width, units));
        let part = |first: usize| {
            let some = first..units.min(first + UNITS);
            Part {
                up: Weights::new(up.columns(some.clone())),
                up_bias: up_bias[some.clone()].to_vec(),
                down: Weights::new(down.columns(some).t()),
            }
        };
        Self { parts: (0..units).step_by(UNITS).map(part).collect(), bias }
    }

    /// `inputs, out: [rows, width]`; `memory` is from earlier calls.
    pub(super) fn forward(&self, inputs: &[f32], memory: &mut Memory, out: &mut [f32]) {
        let width = self.bias.len();
        let rows = out.len() / width;
        let Memory { inner, inputs: inputs_memory, inner_inputs } = memory;
        let inputs = Inputs::new(View::new(inputs, rows, width), inputs_memory);
        out.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(&self.bias));
        for Part { up, up_bias, down } in &self.parts {
            inner.resize(rows * up_bias.len(), 0.0);
            up.multiply(inner, inputs, up_bias);
            widest!(gelu::forward(inner));
            down.multiply_onto(out, Inputs::new(View::new(inner, rows, up_bias.len()), inner_inputs));
        }
    }

    /// All of them, in the order of use.
    pub(super) fn weights(&mut self) -> impl Iterator<Item = &mut Weights> {
        self.parts.iter_mut().flat_map(|part| [&mut part.up, &mut part.down])
    }

    /// The way to all inner units: `[width, units]`, and its bias.
    pub(super) fn up(&self) -> (Vec<f32>, Vec<f32>) {
        let parts: Vec<(Vec<f32>, usize)> =
            self.parts.iter().map(|part| (part.up.unpacked(), part.up_bias.len())).collect();
        let row = |row: usize| parts.iter().flat_map(move |(part, units)| &part[row * units..][..*units]);
        let weight = (0..self.bias.len()).flat_map(row).copied().collect();
        (weight, self.parts.iter().flat_map(|part| &part.up_bias).copied().collect())
    }

    /// The way from all inner units: `[units, width]`, and its bias.
    pub(super) fn down(&self) -> (Vec<f32>, Vec<f32>) {
        (self.parts.iter().flat_map(|part| part.down.unpacked()).collect(), self.bias.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::matmul;
    use crate::rng::Stream;

    #[test]
    fn its_parts_are_the_whole_network() {
        let mut stream = Stream::new(2, "feed forward", 0);
        let mut memory = Memory::default();
        for (rows, width, units) in [(3, 5, 7), (2, 4, UNITS), (5, 8, 2 * UNITS + 3)] {
            let mut random = |n: usize| (0..n).map(|_| stream.symmetric(0.5)).collect::<Vec<f32>>();
            let (up, up_bias, down, bias) =
                (random(units * width), random(units), random(width * units), random(width));
            let inputs = random(rows * width);
            let network = FeedForward::new(&up, &up_bias, &down, bias.clone());
            let transposed = |of: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..rows * columns).map(|i| of[i % rows * columns + i / rows]).collect()
            };
            assert_eq!(network.up(), (transposed(&up, units, width), up_bias.clone()));
            assert_eq!(network.down(), (transposed(&down, width, units), bias.clone()));

            let mut wanted = vec![0.0; rows * units];
            matmul::reference(
                &mut wanted,
                View::new(&inputs, rows, width),
                View::new(&up, units, width).t(),
                Some(&up_bias),
            );
            wanted.iter_mut().for_each(|x| *x = gelu::reference(f64::from(*x)) as f32);
            let (hidden, mut wanted) = (wanted, vec![0.0; rows * width]);
            let down = View::new(&down, width, units).t();
            matmul::reference(&mut wanted, View::new(&hidden, rows, units), down, Some(&bias));
            let mut out = vec![f32::NAN; rows * width];
            network.forward(&inputs, &mut memory, &mut out);
            for (i, (x, y)) in out.iter().zip(&wanted).enumerate() {
                assert!((x - y).abs() <= 2e-5, "{units} units, at {i}: {x} and {y}");
            }
        }
    }
}
