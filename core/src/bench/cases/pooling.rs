//! Pooling and its way back, on the batch of [`super::model`].

use super::super::case::{Case, Size, Start};
use super::model::{BLOCK, Model, work};
use super::{Draw, u, words};
use crate::kernels::simd::widest;
use crate::kernels::{self, pool, pool_weights};
use crate::parallel;
use crate::train::group_by_row;
use Start::{Numbers, Unwritten};

/// Buckets by distance to the target word: from −10 to 10, and none.
const BUCKETS: usize = 22;

pub(super) fn cases(name: &str) -> Vec<fn(Size) -> Case> {
    let case: fn(Size) -> Case = match name {
        "bucket_sum" => bucket_sum,
        "pool" => pool,
        "pool_backward" => pool_backward,
        "pool_weights" => pool_weights,
        "pool_weights_backward" => pool_weights_backward,
        "pool_weights_dots" => pool_weights_dots,
        _ => return Vec::new(),
    };
    vec![case]
}

fn bucket_sum(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("bucket_sum"));
    let (buckets, n) = (BUCKETS, m.tokens);
    let sizes = kernels::bucket_sum::Sizes { buckets: u(buckets), tokens: u(n) };
    let buffers = vec![Numbers(words(&draw.below(n, buckets))), Numbers(draw.numbers(n)), Unwritten(buckets)];
    Case::new(sizes, format!("{n} tokens to {buckets} buckets"), work(n, 2 * n + buckets), buffers)
}

fn pool(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("pool"));
    let sizes = pool::Sizes { texts: u(m.texts), dim: u(m.dim) };
    let (table, ids) = (draw.numbers(m.vocab * m.dim), draw.below(m.tokens, m.vocab));
    let weights = vec![1.0 / m.per_text as f32; m.tokens];
    let buffers =
        vec![Numbers(table), Numbers(words(&ids)), Numbers(words(&m.starts())), Numbers(weights), Unwritten(m.cells())];
    let gathered = m.tokens * m.dim;
    // A row for each token, its id and weight; vectors written.
    let cost = work(2 * gathered, gathered + 2 * m.tokens + m.texts + m.cells());
    let (dim, starts) = (m.dim, m.starts());
    Case::new(sizes, m.text(), cost, buffers).host(move |buffers| {
        let [table, _, _, weights, out] = buffers else { return };
        let texts = pool::Texts { ids: &ids, starts: &starts };
        parallel::for_blocks(out, 64 * dim, |block, out| {
            widest!({
                for (i, out) in out.chunks_mut(dim).enumerate() {
                    let range = texts.range(64 * block + i);
                    pool::forward(table, &ids[range.clone()], &weights[range], out);
                }
            });
        });
    })
}

fn pool_backward(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("pool_backward"));
    let ids = draw.below(m.tokens, m.vocab);
    let (rows, segments, occurrences) = group_by_row(&ids, m.vocab);
    let n = rows.len() * m.dim;
    let sizes = kernels::pool_backward::Sizes { rows: u(rows.len()), dim: u(m.dim) };
    let text_of = m.text_of();
    let buffers = vec![
        Numbers(words(&segments)),
        Numbers(words(&occurrences)),
        Numbers(words(&text_of)),
        Numbers(vec![1.0 / m.per_text as f32; m.tokens]),
        Numbers(draw.numbers(m.cells())),
        Unwritten(n),
    ];
    let gathered = m.tokens * m.dim;
    // A text's gradient for each token, three numbers that lead to it; rows written.
    let cost = work(2 * gathered, gathered + 3 * m.tokens + rows.len() + n);
    let dim = m.dim;
    Case::new(sizes, m.text(), cost, buffers).host(move |buffers| {
        let [_, _, _, weights, d_pooled, out] = buffers else { return };
        parallel::for_blocks(out, 64 * dim, |block, out| {
            widest!({
                for (i, out) in out.chunks_mut(dim).enumerate() {
                    let row = 64 * block + i;
                    let own = &occurrences[segments[row] as usize..segments[row + 1] as usize];
                    pool::backward(&[], d_pooled, own, &text_of, weights, out, None::<fn(u32, f32)>);
                }
            });
        });
    })
}

fn pool_weights(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("pool_weights"));
    let (count, n) = (BUCKETS, m.tokens);
    let buckets = draw.below(n, count);
    let buffers =
        vec![Numbers(draw.numbers(count)), Numbers(words(&buckets)), Numbers(words(&m.starts())), Unwritten(n)];
    // Exponential, addition, division; buckets read, weights written.
    let cost = work(3 * n, 2 * n + m.texts + count);
    let (per_text, buckets) = (m.per_text, buckets.iter().map(|b| *b as u8).collect::<Vec<u8>>());
    Case::new(pool_weights::Sizes { texts: u(m.texts) }, m.text(), cost, buffers).host(move |buffers| {
        let [theta, _, _, out] = buffers else { return };
        let block = BLOCK / per_text * per_text;
        parallel::for_blocks(out, block, |number, out| {
            widest!({
                for (i, out) in out.chunks_mut(per_text).enumerate() {
                    pool_weights::forward(theta, &buckets[number * block + i * per_text..][..out.len()], out);
                }
            });
        });
    })
}

fn pool_weights_backward(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("pool_weights_backward"));
    let n = m.tokens;
    let weights = vec![1.0 / m.per_text as f32; n];
    let buffers = vec![Numbers(words(&m.starts())), Numbers(weights), Numbers(draw.numbers(n))];
    // A product and a sum, a difference and a product; weights read, gradients read and written.
    let sizes = kernels::pool_weights_backward::Sizes { texts: u(m.texts) };
    Case::new(sizes, m.text(), work(4 * n, 3 * n + m.texts), buffers)
}

fn pool_weights_dots(size: Size) -> Case {
    let (m, mut draw) = (Model::new(size), Draw::new("pool_weights_dots"));
    let sizes = kernels::pool_weights_dots::Sizes { tokens: u(m.tokens), dim: u(m.dim) };
    let buffers = vec![
        Numbers(draw.numbers(m.vocab * m.dim)),
        Numbers(words(&draw.below(m.tokens, m.vocab))),
        Numbers(words(&m.text_of())),
        Numbers(draw.numbers(m.cells())),
        Unwritten(m.tokens),
    ];
    let gathered = m.tokens * m.dim;
    // A row and a text's gradient for each token, and what leads to them; a number written.
    Case::new(sizes, m.text(), work(2 * gathered, 2 * gathered + 3 * m.tokens), buffers)
}
