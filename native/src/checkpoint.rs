//! Reading models and the events that they embed, for the commands that score a model.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::progress::Reporter;
use crate::{device, folder, hub, io};
use crucible_core::data::kind::Wanted;
use crucible_core::data::{Event, hex, read_events};
use crucible_core::embeddings::Embeddings;
use crucible_core::encoder::{Checkpoint, Corpus, Encoder, EncoderError, Loader, Model, Options, Prompt};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// Checkpoints larger than this are not read: such a file is something else.
pub const MAX_CHECKPOINT_BYTES: usize = 2 << 30;

/// What `--checkpoint` takes, in words.
pub const KINDS: &str = "what is read is a checkpoint of Crucible's own, the checkpoint_final.safetensors of `crucible \
                         train`, or the folder of a sentence-transformers or model2vec model";

/// How a model from elsewhere is read; a checkpoint of Crucible's own knows for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct ModelArgs {
    /// Whose rules a folder with a static model follows; without it those of the library which wrote it
    #[arg(long, value_name = "NAME", value_parser = ["sentence_transformers", "model2vec"])]
    pub loader: Option<String>,
    /// Which of a folder's prompts comes before every text; without it the one that the folder names as its default
    #[arg(long, value_name = "NAME", conflicts_with = "prompt")]
    pub prompt_name: Option<String>,
    /// What comes before every text, such as "query: "
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
}

impl ModelArgs {
    /// For the core.
    #[must_use]
    pub fn options(&self) -> Options {
        let loader = self.loader.as_deref().and_then(|name| Loader::ALL.into_iter().find(|l| l.name() == name));
        let prompt = match (&self.prompt, &self.prompt_name) {
            (Some(text), _) => Prompt::Text(text.clone()),
            (None, Some(name)) => Prompt::Named(name.clone()),
            (None, None) => Prompt::Default,
        };
        Options { loader, prompt }
    }

    /// Refuses any of them beside `path`, which is no folder of a model: what it `is`.
    ///
    /// # Errors
    /// The first that was given.
    pub fn refuse(&self, is: &str, path: &Path) -> CliResult<()> {
        let flags = [(&self.loader, "--loader"), (&self.prompt_name, "--prompt-name"), (&self.prompt, "--prompt")];
        match flags.into_iter().find(|(value, _)| value.is_some()) {
            Some((_, flag)) => {
                let message = format!("{flag} is for folders of models, and {} {is}", path.display());
                Err(CliError::usage(message).advise("leave it out"))
            }
            None => Ok(()),
        }
    }
}

/// A model and what names it, whatever its path.
pub struct Loaded<M = Model> {
    /// The model.
    pub model: M,
    /// Of a checkpoint the SHA-256 of its file's bytes, of a folder that of its files and of how they are read;
    /// hexadecimal.
    pub hash: String,
    /// What the user should know of how it was found and read.
    pub notes: Notes,
}

/// What the user should know of how a model was found and read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Where it lies, if not where it was said to.
    found: Option<String>,
    warnings: Vec<String>,
}

impl Notes {
    /// Tells it.
    pub fn tell(&self, reporter: &Reporter) {
        if let Some(found) = &self.found {
            reporter.note(found);
        }
        for warning in &self.warnings {
            reporter.warn(warning);
        }
    }
}

impl Loaded {
    /// Reads what `--checkpoint` names: a checkpoint, or a folder.
    ///
    /// # Errors
    /// Ready vectors, pickles and others that are no model (exit status 2); no such file, too large, no model or a damaged
    /// one; flags for a folder that is none.
    pub fn read(path: &Path, args: &ModelArgs) -> CliResult<Self> {
        let elsewhere = hub::resolve(path)?;
        let folder = elsewhere.as_deref().unwrap_or(path);
        if folder.is_dir() {
            let (model, hash) = folder::read(folder, &args.options())?;
            let found = elsewhere.as_ref().map(|at| format!("{} is read from {}", path.display(), at.display()));
            let warnings = model.notes().iter().map(|note| format!("{}: {note}", path.display())).collect();
            return Ok(Self { model: Model::Folder(Box::new(model)), hash, notes: Notes { found, warnings } });
        }
        args.refuse("is a file", path)?;
        let Loaded { model, hash, notes } = Loaded::own(path)?;
        Ok(Self { model: Model::Own(Box::new(model)), hash, notes })
    }
}

impl Loaded<Checkpoint> {
    /// Reads a checkpoint of Crucible's own.
    ///
    /// # Errors
    /// A folder or a file of ready vectors (exit status 2); no such file, too large, no checkpoint or a damaged one.
    pub fn own(path: &Path) -> CliResult<Self> {
        refuse_other_kinds(path)?;
        let bytes = io::read_bytes_of(path, MAX_CHECKPOINT_BYTES, Wanted::Checkpoint)?;
        let (hash, model) = rayon::join(|| hex(&Sha256::digest(&bytes)), || Checkpoint::from_bytes(&bytes));
        let model = model.map_err(|e| refused(path, &bytes, &e))?;
        Ok(Self { model, hash, notes: Notes::default() })
    }
}

impl<M: Encoder> Loaded<M> {
    /// Tokenises events as the model wants them.
    ///
    /// # Errors
    /// A text that can't be tokenised, or too many.
    pub fn tokenise(&self, events: &[Event]) -> CliResult<Corpus> {
        self.model.tokenise(events).map_err(|e| CliError::new(Exit::Data, e.to_string()))
    }

    /// One unit vector for each event, on `device` ([`device::embed`]).
    ///
    /// # Errors
    /// As [`Loaded::tokenise`], and a device that fails.
    pub fn embed(&self, device: Option<&str>, events: &[Event]) -> CliResult<Embeddings> {
        Ok(device::embed(device, &self.model, &self.tokenise(events)?)?.0)
    }

    /// What belongs to the model and may change its numbers.
    ///
    /// # Errors
    /// The tokenizer has no text form.
    pub fn conditions(&self) -> CliResult<BTreeMap<String, Value>> {
        self.model.conditions().map_err(|e| CliError::new(Exit::Error, e.to_string()))
    }
}

/// Reads a file of events.
///
/// # Errors
/// It can't be read, or has faults (exit status 3).
pub fn events(path: &Path) -> CliResult<Vec<Event>> {
    Ok(read_events(&mut *io::open(path)?, &path.display().to_string())?)
}

/// What is often mistaken for a checkpoint.
fn refuse_other_kinds(path: &Path) -> CliResult<()> {
    let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    let what = match ending.as_deref() {
        _ if path.is_dir() => "is a folder, and here a checkpoint of Crucible's own is needed",
        Some("npy" | "npz") => "holds ready vectors, which are not read here",
        Some("onnx" | "gguf") => "is a model of another program",
        _ if folder::is_pickle(path) => return Err(folder::pickled_file(path)),
        _ => return Ok(()),
    };
    Err(CliError::usage(format!("--checkpoint {} {what}", path.display())).advise(KINDS))
}

fn refused(of: &Path, bytes: &[u8], error: &EncoderError) -> CliError {
    let path = of.display();
    match error {
        EncoderError::Container { .. } if bytes.is_empty() => {
            CliError::new(Exit::Data, format!("{path} is empty")).advise(KINDS)
        }
        EncoderError::Container { .. } => CliError::new(Exit::Data, format!("{path}: {error}"))
            .advise(format!("is the file complete? Copy it again; {KINDS}")),
        EncoderError::NoDocument => {
            let message = format!("{path}: {error}");
            let folder = of.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
            CliError::new(Exit::Usage, message).advise(match folder.filter(|folder| hub::is_model(folder)) {
                Some(folder) => format!("these are a model's weights alone: name the folder: {}", folder.display()),
                None => format!("{KINDS}: name the folder, not the file in it"),
            })
        }
        _ => CliError::new(Exit::Data, format!("{path}: {error}")),
    }
}
