//! Scoreboards and the items that lie beside them.

use crate::error::{CliError, CliResult, shown};
use crate::exit::Exit;
use crate::{io, output, parquet_file};
use crucible_core::data::kind::Wanted;
use crucible_core::eval::{self, Item, Scoreboard};
use crucible_core::guardrails::scoreboards::Board;
use std::path::{Path, PathBuf};

/// A scoreboard larger than this is something else.
const MAX_SCOREBOARD_BYTES: usize = 64 << 20;

/// `X.json` to `X_items.jsonl`.
#[must_use]
pub fn items_beside(scoreboard: &Path) -> PathBuf {
    output::beside(scoreboard, "_items.jsonl")
}

/// The items that lie beside a scoreboard: `X_items.jsonl`, or, where there is none, whichever of its packed forms and
/// `X_items.parquet` is there.
#[must_use]
pub fn items_found(scoreboard: &Path) -> PathBuf {
    let plain = items_beside(scoreboard);
    let others = ["jsonl.gz", "jsonl.zst", "parquet"].map(|end| plain.with_extension(end));
    let found = if plain.exists() { None } else { others.into_iter().find(|path| path.exists()) };
    found.unwrap_or(plain)
}

/// Reads a scoreboard.
///
/// # Errors
/// A file that can't be read, or is none (exit status 3).
pub fn read(path: &Path) -> CliResult<Scoreboard> {
    let bytes = io::read_bytes_of(path, MAX_SCOREBOARD_BYTES, Wanted::Scoreboard)?;
    serde_json::from_slice(&bytes).map_err(|e| {
        CliError::new(Exit::Data, format!("{} is no scoreboard: {e}", shown(path)))
            .advise("name the JSON file that `crucible eval --output` wrote")
    })
}

/// A scoreboard that was read, with its items where they lie beside it.
pub struct WithItems {
    /// The scoreboard.
    pub board: Scoreboard,
    /// Its items.
    pub items: Option<Vec<Item<'static>>>,
}

impl WithItems {
    /// Reads both.
    ///
    /// # Errors
    /// A scoreboard, or items that are there, that can't be read.
    pub fn read(path: &Path) -> CliResult<Self> {
        let items = items_found(path);
        let items = items.exists().then(|| read_items(&items)).transpose()?;
        Ok(Self { board: read(path)?, items })
    }

    /// As guardrails take it.
    #[must_use]
    pub fn board(&self) -> Board<'_> {
        Board { board: &self.board, items: self.items.as_deref() }
    }
}

/// Reads an items file.
///
/// # Errors
/// A file that can't be read, and its faults by line or row.
pub fn read_items(path: &Path) -> CliResult<Vec<Item<'static>>> {
    if parquet_file::is_one(path) {
        return parquet_file::items(path);
    }
    Ok(eval::read_items(&mut *io::open(path)?, &path.display().to_string())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_lie_beside_the_scoreboard() {
        for (board, items) in [
            ("a/x.json", "a/x_items.jsonl"),
            ("x.json.gz", "x_items.jsonl"),
            ("x", "x_items.jsonl"),
            ("x.v2.json", "x.v2_items.jsonl"),
            ("x.txt", "x.txt_items.jsonl"),
        ] {
            assert_eq!(items_beside(Path::new(board)), Path::new(items));
        }
    }

    #[test]
    fn items_are_found_in_any_form_and_plain_ones_first() {
        let dir = tempfile::tempdir().expect("a folder");
        let board = dir.path().join("x.v2.json");
        assert_eq!(items_found(&board), items_beside(&board), "where there are none");
        for end in ["parquet", "jsonl.zst", "jsonl.gz", "jsonl"] {
            let items = dir.path().join(format!("x.v2_items.{end}"));
            std::fs::write(&items, "").expect("writes");
            assert_eq!(items_found(&board), items);
        }
    }
}
