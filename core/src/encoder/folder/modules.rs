//! `modules.json` and the settings of each module: what is done to a text, step by step.

use super::super::EncoderError;
use super::files::{Files, fault, within};
use super::tensors::Tensors;
use super::{Options, Prompt};
use crate::config::Activation;
use crate::kernels::matmul::{View, Weights};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    Static,
    Transformer,
}

/// The steps behind it.
pub(super) enum Step {
    Normalise,
    Dense(Dense),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normalise => "Normalize",
            Self::Dense(_) => "a Dense layer",
        })
    }
}

/// A linear layer on pooled vectors.
pub(super) struct Dense {
    pub(super) weight: Weights,
    pub(super) bias: Vec<f32>,
    pub(super) activation: Option<Activation>,
}

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    Cls,
    Max,
    Mean,
    MeanSqrtLen,
    /// By position: the first token counts once, the second twice.
    WeightedMean,
    Last,
}

/// All of it.
pub(super) struct Modules {
    pub(super) first: First,
    /// Folder of the first module; empty for the root.
    pub(super) first_path: String,
    /// Their vectors are put side by side.
    pub(super) pooling: Vec<Pooling>,
    /// Tokens of the prompt count in pooling.
    pub(super) include_prompt: bool,
    pub(super) steps: Vec<Step>,
    pub(super) prompt: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

/// `config_sentence_transformers.json`.
#[derive(Default, Deserialize)]
struct Prompts {
    #[serde(default)]
    prompts: BTreeMap<String, Option<String>>,
    #[serde(default)]
    default_prompt_name: Option<String>,
}

impl Modules {
    pub(super) fn read(files: &Files<'_>, options: &Options) -> Result<Self, EncoderError> {
        let entries: Option<Vec<Entry>> = files.json("modules.json")?;
        let prompt = prompt(files, &options.prompt)?;
        let Some(entries) = entries else { return Ok(Self::without(files, prompt)) };
        let mut modules = Self {
            first: First::Transformer,
            first_path: String::new(),
            pooling: Vec::new(),
            include_prompt: true,
            steps: Vec::new(),
            prompt,
        };
        for (number, Entry { path, kind }) in entries.into_iter().enumerate() {
            match (number, kind.rsplit('.').next().unwrap_or_default()) {
                (0, "Transformer") => modules.first_path = path,
                (0, "StaticEmbedding") => (modules.first, modules.first_path) = (First::Static, path),
                (1, "Pooling") if modules.first == First::Transformer => {
                    (modules.pooling, modules.include_prompt) = pooling(files, &within(&path, "config.json"))?;
                }
                (1.., "Normalize") => modules.steps.push(Step::Normalise),
                (1.., "Dense") => modules.steps.push(Step::Dense(Dense::read(files, &path)?)),
                (1.., "Dropout") => {} // Does nothing outside of training.
                (place, _) => {
                    let reason = format!(
                        "has {kind:?} in place {place}; read are Transformer, Pooling, Dense and Normalize, or \
                         StaticEmbedding and Normalize, in that order"
                    );
                    return Err(fault("modules.json", reason));
                }
            }
        }
        if modules.first == First::Transformer && modules.pooling.is_empty() {
            return Err(fault("modules.json", "has no Pooling behind the Transformer: there is no vector of a text"));
        }
        Ok(modules)
    }

    /// A folder without `modules.json`: model2vec's, or a bare BERT, of which sentence-transformers takes the mean.
    fn without(files: &Files<'_>, prompt: String) -> Self {
        let config: Map<String, Value> = files.json("config.json").ok().flatten().unwrap_or_default();
        let kind = config.get("model_type").and_then(Value::as_str);
        let is_static = files.get("config.json").is_none() || kind == Some("model2vec") || kind.is_none();
        let first = if is_static { First::Static } else { First::Transformer };
        Self {
            first,
            first_path: String::new(),
            pooling: vec![Pooling::Mean],
            include_prompt: true,
            steps: Vec::new(),
            prompt,
        }
    }
}

/// The prompt that was asked for, or the folder's own.
fn prompt(files: &Files<'_>, asked: &Prompt) -> Result<String, EncoderError> {
    const FILE: &str = "config_sentence_transformers.json";
    let Prompts { prompts, default_prompt_name } = files.json(FILE)?.unwrap_or_default();
    let named = |name: &str| match prompts.get(name) {
        Some(prompt) => Ok(prompt.clone().unwrap_or_default()),
        None => {
            let names: Vec<&str> = prompts.keys().map(String::as_str).collect();
            Err(fault(FILE, format!("has no prompt {name:?}; it has {names:?}")))
        }
    };
    match (asked, default_prompt_name) {
        (Prompt::Text(text), _) => Ok(text.clone()),
        (Prompt::Named(name), _) => named(name),
        (Prompt::Default, Some(name)) => named(&name),
        (Prompt::Default, None) => Ok(String::new()),
    }
}

impl Pooling {
    const NAMES: [(&str, &str, Self); 6] = [
        ("pooling_mode_cls_token", "cls", Self::Cls),
        ("pooling_mode_max_tokens", "max", Self::Max),
        ("pooling_mode_mean_tokens", "mean", Self::Mean),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", Self::MeanSqrtLen),
        ("pooling_mode_weightedmean_tokens", "weightedmean", Self::WeightedMean),
        ("pooling_mode_lasttoken", "lasttoken", Self::Last),
    ];

    /// As sentence-transformers names it.
    pub(super) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(.., mode)| *mode == self).map_or("", |(_, name, _)| name)
    }

    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known, _)| *known == name).map(|(.., mode)| *mode)
    }
}

/// Modes, in the order in which their vectors are put side by side, and whether the prompt's tokens count. The older
/// spelling has a key for each mode, the newer one `pooling_mode`.
fn pooling(files: &Files<'_>, file: &str) -> Result<(Vec<Pooling>, bool), EncoderError> {
    let config: Map<String, Value> = files.json(file)?.ok_or_else(|| fault(file, "is missing"))?;
    let include_prompt = config.get("include_prompt").and_then(Value::as_bool).unwrap_or(true);
    let named = |name: &Value| {
        let mode = name.as_str().and_then(Pooling::named);
        mode.ok_or_else(|| fault(file, format!("has the pooling mode {name}, which is not known")))
    };
    let modes = match config.get("pooling_mode") {
        Some(Value::Array(names)) => names.iter().map(named).collect::<Result<Vec<_>, _>>()?,
        Some(name) => vec![named(name)?],
        None => {
            let is_on = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(false);
            Pooling::NAMES.iter().filter(|(key, ..)| is_on(key)).map(|(.., mode)| *mode).collect()
        }
    };
    Ok((if modes.is_empty() { vec![Pooling::Mean] } else { modes }, include_prompt))
}

#[derive(Deserialize)]
struct DenseConfig {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    #[serde(default)]
    activation_function: Option<String>,
    #[serde(default)]
    use_residual: bool,
}

fn yes() -> bool {
    true
}

impl Dense {
    fn read(files: &Files<'_>, path: &str) -> Result<Self, EncoderError> {
        let file = within(path, "config.json");
        let config: DenseConfig = files.json(&file)?.ok_or_else(|| fault(&file, "is missing"))?;
        let DenseConfig { in_features, out_features, bias, activation_function, use_residual } = config;
        if use_residual {
            return Err(fault(&file, "has use_residual: such a Dense layer is not read"));
        }
        let name = activation_function.as_deref().unwrap_or("torch.nn.modules.activation.Tanh");
        let activation = match name.rsplit('.').next().unwrap_or_default() {
            "Identity" => None,
            "Tanh" => Some(Activation::Tanh),
            "ReLU" => Some(Activation::Relu),
            other => return Err(fault(&file, format!("has activation {other:?}; read are Identity, Tanh and ReLU"))),
        };
        let tensors = Tensors::read(files, path)?;
        let weight = tensors.floats("linear.weight", &[out_features, in_features])?;
        let bias = if bias { tensors.floats("linear.bias", &[out_features])? } else { vec![0.0; out_features] };
        Ok(Self { weight: Weights::new(View::new(&weight, out_features, in_features).t()), bias, activation })
    }
}
