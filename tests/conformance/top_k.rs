//! Searches of any size against one that sorts everything.

use crucible_core::backend::top_k::{Keys, Search, top_k};
use crucible_core::backend::{Backend, BackendError};
use crucible_core::kernels::top_k::MOST;
use crucible_core::rng::Stream;

/// `(n, m, dim, k)`.
const SHAPES: &[(usize, usize, usize, usize)] = &[
    (0, 5, 3, 2),
    (5, 0, 3, 2),
    (5, 4, 3, 0),
    (1, 1, 1, 1),
    (3, 7, 5, 10),
    (128, 256, 8, 128),
    (131, 1000, 17, 100),
    // Two splits where there is room for them, and the one row that is left.
    (2, 4097, 6, 256),
];

/// # Errors
/// What was wrong first.
pub(crate) async fn suite<B: Backend>(backend: &B) -> Result<(), String> {
    for shape in SHAPES {
        one(backend, *shape).await?;
    }
    equal_rows(backend).await?;
    refusals(backend).await
}

/// More queries than a chunk has and more rows than a shard, for a backend whose kernels see little.
///
/// # Errors
/// What was wrong first.
#[cfg(feature = "gpu")]
pub(crate) async fn in_parts<B: Backend>(backend: &B) -> Result<(), String> {
    let dim = 64;
    let shard = backend.max_len() / dim;
    one(backend, (150, 2 * shard + 77, dim, 30)).await?;
    // Exactly one shard, and one row past it.
    one(backend, (2, shard, dim, 5)).await?;
    one(backend, (2, shard + 1, dim, 5)).await
}

/// One shape with each kind of keys.
async fn one<B: Backend>(backend: &B, (n, m, dim, k): (usize, usize, usize, usize)) -> Result<(), String> {
    let mut stream = Stream::new(17, "conformance top_k", (n * m + dim) as u64);
    // Products of quarters sum up exactly in 32 bits, so the order is the same everywhere; and there are many ties.
    let mut quarters = |count: usize| (0..count).map(|_| (stream.symmetric(4.0)).round() / 4.0).collect::<Vec<f32>>();
    let (queries, base) = (quarters(n * dim), quarters(m * dim));
    let mut draw = |count: usize, bound: usize| (0..count).map(|_| stream.below(bound) as u32).collect::<Vec<u32>>();
    let (lemmas, senses) = ((draw(n, 3), draw(m, 3)), (draw(n, 7), draw(m, 7)));
    // Each query is a row of the base: it must not find itself.
    let own = ((0..n as u32).collect::<Vec<_>>(), (0..m as u32).collect::<Vec<_>>());
    for keys in [
        Keys::default(),
        Keys { same: both(&lemmas), apart: None },
        Keys { same: None, apart: both(&own) },
        Keys { same: both(&lemmas), apart: both(&senses) },
    ] {
        let search = Search { queries: &queries, base: &base, dim, k, keys };
        let found = top_k(backend, search).await.map_err(|e| e.to_string())?;
        for query in 0..n {
            let got: Vec<(u32, f32)> = found.of(query).collect();
            let want = reference(&search, query);
            if let Some(i) = (0..got.len().max(want.len())).find(|i| got.get(*i) != want.get(*i)) {
                let place = format!("{n} queries, {m} rows of {dim}, k {k}: query {query}, place {i}");
                return Err(format!("{place}: got {:?}, expected {:?}", got.get(i), want.get(i)));
            }
        }
    }
    Ok(())
}

fn both((queries, base): &(Vec<u32>, Vec<u32>)) -> Option<(&[u32], &[u32])> {
    Some((queries, base))
}

/// All products, sorted.
fn reference(search: &Search<'_>, query: usize) -> Vec<(u32, f32)> {
    let Search { queries, base, dim, k, keys } = *search;
    let q = &queries[query * dim..][..dim];
    let score = |row: &[f32]| q.iter().zip(row).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() as f32 + 0.0;
    let accepted = |row: usize| {
        keys.same.is_none_or(|(a, b)| a[query] == b[row]) && keys.apart.is_none_or(|(a, b)| a[query] != b[row])
    };
    let rows = base.chunks(dim).enumerate().filter(|(row, _)| accepted(*row));
    let mut all: Vec<(u32, f32)> = rows.map(|(row, values)| (row as u32, score(values))).collect();
    // Stable: of equals the lower row stays first.
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.truncate(k);
    all
}

/// Of equals the lowest rows, however the base is cut.
async fn equal_rows<B: Backend>(backend: &B) -> Result<(), String> {
    let (n, m, dim, k) = (2, 5000, 3, 40);
    let search = Search { queries: &[0.5; 6], base: &vec![0.25; m * dim], dim, k, keys: Keys::default() };
    let found = top_k(backend, search).await.map_err(|e| e.to_string())?;
    for query in 0..n {
        let rows: Vec<u32> = found.of(query).map(|(row, _)| row).collect();
        if rows != (0..k as u32).collect::<Vec<_>>() {
            return Err(format!("query {query}: of equal rows {rows:?}"));
        }
    }
    Ok(())
}

/// What does not fit is refused before anything runs.
async fn refusals<B: Backend>(backend: &B) -> Result<(), String> {
    let all = Keys::default();
    let keys = Keys { same: Some((&[1], &[1, 2])), apart: None };
    let good = Search { queries: &[0.0; 6], base: &[0.0; 9], dim: 3, k: 2, keys: all };
    for bad in [
        Search { queries: &[0.0; 7], ..good },
        Search { base: &[0.0; 8], ..good },
        Search { dim: 0, ..good },
        Search { keys, ..good },
    ] {
        let result = top_k(backend, bad).await;
        if !matches!(result, Err(BackendError::Length { .. })) {
            return Err(format!("{bad:?} gave {result:?}"));
        }
    }
    let result = top_k(backend, Search { k: MOST as usize + 1, ..good }).await;
    match result {
        Err(BackendError::TooLarge { .. }) => Ok(()),
        other => Err(format!("a k that is too large gave {other:?}")),
    }
}
