//! Against sorting, over sizes that cross every block, with ties, filters and rows of any length.

use super::*;
use crate::embeddings::{Embeddings, UnitRows};
use crate::rng::Stream;

/// Rows as they are, in memory or not.
struct Rows {
    dim: usize,
    values: Vec<f32>,
    mapped: bool,
}

impl UnitRows for Rows {
    fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn row_to(&self, index: usize, out: &mut [f32]) {
        out.copy_from_slice(&self.values[index * self.dim..][..self.dim]);
    }

    fn whole(&self) -> Option<&[f32]> {
        (!self.mapped).then_some(&self.values)
    }
}

/// Coarse numbers: many equal directions, some zero rows.
fn rows(n: usize, dim: usize, stream: &mut Stream) -> Vec<f32> {
    (0..n * dim).map(|_| stream.below(3) as f32 - 1.0).collect()
}

/// Every pair is compared, then sorted.
fn sorted(
    space: &Dense<'_>,
    query: u32,
    members: &[u32],
    k: usize,
    keys: Option<&[u32]>,
    accept: Accept<'_>,
) -> Vec<Neighbour> {
    let fits = members.iter().copied().filter(|m| accept(query, *m));
    let mut all: Vec<Neighbour> =
        fits.map(|item| Neighbour { item, similarity: space.similarity(query, item) }).collect();
    all.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.item.cmp(&b.item)));
    let mut seen = Vec::new();
    all.retain(|n| {
        let new = keys.is_none_or(|keys| !seen.contains(&keys[n.item as usize]));
        seen.extend(keys.map(|keys| keys[n.item as usize]));
        new
    });
    all.truncate(k);
    all
}

fn compare(dim: usize, values: Vec<f32>, k: usize, stream: &mut Stream) {
    let rows = Rows { dim, values, mapped: stream.below(2) == 0 };
    let space = Dense::new(&rows);
    let n = space.len();
    let group: Vec<u32> = (0..n).map(|_| stream.below(7) as u32).collect();
    let keys: Vec<u32> = (0..n).map(|_| stream.below(n / 3) as u32).collect();
    let accept = |a: u32, b: u32| a != b && group[a as usize] != group[b as usize];
    let all: Vec<u32> = (0..n as u32).collect();
    let some: Vec<u32> = all.iter().copied().filter(|_| stream.below(3) > 0).collect();
    let few: Vec<u32> = stream.sample(n, 60).into_iter().map(|i| i as u32).collect();
    // Many queries that are members are looked at in pairs: all members, most of them, or members and others.
    let mut shuffled = some.clone();
    stream.shuffle(&mut shuffled);
    for (queries, members) in [(&few, &all), (&few, &some), (&all, &all), (&shuffled, &all), (&all, &some)] {
        let looked_at = stream.sample(queries.len(), 60);
        for keys in [None, Some(&keys[..])] {
            let found = space.nearest(queries, members, k, keys, &accept);
            assert_eq!(found.len(), queries.len());
            for &at in &looked_at {
                let want = sorted(&space, queries[at], members, k, keys, &accept);
                let (of, with) = (queries.len(), members.len());
                assert_eq!(found[at], want, "{} of {of} with {with}, k {k}, dim {dim}, {keys:?}", queries[at]);
            }
        }
    }
}

#[test]
fn neighbours_are_those_of_sorting() {
    let mut stream = Stream::new(1, "neighbours", 0);
    for (n, dim, k) in [(6, 1, 3), (97, 3, 200), (700, 4, 1), (1600, 5, 21), (1100, 33, 40)] {
        let rows = rows(n, dim, &mut stream);
        compare(dim, rows.clone(), k, &mut stream);
        compare(dim, Embeddings::normalised(dim, rows.clone()).vectors, k, &mut stream);
        // Of other lengths: the directions stay.
        let scaled: Vec<f32> =
            rows.chunks(dim).zip(0..).flat_map(|(r, i)| r.iter().map(move |x| x * i as f32)).collect();
        compare(dim, scaled, k, &mut stream);
        // Hardly any ties, and unit rows.
        let fine = (0..n * dim).map(|_| stream.symmetric(1.0)).collect();
        compare(dim, Embeddings::normalised(dim, fine).vectors, k, &mut stream);
    }
}

#[test]
fn a_thousand_equal_rows_are_found_in_order() {
    let rows = Embeddings::normalised(2, [0.6f32, 0.8].repeat(3000));
    let space = Dense::new(&rows);
    let all: Vec<u32> = (0..3000).collect();
    for queries in [&all[..50], &all] {
        let found = space.nearest(queries, &all, 7, None, &|a, b| a != b);
        for (query, found) in (0..).zip(found) {
            let items: Vec<u32> = found.iter().map(|n| n.item).collect();
            assert_eq!(items, (0..).filter(|i| *i != query).take(7).collect::<Vec<u32>>());
        }
    }
}

#[test]
fn rows_without_a_direction_are_at_0_from_all() {
    let values = vec![1.0, 0.0, 0.0, 0.0, f32::NAN, 1.0, 1e-42, 0.0, f32::INFINITY, 1.0, 3e38, 3e38];
    let rows = Rows { dim: 2, values, mapped: false };
    let space = Dense::new(&rows);
    let zero: Vec<bool> = (0..6).map(|i| space.is_zero(i)).collect();
    assert_eq!(zero, [false, true, true, true, true, false]);
    let all: Vec<u32> = (0..6).collect();
    let queries = [all.clone(), all.clone()].concat();
    let found = space.nearest(&queries, &all, 6, None, &|_, _| true);
    assert_eq!(found[0][0], Neighbour { item: 0, similarity: 1.0 });
    assert!((found[0][1].similarity - 0.5f64.sqrt()).abs() < 1e-7 && found[0][1].item == 5, "{found:?}");
    assert!(found[0][2..].iter().all(|n| n.similarity == 0.0), "{found:?}");
    assert_eq!(found[1], all.iter().map(|&item| Neighbour { item, similarity: 0.0 }).collect::<Vec<_>>());
}

#[cfg(feature = "parallel")]
#[test]
fn threads_and_blocks_change_nothing() {
    let mut stream = Stream::new(2, "neighbours", 0);
    let rows = Embeddings::normalised(24, (0..2000 * 24).map(|_| stream.symmetric(1.0)).collect());
    let space = Dense::new(&rows);
    let all: Vec<u32> = (0..2000).collect();
    let search = |queries: &[u32]| space.nearest(queries, &all, 30, None, &|a, b| a != b);
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("starts");
    let one = pool(1).install(|| search(&all));
    assert!(one == pool(3).install(|| search(&all)), "threads");
    assert!(one == all.chunks(37).flat_map(search).collect::<Vec<_>>(), "blocks");
}

/// Finds by rounded scores, and not more than it likes.
struct Rounded<'a> {
    space: &'a Dense<'a>,
    most: usize,
    fails: bool,
}

impl Screen for Rounded<'_> {
    fn most(&self) -> usize {
        self.most
    }

    fn nearest(&self, queries: &[u32], group: &[u32], k: usize) -> Option<Vec<Vec<(u32, f32)>>> {
        let list = |&query: &u32| {
            let others = (0..self.space.len() as u32).filter(|row| group[*row as usize] != group[query as usize]);
            // Off by less than a device's sums may be.
            let off = |row: u32| (row * 7919 % 13) as f32 * 1e-8;
            let mut all: Vec<(u32, f32)> =
                others.map(|row| (row, self.space.similarity(query, row) as f32 + off(row))).collect();
            all.sort_by(|a, b| b.1.total_cmp(&a.1));
            all.truncate(k);
            all
        };
        (!self.fails).then(|| queries.iter().map(list).collect())
    }
}

#[test]
fn a_device_changes_nothing() {
    let mut stream = Stream::new(4, "neighbours", 0);
    for (n, dim) in [(300, 3), (900, 16)] {
        // Equal rows, too: their order is by number, whatever the device says.
        let rows = Embeddings::normalised(dim, rows(n, dim, &mut stream));
        let plain = Dense::new(&rows);
        let group: Vec<u32> = (0..n).map(|_| stream.below(9) as u32).collect();
        let keys: Vec<u32> = (0..n).map(|_| stream.below(n / 2) as u32).collect();
        let refused: Vec<bool> = (0..n).map(|_| stream.below(3) == 0).collect();
        let apart = |a: u32, b: u32| group[a as usize] != group[b as usize];
        let all: Vec<u32> = (0..n as u32).collect();
        for (most, fails) in [(1000, false), (30, false), (10, false), (1000, true)] {
            let screen = Rounded { space: &plain, most, fails };
            let space = Space::Dense(Dense::new(&rows));
            let accepts: [Accept<'_>; 2] = [&apart, &|a, b| apart(a, b) && !refused[b as usize]];
            for accept in accepts {
                let found = space.nearest_apart(&all, 15, Some(&keys), &group, accept, Some(&screen));
                let want = plain.nearest(&all, &all, 15, Some(&keys), accept);
                assert!(found == want, "{n} rows, at most {most}, fails: {fails}");
            }
        }
    }
}
