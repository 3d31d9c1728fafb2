//! Multiplications and additions in registers: the most that a device computes, for `bench kernels`.
//!
//! Twin of `shaders/peak_fma.wgsl`.

use super::table::{Argument, Uniform, bind, problem, uniform};
use pulp::{Simd, WithSimd};

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Invocations.
    pub n: u32,
    /// Rounds of each.
    pub rounds: u32,
    /// Below 1: the numbers stay finite.
    pub factor: f32,
    /// Added each time.
    pub step: f32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { n, rounds, factor, step });

problem!(peak_fma, items: |s| u64::from(s.n));

/// Numbers that an invocation works on.
pub const NUMBERS: u32 = 32;
/// How often a round takes each of them.
pub const TIMES: u32 = 2;

/// The WGSL's twin, in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("peak_fma", arguments: Uniform(sizes), ReadWrite(out));
    let Sizes { n, rounds, factor, step } = bytemuck::pod_read_unaligned(sizes);
    for (invocation, out) in (0..n).zip(out.iter_mut()) {
        let end = |number: u32| {
            let start = f64::from(invocation % 64) * 0.0625 + f64::from(number) * 0.03125;
            (0..rounds * TIMES).fold(start, |x, _| x * f64::from(factor) + f64::from(step))
        };
        *out = ((0..NUMBERS).map(end).sum::<f64>() / f64::from(NUMBERS)) as f32;
    }
}

/// Vectors that [`fast`] works on at once: enough to hide how long one takes.
pub const CHAINS: usize = 12;

/// `rounds` multiplications and additions of [`CHAINS`] vectors on one thread. How many single ones that were, and what came
/// of them, so that none can be left out.
#[must_use]
pub fn fast(rounds: usize) -> (u64, f32) {
    struct Chains(usize);
    impl WithSimd for Chains {
        type Output = (u64, f32);

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> (u64, f32) {
            let (factor, step) = (simd.splat_f32s(0.999), simd.splat_f32s(0.001));
            let mut x: [S::f32s; CHAINS] = std::array::from_fn(|i| simd.splat_f32s(i as f32));
            for _ in 0..self.0 {
                for x in &mut x {
                    *x = simd.mul_add_f32s(*x, factor, step);
                }
            }
            let sum = x.iter().fold(simd.splat_f32s(0.0), |sum, x| simd.add_f32s(sum, *x));
            ((S::F32_LANES * CHAINS * self.0) as u64, simd.reduce_sum_f32s(sum))
        }
    }
    pulp::Arch::new().dispatch(Chains(rounds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_form_computes_what_it_counts() {
        let (count, sum) = fast(100);
        let lanes = count as usize / (CHAINS * 100);
        assert_eq!(count as usize, lanes * CHAINS * 100, "whole vectors");
        let end = |start: f64| (0..100).fold(start, |x, _| x * f64::from(0.999f32) + f64::from(0.001f32));
        let want = (0..CHAINS).map(|i| end(i as f64)).sum::<f64>() * lanes as f64;
        assert!((f64::from(sum) - want).abs() < 1e-4 * want, "{sum}, expected {want}");
    }
}
