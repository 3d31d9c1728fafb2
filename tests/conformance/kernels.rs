//! Every kernel of the table against its twin, at the sizes where kernels break.

mod transformer;

use crate::compare::{Tolerance, close, equal};
use crucible_core::backend::Backend;
use crucible_core::backend::cpu::CpuBackend;
use crucible_core::config::Activation;
use crucible_core::kernels::{self, Access, KERNELS, Problem, product::Part};
use crucible_core::rng::Stream;

/// One run of a kernel.
struct Case {
    kernel: &'static str,
    label: String,
    uniform: Vec<u8>,
    buffers: Vec<Vec<f32>>,
    groups: u64,
}

impl Case {
    fn new<P: Problem + std::fmt::Debug>(problem: P, buffers: Vec<Vec<f32>>) -> Self {
        Self {
            kernel: P::KERNEL,
            label: format!("{}: {problem:?}", P::KERNEL),
            uniform: bytemuck::bytes_of(&problem).to_vec(),
            buffers,
            groups: problem.groups(),
        }
    }
}

/// Sums of up to a few thousand products of size 1, and functions that GPUs compute to a few units in the last place.
const TOLERANCE: Tolerance = Tolerance { absolute: 2e-5, relative: 2e-5 };
/// Cosines of inputs that are exact in 16 bits: only the order of 32-bit sums differs, and matrix units cut off where others
/// round. Up to 200 products of rows of about unit length; worst seen on lavapipe 3e-7.
const F16_TOLERANCE: Tolerance = Tolerance { absolute: 5e-6, relative: 5e-6 };
/// Nothing, one, around a workgroup, several of them.
const COUNTS: [usize; 7] = [0, 1, 5, 64, 65, 256, 700];
/// Columns: one, ragged, a workgroup's lanes, more.
const WIDTHS: [usize; 5] = [1, 7, 64, 65, 256];

/// All kernels that the backend offers; says which it left out.
///
/// # Errors
/// The first kernel and case that went wrong.
#[expect(clippy::print_stdout, reason = "a skipped kernel says so")]
pub(crate) async fn suite<B: Backend>(backend: &B) -> Result<(), String> {
    for kernel in KERNELS {
        if backend.offers(kernel.name) {
            one(backend, kernel.name).await?;
        } else {
            println!("skipped: {}: {} does not offer {}", kernel.name, backend.name(), kernel.needs);
        }
    }
    Ok(())
}

/// The cases of one kernel.
///
/// # Errors
/// The first that went wrong.
pub(crate) async fn one<B: Backend>(backend: &B, kernel: &str) -> Result<(), String> {
    let cases = cases(kernel);
    assert!(!cases.is_empty(), "{kernel}: no cases");
    for case in cases {
        let expected = run(&CpuBackend, &case).await?;
        let got = run(backend, &case).await?;
        let tolerance = if kernel.ends_with("_f16") || kernel.ends_with("_coop") { F16_TOLERANCE } else { TOLERANCE };
        for (number, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let what = format!("{}, output {number}", case.label);
            match holds(kernel, number) {
                Holds::Numbers => {
                    let expected: Vec<f64> = expected.iter().map(|x| f64::from(*x)).collect();
                    close(&what, got, &expected, tolerance)?;
                }
                Holds::Indices => equal(&what, bytemuck::cast_slice(got), bytemuck::cast_slice(expected))?,
                Holds::Scratch => {}
            }
        }
    }
    Ok(())
}

/// What a buffer is to be compared as.
enum Holds {
    Numbers,
    /// As numbers they would all be next to 0.
    Indices,
    /// Whatever is left there.
    Scratch,
}

/// What output `number` of a kernel holds.
fn holds(kernel: &str, number: usize) -> Holds {
    match (kernel, number) {
        ("danger", 1) | ("top_k", 2) | ("to_f16", _) => Holds::Indices,
        ("top_k", 0) => Holds::Scratch,
        _ => Holds::Numbers,
    }
}

/// What the kernel leaves in the buffers that it writes.
async fn run<B: Backend>(backend: &B, case: &Case) -> Result<Vec<Vec<f32>>, String> {
    let text = |e: crucible_core::backend::BackendError| format!("{}: {e}", case.label);
    let mut buffers = Vec::new();
    for values in &case.buffers {
        buffers.push(backend.upload(values).map_err(text)?);
    }
    let bound: Vec<&B::Buffer> = buffers.iter().collect();
    backend.dispatch(case.kernel, &case.uniform, &bound, case.groups).map_err(text)?;
    let interface = kernels::kernel(case.kernel).expect("the case's kernel is in the table").interface;
    let mut outputs = Vec::new();
    for (access, buffer) in interface.bindings[1..].iter().zip(&buffers) {
        if *access == Access::ReadWrite {
            outputs.push(backend.download(buffer).await.map_err(text)?);
        }
    }
    Ok(outputs)
}

/// `(n, m, d)`: nothing, one, around tiles of 64 and 128 and slices of 16 and 32, rows that can be stored in fours and
/// whole tiles among them.
const SIMILARITIES: [(usize, usize, usize); 10] = [
    (0, 5, 3),
    (5, 0, 3),
    (3, 4, 0),
    (1, 1, 1),
    (65, 63, 17),
    (64, 128, 16),
    (128, 256, 64),
    (129, 193, 33),
    (127, 130, 15),
    (200, 140, 200),
];

/// Random inputs.
struct Draw(Stream);

impl Draw {
    fn numbers(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.0.symmetric(1.0)).collect()
    }

    fn positive(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.0.symmetric(0.5) + 0.6).collect()
    }

    /// Small enough that sums stay near 1.
    fn weights(&mut self, n: usize, share: usize) -> Vec<f32> {
        (0..n).map(|_| self.0.symmetric(1.0) / share.max(1) as f32).collect()
    }

    /// [`Draw::weights`] that are exact in 16 bits.
    fn halves(&mut self, n: usize, share: usize) -> Vec<f32> {
        self.weights(n, share).iter().map(|x| half::f16::from_f32(*x).to_f32()).collect()
    }

    fn below(&mut self, n: usize, bound: usize) -> Vec<u32> {
        (0..n).map(|_| self.0.below(bound) as u32).collect()
    }

    /// Where `n` stretches begin, of 0 to `longest` items, and the end.
    fn starts(&mut self, n: usize, longest: usize) -> Vec<u32> {
        let mut at = 0;
        let mut starts = vec![0];
        for _ in 0..n {
            at += self.0.below(longest + 1) as u32;
            starts.push(at);
        }
        starts
    }
}

fn words(indices: &[u32]) -> Vec<f32> {
    bytemuck::cast_slice(indices).to_vec()
}

/// Numbers whose products sum up exactly in 32 bits, in any order, with many ties among the sums.
fn coarse(numbers: &[f32]) -> Vec<f32> {
    numbers.iter().map(|x| (x * 4.0).round() / 4.0).collect()
}

/// Rows of 16-bit floats, two to a word, with zeros to whole tiles: what `to_f16` makes.
fn packed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let sizes = kernels::to_f16::Sizes::new(u(rows), u(columns));
    let mut bits = vec![0u16; sizes.padded_rows as usize * sizes.padded_columns as usize];
    for (row, line) in values.chunks(columns.max(1)).take(rows).enumerate() {
        for (column, x) in line.iter().enumerate() {
            bits[row * sizes.padded_columns as usize + column] = half::f16::from_f32(*x).to_bits();
        }
    }
    // The first of two in the low half of a word. Columns are even.
    let word = |[low, high]: &[u16; 2]| f32::from_bits(u32::from(*low) | u32::from(*high) << 16);
    bits.as_chunks().0.iter().map(word).collect()
}

/// An output that must be written in full.
fn nan(n: usize) -> Vec<f32> {
    vec![f32::NAN; n]
}

/// The text of each token.
fn owners(starts: &[u32]) -> Vec<u32> {
    let texts = starts.windows(2).zip(0..);
    texts.flat_map(|(s, text)| std::iter::repeat_n(text, (s[1] - s[0]) as usize)).collect()
}

fn u(n: usize) -> u32 {
    u32::try_from(n).expect("sizes of cases are small")
}

/// Every count with every width.
fn grid() -> impl Iterator<Item = (usize, usize)> {
    COUNTS.into_iter().flat_map(|n| WIDTHS.into_iter().map(move |w| (n, w)))
}

#[expect(clippy::too_many_lines, reason = "one arm a kernel, each a list of its inputs")]
fn cases(kernel: &str) -> Vec<Case> {
    let mut draw = Draw(Stream::new(21, "conformance", kernel.len() as u64));
    let mut cases = Vec::new();
    match kernel {
        "activation" | "activation_backward" => {
            for (kind, share) in [
                (Activation::Relu, 0.0),
                (Activation::Relu, 0.3),
                (Activation::Tanh, 0.0),
                (Activation::Gelu, 0.0),
                (Activation::Gelu, 0.5),
            ] {
                for (rows, width) in [(0, 3), (1, 1), (3, 85), (3, 86), (70, 64)] {
                    let sizes = kernels::activation::Sizes::new(rows, width, kind, share, 77);
                    let n = rows * width;
                    // Away from 0, where ReLU's slope jumps; some far out.
                    let values: Vec<f32> = draw.numbers(n).iter().map(|x| x * 12.0 + 0.001_f32.copysign(*x)).collect();
                    cases.push(if kernel == "activation" {
                        Case::new(sizes, vec![draw.numbers(width), values, nan(n)])
                    } else {
                        Case::new(kernels::activation_backward::Sizes::from(sizes), vec![values, draw.numbers(n)])
                    });
                }
            }
        }
        "adamw" => {
            for n in COUNTS {
                let sizes = kernels::adamw::Sizes { n: u(n), rate: 0.01, correction: 3.0, decay: 0.9 };
                let (g, p, m, v) = (draw.numbers(n), draw.numbers(n), draw.numbers(n), draw.positive(n));
                cases.push(Case::new(sizes, vec![g, vec![0.5], p, m, v]));
            }
        }
        "adamw_rows" => {
            for (rows, dim) in grid() {
                let sizes = kernels::adamw_rows::Sizes { rows: u(rows), dim: u(dim), rate: 0.01, correction: 3.0 };
                // Every second row of the table.
                let (list, cells) = ((0..u(rows)).map(|r| 2 * r).collect::<Vec<_>>(), 2 * rows * dim);
                let (p, m, v) = (draw.numbers(cells), draw.numbers(cells), draw.positive(cells));
                let inputs = vec![words(&list), draw.positive(rows), draw.numbers(rows * dim), vec![0.5], p, m, v];
                cases.push(Case::new(sizes, inputs));
            }
        }
        "add" => {
            // The last: one past what a dispatch takes along one dimension.
            for n in COUNTS.into_iter().chain([65_535 * 256 + 1]) {
                cases.push(Case::new(kernels::add::Sizes { n: u(n) }, vec![draw.numbers(n), draw.numbers(n)]));
            }
        }
        "attention" | "gelu" | "layer_norm" => cases = transformer::cases(kernel, &mut draw),
        "bucket_sum" => {
            for tokens in COUNTS {
                for buckets in [1, 5, 20] {
                    let sizes = kernels::bucket_sum::Sizes { buckets: u(buckets), tokens: u(tokens) };
                    let inputs = vec![words(&draw.below(tokens, buckets)), draw.weights(tokens, 9), nan(buckets)];
                    cases.push(Case::new(sizes, inputs));
                }
            }
        }
        "clip" => {
            for count in COUNTS {
                for bound in [0.0, 0.7, 1e9] {
                    let sizes = kernels::clip::Sizes { anchors: u(count), count: u(count), stats_start: 4, bound };
                    let sums = draw.positive(count);
                    cases.push(Case::new(sizes, vec![draw.numbers(count), sums, vec![3.0; 7], nan(1)]));
                }
            }
        }
        "column_sum" => {
            for (rows, width) in grid() {
                let sizes = kernels::column_sum::Sizes { rows: u(rows), width: u(width) };
                cases.push(Case::new(sizes, vec![draw.weights(rows * width, 9), nan(width)]));
            }
        }
        "danger" => {
            for (bundles, texts, dim) in
                [(0, 3, 4), (1, 3, 7), (5, 9, 64), (64, 30, 65), (256, 50, 64), (700, 90, 7), (300, 40, 300)]
            {
                for slack in [1e-5, 0.05] {
                    cases.push(danger(&mut draw, bundles, texts, dim, slack));
                }
            }
            // One past what a dispatch takes along one dimension; all vectors are 1 or -1.
            let bundles = 65_536;
            let list = |draw: &mut Draw| words(&draw.below(bundles, 2));
            let sizes = kernels::danger::Sizes { bundles: u(bundles), dim: 1, slack: 1e-5 };
            let starts: Vec<u32> = (0..=u(bundles)).collect();
            let [anchors, positives, negatives] = [list(&mut draw), list(&mut draw), list(&mut draw)];
            let (numbers, verdicts) = (nan(3 * bundles), nan(3 * bundles));
            let buffers = vec![vec![1.0, -1.0], anchors, positives, words(&starts), negatives, numbers, verdicts];
            cases.push(Case::new(sizes, buffers));
        }
        "info_nce" | "triplet" => {
            for (anchors, negatives) in [(0, 0), (1, 1), (2, 5), (13, 5), (64, 1), (65, 2)] {
                let candidates = anchors * (1 + negatives);
                let own: Vec<u32> = (0..=anchors).map(|a| u(anchors + a * negatives)).collect();
                for (in_batch, inverse_temperature) in [(0, 20.0), (1, 1.0), (1, 20.0)] {
                    // Few senses and texts, so that some candidates are hidden; ties among the similarities.
                    let mut buffers = vec![
                        words(&draw.below(anchors + candidates, 4)),
                        words(&draw.below(anchors + candidates, 9)),
                        words(&own),
                        draw.numbers(anchors * candidates).iter().map(|x| (x * 8.0).round() / 8.0).collect(),
                        nan(anchors),
                    ];
                    let (anchors, candidates, margin, scale) = (u(anchors), u(candidates), 0.3, 0.25);
                    cases.push(if kernel == "info_nce" {
                        use kernels::info_nce::Sizes;
                        let sizes = Sizes { anchors, candidates, in_batch, inverse_temperature, margin, scale };
                        Case::new(sizes, buffers)
                    } else {
                        use kernels::triplet::Sizes;
                        // Not on the margin, where rounding decides whether a negative counts.
                        buffers[3].iter_mut().for_each(|s| *s *= 0.99);
                        let sizes = Sizes { anchors, candidates, in_batch, inverse_temperature, margin, scale };
                        Case::new(sizes, buffers)
                    });
                }
            }
        }
        "normalise" => {
            for (rows, width) in grid() {
                for (head, residual) in [(0, 1), (1, 0), (1, 1)] {
                    let sizes = kernels::normalise::Sizes { rows: u(rows), width: u(width), head, residual };
                    let n = rows * width;
                    let (mut values, bias, mut pooled) = (draw.numbers(n), draw.numbers(width), draw.numbers(n));
                    if rows > 1 {
                        // A zero vector stays one.
                        values[..width].iter_mut().zip(&bias).for_each(|(v, b)| *v = -b);
                        pooled[..width].fill(0.0);
                    }
                    cases.push(Case::new(sizes, vec![values, bias, pooled, nan(n), nan(rows)]));
                }
            }
        }
        "normalise_backward" => {
            for (rows, width) in grid() {
                let sizes = kernels::normalise_backward::Sizes { rows: u(rows), width: u(width) };
                let mut norms = draw.positive(rows);
                norms.iter_mut().take(1).for_each(|n| *n = 0.0);
                let n = rows * width;
                cases.push(Case::new(sizes, vec![draw.weights(n, 8), norms, draw.numbers(n)]));
            }
        }
        "peak_copy" => {
            for n in COUNTS {
                cases.push(Case::new(kernels::peak_copy::Sizes { n: u(n) }, vec![draw.numbers(4 * n), nan(4 * n)]));
            }
        }
        "peak_fma" => {
            for n in COUNTS {
                for rounds in [0, 1, 50] {
                    let sizes = kernels::peak_fma::Sizes { n: u(n), rounds, factor: 0.75, step: 0.5 };
                    cases.push(Case::new(sizes, vec![nan(n)]));
                }
            }
        }
        "pool" => {
            for (texts, dim) in grid() {
                let starts = draw.starts(texts, 9);
                let tokens = starts[texts] as usize;
                let ids = words(&draw.below(tokens, 20));
                let inputs =
                    vec![draw.numbers(20 * dim), ids, words(&starts), draw.weights(tokens, 5), nan(texts * dim)];
                cases.push(Case::new(kernels::pool::Sizes { texts: u(texts), dim: u(dim) }, inputs));
            }
        }
        "pool_backward" => {
            for (rows, dim) in grid() {
                let segments = draw.starts(rows, 9);
                let tokens = segments[rows] as usize;
                // Any order: what stands in a segment belongs to its row.
                let occurrences: Vec<u32> = (0..u(tokens)).rev().collect();
                let inputs = vec![
                    words(&segments),
                    words(&occurrences),
                    words(&draw.below(tokens, 6)),
                    draw.weights(tokens, 5),
                    draw.numbers(6 * dim),
                    nan(rows * dim),
                ];
                cases.push(Case::new(kernels::pool_backward::Sizes { rows: u(rows), dim: u(dim) }, inputs));
            }
        }
        "pool_weights" => {
            for texts in COUNTS {
                let starts = draw.starts(texts, 40);
                let tokens = starts[texts] as usize;
                let inputs = vec![draw.numbers(8), words(&draw.below(tokens, 8)), words(&starts), nan(tokens)];
                cases.push(Case::new(kernels::pool_weights::Sizes { texts: u(texts) }, inputs));
            }
        }
        "pool_weights_backward" => {
            for texts in COUNTS {
                let starts = draw.starts(texts, 40);
                let tokens = starts[texts] as usize;
                let inputs = vec![words(&starts), draw.weights(tokens, 20), draw.numbers(tokens)];
                cases.push(Case::new(kernels::pool_weights_backward::Sizes { texts: u(texts) }, inputs));
            }
        }
        "pool_weights_dots" => {
            for (texts, dim) in [(0, 4), (1, 1), (6, 7), (9, 64), (20, 65), (30, 256)] {
                let starts = draw.starts(texts, 9);
                let owners = owners(&starts);
                let tokens = owners.len();
                let ids = words(&draw.below(tokens, 20));
                let (table, d) = (draw.weights(20 * dim, 9), draw.numbers(texts * dim));
                let inputs = vec![table, ids, words(&owners), d, nan(tokens)];
                cases.push(Case::new(kernels::pool_weights_dots::Sizes { tokens: u(tokens), dim: u(dim) }, inputs));
            }
        }
        "product" => {
            let sizes =
                [(0, 3, 2), (3, 0, 2), (1, 1, 1), (2, 3, 17), (64, 64, 16), (65, 63, 15), (70, 130, 300), (192, 5, 3)];
            for (n, m, d) in sizes {
                for (at, bt, skipped) in [(false, false, 0), (true, false, 1), (false, true, 2), (true, true, 3)] {
                    // Parts that begin after `skipped` rows of a larger buffer.
                    let part = |rows: usize, columns: usize, transposed: bool| {
                        let (rows, columns) = if transposed { (columns, rows) } else { (rows, columns) };
                        let whole = Part::new(rows + skipped, columns).rows_from(skipped);
                        (if transposed { whole.t() } else { whole }, (rows + skipped) * columns)
                    };
                    let ((a, a_len), (b, b_len)) = (part(n, d, at), part(d, m, bt));
                    let mut out = nan(n * m + skipped);
                    // What lies before the output must stay.
                    out[..skipped].fill(5.0);
                    let inputs = vec![draw.weights(a_len, 4), draw.numbers(b_len), out];
                    cases.push(Case::new(kernels::product::Sizes::new(a, b, skipped), inputs));
                    // A part of wider rows; what lies between stays.
                    let sizes = kernels::product::Sizes::new(a, b, skipped).with_out_row(u(m + 3));
                    let mut out = vec![5.0; n * (m + 3) + skipped];
                    for row in 0..n {
                        out[skipped + row * (m + 3)..][..m].fill(f32::NAN);
                    }
                    cases.push(Case::new(sizes, vec![draw.weights(a_len, 4), draw.numbers(b_len), out]));
                }
            }
        }
        "similarity" | "similarity_subgroup" => {
            for (n, m, d) in SIMILARITIES {
                let inputs = vec![draw.weights(n * d, 4), draw.numbers(m * d), nan(n * m)];
                cases.push(if kernel == "similarity" {
                    let column_tiles = u(m).div_ceil(kernels::interfaces::similarity::TILE);
                    Case::new(kernels::similarity::Sizes { n: u(n), m: u(m), d: u(d), column_tiles }, inputs)
                } else {
                    Case::new(kernels::similarity_subgroup::Sizes::new(u(n), u(m), u(d)), inputs)
                });
            }
        }
        "similarity_f16" | "similarity_coop" => {
            for (n, m, d) in SIMILARITIES {
                let (a, b) = (draw.halves(n * d, 4), draw.halves(m * d, 4));
                let inputs = vec![packed(&a, n, d), packed(&b, m, d), nan(n * m)];
                let (n, m, d) = (u(n), u(m), u(d));
                cases.push(if kernel == "similarity_f16" {
                    Case::new(kernels::similarity_f16::Sizes::new(n, m, d), inputs)
                } else {
                    Case::new(kernels::similarity_coop::Sizes::new(n, m, d), inputs)
                });
            }
        }
        "square_sum" => {
            for n in [0usize, 1, 255, 4096, 4097, 10_000] {
                let blocks = n.div_ceil(4096);
                let mut sums = nan(blocks + 2);
                sums[..2].fill(5.0);
                let sizes = kernels::square_sum::Sizes { n: u(n), out_start: 2 };
                cases.push(Case::new(sizes, vec![draw.weights(n, 10), sums]));
            }
        }
        "top_k" => {
            for (queries, rows, dim, k) in [
                (0, 5, 3, 2),
                (1, 0, 3, 4),
                (1, 1, 1, 1),
                (5, 700, 7, 10),
                (128, 128, 8, 128),
                (129, 257, 17, 100),
                (3, 2000, 5, 256),
            ] {
                // Dispatches don't get past the limit: their scratch would not fit. Two lines of tiles, then.
                let list = [draw.numbers(queries * dim), draw.numbers(rows * dim)].map(|x| coarse(&x));
                for (splits, modes, carry) in [(1, 0, 0), (1, 1, 1), (2, 2, 0), (3, 3, 1)] {
                    let [queries_in, base] = list.clone();
                    cases.push(top_k(&mut draw, queries_in, base, dim, k, (splits, modes, carry)));
                }
            }
            // Every row beats all before it, none does, some do, one just beats the k-th; equal rows; rows that give no
            // number.
            let climb: Vec<f32> = (0..1500u16).map(f32::from).collect();
            let fall: Vec<f32> = climb.iter().rev().copied().collect();
            let mut broken = fall.clone();
            (broken[3], broken[700], broken[1400]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
            let mut mixed = climb.clone();
            draw.0.shuffle(&mut mixed);
            let mut late = fall.clone();
            late[900] = 1450.5;
            for base in [climb, fall, mixed, late, vec![0.5; 1500], broken] {
                cases.push(top_k(&mut draw, vec![1.0, -0.5, 0.0], base, 1, 50, (1, 0, 0)));
            }
        }
        "to_f16" => {
            for (rows, columns) in [(0, 3), (3, 0), (1, 1), (5, 33), (128, 32), (129, 64), (200, 75)] {
                let sizes = kernels::to_f16::Sizes::new(u(rows), u(columns));
                let words = usize::try_from(sizes.words()).expect("small");
                cases.push(Case::new(sizes, vec![draw.halves(rows * columns, 1), nan(words)]));
            }
        }
        other => panic!("{other}: no cases; every kernel of the table needs some"),
    }
    cases
}

/// Bundles over random texts, some of them equal, zero or broken.
fn danger(draw: &mut Draw, bundles: usize, texts: usize, dim: usize, slack: f32) -> Case {
    let mut vectors = draw.numbers(texts * dim);
    if texts > 8 {
        vectors.copy_within(0..2 * dim, 2 * dim);
        vectors[5 * dim..6 * dim].fill(0.0);
        vectors[6 * dim] = f32::NAN;
        vectors[7 * dim + 1] = f32::INFINITY;
    }
    let starts = draw.starts(bundles, 5);
    let inputs = vec![
        vectors,
        words(&draw.below(bundles, texts)),
        words(&draw.below(bundles, texts)),
        words(&starts),
        words(&draw.below(starts[bundles] as usize, texts)),
        nan(3 * bundles),
        nan(3 * bundles),
    ];
    Case::new(kernels::danger::Sizes { bundles: u(bundles), dim: u(dim), slack }, inputs)
}

/// A search for `k` rows, in `splits` parts; where `carry` is 1, with results of an earlier one.
fn top_k(
    draw: &mut Draw,
    queries: Vec<f32>,
    base: Vec<f32>,
    dim: usize,
    k: usize,
    (splits, modes, carry): (usize, u32, u32),
) -> Case {
    use kernels::top_k::{MISSING, Sizes, TILE};
    let (n, m) = (queries.len() / dim, base.len() / dim);
    let sizes = Sizes {
        queries: u(n),
        rows: u(m),
        dim: u(dim),
        k: u(k),
        query_tiles: u(n).div_ceil(TILE),
        splits: u(splits),
        split_rows: u(m.div_ceil(splits)).next_multiple_of(TILE),
        first_row: 1000,
        modes,
        carry,
    };
    let (mut scores, mut places) = (nan(splits * n * k), nan(splits * n * k));
    if carry == 1 {
        // Some found nothing yet, some a few rows, some as many as they can.
        for (list, (scores, places)) in scores.chunks_mut(k).zip(places.chunks_mut(k)).enumerate() {
            let found = [0, k / 2, k][list % 3];
            for i in 0..k {
                let (score, place) = if i < found { (1.0 - i as f32 / 64.0, u(2 * i)) } else { (f32::MIN, MISSING) };
                (scores[i], places[i]) = (score, f32::from_bits(place));
            }
        }
    }
    let mut keys = |n: usize| words(&draw.below(2 * n, 3));
    let (query_keys, base_keys) = (keys(n), keys(m));
    let scratch = nan(sizes.scratch_len());
    Case::new(sizes, vec![queries, base, query_keys, base_keys, scratch, scores, places])
}
