//! The head's layers in training, in blocks of outputs: their gradients, their updates, and what the next step multiplies
//! with.

use super::step::{Moments, Update};
use crate::encoder::Layer;
use crate::kernels::adamw;
use crate::kernels::matmul::{Packed, Part, Rhs, View, WHOLE_PANELS, matmul_block};
use crate::kernels::simd::{dot, widest};
use std::ops::Range;

/// Outputs of a block.
const OUTPUTS: usize = WHOLE_PANELS;

/// Some of a layer's outputs, with all that belongs to them.
pub(super) struct Block<'a> {
    /// Number of the layer.
    pub(super) layer: usize,
    outputs: Range<usize>,
    weight: &'a mut [f32],
    bias: &'a mut [f32],
    /// First and second of the weights, then of the biases.
    moments: [[&'a mut [f32]; 2]; 2],
    d_weight: &'a mut [f32],
    d_bias: &'a mut [f32],
    /// `Wᵀ`, packed.
    forward: Part<'a>,
}

/// Cuts all layers into blocks.
pub(super) fn blocks<'a>(
    layers: &'a mut [Layer],
    moments: &'a mut [[Moments; 2]],
    gradients: &'a mut [[Vec<f32>; 2]],
    forward: &'a mut [Packed],
) -> Vec<Block<'a>> {
    let layers = layers.iter_mut().zip(moments).zip(gradients).zip(forward).enumerate();
    let blocks = layers.flat_map(|(number, (((layer, [of_weight, of_bias]), [d_weight, d_bias]), forward))| {
        let width = layer.bias.len();
        let depth = layer.weight.len() / width;
        d_weight.resize(layer.weight.len(), 0.0);
        d_bias.resize(width, 0.0);
        let by_weight = (OUTPUTS * depth).max(1);
        let weights = layer.weight.chunks_mut(by_weight).zip(d_weight.chunks_mut(by_weight));
        let biases = layer.bias.chunks_mut(OUTPUTS).zip(d_bias.chunks_mut(OUTPUTS));
        let of_weights = of_weight.m.chunks_mut(by_weight).zip(of_weight.v.chunks_mut(by_weight));
        let of_biases = of_bias.m.chunks_mut(OUTPUTS).zip(of_bias.v.chunks_mut(OUTPUTS));
        let all = weights.zip(biases).zip(of_weights.zip(of_biases)).zip(forward.parts((depth, width), OUTPUTS));
        let firsts = (0..).step_by(OUTPUTS);
        firsts.zip(all).map(move |(first, ((((weight, d_weight), (bias, d_bias)), (of_weight, of_bias)), forward))| {
            let moments = [of_weight, of_bias].map(|(m, v)| [m, v]);
            let outputs = first..first + bias.len();
            Block { layer: number, outputs, weight, bias, moments, d_weight, d_bias, forward }
        })
    });
    blocks.collect()
}

impl Block<'_> {
    /// The gradient, of the gradient by the layer's outputs, `d: [texts, out]`, and its inputs, `[texts, in]`; returns its
    /// sum of squares.
    pub(super) fn gradient(&mut self, d: &[f32], texts: usize, inputs: Rhs<'_>) -> f64 {
        let width = d.len() / texts.max(1);
        matmul_block(self.d_weight, View::new(d, texts, width).columns(self.outputs.clone()).t(), inputs, None);
        self.d_bias.fill(0.0);
        widest!({
            for row in d.chunks(width.max(1)) {
                self.d_bias.iter_mut().zip(&row[self.outputs.clone()]).for_each(|(b, d)| *b += d);
            }
            f64::from(dot(self.d_weight, self.d_weight)) + f64::from(dot(self.d_bias, self.d_bias))
        })
    }

    /// Moves weights and biases, and packs them.
    pub(super) fn update(&mut self, update: &Update) {
        let [[m, v], [bias_m, bias_v]] = &mut self.moments;
        widest!({
            adamw::update(&update.step, update.decay, self.weight, m, v, self.d_weight);
            // Biases are not decayed, as is usual.
            adamw::update(&update.step, 1.0, self.bias, bias_m, bias_v, self.d_bias);
        });
        self.pack();
    }

    /// Packs the weights for the way forward.
    pub(super) fn pack(&mut self) {
        let rows = self.bias.len();
        self.forward.pack(View::new(self.weight, rows, self.weight.len() / rows).t());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn gradients_of_all_blocks_are_those_of_the_layer() {
        let mut stream = Stream::new(3, "dense", 0);
        for (texts, depth, width) in [(1, 1, 1), (5, 70, 64), (30, 33, 130), (300, 16, 65)] {
            let mut random = |len: usize| (0..len).map(|_| stream.symmetric(1.0)).collect::<Vec<f32>>();
            let (d, inputs) = (random(texts * width), random(texts * depth));
            let mut layers = [Layer { weight: random(width * depth).into(), bias: random(width) }];
            let mut moments = [[width * depth, width].map(Moments::zeros)];
            let (mut gradients, mut forward) = ([[vec![f32::NAN; 3], vec![]]], [Packed::default()]);
            let packed = Packed::new(View::new(&inputs, texts, depth));
            let mut square = 0.0;
            for mut block in blocks(&mut layers, &mut moments, &mut gradients, &mut forward) {
                square += block.gradient(&d, texts, (&packed).into());
                block.pack();
            }
            let [[d_weight, d_bias]] = &gradients;
            assert_eq!((d_weight.len(), d_bias.len()), (width * depth, width));
            let at = |x: &[f32], t: usize, of: usize, i: usize| f64::from(x[t * of + i]);
            for out in 0..width {
                let want: f64 = (0..texts).map(|t| at(&d, t, width, out)).sum();
                assert!((f64::from(d_bias[out]) - want).abs() < 1e-4, "bias {out} of [{width}, {depth}]");
                for i in 0..depth {
                    let want: f64 = (0..texts).map(|t| at(&d, t, width, out) * at(&inputs, t, depth, i)).sum();
                    let got = f64::from(d_weight[out * depth + i]);
                    assert!((got - want).abs() < 1e-4, "weight [{out}, {i}] of [{width}, {depth}]: {got} and {want}");
                }
            }
            let want: f64 = d_weight.iter().chain(d_bias).map(|x| f64::from(*x).powi(2)).sum();
            assert!((square - want).abs() < 1e-5 * want, "{square} and {want}");
            assert!(forward[0].unpacked() == layers[0].packed().unpacked(), "Wᵀ, packed block by block");
        }
    }
}
