//! Tensors of a folder: one safetensors file, or several with an index.

use super::super::EncoderError;
use super::files::{Files, fault, not_a_pointer, within};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeSet;

/// One file, and its name for messages.
type Shard<'a> = (String, SafeTensors<'a>);

pub(super) struct Tensors<'a>(Vec<Shard<'a>>);

/// `model.safetensors.index.json`.
#[derive(serde::Deserialize)]
struct Index {
    weight_map: std::collections::BTreeMap<String, String>,
}

impl<'a> Tensors<'a> {
    /// Those of the module in `path`.
    pub(super) fn read(files: &Files<'a>, path: &str) -> Result<Self, EncoderError> {
        let single = within(path, "model.safetensors");
        let index_name = within(path, "model.safetensors.index.json");
        let names: BTreeSet<String> = match files.json::<Index>(&index_name)? {
            Some(index) if files.get(&single).is_none() => {
                index.weight_map.values().map(|name| within(path, name)).collect()
            }
            _ => BTreeSet::from([single]),
        };
        let pickled = |name: &&str| is_pickle(name) && name.starts_with(within(path, "").as_str());
        let mut shards = Vec::new();
        for name in names {
            let Some(bytes) = files.get(&name) else {
                return Err(match files.names().find(pickled) {
                    Some(file) => EncoderError::Pickle { file: file.to_owned() },
                    None => fault(&name, "is missing"),
                });
            };
            not_a_pointer(&name, bytes)?;
            let file = SafeTensors::deserialize(bytes)
                .map_err(|e| fault(&name, format!("is no safetensors file: {e}; is it complete?")))?;
            shards.push((name, file));
        }
        Ok(Self(shards))
    }

    fn find(&self, name: &str) -> Option<(&str, TensorView<'a>)> {
        self.0.iter().find_map(|(file, tensors)| Some((file.as_str(), tensors.tensor(name).ok()?)))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub(super) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.find(name)?.1.shape().to_vec())
    }

    /// The type that a tensor is stored in, for people.
    pub(super) fn stored(&self, name: &str) -> Option<String> {
        Some(self.find(name)?.1.dtype().to_string().to_lowercase())
    }

    fn required(&self, name: &str) -> Result<(&str, TensorView<'a>), EncoderError> {
        let file = self.0.first().map_or("model.safetensors", |(file, _)| file);
        self.find(name).ok_or_else(|| fault(file, format!("has no tensor {name:?}")))
    }

    /// The numbers of a tensor of exactly that shape.
    pub(super) fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EncoderError> {
        let (file, tensor) = self.required(name)?;
        if tensor.shape() != shape {
            let reason = format!("tensor {name:?} has shape {:?}; expected {shape:?}", tensor.shape());
            return Err(fault(file, reason));
        }
        let values = floats(&tensor).ok_or_else(|| {
            let found = tensor.dtype();
            fault(file, format!("tensor {name:?} is {found}; expected F32, F16, BF16, F64 or I8"))
        })?;
        match values.iter().position(|x| !x.is_finite()) {
            Some(at) => Err(fault(file, format!("tensor {name:?} holds a NaN or infinity at {at}"))),
            None => Ok(values),
        }
    }

    /// A list of row numbers.
    pub(super) fn rows(&self, name: &str, below: usize) -> Result<Vec<usize>, EncoderError> {
        let (file, tensor) = self.required(name)?;
        let data = tensor.data();
        let numbers: Vec<i64> = match tensor.dtype() {
            Dtype::I64 => data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect(),
            Dtype::I32 => data.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b).into()).collect(),
            found => return Err(fault(file, format!("tensor {name:?} is {found}; expected I64 or I32"))),
        };
        let row = |number: &i64| {
            let fit = usize::try_from(*number).ok().filter(|row| *row < below);
            fit.ok_or_else(|| fault(file, format!("tensor {name:?} names row {number} of {below}")))
        };
        numbers.iter().map(row).collect()
    }
}

/// As `f32`, whatever it is stored in.
fn floats(tensor: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = tensor.data();
    Some(match tensor.dtype() {
        Dtype::F32 => data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F16 => data.as_chunks().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::BF16 => data.as_chunks().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::F64 => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        Dtype::I8 => data.iter().map(|b| f32::from(b.cast_signed())).collect(),
        _ => return None,
    })
}

/// Whether a file of that name is likely a pickle, which runs whatever code its maker put there when it is loaded.
pub(super) fn is_pickle(name: &str) -> bool {
    let ending = name.rsplit('.').next().unwrap_or_default();
    name.contains('.') && ["bin", "pt", "pth", "ckpt", "pkl", "pickle"].iter().any(|e| ending.eq_ignore_ascii_case(e))
}
