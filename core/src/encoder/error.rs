//! What can be wrong with an encoder, each with what was found and what was expected.

/// Why an encoder could not be made, read or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncoderError {
    /// The library could not train a tokenizer.
    #[error("training the tokenizer failed: {reason}")]
    TokenizerTraining {
        /// The library's words.
        reason: String,
    },
    /// Not a `tokenizer.json` that can be used.
    #[error("not a usable tokenizer.json: {reason}")]
    TokenizerJson {
        /// The library's words.
        reason: String,
    },
    /// A text could not be tokenised.
    #[error("a text cannot be tokenised: {reason} (text: {text:?})")]
    Tokenise {
        /// The library's words.
        reason: String,
        /// How the text begins.
        text: String,
    },
    /// An adapter's event has no ready vector.
    #[error("event {event_id:?} has no `embedding`, which is all that an adapter reads of it")]
    NoVector {
        /// The event.
        event_id: String,
    },
    /// Ready vectors of two lengths, or of another than the adapter was trained on.
    #[error("the vector of event {event_id:?} has {found} numbers; expected {expected}")]
    VectorWidth {
        /// The event.
        event_id: String,
        /// Its numbers.
        found: usize,
        /// What they should be.
        expected: usize,
    },
    /// More than can be counted in 32 bits.
    #[error("too many {what} for one corpus: at most {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many may be.
        limit: u64,
    },
    /// A setting of the model is outside its limits, or does not go with another.
    #[error("model.{field}: {reason}")]
    Config {
        /// The setting.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The bytes are no safetensors file.
    #[error("not a safetensors file: {reason}")]
    Container {
        /// The library's words.
        reason: String,
    },
    /// The file has no document under `crucible`: not a checkpoint of this program.
    #[error("the file has no metadata key \"crucible\": it is not a Crucible checkpoint")]
    NoDocument,
    /// The document under `crucible` cannot be read.
    #[error("the checkpoint's metadata cannot be read: {reason}")]
    Document {
        /// Where and why.
        reason: String,
    },
    /// A tensor that the config asks for is not there.
    #[error("tensor {name:?} is missing; the checkpoint's config asks for it")]
    MissingTensor {
        /// The tensor.
        name: String,
    },
    /// A tensor that the config has no place for.
    #[error("tensor {name:?} has no place in an encoder of the checkpoint's config")]
    UnknownTensor {
        /// The tensor.
        name: String,
    },
    /// A tensor of other numbers than `F32`.
    #[error("tensor {name:?} is {found}; expected F32")]
    WrongType {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A tensor of another shape.
    #[error("tensor {name:?} has shape {found:?}; the checkpoint's config and tokenizer ask for {expected:?}")]
    WrongShape {
        /// The tensor.
        name: String,
        /// The shape that fits.
        expected: Vec<usize>,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A file of a model's folder that is missing, broken, or of a model of another kind.
    #[error("{file} {reason}")]
    File {
        /// Its name within the folder.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A model that another form can't hold.
    #[error("no such folder gives this model's vectors: {reason}")]
    NotRepresentable {
        /// Why.
        reason: String,
    },
    /// Weights that are there as a pickle only.
    #[error("{file} is a pickle: reading one runs whatever code its maker put there, so none is read")]
    Pickle {
        /// Its name within the folder.
        file: String,
    },
    /// A tensor with a NaN or infinity.
    #[error("tensor {name:?} holds a NaN or infinity at {index}")]
    NotFinite {
        /// The tensor.
        name: String,
        /// Where, counted row by row.
        index: usize,
    },
}
