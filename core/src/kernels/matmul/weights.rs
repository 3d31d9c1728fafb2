//! Right-hand sides that stay: the weights of a model that is only used.

use super::amx::{self, Split, SplitRhs};
use super::memory::Memory;
use super::{Onto, Packed, View, check, product};

/// Weights, in the form that is multiplied fastest here. Sums have other bits than those of [`super::matmul`].
pub struct Weights(Form);

enum Form {
    Panels(Packed),
    Tiles(SplitRhs),
}

/// Rows that are multiplied with [`Weights`].
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    rows: View<'a>,
    /// Where weights are for tiles.
    split: Option<&'a Split>,
}

impl<'a> Inputs<'a> {
    /// `rows`, row-major, made ready for any number of products; `memory` is from earlier calls.
    ///
    /// # Panics
    /// When `rows` is a transpose.
    #[must_use]
    pub fn new(rows: View<'a>, memory: &'a mut Split) -> Self {
        assert_eq!(rows.col_stride, 1, "rows do not lie side by side");
        let split = amx::available().then(|| {
            memory.fill(rows);
            &*memory
        });
        Self { rows, split }
    }
}

impl Weights {
    /// `weights: [in, out]`.
    #[must_use]
    pub fn new(weights: View<'_>) -> Self {
        Self(if amx::available() {
            Form::Tiles(SplitRhs::new(weights))
        } else {
            Form::Panels(Packed::in_long_spans(weights))
        })
    }

    /// Moves all of `weights` into one piece of memory, in this order. It should be the order of use: a product fetches
    /// what comes behind its own weights. One large piece can also lie on large pages, many small ones can't.
    pub fn put_together<'a>(weights: impl IntoIterator<Item = &'a mut Self>) {
        Memory::put_together(weights.into_iter().map(|weights| match &mut weights.0 {
            Form::Panels(packed) => packed.memory(),
            Form::Tiles(tiles) => tiles.memory(),
        }));
    }

    /// Inputs.
    #[must_use]
    pub fn rows(&self) -> usize {
        match &self.0 {
            Form::Panels(packed) => packed.rows(),
            Form::Tiles(tiles) => tiles.rows(),
        }
    }

    /// Outputs.
    #[must_use]
    pub fn cols(&self) -> usize {
        match &self.0 {
            Form::Panels(packed) => packed.cols(),
            Form::Tiles(tiles) => tiles.cols(),
        }
    }

    /// The weights as they were given: `[in, out]`, row-major. Numbers below 2^-110 may come back as others that are as
    /// small.
    #[must_use]
    pub fn unpacked(&self) -> Vec<f32> {
        match &self.0 {
            Form::Panels(packed) => packed.unpacked(),
            Form::Tiles(tiles) => tiles.unpacked(),
        }
    }

    /// `out = inputs · weights + bias` on the calling thread; `bias: [out]`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn multiply(&self, out: &mut [f32], inputs: Inputs<'_>, bias: &[f32]) {
        assert_eq!(bias.len(), self.cols(), "a bias of {} numbers for {} columns", bias.len(), self.cols());
        self.onto(out, inputs, Onto::Row(bias));
    }

    /// `out += inputs · weights` on the calling thread.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn multiply_onto(&self, out: &mut [f32], inputs: Inputs<'_>) {
        self.onto(out, inputs, Onto::Old);
    }

    fn onto(&self, out: &mut [f32], inputs: Inputs<'_>, onto: Onto<'_>) {
        check(out, &inputs.rows, (self.rows(), self.cols()));
        match (&self.0, inputs.split) {
            (Form::Tiles(tiles), Some(split)) => amx::product(out, split, tiles, onto),
            (Form::Panels(packed), _) => product(out, inputs.rows, packed.into(), onto),
            (Form::Tiles(_), None) => unreachable!("inputs take the form that weights have here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference;
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn what_is_put_together_stays_what_it_was() {
        let mut stream = Stream::new(1, "weights", 0);
        let shapes = [(300, 70), (0, 3), (7, 1), (64, 64), (3, 0), (900, 33)];
        let all = shapes.map(|(k, n)| (0..k * n).map(|_| stream.symmetric(1.0)).collect::<Vec<f32>>());
        let of = |(k, n), b| View::new(b, k, n);
        let shaped = || shapes.into_iter().zip(&all);
        let here: Vec<Weights> = shaped().map(|(shape, b)| Weights::new(of(shape, b))).collect();
        let panels = shaped().map(|(shape, b)| Weights(Form::Panels(Packed::in_long_spans(of(shape, b))))).collect();
        for mut weights in [here, panels] {
            Weights::put_together(&mut weights);
            agree(&weights, &all, shapes, &mut stream);
        }
    }

    /// Whether they are the weights in `all`, and make the same products.
    fn agree(weights: &[Weights], all: &[Vec<f32>], shapes: [(usize, usize); 6], stream: &mut Stream) {
        let mut memory = Split::default();
        for ((weights, b), (k, n)) in weights.iter().zip(all).zip(shapes) {
            assert!(weights.unpacked() == *b && (weights.rows(), weights.cols()) == (k, n), "[{k}, {n}]");
            let mut random = |len: usize| (0..len).map(|_| stream.symmetric(1.0)).collect::<Vec<f32>>();
            let (a, bias, mut onto) = (random(13 * k), random(n), random(13 * n));
            let lhs = View::new(&a, 13, k);
            let (mut slow, old) = (vec![f32::NAN; 13 * n], onto.clone());
            reference(&mut slow, lhs, View::new(b, k, n), Some(&bias));
            let mut fast = vec![f32::NAN; 13 * n];
            weights.multiply(&mut fast, Inputs::new(lhs, &mut memory), &bias);
            weights.multiply_onto(&mut onto, Inputs::new(lhs, &mut memory));
            for i in 0..13 * n {
                assert!((fast[i] - slow[i]).abs() <= 1e-4, "[{k}, {n}] at {i}: {} and {}", fast[i], slow[i]);
                let want = slow[i] - bias[i % n] + old[i];
                assert!((onto[i] - want).abs() <= 1e-4, "[{k}, {n}] onto, at {i}: {} and {want}", onto[i]);
            }
        }
    }
}
