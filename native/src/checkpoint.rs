//! Reading checkpoints and the events that they embed, for the commands that score a model.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::{device, io};
use crucible_core::data::{Event, hex, read_events};
use crucible_core::embeddings::Embeddings;
use crucible_core::encoder::{Checkpoint, Corpus, EncoderError};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Checkpoints larger than this are not read: such a file is something else.
pub const MAX_CHECKPOINT_BYTES: usize = 2 << 30;

/// What `--checkpoint` takes, in words.
const KINDS: &str =
    "what is read is a checkpoint of Crucible's own, the checkpoint_final.safetensors of `crucible train`";

/// A checkpoint and the SHA-256 of its file.
pub struct Loaded {
    /// The model.
    pub checkpoint: Checkpoint,
    /// SHA-256 of the file's bytes, hexadecimal.
    pub hash: String,
}

impl Loaded {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// A folder or a file of ready vectors (exit status 2); no such file, too large, no checkpoint or a damaged one.
    pub fn read(path: &Path) -> CliResult<Self> {
        refuse_other_kinds(path)?;
        let bytes = io::read_bytes(path, MAX_CHECKPOINT_BYTES)?;
        let (hash, checkpoint) = rayon::join(|| hex(&Sha256::digest(&bytes)), || Checkpoint::from_bytes(&bytes));
        let checkpoint = checkpoint.map_err(|e| refused(path, &bytes, &e))?;
        Ok(Self { checkpoint, hash })
    }

    /// Tokenises events as the model wants them.
    ///
    /// # Errors
    /// A text that can't be tokenised, or too many.
    pub fn tokenise(&self, events: &[Event]) -> CliResult<Corpus> {
        let config = &self.checkpoint.encoder.config;
        Corpus::build(&self.checkpoint.tokenizer, events, config.span_window, config.max_tokens)
            .map_err(|e| CliError::new(Exit::Data, e.to_string()))
    }

    /// One unit vector for each event, on `device` ([`device::embed`]).
    ///
    /// # Errors
    /// As [`Loaded::tokenise`], and a device that fails.
    pub fn embed(&self, device: Option<&str>, events: &[Event]) -> CliResult<Embeddings> {
        Ok(device::embed(device, &self.checkpoint.encoder, &self.tokenise(events)?)?.0)
    }
}

/// Reads a file of events.
///
/// # Errors
/// It can't be read, or has faults (exit status 3).
pub fn events(path: &Path) -> CliResult<Vec<Event>> {
    Ok(read_events(&mut *io::open(path)?, &path.display().to_string())?)
}

/// What will be read one day, or is often mistaken for a checkpoint.
fn refuse_other_kinds(path: &Path) -> CliResult<()> {
    let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    let what = match ending.as_deref() {
        _ if path.is_dir() => "is a folder, and folders of models are not read",
        Some("npy" | "npz") => "holds ready vectors, which are not read here",
        Some("pt" | "pth" | "bin" | "ckpt" | "pkl" | "onnx" | "gguf") => "is a model of another program",
        _ => return Ok(()),
    };
    Err(CliError::usage(format!("--checkpoint {} {what}", path.display())).advise(KINDS))
}

fn refused(path: &Path, bytes: &[u8], error: &EncoderError) -> CliError {
    let path = path.display();
    match error {
        EncoderError::Container { .. } if bytes.is_empty() => {
            CliError::new(Exit::Data, format!("{path} is empty")).advise(KINDS)
        }
        EncoderError::Container { .. } if is_text(bytes) => {
            let what = if bytes.trim_ascii_start().starts_with(b"<") { "a web page (HTML or XML)" } else { "text" };
            CliError::new(Exit::Data, format!("{path} is no checkpoint: it is {what}"))
                .advise(format!("were the download and the path right? {KINDS}"))
        }
        EncoderError::Container { .. } => CliError::new(Exit::Data, format!("{path}: {error}"))
            .advise(format!("is the file complete? Copy it again; {KINDS}")),
        EncoderError::NoDocument => CliError::new(Exit::Usage, format!("{path}: {error}")).advise(KINDS),
        _ => CliError::new(Exit::Data, format!("{path}: {error}")),
    }
}

/// Whether the first bytes are plain text; a safetensors file starts with a length, hence with zeros.
fn is_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(256)];
    head.iter().all(|b| *b >= 0x20 || matches!(b, b'\t' | b'\n' | b'\r'))
}
