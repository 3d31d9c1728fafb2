//! Where the model lies that a user means: names of the hub, folders of its cache, output folders of trainers.
//!
//! Nothing is downloaded. What lies in the hub's local cache is used; for the rest the message says how to get it.

use crate::checkpoint::KINDS;
use crate::error::{CliError, CliResult};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Of a folder that holds a model, one is there.
const MARKS: [&str; 4] = ["modules.json", "config.json", "config_sentence_transformers.json", "adapter_config.json"];
/// A larger `trainer_state.json` is not read.
const MAX_STATE: usize = 64 << 20;
/// Folders that a message names.
const NAMED: usize = 5;
/// Names that end so are files that are missing, not names of the hub.
const FILES: [&str; 16] = [
    "safetensors",
    "npy",
    "npz",
    "json",
    "jsonl",
    "bin",
    "pt",
    "pth",
    "ckpt",
    "onnx",
    "gguf",
    "parquet",
    "pkl",
    "zst",
    "gz",
    "tar",
];

/// Whether a folder holds a model.
#[must_use]
pub fn is_model(folder: &Path) -> bool {
    MARKS.iter().any(|name| folder.join(name).is_file())
}

/// The model that `named` means, if it is another path: a snapshot in the hub's cache.
///
/// # Errors
/// A name of the hub that its cache does not hold, a folder of several models, the output folder of a trainer (exit
/// status 2); each with what to name instead.
pub fn resolve(named: &Path) -> CliResult<Option<PathBuf>> {
    resolve_in(named, &caches(|name| std::env::var_os(name)))
}

fn resolve_in(named: &Path, caches: &[PathBuf]) -> CliResult<Option<PathBuf>> {
    if named.is_dir() {
        return match is_model(named) {
            true => Ok(None),
            false if named.join("snapshots").is_dir() => snapshot(named).map(Some),
            false => Err(without_model(named)),
        };
    }
    if named.exists() {
        return Ok(None);
    }
    let Some(name) = hub_name(named) else { return Ok(None) };
    for cache in caches {
        for folder in cache_names(&name) {
            let folder = cache.join(folder);
            if folder.is_dir() {
                return snapshot(&folder).map(Some);
            }
        }
    }
    let looked: Vec<String> = caches.iter().map(|cache| cache.display().to_string()).collect();
    let message = format!(
        "--checkpoint {name}: there is no such file or folder, and the hub's local cache ({}) does not hold a model of \
         that name",
        looked.join(", ")
    );
    let folder = name.rsplit('/').next().unwrap_or(&name);
    Err(CliError::usage(message).advise(format!(
        "nothing is downloaded here; get the model with `hf download {name} --local-dir {folder}`, then give --checkpoint \
         {folder}"
    )))
}

/// Where the hub's client keeps what it downloaded.
fn caches(var: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let folder = |name: &str| var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || folder("HOME").or_else(|| folder("USERPROFILE"));
    let hub = folder("HF_HUB_CACHE")
        .or_else(|| folder("HUGGINGFACE_HUB_CACHE"))
        .or_else(|| Some(folder("HF_HOME")?.join("hub")))
        .or_else(|| Some(folder("XDG_CACHE_HOME")?.join("huggingface/hub")))
        .or_else(|| Some(home()?.join(".cache/huggingface/hub")));
    folder("SENTENCE_TRANSFORMERS_HOME").into_iter().chain(hub).collect()
}

/// A path that could be a name of the hub: `owner/model` or `model`, or an address that ends so.
fn hub_name(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let is_address = text.contains("://");
    let text = match text.split_once("://") {
        Some((_, rest)) => rest.trim_end_matches('/'),
        None => text,
    };
    let all: Vec<&str> = text.split('/').collect();
    let parts = if is_address { &all[all.len().saturating_sub(2)..] } else { &all[..] };
    let plain = |part: &&str| {
        let known = part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        known && !part.is_empty() && part.len() <= 96 && !part.starts_with('.')
    };
    if parts.len() > 2 || !parts.iter().all(plain) {
        return None;
    }
    let last = parts.last()?;
    let is_file = last.rsplit_once('.').is_some_and(|(_, end)| {
        // Without an owner, letters behind a dot are the end of a file's name; `v1.5` is a version.
        let is_end = parts.len() == 1 && end.bytes().all(|b| b.is_ascii_alphabetic());
        is_end || FILES.iter().any(|file| end.eq_ignore_ascii_case(file))
    });
    // A slip in the name of a file or folder that is nearby.
    let is_near = parts.len() == 2 && !is_address && Path::new(parts[0]).is_dir();
    (!is_file && !is_near).then(|| parts.join("/"))
}

/// Folders of the cache that may hold a model of that name.
fn cache_names(name: &str) -> Vec<String> {
    let folder = |name: &str| format!("models--{}", name.replace('/', "--"));
    match name.contains('/') {
        true => vec![folder(name)],
        // As sentence-transformers reads a name without an owner.
        false => vec![folder(&format!("sentence-transformers/{name}")), folder(name)],
    }
}

/// The snapshot of a folder of the cache that `refs/main` names, or the only one.
fn snapshot(folder: &Path) -> CliResult<PathBuf> {
    let snapshots = folder.join("snapshots");
    let main = fs::read_to_string(folder.join("refs/main")).unwrap_or_default();
    let revision = main.trim();
    let plain = !revision.is_empty() && revision.len() <= 64 && revision.bytes().all(|b| b.is_ascii_alphanumeric());
    if plain && is_model(&snapshots.join(revision)) {
        return Ok(snapshots.join(revision));
    }
    let found: Vec<PathBuf> = folders(&snapshots).into_iter().filter(|path| is_model(path)).collect();
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => {
            let message = format!("--checkpoint {}: the hub's cache holds no whole model there", folder.display());
            Err(CliError::usage(message)
                .advise("was the download stopped? Run it again, or use `hf download … --local-dir`"))
        }
        several => {
            let message =
                format!("--checkpoint {} is of the hub's cache and holds several snapshots", folder.display());
            Err(CliError::usage(message).advise(format!("name one of them: {}", listed(several))))
        }
    }
}

/// A folder that is no model: where the models are that it may stand for.
fn without_model(folder: &Path) -> CliError {
    let mut inside = folders(folder);
    let is_cache = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("models--") && path.join("snapshots").is_dir()
    };
    if inside.iter().any(is_cache) {
        let message = format!("--checkpoint {} is the hub's cache of many models", folder.display());
        let models: Vec<PathBuf> = inside.into_iter().filter(is_cache).collect();
        return CliError::usage(message).advise(format!("name one of them: {}", listed(&models)));
    }
    inside.retain(|path| is_model(path));
    let mut steps: Vec<(u64, &PathBuf)> = inside.iter().filter_map(|path| Some((step(path)?, path))).collect();
    steps.sort_unstable();
    let named = folder.display();
    if let Some((_, last)) = steps.last() {
        let message = format!(
            "--checkpoint {named} is the output folder of a trainer, without a model of its own: its models are {}",
            listed(&steps.iter().map(|(_, path)| (*path).clone()).collect::<Vec<_>>())
        );
        return CliError::usage(message).advise(match best(folder, last, &inside) {
            Some(best) => format!("the best by the trainer's own measure is {}", best.display()),
            None => format!("the last is {}", last.display()),
        });
    }
    let message = format!("--checkpoint {named} is a folder without modules.json or config.json");
    CliError::usage(message).advise(match inside.is_empty() {
        true => KINDS.to_owned(),
        false => format!("there are models in it: {}", listed(&inside)),
    })
}

/// Folders in a folder, by name.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort_unstable();
    found
}

fn listed(paths: &[PathBuf]) -> String {
    let mut names: Vec<String> = paths.iter().take(NAMED).map(|path| path.display().to_string()).collect();
    if paths.len() > NAMED {
        names.push(format!("and {} more", paths.len() - NAMED));
    }
    names.join(", ")
}

/// The steps behind `checkpoint-500`.
fn step(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("checkpoint-")?.parse().ok()
}

/// The checkpoint that the trainer found best, if it is still there.
fn best(folder: &Path, last: &Path, models: &[PathBuf]) -> Option<PathBuf> {
    let states = [last.join("trainer_state.json"), folder.join("trainer_state.json")];
    let best = states.iter().find_map(|state| {
        let text = crate::io::read_text(state, MAX_STATE).ok()?;
        let state: serde_json::Value = serde_json::from_str(&text).ok()?;
        // The path is that of the machine it was trained on, which may write paths otherwise.
        let named = state["best_model_checkpoint"].as_str()?.trim_end_matches(['/', '\\']);
        Some(named.rsplit(['/', '\\']).next().unwrap_or(named).to_owned())
    })?;
    models.iter().find(|path| path.file_name().is_some_and(|name| name.to_str() == Some(&best))).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(folder: &Path) {
        fs::create_dir_all(folder).expect("creates");
        fs::write(folder.join("config.json"), "{}").expect("writes");
    }

    fn advice(error: &CliError) -> &str {
        error.advice.as_deref().unwrap_or_default()
    }

    #[test]
    fn names_of_the_hub_lead_to_snapshots_of_its_cache() {
        let dir = tempfile::tempdir().expect("a folder");
        let caches = [dir.path().join("none"), dir.path().to_owned()];
        let folder = dir.path().join("models--own--tiny");
        model(&folder.join("snapshots/abc"));
        model(&folder.join("snapshots/def"));
        fs::create_dir_all(folder.join("refs")).expect("creates");
        let main = |text: &str| fs::write(folder.join("refs/main"), text).expect("writes");
        main("def\n");
        let found = |name: &str| resolve_in(Path::new(name), &caches);
        assert_eq!(found("own/tiny"), Ok(Some(folder.join("snapshots/def"))));
        assert_eq!(resolve_in(&folder, &[]), Ok(Some(folder.join("snapshots/def"))));
        assert_eq!(found("hf://own/tiny"), found("own/tiny"));
        for lying in ["../../..", "", "gone"] {
            main(lying);
            let error = found("own/tiny").expect_err("two snapshots");
            assert!(advice(&error).contains("snapshots/abc"), "{error:?}");
        }
        model(&dir.path().join("models--sentence-transformers--mini/snapshots/x"));
        assert!(found("mini").is_ok_and(|path| path.is_some()));
        let missing = found("own/other").expect_err("not there");
        assert!(
            missing.message.contains("cache") && advice(&missing).contains("hf download own/other --local-dir other")
        );
        fs::create_dir_all(dir.path().join("models--own--empty/snapshots")).expect("creates");
        assert!(found("own/empty").is_err_and(|e| e.message.contains("no whole model")));
    }

    #[test]
    fn files_that_are_missing_are_no_names_of_the_hub() {
        for path in ["/a/b", "a/b/c", "model.safetensors", "runs/x.npy", "./mini", "../a", "a b", "src/gone"] {
            assert_eq!(resolve_in(Path::new(path), &[]), Ok(None), "{path}");
        }
    }

    #[test]
    fn a_trainers_folder_leads_to_its_best_or_last_checkpoint() {
        let dir = tempfile::tempdir().expect("a folder");
        for step in ["checkpoint-500", "checkpoint-1000", "checkpoint-90"] {
            model(&dir.path().join(step));
        }
        let error = || resolve_in(dir.path(), &[]).expect_err("no model");
        assert!(error().message.contains("output folder of a trainer"));
        assert!(
            advice(&error()).contains("the last is") && advice(&error()).ends_with("checkpoint-1000"),
            "{:?}",
            error()
        );
        let state = dir.path().join("checkpoint-1000/trainer_state.json");
        for named in ["/elsewhere/out/checkpoint-500", "out\\checkpoint-500"] {
            let text = serde_json::json!({ "best_model_checkpoint": named }).to_string();
            fs::write(&state, text).expect("writes");
            assert!(advice(&error()).contains("best") && advice(&error()).ends_with("checkpoint-500"), "{:?}", error());
        }
        fs::write(&state, r#"{"best_model_checkpoint": "gone/checkpoint-7"}"#).expect("writes");
        assert!(advice(&error()).ends_with("checkpoint-1000"));
    }

    #[test]
    fn other_folders_name_the_models_in_them() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(resolve_in(dir.path(), &[]).is_err_and(|e| e.message.contains("without modules.json or config.json")));
        model(&dir.path().join("final"));
        assert!(resolve_in(dir.path(), &[]).is_err_and(|e| advice(&e).ends_with("final")));
        assert_eq!(resolve_in(&dir.path().join("final"), &[]), Ok(None));
        fs::create_dir_all(dir.path().join("models--a--b/snapshots")).expect("creates");
        assert!(resolve_in(dir.path(), &[]).is_err_and(|e| advice(&e).ends_with("models--a--b")));
    }

    #[test]
    fn caches_are_where_the_hubs_client_keeps_them() {
        let of = |set: &[(&str, &str)]| {
            caches(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
        };
        let home = ("HOME", "/h");
        assert_eq!(of(&[home]), [Path::new("/h/.cache/huggingface/hub")]);
        assert_eq!(of(&[home, ("XDG_CACHE_HOME", "/x")]), [Path::new("/x/huggingface/hub")]);
        assert_eq!(of(&[home, ("HF_HOME", "/f")]), [Path::new("/f/hub")]);
        assert_eq!(of(&[home, ("HF_HOME", "/f"), ("HF_HUB_CACHE", "/c")]), [Path::new("/c")]);
        let both = of(&[home, ("SENTENCE_TRANSFORMERS_HOME", "/s")]);
        assert_eq!(both, [Path::new("/s"), Path::new("/h/.cache/huggingface/hub")]);
        assert_eq!(of(&[]), Vec::<PathBuf>::new());
    }
}
