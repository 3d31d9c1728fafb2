//! Backward kernels against central differences of what they are the gradient of, as defined here in `f64`.
//!
//! Inputs lie away from kinks: a step of the difference never crosses one.

use crate::compare::{Tolerance, close};
use crucible_core::backend::Backend;
use crucible_core::config::Activation;
use crucible_core::kernels::{self, Problem};
use crucible_core::rng::Stream;

/// Kernels compute in `f32`; the differences are good to 1e-7.
const TOLERANCE: Tolerance = Tolerance { absolute: 2e-5, relative: 2e-5 };
/// Half a step.
const H: f64 = 1e-5;

/// # Errors
/// The first gradient that is no slope.
pub(crate) async fn suite<B: Backend>(backend: &B) -> Result<(), String> {
    let mut stream = Stream::new(41, "conformance gradients", 0);
    losses(backend, &mut stream).await?;
    normalise(backend, &mut stream).await?;
    activation(backend, &mut stream).await?;
    pool(backend, &mut stream).await?;
    pool_weights(backend, &mut stream).await
}

fn numbers(stream: &mut Stream, n: usize) -> Vec<f32> {
    (0..n).map(|_| stream.symmetric(1.0)).collect()
}

fn words(indices: &[u32]) -> Vec<f32> {
    bytemuck::cast_slice(indices).to_vec()
}

/// Runs a kernel, and returns what it left in buffer `output`.
async fn run<B: Backend, P: Problem>(
    backend: &B,
    problem: P,
    buffers: &[Vec<f32>],
    output: usize,
) -> Result<Vec<f32>, String> {
    let text = |e: crucible_core::backend::BackendError| e.to_string();
    let buffers = buffers.iter().map(|b| backend.upload(b)).collect::<Result<Vec<_>, _>>().map_err(text)?;
    backend.run(problem, &buffers.iter().collect::<Vec<_>>()).map_err(text)?;
    backend.download(&buffers[output]).await.map_err(text)
}

/// That `gradient` has the slopes of `value` at `at`, and that some of them are worth comparing.
fn slopes(what: &str, gradient: &[f32], at: &[f32], value: impl Fn(&[f64]) -> f64) -> Result<(), String> {
    let mut point: Vec<f64> = at.iter().map(|x| f64::from(*x)).collect();
    let mut slope = |i: usize| {
        let x = point[i];
        point[i] = x + H;
        let above = value(&point);
        point[i] = x - H;
        let below = value(&point);
        point[i] = x;
        (above - below) / (2.0 * H)
    };
    let expected: Vec<f64> = (0..at.len()).map(&mut slope).collect();
    let largest = expected.iter().fold(0f64, |most, x| most.max(x.abs()));
    assert!(largest > 1e-2, "{what}: slopes up to {largest} only: nothing was compared");
    close(what, gradient, &expected, TOLERANCE)
}

/// Both losses by the similarities; without in-batch candidates and with them.
async fn losses<B: Backend>(backend: &B, stream: &mut Stream) -> Result<(), String> {
    let (anchors, each) = (5usize, 3usize);
    let candidates = anchors * (1 + each);
    let senses: Vec<u32> = (0..anchors + candidates).map(|_| stream.below(4) as u32).collect();
    let texts: Vec<u32> = (0..anchors + candidates).map(|_| stream.below(9) as u32).collect();
    let own: Vec<u32> = (0..=anchors).map(|a| (anchors + a * each) as u32).collect();
    let (inverse_temperature, margin, scale) = (4.0f32, 0.3f32, 0.2f32);
    // On a grid that keeps every triplet off its margin: multiples of 0.1 plus 0.05 on the negatives' side.
    let grid = |stream: &mut Stream, j: usize| {
        let tenths = (stream.symmetric(8.0)).round() / 10.0;
        if j < anchors { tenths } else { tenths + 0.05 }
    };
    let similarities: Vec<f32> = (0..anchors * candidates).map(|i| grid(stream, i % candidates)).collect();
    let negatives = |a: usize| own[a] as usize..own[a + 1] as usize;
    for in_batch in [0u32, 1] {
        let hidden = |a: usize, j: usize| {
            let other = anchors + j;
            let alike = senses[other] == senses[a] || texts[other] == texts[a];
            j != a && (alike || !(in_batch == 1 || negatives(a).contains(&j)))
        };
        let info_nce = |s: &[f64]| -> f64 {
            let loss = |a: usize| {
                let logit = |j: usize| s[a * candidates + j] * f64::from(inverse_temperature);
                let all: f64 = (0..candidates).filter(|j| !hidden(a, *j)).map(|j| logit(j).exp()).sum();
                all.ln() - logit(a)
            };
            f64::from(scale) * (0..anchors).map(loss).sum::<f64>()
        };
        let triplet = |s: &[f64]| -> f64 {
            let loss = |a: usize| {
                let row = &s[a * candidates..][..candidates];
                let excess = |j: usize| (f64::from(margin) - row[a] + row[j]).max(0.0);
                negatives(a).map(excess).sum::<f64>() / each as f64
            };
            f64::from(scale) * (0..anchors).map(loss).sum::<f64>()
        };
        let buffers = [words(&senses), words(&texts), words(&own), similarities.clone(), vec![f32::NAN; anchors]];
        let (n, m) = (anchors as u32, candidates as u32);
        let sizes =
            kernels::info_nce::Sizes { anchors: n, candidates: m, in_batch, inverse_temperature, margin, scale };
        let got = run(backend, sizes, &buffers, 3).await?;
        slopes("info_nce", &got, &similarities, info_nce)?;
        let sizes = kernels::triplet::Sizes { anchors: n, candidates: m, in_batch, inverse_temperature, margin, scale };
        let got = run(backend, sizes, &buffers, 3).await?;
        slopes("triplet", &got, &similarities, triplet)?;
    }
    Ok(())
}

/// `d · x / |x|` by x.
async fn normalise<B: Backend>(backend: &B, stream: &mut Stream) -> Result<(), String> {
    for (rows, width) in [(1, 1), (3, 7), (2, 65)] {
        let (x, d) = (numbers(stream, rows * width), numbers(stream, rows * width));
        let norm = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>().sqrt();
        let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
        let norms: Vec<f32> = wide.chunks(width).map(|row| norm(row) as f32).collect();
        let unit: Vec<f32> = x.chunks(width).zip(&norms).flat_map(|(row, n)| row.iter().map(move |x| x / n)).collect();
        let value = |x: &[f64]| {
            let along =
                |(row, d): (&[f64], &[f32])| row.iter().zip(d).map(|(x, d)| x * f64::from(*d)).sum::<f64>() / norm(row);
            x.chunks(width).zip(d.chunks(width)).map(along).sum()
        };
        let sizes = kernels::normalise_backward::Sizes { rows: rows as u32, width: width as u32 };
        let got = run(backend, sizes, &[unit, norms, d.clone()], 2).await?;
        if width == 1 {
            // The sign alone is left, and it has no slope.
            close("normalise_backward of one column", &got, &vec![0.0; rows], TOLERANCE)?;
        } else {
            slopes("normalise_backward", &got, &x, value)?;
        }
    }
    Ok(())
}

/// `d · f(x)` by x, with dropout.
async fn activation<B: Backend>(backend: &B, stream: &mut Stream) -> Result<(), String> {
    for kind in [Activation::Relu, Activation::Tanh, Activation::Gelu] {
        for share in [0.0, 0.4] {
            let (rows, width) = (4, 33);
            let forward = kernels::activation::Sizes::new(rows, width, kind, share, 5);
            // Away from 0, where ReLU has its kink.
            let x: Vec<f32> = numbers(stream, rows * width).iter().map(|x| 3.0 * x + 0.01f32.copysign(*x)).collect();
            let d = numbers(stream, rows * width);
            // Which units are dropped is told by the forward kernel, from inputs that no activation makes 0.
            let ones = vec![vec![0.0; width], vec![1.0; rows * width], vec![f32::NAN; rows * width]];
            let kept: Vec<bool> = run(backend, forward, &ones, 2).await?.iter().map(|y| *y != 0.0).collect();
            let dropped = kept.iter().filter(|kept| !**kept).count();
            assert!((share == 0.0) == (dropped == 0) && dropped < kept.len(), "{dropped} units dropped");
            let f = |x: f64| match kind {
                Activation::Relu => x.max(0.0),
                Activation::Tanh => x.tanh(),
                Activation::Gelu => {
                    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh())
                }
            };
            let value = |x: &[f64]| {
                let cells = x.iter().zip(&d).zip(&kept).filter(|(_, kept)| **kept);
                cells.map(|((x, d), _)| f64::from(*d) * f(*x) / (1.0 - share)).sum()
            };
            let sizes = kernels::activation_backward::Sizes::from(forward);
            let got = run(backend, sizes, &[x.clone(), d.clone()], 1).await?;
            slopes(&format!("activation_backward of {kind:?}"), &got, &x, value)?;
        }
    }
    Ok(())
}

/// Two texts' tokens: rows 0 to 3 of a table, the last one in neither text.
const IDS: [u32; 7] = [0, 1, 1, 2, 0, 2, 2];
const STARTS: [u32; 3] = [0, 4, 7];

fn text_of(token: usize) -> usize {
    usize::from(token >= STARTS[1] as usize)
}

/// `d · pooled` by the table's rows.
async fn pool<B: Backend>(backend: &B, stream: &mut Stream) -> Result<(), String> {
    let (rows, dim) = (4, 9);
    let (table, d) = (numbers(stream, rows * dim), numbers(stream, 2 * dim));
    let weights: Vec<f32> = numbers(stream, IDS.len());
    let value = |table: &[f64]| {
        let token = |(t, id): (usize, &u32)| {
            let (row, d) = (&table[*id as usize * dim..][..dim], &d[text_of(t) * dim..][..dim]);
            f64::from(weights[t]) * row.iter().zip(d).map(|(x, d)| x * f64::from(*d)).sum::<f64>()
        };
        IDS.iter().enumerate().map(token).sum()
    };
    let mut occurrences: Vec<u32> = (0..IDS.len() as u32).collect();
    occurrences.sort_by_key(|t| IDS[*t as usize]);
    let segments: Vec<u32> = (0..=rows as u32).map(|row| IDS.iter().filter(|id| **id < row).count() as u32).collect();
    let owners: Vec<u32> = (0..IDS.len()).map(|t| text_of(t) as u32).collect();
    let buffers =
        [words(&segments), words(&occurrences), words(&owners), weights.clone(), d.clone(), vec![f32::NAN; rows * dim]];
    let sizes = kernels::pool_backward::Sizes { rows: rows as u32, dim: dim as u32 };
    let got = run(backend, sizes, &buffers, 5).await?;
    slopes("pool_backward", &got, &table, value)
}

/// `d · softmax(logits)` of each text by the logits.
async fn pool_weights<B: Backend>(backend: &B, stream: &mut Stream) -> Result<(), String> {
    let (logits, d) = (numbers(stream, IDS.len()), numbers(stream, IDS.len()));
    let softmax = |logits: &[f64]| -> Vec<f64> {
        let of = |range: std::ops::Range<usize>| {
            let all: f64 = logits[range.clone()].iter().map(|l| l.exp()).sum();
            logits[range].iter().map(|l| l.exp() / all).collect::<Vec<_>>()
        };
        STARTS.windows(2).flat_map(|s| of(s[0] as usize..s[1] as usize)).collect()
    };
    let wide: Vec<f64> = logits.iter().map(|x| f64::from(*x)).collect();
    let weights: Vec<f32> = softmax(&wide).iter().map(|w| *w as f32).collect();
    let value = |logits: &[f64]| softmax(logits).iter().zip(&d).map(|(w, d)| w * f64::from(*d)).sum();
    let sizes = kernels::pool_weights_backward::Sizes { texts: 2 };
    let got = run(backend, sizes, &[words(&STARTS), weights, d.clone()], 2).await?;
    slopes("pool_weights_backward", &got, &logits, value)
}
