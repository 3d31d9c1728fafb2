//! [`super::similarity`] over 16-bit floats, with sums in 32 bits. Its inputs are made by [`super::to_f16`].
//!
//! Twin of `shaders/similarity_f16.wgsl`.

use super::interfaces::similarity_f16::TILE;
use super::table::{Argument, Uniform, bind, problem, uniform, words};
use super::to_f16;

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows of `a`.
    pub n: u32,
    /// Rows of `b`.
    pub m: u32,
    /// Columns of both, in fours.
    pub quads: u32,
    /// Tiles that cover a row of the output.
    pub column_tiles: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { n, m, quads, column_tiles });

problem!(similarity_f16, groups: |s| u64::from(s.n.div_ceil(TILE)) * u64::from(s.column_tiles));

impl Sizes {
    /// For `n` and `m` rows of `d` numbers.
    #[must_use]
    pub fn new(n: u32, m: u32, d: u32) -> Self {
        let quads = to_f16::Sizes::new(n, d).padded_columns / 4;
        Self { n, m, quads, column_tiles: m.div_ceil(TILE) }
    }
}

/// `out: [n, m]` from `a` and `b`, each a row of `4 · quads` 16-bit floats after the other, two to a word; sums in `f64`.
///
/// # Panics
/// When a slice is shorter than its shape.
pub fn reference(a: &[u32], b: &[u32], out: &mut [f32], n: usize, m: usize, quads: usize) {
    let row = |x: &[u32], row: usize| -> Vec<f64> {
        let halves = x[row * 2 * quads..][..2 * quads].iter().flat_map(|word| [*word as u16, (*word >> 16) as u16]);
        halves.map(|bits| half::f16::from_bits(bits).to_f64()).collect()
    };
    let columns: Vec<Vec<f64>> = (0..m).map(|j| row(b, j)).collect();
    for i in 0..n {
        let left = row(a, i);
        for (j, right) in columns.iter().enumerate() {
            out[i * m + j] = left.iter().zip(right).map(|(a, b)| a * b).sum::<f64>() as f32;
        }
    }
}

/// [`reference`] behind the kernel's bindings.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("similarity_f16", arguments: Uniform(sizes), Read(a), Read(b), ReadWrite(out));
    let Sizes { n, m, quads, .. } = bytemuck::pod_read_unaligned(sizes);
    reference(words(a), words(b), out, n as usize, m as usize, quads as usize);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worked_case() {
        let halves = |x: [f32; 4]| {
            let word = |low: f32, high: f32| {
                u32::from(half::f16::from_f32(low).to_bits()) | u32::from(half::f16::from_f32(high).to_bits()) << 16
            };
            [word(x[0], x[1]), word(x[2], x[3])]
        };
        let b = [halves([5.0, 6.0, 0.0, 0.5]), halves([-1.0, 0.25, 2.0, 0.0])].concat();
        let mut out = [f32::NAN; 2];
        reference(&halves([1.0, 2.0, 3.0, 4.0]), &b, &mut out, 1, 2, 1);
        assert_eq!(out, [19.0, 5.5]);
    }
}
