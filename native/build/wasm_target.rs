//! Whether the toolchain at hand compiles for wasm, and what changes when it is taught to. A test of the command includes
//! this file, too.

use std::path::{Path, PathBuf};

/// Whether `library`, the folder of a target's standard library, holds one. rustc names the folder for absent targets, too.
pub(crate) fn is_installed(library: &Path) -> bool {
    let files = std::fs::read_dir(library).into_iter().flatten().flatten();
    files.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
}

/// What cargo has to watch to try again once the target is installed: rustup's list of components, or else the nearest
/// folder that is there. (What is not there would run the script, and build this crate, at every call.)
pub(crate) fn watched(library: &Path) -> Option<PathBuf> {
    let rustlib = library.parent().and_then(Path::parent);
    let components = rustlib.map(|folder| folder.join("components")).filter(|list| list.is_file());
    components.or_else(|| Some(library.ancestors().find(|folder| folder.is_dir())?.to_owned()))
}
