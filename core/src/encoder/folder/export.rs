//! A trained static model as a folder that sentence-transformers and model2vec load.

use super::super::{Checkpoint, EncoderError, Tokenizer};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

/// The files of the folder of `checkpoint`, by name. A head of one layer is linear: it goes into the token vectors, since a mean of images is the
/// image of the mean. With `without_span_weights`, weights by distance to the marked word are left out: vectors are then
/// those of texts without one.
///
/// # Errors
/// [`EncoderError::NotRepresentable`] for a head of more layers, and for span weights that are not to be left out.
pub fn export_static(
    checkpoint: &Checkpoint,
    without_span_weights: bool,
) -> Result<Vec<(String, Vec<u8>)>, EncoderError> {
    let config = &checkpoint.encoder.config;
    let Some(own_tokenizer) = &checkpoint.tokenizer else {
        let reason = "it is an adapter: it reads ready vectors, and a static model reads texts".to_owned();
        return Err(EncoderError::NotRepresentable { reason });
    };
    if config.num_layers > 1 {
        let layers = config.num_layers;
        let reason = format!(
            "it has a head of {layers} layers (model.num_layers), and what comes behind a mean of vectors can't go into \
             them unless it is linear"
        );
        return Err(EncoderError::NotRepresentable { reason });
    }
    let weights = &checkpoint.encoder.span_weights;
    let differ = weights.windows(2).any(|pair| pair[0] != pair[1]);
    if differ && !without_span_weights {
        let reason = format!(
            "it weights tokens by their distance to the marked word (model.span_window {}), and such a folder has one \
             weight a token",
            config.span_window
        );
        return Err(EncoderError::NotRepresentable { reason });
    }
    let tokenizer = tokenizer(own_tokenizer, config.max_tokens)?;
    let (table, dim) = folded(checkpoint);
    let rows = table.len() / dim;
    let bytes: Vec<u8> = table.iter().flat_map(|x| x.to_le_bytes()).collect();
    let container = |e: safetensors::SafeTensorError| EncoderError::Container { reason: e.to_string() };
    let view = TensorView::new(Dtype::F32, vec![rows, dim], &bytes).map_err(container)?;
    let weights = safetensors::serialize([("embedding.weight", view)], None).map_err(container)?;
    let text = |value: &Value| (format!("{value:#}\n")).into_bytes();
    let module = |idx: usize, path: &str, name: &str| json!({"idx": idx, "name": idx.to_string(), "path": path, "type": format!("sentence_transformers.models.{name}")});
    // Without a `config.json`, model2vec takes this file for its own.
    let config = json!({
        "model_type": "SentenceTransformer",
        "__version__": {"crucible": checkpoint.version},
        "prompts": {},
        "default_prompt_name": null,
        "similarity_fn_name": "cosine",
        "normalize": true,
        "max_length": null,
    });
    let modules = json!([module(0, "", "StaticEmbedding"), module(1, "1_Normalize", "Normalize")]);
    Ok(vec![
        ("config_sentence_transformers.json".to_owned(), text(&config)),
        ("model.safetensors".to_owned(), weights),
        ("modules.json".to_owned(), text(&modules)),
        ("tokenizer.json".to_owned(), tokenizer.into_bytes()),
    ])
}

/// The token vectors with the head in them, and numbers a vector.
fn folded(checkpoint: &Checkpoint) -> (Vec<f32>, usize) {
    let encoder = &checkpoint.encoder;
    let Some(layer) = encoder.layers.first() else { return (encoder.tokens.clone(), encoder.dim()) };
    let input = encoder.config.embedding_dim;
    let image = |row: &[f32]| -> Vec<f32> {
        let products = layer.weight.chunks_exact(input).zip(&layer.bias).enumerate();
        let value = |(k, (weights, bias)): (usize, (&[f32], &f32))| {
            let sum: f64 = weights.iter().zip(row).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            let passed = if encoder.config.residual { f64::from(row[k]) } else { 0.0 };
            (sum + f64::from(*bias) + passed) as f32
        };
        products.map(value).collect()
    };
    (encoder.tokens.chunks_exact(input).flat_map(image).collect(), encoder.dim())
}

/// The `tokenizer.json`, which cuts texts where the model does.
fn tokenizer(tokenizer: &Tokenizer, most: usize) -> Result<String, EncoderError> {
    let refused = |e: serde_json::Error| EncoderError::TokenizerJson { reason: e.to_string() };
    let mut json: Value = serde_json::from_str(&tokenizer.to_json()?).map_err(refused)?;
    json["truncation"] = json!({"direction": "Right", "max_length": most, "strategy": "LongestFirst", "stride": 0});
    Ok(json.to_string())
}
