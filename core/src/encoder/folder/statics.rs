//! Static models from elsewhere: a table of token vectors and their mean.
//!
//! model2vec and sentence-transformers read each other's folders, and give other vectors: see [`super::Loader`].

use super::super::{EncoderError, StaticEncoder};
use super::files::{Files, fault, within};
use super::modules::{Modules, Step};
use super::tensors::Tensors;
use super::tokens::{CutAt, FolderTokenizer, Rules, unknown};
use super::{Loader, Options, words};
use crate::config::Model;
use serde::Deserialize;

/// Rows of a mapping beside those that tokens need.
const SPARE_ROWS: usize = 1024;
/// Tokens of a text that model2vec uses where its config says nothing.
const MOST_TOKENS: usize = 512;

/// A static model.
pub(super) struct Static {
    pub(super) tokens: FolderTokenizer,
    pub(super) encoder: StaticEncoder,
    pub(super) loader: Loader,
    /// What the vectors are stored in.
    pub(super) stored: String,
}

/// What model2vec reads of `config.json`, or of `config_sentence_transformers.json` where the vectors are named as
/// sentence-transformers names them.
#[derive(Default, Deserialize)]
struct Config {
    #[serde(default, deserialize_with = "present")]
    max_length: Option<Option<usize>>,
}

/// Tells `null` from nothing.
fn present<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Option<usize>>, D::Error> {
    Option::<usize>::deserialize(d).map(Some)
}

/// `embeddings` as model2vec names it, `embedding.weight` as sentence-transformers does.
const NAMES: [(&str, Loader); 2] =
    [("embeddings", Loader::Model2Vec), ("embedding.weight", Loader::SentenceTransformers)];

impl Static {
    pub(super) fn read(
        files: &Files<'_>,
        modules: &Modules,
        options: &Options,
        notes: &mut Vec<String>,
    ) -> Result<Self, EncoderError> {
        let path = &modules.first_path;
        if let Some(step) = modules.steps.iter().find(|step| !matches!(step, Step::Normalise)) {
            return Err(fault("modules.json", format!("puts {step} behind a StaticEmbedding; only Normalize is read")));
        }
        let tensors = Tensors::read(files, path)?;
        let found = NAMES.into_iter().find(|(name, _)| tensors.has(name));
        let (name, own) = found.ok_or_else(|| {
            fault(&within(path, "model.safetensors"), "has neither a tensor \"embeddings\" nor \"embedding.weight\"")
        })?;
        let (rows, dim) = match tensors.shape(name).as_deref() {
            Some(&[rows, dim]) if (1..=8192).contains(&dim) => (rows, dim),
            shape => {
                let reason =
                    format!("tensor {name:?} has shape {:?}; expected tokens × at most 8192", shape.unwrap_or(&[]));
                return Err(fault(&within(path, "model.safetensors"), reason));
            }
        };
        let loader = options.loader.unwrap_or(own);
        let file = within(path, "tokenizer.json");
        let bytes = files.required(&file)?;
        let tokens = FolderTokenizer::read(&file, bytes, table_rows(&tensors, name, rows), &mut |_| {})?;
        let mut table = table(&tensors, name, (rows, dim), tokens.needed_rows())?;
        let kept = modules.settings.truncate.filter(|kept| *kept < dim && loader == Loader::SentenceTransformers);
        if let Some(kept) = kept {
            // The mean of cut vectors is the cut mean.
            table = table.chunks_exact(dim).flat_map(|row| &row[..kept]).copied().collect();
        }
        let dim = kept.unwrap_or(dim);
        let rules = match loader {
            Loader::SentenceTransformers => Rules { prompt: modules.settings.prompt.clone(), ..Rules::default() },
            Loader::Model2Vec => {
                let names = ["config.json", "config_sentence_transformers.json"];
                let settings = names[usize::from(name != "embeddings")];
                let config: Config = files.json(settings)?.unwrap_or_default();
                if settings == "config.json" {
                    words::unknown(files, settings, WORDS, notes)?;
                }
                let most_tokens = config.max_length.unwrap_or(Some(MOST_TOKENS));
                let most_chars = most_tokens.map(|most| most.saturating_mul(tokens.median_chars()));
                let cut = most_tokens.map_or(CutAt::Nowhere, CutAt::Tokens);
                Rules { cut, most_chars, without: unknown(&file, bytes)?, ..Rules::default() }
            }
        };
        let tokens = tokens.with(&file, rules)?;
        let config = Model {
            embedding_dim: dim,
            hidden_dim: dim,
            num_layers: 0,
            span_window: 0,
            residual: false,
            vocab_size: rows,
            ..Model::default()
        };
        let encoder = StaticEncoder { config, tokens: table, span_weights: Vec::new(), layers: Vec::new() };
        let stored = tensors.stored(name).unwrap_or_default();
        Ok(Self { tokens, encoder, loader, stored })
    }
}

/// `config.json` of model2vec: `max_length` is obeyed, unit length is always given, and the rest says how it was made.
const WORDS: &[&str] = &[
    "max_length",
    "normalize",
    "model_type",
    "architectures",
    "hidden_dim",
    "seq_length",
    "tokenizer_name",
    "apply_pca",
    "apply_zipf",
    "sif_coefficient",
    "pca_dims",
    "pooling",
    "embedding_dtype",
    "vocabulary_quantization",
    "dtype",
    "torch_dtype",
    "transformers_version",
    "tokenizer_class",
];

/// Rows of the table that [`table`] makes.
fn table_rows(tensors: &Tensors<'_>, name: &str, rows: usize) -> usize {
    let mapped = if name == "embeddings" { tensors.shape("mapping") } else { None };
    mapped.map_or(rows, |shape| shape.iter().product())
}

/// One row for each token: `embeddings[mapping[token]] · weights[token]`. The mean of such rows is what model2vec makes
/// of the three, for it divides by the number of tokens, not by the sum of their weights.
///
/// A mapping of more rows than tokens need would only fill the memory.
fn table(
    tensors: &Tensors<'_>,
    name: &str,
    (rows, dim): (usize, usize),
    needed: usize,
) -> Result<Vec<f32>, EncoderError> {
    let mut table = tensors.floats(name, &[rows, dim])?;
    if name != "embeddings" {
        return Ok(table);
    }
    if tensors.has("mapping") {
        let mapping = tensors.rows("mapping", rows)?;
        if mapping.len() > needed + SPARE_ROWS {
            let reason = format!("names the rows of {} tokens, but the tokenizer has {needed}", mapping.len());
            return Err(fault("model.safetensors", format!("tensor \"mapping\" {reason}")));
        }
        table = mapping.iter().flat_map(|row| &table[row * dim..][..dim]).copied().collect();
    }
    if tensors.has("weights") {
        let weights = tensors.floats("weights", &[table.len() / dim])?;
        for (row, weight) in table.chunks_exact_mut(dim).zip(weights) {
            row.iter_mut().for_each(|x| *x *= weight);
        }
    }
    Ok(table)
}
