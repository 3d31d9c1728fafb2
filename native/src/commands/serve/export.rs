//! The page as a folder, for any web host: whole or not at all.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::new_folder::{NewFolder, refuse_taken};
use crate::web_assets;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// What was written.
#[derive(Serialize)]
struct Exported<'a> {
    #[serde(serialize_with = "crate::output::shown")]
    folder: &'a Path,
    files: Vec<&'static str>,
}

pub(super) fn run(folder: &Path, ctx: &Context) -> CliResult<Exit> {
    refuse_taken("--export", folder)?;
    let making = NewFolder::beside(folder)?;
    for name in web_assets::names() {
        let mut file = making.file(name)?;
        let bytes = web_assets::asset(name).unwrap_or_default();
        file.write_all(bytes).and_then(|()| file.flush()).map_err(|e| CliError::io("write", folder, &e))?;
    }
    making.appear(folder)?;
    let files: Vec<&'static str> = web_assets::names().collect();
    let text = format!("{} files in {}; index.html is the page\n", files.len(), folder.display());
    ctx.print(&Exported { folder, files }, &text)?;
    Ok(Exit::Success)
}
