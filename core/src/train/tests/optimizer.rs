use super::*;
use crate::kernels::adamw::{Step, reference};

/// One number of a dense optimiser, in `f64`.
#[derive(Clone, Copy)]
struct Cell(f64, f64, f64);

#[test]
fn sparse_rows_equal_a_dense_table_that_decays_every_step() {
    let toy = tiny();
    let model = tiny_model();
    let encoder = tiny_encoder(&toy, &model);
    let (dim, decay) = (model.embedding_dim, 0.3);
    let hyper = Hyper { weight_decay: decay, clip: 0.1, ..hyper(Loss::InfoNce, true) };
    let mut dense: Vec<Cell> = encoder.tokens.iter().map(|p| Cell(f64::from(*p), 0.0, 0.0)).collect();
    let mut weight: Vec<Cell> = encoder.layers[0].weight.iter().map(|p| Cell(f64::from(*p), 0.0, 0.0)).collect();
    let mut bias: Vec<Cell> = encoder.layers[1].bias.iter().map(|p| Cell(f64::from(*p), 0.0, 0.0)).collect();
    let mut trainee = Trainee::new(encoder.clone(), Optimizer::new(&encoder));
    let mut touches = vec![0; toy.vocab];
    // One bundle a step, so that rows rest for some steps; its own two first, so that some wait to the end.
    let order = [1, 0, 2, 2, 0, 1, 1, 2, 0, 0, 2, 2, 2, 2];
    for (t, bundle) in (1u64..).zip(order) {
        let lr = 0.02 / t as f64;
        let batch = toy.batcher(&model, 5).batch(t, &[bundle]);
        let got = trainee.gradients(&batch, &hyper);
        let stats = trainee.step(&batch, &hyper, t, lr);
        let all = got.rows.iter().chain(&got.theta).chain(got.layers.iter().flatten().flatten());
        let norm = all.map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        assert!((stats.gradient_norm - norm).abs() < 1e-6 * (1.0 + norm), "the norm over all parameters");
        assert!(norm > hyper.clip, "clipping is at work");
        let step = Step::new(t, lr, (hyper.clip / norm) as f32);
        let keep = 1.0 - lr * decay;
        let mut gradient = vec![None; dense.len()];
        for (row, d) in batch.rows.iter().zip(got.rows.chunks(dim)) {
            touches[*row as usize] += 1;
            d.iter().enumerate().for_each(|(k, d)| gradient[*row as usize * dim + k] = Some(*d));
        }
        for (cell, gradient) in dense.iter_mut().zip(gradient) {
            *cell = match gradient {
                Some(g) => moved(&step, keep, *cell, g),
                None => Cell(cell.0 * keep, cell.1, cell.2),
            };
        }
        weight.iter_mut().zip(&got.layers[0][0]).for_each(|(cell, g)| *cell = moved(&step, keep, *cell, *g));
        bias.iter_mut().zip(&got.layers[1][1]).for_each(|(cell, g)| *cell = moved(&step, 1.0, *cell, *g));
    }
    assert!(touches.contains(&0), "some rows are never touched");
    assert!(touches.iter().any(|n| (1..order.len()).contains(n)), "some rest");
    let mut tokens = trainee.encoder.tokens.clone();
    trainee.optimizer.settle(&mut tokens, dim);
    assert_ne!(tokens, trainee.encoder.tokens, "decay is pending");
    let near = |got: &[f32], want: &[Cell], what: &str| {
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            assert!((f64::from(*got) - want.0).abs() < 2e-6, "{what}[{i}] is {got}, expected {}", want.0);
        }
    };
    near(&tokens, &dense, "tokens");
    near(&trainee.encoder.layers[0].weight, &weight, "weight");
    near(&trainee.encoder.layers[1].bias, &bias, "bias");
}

fn moved(step: &Step, keep: f64, cell: Cell, gradient: f32) -> Cell {
    let (p, m, v) = reference(step, keep, cell.0, cell.1, cell.2, f64::from(gradient));
    Cell(p, m, v)
}

/// Layers of several blocks, the last one ragged.
fn wide() -> Model {
    Model { embedding_dim: 70, hidden_dim: 130, num_layers: 2, residual: false, ..tiny_model() }
}

#[test]
fn parameters_move_at_once_as_they_do_after_clipping() {
    let toy = tiny();
    let whole = Model { embedding_dim: 64, hidden_dim: 128, ..wide() };
    for model in [tiny_model(), wide(), whole] {
        let encoder = tiny_encoder(&toy, &model);
        let run = |clip: f64, anew: bool| {
            let hyper = Hyper { weight_decay: 0.1, clip, ..hyper(Loss::InfoNce, true) };
            let mut trainee = Trainee::new(encoder.clone(), Optimizer::new(&encoder));
            let mut stats = Vec::new();
            for t in 1..6 {
                let batch = toy.batcher(&model, 5).batch(t, &[t as u32 % 3, (t as u32 + 1) % 3]);
                stats.push(trainee.step(&batch, &hyper, t, 0.02));
                if anew {
                    // What it keeps from step to step, such as packed weights, changes nothing.
                    trainee = Trainee::new(trainee.encoder.clone(), trainee.optimizer.clone());
                }
            }
            (stats, trainee.encoder, trainee.optimizer)
        };
        let at_once = run(0.0, false);
        assert_ne!(at_once.1.layers, encoder.layers);
        // A bound that no gradient reaches.
        assert_eq!(at_once, run(1e9, false));
        assert_eq!(at_once, run(0.0, true));
        assert_eq!(at_once, run(1e9, true));
    }
}
