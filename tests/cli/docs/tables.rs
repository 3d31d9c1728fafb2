//! Tables of the documents are whole: every row has the cells of its head, and no blank line cuts one off.

use super::links::{documents, prose};

/// The cells of a row, by the rules of GitHub's Markdown: a bar parts cells in code too, unless a backslash is before it.
fn cells(row: &str) -> usize {
    let row = row.trim().trim_start_matches('|');
    let mut bars = 0;
    let mut before = ' ';
    for c in row.chars() {
        bars += usize::from(c == '|' && before != '\\');
        before = c;
    }
    // The last bar ends the row.
    if row.ends_with('|') && !row.ends_with("\\|") { bars } else { bars + 1 }
}

/// Whether a row is the line of dashes below a head.
fn is_rule(row: &str) -> bool {
    let inner = row.trim().trim_matches('|');
    !inner.is_empty()
        && inner.split('|').all(|cell| cell.trim().trim_matches(':').chars().all(|c| c == '-') && cell.contains('-'))
}

/// What is wrong with the tables of a text, each with the row.
fn faults(text: &str) -> Vec<String> {
    let text = prose(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    // Tables inside lists are indented by up to three blanks more than the list; code by four or more outside of one.
    let is_row = |line: &&str| line.trim_start().starts_with('|') && !line.starts_with("    ");
    let mut at = 0;
    while at < lines.len() {
        let table: Vec<&str> = lines[at..].iter().copied().take_while(|line| is_row(line)).collect();
        if table.is_empty() {
            at += 1;
            continue;
        }
        at += table.len();
        if !table.get(1).is_some_and(|row| is_rule(row)) {
            found.push(format!("no head above: {}", table[0]));
            continue;
        }
        let width = cells(table[0]);
        let wrong = table.iter().filter(|row| cells(row) != width);
        found.extend(wrong.map(|row| format!("{} cells, and its head has {width}: {row}", cells(row))));
    }
    found
}

#[test]
fn every_row_has_the_cells_of_its_head() {
    let mut found = Vec::new();
    for (path, text) in documents() {
        found.extend(faults(&text).into_iter().map(|fault| format!("{}: {fault}", path.display())));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn broken_tables_are_found() {
    let head = "| a | b |\n| --- | :-: |\n";
    assert_eq!(faults(&format!("{head}| `x\\|y` | 1 |\n|  | 2 |\n\ntext | of | bars\n")), Vec::<String>::new());
    assert_eq!(faults(&format!("{head}| `x|y` | 1 |\n")), ["3 cells, and its head has 2: | `x|y` | 1 |"]);
    assert_eq!(faults(&format!("{head}| 1 |\n")).len(), 1, "a cell is missing");
    assert_eq!(faults(&format!("{head}| 1 | 2 |\n\n| 3 | 4 |\n")), ["no head above: | 3 | 4 |"]);
    assert_eq!(faults(&format!("```text\n{head}| 1 |\n```\n    | 1 |\n")), Vec::<String>::new(), "code");
}
