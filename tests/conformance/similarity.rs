//! Dot products of rows.

use crate::compare::{Tolerance, close};
use crucible_core::backend::{Backend, BackendError, SimilarityShape};
use crucible_core::rng::Stream;

/// Unit rows: sums of `d` products of size 1/d in `f32`, in any order. Worst seen at d = 384: 2e-7.
pub(crate) const TOLERANCE: Tolerance = Tolerance { absolute: 2e-6, relative: 2e-6 };

/// The same with inputs that are exact in 16 bits, whose products are exact in 32: matrix units cut sums off where others
/// round. Worst seen on lavapipe: 2e-7.
pub(crate) const F16_TOLERANCE: Tolerance = Tolerance { absolute: 5e-6, relative: 5e-6 };

/// `(n, m, d)`; the kernels' tiles are 64 × 128 and 128 × 128, their slices 16 and 32 deep.
const SHAPES: &[(usize, usize, usize)] = &[
    (0, 0, 0),
    (0, 5, 3),
    (5, 0, 3),
    (3, 4, 0),
    (1, 1, 1),
    (1, 70, 5),
    (70, 1, 5),
    (2, 3, 17),
    (4, 4, 16),
    (63, 65, 15),
    (64, 64, 16),
    (65, 63, 17),
    (128, 192, 32),
    (129, 193, 33),
    (256, 256, 16),
    (33, 130, 384),
];
/// 65,535 tiles and one row: the groups go on in a second line. With columns it would take a software adapter a minute; without
/// them every zero must still be written, each tile by the group that has its number.
const PAST_A_LINE: (usize, usize, usize) = (65_535 * 128 + 1, 1, 0);

/// # Errors
/// What was wrong first.
pub(crate) async fn suite<B: Backend>(backend: &B) -> Result<(), String> {
    shapes(backend, TOLERANCE, |x| x).await?;
    shape(backend, PAST_A_LINE, TOLERANCE, |x| x).await?;
    ties(backend).await?;
    wrong_lengths(backend)
}

/// What kernels that see little of a buffer must get right.
///
/// # Errors
/// What was wrong first.
#[cfg(feature = "gpu")]
pub(crate) async fn in_parts<B: Backend>(backend: &B) -> Result<(), String> {
    shapes(backend, TOLERANCE, |x| x).await?;
    ties(backend).await
}

/// An output one row longer than a kernel can see, which is `max_len` of the backend. Cheap: of a single column. Inputs
/// that long would take a minute on a software adapter; they are cut the same way in [`in_parts`].
///
/// # Errors
/// What was wrong first.
#[cfg(feature = "gpu")]
pub(crate) async fn past_the_binding_limit<B: Backend>(backend: &B) -> Result<(), String> {
    let (n, m, d) = (4096, backend.max_len() / 4096 + 1, 1);
    let mut stream = Stream::new(13, "conformance limit", 0);
    let (a, b) = (unit_rows(&mut stream, 1, n), unit_rows(&mut stream, 1, m));
    let got = run(backend, &a, &b, SimilarityShape { n, m, d }).await.map_err(|e| e.to_string())?;
    assert!(got.len() > backend.max_len(), "{} numbers are within {}", got.len(), backend.max_len());
    // Products of numbers near 0 would hide what is missing.
    let tolerance = Tolerance { absolute: 0.0, relative: 1e-6 };
    close(&format!("[{n}, {d}] · [{m}, {d}]ᵀ"), &got, &reference(&a, &b, (n, m, d)), tolerance)
}

/// The shapes that any path must get right, with inputs rounded by `round`.
///
/// # Errors
/// What was wrong first.
pub(crate) async fn shapes<B: Backend>(backend: &B, tolerance: Tolerance, round: fn(f32) -> f32) -> Result<(), String> {
    for shape in SHAPES {
        self::shape(backend, *shape, tolerance, round).await?;
    }
    Ok(())
}

async fn shape<B: Backend>(
    backend: &B,
    (n, m, d): (usize, usize, usize),
    tolerance: Tolerance,
    round: fn(f32) -> f32,
) -> Result<(), String> {
    let mut stream = Stream::new(11, "conformance similarity", (n * m) as u64);
    let rows = |stream: &mut Stream, count| unit_rows(stream, count, d).into_iter().map(round).collect::<Vec<f32>>();
    let (a, b) = (rows(&mut stream, n), rows(&mut stream, m));
    let got = run(backend, &a, &b, SimilarityShape { n, m, d }).await.map_err(|e| e.to_string())?;
    close(&format!("[{n}, {d}] · [{m}, {d}]ᵀ"), &got, &reference(&a, &b, (n, m, d)), tolerance)
}

/// Equal rows give equal bits, wherever they stand: who wins a tie must not depend on the tile.
async fn ties<B: Backend>(backend: &B) -> Result<(), String> {
    let (n, m, d) = (2, 131, 37);
    let mut stream = Stream::new(12, "conformance ties", 0);
    let a = unit_rows(&mut stream, n, d);
    let b = unit_rows(&mut stream, 1, d).repeat(m);
    let got = run(backend, &a, &b, SimilarityShape { n, m, d }).await.map_err(|e| e.to_string())?;
    for (i, row) in got.chunks(m).enumerate() {
        if let Some(j) = row.iter().position(|x| x.to_bits() != row[0].to_bits()) {
            return Err(format!("row {i}: {} at column {j}, {} at column 0, of equal vectors", row[j], row[0]));
        }
    }
    Ok(())
}

/// A shape that a buffer does not fit is refused before anything runs.
fn wrong_lengths<B: Backend>(backend: &B) -> Result<(), String> {
    let shape = SimilarityShape { n: 2, m: 3, d: 4 };
    for (a, b, out) in [(7, 12, 6), (8, 11, 6), (8, 12, 7)] {
        let zeros = |len| backend.zeros(len).map_err(|e| e.to_string());
        let (a_buffer, b_buffer, mut out_buffer) = (zeros(a)?, zeros(b)?, zeros(out)?);
        let result = backend.similarity(&a_buffer, &b_buffer, &mut out_buffer, shape);
        if !matches!(result, Err(BackendError::Length { .. })) {
            return Err(format!("buffers of {a}, {b}, {out} for {shape:?} gave {result:?}"));
        }
    }
    Ok(())
}

async fn run<B: Backend>(backend: &B, a: &[f32], b: &[f32], shape: SimilarityShape) -> Result<Vec<f32>, BackendError> {
    let mut out = backend.upload(&vec![f32::NAN; shape.n * shape.m])?;
    assert_eq!(backend.len(&out), shape.n * shape.m, "length of an uploaded buffer");
    backend.similarity(&backend.upload(a)?, &backend.upload(b)?, &mut out, shape)?;
    backend.download(&out).await
}

/// The nearest number that 16 bits hold.
pub(crate) fn round_to_f16(x: f32) -> f32 {
    half::f16::from_f32(x).to_f32()
}

fn unit_rows(stream: &mut Stream, rows: usize, columns: usize) -> Vec<f32> {
    let mut values: Vec<f32> = (0..rows * columns).map(|_| stream.symmetric(1.0)).collect();
    for row in values.chunks_mut(columns.max(1)) {
        let norm = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt().max(1e-12);
        row.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
    }
    values
}

fn reference(a: &[f32], b: &[f32], (n, m, d): (usize, usize, usize)) -> Vec<f64> {
    let dot = |i: usize, j: usize| (0..d).map(|k| f64::from(a[i * d + k]) * f64::from(b[j * d + k])).sum();
    (0..n * m).map(|at| dot(at / m, at % m)).collect()
}
