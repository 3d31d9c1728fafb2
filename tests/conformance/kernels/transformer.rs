//! Cases of the kernels that only a transformer needs.

use super::{Case, Draw, grid, nan, owners, u, words};
use crucible_core::kernels;

pub(super) fn cases(kernel: &str, draw: &mut Draw) -> Vec<Case> {
    match kernel {
        "attention" => attention(draw),
        "gelu" => gelu(draw),
        _ => layer_norm(draw),
    }
}

/// Texts of no, one and many tokens, past a slice of keys; heads of one number, ragged, of a workgroup's lanes and more.
fn attention(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for (texts, longest) in [(0, 0), (1, 1), (5, 9), (3, 64), (4, 200)] {
        for (heads, size) in [(1, 1), (3, 7), (2, 32), (2, 64), (1, 65), (2, 128)] {
            let starts = draw.starts(texts, longest);
            let tokens = starts[texts] as usize;
            let width = heads * size;
            // Scores of some size: a plain mean would not do.
            let qkv: Vec<f32> = draw.numbers(tokens * 3 * width).iter().map(|x| 2.0 * x).collect();
            let inputs =
                vec![qkv, draw.numbers(3 * width), words(&starts), words(&owners(&starts)), nan(tokens * width)];
            cases.push(Case::new(kernels::attention::Sizes::new(tokens, heads, size), inputs));
        }
    }
    // A score that falls from slice to slice, and one that grows: sums are scaled down, or not.
    for sign in [1.0, -1.0] {
        let (tokens, size) = (150, 4);
        let row = |token: usize| (0..3 * size).map(move |k| if k < size { 1.0 } else { sign * 0.1 * token as f32 });
        let inputs = vec![
            (0..tokens).flat_map(row).collect(),
            draw.numbers(3 * size),
            words(&[0, u(tokens)]),
            words(&vec![0; tokens]),
            nan(tokens * size),
        ];
        cases.push(Case::new(kernels::attention::Sizes::new(tokens, 1, size), inputs));
    }
    cases
}

fn gelu(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for (rows, width) in [(0, 3), (1, 1), (3, 85), (3, 86), (70, 64)] {
        let values: Vec<f32> = draw.numbers(rows * width).iter().map(|x| x * 8.0).collect();
        let sizes = kernels::gelu::Sizes { rows: u(rows), width: u(width) };
        cases.push(Case::new(sizes, vec![draw.numbers(width), values]));
    }
    cases
}

fn layer_norm(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for (rows, width) in grid() {
        for residual in [0, 1] {
            let sizes = kernels::layer_norm::Sizes { rows: u(rows), width: u(width), residual, epsilon: 1e-3 };
            let n = rows * width;
            let inputs = vec![
                draw.numbers(n),
                draw.numbers(width),
                draw.numbers(n),
                draw.numbers(width),
                draw.numbers(width),
                nan(n),
            ];
            cases.push(Case::new(sizes, inputs));
        }
    }
    cases
}
