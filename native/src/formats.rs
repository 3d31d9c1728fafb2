//! How a result is printed, and what the forms for pull requests and CI servers have in common.

use crucible_core::{printable, printable_lines};
use std::fmt::Write;

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// The whole document
    Json,
    /// For a pull request
    Markdown,
    /// Test cases for a CI server
    Junit,
}

/// Text in Markdown, in one line, such as a cell of a table: whatever it holds, it is shown as text.
#[must_use]
pub fn markdown_cell(text: &str) -> String {
    let text = text.trim().replace(['\r', '\n'], " ");
    let text = printable(&text);
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        let after = letters.peek().copied().unwrap_or(' ');
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '\\' | '|' | '`' | '*' | '[' | ']' | '~' | '$' => out.extend(['\\', c]),
            // Within a word it is a letter.
            '_' if !(before.is_alphanumeric() && after.is_alphanumeric()) => out += "\\_",
            // A heading or a list within a list.
            '#' | '+' | '-' | '=' if out.is_empty() && !after.is_numeric() => out.extend(['\\', c]),
            _ => out.push(c),
        }
        before = c;
    }
    out
}

/// `1 look`, `2 looks`.
#[must_use]
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A Markdown table; the first row is its head.
#[must_use]
pub fn markdown_table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let _ = writeln!(text, "| {} |", row.each_ref().map(|c| markdown_cell(c)).join(" | "));
        if number == 0 {
            let _ = writeln!(text, "|{}", " --- |".repeat(N));
        }
    }
    text
}

/// How a test case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Passed,
    /// Not well.
    Failed,
    /// It says nothing.
    Skipped,
}

/// A test case of a JUnit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed or was skipped.
    pub message: String,
    /// What it printed.
    pub out: String,
}

/// A JUnit file of one suite, such as `crucible compare`.
#[must_use]
pub fn junit(suite: &str, cases: &[Case]) -> String {
    let (suite, class) = (xml(suite), xml(&suite.replace(' ', ".")));
    let count = |outcome: Outcome| cases.iter().filter(|c| c.outcome == outcome).count();
    let mut body = String::new();
    for case in cases {
        let _ = write!(body, "    <testcase classname=\"{class}\" name=\"{}\">", xml(&case.name));
        let message = xml(&case.message);
        let _ = match case.outcome {
            Outcome::Failed => write!(body, "<failure message=\"{message}\"/>"),
            Outcome::Skipped => write!(body, "<skipped message=\"{message}\"/>"),
            Outcome::Passed => Ok(()),
        };
        let _ = writeln!(body, "<system-out>{}</system-out></testcase>", xml(&case.out));
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{suite}\" tests=\"{}\" \
         failures=\"{}\" skipped=\"{}\">\n{body}  </testsuite>\n</testsuites>\n",
        cases.len(),
        count(Outcome::Failed),
        count(Outcome::Skipped)
    )
}

/// Text in XML, in an element or an attribute. Characters that XML 1.0 does not know, or that can't be seen, are written as
/// on a terminal.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable_lines(text).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            // An attribute would lose them.
            '\n' => out += "&#10;",
            '\t' => out += "&#9;",
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_text() {
        let case = Case {
            name: "<a & \"b\">\u{1}\u{9b}\n\u{ffff}".into(),
            outcome: Outcome::Failed,
            message: "<script>".into(),
            out: "]]>".into(),
        };
        let text = junit("crucible x", &[case]);
        for part in [
            "&lt;a &amp; &quot;b&quot;&gt;\\u{1}\\u{9b}&#10;\u{fffd}\"",
            "message=\"&lt;script&gt;\"",
            "]]&gt;",
            "failures=\"1\"",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains("classname=\"crucible.x\""), "{text}");
        assert_eq!(markdown_table(&[["a|b".to_owned()], ["c\nd".to_owned()]]), "| a\\|b |\n| --- |\n| c d |\n");
        for (text, wanted) in [
            ("<img src=x> & `code` **b** [l](u)", "&lt;img src=x&gt; &amp; \\`code\\` \\*\\*b\\*\\* \\[l\\](u)"),
            ("R75_15_10 _x_ a\\|b", "R75_15_10 \\_x\\_ a\\\\\\|b"),
            ("# head", "\\# head"),
            ("-1.2 to +3.4 points", "-1.2 to +3.4 points"),
            ("a\u{1b}[31m\tb", "a\\\\u{1b}\\[31m\\\\tb"),
        ] {
            assert_eq!(markdown_cell(text), wanted);
        }
    }
}
