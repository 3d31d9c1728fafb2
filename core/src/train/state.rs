//! The resume state as one safetensors document: parameters, moments, and a JSON note under one metadata key. The note holds
//! a SHA-256 of all of it: a bit that a disk turned round must not go into a model.

use super::step::{Moments, Optimizer};
use super::trainer::{State, Window};
use crate::data::hex;
use crate::encoder::StaticEncoder;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The metadata key.
const KEY: &str = "crucible_resume";
/// Of the format.
const VERSION: u32 = 3;
/// The tensor that holds the guardrails' memory as JSON: as metadata, a long run's findings could outgrow a header.
const WATCH: &str = "watch";

/// Why a resume state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not such a file, or a broken one.
    #[error("not a resume state, or a damaged one: {0}")]
    Broken(String),
    /// Another configuration, other data or another seed.
    #[error("the resume state belongs to another run ({0})")]
    Other(String),
}

#[derive(Clone, Serialize, Deserialize)]
struct Note {
    version: u32,
    run: String,
    step: u64,
    decay: f64,
    window: Window,
    /// SHA-256 of this note with nothing here, and of all tensors.
    #[serde(default)]
    sha256: String,
}

impl Note {
    /// What [`Note::sha256`] has to be.
    fn checksum(&self, tensors: &[(String, TensorView<'_>)]) -> Result<String, StateError> {
        let note = serde_json::to_vec(&Self { sha256: String::new(), ..self.clone() });
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        field(&note.map_err(|e| StateError::Broken(e.to_string()))?);
        let mut sorted: Vec<_> = tensors.iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, view) in sorted {
            field(name.as_bytes());
            field(format!("{:?} {:?}", view.dtype(), view.shape()).as_bytes());
            field(view.data());
        }
        Ok(hex(&hash.finalize()))
    }
}

impl State {
    /// Bytes of the state; `run` identifies the run (a hash over configuration, data and seed).
    ///
    /// # Errors
    /// When the library refuses, which it has no reason to.
    pub fn to_bytes(&self, run: &str) -> Result<Vec<u8>, StateError> {
        let mut note = Note {
            version: VERSION,
            run: run.to_owned(),
            step: self.step,
            decay: self.optimizer.decay,
            window: self.window.clone(),
            sha256: String::new(),
        };
        let row_decay: &[u8] = bytemuck::cast_slice(&self.optimizer.row_decay);
        let view =
            |dtype, len, bytes| TensorView::new(dtype, vec![len], bytes).map_err(|e| StateError::Broken(e.to_string()));
        let watch = serde_json::to_vec(&self.watch).map_err(|e| StateError::Broken(e.to_string()))?;
        let mut tensors = vec![
            ("row_decay".to_owned(), view(Dtype::F64, row_decay.len() / 8, row_decay)?),
            (WATCH.to_owned(), view(Dtype::U8, watch.len(), &watch)?),
        ];
        for (name, data) in named(&self.encoder, &self.optimizer) {
            tensors.push((name, view(Dtype::F32, data.len(), bytemuck::cast_slice(data))?));
        }
        note.sha256 = note.checksum(&tensors)?;
        let note = serde_json::to_string(&note).map_err(|e| StateError::Broken(e.to_string()))?;
        safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_owned(), note)])))
            .map_err(|e| StateError::Broken(e.to_string()))
    }

    /// Reads a state into `fresh`, a state of the same shapes; its numbers are written over.
    ///
    /// # Errors
    /// A broken file, or one of another run.
    pub fn from_bytes(bytes: &[u8], run: &str, mut fresh: Self) -> Result<Self, StateError> {
        let broken = |e: &dyn std::fmt::Display| StateError::Broken(e.to_string());
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| broken(&e))?;
        let note = metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or_else(|| broken(&"no note inside"))?;
        let note: Note = serde_json::from_str(note).map_err(|e| broken(&e))?;
        if note.version != VERSION {
            return Err(StateError::Other(format!("format {}", note.version)));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| broken(&e))?;
        if note.checksum(&tensors.tensors())? != note.sha256 {
            return Err(broken(&"its checksum does not hold"));
        }
        if note.run != run {
            return Err(StateError::Other("other settings, bundles or seed".to_owned()));
        }
        let names: Vec<String> = named(&fresh.encoder, &fresh.optimizer).into_iter().map(|(n, _)| n).collect();
        for (name, target) in names.iter().zip(named_mut(&mut fresh.encoder, &mut fresh.optimizer)) {
            let view = tensors.tensor(name).map_err(|e| broken(&e))?;
            if view.dtype() != Dtype::F32 || view.data().len() != target.len() * 4 {
                return Err(broken(&format!("tensor {name} has another size")));
            }
            target.iter_mut().zip(view.data().as_chunks::<4>().0).for_each(|(t, b)| *t = f32::from_le_bytes(*b));
        }
        let view = tensors.tensor("row_decay").map_err(|e| broken(&e))?;
        if view.dtype() != Dtype::F64 || view.data().len() != fresh.optimizer.row_decay.len() * 8 {
            return Err(broken(&"tensor row_decay has another size"));
        }
        let numbers = view.data().as_chunks::<8>().0;
        fresh.optimizer.row_decay.iter_mut().zip(numbers).for_each(|(t, b)| *t = f64::from_le_bytes(*b));
        fresh.optimizer.decay = note.decay;
        let view = tensors.tensor(WATCH).map_err(|e| broken(&e))?;
        let watch = serde_json::from_slice(view.data()).map_err(|e| broken(&e))?;
        Ok(Self { step: note.step, watch, window: note.window, ..fresh })
    }
}

fn named<'a>(encoder: &'a StaticEncoder, optimizer: &'a Optimizer) -> Vec<(String, &'a [f32])> {
    // Ready vectors are an input, not a state.
    let learned = if encoder.learns_tokens() { encoder.tokens.as_slice() } else { &[] };
    let mut out: Vec<(String, &[f32])> = vec![
        ("tokens".to_owned(), learned),
        ("tokens.m".to_owned(), &optimizer.tokens.m),
        ("tokens.v".to_owned(), &optimizer.tokens.v),
        ("span".to_owned(), &encoder.span_weights),
        ("span.m".to_owned(), &optimizer.span_weights.m),
        ("span.v".to_owned(), &optimizer.span_weights.v),
    ];
    for (l, (layer, [weight, bias])) in encoder.layers.iter().zip(&optimizer.layers).enumerate() {
        out.push((format!("{l}.weight"), &layer.weight));
        out.push((format!("{l}.weight.m"), &weight.m));
        out.push((format!("{l}.weight.v"), &weight.v));
        out.push((format!("{l}.bias"), &layer.bias));
        out.push((format!("{l}.bias.m"), &bias.m));
        out.push((format!("{l}.bias.v"), &bias.v));
    }
    out
}

/// The same tensors in the same order.
fn named_mut<'a>(encoder: &'a mut StaticEncoder, optimizer: &'a mut Optimizer) -> Vec<&'a mut [f32]> {
    let Moments { m, v } = &mut optimizer.tokens;
    let Moments { m: span_m, v: span_v } = &mut optimizer.span_weights;
    let learned = if encoder.learns_tokens() { encoder.tokens.as_mut_slice() } else { &mut [] };
    let mut out: Vec<&mut [f32]> = vec![learned, m, v, &mut encoder.span_weights, span_m, span_v];
    for (layer, [weight, bias]) in encoder.layers.iter_mut().zip(&mut optimizer.layers) {
        out.extend([&mut *layer.weight, &mut weight.m, &mut weight.v]);
        out.extend([&mut layer.bias, &mut bias.m, &mut bias.v].map(|t| t.as_mut_slice()));
    }
    out
}
