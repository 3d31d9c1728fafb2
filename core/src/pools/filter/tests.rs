//! Expressions against bundles, and what is said of bad ones.

use super::*;
use crate::data::stream_bundles;

fn bundles() -> Vec<WholeBundle> {
    let event =
        |id: &str, sense: &str| format!(r#"{{"event_id":"{id}","sense":"{sense}","text":"t","doc":{{"n":3}}}}"#);
    let line = |id: usize, metadata: &str| {
        format!(
            r#"{{"bundle_id":"b{id}","anchor":{},"positive":{},"negatives":[{}],"metadata":{{{metadata}}},"note":"x y"}}"#,
            event("a", "bank#1"),
            event("p", "bank#1"),
            event("n", "bank#2").replacen('{', r#"{"source":"within_lemma","#, 1)
        )
    };
    let lines = [
        line(
            0,
            r#""tier":"tier3_adversarial","danger_score":0.3,"source":"tier3_organic_miner","passes":9,"lineups_tested":10"#,
        ),
        line(1, r#""tier":"tier3_adversarial","danger_score":0.05,"passes":8,"ok":true"#),
        line(2, r#""tier":"tier1_easy","danger_score":-0.2,"passes":null,"mined_at":"2024-05-01"#.to_owned().as_str())
            .replace("05-01", "05-01\""),
        line(3, r#""deep":{"er":[1]},"passes":2,"ok":false"#),
    ];
    let mut out = Vec::new();
    let text = lines.join("\n");
    let take = &mut |_, bundle| {
        out.push(bundle);
        Ok(())
    };
    stream_bundles(&mut text.as_bytes(), "t", take).expect("bundles");
    out
}

/// Numbers of the bundles that pass.
fn passing(text: &str) -> Vec<usize> {
    let filter = Filter::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let mut tally = Tally::default();
    let accepts =
        |(_, b): &(usize, WholeBundle)| filter.accepts(b, &mut tally).unwrap_or_else(|e| panic!("{text}: {e}"));
    bundles().into_iter().enumerate().filter(accepts).map(|b| b.0).collect()
}

#[test]
fn expressions_mean_what_they_say() {
    for (text, wanted) in [
        ("passes >= 8 and danger_score > 0.1", &[0][..]),
        ("passes >= 8 AND danger_score > 0.1 or passes < 3", &[0, 3]),
        ("passes >= 8 and (danger_score > 0.1 or passes < 3)", &[0]),
        ("passes = 8", &[1]),
        ("8 == passes", &[1]),
        ("3 < passes", &[0, 1]),
        ("passes != 8", &[0, 3]),
        ("not passes == 8", &[0, 2, 3]),
        ("not not passes == 8", &[1]),
        ("passes == null", &[2]),
        ("passes != null", &[0, 1, 3]),
        ("passes is missing", &[2]),
        ("passes is null", &[2]),
        ("passes is not missing", &[0, 1, 3]),
        ("nothing is missing", &[0, 1, 2, 3]),
        ("passes in [8, 9.0,]", &[0, 1]),
        ("passes not in [8, 9]", &[3]),
        ("passes in [null, 9]", &[0, 2]),
        ("passes not in [null, 9]", &[1, 3]),
        ("passes in []", &[]),
        ("tier == 'tier3_adversarial'", &[0, 1]),
        ("tier in [\"tier1_easy\"]", &[2]),
        ("pool == 'organic'", &[0]),
        ("pool == 'legacy'", &[1]),
        ("source == 'tier3_organic_miner'", &[0]),
        ("strength == 'ultra'", &[0, 1]),
        ("ok", &[1]),
        ("not ok", &[0, 2, 3]),
        ("ok == false", &[3]),
        ("ok != true", &[3]),
        ("true", &[0, 1, 2, 3]),
        ("mined_at >= '2024-01-01'", &[2]),
        ("danger_score < -1e-1", &[2]),
        ("danger_score > -.3", &[0, 1, 2]),
        ("bundle_id == 'b3'", &[3]),
        ("sense == 'bank#1' and lemma == 'bank' and text == 't'", &[0, 1, 2, 3]),
        ("anchor.event_id == 'a' and positive.sense == anchor.sense", &[0, 1, 2, 3]),
        ("anchor.doc.n == 3", &[0, 1, 2, 3]),
        ("metadata.passes > 8", &[0]),
        ("negatives == 1 and negatives.within_lemma == 1 and negatives.sibling < 1", &[0, 1, 2, 3]),
        ("note == 'x y'", &[0, 1, 2, 3]),
        ("note == 'x \\'y'", &[]),
    ] {
        assert_eq!(passing(text), wanted, "{text}");
    }
}

#[test]
fn what_can_not_be_read_is_named_with_its_column() {
    let deep = format!("{}passes > 1{}", "(".repeat(MAX_DEPTH + 1), ")".repeat(MAX_DEPTH + 1));
    let nots = format!("{} passes > 1", "not ".repeat(200));
    let long = format!("passes > 1{}", " or passes > 1".repeat(400));
    let list = format!("passes in [{}]", "1,".repeat(MAX_LIST + 1));
    for (text, column, said) in [
        ("", 1, "is empty"),
        ("  ", 1, "is empty"),
        ("passes >=", 10, "expected a field or a value, but the expression ends"),
        ("passes >= and", 11, "got `and`"),
        ("passes 8", 8, "8 is left over"),
        ("passes == 8 danger_score > 0", 13, "`danger_score` is left over; is an `and`"),
        ("(passes == 8", 13, "expected `)`"),
        ("passes == 8)", 12, "`)` is left over"),
        ("1 < passes < 5", 12, "don't chain"),
        ("passes in (1)", 11, "expected `[` after `in`"),
        ("passes in [1 2]", 14, "`,` or `]`"),
        ("passes in [x]", 12, "a number, a text in quotes"),
        ("passes not 8", 12, "`in` after `not`"),
        ("passes is 8", 11, "`null` or `missing`"),
        ("8 is null", 6, "a field before `is`"),
        ("tier == 'x", 9, "never closed"),
        ("passes > 1.2.3", 10, "\"1.2.3\" is no number"),
        ("passes > 1e999", 10, "is no number"),
        ("passes && ok", 8, "`&` is not known; write `and`"),
        ("é > 1 | ok", 7, "write `or`"),
        ("passes * 2 > 1", 8, "no arithmetic"),
        ("anchor == 'a'", 1, "`anchor` is an event; name a field"),
        ("ok and negatives.far > 1", 8, "`negatives.within_lemma`"),
        ("anchor. == 1", 1, "beside a dot"),
        ("passes > null", 1, "null has no order"),
        ("8", 1, "the number 8 alone"),
        (&deep, MAX_DEPTH + 1, "nested more than 64 deep"),
        (&nots, MAX_DEPTH * 4 - 3 + 4, "nested more than 64 deep"),
        (&long, 1, "at most 4096 are read"),
        (&list, 2012, "more than 1000 values"),
    ] {
        let error = Filter::parse(text).expect_err(text);
        assert!(error.message.contains(said), "{text}: {error}");
        assert_eq!(error.column, column, "{text}: {error}");
    }
}

#[test]
fn values_of_two_kinds_are_a_fault_and_not_false() {
    for (text, said) in [
        ("passes == '8'", "`passes`: is the number 9, and the filter compares it with the text \"8\""),
        ("'x' < passes", "`passes`: is the number 9"),
        ("tier > 3", "`tier`: is the text \"tier3_adversarial\""),
        ("passes in ['9']", "compares it with the text"),
        ("passes", "is the number 9, neither true nor false"),
        ("note and ok", "neither true nor false"),
    ] {
        let filter = Filter::parse(text).expect("parses");
        let fault = filter.accepts(&bundles()[0], &mut Tally::default()).expect_err(text);
        assert!(fault.to_string().contains(said), "{text}: {fault}");
    }
    for (text, said) in [("ok > false", "no order"), ("deep.er == 1", "is a list"), ("deep == 1", "is an object")] {
        let filter = Filter::parse(text).expect("parses");
        let faults =
            bundles().iter().filter_map(|b| filter.accepts(b, &mut Tally::default()).err()).collect::<Vec<_>>();
        assert!(faults.iter().any(|f| f.to_string().contains(said)), "{text}: {faults:?}");
    }
}

#[test]
fn a_field_that_nobody_has_is_a_slip_unless_that_was_the_question() {
    let slip = |text: &str| {
        let (filter, mut tally) = (Filter::parse(text).expect("parses"), Tally::default());
        for bundle in bundles() {
            filter.accepts(&bundle, &mut tally).expect("compares");
        }
        (filter.slip(&tally), tally)
    };
    let (error, _) = slip("ok and pases > 3");
    let error = error.expect("a slip");
    assert_eq!((error.column, error.message.contains("did you mean `passes`?")), (8, true), "{error}");
    assert!(slip("passes >= 3").0.is_none());
    assert_eq!(slip("passes >= 3").1.missing["passes"], 1);
    for fine in ["nothing is missing", "nothing == null", "not (nothing is not missing)"] {
        assert!(slip(fine).0.is_none(), "{fine}");
    }
    let near = |text: &str| slip(text).0.map(|e| e.message).unwrap_or_default();
    assert!(near("notes == 'x'").contains("`note`") && near("zzzz == 1").ends_with("field `zzzz`"));
}
