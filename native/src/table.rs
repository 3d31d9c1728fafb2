//! Tables and paragraphs in plain text.

/// Columns of a terminal that nobody has made wider.
const WIDTH: usize = 80;

/// Columns that line up: the first to the left, the others to the right. Every row ends a line.
#[must_use]
pub fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            line += &if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// `label`, then `text` from column `indent` on, in lines that fit a terminal. A word that is longer stays whole.
#[must_use]
pub fn wrapped(label: &str, indent: usize, text: &str) -> String {
    let mut out = String::new();
    let mut line = format!("{label:<indent$}");
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out += &line;
            out.push('\n');
            line = " ".repeat(indent);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line += word;
        empty = false;
    }
    out + line.trim_end() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let text = aligned(&[row(["", "n", "é"]), row(["ab", "1000", "x"]), row(["a", "1", ""])]);
        assert_eq!(text, "       n  é\nab  1000  x\na      1\n");
        assert_eq!(aligned::<2>(&[]), "");
    }

    #[test]
    fn paragraphs_fit_a_terminal() {
        let word = "é".repeat(37);
        assert_eq!(wrapped("a", 3, &format!("{word} {word} b")), format!("a  {word} {word} b\n"), "80 columns");
        assert_eq!(wrapped("a", 3, &format!("{word} {word} bb")), format!("a  {word} {word}\n   bb\n"));
        assert_eq!(wrapped("", 0, &"x".repeat(90)), "x".repeat(90) + "\n");
        assert_eq!(wrapped("a", 3, ""), "a\n");
    }
}
