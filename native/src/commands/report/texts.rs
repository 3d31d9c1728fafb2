//! The texts of the evals that scoreboards name, where their files still are what they were.

use super::Args;
use crate::error::CliResult;
use crate::evaluation::EvalSet;
use crate::replace::{self, Named};
use crucible_core::eval::EvalHeader;
use crucible_core::report::{BoardInput, EvalTexts};
use crucible_core::sweep::Truth;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Reads the eval of every scoreboard once. What can't be had is no error: the report says why it has no texts.
///
/// # Errors
/// An eval file that a flag names and that can't be read, or is another eval.
pub(super) fn read<'a>(args: &Args, boards: impl Iterator<Item = &'a BoardInput>) -> CliResult<EvalTexts> {
    let mut texts = EvalTexts::new();
    for board in boards {
        let header = &board.scoreboard.eval_header;
        if texts.contains_key(&header.content_hash) {
            continue;
        }
        let flag = match board.truth {
            Some(Truth::Frozen) => args.frozen_eval.as_ref(),
            Some(Truth::Organic) => args.organic_eval.as_ref(),
            None => None,
        };
        let found = match flag {
            _ if args.no_texts => Err("the report was made with --no-texts".to_owned()),
            Some(path) => of(EvalSet::read(path)?, header),
            None => look(args, header),
        };
        texts.insert(header.content_hash.clone(), found);
    }
    Ok(texts)
}

/// Refuses an output that is the eval set of a scoreboard, where it may be found.
///
/// # Errors
/// It is; with exit status 2.
pub(super) fn refuse_overwriting<'a>(args: &Args, boards: impl Iterator<Item = &'a BoardInput>) -> CliResult<()> {
    let named: BTreeSet<&str> = boards.map(|board| board.scoreboard.eval_header.eval_path.as_str()).collect();
    let places: Vec<PathBuf> = named.into_iter().flat_map(|path| places(args, path)).collect();
    let inputs: Vec<Named<'_>> = places.iter().map(|path| ("the eval set of a scoreboard", path.as_path())).collect();
    replace::refuse_overwriting(&args.outputs(), &inputs)
}

type Texts = Result<crucible_core::data::BundleSet, String>;

fn of(eval: EvalSet, header: &EvalHeader) -> Texts {
    let now = eval.header(header.seed, &header.version);
    if now.source_hash == header.source_hash || now.content_hash == header.content_hash {
        return Ok(eval.set);
    }
    Err(format!("{} is another file than the one that was evaluated", name(&eval.path)))
}

/// Where an eval set may lie that a scoreboard names: as seen from the working folder or from the results.
fn places(args: &Args, named: &str) -> Vec<PathBuf> {
    let named = Path::new(named);
    let folders = args.results_dir.ancestors().take(4).map(|folder| folder.join(named));
    std::iter::once(named.to_owned()).chain(folders).collect()
}

fn look(args: &Args, header: &EvalHeader) -> Texts {
    let places = places(args, &header.eval_path);
    let Some(path) = places.iter().find(|path| path.is_file()) else {
        let file = name(&header.eval_path);
        return Err(format!("{file} is no longer where it was; name it with --frozen-eval or --organic-eval"));
    };
    let eval = EvalSet::read(path).map_err(|e| format!("{} can't be read: {}", name(&header.eval_path), e.message))?;
    of(eval, header)
}

fn name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|n| n.to_str()).unwrap_or(path)
}
