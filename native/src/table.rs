//! Tables in plain text.

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
}
