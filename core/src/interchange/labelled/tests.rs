use super::*;
use crate::interchange::{RowFormat, read_rows};

fn rows(text: &str) -> Vec<Row> {
    read_rows(&mut text.as_bytes(), RowFormat::Csv, "f").expect("sound")
}

fn chosen(columns: &str) -> Result<Labels, String> {
    let row = rows(&format!("{columns}\n{}\n", columns.split(',').map(|_| "0").collect::<Vec<_>>().join(",")));
    Labels::choose(&row[0], &LabelColumns::default(), BTreeMap::new())
}

fn events(rows: &[Row], labels: Labels) -> Result<(Vec<Event>, LabelReport), Faults> {
    let mut labelling = Labelling::new(labels, "f");
    let events = rows.iter().filter_map(|row| labelling.event(row)).collect();
    Ok((events, labelling.finish()?))
}

#[test]
fn columns_are_found_and_labels_share_a_lemma() {
    let rows = rows("Text,Label,n\nhow much,price,3\nwhere,place#1,4\n");
    let labels = Labels::choose(&rows[0], &LabelColumns::default(), BTreeMap::new()).expect("usual names");
    assert_eq!(
        (labels.text.as_str(), labels.label.as_str(), &labels.unused[..]),
        ("Text", "Label", &["n".to_owned()][..])
    );
    assert!(
        labels.told().contains("text from \"Text\", label from \"Label\"") && labels.told().ends_with("not used: n")
    );
    let (made, report) = events(&rows, labels).expect("sound");
    assert_eq!((made[0].sense.as_str(), made[0].lemma.as_str(), made[1].lemma.as_str()), ("price", "labels", "place"));
    assert_eq!((report.events, report.senses, report.lemmas, report.tidied), (2, 2, 2, 0));
    let given = LabelColumns { id: Some("n"), lemma: Some("Label"), document: Some("n"), ..LabelColumns::default() };
    let (made, _) = events(&rows, Labels::choose(&rows[0], &given, BTreeMap::new()).expect("there")).expect("sound");
    assert_eq!(
        (made[1].event_id.as_str(), made[1].lemma.as_str(), &made[1].extra["doc"]),
        ("4", "place#1", &"4".into())
    );
}

#[test]
fn names_of_labels_are_taken_before_their_numbers() {
    for (columns, label) in [
        ("text,label,label_text", "label_text"),
        ("label_text,label,text", "label_text"),
        ("text,text_label,label", "text_label"),
        ("text,category,category_name", "category_name"),
        ("text,labelName,Label", "labelName"),
        ("sentence,intent", "intent"),
        ("id,utterance,idx,class", "class"),
    ] {
        assert_eq!(chosen(columns).expect(columns).label, label, "{columns}");
    }
    for (columns, parts) in [
        ("text,label,intent", ["--label", "label, intent"]),
        ("text,label,label_text,label_name", ["--label", "label_text, label_name"]),
        ("text,sentence,label", ["--text", "text, sentence"]),
        ("text,a,b", ["the label", "text, a, b"]),
    ] {
        let said = chosen(columns).expect_err(columns);
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
    // Two columns of names: which is the label?
    let both = rows("text,label,label_text\nx,greet,Greeting\n");
    assert!(Labels::choose(&both[0], &LabelColumns::default(), BTreeMap::new()).is_err());
}

#[test]
fn numbers_of_classes_become_their_names() {
    let text =
        "{\"text\": \"hello\", \"kind\": 0}\n{\"text\": \"so long\", \"kind\": 1}\n{\"text\": \"x\", \"kind\": -1}\n";
    let rows = read_rows(&mut text.as_bytes(), RowFormat::JsonLines, "f").expect("sound");
    let names = BTreeMap::from([("kind".to_owned(), vec!["greet".to_owned(), "bye".to_owned()])]);
    let labels = Labels::choose(&rows[0], &LabelColumns::default(), names).expect("the only column of classes");
    assert!(labels.told().contains("the file has their names"), "{}", labels.told());
    let (made, report) = events(&rows[..2], labels.clone()).expect("sound");
    assert_eq!([made[0].sense.as_str(), made[1].sense.as_str()], ["greet", "bye"]);
    assert!(report.notes.is_empty(), "{report:?}");
    assert!(events(&rows, labels).expect_err("-1").to_string().contains("line 3: `kind`: is -1"));
}

#[test]
fn blanks_make_no_labels() {
    let text = "text,label\na,refund\nb,refund \nc,\u{a0}refund\nd,lost  parcel\ne,lost\u{a0}parcel\nf,lost parcel\ng,Refund\n";
    let rows = rows(text);
    let labels = Labels::choose(&rows[0], &LabelColumns::default(), BTreeMap::new()).expect("usual names");
    let (made, report) = events(&rows, labels).expect("sound");
    let senses: BTreeSet<&str> = made.iter().map(|e| e.sense.as_str()).collect();
    assert_eq!(senses.into_iter().collect::<Vec<_>>(), ["Refund", "lost parcel", "refund"]);
    assert_eq!(report.tidied, 4);
    assert!(report.notes[0].contains("4 rows had blanks") && report.notes[1].contains("\"Refund\" and \"refund\""));
    assert_eq!([tidy("a b"), tidy("\u{200b}a\tb \n")], ["a b", "a b"]);
}

#[test]
fn ids_say_what_a_row_holds() {
    let of = |text: &str| -> Vec<String> {
        let rows = rows(text);
        let labels = Labels::choose(&rows[0], &LabelColumns::default(), BTreeMap::new()).expect("usual names");
        events(&rows, labels).expect("sound").0.into_iter().map(|e| e.event_id).collect()
    };
    let one = of("text,label\na,x\nb,x\na,x\nab,x\n");
    let two = of("id,label,text\n1,x,c\n2,x,b\n3,bx,a\n");
    assert_eq!(one[2], format!("{}-2", one[0]), "the same row once more");
    assert_eq!(two[1], one[1], "the same row in another file");
    let all: BTreeSet<&String> = one.iter().chain(&two).collect();
    assert_eq!(all.len(), 6, "{one:?} {two:?}");
}

#[test]
fn what_is_missing_is_named() {
    let rows = rows("a,b\nx,y\n,z\nx,\n");
    let same = [rows[0].clone(), rows[0].clone()];
    let choose = |text, label, id| {
        let given = LabelColumns { text, label, id, ..LabelColumns::default() };
        Labels::choose(&rows[0], &given, BTreeMap::new())
    };
    assert!(choose(None, None, None).expect_err("no text").contains("there are a, b"));
    assert!(choose(Some("c"), None, None).expect_err("none").contains("\"c\""));
    assert!(choose(Some("a"), Some("b"), Some("c")).expect_err("none").contains("\"c\""));
    let faults = events(&rows, choose(Some("a"), Some("b"), None).expect("given")).expect_err("faulty");
    let seen: Vec<_> = faults.faults.iter().map(|f| (f.line, f.field.as_deref())).collect();
    assert_eq!(seen, [(Some(3), Some("a")), (Some(4), Some("b"))]);
    let twice = events(&same, choose(Some("a"), Some("b"), Some("a")).expect("given")).expect_err("twice");
    assert!(twice.to_string().contains("already used on line 2"), "{twice}");
}
