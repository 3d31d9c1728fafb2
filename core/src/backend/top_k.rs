//! The nearest rows of a base by dot product, on any backend and of any size, without storing the products.
//!
//! The base goes to the device in shards, one after another; the queries in chunks that stay there with what they have
//! found so far. A shard holds what a kernel can see, and no more than a slow GPU works through in about a second: drivers
//! take a device away from a kernel that runs too long. Where there are few queries, the base is split among workgroups,
//! and the results of the splits are merged here.

use super::{Backend, BackendError, check_len};
use crate::kernels::top_k::{APART, GROUP_SCRATCH, MISSING, MOST, SAME, Sizes, TILE, order};
use crate::kernels::u;

const OPERATION: &str = "top_k";
/// Workgroups of a dispatch, at most: enough for a large GPU; their scratch takes 256 MiB.
const GROUPS: usize = 512;
/// Tiles of the base that a split has at least: fewer would be work for the lists alone.
const SPLIT_TILES: usize = 16;
/// Multiplications of a dispatch, at most.
const WORK: u64 = 1 << 39;

/// Which rows a query may find, by keys of queries and of rows. Without any: all rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys<'a> {
    /// Only rows whose key is the query's: `[n]` of the queries, `[m]` of the base.
    pub same: Option<(&'a [u32], &'a [u32])>,
    /// Only rows whose key is not the query's: its own number, so that it does not find itself, or its sense.
    pub apart: Option<(&'a [u32], &'a [u32])>,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    k: usize,
    /// `[n, k]`, best first; `MISSING` past the last.
    rows: Vec<u32>,
    /// `[n, k]`.
    scores: Vec<f32>,
}

impl Found {
    /// Rows and their scores of query `query`, best first; fewer than k where no more may be found.
    pub fn of(&self, query: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        let places = query * self.k..(query + 1) * self.k;
        let found = self.rows[places.clone()].iter().copied().zip(self.scores[places].iter().copied());
        found.take_while(|(row, _)| *row != MISSING)
    }
}

/// A search: `queries: [n, dim]`, `base: [m, dim]`, the cosine where rows are of unit length.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// `[n, dim]`, row-major.
    pub queries: &'a [f32],
    /// `[m, dim]`, row-major.
    pub base: &'a [f32],
    /// Columns of both; not 0.
    pub dim: usize,
    /// Rows to find for each query; at most [`MOST`](crate::kernels::top_k::MOST).
    pub k: usize,
    /// Which rows may be found.
    pub keys: Keys<'a>,
}

/// The `k` rows of the base with the largest dot products with each query, largest first; of equals the lower row. The
/// result is the same however it is cut. A product that is not finite is never found.
///
/// # Errors
/// Arrays that are not rows of `dim` or not one key for each row, a `k` or `dim` beyond the kernel, and what the device
/// reported.
pub async fn top_k<B: Backend>(backend: &B, search: Search<'_>) -> Result<Found, BackendError> {
    let Search { queries, base, dim, k, keys } = search;
    let (n, m) = (queries.len() / dim.max(1), base.len() / dim.max(1));
    check_len(OPERATION, "queries", &[n, dim], queries.len())?;
    check_len(OPERATION, "base", &[m, dim], base.len())?;
    for (of_queries, of_base) in keys.same.iter().chain(&keys.apart) {
        check_len(OPERATION, "keys of queries", &[n], of_queries.len())?;
        check_len(OPERATION, "keys of the base", &[m], of_base.len())?;
    }
    at_most("neighbours", k, MOST as usize)?;
    at_most("rows", m, MISSING as usize - 1)?;
    let mut found = Found { k, rows: Vec::with_capacity(n * k), scores: Vec::with_capacity(n * k) };
    if n == 0 || m == 0 || k == 0 {
        found.rows.resize(n * k, MISSING);
        found.scores.resize(n * k, f32::MIN);
        return Ok(found);
    }
    let plan = Plan::new(backend.max_len(), n, m, dim, k)?;
    let mut chunks = Vec::new();
    for first in (0..n).step_by(plan.queries) {
        chunks.push(Chunk::upload(backend, &search, &plan, first..(first + plan.queries).min(n))?);
    }
    let scratch = backend.zeros(plan.tiles(plan.queries.min(n)) * plan.splits * GROUP_SCRATCH)?;
    for first in (0..m).step_by(plan.rows) {
        let rows = plan.rows.min(m - first);
        let shard = backend.upload(&base[first * dim..][..rows * dim])?;
        let shard_keys = upload_keys(backend, [keys.same, keys.apart].map(|k| k.map(|k| &k.1[first..][..rows])))?;
        for chunk in &chunks {
            let sizes = plan.sizes(&search, chunk.n, first, rows);
            let Chunk { queries, keys, scores, places, .. } = chunk;
            backend.run(sizes, &[queries, &shard, keys, &shard_keys, &scratch, scores, places])?;
        }
        if first + rows < m {
            // Done before the next shard goes up: the device need not have room for all.
            backend.download(&chunks[0].marker).await?;
        }
    }
    for chunk in &chunks {
        let scores = backend.download(&chunk.scores).await?;
        let places = backend.download(&chunk.places).await?;
        merge(&mut found, chunk.n, plan.splits, &scores, bytemuck::cast_slice(&places));
    }
    Ok(found)
}

fn at_most(unit: &'static str, got: usize, limit: usize) -> Result<(), BackendError> {
    let (got, limit) = (got as u64, limit as u64);
    if got > limit { Err(BackendError::TooLarge { operation: OPERATION, unit, got, limit }) } else { Ok(()) }
}

/// How a search is cut.
struct Plan {
    /// Queries of a chunk.
    queries: usize,
    /// Rows of a shard: whole tiles where it is more than one.
    rows: usize,
    /// Parts of each shard.
    splits: usize,
}

impl Plan {
    fn new(max_len: usize, n: usize, m: usize, dim: usize, k: usize) -> Result<Self, BackendError> {
        let tile = TILE as usize;
        at_most("numbers", GROUP_SCRATCH.max(dim), max_len)?;
        let groups = (max_len / GROUP_SCRATCH).min(GROUPS);
        let whole_tiles = |rows: usize| if rows > tile { rows - rows % tile } else { rows.max(1) };
        let queries = whole_tiles((groups * tile).min(max_len / dim).min(max_len / k));
        let chunk = queries.min(n);
        // Keys are pairs.
        let in_time = usize::try_from(WORK / (chunk * dim) as u64).unwrap_or(usize::MAX);
        let rows = whole_tiles((max_len / dim).min(max_len / 2).min(in_time));
        let most = (groups / chunk.div_ceil(tile)).min(max_len / (chunk * k));
        let splits = most.min(rows.min(m).div_ceil(tile) / SPLIT_TILES).max(1);
        Ok(Self { queries, rows, splits })
    }

    fn tiles(&self, queries: usize) -> usize {
        queries.div_ceil(TILE as usize)
    }

    fn sizes(&self, search: &Search<'_>, queries: usize, first: usize, rows: usize) -> Sizes {
        let split_rows = rows.div_ceil(self.splits).next_multiple_of(TILE as usize);
        let mode = |on: bool, mode: u32| if on { mode } else { 0 };
        Sizes {
            queries: u(queries),
            rows: u(rows),
            dim: u(search.dim),
            k: u(search.k),
            query_tiles: u(self.tiles(queries)),
            splits: u(self.splits),
            split_rows: u(split_rows),
            first_row: u(first),
            modes: mode(search.keys.same.is_some(), SAME) | mode(search.keys.apart.is_some(), APART),
            carry: u32::from(first > 0),
        }
    }
}

/// Some queries, and what they have found so far, on the device.
struct Chunk<B: Backend> {
    n: usize,
    queries: B::Buffer,
    keys: B::Buffer,
    /// `[splits, n, k]`.
    scores: B::Buffer,
    places: B::Buffer,
    /// One number, to wait for.
    marker: B::Buffer,
}

impl<B: Backend> Chunk<B> {
    fn upload(
        backend: &B,
        search: &Search<'_>,
        plan: &Plan,
        range: std::ops::Range<usize>,
    ) -> Result<Self, BackendError> {
        let Search { queries, dim, k, keys, .. } = *search;
        let n = range.len();
        let results = plan.splits * n * k;
        Ok(Self {
            n,
            queries: backend.upload(&queries[range.start * dim..range.end * dim])?,
            keys: upload_keys(backend, [keys.same, keys.apart].map(|k| k.map(|k| &k.0[range.clone()])))?,
            scores: backend.zeros(results)?,
            places: backend.zeros(results)?,
            marker: backend.zeros(1)?,
        })
    }
}

/// Pairs of keys; without any, a pair that nothing looks at.
fn upload_keys<B: Backend>(backend: &B, keys: [Option<&[u32]>; 2]) -> Result<B::Buffer, BackendError> {
    let count = keys.iter().flatten().map(|keys| keys.len()).max().unwrap_or(1);
    let key = |which: usize, at: usize| keys[which].map_or(0, |keys| keys[at]);
    let pairs: Vec<u32> = (0..count).flat_map(|at| [key(0, at), key(1, at)]).collect();
    backend.upload_indices(&pairs)
}

/// Adds the best of each query's splits to `found`.
fn merge(found: &mut Found, n: usize, splits: usize, scores: &[f32], places: &[u32]) {
    let k = found.k;
    let mut best: Vec<(f32, u32)> = Vec::with_capacity(splits * k);
    for query in 0..n {
        best.clear();
        for split in 0..splits {
            let at = (split * n + query) * k;
            let pairs = scores[at..][..k].iter().copied().zip(places[at..][..k].iter().copied());
            best.extend(pairs.take_while(|(_, row)| *row != MISSING));
        }
        // One split comes sorted.
        if splits > 1 {
            best.sort_unstable_by(order);
        }
        best.resize(k, (f32::MIN, MISSING));
        found.scores.extend(best.iter().map(|(score, _)| score));
        found.rows.extend(best.iter().map(|(_, row)| row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_stay_within_what_a_kernel_can_see() {
        for max_len in [GROUP_SCRATCH, 10 * GROUP_SCRATCH + 7, 1 << 25, 1 << 31, usize::MAX] {
            for (n, m) in [(1, 1), (1, 1 << 20), (129, 5000), (100_000, 1 << 20), (1 << 20, 70)] {
                for (dim, k) in [(1, 1), (64, 100), (1024, 256)] {
                    let plan = Plan::new(max_len, n, m, dim, k).expect("fits");
                    let case = format!("{n} queries, {m} rows of {dim} within {max_len}");
                    let (chunk, rows) = (plan.queries.min(n), plan.rows.min(m));
                    let groups = plan.tiles(chunk) * plan.splits;
                    for len in [groups * GROUP_SCRATCH, chunk * dim, rows * dim, 2 * rows, plan.splits * chunk * k] {
                        assert!(len <= max_len, "{case}: {len}");
                    }
                    assert!(groups <= GROUPS && plan.queries > 0 && plan.rows > 0, "{case}");
                    // A slow GPU gets to the end of it.
                    assert!((chunk * dim * rows) as u64 <= 2 * WORK, "{case}");
                }
            }
        }
        assert!(Plan::new(GROUP_SCRATCH - 1, 1, 1, 1, 1).is_err());
    }

    #[test]
    fn few_queries_are_spread_over_many_workgroups() {
        let plan = Plan::new(1 << 25, 64, 1 << 20, 384, 100).expect("fits");
        assert!(plan.splits >= 40, "{} splits", plan.splits);
        assert_eq!(Plan::new(1 << 25, 64, 500, 384, 100).expect("fits").splits, 1);
    }
}
