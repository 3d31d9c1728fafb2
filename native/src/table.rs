//! Tables and paragraphs in plain text.

use console::measure_text_width;
use crucible_core::{printable, printable_lines, shortened};

/// Columns of a terminal that nobody has made wider.
const WIDTH: usize = 80;
/// A longer cell is shortened: one of them would make every row as long.
const MOST_CELL: usize = 72;
/// A longer word of a paragraph is shortened.
const MOST_WORD: usize = 240;

/// Columns that line up: the first to the left, the others to the right. Every row ends a line, whatever its cells hold;
/// very long cells lose their middle.
#[must_use]
pub fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let shown = |cell: &String| shortened(&printable(cell), MOST_CELL).into_owned();
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(shown)).collect();
    let width = |column: usize| rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let space = " ".repeat(width - measure_text_width(cell));
            line += &if column == 0 { format!("{cell}{space}") } else { format!("  {space}{cell}") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// `text`, and blanks up to `width` columns. A format string's own width panics beyond 65,535.
#[must_use]
pub fn padded(text: &str, width: usize) -> String {
    text.to_owned() + &" ".repeat(width.saturating_sub(measure_text_width(text)))
}

/// `label`, then `text` from column `indent` on, in lines that fit a terminal. A word that is longer stays whole.
#[must_use]
pub fn wrapped(label: &str, indent: usize, text: &str) -> String {
    let label = padded(&printable(label), indent);
    let words = filled(measure_text_width(&label), indent, &printable_lines(text), WIDTH);
    (label + &words).trim_end().to_owned() + "\n"
}

/// A message behind its label, in lines of at most `width` columns; those that are too long go on below their own text.
#[must_use]
pub fn hanging(label: &str, text: &str, width: usize) -> String {
    let mut out = String::new();
    for (number, line) in text.split('\n').enumerate() {
        let (end, label) = if number == 0 { ("", label) } else { ("\n", "") };
        let columns = measure_text_width(label);
        out = out + end + label;
        if columns + measure_text_width(line) <= width {
            out += line;
            continue;
        }
        let words = line.trim_start_matches(' ');
        let blanks = line.len() - words.len();
        let below = match words.strip_prefix("help: ") {
            Some(_) => blanks + "help: ".len(),
            None if columns == 0 => blanks + 2,
            None => columns + blanks,
        };
        // A narrow terminal has no room for much of it.
        let below = if below * 2 > width { 0 } else { below };
        out = out + &line[..blanks] + &filled(columns + blanks, below, words, width);
    }
    out
}

/// Words in lines of at most `width` columns: the first line goes on behind `columns`, the others start with `indent` blanks.
fn filled(mut columns: usize, indent: usize, text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut empty = true;
    for word in text.split_whitespace() {
        let word = shortened(word, MOST_WORD);
        let more = measure_text_width(&word);
        if !empty && columns + 1 + more > width {
            out.push('\n');
            out += &" ".repeat(indent);
            columns = indent;
            empty = true;
        }
        if !empty {
            out.push(' ');
            columns += 1;
        }
        out += &word;
        columns += more;
        empty = false;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<const N: usize>(cells: [&str; N]) -> [String; N] {
        cells.map(str::to_owned)
    }

    #[test]
    fn columns_line_up() {
        let text = aligned(&[row(["", "n", "é"]), row(["ab", "1000", "x"]), row(["a", "1", ""])]);
        assert_eq!(text, "       n  é\nab  1000  x\na      1\n");
        assert_eq!(aligned::<2>(&[]), "");
        assert_eq!(aligned(&[row(["日本", "1"]), row(["abc", "22"])]), "日本   1\nabc   22\n", "two columns a letter");
    }

    #[test]
    fn a_cell_stays_in_its_row() {
        let text = aligned(&[row(["a\nb\t\u{1b}[31m", "1"]), row(["c\u{202e}", "2"])]);
        assert_eq!(text, "a\\nb\\t\\u{1b}[31m  1\nc\\u{202e}         2\n");
    }

    #[test]
    fn a_cell_of_any_length_is_shown() {
        for length in [100, 70_000, 1 << 20] {
            let long = format!("start{}end", "s".repeat(length));
            let text = aligned(&[row(["", "passes"]), row([&long, "1"]), row(["short", &long])]);
            let width = text.lines().map(|line| line.chars().count()).max();
            assert!(width.is_some_and(|width| width < 2 * MOST_CELL + 4), "{width:?}");
            assert!(text.contains("\nstartsss") && text.contains("…") && text.contains("sssend"), "{text}");
        }
        assert_eq!(padded("é", 3), "é  ");
        assert_eq!(padded(&"x".repeat(70_000), 70_001).len(), 70_001);
    }

    #[test]
    fn paragraphs_fit_a_terminal() {
        let word = "é".repeat(37);
        assert_eq!(wrapped("a", 3, &format!("{word} {word} b")), format!("a  {word} {word} b\n"), "80 columns");
        assert_eq!(wrapped("a", 3, &format!("{word} {word} bb")), format!("a  {word} {word}\n   bb\n"));
        assert_eq!(wrapped("", 0, &"x".repeat(90)), "x".repeat(90) + "\n");
        assert_eq!(wrapped("a", 3, ""), "a\n");
        assert_eq!(wrapped("a\u{7}", 3, "b\u{1b}c"), "a\\u{7}b\\u{1b}c\n");
    }

    #[test]
    fn messages_break_between_words_and_hang() {
        let text = "one two three four\n  help: five six seven\n  line 7: eight nine\nshort";
        let wanted = "warning: one two\n         three\n         four\n  help: five six\n        seven\n  line 7: eight\n    \
                      nine\nshort";
        assert_eq!(hanging("warning: ", text, 18), wanted);
        assert_eq!(hanging("warning: ", text, 80), format!("warning: {text}"), "as it is where it fits");
        assert_eq!(hanging("error: ", "日本 日本 日本", 12), "error: 日本\n日本 日本", "too narrow to hang");
        assert_eq!(hanging("", "  one two", 8), "  one\n    two");
    }
}
