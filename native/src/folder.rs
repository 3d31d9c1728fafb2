//! Folders of models from elsewhere: which files are read, and what names the model.

use crate::checkpoint::MAX_CHECKPOINT_BYTES;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::io;
use crucible_core::data::hex;
use crucible_core::encoder::{Encoder, EncoderError, FolderModel, Options};
use crucible_core::parallel;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files of one folder, at most: with more it is something else.
const MAX_FILES: usize = 1000;
/// Bytes of all of them.
const MAX_BYTES: u64 = 16 << 30;

/// Whether a file of that name is likely a pickle.
pub fn is_pickle(path: &Path) -> bool {
    path.file_name().is_some_and(|name| FolderModel::is_pickle(&name.to_string_lossy()))
}

/// Refuses a pickle by itself.
pub fn pickled_file(path: &Path) -> CliError {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let error = EncoderError::Pickle { file: path.display().to_string() };
    CliError::usage(format!("--checkpoint {error}")).advise(converting(folder))
}

/// How to make safetensors of a folder's pickle.
fn converting(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "a folder of a model that you trust is converted by: python -c \"from sentence_transformers import \
         SentenceTransformer as S; S('{folder}').save('{folder}-safetensors')\"; then name {folder}-safetensors"
    )
}

/// Reads the model in `folder`, which [`crate::hub::resolve`] let pass, and what names it: the SHA-256 of its files' names and hashes, and of how they are read.
///
/// # Errors
/// No model of a known kind (exit status 2 or 3), with the file that says so; files that can't be read.
pub fn read(folder: &Path, options: &Options) -> CliResult<(FolderModel, String)> {
    let paths = listed(folder)?;
    let bytes = parallel::map_into(paths.into_iter().collect(), |(name, path): (String, PathBuf)| {
        if FolderModel::is_pickle(&name) {
            return Ok((name, None));
        }
        let bytes = io::read_bytes(&path, MAX_CHECKPOINT_BYTES)?;
        let hash = hex(&Sha256::digest(&bytes));
        Ok((name, Some((bytes, hash))))
    });
    let files: Vec<_> = bytes.into_iter().collect::<CliResult<_>>()?;
    let mut all = Sha256::new();
    for (name, read) in &files {
        if let Some((_, hash)) = read {
            all.update(format!("{hash} {name}\n"));
        }
    }
    let named = files.iter().map(|(name, read)| (name.as_str(), read.as_ref().map_or(&[][..], |(bytes, _)| bytes)));
    let model = FolderModel::from_files(named, options).map_err(|error| match error {
        EncoderError::Pickle { .. } => {
            CliError::usage(format!("--checkpoint {}: {error}", folder.display())).advise(converting(folder))
        }
        _ => CliError::new(Exit::Data, format!("--checkpoint {}: {error}", folder.display())),
    })?;
    // The same files read in another way are another model.
    let conditions = model.conditions().map_err(|e| CliError::new(Exit::Error, e.to_string()))?;
    for name in ["loader", "prompt"] {
        all.update(format!("{name} {}\n", conditions.get(name).unwrap_or(&Value::Null)));
    }
    Ok((model, hex(&all.finalize())))
}

/// Wanted files and pickles by their names: those of the folder and of the folders in it.
fn listed(folder: &Path) -> CliResult<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut bytes = 0;
    walk(folder, "", &mut found, &mut bytes)?;
    if bytes > MAX_BYTES {
        let message = format!("--checkpoint {}: its files are larger than the 16 GiB that are read", folder.display());
        return Err(CliError::new(Exit::Data, message).advise("is this the right folder?"));
    }
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, found: &mut BTreeMap<String, PathBuf>, bytes: &mut u64) -> CliResult<()> {
    let failed = |e: std::io::Error| CliError::io("read", folder, &e);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // Models in a cache are links to files elsewhere: they are followed.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let name = format!("{prefix}{name}");
        if metadata.is_dir() && prefix.is_empty() {
            walk(&path, &format!("{name}/"), found, bytes)?;
        } else if metadata.is_file() && (FolderModel::wants(&name) || FolderModel::is_pickle(&name)) {
            if found.len() == MAX_FILES {
                let message = format!("--checkpoint {} holds more than {MAX_FILES} files", folder.display());
                return Err(CliError::usage(message).advise("is this the right folder?"));
            }
            *bytes += if FolderModel::is_pickle(&name) { 0 } else { metadata.len() };
            found.insert(name, path);
        }
    }
    Ok(())
}
