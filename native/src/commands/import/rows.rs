//! Rows of whatever file the user names, one after the other.

use crate::error::{CliError, CliResult};
use crate::{io, parquet_file};
use crucible_core::interchange::{Quotes, Row, RowFormat, Wishes, separation, stream_json, stream_separated};
use std::io::BufRead;
use std::path::Path;

/// A pipe can be read but once, so it is held in memory, up to this size.
const MAX_PIPE: usize = 1 << 30;

/// How separated texts are read.
#[derive(Debug, Default, clap::Args)]
pub struct RowArgs {
    /// What separates the columns of a .csv or .tsv: one character, or tab; without it the file tells
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub delimiter: Option<u8>,
    /// What quotes in a .csv or .tsv are; without it csv in .csv, and in .tsv whichever the file tells
    #[arg(long, value_enum, value_name = "HOW")]
    pub quotes: Option<QuotesArg>,
}

/// What quotes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum QuotesArg {
    /// A cell in quotes is one cell, whatever it holds
    Csv,
    /// Characters like others
    Plain,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\\t" | "\t" => Ok(b'\t'),
        "comma" => Ok(b','),
        "semicolon" => Ok(b';'),
        _ => match text.as_bytes() {
            [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\r' | b'\n') => {
                Ok(*byte)
            }
            _ => Err("expected one character that is neither letter, digit nor quote, or tab".to_owned()),
        },
    }
}

impl RowArgs {
    fn wishes(&self) -> Wishes {
        let quotes = self.quotes.map(|quotes| match quotes {
            QuotesArg::Csv => Quotes::Csv,
            QuotesArg::Plain => Quotes::Plain,
        });
        Wishes { delimiter: self.delimiter, quotes }
    }

    /// Hands each row of a file to `take`, in order, and returns what was found out about its form, for the user.
    ///
    /// # Errors
    /// A file of no known form, flags that it has no use for, all faults of its rows.
    pub(super) fn each(&self, path: &Path, take: &mut dyn FnMut(Row)) -> CliResult<Vec<String>> {
        let name = path.display().to_string();
        let wishes = self.wishes();
        let any = wishes.delimiter.is_some() || wishes.quotes.is_some();
        let format = RowFormat::of_name(&name);
        let parquet = parquet_file::is_one(path);
        if any && (parquet || format == Some(RowFormat::JsonLines)) {
            let message = format!("{name}: --delimiter and --quotes are for .csv and .tsv files");
            return Err(CliError::usage(message).advise("leave them out, or give the file the name of what it is"));
        }
        if parquet {
            parquet_file::each_row(path, take)?;
            return Ok(Vec::new());
        }
        match (format, wishes.delimiter) {
            (Some(RowFormat::JsonLines), _) => {
                stream_json(&mut *io::open(path)?, &name, take)?;
                Ok(Vec::new())
            }
            (Some(format), _) => separated(path, &name, format, wishes, take),
            (None, Some(b'\t')) => separated(path, &name, RowFormat::Tsv, wishes, take),
            (None, Some(_)) => separated(path, &name, RowFormat::Csv, wishes, take),
            (None, None) => Err(CliError::usage(format!("{name}: which form its rows have is told by its name"))
                .advise(
                    "name a .jsonl, .json, .csv, .tsv or .parquet file, or say what separates columns with --delimiter",
                )),
        }
    }
}

/// Twice over the file: how it is separated, then its rows.
fn separated(
    path: &Path,
    name: &str,
    format: RowFormat,
    wishes: Wishes,
    take: &mut dyn FnMut(Row),
) -> CliResult<Vec<String>> {
    let regular = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let held = if regular { Vec::new() } else { io::read_bytes(path, MAX_PIPE)? };
    let reader =
        || -> CliResult<Box<dyn BufRead + '_>> { if regular { Ok(io::open(path)?) } else { Ok(Box::new(&held[..])) } };
    let found = separation(&mut *reader()?, format, wishes, name)?;
    stream_separated(&mut *reader()?, &found, name, take)?;
    Ok(found.notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_characters_or_names() {
        for (text, byte) in [(";", b';'), ("tab", b'\t'), ("\\t", b'\t'), ("|", b'|'), (" ", b' ')] {
            assert_eq!(delimiter(text), Ok(byte), "{text}");
        }
        for text in ["", "ab", "a", "7", "\"", "\n", "é"] {
            assert!(delimiter(text).is_err(), "{text}");
        }
    }
}
