//! The configuration (`crucible.yaml`): its sections, their defaults and their limits.
//!
//! The sections below are the one source: keys, types, ranges, defaults and the reference in the docs all come from the
//! JSON Schema that is generated from them ([`schema()`]). [`resolve()`] makes a [`Config`] of files, environment and
//! flags, and remembers where each value came from.

mod check;
pub mod decides;
mod fault;
mod guardrails;
mod nearest;
mod provenance;
mod reference;
mod resolve;
mod schema;
mod tree;
mod validate;
mod variables;
mod write;

pub use fault::{ConfigFault, ConfigFaults};
pub use guardrails::Guardrails;
pub use nearest::nearest;
pub use provenance::{Leaf, Origin};
pub use reference::reference;
pub use resolve::{Override, Resolved, Sources, check_values, resolve};
pub use schema::{Place, schema};
pub use tree::MAX_CONFIG_BYTES;
pub use validate::{SUM_TOLERANCE, is_device, ratio_spec};
pub use variables::Env;
pub use write::{seen_from, to_annotated_yaml, to_yaml};

use crate::data::Pool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Input files.
    pub data: Data,
    /// Optimisation.
    pub training: Training,
    /// Which bundles a batch is made of.
    pub curriculum: Curriculum,
    /// The encoder.
    pub model: Model,
    /// Seeds, output folder, intervals.
    pub experiment: Experiment,
    /// Where it runs.
    pub device: Device,
    /// What stops a run.
    pub guardrails: Guardrails,
    /// Sweeps.
    pub sweep: Sweep,
    /// Where metrics are sent.
    pub tracking: Tracking,
}

impl Config {
    /// Paths of all files that are read, where they are set.
    pub fn input_paths_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let Data { events, bundles, frozen_eval, organic_eval, embeddings, embedding_ids } = &mut self.data;
        let data = [events, bundles, frozen_eval, organic_eval, embeddings, embedding_ids];
        data.into_iter().chain([&mut self.model.tokenizer_file]).flatten()
    }
}

/// Input files. Paths are relative to the file that names them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// Events (JSON Lines).
    pub events: Option<String>,
    /// Training bundles (JSON Lines).
    pub bundles: Option<String>,
    /// The frozen eval: did we keep what we knew?
    pub frozen_eval: Option<String>,
    /// The organic holdout: can we handle what is new?
    pub organic_eval: Option<String>,
    /// Ready vectors of all events (.npy, .safetensors or .parquet), for an adapter; without them the events' own
    /// `embedding`s.
    pub embeddings: Option<String>,
    /// The event ids of their rows; without it beside them: X.npy, X_ids.jsonl. X.parquet has them itself.
    pub embedding_ids: Option<String>,
}

/// The training loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Softmax over in-batch candidates and the bundle's own negatives.
    #[default]
    InfoNce,
    /// Hinge on the distance between the positive and each of the bundle's negatives.
    Triplet,
}

/// How the learning rate moves after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LrSchedule {
    /// Stays.
    Constant,
    /// Falls to 0 in a line.
    #[default]
    Linear,
    /// Falls to 0 in half a cosine.
    Cosine,
}

/// Optimisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// Optimiser steps, at least 1.
    #[schemars(range(min = 1))]
    pub steps: u64,
    /// Bundles a step.
    #[schemars(range(min = 1, max = 65536))]
    pub batch_size: usize,
    /// Peak learning rate of AdamW.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Decoupled weight decay of AdamW.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// Largest global gradient norm; 0 turns clipping off.
    #[schemars(range(min = 0.0))]
    pub gradient_clip: f64,
    /// Steps over which the learning rate rises from 0.
    pub warmup_steps: u64,
    /// How it moves after that.
    pub lr_schedule: LrSchedule,
    /// The loss.
    pub loss: Loss,
    /// Similarities are divided by this in InfoNCE.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: f64,
    /// Margin of the triplet loss, in cosine units.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub margin: f64,
    /// In-batch candidates in InfoNCE: other bundles' positives and negatives.
    pub in_batch_negatives: bool,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            steps: 10_000,
            batch_size: 32,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            gradient_clip: 1.0,
            warmup_steps: 100,
            lr_schedule: LrSchedule::Linear,
            loss: Loss::InfoNce,
            temperature: 0.05,
            margin: 0.2,
            in_batch_negatives: true,
        }
    }
}

/// The curriculum's kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CurriculumKind {
    /// The same probabilities at every step.
    #[default]
    Uniform,
    /// Steps through listed phases.
    Phased,
    /// Moves linearly from start to end probabilities.
    PhasedV2,
}

/// One phase of the `phased` curriculum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// The phase lasts while the step (from 0) is below this; the last phase goes on.
    pub until_step: u64,
    /// Tier probabilities in this phase; they sum to 1.
    pub tier_probabilities: [f64; 3],
}

/// Shares of tier3's pools; they sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tier3Ratios {
    /// Original core killers.
    pub legacy: f64,
    /// Mined killers.
    pub organic: f64,
    /// Vetted variants.
    pub expanded: f64,
}

impl Tier3Ratios {
    /// In the order of [`Pool::ALL`].
    #[must_use]
    pub fn by_pool(&self) -> [f64; 3] {
        [self.legacy, self.organic, self.expanded]
    }

    /// One pool's share.
    #[must_use]
    pub fn of(&self, pool: Pool) -> f64 {
        self.by_pool()[pool.index()]
    }
}

impl Default for Tier3Ratios {
    fn default() -> Self {
        Self { legacy: 0.75, organic: 0.15, expanded: 0.10 }
    }
}

/// Which bundles a batch is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Curriculum {
    /// The kind.
    #[serde(rename = "type")]
    pub kind: CurriculumKind,
    /// Probabilities of tier1, tier2, tier3; they sum to 1.
    pub tier_probabilities: [f64; 3],
    /// Shares of tier3's pools.
    pub tier3_ratios: Tier3Ratios,
    /// The most slots of a batch that a tier may take; none: no limit.
    pub tier_caps: [Option<usize>; 3],
    /// `phased`: the phases, in order of `until_step`.
    pub phases: Vec<Phase>,
    /// `phased_v2`: probabilities at the first step.
    pub start_probabilities: Option<[f64; 3]>,
    /// `phased_v2`: probabilities from `end_step` on.
    pub end_probabilities: Option<[f64; 3]>,
    /// `phased_v2`: the step where the movement begins.
    pub start_step: u64,
    /// `phased_v2`: the step where it ends; none: the last step.
    pub end_step: Option<u64>,
}

impl Default for Curriculum {
    fn default() -> Self {
        Self {
            kind: CurriculumKind::Uniform,
            tier_probabilities: [0.6, 0.3, 0.1],
            tier3_ratios: Tier3Ratios::default(),
            tier_caps: [None; 3],
            phases: Vec::new(),
            start_probabilities: None,
            end_probabilities: None,
            start_step: 0,
            end_step: None,
        }
    }
}

/// The encoder's kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// Token vectors, weighted mean, optional MLP head.
    #[default]
    Static,
    /// A head on ready vectors, which stay as they are.
    Adapter,
}

/// Tokenizer algorithms that can be trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenizerKind {
    /// WordPiece, lower-cased (as BERT's).
    #[default]
    Wordpiece,
    /// Byte-level byte-pair encoding.
    Bpe,
}

/// The head's non-linearity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(0, x).
    #[default]
    Relu,
    /// tanh x.
    Tanh,
    /// x · Φ(x), by the tanh approximation.
    Gelu,
}

/// How the token vectors start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenInit {
    /// Random directions, longer for rarer tokens (inverse document frequency): the untrained encoder is then close to
    /// a random projection of TF-IDF.
    Idf,
    /// As `idf`, but tokens that occur near the same others start in similar directions.
    #[default]
    Cooccurrence,
    /// Random directions of one expected length.
    Uniform,
}

/// The encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// The kind.
    #[serde(rename = "type")]
    pub kind: ModelKind,
    /// Width of the token vectors; for an adapter, of the ready ones.
    #[schemars(range(min = 1, max = 8192))]
    pub embedding_dim: usize,
    /// Width of the head's layers, and of the output where there is a head.
    #[schemars(range(min = 1, max = 8192))]
    pub hidden_dim: usize,
    /// Linear layers in the head; 0: no head. An adapter has at least 1.
    #[schemars(range(max = 8))]
    pub num_layers: usize,
    /// Between the head's layers.
    pub activation: Activation,
    /// Share of hidden units zeroed in training.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Share of tokens left out of a text in training.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1))]
    pub token_dropout: f64,
    /// Adds the pooled vector to the head's output (the widths must be equal); the head then starts at zero.
    pub residual: bool,
    /// How the token vectors start.
    pub token_init: TokenInit,
    /// Learned pooling weights by distance to the event's `span`, in tokens, up to this distance on each side; 0: a
    /// plain mean.
    #[schemars(range(max = 126))]
    pub span_window: usize,
    /// A tokenizer to train.
    pub tokenizer: TokenizerKind,
    /// Its size.
    #[schemars(range(min = 64, max = 1000000))]
    pub vocab_size: usize,
    /// A ready `tokenizer.json` instead.
    pub tokenizer_file: Option<String>,
    /// Tokens of a text that are used.
    #[schemars(range(min = 1, max = 65536))]
    pub max_tokens: usize,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            kind: ModelKind::Static,
            embedding_dim: 256,
            hidden_dim: 256,
            num_layers: 2,
            activation: Activation::Relu,
            dropout: 0.1,
            token_dropout: 0.1,
            residual: true,
            token_init: TokenInit::Cooccurrence,
            span_window: 16,
            tokenizer: TokenizerKind::Wordpiece,
            vocab_size: 30_000,
            tokenizer_file: None,
            max_tokens: 512,
        }
    }
}

/// Seeds, output folder, intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Experiment {
    /// One run for each.
    pub seeds: Vec<u64>,
    /// Where runs are written.
    pub output_dir: Option<String>,
    /// Steps between saved resume states; 0: only when interrupted.
    pub checkpoint_every: u64,
    /// Steps between evaluations on the eval sets that `data` names; 0: none.
    pub eval_every: u64,
    /// Steps between logged metrics, at least 1.
    #[schemars(range(min = 1))]
    pub log_every: u64,
}

impl Default for Experiment {
    fn default() -> Self {
        Self { seeds: vec![42], output_dir: None, checkpoint_every: 2_000, eval_every: 0, log_every: 100 }
    }
}

/// Where it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Device {
    /// `auto`, `cpu`, `gpu`, `gpu:N` (`cuda` is accepted for `gpu`).
    #[serde(rename = "type")]
    pub kind: String,
    /// Arithmetic of similarities on a GPU; all else is computed in 32-bit floats, or as closely as in them.
    pub precision: Precision,
}

impl Default for Device {
    fn default() -> Self {
        Self { kind: "auto".to_owned(), precision: Precision::F32 }
    }
}

/// Arithmetic of similarities on a GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// Inputs rounded to 16-bit floats, sums in 32 bits, where the adapter has them.
    F16,
}

/// Sweeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sweep {
    /// Pool ratios to try, as `legacy_organic_expanded` in percent, such as `75_15_10`.
    pub ratios: Vec<String>,
    /// Seeds of every condition.
    pub seeds: Vec<u64>,
    /// Step counts to evaluate at.
    pub steps: Vec<u64>,
}

/// Where metrics are sent. Not written into runs' own configurations: it decides nothing of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tracking {
    /// The tracker. MLflow is where `MLFLOW_TRACKING_URI` says; TensorBoard's event files lie in the run's folder.
    #[serde(rename = "type")]
    pub kind: TrackingKind,
    /// MLflow's experiment; it is made if it is not there.
    pub experiment: String,
}

impl Default for Tracking {
    fn default() -> Self {
        Self { kind: TrackingKind::None, experiment: "crucible".to_owned() }
    }
}

/// Trackers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrackingKind {
    /// None.
    #[default]
    None,
    /// An MLflow server.
    Mlflow,
    /// Event files for TensorBoard.
    Tensorboard,
    /// An MLflow server, and event files for TensorBoard.
    Both,
}

impl TrackingKind {
    /// Whether an MLflow server is told.
    #[must_use]
    pub fn mlflow(self) -> bool {
        matches!(self, Self::Mlflow | Self::Both)
    }

    /// Whether event files are written.
    #[must_use]
    pub fn tensorboard(self) -> bool {
        matches!(self, Self::Tensorboard | Self::Both)
    }
}
