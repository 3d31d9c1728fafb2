//! The page as a folder, for any web host: whole or not at all.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::{output, web_assets};
use serde::Serialize;
use std::path::Path;

/// What was written.
#[derive(Serialize)]
struct Exported<'a> {
    folder: &'a Path,
    files: Vec<&'static str>,
}

pub(super) fn run(folder: &Path, ctx: &Context) -> CliResult<Exit> {
    let taken = std::fs::read_dir(folder).map(|mut entries| entries.next().is_some());
    if taken.unwrap_or(folder.exists()) {
        let message = format!("--export {}: there is something already", folder.display());
        return Err(CliError::usage(message).advise("name a folder that is empty or not there yet"));
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    output::create_folder(above)?;
    // Beside it under another name first: what has the name is whole.
    let failed = |e: std::io::Error| CliError::io("write", folder, &e);
    let making = tempfile::Builder::new().prefix(".crucible-page.").suffix(".tmp").tempdir_in(above).map_err(failed)?;
    for name in web_assets::names() {
        output::write_file(&making.path().join(name), web_assets::asset(name).unwrap_or_default())?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The library makes folders for their owner alone; a web host's program has to read this one.
        std::fs::set_permissions(making.path(), std::fs::Permissions::from_mode(0o755)).map_err(failed)?;
    }
    if folder.exists() {
        std::fs::remove_dir(folder).map_err(failed)?;
    }
    std::fs::rename(making.path(), folder).map_err(failed)?;
    let _ = making.keep();
    let files: Vec<&'static str> = web_assets::names().collect();
    let text = format!("{} files in {}; index.html is the page\n", files.len(), folder.display());
    ctx.print(&Exported { folder, files }, &text)?;
    Ok(Exit::Success)
}
