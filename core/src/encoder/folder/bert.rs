//! BERT: its settings, its weights, and the way from tokens to their vectors on the CPU.
//!
//! Texts lie end to end in one matrix of tokens; nothing is padded. A product's rows, a norm's and a text's attention are
//! the same bits whatever stands beside them, so a text's vector does not depend on the batch it came in.

use super::super::EncoderError;
use super::files::{Files, fault, within};
use super::tensors::Tensors;
use crate::kernels::attention::{self, MOST};
use crate::kernels::matmul::{Packed, View, matmul_block, matmul_onto};
use crate::kernels::simd::widest;
use crate::kernels::{gelu, layer_norm};
use serde::Deserialize;

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
    pub(super) weight: Packed,
    pub(super) bias: Vec<f32>,
}

impl Linear {
    fn forward(&self, inputs: &[f32], out: &mut Vec<f32>) {
        let (depth, width) = (self.weight.rows(), self.weight.cols());
        let rows = inputs.len() / depth;
        out.resize(rows * width, 0.0);
        matmul_block(out, View::new(inputs, rows, depth), &self.weight, Some(&self.bias));
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
    /// The network behind attention, in parts of its inner units: those of a block of tokens stay near the core.
    pub(super) inner: Vec<Inner>,
    pub(super) down_bias: Vec<f32>,
    pub(super) down_norm: Norm,
}

/// Inner units that are computed together.
const INNER: usize = 384;

/// Some of a layer's inner units.
pub(super) struct Inner {
    /// To them.
    pub(super) up: Linear,
    /// `[units, hidden_size]`: from them.
    pub(super) down: Packed,
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
        let weight = Packed::for_good(View::new(&weight, width * names.len(), depth).t());
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
            inner: self.inner(&of("intermediate.dense"), &of("output.dense"), width, inner)?,
            down_bias: self.floats(&of("output.dense.bias"), &[width])?,
            down_norm: self.norm(&of("output.LayerNorm"))?,
        })
    }

    fn inner(&self, up: &str, down: &str, width: usize, units: usize) -> Result<Vec<Inner>, EncoderError> {
        let (weight, bias) =
            (self.floats(&format!("{up}.weight"), &[units, width])?, self.floats(&format!("{up}.bias"), &[units])?);
        let back = self.floats(&format!("{down}.weight"), &[width, units])?;
        let back = View::new(&back, width, units);
        let parts = weight.chunks(INNER * width).zip(bias.chunks(INNER)).zip((0..units).step_by(INNER));
        let part = |((weight, bias), first): ((&[f32], &[f32]), usize)| Inner {
            up: Linear { weight: Packed::for_good(View::new(weight, bias.len(), width).t()), bias: bias.to_vec() },
            down: Packed::for_good(back.columns(first..first + bias.len()).t()),
        };
        Ok(parts.map(part).collect())
    }
}

/// Memory that one block of texts leaves to the next.
#[derive(Default)]
struct Scratch {
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    inner: Vec<f32>,
    added: Vec<f32>,
    attention: attention::Scratch,
}

impl Layer {
    /// The way to all inner units: `[hidden_size, units]`, and its bias.
    pub(super) fn up(&self) -> (Vec<f32>, Vec<f32>) {
        let parts: Vec<Vec<f32>> = self.inner.iter().map(|inner| inner.up.weight.unpacked()).collect();
        let rows = self.inner.first().map_or(0, |inner| inner.up.weight.rows());
        let of_row = |row: usize| {
            let parts = self.inner.iter().zip(&parts);
            parts.flat_map(move |(inner, part)| part.chunks_exact(inner.up.bias.len()).nth(row).unwrap_or_default())
        };
        let weight = (0..rows).flat_map(of_row).copied().collect();
        (weight, self.inner.iter().flat_map(|inner| inner.up.bias.iter().copied()).collect())
    }

    /// The way from all inner units: `[units, hidden_size]`, and its bias.
    pub(super) fn down(&self) -> (Vec<f32>, Vec<f32>) {
        (self.inner.iter().flat_map(|inner| inner.down.unpacked()).collect(), self.down_bias.clone())
    }
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
        let layers = (0..config.num_hidden_layers).map(|number| reader.layer(number)).collect::<Result<_, _>>()?;
        let stored = tensors.stored(&format!("{}{word}", reader.prefix)).unwrap_or_default();
        Ok(Self { words, places, norm, layers, stored, config })
    }

    /// The sums of word and place of every token, before the first norm: `[tokens, hidden_size]`.
    pub(super) fn embedded(&self, texts: &[&[u32]]) -> Vec<f32> {
        let width = self.config.hidden_size;
        let tokens = texts.iter().map(|ids| ids.len()).sum::<usize>();
        let mut hidden = Vec::with_capacity(tokens * width);
        for ids in texts {
            for (id, place) in ids.iter().zip(self.places.chunks_exact(width)) {
                let word = &self.words[*id as usize * width..][..width];
                hidden.extend(word.iter().zip(place).map(|(w, p)| w + p));
            }
        }
        hidden
    }

    /// The tokens' vectors behind the last layer: `[tokens, hidden_size]`, texts end to end. No text is longer than
    /// there are places.
    pub(super) fn forward(&self, texts: &[&[u32]]) -> Vec<f32> {
        let Config { layer_norm_eps: epsilon, num_attention_heads: heads, .. } = self.config;
        let (width, size) = (self.config.hidden_size, self.config.head_size());
        let mut hidden = self.embedded(texts);
        let norm = |values: &mut [f32], passed: Option<&[f32]>, Norm { scale, shift }: &Norm| {
            widest(
                #[inline(always)]
                || layer_norm::forward(values, passed, scale, shift, epsilon),
            );
        };
        norm(&mut hidden, None, &self.norm);
        let mut s = Scratch::default();
        for layer in &self.layers {
            layer.qkv.forward(&hidden, &mut s.qkv);
            s.mixed.resize(hidden.len(), 0.0);
            let mut at = 0;
            for ids in texts {
                let (qkv, out) =
                    (&s.qkv[at * 3 * width..][..ids.len() * 3 * width], at * width..(at + ids.len()) * width);
                attention::forward(qkv, heads, size, &mut s.mixed[out], &mut s.attention);
                at += ids.len();
            }
            layer.mixed.forward(&s.mixed, &mut s.added);
            norm(&mut s.added, Some(&hidden), &layer.mixed_norm);
            std::mem::swap(&mut hidden, &mut s.added);
            s.added.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(&layer.down_bias));
            for Inner { up, down } in &layer.inner {
                up.forward(&hidden, &mut s.inner);
                widest(
                    #[inline(always)]
                    || gelu::forward(&mut s.inner),
                );
                matmul_onto(&mut s.added, View::new(&s.inner, hidden.len() / width, down.rows()), down);
            }
            norm(&mut s.added, Some(&hidden), &layer.down_norm);
            std::mem::swap(&mut hidden, &mut s.added);
        }
        hidden
    }
}
