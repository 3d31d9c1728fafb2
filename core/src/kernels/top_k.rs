//! The k rows of a base that have the largest dot products with each query.
//!
//! Twin of `shaders/top_k.wgsl`. `backend::top_k` cuts a search of any size into dispatches.

use super::table::{Argument, Uniform, bind, problem, uniform, words};

pub use super::interfaces::top_k::{APART, MISSING, MOST, ROOM, SAME, TILE};

/// The score where nothing was found.
pub const LOWEST: f32 = f32::MIN;

/// The uniform of the WGSL.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Sizes {
    /// Rows of the queries.
    pub queries: u32,
    /// Rows of the base.
    pub rows: u32,
    /// Columns of both.
    pub dim: u32,
    /// Rows to find for each query: 1 to [`MOST`].
    pub k: u32,
    /// Tiles that cover the queries.
    pub query_tiles: u32,
    /// Parts of the base, each with results of its own.
    pub splits: u32,
    /// Rows of a part: a multiple of [`TILE`].
    pub split_rows: u32,
    /// The number of the base's first row.
    pub first_row: u32,
    /// [`SAME`], [`APART`], both or neither.
    pub modes: u32,
    /// 1: the results that are there stay in the running.
    pub carry: u32,
}

pub(super) const UNIFORM: Uniform =
    uniform!(Sizes { queries, rows, dim, k, query_tiles, splits, split_rows, first_row, modes, carry });

problem!(top_k, groups: |s| u64::from(s.query_tiles) * u64::from(s.splits));

impl Sizes {
    /// Numbers of the scratch: a list of [`ROOM`] pairs for each row of each group's tile.
    #[must_use]
    pub fn scratch_len(&self) -> usize {
        self.query_tiles as usize * self.splits as usize * GROUP_SCRATCH
    }
}

/// Numbers of the scratch of one group.
pub const GROUP_SCRATCH: usize = 2 * TILE as usize * ROOM as usize;

/// Best first: larger scores, then lower rows.
pub(crate) fn order(a: &(f32, u32), b: &(f32, u32)) -> std::cmp::Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

/// The WGSL's twin: all products in `f64`, sorted.
///
/// # Panics
/// When the arguments are not those of the WGSL.
pub(super) fn twin(arguments: &mut [Argument<'_>]) {
    bind!("top_k", arguments: Uniform(sizes), Read(queries), Read(base), Read(query_keys), Read(base_keys), ReadWrite(_), ReadWrite(scores), ReadWrite(places));
    let sizes: Sizes = bytemuck::pod_read_unaligned(sizes);
    let (dim, k, rows) = (sizes.dim as usize, sizes.k as usize, sizes.rows as usize);
    let (query_keys, base_keys) = (words(query_keys), words(base_keys));
    let places: &mut [u32] = bytemuck::cast_slice_mut(places);
    let accepted = |query: usize, row: usize| {
        let equal = |which: usize| query_keys[2 * query + which] == base_keys[2 * row + which];
        (sizes.modes & SAME == 0 || equal(0)) && !(sizes.modes & APART != 0 && equal(1))
    };
    let score = |query: usize, row: usize| {
        let (a, b) = (&queries[query * dim..][..dim], &base[row * dim..][..dim]);
        let sum: f64 = a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
        // No negative zero, which would come after the other one.
        sum as f32 + 0.0
    };
    for split in 0..sizes.splits as usize {
        let first = split * sizes.split_rows as usize;
        let part = first.min(rows)..(first + sizes.split_rows as usize).min(rows);
        for query in 0..sizes.queries as usize {
            let at = (split * sizes.queries as usize + query) * k;
            let (scores, places) = (&mut scores[at..][..k], &mut places[at..][..k]);
            let mut found: Vec<(f32, u32)> = Vec::new();
            if sizes.carry == 1 {
                found.extend(scores.iter().copied().zip(places.iter().copied()).filter(|(_, row)| *row != MISSING));
            }
            let rows = part.clone().filter(|row| accepted(query, *row));
            found.extend(rows.map(|row| (score(query, row), sizes.first_row + row as u32)));
            found.retain(|(score, _)| score.is_finite());
            found.sort_by(order);
            found.resize(k, (LOWEST, MISSING));
            for (i, (score, row)) in found.into_iter().enumerate() {
                (scores[i], places[i]) = (score, row);
            }
        }
    }
}
