//! Text from files, made safe to print: what could steer a terminal, or hide in a line, becomes visible.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` in one line: characters that steer a terminal or can't be seen are written as escapes (`\n`, `\u{1b}`).
///
/// These are control characters, marks that turn the direction of writing, and characters without width, but for the
/// joiners that emoji and many scripts need between their letters.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, false)
}

/// [`printable()`] for text of several lines: line ends and tabs stay.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, true)
}

/// JSON text for a terminal: the same characters as JSON's own escapes, which change nothing of its values.
#[must_use]
pub fn printable_json(json: &str) -> Cow<'_, str> {
    replaced(json, true, |c, out| {
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escaped(text: &str, lines: bool) -> Cow<'_, str> {
    replaced(text, lines, |c, out| {
        let _ = match c {
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            _ => write!(out, "\\u{{{:x}}}", u32::from(c)),
        };
    })
}

fn replaced(text: &str, lines: bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let mut before = None;
    let mut letters = text.char_indices().peekable();
    let mut out = None;
    while let Some((at, c)) = letters.next() {
        let after = letters.peek().map(|(_, c)| *c);
        let kept = if lines && matches!(c, '\n' | '\t') { true } else { is_plain(before, c, after) };
        match (&mut out, kept) {
            (None, true) => {}
            (Some(out), true) => String::push(out, c),
            (out, false) => escape(c, out.get_or_insert_with(|| text[..at].to_owned())),
        }
        before = Some(c);
    }
    out.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Whether a character can be printed as it is between these two.
fn is_plain(before: Option<char>, c: char, after: Option<char>) -> bool {
    match c {
        ' '..='~' => true,
        // Joiners do something between letters of other scripts and between emoji alone.
        '\u{200c}' | '\u{200d}' => [before, after].iter().all(|c| c.is_some_and(|c| !c.is_ascii() && !is_hidden(c))),
        _ => !c.is_control() && !is_hidden(c),
    }
}

/// Characters that turn the direction of writing, break lines, or have no width and no use in a printed line.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// `text` in at most `most` characters: from a longer one the middle is taken, where ids differ least.
#[must_use]
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    // Cheap for the many that are short.
    if text.len() <= most || text.chars().count() <= most {
        return Cow::Borrowed(text);
    }
    let behind = most / 3;
    let before = most.saturating_sub(behind + 1);
    let end = text.char_indices().nth(before).map_or(text.len(), |(at, _)| at);
    let start = text.char_indices().rev().nth(behind.saturating_sub(1)).map_or(0, |(at, _)| at);
    Cow::Owned(format!("{}…{}", &text[..end], &text[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown() {
        for (text, wanted) in [
            ("\u{1b}]0;TITLE\u{7}\u{1b}[31m", "\\u{1b}]0;TITLE\\u{7}\\u{1b}[31m"),
            ("a\nb\tc\rd\0", "a\\nb\\tc\\rd\\u{0}"),
            ("\u{7f}\u{9b}31m\u{85}", "\\u{7f}\\u{9b}31m\\u{85}"),
            ("\u{202e}txt\u{202c}\u{2066}x\u{2069}", "\\u{202e}txt\\u{202c}\\u{2066}x\\u{2069}"),
            ("pay\u{200b}pal\u{200d}x\u{feff}", "pay\\u{200b}pal\\u{200d}x\\u{feff}"),
            ("é\u{200d}x", "é\\u{200d}x"),
            ("\u{2028}\u{e0041}\u{ad}", "\\u{2028}\\u{e0041}\\u{ad}"),
        ] {
            assert_eq!(printable(text), wanted, "{text:?}");
        }
        assert_eq!(printable_lines("a\n\tb\u{1b}\r\n"), "a\n\tb\\u{1b}\\r\n");
    }

    #[test]
    fn text_stays_text() {
        for text in ["", "a \"b\" \\n ~", "Größe 値 שלום", "👩\u{200d}👧 می\u{200c}خواهم", "e\u{301} \u{a0}x\u{3000}y"]
        {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
    }

    #[test]
    fn long_text_loses_its_middle() {
        assert_eq!(shortened("abcdefghi", 9), "abcdefghi");
        assert_eq!(shortened("ééééééééé", 9), "ééééééééé");
        assert_eq!(shortened("abcdefghij", 9), "abcde…hij");
        assert_eq!(shortened(&"é".repeat(100_000), 30), format!("{}…{}", "é".repeat(19), "é".repeat(10)));
    }

    #[test]
    fn json_keeps_its_values() {
        let value = serde_json::json!({"id": "a\u{9b}b\u{202e}\u{e0041}\u{7f}\n", "\u{200b}": [1.5]});
        let json = serde_json::to_string_pretty(&value).expect("JSON");
        let shown = printable_json(&json);
        assert!(shown.contains("a\\u009bb\\u202e\\udb40\\udc41\\u007f\\n"), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
    }
}
