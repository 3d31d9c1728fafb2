//! Models from elsewhere: folders as sentence-transformers and model2vec write them (`docs/ENCODERS.md`).
//!
//! A folder comes as named bytes, from wherever they were read. Weights are safetensors; pickles are refused, for they run
//! their maker's code. All arithmetic is in `f32`, whatever the weights are stored in.

mod bert;
mod bert_tokenizer;
mod export;
mod feed_forward;
mod files;
mod modules;
#[cfg(any(test, target_arch = "wasm32"))]
mod parts;
mod pooling;
mod statics;
mod tensors;
mod tokens;
mod transformer;
#[cfg(not(target_arch = "wasm32"))]
mod whole;
mod words;

use super::{Corpus, CorpusBuilder, Done, Encoder, EncoderError};
use crate::backend::{Backend, BackendError};
use crate::data::Event;
use crate::embeddings::Embeddings;
pub use export::export_static;
use files::{Files, within};
use modules::{First, Modules, Step};
use serde_json::{Value, json};
use statics::Static;
use std::collections::BTreeMap;
use tokens::FolderTokenizer;
use transformer::Transformer;
use words::Settings;

/// Whose rules a static model follows. Both libraries read each other's folders, and differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    /// `sentence_transformers.SentenceTransformer`: every token counts, unknown ones too; a text is cut only where the
    /// `tokenizer.json` says so.
    SentenceTransformers,
    /// `model2vec.StaticModel`: unknown tokens are left out, and a text is cut at 512 tokens or what the config says; before
    /// that, at as many characters as that many tokens of median length have.
    Model2Vec,
}

impl Loader {
    /// Both.
    pub const ALL: [Self; 2] = [Self::SentenceTransformers, Self::Model2Vec];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SentenceTransformers => "sentence_transformers",
            Self::Model2Vec => "model2vec",
        }
    }
}

/// What comes before every text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Prompt {
    /// What the folder names as its default; mostly nothing.
    #[default]
    Default,
    /// One of the folder's prompts.
    Named(String),
    /// This text.
    Text(String),
}

/// What a user may choose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// For static models; without it that of the library which wrote the folder.
    pub loader: Option<Loader>,
    /// For models that read with sentence-transformers' rules.
    pub prompt: Prompt,
}

/// A model from a folder.
pub struct FolderModel {
    kind: Kind,
    normalised: bool,
    settings: Settings,
    notes: Vec<String>,
}

enum Kind {
    Static(Box<Static>),
    Transformer(Box<Transformer>),
}

impl FolderModel {
    /// Whether [`FolderModel::from_files`] may need the file of that name, `/` between folders. Names of pickles may be given
    /// without their bytes: they are never read, but a folder that has nothing else is refused with what to do.
    #[must_use]
    pub fn wants(name: &str) -> bool {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let settings = file.ends_with(".json") && !folder.contains('/');
        settings || (file.ends_with(".safetensors") && !folder.contains('/'))
    }

    /// Whether the file of that name is likely a pickle.
    #[must_use]
    pub fn is_pickle(name: &str) -> bool {
        tensors::is_pickle(name)
    }

    /// Reads a folder: the names of its files, `/` between folders, and their bytes.
    ///
    /// # Errors
    /// [`EncoderError::File`] with the file that is missing, broken, or of a model of another kind;
    /// [`EncoderError::Pickle`] where the weights are there as a pickle only.
    pub fn from_files<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        options: &Options,
    ) -> Result<Self, EncoderError> {
        let files = Files::new(files);
        let mut notes = Vec::new();
        let modules = Modules::read(&files, options, &mut notes)?;
        let settings = modules.settings.clone();
        let normalised = modules.steps.iter().any(|step| matches!(step, Step::Normalise));
        let unit = matches!(modules.steps.last(), Some(Step::Normalise)) && settings.truncate.is_none();
        let kind = match modules.first {
            First::Static => Kind::Static(Box::new(Static::read(&files, &modules, options, &mut notes)?)),
            First::Transformer if options.loader == Some(Loader::Model2Vec) => {
                let reason = "is of a transformer, which model2vec does not run";
                return Err(files::fault(&within(&modules.first_path, "config.json"), reason));
            }
            First::Transformer => Kind::Transformer(Box::new(Transformer::read(&files, modules, &mut notes)?)),
        };
        let loader = match &kind {
            Kind::Static(model) => model.loader,
            Kind::Transformer(_) => Loader::SentenceTransformers,
        };
        words::notes_on(&settings, loader, unit, &mut notes);
        // They quote the folder's own words.
        let notes = notes.iter().map(|note| crate::printable(note).into_owned()).collect();
        Ok(Self { kind, normalised, settings, notes })
    }

    /// What a user should know of how the folder was read.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn tokenizer(&self) -> &FolderTokenizer {
        match &self.kind {
            Kind::Static(model) => &model.tokens,
            Kind::Transformer(model) => &model.tokens,
        }
    }
}

impl Encoder for FolderModel {
    fn dim(&self) -> usize {
        match &self.kind {
            Kind::Static(model) => model.encoder.dim(),
            Kind::Transformer(model) => model.dim(),
        }
    }

    fn tokenise(&self, events: &[Event]) -> Result<Corpus, EncoderError> {
        let tokenizer = self.tokenizer();
        let mut builder = CorpusBuilder::by(|text, tokens| tokenizer.encode_onto(text, &mut tokens.ids));
        builder.extend(events)?;
        Ok(builder.finish())
    }

    fn embed_telling(&self, corpus: &Corpus, done: Done<'_>) -> Embeddings {
        match &self.kind {
            Kind::Static(model) => model.encoder.embed(corpus),
            Kind::Transformer(model) => model.embed(corpus, done),
        }
    }

    async fn embed_on<B: Backend>(
        &self,
        backend: &B,
        corpus: &Corpus,
        done: Done<'_>,
    ) -> Result<Embeddings, BackendError> {
        match &self.kind {
            Kind::Static(model) => model.encoder.embed_on(backend, corpus).await,
            Kind::Transformer(model) => model.embed_on(backend, corpus, done).await,
        }
    }

    fn conditions(&self) -> Result<BTreeMap<String, Value>, EncoderError> {
        let tokenizer = self.tokenizer();
        let (architecture, loader, pooling, stored) = match &self.kind {
            Kind::Static(model) => ("static", model.loader, "mean".to_owned(), &model.stored),
            Kind::Transformer(model) => {
                let modes: Vec<&str> = model.pooling.iter().map(|mode| mode.name()).collect();
                ("bert", Loader::SentenceTransformers, modes.join("+"), &model.bert.stored)
            }
        };
        let prompt = &tokenizer.rules.prompt;
        let conditions = [
            ("loader", json!(loader.name())),
            ("architecture", json!(architecture)),
            ("tokenizer_sha256", json!(tokenizer.sha256)),
            ("vocab_size", json!(tokenizer.vocab_size())),
            ("max_tokens", json!(tokenizer.most_tokens())),
            ("prompt", if prompt.is_empty() { Value::Null } else { json!(prompt) }),
            ("pooling", json!(pooling)),
            ("normalised", json!(self.normalised)),
            ("dim", json!(self.dim())),
            ("dtype", json!("f32")),
            ("weights", json!(stored)),
        ];
        // Only where they matter, so that scoreboards of other models stay comparable with older ones.
        let similarity = self.settings.similarity.as_ref().map(|name| ("similarity_fn_name", json!(name)));
        let cut = self.settings.truncate.map(|dim| ("truncate_dim", json!(dim)));
        let all = conditions.into_iter().chain(similarity).chain(cut);
        Ok(all.map(|(name, value)| (name.to_owned(), value)).collect())
    }
}
