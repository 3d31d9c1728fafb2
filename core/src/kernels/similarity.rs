//! Dot products of all rows of one matrix with all rows of another: the cosine where rows are of unit length.
//!
//! Twin of `shaders/similarity.wgsl`.

use super::interfaces::similarity::TILE;
use super::matmul::{View, matmul};
use super::table::{Argument, Uniform, problem, uniform};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows of `a`.
    pub n: u32,
    /// Rows of `b`.
    pub m: u32,
    /// Columns of both.
    pub d: u32,
    /// Tiles that cover a row of the output.
    pub column_tiles: u32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { n, m, d, column_tiles });

problem!(similarity, groups: |s| u64::from(s.n.div_ceil(TILE)) * u64::from(s.column_tiles));

/// `out: [n, m]` from `a: [n, d]` and `b: [m, d]`, all row-major: `out[i, j] = Σ_k a[i, k] · b[j, k]`, summed in `f64`.
/// The reference.
///
/// # Panics
/// When a slice is shorter than its shape.
pub fn reference(a: &[f32], b: &[f32], out: &mut [f32], n: usize, m: usize, d: usize) {
    for i in 0..n {
        for j in 0..m {
            let mut sum = 0.0;
            for k in 0..d {
                sum += f64::from(a[i * d + k]) * f64::from(b[j * d + k]);
            }
            out[i * m + j] = sum as f32;
        }
    }
}

/// The same, fast: as a matrix product with the transpose of `b`.
///
/// # Panics
/// When a slice does not have the length of its shape.
pub fn fast(a: &[f32], b: &[f32], out: &mut [f32], n: usize, m: usize, d: usize) {
    matmul(out, View::new(a, n, d), View::new(b, m, d).t());
}

/// [`reference`] behind the kernel's bindings.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    let [Argument::Uniform(sizes), Argument::Read(a), Argument::Read(b), Argument::ReadWrite(out)] = arguments else {
        panic!("similarity binds sizes, a, b and out, not {} others", arguments.len());
    };
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    reference(a, b, out, sizes.n as usize, sizes.m as usize, sizes.d as usize);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worked_case() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0, 9.0, -1.0]);
        let expected = [17.0, 23.0, 7.0, 39.0, 53.0, 23.0];
        for function in [reference, fast] {
            let mut out = [f32::NAN; 6];
            function(&a, &b, &mut out, 2, 3, 2);
            assert_eq!(out, expected);
        }
        let mut out = [f32::NAN; 6];
        let sizes = Sizes { n: 2, m: 3, d: 2, column_tiles: 1 };
        let uniform = Argument::Uniform(bytemuck::bytes_of(&sizes));
        twin(&mut [uniform, Argument::Read(&a), Argument::Read(&b), Argument::ReadWrite(&mut out)]);
        assert_eq!(out, expected);
    }
}
