use super::*;
use crate::data::MAX_LINE_BYTES;

fn rows(text: &str, format: RowFormat) -> Result<Vec<Row>, Faults> {
    read_rows(&mut text.as_bytes(), format, "f")
}

fn values(rows: Vec<Row>) -> Vec<Map<String, Value>> {
    rows.into_iter().map(|r| r.values).collect()
}

/// Cells of all rows, and the notes.
fn cells(text: &str, format: RowFormat, wishes: Wishes) -> Result<(Vec<Vec<String>>, Vec<String>), Faults> {
    let found = separation(&mut text.as_bytes(), format, wishes, "f")?;
    let mut all = Vec::new();
    stream_separated(&mut text.as_bytes(), &found, "f", &mut |row| {
        all.push(row.values.values().map(|v| v.as_str().expect("a text").to_owned()).collect());
    })?;
    Ok((all, found.notes))
}

#[test]
fn every_form_gives_the_same_rows() {
    let wanted = values(rows("{\"a\": \"x, \\\"y\\\"\", \"b\": \"1\\n2\"}\n", RowFormat::JsonLines).expect("sound"));
    assert_eq!(values(rows("a,b\n\"x, \"\"y\"\"\",\"1\n2\"\n", RowFormat::Csv).expect("sound")), wanted);
    let tabs = "\u{feff}a\tb\r\n\"x, \"\"y\"\"\"\t\"1\n2\"\r\n";
    assert_eq!(values(rows(tabs, RowFormat::Tsv).expect("sound")), wanted);
}

#[test]
fn every_form_of_json_is_read() {
    let wanted =
        rows("{\"a\": \"[{\\\"}\", \"b\": 1}\n{\"a\": \"y\", \"b\": [2]}\n", RowFormat::JsonLines).expect("sound");
    let lines = |rows: &[Row]| rows.iter().map(|row| row.line).collect::<Vec<_>>();
    for (text, at) in [
        ("[{\"a\": \"[{\\\"}\", \"b\": 1}, {\"a\": \"y\", \"b\": [2]}]", [1, 1]),
        ("\u{feff}\n[\r\n {\"a\": \"[{\\\"}\",\n  \"b\": 1},\n {\"a\": \"y\", \"b\": [2]}\n]\n\n", [3, 5]),
        ("{\n \"a\": \"[{\\\"}\", \"b\": 1\n}\n{\n \"a\": \"y\", \"b\": [2]\n}\n", [1, 4]),
    ] {
        let found = rows(text, RowFormat::JsonLines).expect(text);
        assert_eq!(lines(&found), at, "{text}");
        assert_eq!(values(found), values(wanted.clone()), "{text}");
    }
    let wanted =
        values(rows("{\"a\": \"x\", \"b\": 1}\n{\"a\": \"y\", \"b\": null}\n", RowFormat::JsonLines).expect("sound"));
    for text in [
        "{\"a\": [\"x\", \"y\"], \"b\": [1, null]}",
        "{\n\"a\": [\"x\", \"y\"],\n\"b\": [1, null]\n}\n",
        "{\"a\": {\"0\": \"x\", \"1\": \"y\"}, \"b\": {\"0\": 1, \"1\": null}}",
    ] {
        assert_eq!(values(rows(text, RowFormat::JsonLines).expect(text)), wanted, "{text}");
    }
    // Rows of lists are rows where there are several.
    let two = "{\"a\": [\"x\"], \"b\": [1]}\n{\"a\": [\"y\"], \"b\": [2]}\n";
    assert_eq!(rows(two, RowFormat::JsonLines).expect("sound")[1].values["a"], serde_json::json!(["y"]));
}

#[test]
fn json_of_other_shapes_is_named_once() {
    for (text, parts) in [
        (
            "{\n\"train\": [[\"a\", \"x\"]],\n\"val\": []}",
            &["the keys train, val", "jq -c '.train[] | {text: .[0]"][..],
        ),
        ("{\"train\": [[\"a\", \"x\"]], \"val\": [[\"b\", \"y\"]]}", &["the keys train, val", "jq -c '.train[] |"]),
        ("{\n\"data\": [{\"a\": 1}]}", &["the keys data", "jq -c '.data[]'"]),
        ("[[\"a\", \"x\"], [\"b\", \"y\"]]", &["line 1: is a list", "jq"]),
        ("[{\"a\": 1},\n{\"a\": ]", &["line 2: not JSON"]),
        ("[{\"a\": 1},", &["not closed"]),
        ("[{\"a\": 1}] 3", &["text after the array"]),
        ("[]", &["holds no rows"]),
        ("a,b\n1,2\n", &["is no JSON: it begins with \"a,b\"", ".csv"]),
        ("<!DOCTYPE html>\n<p>", &["web page"]),
        ("PAR1\u{15}", &["Parquet"]),
    ] {
        let said = rows(text, RowFormat::JsonLines).expect_err(text).to_string();
        assert!(parts.iter().all(|part| said.contains(part)) && !said.contains("faults"), "{text}: {said}");
    }
    let long = format!("[{{\"a\": \"{}\"}}]", "x".repeat(MAX_LINE_BYTES));
    assert!(rows(&long, RowFormat::JsonLines).expect_err("long").to_string().contains("longer than"));
}

#[test]
fn faults_have_lines() {
    let said = |text: &str, format| rows(text, format).expect_err("refused").to_string();
    let got = said("a,b\n1\n1,2\n1,2,3\n", RowFormat::Csv);
    assert!(got.contains("line 2") && got.contains("has 1 fields") && got.contains("line 4"), "{got}");
    assert!(said("a,a\n1,2\n", RowFormat::Csv).contains("occurs twice"));
    assert!(said("a,b\n", RowFormat::Csv).contains("no rows"));
    assert!(said("", RowFormat::Csv).contains("no rows"));
    assert!(said("[1]\n", RowFormat::JsonLines).contains("line 1"));
    assert!(said("{\"a\": 1}\n", RowFormat::Csv).contains(".jsonl"));
    // A quote that is never closed: not even a table between tabs is held because of it.
    let long = format!("a,b\n\"{}", "x,y\n".repeat(MAX_LINE_BYTES / 4 + 10));
    assert!(said(&long, RowFormat::Csv).contains("takes in the lines below"));
    let long = format!("a\tb\n\"x\ty\n{}z\"\ty\n", "x\ty\n".repeat(MAX_LINE_BYTES / 4 + 10));
    let found = separation(&mut long.as_bytes(), RowFormat::Tsv, Wishes::default(), "f").expect("sound");
    assert_eq!(found.quotes, Quotes::Plain);
    let long = format!("a,b\n{}", "x".repeat(MAX_LINE_BYTES + 10));
    assert!(said(&long, RowFormat::Csv).contains("longer than"));
    let long = "x".repeat(MAX_LINE_BYTES + 10);
    assert!(said(&long, RowFormat::Csv).contains("longer than"));
    assert!(said(&",a".repeat(20_000), RowFormat::Csv).contains("at most 10000"));
    for (bytes, line) in [(&b"a,b\n1,\xe9\n1,2\n"[..], "line 2"), (b"a,\xe9\n1,2\n", "line 1")] {
        let faults = read_rows(&mut &*bytes, RowFormat::Csv, "f").expect_err("refused").to_string();
        assert!(faults.contains("UTF-8") && faults.contains(line), "{faults}");
    }
}

#[test]
fn separators_are_found_and_told() {
    let none = Wishes::default();
    let wanted = vec![vec!["1, 2".to_owned(), "x".to_owned()]];
    for (text, format, part) in [
        ("a;b\n\"1, 2\";x\n", RowFormat::Csv, "semicolons"),
        ("a\tb\n1, 2\tx\n", RowFormat::Csv, "tabs"),
        ("a|b\n1, 2|x\n", RowFormat::Csv, "bars"),
        ("a,b\n\"1, 2\",x\n", RowFormat::Tsv, "commas"),
        ("\u{feff}\"a\";\"b\"\r\n1, 2;x\r\n", RowFormat::Csv, "semicolons"),
    ] {
        let (found, notes) = cells(text, format, none).expect(text);
        assert_eq!(found, wanted, "{text}");
        assert!(notes[0].contains(part), "{notes:?}");
    }
    // Excel says it itself.
    assert_eq!(cells("sep=;\na;b\n1, 2;x\n", RowFormat::Csv, none).expect("sound"), (wanted.clone(), Vec::new()));
    let refused = cells("a;b, c;d\n1;2;3\n", RowFormat::Csv, none).expect_err("which?").to_string();
    assert!(refused.contains("--delimiter") && refused.contains("1 commas and 2 semicolons"), "{refused}");
    let given = Wishes { delimiter: Some(b';'), ..none };
    assert_eq!(cells("a;b, c\n1, 2;x\n", RowFormat::Csv, given).expect("sound"), (wanted, Vec::new()));
    assert_eq!(cells("a,b;c\n1,2\n", RowFormat::Csv, none).expect("sound").0[0], ["1", "2"]);
}

#[test]
fn quotes_between_tabs_swallow_no_lines() {
    let none = Wishes::default();
    let found = |text: &str| cells(text, RowFormat::Tsv, none).expect(text);
    // Six rows, of which two begin with a quote.
    let (rows, notes) = found("text\tlabel\n\"Sure, go on\tyes\nno thanks\tno\n\"Never again\tno\nfine\tyes\n");
    assert_eq!((rows.len(), rows[0][0].as_str(), rows[2][0].as_str()), (4, "\"Sure, go on", "\"Never again"));
    assert!(notes[0].contains("line 2") && notes[0].contains("--quotes csv"), "{notes:?}");
    // As data frames write it.
    let (rows, notes) = found("text\tlabel\n\"a\tb\"\tx\n\"c\nd\"\tx\n\"he said \"\"no\"\"\"\ty\nplain\tz\n");
    let texts: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(texts, ["a\tb", "c\nd", "he said \"no\"", "plain"]);
    assert!(notes[0].contains("--quotes plain"), "{notes:?}");
    // Every cell in quotes, or some that need none beside quotes that CSV would have doubled.
    assert_eq!(found("\"text\"\t\"label\"\n\"a\"\t\"x\"\n").0[0], ["a", "x"]);
    assert_eq!(found("text\tlabel\n\"a\"\tx\n").0[0], ["\"a\"", "x"]);
    assert_eq!(found("text\tlabel\n\"a, \"\"b\"\"\"\tx\nc \"d\"\ty\n").0[0][0], "\"a, \"\"b\"\"\"");
    assert_eq!(found("text\tlabel\n\"open\tx\n").0[0][0], "\"open");
    assert!(found("text\tlabel\na\tx\n").1.is_empty());
    // Both readings are sound, and differ.
    let both = "text\tlabel\n\"Sure\tyes\nnever again\"\tno\n";
    let refused = cells(both, RowFormat::Tsv, none).expect_err("which?").to_string();
    assert!(refused.contains("line 2") && refused.contains("--quotes plain"), "{refused}");
    let with = |quotes| cells(both, RowFormat::Tsv, Wishes { quotes: Some(quotes), ..none }).expect("given").0;
    assert_eq!((with(Quotes::Plain).len(), with(Quotes::Csv).len()), (2, 1));
}

#[test]
fn a_quote_that_csv_does_not_close_is_an_error() {
    let none = Wishes::default();
    for text in ["text,label\n\"Sure,yes\nno,no\n\"Never,no\n", "text,label\na,x\n\"open,x\nb,y\n"] {
        let refused = cells(text, RowFormat::Csv, none).expect_err(text).to_string();
        let line = if text.contains("open") { "line 3" } else { "line 2" };
        assert!(refused.contains(line) && refused.contains("--quotes plain"), "{refused}");
        let plain = Wishes { quotes: Some(Quotes::Plain), ..none };
        assert!(cells(text, RowFormat::Csv, plain).expect("characters").0.iter().any(|row| row[0].starts_with('"')));
    }
    // Closed on its own line: as lenient as before.
    assert_eq!(cells("a,b\n\"x\" y,1\n", RowFormat::Csv, none).expect("sound").0[0], ["x y", "1"]);
}

#[test]
fn formats_are_told_by_names() {
    assert_eq!(RowFormat::of_name("x/a.JSONL.gz"), Some(RowFormat::JsonLines));
    assert_eq!(RowFormat::of_name("a.tsv"), Some(RowFormat::Tsv));
    assert_eq!(RowFormat::of_name("a.parquet"), None);
}
