//! The words of a folder's settings: what is obeyed, what is refused, and what is known to change no vector.
//!
//! A word that is in no list is said to the user: nothing is passed over in silence.

use super::super::EncoderError;
use super::files::{Files, fault, within};
use super::{Loader, Prompt};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What to do about code that a folder brings.
const INSTEAD: &str = "such code is never run here; make the model's vectors in Python and give them as a .npy file with \
                       their ids instead";

/// Settings of the whole model.
pub(super) const MODEL: &str = "config_sentence_transformers.json";

/// `config_sentence_transformers.json`.
#[derive(Default, Deserialize)]
pub(super) struct Words {
    #[serde(default)]
    prompts: BTreeMap<String, Option<String>>,
    #[serde(default)]
    default_prompt_name: Option<String>,
    #[serde(default)]
    truncate_dim: Option<i64>,
    #[serde(default)]
    similarity_fn_name: Option<String>,
    #[serde(default)]
    model_type: Option<String>,
}

/// What it comes to.
#[derive(Clone)]
pub(super) struct Settings {
    /// Comes before every text.
    pub(super) prompt: String,
    /// Numbers of a vector that are kept.
    pub(super) truncate: Option<usize>,
    /// What the folder asks to compare vectors with, where it is not the cosine.
    pub(super) similarity: Option<String>,
}

/// Known beside those in [`Words`]; model2vec reads the last ones where there is no `config.json`.
const WORDS: &[&str] = &[
    "prompts",
    "default_prompt_name",
    "truncate_dim",
    "similarity_fn_name",
    "model_type",
    "__version__",
    "requirements",
    "normalize",
    "max_length",
    "architectures",
    "hidden_dim",
    "seq_length",
    "tokenizer_name",
];

impl Settings {
    pub(super) fn read(files: &Files<'_>, asked: &Prompt, notes: &mut Vec<String>) -> Result<Self, EncoderError> {
        let words: Words = files.json(MODEL)?.unwrap_or_default();
        if let Some(kind) = words.model_type.as_deref().filter(|kind| MANY_VECTORS.contains(kind)) {
            return Err(fault(MODEL, format!("is of a {kind}, which does not make one dense vector of a text")));
        }
        unknown(files, MODEL, WORDS, notes)?;
        let truncate = match words.truncate_dim {
            Some(dim) if dim < 1 => {
                return Err(fault(MODEL, format!("has truncate_dim = {dim}; expected a number of at least 1")));
            }
            dim => dim.and_then(|dim| usize::try_from(dim).ok()),
        };
        let similarity = words.similarity_fn_name.clone().filter(|name| name != "cosine");
        if let Some(name) = similarity.as_deref().filter(|name| !["dot", "euclidean", "manhattan"].contains(name)) {
            notes.push(format!("{MODEL}: similarity_fn_name {name:?} is not known; cosines are taken"));
        }
        Ok(Self { prompt: words.prompt(asked, notes)?, truncate, similarity })
    }
}

const MANY_VECTORS: [&str; 3] = ["SparseEncoder", "CrossEncoder", "MultiVectorEncoder"];

impl Words {
    /// The prompt that was asked for, or the folder's own.
    fn prompt(&self, asked: &Prompt, notes: &mut Vec<String>) -> Result<String, EncoderError> {
        let named = |name: &str| match self.prompts.get(name) {
            Some(prompt) => Ok(prompt.clone().unwrap_or_default()),
            None => {
                let names: Vec<&str> = self.prompts.keys().map(String::as_str).collect();
                Err(fault(MODEL, format!("has no prompt {name:?}; it has {names:?}")))
            }
        };
        match (asked, &self.default_prompt_name) {
            (Prompt::Text(text), _) => Ok(text.clone()),
            (Prompt::Named(name), _) => named(name),
            (Prompt::Default, Some(name)) => named(name),
            (Prompt::Default, None) => {
                let filled = self.prompts.iter().filter(|(_, prompt)| prompt.as_ref().is_some_and(|p| !p.is_empty()));
                let names: Vec<&str> = filled.map(|(name, _)| name.as_str()).collect();
                if !names.is_empty() {
                    let names = names.join(", ");
                    notes.push(format!(
                        "{MODEL} has prompts ({names}), none of them a default: texts get none (--prompt-name)"
                    ));
                }
                Ok(String::new())
            }
        }
    }
}

/// Says which words of a file are not known.
pub(super) fn unknown(
    files: &Files<'_>,
    file: &str,
    known: &[&str],
    notes: &mut Vec<String>,
) -> Result<(), EncoderError> {
    let Some(words) = files.json::<Map<String, Value>>(file)? else { return Ok(()) };
    let unknown: Vec<&str> = words.keys().map(String::as_str).filter(|word| !known.contains(word)).collect();
    if !unknown.is_empty() {
        let some: Vec<String> = unknown.iter().take(5).map(|word| word.chars().take(60).collect()).collect();
        let more = if unknown.len() > 5 { " and others" } else { "" };
        notes.push(format!("{file}: {}{more} not known here, so without effect", some.join(", ")));
    }
    Ok(())
}

/// Refuses a folder that is no whole model, or brings code of its own.
pub(super) fn check_folder(files: &Files<'_>, path: &str) -> Result<(), EncoderError> {
    if files.get(ADAPTER).is_some() || files.get(&within(path, ADAPTER)).is_some() {
        let reason = "is of an adapter (LoRA, PEFT), not of a whole model; merge it into its base model first: \
                      PeftModel.from_pretrained(base, DIR).merge_and_unload().save_pretrained(DIR2)";
        return Err(fault(ADAPTER, reason));
    }
    for name in ["config.json", "tokenizer_config.json"] {
        let file = within(path, name);
        let Some(config) = files.json::<Map<String, Value>>(&file)? else { continue };
        match config.get("auto_map") {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) if map.is_empty() => {}
            Some(map) => {
                let map: String = map.to_string().chars().take(200).collect();
                return Err(fault(&file, format!("names code of the folder's own (auto_map {map}): {INSTEAD}")));
            }
        }
    }
    Ok(())
}

const ADAPTER: &str = "adapter_config.json";

/// Whether a module's type is sentence-transformers' own.
///
/// # Errors
/// It is somebody else's code.
pub(super) fn check_module(kind: &str) -> Result<(), EncoderError> {
    match kind.starts_with("sentence_transformers.") {
        true => Ok(()),
        false => {
            Err(fault("modules.json", format!("names the module {kind:?}, which is not the library's own: {INSTEAD}")))
        }
    }
}

/// Refuses a module that works on something else than the vector of a text.
pub(super) fn check_ports(file: &str, config: &Map<String, Value>) -> Result<(), EncoderError> {
    for port in ["module_input_name", "module_output_name"] {
        match config.get(port) {
            None | Some(Value::Null) => {}
            Some(Value::String(name)) if name == "sentence_embedding" => {}
            Some(name) => {
                return Err(fault(file, format!("has {port} = {name}; read is \"sentence_embedding\"")));
            }
        }
    }
    Ok(())
}

/// `config.json` of a BERT: what decides numbers is in `bert::Config`, the rest changes none.
pub(super) const BERT: &[&str] = &[
    // Obeyed or refused.
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
    "hidden_act",
    "position_embedding_type",
    "is_decoder",
    "model_type",
    "auto_map",
    "quantization_config",
    "pruned_heads",
    "add_cross_attention",
    "is_encoder_decoder",
    // Training.
    "attention_probs_dropout_prob",
    "hidden_dropout_prob",
    "classifier_dropout",
    "initializer_range",
    "gradient_checkpointing",
    "problem_type",
    "finetuning_task",
    "id2label",
    "label2id",
    "num_labels",
    // How it is stored, run and named.
    "architectures",
    "torch_dtype",
    "dtype",
    "use_cache",
    "transformers_version",
    "_name_or_path",
    "name_or_path",
    "_commit_hash",
    "_attn_implementation",
    "_attn_implementation_autoset",
    "attn_implementation",
    "use_flash_attention_2",
    "torchscript",
    "use_bfloat16",
    "tf_legacy_loss",
    "return_dict",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "chunk_size_feed_forward",
    "tie_word_embeddings",
    "tie_encoder_decoder",
    "cross_attention_hidden_size",
    "tokenizer_class",
    "prefix",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
    "sep_token_id",
    "cls_token_id",
    "mask_token_id",
    "unk_token_id",
    "decoder_start_token_id",
    "task_specific_params",
    "language",
    "directionality",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
    "sentence_transformers",
    "adapters",
    "emb_size",
    "model_max_length",
    "embedding_size",
    "transformers.js_config",
    "gradient_checkpointing_kwargs",
    "nb_labels",
    "summary_activation",
    "summary_first_dropout",
    "summary_proj_to_labels",
    "summary_type",
    "summary_use_proj",
    // Generation.
    "max_length",
    "min_length",
    "do_sample",
    "early_stopping",
    "num_beams",
    "num_beam_groups",
    "diversity_penalty",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
    "repetition_penalty",
    "length_penalty",
    "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size",
    "bad_words_ids",
    "num_return_sequences",
    "output_scores",
    "return_dict_in_generate",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "remove_invalid_values",
    "exponential_decay_length_penalty",
    "suppress_tokens",
    "begin_suppress_tokens",
];

/// `sentence_bert_config.json`.
const SENTENCE: &[&str] = &[
    "max_seq_length",
    "do_lower_case",
    "transformer_task",
    "modality_config",
    "module_output_name",
    "processing_kwargs",
    "unpad_inputs",
    "model_args",
    "tokenizer_args",
    "config_args",
    "model_kwargs",
    "processor_kwargs",
    "tokenizer_kwargs",
    "config_kwargs",
    "backend",
    "cache_dir",
];

/// What `sentence_bert_config.json` says beside lengths and case.
pub(super) fn check_sentence(files: &Files<'_>, file: &str, notes: &mut Vec<String>) -> Result<(), EncoderError> {
    let Some(words) = files.json::<Map<String, Value>>(file)? else { return Ok(()) };
    unknown(files, file, SENTENCE, notes)?;
    let only = |key: &str, expected: &str| match words.get(key) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(text)) if text == expected => Ok(()),
        Some(other) => Err(fault(file, format!("has {key} = {other}; read is {expected:?}"))),
    };
    only("transformer_task", "feature-extraction")?;
    only("module_output_name", "token_embeddings")?;
    if let Some(text) = words.get("modality_config").and_then(|config| config.get("text"))
        && (text["method"] != "forward" || text["method_output_name"] != "last_hidden_state")
    {
        return Err(fault(file, format!("reads texts by {text}; read is the last hidden state of a forward pass")));
    }
    let empty = |value: &Value| value.is_null() || value.as_object().is_some_and(Map::is_empty);
    if let Some(own) = words.get("processing_kwargs").filter(|value| !empty(value)) {
        return Err(fault(file, format!("has processing_kwargs = {own}: texts would be read in another way")));
    }
    for key in [
        "model_args",
        "tokenizer_args",
        "config_args",
        "model_kwargs",
        "processor_kwargs",
        "tokenizer_kwargs",
        "config_kwargs",
    ] {
        let Some(arguments) = words.get(key).filter(|value| !empty(value)) else { continue };
        if arguments.get("trust_remote_code") == Some(&Value::Bool(true)) {
            return Err(fault(file, format!("asks to run the folder's own code ({key}.trust_remote_code): {INSTEAD}")));
        }
        notes.push(format!("{file}: {key} is without effect here"));
    }
    Ok(())
}

/// What the loader at hand does not read, or what scores as they are made here do not follow.
pub(super) fn notes_on(settings: &Settings, loader: Loader, unit: bool, notes: &mut Vec<String>) {
    if loader == Loader::Model2Vec && settings.truncate.is_some() {
        notes.push(format!(
            "{MODEL}: truncate_dim is for sentence-transformers; model2vec's rules keep all numbers (--loader)"
        ));
    }
    match settings.similarity.as_deref() {
        // Of vectors of length 1 these order as cosines do.
        Some("dot" | "euclidean") if unit => {}
        Some(name @ ("dot" | "euclidean" | "manhattan")) => notes.push(format!(
            "{MODEL} asks for similarity_fn_name {name:?}; scores here are cosines, so they may order texts otherwise"
        )),
        _ => {}
    }
}
