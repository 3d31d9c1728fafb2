//! The line format that the sample data's text files share: a keyword, a space, a value; `#` starts a comment line.

/// A fault in one of the text files. They are part of the program, so only a test or an editor of the files sees one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub(super) struct LineFault {
    /// From 1.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) message: String,
}

impl LineFault {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// The lines that say something, as `(line, keyword, value)`.
pub(super) fn keyword_lines(text: &str) -> impl Iterator<Item = Result<(usize, &str, &str), LineFault>> {
    text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(i, line)| {
        line.split_once(' ')
            .filter(|(keyword, value)| !keyword.is_empty() && !value.trim().is_empty())
            .map(|(keyword, value)| (i + 1, keyword, value))
            .ok_or_else(|| LineFault::new(i + 1, format!("\"{line}\" is no keyword with a value")))
    })
}

/// The entries of a list, which commas separate.
pub(super) fn entries(line: usize, list: &str) -> Result<Vec<&str>, LineFault> {
    let entries: Vec<&str> = list.split(',').map(str::trim).collect();
    if entries.contains(&"") {
        return Err(LineFault::new(line, format!("an empty entry in \"{list}\"")));
    }
    Ok(entries)
}
