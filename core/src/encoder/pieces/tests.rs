use super::super::{Tokenizer as Whole, Tokens};
use super::words::{Gpt2, visible};
use super::*;
use crate::config::TokenizerKind;
use crate::rng::Stream;
use std::fmt::Write as _;
use tokenizers::pattern::Pattern as _;
use tokenizers::utils::SysRegex;

/// The file of the tables, which `CRUCIBLE_BLESS=1` writes anew.
const CLASSES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/encoder/pieces/words/classes.rs");
/// As the library spells it.
const EXPRESSION: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// Characters of `class` as ranges, by the library's own expressions.
fn ranges(class: &str) -> Vec<(u32, u32)> {
    let all: String = (0..=u32::from(char::MAX)).filter_map(char::from_u32).collect();
    let runs = SysRegex::new(&format!("{class}+")).expect("an expression");
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for (start, end) in runs.find_iter(&all) {
        for c in all[start..end].chars().map(u32::from) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == c => *last = c,
                _ => ranges.push((c, c)),
            }
        }
    }
    ranges
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may write its own table anew")]
fn classes_are_the_librarys() {
    let mut text = "//! Letters and numbers of Unicode as the `tokenizers` library's expressions know them; written by a test of this folder.\n".to_owned();
    for (name, class) in [("LETTERS", r"\p{L}"), ("NUMBERS", r"\p{N}")] {
        let _ = write!(
            text,
            "\n/// `{class}`: the first and the last of each range.\n#[rustfmt::skip]\npub(super) const {name}: &[(u32, u32)] = &["
        );
        for (i, (first, last)) in ranges(class).into_iter().enumerate() {
            let _ = write!(text, "{}({first:#x}, {last:#x}),", if i % 6 == 0 { "\n    " } else { " " });
        }
        text += "\n];\n";
    }
    if std::env::var("CRUCIBLE_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(CLASSES, &text).expect("writes");
    }
    let known = std::fs::read_to_string(CLASSES).expect("reads");
    assert!(known == text, "{CLASSES} is not what the library knows; CRUCIBLE_BLESS=1 writes it anew");
}

/// Texts in which every rule has something to do.
fn texts() -> Vec<String> {
    let parts = [
        "a",
        "Zug",
        "Été",
        "e\u{301}",
        "ß",
        "ﬁ",
        "12",
        "½",
        "Ⅷ",
        " ",
        "  ",
        "\n",
        "\t ",
        "\u{a0}",
        "\u{3000}",
        "'s",
        "'S",
        "'ll",
        "'",
        "'re'",
        ".",
        "?!",
        "…",
        "—",
        "銀行",
        "한국",
        "ก็",
        "🙂",
        "👩‍👩‍👧",
        "[UNK]",
        "[UN",
        "##x",
        "\0",
        "\u{fffd}",
        "\u{200b}",
        "İ",
        "Σς",
        "x'tx",
        "$5",
        "_",
        "\u{85}",
        "\r\n",
    ];
    let mut stream = Stream::new(4, "pieces", 0);
    let mut texts: Vec<String> =
        (0..3000).map(|_| (0..stream.below(9)).map(|_| parts[stream.below(parts.len())]).collect()).collect();
    texts.extend(parts.map(str::to_owned));
    // Anything at all.
    let mut any =
        |n: usize| -> String { (0..n).filter_map(|_| char::from_u32(stream.below(0x3_0000) as u32)).collect() };
    texts.extend((0..300).map(|i| any(i % 40)));
    texts
}

#[test]
fn words_are_those_of_the_expression() {
    let expression = SysRegex::new(EXPRESSION).expect("an expression");
    for text in texts().iter().filter(|text| !text.is_empty()) {
        let want: Vec<_> = expression.find_iter(text).collect();
        let got: Vec<_> = Gpt2.find_matches(text).expect("cuts").into_iter().map(|(offsets, _)| offsets).collect();
        assert_eq!(got, want, "{text:?}");
    }
}

#[test]
fn bytes_are_the_librarys_characters() {
    let all: std::collections::BTreeSet<char> = (0..=255).map(visible).collect();
    let library: std::collections::BTreeSet<char> =
        tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().collect();
    assert_eq!(all, library);
}

/// Every id and offset of every text.
fn alike(json: &str, texts: &[String], what: &str) {
    let (whole, own) = (Whole::from_json(json).expect("reads"), Tokenizer::from_json(json).expect("reads"));
    assert_eq!(own.rows(), whole.vocab_size(), "{what}");
    assert_eq!(own.to_json().expect("writes"), whole.to_json().expect("writes"), "{what}");
    let mut pieces = 0;
    for text in texts {
        let want = whole.encode(text).expect("encodes");
        let mut got = Tokens::default();
        own.encode_onto(text, &mut got).expect("encodes");
        assert_eq!(got, want, "{what}: {text:?}");
        pieces += want.ids.len();
    }
    assert!(pieces > 1000, "{what}: {pieces} pieces say little");
}

#[test]
fn pieces_are_the_librarys() {
    let texts = texts();
    let learned: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    for kind in [TokenizerKind::Wordpiece, TokenizerKind::Bpe] {
        let json = Whole::train(kind, 900, &learned).expect("trains").to_json().expect("writes");
        alike(&json, &texts, &format!("{kind:?}"));
        // As others write theirs.
        let mut document: Value = serde_json::from_str(&json).expect("JSON");
        let added = |id: u64, content: &str| {
            serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true})
        };
        document["added_tokens"] = serde_json::json!([added(1998, "[UN"), added(1999, "[UNK]"), added(2000, "銀")]);
        match kind {
            TokenizerKind::Wordpiece => document["normalizer"]["lowercase"] = Value::from(false),
            TokenizerKind::Bpe => document["pre_tokenizer"]["add_prefix_space"] = Value::from(true),
        }
        // The library gives ids as it sees fit, and then writes those.
        let whole = Whole::from_json(&document.to_string()).expect("reads");
        alike(&whole.to_json().expect("writes"), &texts, &format!("{kind:?} with other settings"));
        for (field, value) in [("normalizer", Value::Null), ("pre_tokenizer", Value::Null)] {
            let mut document: Value = serde_json::from_str(&json).expect("JSON");
            document[field] = value;
            alike(&document.to_string(), &texts, &format!("{kind:?} without {field}"));
        }
    }
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let json = Whole::train(TokenizerKind::Wordpiece, 64, &["a b"]).expect("trains").to_json().expect("writes");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut document: Value = serde_json::from_str(&json).expect("JSON");
        change(&mut document);
        Tokenizer::from_json(&document.to_string()).err().expect("must be refused").to_string()
    };
    for (part, kind) in [("model", "Unigram"), ("pre_tokenizer", "Metaspace"), ("normalizer", "Replace")] {
        let said = with(&|document| document[part] = serde_json::json!({"type": kind}));
        assert!(said.contains(kind) && said.contains("the command line knows it"), "{said}");
    }
    let said = with(&|document| document["added_tokens"][0]["lstrip"] = Value::from(true));
    assert!(said.contains("[UNK]"), "{said}");
    let said = with(&|document| document["added_tokens"][0]["id"] = Value::from(7));
    assert!(said.contains("has the id 7; expected 0"), "{said}");
    for json in ["", "{}", "[]", "{\"version\":\"1.0\"}", "{\"model\":{\"type\":\"WordPiece\"}}"] {
        assert!(matches!(Tokenizer::from_json(json), Err(EncoderError::TokenizerJson { .. })), "{json}");
    }
}
