//! Which kernel makes similarities on this device.
//!
//! There is always the portable one, in 32-bit floats. Where the adapter offers more there are others; a path is taken
//! only after it has agreed with the portable one on a small random problem on this very device, so that a driver's fault
//! costs speed and never gives numbers.
//!
//! **Precision.** Everything is computed in 32-bit floats unless [`Precision::F16`] was asked for (`device.precision`). Then,
//! and only then, similarities come from inputs rounded to 16 bits, with sums in 32 bits: each product is off by up to
//! 2⁻¹⁰ of itself, a cosine by about 1e-4. That may decide between margins that close, so verdicts of an evaluation are
//! computed in 32-bit floats by default. Nothing but similarities follows the precision: training's own products don't.
//!
//! | path | taken |
//! | --- | --- |
//! | portable | everywhere, if nothing else is |
//! | subgroups | `f32`, where subgroups of less than 32 invocations show that shuffles are cheap |
//! | f16 | `f16`, where shaders have 16-bit floats |
//! | matrix units | `f16`, before the one above, where they multiply 16 × 16 × 16 `f16` to `f32` |

use super::buffers::{self, GpuBuffer};
use super::{GpuBackend, to_u32};
use crate::backend::{Backend, BackendError, SimilarityShape};
use crate::config::Precision;
use crate::kernels::{interfaces, similarity, similarity_coop, similarity_f16, similarity_subgroup, to_f16};
use crate::rng::Stream;
use std::fmt;

/// A way to make similarities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimilarityPath {
    /// 32-bit floats through workgroup memory.
    Portable,
    /// 32-bit floats, some of them handed around within subgroups.
    Subgroups,
    /// 16-bit inputs, sums in 32 bits.
    F16,
    /// The same on matrix units.
    CooperativeMatrices,
}

impl SimilarityPath {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Subgroups, Self::F16, Self::CooperativeMatrices];

    /// The kernel behind it.
    #[must_use]
    pub fn kernel(self) -> &'static str {
        match self {
            Self::Portable => "similarity",
            Self::Subgroups => "similarity_subgroup",
            Self::F16 => "similarity_f16",
            Self::CooperativeMatrices => "similarity_coop",
        }
    }

    /// What its inputs are rounded to.
    #[must_use]
    pub fn precision(self) -> Precision {
        match self {
            Self::Portable | Self::Subgroups => Precision::F32,
            Self::F16 | Self::CooperativeMatrices => Precision::F16,
        }
    }
}

impl fmt::Display for SimilarityPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kernel())
    }
}

/// Sizes of the problem on which paths must agree: more than a tile each way and ragged, so that there are whole tiles and
/// cut ones; rows of `out` in fours, which some paths store at once.
const CHECK: SimilarityShape = SimilarityShape { n: 131, m: 148, d: 75 };
/// How far they may be apart on rows of unit length, inputs being the same: both sum 75 products in 32 bits, in any order,
/// matrix units even cut off instead of rounding. A wrong index or a missing number is off by 1e-2 and more.
const APART: f32 = 1e-5;

impl GpuBackend {
    /// The path that [`Backend::similarity`] takes.
    #[must_use]
    pub fn similarity_path(&self) -> SimilarityPath {
        self.path
    }

    /// Takes the best path for the device's precision that is there and agrees with the portable one.
    pub(super) async fn choose_path(&mut self) {
        let wanted: &[SimilarityPath] = match self.device.precision() {
            Precision::F32 if self.device.shuffles_are_cheap() => &[SimilarityPath::Subgroups],
            Precision::F32 => &[],
            Precision::F16 => &[SimilarityPath::CooperativeMatrices, SimilarityPath::F16],
        };
        for path in wanted.iter().copied() {
            if !self.offers(path.kernel()) {
                continue;
            }
            match self.agrees(path).await {
                Ok(()) => {
                    self.path = path;
                    return;
                }
                Err(why) => self.warnings.push(format!("{path} is left out on {}: {why}", self.device.name())),
            }
        }
        if self.device.precision() == Precision::F16 {
            let name = self.device.name();
            self.warnings.push(format!("{name} has no usable 16-bit path: similarities are computed in 32 bits"));
        }
    }

    /// That `path` gives what the portable one gives.
    ///
    /// # Errors
    /// Where they differ, or what the device said.
    async fn agrees(&self, path: SimilarityPath) -> Result<(), String> {
        let SimilarityShape { n, m, d } = CHECK;
        let mut stream = Stream::new(0, "similarity check", 0);
        let mut rows = |count: usize| -> Vec<f32> {
            // Of about unit length, and exact in 16 bits: rounding is no difference between paths.
            let scale = (3.0 / d as f32).sqrt();
            (0..count * d).map(|_| half::f16::from_f32(scale * stream.symmetric(1.0)).to_f32()).collect()
        };
        let (a, b) = (rows(n), rows(m));
        let run = async |path| {
            let out = self.upload(&vec![f32::NAN; n * m])?;
            self.similarity_by(path, &self.upload(&a)?, &self.upload(&b)?, &out, CHECK)?;
            self.download(&out).await
        };
        let failed = |e: BackendError| e.to_string();
        let got = run(path).await.map_err(failed)?;
        let expected = run(SimilarityPath::Portable).await.map_err(failed)?;
        for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
            // Not the other way round: NaN is never near.
            let near = (got - expected).abs() <= APART;
            if !near {
                let (row, column) = (at / m, at % m);
                return Err(format!("it gives {got} for row {row} and column {column} where {expected} is right"));
            }
        }
        Ok(())
    }

    /// [`Backend::similarity`] by one path.
    ///
    /// # Errors
    /// As it; and when the device does not offer the path.
    pub fn similarity_by(
        &self,
        path: SimilarityPath,
        a: &GpuBuffer,
        b: &GpuBuffer,
        out: &GpuBuffer,
        shape: SimilarityShape,
    ) -> Result<(), BackendError> {
        shape.check(a.len(), b.len(), out.len())?;
        let size = |value| to_u32("similarity", value);
        let (n, m, d) = (size(shape.n)?, size(shape.m)?, size(shape.d)?);
        match path {
            SimilarityPath::Portable => {
                let column_tiles = m.div_ceil(interfaces::similarity::TILE);
                self.run(similarity::Sizes { n, m, d, column_tiles }, &[a, b, out])
            }
            SimilarityPath::Subgroups => self.run(similarity_subgroup::Sizes::new(n, m, d), &[a, b, out]),
            SimilarityPath::F16 | SimilarityPath::CooperativeMatrices => {
                // Without rows there is nothing to do, and no buffer that the kernel could take.
                if n == 0 || m == 0 {
                    return Ok(());
                }
                let (a, b) = (self.halves(a, n, d)?, self.halves(b, m, d)?);
                match path {
                    SimilarityPath::F16 => self.run(similarity_f16::Sizes::new(n, m, d), &[&a, &b, out]),
                    _ => self.run(similarity_coop::Sizes::new(n, m, d), &[&a, &b, out]),
                }
            }
        }
    }

    /// `rows` of `columns` numbers as [`to_f16`] leaves them.
    fn halves(&self, values: &GpuBuffer, rows: u32, columns: u32) -> Result<GpuBuffer, BackendError> {
        let sizes = to_f16::Sizes::new(rows, columns);
        let words = usize::try_from(sizes.words()).unwrap_or(usize::MAX);
        let halves = buffers::zeros(&self.device, words)?;
        self.run(sizes, &[values, &halves])?;
        Ok(halves)
    }
}
