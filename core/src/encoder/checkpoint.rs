//! Checkpoints: one safetensors file with all that an evaluator needs.
//!
//! Besides the tensors there is exactly one metadata key, holding one JSON document with sorted keys: with more, the
//! library would write them in the order of a hash map, and bytes would not repeat. Files come from anywhere, so reading
//! checks every size against the bytes at hand before it allocates.

use super::static_encoder::{self, Layer, StaticEncoder};
use super::{Corpus, CorpusBuilder, Done, Encoder, EncoderError, Tokenizer};
use crate::backend::{Backend, BackendError};
use crate::config::{Model, ModelKind};
use crate::data::{Event, hex};
use crate::embeddings::Embeddings;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// The metadata key.
const KEY: &str = "crucible";

/// A trained encoder with its tokenizer, and where it comes from.
pub struct Checkpoint {
    /// The encoder.
    pub encoder: StaticEncoder,
    /// Its tokenizer; an adapter has none.
    pub tokenizer: Option<Tokenizer>,
    /// Training steps behind it.
    pub step: u64,
    /// The seed it was trained with.
    pub seed: u64,
    /// The program's version that wrote it.
    pub version: String,
}

/// The JSON document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    config: Model,
    seed: u64,
    step: u64,
    /// `tokenizer.json`, as text: whole and unchanged; nothing for an adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokenizer: Option<String>,
    version: String,
}

/// Name and shape of each tensor that an encoder of this config has, with a table of `vocab` tokens; none: an adapter's.
fn expected(config: &Model, vocab: Option<usize>) -> Vec<(String, Vec<usize>)> {
    let table = vocab.map(|vocab| ("token_embeddings".to_owned(), vec![vocab, config.embedding_dim]));
    let mut tensors: Vec<_> = table.into_iter().collect();
    if static_encoder::has_span_weights(config) {
        tensors.push(("span_weights".to_owned(), vec![static_encoder::span_weight_count(config)]));
    }
    for (number, (out, input)) in static_encoder::layer_shapes(config).into_iter().enumerate() {
        tensors.push((format!("head.{number}.weight"), vec![out, input]));
        tensors.push((format!("head.{number}.bias"), vec![out]));
    }
    tensors
}

impl Checkpoint {
    /// The file's bytes; the same for the same checkpoint.
    ///
    /// # Errors
    /// When a tensor has not the shape that the config asks for, or holds a NaN or infinity.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncoderError> {
        let encoder = &self.encoder;
        static_encoder::check(&encoder.config)?;
        let vocab = self.tokenizer.as_ref().map(Tokenizer::vocab_size);
        let mut data: Vec<&[f32]> = vocab.iter().map(|_| encoder.tokens.as_slice()).collect();
        if static_encoder::has_span_weights(&encoder.config) {
            data.push(&encoder.span_weights);
        }
        data.extend(encoder.layers.iter().flat_map(|layer| [&*layer.weight, &layer.bias]));
        let names = expected(&encoder.config, vocab);
        if data.len() != names.len() {
            let reason = format!("is {}, but the encoder has {}", encoder.config.num_layers, encoder.layers.len());
            return Err(EncoderError::Config { field: "num_layers", reason });
        }
        let bytes: Vec<Vec<u8>> = data.iter().map(|data| data.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
        let mut views = Vec::with_capacity(names.len());
        for (((name, shape), data), bytes) in names.into_iter().zip(&data).zip(&bytes) {
            if data.len() != shape.iter().product::<usize>() {
                return Err(EncoderError::WrongShape { name, expected: shape, found: vec![data.len()] });
            }
            finite(&name, data)?;
            views.push((name, TensorView::new(Dtype::F32, shape, bytes).map_err(|e| container(&e))?));
        }
        let document = Document {
            config: encoder.config.clone(),
            seed: self.seed,
            step: self.step,
            tokenizer: self.tokenizer.as_ref().map(Tokenizer::to_json).transpose()?,
            version: self.version.clone(),
        };
        let refused = |e: serde_json::Error| EncoderError::Document { reason: e.to_string() };
        let mut document = serde_json::to_value(document).map_err(refused)?;
        document.sort_all_objects();
        let metadata = HashMap::from([(KEY.to_owned(), document.to_string())]);
        safetensors::serialize(views, Some(metadata)).map_err(|e| container(&e))
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// When the bytes are no safetensors file, the document is missing or wrong, or a tensor is missing, not expected,
    /// of another type or shape, or not finite.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EncoderError> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| container(&e))?;
        let document = header.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or(EncoderError::NoDocument)?;
        let document: Document =
            serde_json::from_str(document).map_err(|e| EncoderError::Document { reason: e.to_string() })?;
        static_encoder::check(&document.config)?;
        let tokenizer = document.tokenizer.as_deref().map(Tokenizer::from_json).transpose()?;
        if tokenizer.is_some() != (document.config.kind == ModelKind::Static) {
            let reason = "a static encoder has a `tokenizer`, and an adapter has none".to_owned();
            return Err(EncoderError::Document { reason });
        }

        let file = SafeTensors::deserialize(bytes).map_err(|e| container(&e))?;
        let expected = expected(&document.config, tokenizer.as_ref().map(Tokenizer::vocab_size));
        let mut names = file.names();
        names.sort_unstable();
        if let Some(name) = names.into_iter().find(|name| expected.iter().all(|(known, _)| known != name)) {
            return Err(EncoderError::UnknownTensor { name: name.to_owned() });
        }
        let mut tensors = Vec::with_capacity(expected.len());
        for (name, shape) in expected {
            let tensor = file.tensor(&name).map_err(|_| EncoderError::MissingTensor { name: name.clone() })?;
            if tensor.dtype() != Dtype::F32 {
                return Err(EncoderError::WrongType { name, found: tensor.dtype().to_string() });
            }
            if tensor.shape() != shape {
                return Err(EncoderError::WrongShape { name, expected: shape, found: tensor.shape().to_vec() });
            }
            tensors.push((name, tensor.data()));
        }
        // All sizes fit: only now numbers are copied, no more of them than the file holds.
        let mut tensors = tensors.into_iter().map(|(name, data)| {
            let data: Vec<f32> = data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            finite(&name, &data).map(|()| data)
        });
        let mut next = || tensors.next().unwrap_or_else(|| Ok(Vec::new()));
        let config = document.config;
        let tokens = if tokenizer.is_some() { next()? } else { Vec::new() };
        let span_weights = if static_encoder::has_span_weights(&config) { next()? } else { Vec::new() };
        let mut layers = Vec::with_capacity(config.num_layers);
        for _ in 0..config.num_layers {
            layers.push(Layer { weight: next()?.into(), bias: next()? });
        }
        let encoder = StaticEncoder { config, tokens, span_weights, layers };
        Ok(Self { encoder, tokenizer, step: document.step, seed: document.seed, version: document.version })
    }

    /// Takes events as the model wants them.
    #[must_use]
    pub fn corpus(&self) -> CorpusBuilder<'_> {
        let config = &self.encoder.config;
        match &self.tokenizer {
            Some(tokenizer) => CorpusBuilder::new(tokenizer, config.span_window, config.max_tokens),
            None => CorpusBuilder::of_ready(config.embedding_dim),
        }
    }

    /// What belongs to the model and may change its numbers (`model_conditions` of a scoreboard).
    ///
    /// # Errors
    /// The tokenizer has no text form.
    pub fn conditions(&self) -> Result<BTreeMap<String, Value>, EncoderError> {
        let config = &self.encoder.config;
        let mut conditions = match &self.tokenizer {
            None => vec![("loader", json!("crucible_adapter")), ("input_dim", json!(config.embedding_dim))],
            Some(tokenizer) => vec![
                ("loader", json!("crucible_static")),
                ("tokenizer_sha256", json!(hex(&Sha256::digest(tokenizer.to_json()?.as_bytes())))),
                ("vocab_size", json!(tokenizer.vocab_size())),
                ("max_tokens", json!(config.max_tokens)),
                ("prompt", Value::Null),
                ("pooling", json!(if config.span_window > 0 { "weighted_mean_around_span" } else { "mean" })),
                ("span_window", json!(config.span_window)),
            ],
        };
        conditions.extend([("dim", json!(self.encoder.dim())), ("dtype", json!("f32"))]);
        Ok(conditions.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

impl Encoder for Checkpoint {
    fn dim(&self) -> usize {
        self.encoder.dim()
    }

    fn tokenise(&self, events: &[Event]) -> Result<Corpus, EncoderError> {
        let mut builder = self.corpus();
        builder.extend(events)?;
        Ok(builder.finish())
    }

    fn embed_telling(&self, corpus: &Corpus, _done: Done<'_>) -> Embeddings {
        self.encoder.embed(corpus)
    }

    async fn embed_on<B: Backend>(
        &self,
        backend: &B,
        corpus: &Corpus,
        _done: Done<'_>,
    ) -> Result<Embeddings, BackendError> {
        self.encoder.embed_on(backend, corpus).await
    }

    fn conditions(&self) -> Result<BTreeMap<String, Value>, EncoderError> {
        Checkpoint::conditions(self)
    }
}

fn container(error: &safetensors::SafeTensorError) -> EncoderError {
    EncoderError::Container { reason: error.to_string() }
}

fn finite(name: &str, data: &[f32]) -> Result<(), EncoderError> {
    match data.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(EncoderError::NotFinite { name: name.to_owned(), index }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::static_encoder::tests::{encoder, events, small, trained_tokenizer};
    use super::*;

    fn checkpoint() -> Checkpoint {
        let tokenizer = trained_tokenizer(&events(60));
        let encoder = encoder(&small(), tokenizer.vocab_size());
        Checkpoint { encoder, tokenizer: Some(tokenizer), step: 12, seed: u64::MAX, version: "0.1.0".to_owned() }
    }

    /// Header and tensor bytes of a file.
    fn parts(bytes: &[u8]) -> (Value, Vec<u8>) {
        let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
        (serde_json::from_slice(&bytes[8..8 + length]).expect("JSON"), bytes[8 + length..].to_vec())
    }

    fn file(header: &Value, data: &[u8]) -> Vec<u8> {
        let header = header.to_string();
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }

    fn document(header: &Value) -> Value {
        serde_json::from_str(header["__metadata__"][KEY].as_str().expect("text")).expect("JSON")
    }

    fn read(header: &Value, data: &[u8]) -> EncoderError {
        Checkpoint::from_bytes(&file(header, data)).err().expect("must be refused")
    }

    #[test]
    fn gives_back_what_was_written_in_bytes_that_repeat() {
        for config in [small(), Model { span_window: 0, num_layers: 0, ..small() }] {
            let mut checkpoint = checkpoint();
            let vocab = checkpoint.tokenizer.as_ref().map_or(0, Tokenizer::vocab_size);
            checkpoint.encoder = encoder(&config, vocab);
            let bytes = checkpoint.to_bytes().expect("writes");
            assert!(bytes == checkpoint.to_bytes().expect("writes"));
            let read = Checkpoint::from_bytes(&bytes).expect("reads");
            assert!(read.encoder == checkpoint.encoder);
            assert_eq!((read.step, read.seed, read.version.as_str()), (12, u64::MAX, "0.1.0"));
            assert!(read.to_bytes().expect("writes") == bytes);
            let events = events(60);
            assert!(read.embed_events(&events).expect("embeds") == checkpoint.embed_events(&events).expect("embeds"));
        }
    }

    #[test]
    fn the_document_is_one_key_with_sorted_keys() {
        let (header, _) = parts(&checkpoint().to_bytes().expect("writes"));
        assert_eq!(header["__metadata__"].as_object().map(serde_json::Map::len), Some(1));
        let document = document(&header);
        for object in [&document, &document["config"]] {
            let keys: Vec<&String> = object.as_object().expect("an object").keys().collect();
            assert!(keys.is_sorted() && keys.len() >= 5, "{keys:?}");
        }
        assert!(Tokenizer::from_json(document["tokenizer"].as_str().expect("text")).is_ok());
    }

    #[test]
    fn lying_headers_are_refused() {
        let bytes = checkpoint().to_bytes().expect("writes");
        for cut in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
            assert!(matches!(Checkpoint::from_bytes(&bytes[..cut]), Err(EncoderError::Container { .. })), "{cut}");
        }
        for length in [0, 1, u64::MAX, 1 << 40, bytes.len() as u64] {
            let lying = [&length.to_le_bytes(), &bytes[8..]].concat();
            assert!(matches!(Checkpoint::from_bytes(&lying), Err(EncoderError::Container { .. })), "{length}");
        }
        let (header, data) = parts(&bytes);
        for (key, value) in [
            ("data_offsets", json!([0, u64::MAX])),
            ("data_offsets", json!([8, 4])),
            ("shape", json!([u64::MAX, 33])),
            ("shape", json!([1, 33])),
            ("dtype", json!("F99")),
        ] {
            let mut lying = header.clone();
            lying["token_embeddings"][key] = value;
            assert!(matches!(read(&lying, &data), EncoderError::Container { .. }), "{key}");
        }
        assert!(matches!(read(&header, &[data, vec![0]].concat()), EncoderError::Container { .. }), "a byte too many");
    }

    #[test]
    fn wrong_tensors_are_refused_by_name() {
        let (header, data) = parts(&checkpoint().to_bytes().expect("writes"));
        let with = |change: &dyn Fn(&mut Value)| {
            let mut header = header.clone();
            change(&mut header);
            read(&header, &data)
        };
        let rename = |from: &str, to: &str| {
            with(&|h| {
                let tensor = h.as_object_mut().and_then(|h| h.remove(from)).expect("is there");
                h[to] = tensor;
            })
        };
        assert_eq!(
            rename("head.1.bias", "head.2.bias"),
            EncoderError::UnknownTensor { name: "head.2.bias".to_owned() }
        );
        let wrong_type = with(&|h| h["head.0.bias"]["dtype"] = json!("I32"));
        assert_eq!(wrong_type, EncoderError::WrongType { name: "head.0.bias".to_owned(), found: "I32".to_owned() });
        let EncoderError::WrongShape { name, expected, found } = with(&|h| h["head.0.bias"]["shape"] = json!([3, 11]))
        else {
            panic!("shape")
        };
        assert_eq!((name.as_str(), expected, found), ("head.0.bias", vec![33], vec![3, 11]));
        let at = header["head.1.weight"]["data_offsets"][0].as_u64().expect("a number") as usize + 4 * 5;
        for bad in [f32::NAN, f32::INFINITY] {
            let mut data = data.clone();
            data[at..at + 4].copy_from_slice(&bad.to_le_bytes());
            assert_eq!(read(&header, &data), EncoderError::NotFinite { name: "head.1.weight".to_owned(), index: 5 });
        }
    }

    #[test]
    fn wrong_documents_are_refused() {
        let (header, data) = parts(&checkpoint().to_bytes().expect("writes"));
        let with = |change: &dyn Fn(&mut Value)| {
            let (mut header, mut document) = (header.clone(), document(&header));
            change(&mut document);
            header["__metadata__"][KEY] = Value::String(document.to_string());
            read(&header, &data)
        };
        let mut bare = header.clone();
        bare["__metadata__"] = json!({"format": "pt"});
        assert_eq!(read(&bare, &data), EncoderError::NoDocument);
        bare["__metadata__"] = json!({KEY: "{"});
        assert!(matches!(read(&bare, &data), EncoderError::Document { .. }));
        assert!(matches!(with(&|d| d["config"]["more"] = json!(1)), EncoderError::Document { .. }));
        assert!(matches!(with(&|d| d["step"] = json!(-1)), EncoderError::Document { .. }));
        assert!(matches!(with(&|d| d["tokenizer"] = json!("{}")), EncoderError::TokenizerJson { .. }));
        for field in ["embedding_dim", "hidden_dim", "num_layers", "span_window"] {
            let huge = with(&|d| d["config"][field] = json!(u64::MAX));
            assert!(matches!(huge, EncoderError::Config { field: f, .. } if f == field), "{huge:?}");
        }
        // Sizes within limits that are not those of the tensors.
        let wider = with(&|d| (d["config"]["embedding_dim"], d["config"]["hidden_dim"]) = (json!(8192), json!(8192)));
        assert!(matches!(wider, EncoderError::WrongShape { .. }), "{wider:?}");
        let deeper = with(&|d| d["config"]["num_layers"] = json!(3));
        assert_eq!(deeper, EncoderError::MissingTensor { name: "head.2.weight".to_owned() });
    }

    #[test]
    fn what_could_not_be_read_is_not_written() {
        let mut broken = checkpoint();
        broken.encoder.tokens[40] = f32::NAN;
        assert_eq!(broken.to_bytes(), Err(EncoderError::NotFinite { name: "token_embeddings".to_owned(), index: 40 }));
        let mut broken = checkpoint();
        broken.encoder.tokens.truncate(33);
        assert!(matches!(broken.to_bytes(), Err(EncoderError::WrongShape { .. })));
        let mut broken = checkpoint();
        broken.encoder.layers.pop();
        assert!(matches!(broken.to_bytes(), Err(EncoderError::Config { .. })));
    }
}
