//! Gradients against central differences, the update against a dense one, and runs that repeat, resume and stop.

mod adapter;
mod device;
mod gradients;
mod optimizer;
mod runs;

use super::*;
use crate::config::{Activation, Loss, Model, TokenInit, TokenizerKind};
use crate::data::{Bundle, BundleSet, Event, Metadata, Negative, NegativeSource, Tier};
use crate::encoder::{Corpus, StaticEncoder, Tokenizer};
use crate::rng::Stream;

/// Bundles with their tokens.
struct Toy {
    set: BundleSet,
    corpus: Corpus,
    vocab: usize,
}

impl Toy {
    fn new(set: BundleSet, window: usize) -> Self {
        let texts: Vec<&str> = set.events.iter().map(|e| e.text.as_str()).collect();
        let tokenizer = Tokenizer::train(TokenizerKind::Wordpiece, 64, &texts).expect("trains");
        let corpus = Corpus::build(&tokenizer, &set.events, window, 64).expect("builds");
        Self { set, corpus, vocab: tokenizer.vocab_size() }
    }

    fn batcher(&self, model: &Model, seed: u64) -> Batcher<'_> {
        Batcher {
            set: &self.set,
            corpus: &self.corpus,
            senses: number_senses(&self.set),
            vocab: self.vocab,
            weighted: model.span_window > 0,
            window: model.span_window,
            token_dropout: model.token_dropout,
            seed,
        }
    }
}

/// An event whose target word is the text's `word`th.
fn event(id: usize, sense: &str, text: &str, word: Option<usize>) -> Event {
    let span = word.map(|word| {
        let start = text.split(' ').take(word).map(|w| w.len() + 1).sum::<usize>() as u32;
        let length = text.split(' ').nth(word).map_or(0, str::len) as u32;
        (start, start + length)
    });
    Event {
        event_id: format!("e{id}"),
        sense: sense.to_owned(),
        lemma: crate::data::lemma_of(sense).to_owned(),
        text: text.to_owned(),
        span,
        embedding: None,
        extra: Default::default(),
    }
}

fn bundle(id: usize, anchor: u32, positive: u32, negatives: &[u32], tier: Tier) -> Bundle {
    let negative = |event: &u32| Negative { event: *event, source: NegativeSource::CrossLemma };
    Bundle {
        bundle_id: format!("b{id}"),
        anchor,
        positive,
        negatives: negatives.iter().map(negative).collect(),
        metadata: Metadata { tier: Some(tier), ..Metadata::default() },
        extra: Default::default(),
    }
}

/// Three bundles of one-letter words. The first two share a sense, the second's first negative has its anchor's text,
/// and the third's anchor is a negative of the first.
fn tiny() -> Toy {
    let events = vec![
        event(0, "a#1", "b c d e", Some(1)),
        event(1, "a#1", "c f b", Some(0)),
        event(2, "a#2", "g c h b d i", Some(5)),
        event(3, "b#1", "j k b", None),
        event(4, "a#1", "e c c", Some(2)),
        event(5, "a#1", "k d f", Some(0)),
        event(6, "a#2", "e c c", Some(1)),
        event(7, "a#2", "h g", Some(0)),
        event(8, "c#1", "i", Some(0)),
    ];
    let bundles = vec![
        bundle(0, 0, 1, &[2, 3], Tier::Easy),
        bundle(1, 4, 5, &[6, 3, 8], Tier::Easy),
        bundle(2, 2, 7, &[8, 0], Tier::Easy),
    ];
    Toy::new(BundleSet { events, bundles }, 2)
}

/// The small model, with none of its parts at their start.
fn tiny_encoder(toy: &Toy, model: &Model) -> StaticEncoder {
    let mut encoder = StaticEncoder::init(model, toy.vocab, &Corpus::default(), 3).expect("fits");
    let mut stream = Stream::new(3, "shake", 0);
    let layers = encoder.layers.iter_mut().flat_map(|l| l.weight.iter_mut().chain(&mut l.bias));
    layers.chain(&mut encoder.span_weights).for_each(|x| *x += stream.symmetric(0.5));
    encoder
}

fn tiny_model() -> Model {
    Model {
        embedding_dim: 6,
        hidden_dim: 6,
        num_layers: 2,
        activation: Activation::Tanh,
        dropout: 0.0,
        token_dropout: 0.0,
        residual: true,
        token_init: TokenInit::Uniform,
        span_window: 2,
        ..Model::default()
    }
}

fn hyper(loss: Loss, in_batch: bool) -> Hyper {
    Hyper { loss, temperature: 0.5, margin: 0.6, in_batch, clip: 0.0, weight_decay: 0.0 }
}
