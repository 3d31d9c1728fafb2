//! Elementwise helpers that compile to the widest vectors the processor has, chosen at run time.
//!
//! Plain loops over slices inside `widest!` are compiled once per instruction set. Sums run in fixed lanes, so that
//! every instruction set gives the same bits.

/// Lanes of a running sum.
const LANES: usize = 16;

/// Runs an expression compiled for the widest instruction set at hand.
///
/// What it calls must be `#[inline(always)]`, closures too: anything else is compiled once, for every processor. Hence a
/// macro, since a function could not ask that of the closure it is given.
macro_rules! widest {
    ($body:expr) => {
        pulp::Arch::new().dispatch($crate::kernels::simd::Widest(
            #[inline(always)]
            || $body,
        ))
    };
}
pub(crate) use widest;

/// What `widest!` runs. Of a closure that is called as `FnOnce`, as pulp would, the compiler makes another function, and
/// nothing can ask it to inline that one.
pub(crate) struct Widest<F>(pub F);

impl<R, F: FnMut() -> R> pulp::NullaryFnOnce for Widest<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}

/// Numbers in a line of the cache.
pub(crate) const LINE: usize = 16;

/// Asks for `x` ahead of its use; a hint that changes no result.
#[inline(always)]
pub fn prefetch(x: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    fetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(x);
    // Other processors are left to guess.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = x;
}

/// Asks for `x` to be brought from memory near the core, though not next to it, well ahead of its use; a hint as well.
#[inline(always)]
pub fn prefetch_near(x: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    fetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(x);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = x;
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(unsafe_code, reason = "the processor's own instruction has no safe form")]
fn fetch<const HINT: i32>(x: &[f32]) {
    for line in x.chunks(LINE) {
        // SAFETY: every x86-64 has the instruction, it can't fault, and the address lies within the slice.
        unsafe { std::arch::x86_64::_mm_prefetch::<HINT>(line.as_ptr().cast()) };
    }
}

/// `out += scale · x`.
#[inline(always)]
pub fn axpy(out: &mut [f32], scale: f32, x: &[f32]) {
    for (o, x) in out.iter_mut().zip(x) {
        *o += scale * x;
    }
}

/// `Σ a·b` in fixed lanes.
#[inline(always)]
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let (a_body, a_tail) = a.as_chunks::<LANES>();
    let (b_body, b_tail) = b.as_chunks::<LANES>();
    for (a, b) in a_body.iter().zip(b_body) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    let tail: f32 = a_tail.iter().zip(b_tail).map(|(a, b)| a * b).sum();
    fold(lanes, |a, b| a + b) + tail
}

/// `Σ x²` of slices that come one after another, in fixed lanes that are folded once.
#[derive(Default)]
pub struct Squares([f64; LANES]);

impl Squares {
    /// Adds those of `x`.
    #[inline(always)]
    pub fn add(&mut self, x: &[f32]) {
        let mut lanes = [0f32; LANES];
        let (body, tail) = x.as_chunks::<LANES>();
        for x in body {
            for i in 0..LANES {
                lanes[i] += x[i] * x[i];
            }
        }
        tail.iter().zip(&mut lanes).for_each(|(x, lane)| *lane += x * x);
        self.0.iter_mut().zip(lanes).for_each(|(all, lane)| *all += f64::from(lane));
    }

    /// Their sum.
    #[must_use]
    pub fn sum(self) -> f64 {
        self.0.into_iter().sum()
    }
}

/// `Σ x` in fixed lanes.
#[inline(always)]
#[must_use]
pub fn sum(x: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let (body, tail) = x.as_chunks::<LANES>();
    for x in body {
        for i in 0..LANES {
            lanes[i] += x[i];
        }
    }
    fold(lanes, |a, b| a + b) + tail.iter().sum::<f32>()
}

/// The largest; −∞ for none.
#[inline(always)]
#[must_use]
pub fn max(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (body, tail) = x.as_chunks::<LANES>();
    for x in body {
        for i in 0..LANES {
            lanes[i] = larger(lanes[i], x[i]);
        }
    }
    tail.iter().fold(fold(lanes, larger), |a, b| larger(a, *b))
}

#[inline(always)]
fn fold(lanes: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> f32 {
    lanes.into_iter().reduce(f).unwrap_or(0.0)
}

/// `e^x` for x ≤ 88, within 2 units in the last place; 0 below −87. By range reduction to `|r| ≤ ln 2 / 2` and the
/// Taylor polynomial of degree 7, in operations that vectorise and give the same bits everywhere.
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 · 2^23: adding it rounds to an integer in the low bits
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x > 88.0 { 88.0 } else { x };
    let clamped = if clamped < -87.0 { -87.0 } else { clamped };
    let shifted = clamped * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = (clamped - n * LN2_HIGH) - n * LN2_LOW;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = (p * r) * r + r + 1.0;
    let power = f32::from_bits(((shifted.to_bits() as i32 - MAGIC.to_bits() as i32 + 127) << 23) as u32);
    if x < -87.0 { 0.0 } else { p * power }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn exp_is_close_to_the_double_precision_one() {
        let mut stream = Stream::new(3, "exp", 0);
        for _ in 0..200_000 {
            let x = stream.symmetric(86.0);
            let (got, want) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((got - want).abs() <= 2.5e-7 * want, "exp({x}) is {got}, expected {want}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-1e9), 0.0);
    }

    #[test]
    fn sums_agree_with_double_precision_on_ragged_lengths() {
        let mut stream = Stream::new(3, "sums", 0);
        for n in [0, 1, 15, 16, 17, 256, 1001] {
            let a: Vec<f32> = (0..n).map(|_| stream.symmetric(1.0)).collect();
            let b: Vec<f32> = (0..n).map(|_| stream.symmetric(1.0)).collect();
            let want: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!((f64::from(widest!(dot(&a, &b))) - want).abs() < 1e-4, "dot of {n}");
            let want: f64 = a.iter().map(|a| f64::from(*a)).sum();
            assert!((f64::from(widest!(sum(&a))) - want).abs() < 1e-4, "sum of {n}");
            let mut squares = Squares::default();
            widest!(a.chunks(100).for_each(
                #[inline(always)]
                |a| squares.add(a)
            ));
            let want: f64 = a.iter().map(|a| f64::from(*a).powi(2)).sum();
            assert!((squares.sum() - want).abs() <= 1e-6 * want, "squares of {n}");
            assert_eq!(widest!(max(&a)), a.iter().copied().fold(f32::NEG_INFINITY, f32::max), "max of {n}");
        }
    }
}
