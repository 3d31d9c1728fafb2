//! AdamW with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2), for whole tensors and for table rows.
//!
//! **The rule for rows.** A row without a gradient keeps its values and moments. When it is next touched, at step t,
//! the decay of all steps since its last touch is applied at once, `p ← p · Π_s (1 − lr_s·λ)` with s up to and with t,
//! then the moments move by this step's gradient alone and the bias correction is that of step t. Given the
//! same gradients, the result equals a dense update in which decay runs at every step and gradient steps happen for
//! touched rows only; the gradients themselves are taken at the rows as they are stored, before the pending decay. Before
//! a table is exported, every row's pending decay is applied to the copy.

use super::table::{Argument, Uniform, bind, problem, uniform};

/// One step's constants.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Learning rate of this step.
    pub lr: f32,
    /// First moment's decay.
    pub beta1: f32,
    /// Second moment's decay.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// `1 / (1 − beta1^t)`, t from 1.
    pub correct1: f32,
    /// `1 / (1 − beta2^t)`.
    pub correct2: f32,
    /// The gradient is multiplied by this (clipping).
    pub clip: f32,
}

impl Step {
    /// Step `t` (from 1), with betas 0.9 and 0.999 and epsilon 1e-8.
    #[must_use]
    pub fn new(t: u64, lr: f64, clip: f32) -> Self {
        let correct = |beta: f64| (1.0 / (1.0 - beta.powi(t.min(i32::MAX as u64) as i32))) as f32;
        let (correct1, correct2) = (correct(0.9), correct(0.999));
        Self { lr: lr as f32, beta1: 0.9, beta2: 0.999, eps: 1e-8, correct1, correct2, clip }
    }
}

/// Moves `p` by gradient `g`, after multiplying it by `decay`; all slices of one length.
#[inline(always)]
pub fn update(step: &Step, decay: f32, p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]) {
    let n = p.len();
    let (m, v, g) = (&mut m[..n], &mut v[..n], &g[..n]);
    let (keep1, keep2) = (1.0 - step.beta1, 1.0 - step.beta2);
    let rate = step.lr * step.correct1;
    for i in 0..n {
        let gradient = g[i] * step.clip;
        m[i] = step.beta1 * m[i] + keep1 * gradient;
        v[i] = step.beta2 * v[i] + keep2 * (gradient * gradient);
        p[i] = p[i] * decay - rate * m[i] / ((v[i] * step.correct2).sqrt() + step.eps);
    }
}

/// Scalar reference of [`update`] for one number, in `f64`; returns `(p, m, v)`.
#[must_use]
pub fn reference(step: &Step, decay: f64, p: f64, m: f64, v: f64, g: f64) -> (f64, f64, f64) {
    let g = g * f64::from(step.clip);
    let m = 0.9 * m + 0.1 * g;
    let v = 0.999 * v + 0.001 * g * g;
    let moved = f64::from(step.lr) * (m * f64::from(step.correct1)) / ((v * f64::from(step.correct2)).sqrt() + 1e-8);
    (p * decay - moved, m, v)
}

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Numbers.
    pub n: u32,
    /// Learning rate over `1 − β₁^t`.
    pub rate: f32,
    /// `1 / (1 − β₂^t)`.
    pub correction: f32,
    /// `1 − learning rate · λ`.
    pub decay: f32,
}

pub(super) const UNIFORM: Uniform = uniform!(Sizes { n, rate, correction, decay });

problem!(adamw, items: |s| u64::from(s.n));

/// The WGSL's twin, with sums in `f64`.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("adamw", arguments: Uniform(sizes), Read(g), Read(factor), ReadWrite(p), ReadWrite(m), ReadWrite(v));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    for i in 0..sizes.n as usize {
        move_one(sizes.rate, sizes.correction, sizes.decay, g[i] * factor[0], (&mut p[i], &mut m[i], &mut v[i]));
    }
}

/// What the WGSL does to one number, in `f64`.
pub(super) fn move_one(rate: f32, correction: f32, decay: f32, g: f32, (p, m, v): (&mut f32, &mut f32, &mut f32)) {
    let g = f64::from(g);
    let m_new = 0.9 * f64::from(*m) + 0.1 * g;
    let v_new = 0.999 * f64::from(*v) + 0.001 * g * g;
    let moved = f64::from(rate) * m_new / ((v_new * f64::from(correction)).sqrt() + 1e-8);
    (*p, *m, *v) = ((f64::from(*p) * f64::from(decay) - moved) as f32, m_new as f32, v_new as f32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::widest;
    use crate::rng::Stream;

    #[test]
    fn equals_the_reference_over_many_steps() {
        let mut stream = Stream::new(5, "adamw", 0);
        let n = 1001;
        let mut p: Vec<f32> = (0..n).map(|_| stream.symmetric(1.0)).collect();
        let (mut m, mut v) = (vec![0f32; n], vec![0f32; n]);
        let mut want: Vec<(f64, f64, f64)> = p.iter().map(|p| (f64::from(*p), 0.0, 0.0)).collect();
        for t in 1..=50 {
            // Gradients of very different sizes, some of them zero.
            let scale = 10f32.powi(stream.below(8) as i32 - 6);
            let g: Vec<f32> = (0..n).map(|i| if i % 7 == 0 { 0.0 } else { stream.symmetric(scale) }).collect();
            let step = Step::new(t, 0.003, [1.0, 0.25][stream.below(2)]);
            widest!(update(&step, 0.999, &mut p, &mut m, &mut v, &g));
            for (want, g) in want.iter_mut().zip(&g) {
                *want = reference(&step, f64::from(0.999f32), want.0, want.1, want.2, f64::from(*g));
            }
        }
        for (i, (want_p, want_m, want_v)) in want.into_iter().enumerate() {
            assert!((f64::from(p[i]) - want_p).abs() < 5e-6, "p[{i}] is {}, expected {want_p}", p[i]);
            assert!((f64::from(m[i]) - want_m).abs() < 1e-6 * (1.0 + want_m.abs()), "m[{i}] is {}, not {want_m}", m[i]);
            // Gradients of up to 10 cancel in m. 0.999 in 32 bits leaves 1 − β₂ off by 1.3e-5.
            assert!((f64::from(v[i]) - want_v).abs() < 3e-5 * (1e-6 + want_v), "v[{i}] is {}, not {want_v}", v[i]);
        }
    }

    #[test]
    fn the_first_step_is_as_long_as_the_learning_rate() {
        // Corrected for their start at zero, the moments of one gradient are the gradient and its square.
        let (mut p, mut m, mut v) = ([1.0, 1.0], [0.0; 2], [0.0; 2]);
        update(&Step::new(1, 0.1, 1.0), 0.5, &mut p, &mut m, &mut v, &[3.0, -0.02]);
        assert!((p[0] - 0.4).abs() < 1e-5 && (p[1] - 0.6).abs() < 1e-5, "{p:?}");
    }
}
