use super::*;
use crate::encoder::reference;

/// The loss from its definition in `f64`, with labels read off the events themselves; without dropout.
fn plain_loss(toy: &Toy, encoder: &StaticEncoder, bundles: &[u32], hyper: &Hyper) -> f64 {
    let unit = |event: u32| {
        let x = reference(encoder, &toy.corpus, event as usize);
        let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        x.into_iter().map(|x| x / norm).collect::<Vec<_>>()
    };
    let cosine = |a: u32, b: u32| unit(a).iter().zip(unit(b)).map(|(a, b)| a * b).sum::<f64>();
    let bundles: Vec<&Bundle> = bundles.iter().map(|b| &toy.set.bundles[*b as usize]).collect();
    let events = &toy.set.events;
    let mut total = 0.0;
    for (i, own) in bundles.iter().enumerate() {
        let positive = cosine(own.anchor, own.positive);
        if hyper.loss == Loss::Triplet {
            let excess = |n: &Negative| (f64::from(hyper.margin) - positive + cosine(own.anchor, n.event)).max(0.0);
            total += own.negatives.iter().map(excess).sum::<f64>() / own.negatives.len() as f64;
            continue;
        }
        let mut candidates: Vec<u32> = own.negatives.iter().map(|n| n.event).collect();
        let others = bundles.iter().enumerate().filter(|(j, _)| hyper.in_batch && *j != i);
        for (_, other) in others {
            candidates.push(other.positive);
            candidates.extend(other.negatives.iter().map(|n| n.event));
        }
        let anchor = &events[own.anchor as usize];
        candidates.retain(|c| {
            let event = &events[*c as usize];
            event.sense != anchor.sense && event.text != anchor.text
        });
        let logit = |cosine: f64| cosine / f64::from(hyper.temperature);
        let others: f64 = candidates.iter().map(|c| logit(cosine(own.anchor, *c)).exp()).sum();
        total += (others + logit(positive).exp()).ln() - logit(positive);
    }
    total / bundles.len() as f64
}

/// The groups of parameters.
const GROUPS: [&str; 6] = ["tokens", "theta", "weight 0", "bias 0", "weight 1", "bias 1"];

fn group<'a>(encoder: &'a mut StaticEncoder, name: &str) -> &'a mut [f32] {
    match name {
        "tokens" => &mut encoder.tokens,
        "theta" => &mut encoder.span_weights,
        "weight 0" => &mut encoder.layers[0].weight,
        "bias 0" => &mut encoder.layers[0].bias,
        "weight 1" => &mut encoder.layers[1].weight,
        _ => &mut encoder.layers[1].bias,
    }
}

/// The step's gradients, each as long as its parameter: rows that are not in the batch have none.
fn spread(got: &step::Gradients, batch: &Batch, encoder: &StaticEncoder) -> Vec<Vec<f32>> {
    let dim = encoder.config.embedding_dim;
    let mut tokens = vec![0.0; encoder.tokens.len()];
    for (row, d) in batch.rows.iter().zip(got.rows.chunks(dim)) {
        tokens[*row as usize * dim..][..dim].copy_from_slice(d);
    }
    let [first, second] = [&got.layers[0], &got.layers[1]];
    let [w0, b0] = first.clone();
    let [w1, b1] = second.clone();
    vec![tokens, got.theta.clone(), w0, b0, w1, b1]
}

/// Compares the gradient of every parameter, or every so many, with the slope of `loss` between `p − h` and `p + h`.
fn compare(
    encoder: &StaticEncoder,
    gradients: &[Vec<f32>],
    every: usize,
    h: f32,
    tolerance: f64,
    case: &str,
    mut loss: impl FnMut(&StaticEncoder) -> f64,
) {
    for (name, gradient) in GROUPS.iter().zip(gradients) {
        let mut largest = 0f64;
        for (i, got) in gradient.iter().enumerate().step_by(every) {
            let at = |sign: f32| {
                let mut moved = encoder.clone();
                group(&mut moved, name)[i] += sign * h;
                (f64::from(group(&mut moved, name)[i]), moved)
            };
            let ((low, below), (high, above)) = (at(-1.0), at(1.0));
            let want = (loss(&above) - loss(&below)) / (high - low);
            let close = (f64::from(*got) - want).abs() <= tolerance * (1.0 + want.abs());
            assert!(close, "{case}: d {name}[{i}] is {got}, the slope {want}");
            largest = largest.max(want.abs());
        }
        assert!(largest > 20.0 * tolerance, "{case}: {name} has slopes up to {largest} only: nothing was compared");
    }
}

#[test]
fn equal_the_slopes_of_the_loss_as_defined() {
    let toy = tiny();
    for activation in [Activation::Tanh, Activation::Gelu] {
        for residual in [true, false] {
            let model = Model { activation, residual, ..tiny_model() };
            let encoder = tiny_encoder(&toy, &model);
            for hyper in [hyper(Loss::InfoNce, true), hyper(Loss::InfoNce, false), hyper(Loss::Triplet, true)] {
                let case = format!("{activation:?} {residual} {hyper:?}");
                let bundles = [0, 1, 2];
                let batch = toy.batcher(&model, 5).batch(0, &bundles);
                let mut trainee = Trainee::new(encoder.clone(), Optimizer::new(&encoder));
                let got = trainee.gradients(&batch, &hyper);
                let want = plain_loss(&toy, &encoder, &bundles, &hyper);
                assert!((got.loss - want).abs() < 1e-5, "{case}: {} and {want}", got.loss);
                let loss = |encoder: &StaticEncoder| plain_loss(&toy, encoder, &bundles, &hyper);
                compare(&encoder, &spread(&got, &batch, &encoder), 1, 1e-3, 2e-4, &case, loss);
            }
        }
    }
}

#[test]
fn equal_the_slopes_where_operands_are_read_in_place() {
    let toy = tiny();
    for residual in [true, false] {
        let model = Model { embedding_dim: 64, hidden_dim: 64, residual, ..tiny_model() };
        let mut encoder = tiny_encoder(&toy, &model);
        // Sums of so many inputs would leave the activation flat.
        encoder.layers.iter_mut().flat_map(|layer| layer.weight.iter_mut()).for_each(|x| *x *= 0.2);
        assert!(encoder.layers.iter().all(|layer| layer.matrix().fits_in_place()));
        let (bundles, hyper) = ([0, 1, 2], hyper(Loss::InfoNce, true));
        let batch = toy.batcher(&model, 5).batch(0, &bundles);
        let got = Trainee::new(encoder.clone(), Optimizer::new(&encoder)).gradients(&batch, &hyper);
        let loss = |encoder: &StaticEncoder| plain_loss(&toy, encoder, &bundles, &hyper);
        let case = format!("in place, {residual}");
        compare(&encoder, &spread(&got, &batch, &encoder), 11, 1e-3, 2e-6, &case, loss);
    }
}

#[test]
fn equal_the_slopes_under_dropout() {
    let toy = tiny();
    let model = Model { dropout: 0.4, token_dropout: 0.3, ..tiny_model() };
    let encoder = tiny_encoder(&toy, &model);
    let whole = toy.batcher(&tiny_model(), 5).batch(0, &[0, 1, 2]);
    let batch = toy.batcher(&model, 5).batch(0, &[0, 1, 2]);
    assert!(batch.ids.len() < whole.ids.len(), "some tokens are left out");
    for hyper in [hyper(Loss::InfoNce, true), hyper(Loss::Triplet, false)] {
        let gradients =
            |encoder: &StaticEncoder| Trainee::new(encoder.clone(), Optimizer::new(encoder)).gradients(&batch, &hyper);
        let got = gradients(&encoder);
        let without = StaticEncoder { config: Model { dropout: 0.0, ..model.clone() }, ..encoder.clone() };
        assert!((got.loss - gradients(&without).loss).abs() > 1e-3, "the mask does something");
        // The loss comes in 32 bits: a wider step, and less is asked.
        let spread = spread(&got, &batch, &encoder);
        compare(&encoder, &spread, 1, 8e-3, 1e-3, &format!("{hyper:?}"), |e| gradients(e).loss);
    }
}

#[test]
fn hidden_candidates_do_not_count() {
    let toy = tiny();
    let model = tiny_model();
    let encoder = tiny_encoder(&toy, &model);
    let batch = toy.batcher(&model, 5).batch(0, &[0, 1, 2]);
    let loss = |batch: &Batch, in_batch| {
        let mut trainee = Trainee::new(encoder.clone(), Optimizer::new(&encoder));
        trainee.gradients(batch, &hyper(Loss::InfoNce, in_batch)).loss
    };
    let (open, own) = (loss(&batch, true), loss(&batch, false));
    assert!(own < open - 1e-3, "fewer candidates, less loss: {own} and {open}");
    // Event 5 is of both anchors' sense: were it of another, it would be pushed away from the first one.
    let mut other = toy.batcher(&model, 5).batch(0, &[0, 1, 2]);
    other.senses[4] = 99;
    assert!(loss(&other, true) > open + 1e-3);
    // Event 6 has the text of the second anchor: were it another text, it would count, in both ways.
    let mut other = toy.batcher(&model, 5).batch(0, &[0, 1, 2]);
    other.texts[8] = 99;
    assert!(loss(&other, true) > open + 1e-3 && loss(&other, false) > own + 1e-3);
}
