//! Scores of bundles computed on a device.

use super::score::{Score, score_bundle};
use crate::backend::{Backend, BackendError};
use crate::data::{Bundle, BundleSet};
use crate::embeddings::Embeddings;
use crate::kernels::danger::{SURE, Sizes, slack};
use crate::kernels::simd::widest;
use crate::kernels::u;
use crate::parallel;

/// No vector of this block yet.
const ABSENT: u32 = u32::MAX;

/// [`super::score()`] on `backend`. Bundles for which 32 bits do not tell for sure who is above whom are scored again
/// here, exactly: verdicts, ranks, winners, ties and zero vectors are those of [`super::score()`], and similarities of
/// the others differ from its only by rounding (`kernels::danger::slack`).
///
/// # Errors
/// What the device reported.
///
/// # Panics
/// When there is not one row for each event.
pub async fn score_on<B: Backend>(
    backend: &B,
    set: &BundleSet,
    embeddings: &Embeddings,
) -> Result<Vec<Score>, BackendError> {
    assert_eq!(embeddings.len(), set.events.len(), "one embedding for each event is needed");
    score_some_on(backend, &set.bundles, embeddings).await
}

/// [`score_on`] of some of a set's bundles; their events' vectors have to be there.
pub(super) async fn score_some_on<B: Backend>(
    backend: &B,
    bundles: &[Bundle],
    embeddings: &Embeddings,
) -> Result<Vec<Score>, BackendError> {
    let mut scores = Vec::with_capacity(bundles.len());
    let mut block = Block::new(embeddings.len());
    while scores.len() < bundles.len() {
        let rest = &bundles[scores.len()..];
        block.fill(rest, embeddings, backend.max_len());
        let (similarities, verdicts) = block.run(backend, embeddings.dim).await?;
        scores.extend(parallel::map(block.anchors.len(), |i| {
            let ([positive, largest, _], [winner, rank, sure]) = (similarities[i], verdicts[i]);
            if sure != SURE || !(positive.is_finite() && largest.is_finite()) {
                return widest!(score_bundle(&rest[i], embeddings));
            }
            let (pos_sim, max_neg_sim) = (f64::from(positive), f64::from(largest));
            Score { margin: pos_sim - max_neg_sim, rank, pos_sim, max_neg_sim, winner, zero_vector: false }
        }));
    }
    Ok(scores)
}

/// Bundles whose vectors a kernel can see at once, and these vectors.
struct Block {
    /// By event: its row in `vectors`.
    rows: Vec<u32>,
    /// Events that have one.
    present: Vec<u32>,
    vectors: Vec<f32>,
    anchors: Vec<u32>,
    positives: Vec<u32>,
    starts: Vec<u32>,
    negatives: Vec<u32>,
}

impl Block {
    fn new(events: usize) -> Self {
        Self {
            rows: vec![ABSENT; events],
            present: Vec::new(),
            vectors: Vec::new(),
            anchors: Vec::new(),
            positives: Vec::new(),
            starts: Vec::new(),
            negatives: Vec::new(),
        }
    }

    /// Takes as many of `bundles` as fit, and at least one.
    fn fill(&mut self, bundles: &[Bundle], embeddings: &Embeddings, max_len: usize) {
        self.present.drain(..).for_each(|event| self.rows[event as usize] = ABSENT);
        self.vectors.clear();
        for list in [&mut self.anchors, &mut self.positives, &mut self.negatives, &mut self.starts] {
            list.clear();
        }
        self.starts.push(0);
        for bundle in bundles {
            let numbers = (self.present.len() + 2 + bundle.negatives.len()).saturating_mul(embeddings.dim);
            let lists = (self.negatives.len() + bundle.negatives.len()).max(3 * (self.anchors.len() + 1));
            if !self.anchors.is_empty() && numbers.max(lists) > max_len {
                break;
            }
            let anchor = self.row(bundle.anchor, embeddings);
            self.anchors.push(anchor);
            let positive = self.row(bundle.positive, embeddings);
            self.positives.push(positive);
            for negative in &bundle.negatives {
                let row = self.row(negative.event, embeddings);
                self.negatives.push(row);
            }
            self.starts.push(u(self.negatives.len()));
        }
    }

    fn row(&mut self, event: u32, embeddings: &Embeddings) -> u32 {
        let row = &mut self.rows[event as usize];
        if *row == ABSENT {
            *row = u(self.present.len());
            self.present.push(event);
            self.vectors.extend_from_slice(embeddings.row(event as usize));
        }
        *row
    }

    /// Similarities and verdicts of each bundle, as the kernel leaves them.
    async fn run<B: Backend>(&self, backend: &B, dim: usize) -> Result<(Vec<[f32; 3]>, Vec<[u32; 3]>), BackendError> {
        let bundles = self.anchors.len();
        let vectors = backend.upload(&self.vectors)?;
        let parts = [&self.anchors, &self.positives, &self.starts, &self.negatives].map(Vec::as_slice);
        let parts = backend.upload_parts(&parts)?;
        let [anchors, positives, starts, negatives] = parts.as_slice() else {
            let got = format!("{}", parts.len());
            return Err(BackendError::Interface { operation: "danger", expected: "4 parts".into(), got });
        };
        let (similarities, verdicts) = (backend.zeros(3 * bundles)?, backend.zeros(3 * bundles)?);
        let sizes = Sizes { bundles: u(bundles), dim: u(dim), slack: slack(dim) };
        let bound = [&vectors, anchors, positives, starts, negatives, &similarities, &verdicts];
        backend.run(sizes, &bound)?;
        let similarities = backend.download(&similarities).await?;
        let verdicts = backend.download(&verdicts).await?;
        let verdicts: &[u32] = bytemuck::cast_slice(&verdicts);
        Ok((similarities.as_chunks().0.to_vec(), verdicts.as_chunks().0.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::CpuBackend;
    use crate::eval::score::{score, tests::set_of};
    use crate::rng::Stream;

    /// Bundles with ties, twins of the anchor, and zero and broken vectors.
    fn sample(dim: usize) -> (BundleSet, Embeddings) {
        let mut stream = Stream::new(31, "score_on", dim as u64);
        let count = 60;
        let mut vectors: Vec<f32> = (0..count * dim).map(|_| stream.symmetric(1.0)).collect();
        vectors[3 * dim..4 * dim].fill(0.0);
        vectors[4 * dim] = f32::NAN;
        vectors[5 * dim] = f32::INFINITY;
        let copy = vectors[6 * dim..7 * dim].to_vec();
        vectors[7 * dim..8 * dim].copy_from_slice(&copy);
        let bundles: Vec<(usize, usize, Vec<usize>)> = (0..200)
            .map(|i| {
                let negatives = (0..1 + i % 7).map(|_| stream.below(count)).collect();
                (stream.below(count), stream.below(count), negatives)
            })
            .chain([(8, 6, vec![7]), (8, 9, vec![6, 7, 6]), (10, 11, Vec::new())])
            .collect();
        let bundles: Vec<(usize, usize, &[usize])> = bundles.iter().map(|(a, p, n)| (*a, *p, n.as_slice())).collect();
        (set_of(count, &bundles), Embeddings::normalised(dim, vectors))
    }

    /// Every verdict, rank and winner, and similarities to rounding.
    fn scores_alike<B: Backend>(backend: &B) {
        for dim in [1, 7, 64, 300] {
            let (set, embeddings) = sample(dim);
            let want = score(&set, &embeddings);
            let got = pollster::block_on(score_on(backend, &set, &embeddings)).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(got.len(), want.len());
            for (got, want) in got.iter().zip(&want) {
                let alike = (got.rank, got.winner, got.zero_vector, got.passes(), got.ties());
                assert_eq!(alike, (want.rank, want.winner, want.zero_vector, want.passes(), want.ties()), "{dim}");
                for (got, want) in [(got.pos_sim, want.pos_sim), (got.max_neg_sim, want.max_neg_sim)] {
                    assert!((got - want).abs() <= f64::from(slack(dim)), "{dim}: {got}, expected {want}");
                }
                assert!((got.margin - (got.pos_sim - got.max_neg_sim)).abs() == 0.0, "{got:?}");
            }
            let zero = want.iter().filter(|s| s.zero_vector).count();
            let ties = want.iter().filter(|s| s.ties()).count();
            assert!(zero > 10 && ties > 0 && want.iter().any(Score::passes), "{zero} zero vectors, {ties} ties");
        }
    }

    #[test]
    fn the_twin_scores_alike() {
        scores_alike(&CpuBackend);
    }

    #[cfg(feature = "gpu")]
    #[test]
    fn a_gpu_scores_alike() {
        if let Some(backend) = crate::backend::gpu::tests::backend(|device| device) {
            scores_alike(&backend);
        }
        // In blocks of a few bundles.
        if let Some(backend) = crate::backend::gpu::tests::backend(|device| device.with_max_len(4000)) {
            scores_alike(&backend);
        }
    }

    #[test]
    fn blocks_hold_what_fits_and_leave_nothing_out() {
        let (set, embeddings) = sample(7);
        for max_len in [1, 50, 200, 10_000] {
            let mut block = Block::new(set.events.len());
            let mut first = 0;
            while first < set.bundles.len() {
                block.fill(&set.bundles[first..], &embeddings, max_len);
                let n = block.anchors.len();
                assert!(n == 1 || block.vectors.len().max(3 * n).max(block.negatives.len()) <= max_len, "{max_len}");
                for (i, bundle) in set.bundles[first..first + n].iter().enumerate() {
                    let vector = |row: u32| &block.vectors[row as usize * 7..][..7];
                    let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    let same = |row, event: u32| bits(vector(row)) == bits(embeddings.row(event as usize));
                    assert!(same(block.anchors[i], bundle.anchor) && same(block.positives[i], bundle.positive));
                    let own = block.starts[i] as usize..block.starts[i + 1] as usize;
                    assert_eq!(own.len(), bundle.negatives.len());
                    assert!(block.negatives[own].iter().zip(&bundle.negatives).all(|(row, n)| same(*row, n.event)));
                }
                first += n;
            }
            assert_eq!(first, set.bundles.len());
        }
    }
}
