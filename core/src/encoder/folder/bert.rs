//! BERT: its settings, its weights, and the way from tokens to their vectors on the CPU.
//!
//! Texts lie end to end in one matrix of tokens; nothing is padded. A product's rows, a norm's and a text's attention are
//! the same bits whatever stands beside them, so a text's vector does not depend on the batch it came in.

use super::super::EncoderError;
use super::feed_forward::{self, FeedForward};
use super::files::{Files, fault, within};
use super::tensors::Tensors;
use crate::kernels::attention::{self, MOST};
use crate::kernels::layer_norm;
use crate::kernels::matmul::{Inputs, Split, View, Weights};
use crate::kernels::simd::widest;
use serde::Deserialize;
use serde_json::Value;

/// `config.json`, as far as it decides numbers.
#[derive(Clone, Deserialize)]
pub(super) struct Config {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) max_position_embeddings: usize,
    #[serde(default = "two")]
    pub(super) type_vocab_size: usize,
    #[serde(default = "tiny")]
    pub(super) layer_norm_eps: f32,
    #[serde(default = "gelu_by_erf")]
    pub(super) hidden_act: String,
    #[serde(default)]
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
    #[serde(default)]
    is_encoder_decoder: bool,
    #[serde(default)]
    add_cross_attention: bool,
    #[serde(default)]
    quantization_config: Value,
    #[serde(default)]
    pruned_heads: Value,
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}

fn two() -> usize {
    2
}

fn tiny() -> f32 {
    1e-12
}

fn gelu_by_erf() -> String {
    "gelu".to_owned()
}

/// What is read, for messages.
const SUPPORTED: &str = "read are BERT models (model_type \"bert\": MiniLM, BGE, E5, GTE and others of that layout)";

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    model_type: String,
}

impl Config {
    pub(super) fn read(files: &Files<'_>, path: &str) -> Result<Self, EncoderError> {
        let file = within(path, "config.json");
        let missing = || fault(&file, "is missing");
        let kind: Kind = files.json(&file)?.ok_or_else(missing)?;
        if kind.model_type != "bert" {
            return Err(fault(&file, format!("is of a model of type {:?}; {SUPPORTED}", kind.model_type)));
        }
        let config: Self = files.json(&file)?.ok_or_else(missing)?;
        config.check().map_err(|reason| fault(&file, reason))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: usize, high: usize| {
            if (1..=high).contains(&value) { Ok(()) } else { Err(format!("{name} is {value}; expected 1 to {high}")) }
        };
        within("vocab_size", self.vocab_size, 1 << 22)?;
        within("hidden_size", self.hidden_size, 8192)?;
        within("num_hidden_layers", self.num_hidden_layers, 256)?;
        within("num_attention_heads", self.num_attention_heads, 256)?;
        within("intermediate_size", self.intermediate_size, 65_536)?;
        within("max_position_embeddings", self.max_position_embeddings, 65_536)?;
        within("type_vocab_size", self.type_vocab_size, 1024)?;
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        if !width.is_multiple_of(heads) || width / heads > MOST {
            return Err(format!("{heads} heads of a hidden_size of {width}: expected whole heads of at most {MOST}"));
        }
        if self.hidden_act != "gelu" {
            return Err(format!("hidden_act is {:?}; read is \"gelu\"", self.hidden_act));
        }
        if self.position_embedding_type.as_deref().is_some_and(|kind| kind != "absolute") {
            return Err("position_embedding_type is not \"absolute\"".to_owned());
        }
        if self.is_decoder {
            return Err("is_decoder: its tokens see only those before them, which is not read".to_owned());
        }
        if self.is_encoder_decoder || self.add_cross_attention {
            return Err("is_encoder_decoder or add_cross_attention: such a model is not read".to_owned());
        }
        if !is_empty(&self.quantization_config) {
            return Err("quantization_config: packed weights are not read; save the model in full precision".to_owned());
        }
        if !is_empty(&self.pruned_heads) {
            return Err("pruned_heads: layers of fewer heads are not read".to_owned());
        }
        if !(self.layer_norm_eps >= 0.0 && self.layer_norm_eps.is_finite()) {
            return Err(format!("layer_norm_eps is {}", self.layer_norm_eps));
        }
        Ok(())
    }

    pub(super) fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }
}

/// `y = x · weight + bias`.
pub(super) struct Linear {
    /// `[in, out]`.
    pub(super) weight: Weights,
    pub(super) bias: Vec<f32>,
}

impl Linear {
    fn forward(&self, inputs: &[f32], memory: &mut Split, out: &mut Vec<f32>) {
        let (depth, width) = (self.weight.rows(), self.weight.cols());
        let rows = inputs.len() / depth;
        out.resize(rows * width, 0.0);
        self.weight.multiply(out, Inputs::new(View::new(inputs, rows, depth), memory), &self.bias);
    }
}

/// Scale and shift of a layer norm.
pub(super) struct Norm {
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

/// One layer.
pub(super) struct Layer {
    /// Queries, keys and values side by side.
    pub(super) qkv: Linear,
    pub(super) mixed: Linear,
    pub(super) mixed_norm: Norm,
    pub(super) network: FeedForward,
    pub(super) network_norm: Norm,
}

/// The model.
pub(super) struct Bert {
    pub(super) config: Config,
    /// `[vocab_size, hidden_size]`.
    words: Vec<f32>,
    /// `[max_position_embeddings, hidden_size]`, each with the vector of the one token type that texts have.
    places: Vec<f32>,
    pub(super) norm: Norm,
    pub(super) layers: Vec<Layer>,
    /// What the weights are stored in.
    pub(super) stored: String,
}

/// Reads weights by their names in the file.
struct Reader<'a> {
    tensors: &'a Tensors<'a>,
    prefix: &'a str,
    config: &'a Config,
}

impl Reader<'_> {
    fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EncoderError> {
        self.tensors.floats(&format!("{}{name}", self.prefix), shape)
    }

    fn linear(&self, names: &[String], depth: usize, width: usize) -> Result<Linear, EncoderError> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weight.extend(self.floats(&format!("{name}.weight"), &[width, depth])?);
            bias.extend(self.floats(&format!("{name}.bias"), &[width])?);
        }
        let weight = Weights::new(View::new(&weight, width * names.len(), depth).t());
        Ok(Linear { weight, bias })
    }

    /// Older files say gamma and beta.
    fn norm(&self, name: &str) -> Result<Norm, EncoderError> {
        let width = [self.config.hidden_size];
        let old = self.tensors.has(&format!("{}{name}.gamma", self.prefix));
        let [scale, shift] = if old { ["gamma", "beta"] } else { ["weight", "bias"] };
        let part = |part: &str| self.floats(&format!("{name}.{part}"), &width);
        Ok(Norm { scale: part(scale)?, shift: part(shift)? })
    }

    fn layer(&self, number: usize) -> Result<Layer, EncoderError> {
        let of = |name: &str| format!("encoder.layer.{number}.{name}");
        let (width, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let qkv = ["attention.self.query", "attention.self.key", "attention.self.value"].map(of);
        Ok(Layer {
            qkv: self.linear(&qkv, width, width)?,
            mixed: self.linear(&[of("attention.output.dense")], width, width)?,
            mixed_norm: self.norm(&of("attention.output.LayerNorm"))?,
            network: self.feed_forward(&of("intermediate.dense"), &of("output.dense"), inner)?,
            network_norm: self.norm(&of("output.LayerNorm"))?,
        })
    }

    fn feed_forward(&self, up: &str, down: &str, units: usize) -> Result<FeedForward, EncoderError> {
        let width = self.config.hidden_size;
        let floats = |name: String, shape: &[usize]| self.floats(&name, shape);
        Ok(FeedForward::new(
            &floats(format!("{up}.weight"), &[units, width])?,
            &floats(format!("{up}.bias"), &[units])?,
            &floats(format!("{down}.weight"), &[width, units])?,
            floats(format!("{down}.bias"), &[width])?,
        ))
    }
}

/// Memory that one block of texts leaves to the next.
#[derive(Default)]
pub(super) struct Memory {
    /// The tokens' vectors: `[tokens, hidden_size]`.
    pub(super) hidden: Vec<f32>,
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    added: Vec<f32>,
    inputs: Split,
    attention: attention::Scratch,
    network: feed_forward::Memory,
}

impl Bert {
    pub(super) fn read(files: &Files<'_>, path: &str) -> Result<Self, EncoderError> {
        let config = Config::read(files, path)?;
        let tensors = Tensors::read(files, path)?;
        let word = "embeddings.word_embeddings.weight";
        let prefix = ["", "bert.", "model."].into_iter().find(|prefix| tensors.has(&format!("{prefix}{word}")));
        let reader = Reader { tensors: &tensors, prefix: prefix.unwrap_or_default(), config: &config };
        let width = config.hidden_size;
        let words = reader.floats(word, &[config.vocab_size, width])?;
        let mut places =
            reader.floats("embeddings.position_embeddings.weight", &[config.max_position_embeddings, width])?;
        let types = reader.floats("embeddings.token_type_embeddings.weight", &[config.type_vocab_size, width])?;
        for row in places.chunks_exact_mut(width) {
            row.iter_mut().zip(&types).for_each(|(x, t)| *x += t);
        }
        let norm = reader.norm("embeddings.LayerNorm")?;
        let mut layers: Vec<Layer> =
            (0..config.num_hidden_layers).map(|number| reader.layer(number)).collect::<Result<_, _>>()?;
        Weights::put_together(layers.iter_mut().flat_map(|layer| {
            [&mut layer.qkv.weight, &mut layer.mixed.weight].into_iter().chain(layer.network.weights())
        }));
        let stored = tensors.stored(&format!("{}{word}", reader.prefix)).unwrap_or_default();
        Ok(Self { words, places, norm, layers, stored, config })
    }

    /// Makes `hidden` the sums of word and place of every token, before the first norm: `[tokens, hidden_size]`.
    pub(super) fn embedded(&self, texts: &[&[u32]], hidden: &mut Vec<f32>) {
        let width = self.config.hidden_size;
        hidden.clear();
        hidden.reserve(texts.iter().map(|ids| ids.len()).sum::<usize>() * width);
        for ids in texts {
            for (id, place) in ids.iter().zip(self.places.chunks_exact(width)) {
                let word = &self.words[*id as usize * width..][..width];
                hidden.extend(word.iter().zip(place).map(|(w, p)| w + p));
            }
        }
    }

    /// Leaves the tokens' vectors behind the last layer in `s.hidden`, texts end to end. No text is longer than there are
    /// places.
    pub(super) fn forward(&self, texts: &[&[u32]], s: &mut Memory) {
        let Config { layer_norm_eps: epsilon, num_attention_heads: heads, .. } = self.config;
        let (width, size) = (self.config.hidden_size, self.config.head_size());
        self.embedded(texts, &mut s.hidden);
        let norm = |values: &mut [f32], passed: Option<&[f32]>, Norm { scale, shift }: &Norm| {
            widest!(layer_norm::forward(values, passed, scale, shift, epsilon));
        };
        norm(&mut s.hidden, None, &self.norm);
        for layer in &self.layers {
            layer.qkv.forward(&s.hidden, &mut s.inputs, &mut s.qkv);
            s.mixed.resize(s.hidden.len(), 0.0);
            let mut at = 0;
            for ids in texts {
                let (qkv, out) =
                    (&s.qkv[at * 3 * width..][..ids.len() * 3 * width], at * width..(at + ids.len()) * width);
                attention::forward(qkv, heads, size, &mut s.mixed[out], &mut s.attention);
                at += ids.len();
            }
            layer.mixed.forward(&s.mixed, &mut s.inputs, &mut s.added);
            norm(&mut s.added, Some(&s.hidden), &layer.mixed_norm);
            std::mem::swap(&mut s.hidden, &mut s.added);
            layer.network.forward(&s.hidden, &mut s.network, &mut s.added);
            norm(&mut s.added, Some(&s.hidden), &layer.network_norm);
            std::mem::swap(&mut s.hidden, &mut s.added);
        }
    }
}
