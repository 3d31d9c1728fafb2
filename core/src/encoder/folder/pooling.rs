//! How the vectors of a text's tokens become one: `N_Pooling/config.json`.

use super::super::EncoderError;
use super::files::{Files, fault};
use serde_json::{Map, Value};

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Cls,
    Max,
    Mean,
    MeanSqrtLen,
    /// By position: the first token counts once, the second twice.
    WeightedMean,
    Last,
}

/// All that the file says.
pub(super) struct Pooling {
    /// Their vectors are put side by side, in this order.
    pub(super) modes: Vec<Mode>,
    /// Tokens of the prompt count.
    pub(super) include_prompt: bool,
    /// Its file, and the numbers of a token's vector, where it says so.
    pub(super) width: Option<(String, u64)>,
}

impl Mode {
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

impl Pooling {
    /// The mean of all tokens.
    pub(super) fn mean() -> Self {
        Self { modes: vec![Mode::Mean], include_prompt: true, width: None }
    }

    /// The older spelling has a key for each mode, the newer one `pooling_mode`.
    pub(super) fn read(files: &Files<'_>, file: &str) -> Result<Self, EncoderError> {
        let config: Map<String, Value> = files.json(file)?.ok_or_else(|| fault(file, "is missing"))?;
        let flag = |key: &str, otherwise: bool| match config.get(key) {
            None | Some(Value::Null) => Ok(otherwise),
            Some(Value::Bool(on)) => Ok(*on),
            Some(other) => Err(fault(file, format!("has {key} = {other}; expected true or false"))),
        };
        if let Some(key) = config.keys().find(|key| !known(key)) {
            return Err(fault(file, format!("has {key:?}, which is not known: it may change every vector")));
        }
        let named = |name: &Value| {
            let mode = name.as_str().and_then(Mode::named);
            mode.ok_or_else(|| fault(file, format!("has the pooling mode {name}, which is not known")))
        };
        let modes = match config.get("pooling_mode") {
            Some(Value::Array(names)) if !names.is_empty() && names.len() <= Mode::NAMES.len() => {
                names.iter().map(named).collect::<Result<Vec<_>, _>>()?
            }
            Some(name) => vec![named(name)?],
            None => {
                let mut modes = Vec::new();
                for (key, _, mode) in Mode::NAMES {
                    if flag(key, false)? {
                        modes.push(mode);
                    }
                }
                if modes.is_empty() { vec![Mode::Mean] } else { modes }
            }
        };
        let width = ["word_embedding_dimension", "embedding_dimension"].into_iter().find_map(|key| config.get(key));
        let width = width.and_then(Value::as_u64).map(|width| (file.to_owned(), width));
        Ok(Self { modes, include_prompt: flag("include_prompt", true)?, width })
    }

    /// Refuses a file that is of another model.
    pub(super) fn check(&self, hidden: usize) -> Result<(), EncoderError> {
        match &self.width {
            Some((file, width)) if *width != hidden as u64 => {
                let reason = format!("is for vectors of {width} numbers, but the model's have {hidden}");
                Err(fault(file, reason))
            }
            _ => Ok(()),
        }
    }
}

fn known(key: &str) -> bool {
    let others = ["pooling_mode", "include_prompt", "word_embedding_dimension", "embedding_dimension"];
    others.contains(&key) || Mode::NAMES.iter().any(|(name, ..)| *name == key)
}
