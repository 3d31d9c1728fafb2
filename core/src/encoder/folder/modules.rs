//! `modules.json` and the settings of each module: what is done to a text, step by step.

use super::super::EncoderError;
use super::Options;
use super::files::{Files, fault, within};
use super::pooling::Pooling;
use super::tensors::Tensors;
use super::words::{self, Settings};
use crate::config::Activation;
use crate::kernels::matmul::{View, Weights};
use serde::Deserialize;
use serde_json::{Map, Value};
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

/// All of it.
pub(super) struct Modules {
    pub(super) first: First,
    /// Folder of the first module; empty for the root.
    pub(super) first_path: String,
    pub(super) pooling: Pooling,
    pub(super) steps: Vec<Step>,
    pub(super) settings: Settings,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Modules {
    /// What the user should know goes to `notes`.
    pub(super) fn read(files: &Files<'_>, options: &Options, notes: &mut Vec<String>) -> Result<Self, EncoderError> {
        words::check_folder(files, "")?;
        let settings = Settings::read(files, &options.prompt, notes)?;
        match files.json::<Vec<Entry>>("modules.json")? {
            Some(entries) => Self::listed(files, entries, settings),
            None => Self::without(files, settings, notes),
        }
    }

    fn listed(files: &Files<'_>, entries: Vec<Entry>, settings: Settings) -> Result<Self, EncoderError> {
        let (mut first, mut first_path, mut pooling, mut steps) = (First::Transformer, String::new(), None, Vec::new());
        if entries.len() > MAX_MODULES {
            return Err(fault(
                "modules.json",
                format!("has {} modules; at most {MAX_MODULES} are read", entries.len()),
            ));
        }
        for (number, Entry { path, kind }) in entries.into_iter().enumerate() {
            words::check_module(&kind)?;
            match (number, kind.rsplit('.').next().unwrap_or_default()) {
                (0, "Transformer") => first_path = path,
                (0, "StaticEmbedding") => (first, first_path) = (First::Static, path),
                (1, "Pooling") if first == First::Transformer => {
                    pooling = Some(Pooling::read(files, &within(&path, "config.json"))?);
                }
                (1.., "Normalize") => {
                    let file = within(&path, "config.json");
                    // Without a folder of its own it has no settings: the root's file is another module's.
                    let config = if file == "config.json" { None } else { files.json(&file)? };
                    words::check_ports(&file, &config.unwrap_or_default())?;
                    steps.push(Step::Normalise);
                }
                (1.., "Dense") => steps.push(Step::Dense(Dense::read(files, &path)?)),
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
        words::check_folder(files, &first_path)?;
        let pooling = match (first, pooling) {
            (First::Transformer, None) => {
                let reason = "has no Pooling behind the Transformer: there is no vector of a text";
                return Err(fault("modules.json", reason));
            }
            (_, pooling) => pooling.unwrap_or_else(Pooling::mean),
        };
        Ok(Self { first, first_path, pooling, steps, settings })
    }

    /// A folder without `modules.json`: model2vec's, or a bare BERT, of which sentence-transformers takes the mean.
    fn without(files: &Files<'_>, settings: Settings, notes: &mut Vec<String>) -> Result<Self, EncoderError> {
        let config: Map<String, Value> = files.json("config.json")?.unwrap_or_default();
        let kind = config.get("model_type").and_then(Value::as_str);
        let is_static = matches!(kind, None | Some("model2vec"));
        let first = if is_static { First::Static } else { First::Transformer };
        let pooling = if is_static { Pooling::mean() } else { pooling_alone(files, notes)? };
        Ok(Self { first, first_path: String::new(), pooling, steps: Vec::new(), settings })
    }
}

/// Modules of a folder, at most.
const MAX_MODULES: usize = 32;

/// The pooling of a folder that does not list its modules: what trainers other than sentence-transformers leave.
fn pooling_alone(files: &Files<'_>, notes: &mut Vec<String>) -> Result<Pooling, EncoderError> {
    let numbered = |name: &str, kind: &str| {
        let folder = name.strip_suffix("/config.json").and_then(|folder| folder.strip_suffix(kind));
        folder.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    for kind in ["_Dense", "_LayerNorm", "_CNN", "_LSTM", "_WeightedLayerPooling"] {
        if let Some(name) = files.names().find(|name| numbered(name, kind)) {
            let reason =
                "is there, but no modules.json says what comes in which order; take it from the model's source";
            return Err(fault(name, reason));
        }
    }
    let found: Vec<&str> = files.names().filter(|name| numbered(name, "_Pooling")).collect();
    match found[..] {
        [] => {
            notes.push(
                "no modules.json and no 1_Pooling/config.json: the mean of the tokens' vectors is assumed".to_owned(),
            );
            Ok(Pooling::mean())
        }
        [file] => {
            let pooling = Pooling::read(files, file)?;
            let names: Vec<&str> = pooling.modes.iter().map(|mode| mode.name()).collect();
            let names = names.join(" and ");
            notes.push(format!("no modules.json: pooling by {names}, as {file} says, and nothing behind it"));
            Ok(pooling)
        }
        [first, second, ..] => {
            Err(fault(first, format!("is there, {second} too, and no modules.json says which one counts")))
        }
    }
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
        words::check_ports(&file, &files.json(&file)?.unwrap_or_default())?;
        let DenseConfig { in_features, out_features, bias, activation_function, use_residual } = config;
        if use_residual {
            return Err(fault(&file, "has use_residual: such a Dense layer is not read"));
        }
        let name = activation_function.as_deref().unwrap_or("torch.nn.modules.activation.Tanh");
        if !name.starts_with("torch.") {
            return Err(fault(&file, format!("has activation {name:?}, which is not PyTorch's own")));
        }
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
