//! A sentence-transformers model around a BERT: tokens, pooling, and the layers behind it.

use super::super::device::{Scratch, u};
use super::super::{Corpus, Done, EncoderError};
use super::bert::{Bert, Linear, Memory, Norm};
use super::files::{Files, fault, within};
use super::modules::{Dense, Modules, Step};
use super::pooling::{Mode, Pooling};
use super::tokens::{CutAt, FolderTokenizer, Rules};
use super::{bert_tokenizer, words};
use crate::backend::{Backend, BackendError};
use crate::embeddings::Embeddings;
use crate::kernels::matmul::{Inputs, Split, View};
use crate::kernels::product::{Part, Sizes as Product};
use crate::kernels::simd::widest;
use crate::kernels::{self, activation};
use crate::parallel;
use serde::Deserialize;

/// Tokens of the texts that go through the model together on the CPU: their vectors stay near the core, and weights are
/// read once for all of them.
const TOGETHER: usize = 480;
/// The same on a device.
const TOGETHER_ON_DEVICE: usize = 16_384;

/// A transformer with its pooling.
pub(super) struct Transformer {
    pub(super) tokens: FolderTokenizer,
    pub(super) bert: Bert,
    pub(super) pooling: Vec<Mode>,
    /// Tokens at the beginning of each text that don't count in pooling.
    skipped: usize,
    pub(super) steps: Vec<Step>,
    /// Numbers of a vector that are kept, where not all are.
    truncate: Option<usize>,
}

/// `sentence_bert_config.json`; older folders have other names for it.
#[derive(Default, Deserialize)]
struct SentenceConfig {
    #[serde(default)]
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

const SENTENCE_CONFIGS: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

impl Transformer {
    pub(super) fn read(files: &Files<'_>, modules: Modules, notes: &mut Vec<String>) -> Result<Self, EncoderError> {
        let path = modules.first_path.as_str();
        words::unknown(files, &within(path, "config.json"), words::BERT, notes)?;
        let bert = Bert::read(files, path)?;
        let Pooling { modes, include_prompt, .. } = &modules.pooling;
        modules.pooling.check(bert.config.hidden_size)?;
        let file = within(path, "tokenizer.json");
        let Some(bytes) = files.get(&file) else {
            let why = "is missing; transformers writes it: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)";
            return Err(fault(&file, why));
        };
        let config = bert_tokenizer::Config::read(files, &within(path, "tokenizer_config.json"))?;
        let tokens =
            FolderTokenizer::read(&file, bytes, bert.config.vocab_size, &mut |json| config.change(json, notes))?;
        let (most_tokens, lower) = limits(files, path, &config, bert.config.max_position_embeddings, notes)?;
        let rules = Rules {
            special: true,
            cut: CutAt::Tokens(most_tokens),
            left: config.left(),
            lower,
            prompt: modules.settings.prompt.clone(),
            ..Rules::default()
        };
        let tokens = tokens.with(&file, rules)?;
        let mut skipped = Vec::new();
        if !include_prompt && !modules.settings.prompt.is_empty() {
            // The prompt alone, without the mark behind it.
            tokens.encode_onto("", &mut skipped)?;
            skipped.pop();
        }
        let pooling = modes.clone();
        let truncate = modules.settings.truncate;
        let mut model = Self { tokens, bert, pooling, skipped: skipped.len(), steps: modules.steps, truncate: None };
        model.check_steps()?;
        model.truncate = truncate.filter(|dim| *dim < model.dim());
        Ok(model)
    }

    fn check_steps(&self) -> Result<(), EncoderError> {
        let mut width = self.pooling.len() * self.bert.config.hidden_size;
        for step in &self.steps {
            if let Step::Dense(dense) = step {
                if dense.weight.rows() != width {
                    let reason = format!("puts a Dense layer of {} inputs behind {width} numbers", dense.weight.rows());
                    return Err(fault("modules.json", reason));
                }
                width = dense.weight.cols();
            }
        }
        Ok(())
    }

    /// Numbers a vector.
    pub(super) fn dim(&self) -> usize {
        if let Some(dim) = self.truncate {
            return dim;
        }
        let pooled = self.pooling.len() * self.bert.config.hidden_size;
        let layers = self.steps.iter().rev();
        layers
            .filter_map(|step| if let Step::Dense(dense) = step { Some(dense.bias.len()) } else { None })
            .next()
            .unwrap_or(pooled)
    }

    /// One vector for each event; each distinct text goes through the model once. `done` hears how many more texts did.
    pub(super) fn embed(&self, corpus: &Corpus, done: Done<'_>) -> Embeddings {
        let texts = corpus.distinct();
        let blocks = blocks(&texts, TOGETHER);
        let pooled = parallel::map_with(blocks, |texts, memory: &mut Memory| {
            self.bert.forward(texts, memory);
            let mut pooled = Vec::new();
            self.pool(texts, &memory.hidden, &mut pooled);
            done(texts.len());
            pooled
        });
        self.finish(corpus, pooled.concat())
    }

    /// Appends the texts' pooled vectors, from their tokens' `hidden` vectors.
    fn pool(&self, texts: &[&[u32]], hidden: &[f32], out: &mut Vec<f32>) {
        let width = self.bert.config.hidden_size;
        let mut rest = hidden;
        for ids in texts {
            let (own, others) = rest.split_at(ids.len() * width);
            rest = others;
            for pooling in &self.pooling {
                let first = out.len();
                out.resize(first + width, 0.0);
                self.pool_one(*pooling, own, &mut out[first..]);
            }
        }
    }

    fn pool_one(&self, pooling: Mode, hidden: &[f32], out: &mut [f32]) {
        let width = out.len();
        let rows = || hidden.chunks_exact(width);
        if pooling == Mode::Max {
            let counted = rows().skip(self.skipped);
            for (number, row) in counted.enumerate() {
                out.iter_mut().zip(row).for_each(|(o, x)| *o = if number == 0 || x > o { *x } else { *o });
            }
            return;
        }
        let weights = self.weights(pooling, rows().len());
        widest!({
            for (row, weight) in rows().zip(&weights) {
                kernels::simd::axpy(out, *weight, row);
            }
        });
    }

    /// What each of `n` tokens counts; for every mode but the maximum.
    fn weights(&self, pooling: Mode, n: usize) -> Vec<f32> {
        let skipped = self.skipped.min(n);
        let counted = (n - skipped).max(1) as f32;
        // By place, from 1; those that are skipped keep theirs.
        let places = ((skipped + 1..=n).sum::<usize>() as f32).max(1e-9);
        let weight = |token: usize| match pooling {
            _ if token < skipped && pooling != Mode::Last => 0.0,
            Mode::Cls => f32::from(u8::from(token == skipped)),
            Mode::Last => f32::from(u8::from(token + 1 == n)),
            Mode::Mean | Mode::Max => 1.0 / counted,
            Mode::MeanSqrtLen => 1.0 / counted.sqrt(),
            Mode::WeightedMean => (token + 1) as f32 / places,
        };
        (0..n).map(weight).collect()
    }

    /// The layers behind pooling, and the events' vectors from those of distinct texts.
    fn finish(&self, corpus: &Corpus, mut vectors: Vec<f32>) -> Embeddings {
        let mut width = self.pooling.len() * self.bert.config.hidden_size;
        // The last step gives unit length anyway; what comes before it says how long vectors were.
        let last = self.steps.iter().rposition(|step| !matches!(step, Step::Normalise)).map_or(0, |last| last + 1);
        for step in &self.steps[..last] {
            match step {
                Step::Normalise => vectors = Embeddings::normalised(width, vectors).vectors,
                Step::Dense(dense) => (vectors, width) = (dense.forward(&vectors), dense.bias.len()),
            }
        }
        if let Some(dim) = self.truncate {
            // As sentence-transformers does it: the first numbers, then unit length.
            vectors = vectors.chunks_exact(width).flat_map(|row| &row[..dim]).copied().collect();
            width = dim;
        }
        let unit = Embeddings::normalised(width, vectors);
        let (mut vectors, mut norms) = (Vec::with_capacity(corpus.len() * width), Vec::with_capacity(corpus.len()));
        for event in 0..corpus.len() {
            let text = corpus.text_id(event) as usize;
            vectors.extend_from_slice(unit.row(text));
            norms.push(unit.norms[text]);
        }
        Embeddings { dim: width, vectors, norms }
    }

    /// [`Transformer::embed`] on `backend`; pooling of maxima and what comes behind it stay on the CPU.
    pub(super) async fn embed_on<B: Backend>(
        &self,
        backend: &B,
        corpus: &Corpus,
        done: Done<'_>,
    ) -> Result<Embeddings, BackendError> {
        let texts = corpus.distinct();
        let widest_row = 3 * self.bert.config.hidden_size.max(self.bert.config.intermediate_size);
        let most = TOGETHER_ON_DEVICE.min(backend.max_len() / widest_row);
        let weights = Weights::upload(&self.bert, backend)?;
        let mut pass = Pass::new(backend)?;
        let mut pooled = Vec::new();
        for texts in blocks(&texts, most) {
            let tokens = pass.run(&self.bert, &weights, texts, backend)?;
            if self.pooling.contains(&Mode::Max) {
                let hidden = backend.download(&pass.hidden.0).await?;
                self.pool(texts, &hidden[..tokens * self.bert.config.hidden_size], &mut pooled);
            } else {
                pooled.extend(self.pool_on(backend, &pass.hidden.0, texts).await?);
            }
            done(texts.len());
        }
        Ok(self.finish(corpus, pooled))
    }

    /// [`Transformer::pool`] of vectors on the device.
    async fn pool_on<B: Backend>(
        &self,
        backend: &B,
        hidden: &B::Buffer,
        texts: &[&[u32]],
    ) -> Result<Vec<f32>, BackendError> {
        let width = self.bert.config.hidden_size;
        let starts = starts(texts);
        let ids: Vec<u32> = (0..starts[texts.len()]).collect();
        let (ids, starts) = (backend.upload_indices(&ids)?, backend.upload_indices(&starts)?);
        let mut parts = Vec::new();
        for pooling in &self.pooling {
            let weights: Vec<f32> = texts.iter().flat_map(|ids| self.weights(*pooling, ids.len())).collect();
            let (weights, out) = (backend.upload(&weights)?, backend.zeros(texts.len() * width)?);
            let sizes = kernels::pool::Sizes { texts: u(texts.len()), dim: u(width) };
            backend.run(sizes, &[hidden, &ids, &starts, &weights, &out])?;
            parts.push(backend.download(&out).await?);
        }
        let row = |text: usize| parts.iter().flat_map(move |part| &part[text * width..][..width]).copied();
        Ok((0..texts.len()).flat_map(row).collect())
    }
}

/// Tokens a text, at most, and whether upper case is lowered.
fn limits(
    files: &Files<'_>,
    path: &str,
    tokenizer: &bert_tokenizer::Config,
    places: usize,
    notes: &mut Vec<String>,
) -> Result<(usize, bool), EncoderError> {
    let mut sentence = SentenceConfig::default();
    let mut file = within(path, SENTENCE_CONFIGS[0]);
    for name in SENTENCE_CONFIGS {
        let name = within(path, name);
        if let Some(config) = files.json(&name)? {
            (sentence, file) = (config, name);
            break;
        }
    }
    words::check_sentence(files, &file, notes)?;
    let most = match sentence.max_seq_length {
        Some(most) if most > places => {
            return Err(fault(&file, format!("max_seq_length is {most}, but the model has {places} places")));
        }
        Some(most) => most,
        None => tokenizer.most_tokens().map_or(places, |most| places.min(most)),
    };
    Ok((most, sentence.do_lower_case))
}

/// Neighbouring texts of about `most` tokens; one text at least.
fn blocks<'a, 'b>(texts: &'b [&'a [u32]], most: usize) -> Vec<&'b [&'a [u32]]> {
    let mut blocks = Vec::new();
    let (mut first, mut tokens) = (0, 0);
    for (text, ids) in texts.iter().enumerate() {
        if text > first && tokens + ids.len() > most {
            blocks.push(&texts[first..text]);
            (first, tokens) = (text, 0);
        }
        tokens += ids.len();
    }
    if first < texts.len() {
        blocks.push(&texts[first..]);
    }
    blocks
}

/// Where each text's tokens begin, and the end.
fn starts(texts: &[&[u32]]) -> Vec<u32> {
    let ends = texts.iter().scan(0, |at, ids| {
        *at += u(ids.len());
        Some(*at)
    });
    std::iter::once(0).chain(ends).collect()
}

impl Dense {
    fn forward(&self, vectors: &[f32]) -> Vec<f32> {
        let (depth, width) = (self.weight.rows(), self.weight.cols());
        let rows = vectors.len() / depth;
        let mut out = vec![0.0; rows * width];
        self.weight.multiply(&mut out, Inputs::new(View::new(vectors, rows, depth), &mut Split::default()), &self.bias);
        if let Some(kind) = self.activation {
            widest!(activation::forward(kind, &mut out));
        }
        out
    }
}

/// A layer's product on the device.
struct LinearOn<B: Backend> {
    /// `[in, out]`.
    weight: B::Buffer,
    bias: B::Buffer,
    depth: usize,
    width: usize,
}

impl<B: Backend> LinearOn<B> {
    /// `weight: [in, out]`.
    fn upload(weight: &[f32], bias: &[f32], backend: &B) -> Result<Self, BackendError> {
        let width = bias.len();
        let depth = weight.len() / width;
        Ok(Self { weight: backend.upload(weight)?, bias: backend.upload(bias)?, depth, width })
    }

    /// The product alone: the next kernel adds the bias.
    fn run(&self, backend: &B, rows: usize, inputs: &B::Buffer, out: &mut Scratch<B>) -> Result<(), BackendError> {
        out.fit(backend, rows * self.width)?;
        let product = Product::new(Part::new(rows, self.depth), Part::new(self.depth, self.width), 0);
        backend.run(product, &[inputs, &self.weight, &out.0])
    }
}

struct NormOn<B: Backend>(B::Buffer, B::Buffer);

impl<B: Backend> NormOn<B> {
    fn upload(norm: &Norm, backend: &B) -> Result<Self, BackendError> {
        Ok(Self(backend.upload(&norm.scale)?, backend.upload(&norm.shift)?))
    }
}

struct LayerOn<B: Backend> {
    qkv: LinearOn<B>,
    mixed: LinearOn<B>,
    mixed_norm: NormOn<B>,
    up: LinearOn<B>,
    down: LinearOn<B>,
    down_norm: NormOn<B>,
}

/// The weights on the device, but for the tables of words and places: sums of their rows are sent instead.
struct Weights<B: Backend> {
    norm: NormOn<B>,
    zeros: B::Buffer,
    layers: Vec<LayerOn<B>>,
}

impl<B: Backend> Weights<B> {
    fn upload(bert: &Bert, backend: &B) -> Result<Self, BackendError> {
        let linear = |linear: &Linear| LinearOn::upload(&linear.weight.unpacked(), &linear.bias, backend);
        let whole = |(weight, bias): (Vec<f32>, Vec<f32>)| LinearOn::upload(&weight, &bias, backend);
        let layer = |layer: &super::bert::Layer| {
            Ok(LayerOn {
                qkv: linear(&layer.qkv)?,
                mixed: linear(&layer.mixed)?,
                mixed_norm: NormOn::upload(&layer.mixed_norm, backend)?,
                up: whole(layer.network.up())?,
                down: whole(layer.network.down())?,
                down_norm: NormOn::upload(&layer.network_norm, backend)?,
            })
        };
        Ok(Self {
            norm: NormOn::upload(&bert.norm, backend)?,
            zeros: backend.zeros(bert.config.hidden_size)?,
            layers: bert.layers.iter().map(layer).collect::<Result<_, BackendError>>()?,
        })
    }
}

/// Memory of one pass.
struct Pass<B: Backend> {
    /// The tokens' vectors.
    hidden: Scratch<B>,
    next: Scratch<B>,
    qkv: Scratch<B>,
    mixed: Scratch<B>,
    inner: Scratch<B>,
    added: Scratch<B>,
}

impl<B: Backend> Pass<B> {
    fn new(backend: &B) -> Result<Self, BackendError> {
        let new = || Scratch::new(backend);
        Ok(Self { hidden: new()?, next: new()?, qkv: new()?, mixed: new()?, inner: new()?, added: new()? })
    }

    /// [`Bert::forward`]: leaves the vectors in `hidden`, and returns how many tokens there are.
    fn run(&mut self, bert: &Bert, weights: &Weights<B>, texts: &[&[u32]], backend: &B) -> Result<usize, BackendError> {
        let (width, heads) = (bert.config.hidden_size, bert.config.num_attention_heads);
        let starts = starts(texts);
        let tokens = starts[texts.len()] as usize;
        let owners = texts.iter().zip(0..).flat_map(|(ids, text)| std::iter::repeat_n(text, ids.len()));
        let [starts, owners] = [backend.upload_indices(&starts)?, backend.upload_indices(&owners.collect::<Vec<_>>())?];
        let mut embedded = Vec::new();
        bert.embedded(texts, &mut embedded);
        let embedded = backend.upload(&embedded)?;
        self.hidden.fit(backend, tokens * width)?;
        self.next.fit(backend, tokens * width)?;
        self.mixed.fit(backend, tokens * width)?;
        let epsilon = bert.config.layer_norm_eps;
        let sizes = |residual| kernels::layer_norm::Sizes { rows: u(tokens), width: u(width), residual, epsilon };
        let NormOn(scale, shift) = &weights.norm;
        backend.run(sizes(0), &[&embedded, &weights.zeros, &weights.zeros, scale, shift, &self.hidden.0])?;
        for layer in &weights.layers {
            layer.qkv.run(backend, tokens, &self.hidden.0, &mut self.qkv)?;
            let attention = kernels::attention::Sizes::new(tokens, heads, width / heads);
            backend.run(attention, &[&self.qkv.0, &layer.qkv.bias, &starts, &owners, &self.mixed.0])?;
            layer.mixed.run(backend, tokens, &self.mixed.0, &mut self.added)?;
            let NormOn(scale, shift) = &layer.mixed_norm;
            let buffers = [&self.added.0, &layer.mixed.bias, &self.hidden.0, scale, shift, &self.next.0];
            backend.run(sizes(1), &buffers)?;
            layer.up.run(backend, tokens, &self.next.0, &mut self.inner)?;
            let gelu = kernels::gelu::Sizes { rows: u(tokens), width: u(layer.up.width) };
            backend.run(gelu, &[&layer.up.bias, &self.inner.0])?;
            layer.down.run(backend, tokens, &self.inner.0, &mut self.added)?;
            let NormOn(scale, shift) = &layer.down_norm;
            let buffers = [&self.added.0, &layer.down.bias, &self.next.0, scale, shift, &self.hidden.0];
            backend.run(sizes(1), &buffers)?;
        }
        Ok(tokens)
    }
}
