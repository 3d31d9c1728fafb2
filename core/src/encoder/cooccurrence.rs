//! Token directions from the company that tokens keep, before any training.
//!
//! Tokens that occur near the same others get similar directions, so what is learned of a frequent token also serves a
//! rare one beside it. The directions span the strongest part of the matrix of positive pointwise mutual information,
//! `max(0, ln(n(t, c) · N / (n(t) · n(c))))` (Levy, Goldberg, Dagan 2015, "Improving Distributional Similarity with
//! Lessons Learned from Word Embeddings", §2.1), without singular values (there: `p = 0`, §3.3). The span is found by
//! subspace iteration. The matrix is never held: each pass counts its rows anew from the texts.

use super::Corpus;
use crate::kernels::matmul::{View, matmul};
use crate::kernels::simd::{axpy, widest};
use crate::parallel;
use crate::rng::Stream;

/// Tokens on each side that count as company.
const WINDOW: usize = 32;
/// At most so many of the texts are counted, evenly chosen: a bound on time, not on quality.
const MAX_TEXTS: usize = 100_000;
/// Multiplications by the matrix.
const PASSES: usize = 4;
/// Rows that are counted by one task.
const ROWS: usize = 64;
/// A column that adds less than this share of its length to those before it is dropped.
const LEAST: f64 = 1e-5;

/// The texts' tokens, and where each token stands.
struct Company<'a> {
    texts: Vec<&'a [u32]>,
    /// `places[starts[t]..starts[t + 1]]`: text and position of each occurrence of token `t`.
    starts: Vec<usize>,
    places: Vec<(u32, u32)>,
    /// `[vocab]`: n(t), all pairs that token `t` is in.
    pairs: Vec<f64>,
}

/// One row's counts, reused from row to row.
struct Counts {
    of: Vec<u32>,
    seen: Vec<u32>,
}

impl<'a> Company<'a> {
    fn new(corpus: &'a Corpus, vocab: usize) -> Self {
        let all = corpus.distinct();
        let step = all.len().div_ceil(MAX_TEXTS).max(1);
        let texts: Vec<&[u32]> = all.into_iter().step_by(step).collect();
        let mut starts = vec![0usize; vocab + 1];
        texts.iter().copied().flatten().for_each(|t| starts[*t as usize + 1] += 1);
        for t in 0..vocab {
            starts[t + 1] += starts[t];
        }
        let mut next = starts.clone();
        let mut places = vec![(0, 0); starts[vocab]];
        for (text, ids) in texts.iter().enumerate() {
            for (at, t) in ids.iter().enumerate() {
                places[next[*t as usize]] = (text as u32, at as u32);
                next[*t as usize] += 1;
            }
        }
        let mut company = Self { texts, starts, places, pairs: Vec::new() };
        let of_block = |block: usize| {
            let mut counts = Counts { of: vec![0; vocab], seen: Vec::new() };
            let rows = block * ROWS..((block + 1) * ROWS).min(vocab);
            rows.map(|t| company.row(t, &mut counts).map(|(_, n)| f64::from(n)).sum()).collect::<Vec<f64>>()
        };
        company.pairs = parallel::map(vocab.div_ceil(ROWS), of_block).concat();
        company
    }

    /// Counts the company of token `t`: each other token `c` with `n(t, c)`, in order of first meeting.
    fn row<'c>(&self, t: usize, counts: &'c mut Counts) -> impl Iterator<Item = (usize, u32)> + 'c {
        for c in counts.seen.drain(..) {
            counts.of[c as usize] = 0;
        }
        for (text, at) in &self.places[self.starts[t]..self.starts[t + 1]] {
            let ids = self.texts[*text as usize];
            let at = *at as usize;
            for c in &ids[at.saturating_sub(WINDOW)..(at + WINDOW + 1).min(ids.len())] {
                if *c as usize != t {
                    let n = &mut counts.of[*c as usize];
                    if *n == 0 {
                        counts.seen.push(*c);
                    }
                    *n = n.saturating_add(1);
                }
            }
        }
        let Counts { of, seen } = counts;
        seen.iter().map(|c| (*c as usize, of[*c as usize]))
    }

    /// `out = M · basis`, both `[vocab, dim]`.
    fn multiply(&self, basis: &[f32], dim: usize, out: &mut [f32]) {
        let vocab = self.pairs.len();
        let all: f64 = self.pairs.iter().sum();
        parallel::for_blocks(out, ROWS * dim, |block, out| {
            let mut counts = Counts { of: vec![0; vocab], seen: Vec::new() };
            for (i, out) in out.chunks_exact_mut(dim).enumerate() {
                let t = block * ROWS + i;
                let expected = self.pairs[t] / all;
                out.fill(0.0);
                for (c, n) in self.row(t, &mut counts) {
                    let information = (f64::from(n) / (expected * self.pairs[c])).ln();
                    if information > 0.0 {
                        widest!(axpy(out, information as f32, &basis[c * dim..][..dim]));
                    }
                }
            }
        });
    }
}

/// `[vocab, dim]`: a direction of length 1 for each token; zeros for a token without company.
pub(super) fn directions(corpus: &Corpus, vocab: usize, dim: usize, seed: u64) -> Vec<f32> {
    let company = Company::new(corpus, vocab);
    let mut basis = vec![0f32; vocab * dim];
    parallel::for_blocks(&mut basis, dim, |t, row| {
        let mut stream = Stream::new(seed, "token company", t as u64);
        row.iter_mut().for_each(|x| *x = stream.symmetric(1.0));
    });
    let mut next = vec![0f32; vocab * dim];
    for _ in 0..PASSES {
        company.multiply(&basis, dim, &mut next);
        orthonormal(&next, dim, &mut basis);
    }
    parallel::for_blocks(&mut basis, dim, |_, row| {
        crate::embeddings::normalise(row);
    });
    basis
}

/// Columns of `out` span those of `columns` and are orthonormal (Cholesky QR); those that add nothing are zero.
fn orthonormal(columns: &[f32], dim: usize, out: &mut [f32]) {
    let rows = columns.len() / dim;
    let view = View::new(columns, rows, dim);
    let mut gram = vec![0f32; dim * dim];
    matmul(&mut gram, view.t(), view);
    let inverse = inverse_cholesky(&gram, dim);
    matmul(out, view, View::new(&inverse, dim, dim));
}

/// `R⁻¹` of `gram = Rᵀ·R`, upper triangular; zero columns where `gram` is singular.
fn inverse_cholesky(gram: &[f32], n: usize) -> Vec<f32> {
    // Row j of `lower` is column j of R.
    let mut lower = vec![0f64; n * n];
    for j in 0..n {
        for i in 0..=j {
            let (a, b) = (&lower[i * n..i * n + i], &lower[j * n..j * n + i]);
            let left = f64::from(gram[j * n + i]) - a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            lower[j * n + i] = if i < j {
                let pivot = lower[i * n + i];
                if pivot > 0.0 { left / pivot } else { 0.0 }
            } else if left > LEAST * f64::from(gram[j * n + j]) {
                left.sqrt()
            } else {
                0.0
            };
        }
    }
    // Row j of `inverse` is column j of R⁻¹, by forward substitution with the rows before it.
    let mut inverse = vec![0f64; n * n];
    for j in 0..n {
        let pivot = lower[j * n + j];
        if pivot <= 0.0 {
            continue;
        }
        let (before, row) = inverse.split_at_mut(j * n);
        for k in 0..j {
            let factor = -lower[j * n + k] / pivot;
            row.iter_mut().zip(&before[k * n..=k * n + k]).for_each(|(x, y)| *x += factor * y);
        }
        row[j] = 1.0 / pivot;
    }
    let mut out = vec![0f32; n * n];
    for j in 0..n {
        for i in 0..=j {
            out[i * n + j] = inverse[j * n + i] as f32;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TokenizerKind;
    use crate::data::Event;
    use crate::encoder::Tokenizer;

    /// Texts of letters; a token is a letter.
    fn corpus(texts: &[String]) -> (Corpus, Tokenizer) {
        let event = |(i, text): (usize, &String)| Event {
            event_id: i.to_string(),
            sense: "s".to_owned(),
            lemma: "l".to_owned(),
            text: text.clone(),
            span: None,
            embedding: None,
            extra: Default::default(),
        };
        let events: Vec<Event> = texts.iter().enumerate().map(event).collect();
        let alphabet = "a b c d e f g h i j k l m n o p";
        let tokenizer = Tokenizer::train(TokenizerKind::Wordpiece, 100, &[alphabet]).expect("trains");
        (Corpus::build(&tokenizer, &events, 0, 512).expect("builds"), tokenizer)
    }

    fn random_texts(letters: &[u8], n: usize, seed: u64) -> Vec<String> {
        let mut stream = Stream::new(seed, "texts", 0);
        let mut text = |_| {
            let words = (0..1 + stream.below(80)).map(|_| char::from(letters[stream.below(letters.len())]).to_string());
            words.collect::<Vec<_>>().join(" ")
        };
        (0..n).map(&mut text).collect()
    }

    /// The whole matrix, by its definition, in `f64`.
    fn matrix(corpus: &Corpus, vocab: usize) -> Vec<Vec<f64>> {
        let mut n = vec![vec![0f64; vocab]; vocab];
        for ids in corpus.distinct() {
            for (i, t) in ids.iter().enumerate() {
                for (j, c) in ids.iter().enumerate() {
                    if i.abs_diff(j) <= WINDOW && t != c {
                        n[*t as usize][*c as usize] += 1.0;
                    }
                }
            }
        }
        let sums: Vec<f64> = n.iter().map(|row| row.iter().sum()).collect();
        let all: f64 = sums.iter().sum();
        let cell = |t: usize, c: usize| match n[t][c] {
            0.0 => 0.0,
            n => (n * all / (sums[t] * sums[c])).ln().max(0.0),
        };
        (0..vocab).map(|t| (0..vocab).map(|c| cell(t, c)).collect()).collect()
    }

    #[test]
    fn the_product_is_that_of_the_matrix() {
        for (seed, n) in [(1, 1), (2, 7), (3, 90)] {
            let (corpus, tokenizer) = corpus(&random_texts(b"abcdefghijklmnop", n, seed));
            let (vocab, dim) = (tokenizer.vocab_size(), 5);
            let company = Company::new(&corpus, vocab);
            let mut stream = Stream::new(seed, "basis", 0);
            let basis: Vec<f32> = (0..vocab * dim).map(|_| stream.symmetric(1.0)).collect();
            let mut got = vec![7.0; vocab * dim];
            company.multiply(&basis, dim, &mut got);
            let matrix = matrix(&corpus, vocab);
            assert!(n == 1 || matrix.iter().flatten().any(|x| *x > 0.1), "nothing to see");
            for t in 0..vocab {
                for k in 0..dim {
                    let want: f64 = (0..vocab).map(|c| matrix[t][c] * f64::from(basis[c * dim + k])).sum();
                    let got = f64::from(got[t * dim + k]);
                    assert!((got - want).abs() < 1e-5 * (1.0 + want.abs()), "token {t}: {got}, not {want}");
                }
            }
        }
    }

    #[test]
    fn columns_become_orthonormal_or_zero() {
        let (rows, dim) = (70, 9);
        let mut stream = Stream::new(5, "columns", 0);
        let mut columns: Vec<f32> = (0..rows * dim).map(|_| stream.symmetric(1.0)).collect();
        for row in columns.chunks_mut(dim) {
            row[3] = 2.0 * row[0] - row[1];
            row[6] = 0.0;
        }
        let mut out = vec![0.0; rows * dim];
        orthonormal(&columns, dim, &mut out);
        for i in 0..dim {
            for j in 0..dim {
                let dot: f64 = out.chunks(dim).map(|row| f64::from(row[i]) * f64::from(row[j])).sum();
                let want = f64::from(u8::from(i == j && i != 3 && i != 6));
                assert!((dot - want).abs() < 1e-4, "columns {i} and {j}: {dot}");
            }
        }
    }

    #[test]
    fn tokens_of_one_company_are_alike() {
        let mut texts = random_texts(b"abcdefgh", 60, 1);
        texts.extend(random_texts(b"ijklmnop", 60, 2));
        let (corpus, tokenizer) = corpus(&texts);
        let dim = 2;
        let directions = directions(&corpus, tokenizer.vocab_size(), dim, 42);
        let of = |letter: char| {
            let id = tokenizer.encode(&letter.to_string()).expect("splits").ids[0] as usize;
            &directions[id * dim..][..dim]
        };
        let mean = |one: &str, other: &str| {
            let all = one.chars().flat_map(|a| other.chars().map(move |b| (a, b))).filter(|(a, b)| a != b);
            let dots: Vec<f32> = all.map(|(a, b)| of(a).iter().zip(of(b)).map(|(x, y)| x * y).sum()).collect();
            dots.iter().sum::<f32>() / dots.len() as f32
        };
        let (within, across) = (mean("abcdefgh", "abcdefgh"), mean("abcdefgh", "ijklmnop"));
        assert!(within > across + 0.5, "within {within}, across {across}");
        let other = mean("ijklmnop", "ijklmnop");
        assert!(other > across + 0.5, "within {other}, across {across}");
    }

    #[test]
    fn without_company_there_is_no_direction() {
        for texts in [vec![], vec!["a".to_owned()], vec!["a a a".to_owned(), "b".to_owned()]] {
            let (corpus, tokenizer) = corpus(&texts);
            let vocab = tokenizer.vocab_size();
            for dim in [1, 3, 300] {
                assert_eq!(directions(&corpus, vocab, dim, 42), vec![0.0; vocab * dim], "{texts:?}");
            }
        }
        // More columns than tokens: the rest are zeros, and nothing is NaN.
        let (corpus, tokenizer) = corpus(&random_texts(b"abcd", 20, 3));
        assert!(directions(&corpus, tokenizer.vocab_size(), 300, 42).iter().all(|x| x.is_finite()));
    }
}
