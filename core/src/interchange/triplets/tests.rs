use super::*;
use crate::data::read_bundles;
use crate::interchange::{RowFormat, read_rows};

fn made(text: &str, format: RowFormat) -> Result<Triplets, Faults> {
    triplets(&read_rows(&mut text.as_bytes(), format, "f").expect("rows"), "f")
}

/// Texts of a bundle: anchor, positive, negatives.
fn texts_of(set: &BundleSet, bundle: usize) -> Vec<&str> {
    let b = &set.bundles[bundle];
    let negatives = b.negatives.iter().map(|n| n.event);
    [b.anchor, b.positive].into_iter().chain(negatives).map(|e| set.events[e as usize].text.as_str()).collect()
}

#[test]
fn every_form_says_the_same() {
    for (text, format) in [
        ("anchor,positive,negative_1,negative_2\na,p,m,n\n", RowFormat::Csv),
        ("x\ty\tneg1\tneg2\na\tp\tm\tn\n", RowFormat::Tsv),
        ("{\"query\": \"a\", \"answer\": \"p\", \"negative\": [\"m\", \"n\"]}\n", RowFormat::JsonLines),
        ("{\"query\": \"a\", \"pos\": [\"p\"], \"neg\": [\"m\", \"n\"], \"pos_scores\": [1]}\n", RowFormat::JsonLines),
        ("{\"query\": \"a\", \"documents\": [\"m\", \"p\", \"n\"], \"labels\": [0, 1, 0]}\n", RowFormat::JsonLines),
        (
            "{\"query_id\": \"1\", \"query\": \"a\", \"positive_passages\": [{\"docid\": \"1\", \"title\": \"\", \"text\": \"p\"}], \
             \"negative_passages\": [{\"text\": \"m\"}, {\"title\": \"\", \"text\": \"n\"}]}\n",
            RowFormat::JsonLines,
        ),
    ] {
        let made = made(text, format).expect("sound");
        assert_eq!(texts_of(&made.set, 0), ["a", "p", "m", "n"], "{text}");
        assert_eq!(made.set.bundles.len(), 1);
        let mut written = Vec::new();
        made.set.write(&mut written).expect("a Vec takes everything");
        assert_eq!(read_bundles(&mut &written[..], "f").expect("its own rules"), made.set);
    }
}

#[test]
fn what_can_not_be_a_bundle_is_counted() {
    let text = "anchor,positive,negative\na,p,\na,a,n\na,p,p\na,p,n\n";
    let made = made(text, RowFormat::Csv).expect("sound");
    let TripletReport { bundles, without_negatives, same_text, false_negatives, events, .. } = made.report;
    assert_eq!((made.set.bundles.len(), without_negatives, same_text, false_negatives), (1, 2, 1, 1));
    assert_eq!((bundles, events), (1, made.set.events.len()));
    // Two positives, two bundles of one sense.
    let two =
        super::tests::made("{\"query\": \"a\", \"pos\": [\"p\", \"q\"], \"neg\": [\"n\"]}\n", RowFormat::JsonLines);
    let set = two.expect("sound").set;
    assert_eq!((texts_of(&set, 0), texts_of(&set, 1)), (vec!["a", "p", "n"], vec!["a", "q", "n"]));
    assert_ne!(set.bundles[1].bundle_id, set.bundles[0].bundle_id);
}

#[test]
fn faults_name_line_and_field() {
    for (text, field, part) in [
        ("{\"query\": \"a\"}", None, "known to be the positive"),
        ("{\"query\": \"\", \"pos\": [\"p\"], \"neg\": []}", Some("query"), "is empty"),
        ("{\"query\": \"a\", \"pos\": [3.5, {}], \"neg\": []}", Some("pos"), "no text"),
        ("{\"query\": \"a\", \"positive_passages\": 3}", Some("positive_passages"), "no list"),
        ("{\"query\": \"a\", \"positive_passages\": [{}]}", Some("positive_passages"), "without a text"),
        ("{\"query\": \"a\", \"docs\": [\"x\"], \"labels\": [1, 0]}", Some("labels"), "2 entries for 1"),
        ("{\"query\": \"a\", \"docs\": [\"x\"], \"labels\": [0]}", Some("labels"), "no positive"),
        ("{\"query\": \"a\", \"docs\": [\"x\"], \"labels\": [\"y\"]}", Some("labels"), "no number"),
        ("{\"anchor\": \"a\", \"positive\": null}", Some("positive"), "no text"),
    ] {
        let faults = made(&format!("{text}\n"), RowFormat::JsonLines).expect_err(text);
        assert_eq!((faults.faults[0].line, faults.faults[0].field.as_deref()), (Some(1), field), "{text}");
        assert!(faults.faults[0].message.contains(part), "{text}: {faults}");
    }
}

fn chosen(columns: &str, given: &RolesGiven<'_>) -> Result<Roles, String> {
    let values = columns.split(',').map(|name| (name.to_owned(), Value::from("some text"))).collect();
    roles::choose(&values, given)
}

#[test]
fn columns_are_known_by_their_names() {
    let none = RolesGiven::default();
    for (columns, anchor, positive, negatives) in [
        ("id,query,document,negative", "query", "document", &["negative"][..]),
        ("qid,Unnamed: 0,a,b,neg1,neg_scores", "a", "b", &["neg1"]),
        ("query_id,Query,positive,positive_id,negative_id,hard_negative", "Query", "positive", &["hard_negative"]),
        ("positive,anchor,negative_2,negative_1,score", "anchor", "positive", &["negative_2", "negative_1"]),
        ("_id,index,question,answer", "question", "answer", &[]),
        ("sentence1,sentence2,label", "sentence1", "sentence2", &[]),
        ("query,pos,neg,prompt", "query", "pos", &["neg"]),
        ("query_id,query,positive_passages,negative_passages", "query", "positive_passages", &["negative_passages"]),
    ] {
        let roles = chosen(columns, &none).expect(columns);
        assert_eq!((roles.anchor.as_str(), roles.positive.as_str()), (anchor, positive), "{columns}");
        assert_eq!(roles.negatives, negatives, "{columns}");
        assert_eq!(roles.unused.len() + 2 + negatives.len(), columns.split(',').count(), "{columns}");
    }
    for (columns, part) in [
        ("premise,hypothesis,label", "known to be the positive; there are premise, hypothesis, label"),
        ("query,domain,negative", "--positive"),
        ("text,positive,negative", "--anchor"),
        ("a,b,c", "there are a, b, c. Choose with --anchor"),
        ("query,question,answer", "query, question; choose one with --anchor"),
        ("query,answer,document", "answer, document; choose one with --positive"),
        ("query_id,query_text,positive_document_ids,negative_document_ids", "ids of documents, not their texts"),
    ] {
        let said = chosen(columns, &none).expect_err(columns);
        assert!(said.contains(part), "{said}");
    }
    let negatives = ["c".to_owned()];
    let given = RolesGiven { anchor: Some("b"), positive: Some("a"), negatives: &negatives };
    let roles = chosen("a,b,c,negative", &given).expect("given");
    assert_eq!(roles.told(), "anchor from \"b\", positive from \"a\", negatives from c; not used: negative");
    assert!(chosen("a,b", &given).expect_err("no c").contains("\"c\""));
    // Numbers are no texts that a place could choose.
    let rows = read_rows(&mut "a,b\n17,x\n".as_bytes(), RowFormat::Csv, "f").expect("rows");
    assert!(triplets(&rows, "f").expect_err("an id").to_string().contains("--anchor"));
}

#[test]
fn ids_of_bundles_say_what_they_hold() {
    let ids = |text: &str| -> Vec<String> {
        made(text, RowFormat::Csv).expect("sound").set.bundles.into_iter().map(|b| b.bundle_id).collect()
    };
    let one = ids("anchor,positive,negative\na,p,n\na,p,m\na,p,n\n");
    let two = ids("id,anchor,positive,negative\n1,x,p,n\n2,a,p,m\n");
    assert_eq!((two[1].as_str(), one[2].clone()), (one[1].as_str(), format!("{}-2", one[0])));
    assert!(!one.contains(&two[0]), "{one:?} {two:?}");
}
